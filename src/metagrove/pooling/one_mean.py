"""Between-study variance of one common mean in plain scalar arithmetic.

The same source serves twice: interpreted on lists for a handful of studies, where NumPy's overhead per call would
dominate, and compiled for `pool_many`. So it uses loops, floats and tuples only, and reports failure by a negative
number instead of an error. Papers are with the estimators in `tau2`.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from typing import NamedTuple, TypeAlias

__all__ = [
    "CODES",
    "KERNELS",
    "Peak",
    "Sums",
    "crossing",
    "likelihood_peak",
    "moment_variance",
    "peak_grid",
    "peak_row",
    "pool_row",
    "pool_rows",
    "refined_peak",
    "searched_peak",
    "sums_at",
    "variance_at_q",
]  # fmt: skip

Row: TypeAlias = MutableSequence[float]
Matrix: TypeAlias = Sequence[Row]

_STEPS = 200
_PATIENCE = 60  # after so many steps only halving is left, which always ends
_CLOSE = 1e-9  # Newton's error after a step this small is below 1e-15
_NEAR = 3e-8  # the error after such a relative step of a climb is below its square
_CLIMB = 16
_PROOF = 5  # attempts; a search costs as much
_SURE = 1.0 - 1e-9  # keeps rounding out of a proof


class Sums(NamedTuple):
    """What the estimators need at one tau2, with w = 1/(v + tau2) and P the projection they define."""

    w: float
    mean: float
    q: float
    ypp: float
    yppp: float
    trace: float
    trace2: float
    w2: float


def sums_at(y: Row, v: Row, t: float) -> Sums:
    """Sums over one row of effects, which starts with the most precise study, at effect 0.

    That study is kept apart, so that no digits cancel when its weight dwarfs the others'.
    """
    o1 = o2 = o3 = a1 = a2 = a3 = b1 = b2 = b3 = 0.0
    for i in range(1, len(y)):
        yi = y[i]
        w = 1.0 / (v[i] + t)
        wy = w * yi
        w2 = w * w
        w2y = w * wy
        o1 += w
        a1 += wy
        b1 += wy * yi
        o2 += w2
        a2 += w2y
        b2 += wy * wy
        o3 += w * w2
        a3 += w * w2y
        b3 += w2y * wy
    w0 = 1.0 / (v[0] + t)
    s1 = w0 + o1
    m = a1 / s1
    h = w0 / s1
    zo, z0 = a2 - m * o2, -w0 * w0 * m
    share = o2 / s1
    return Sums(
        s1,
        m,
        b1 - m * a1,
        b2 - m * (2.0 * a2 - m * (o2 + w0 * w0)),
        b3 - m * (2.0 * a3 - m * o3) + w0 * w0 * h * m * m * o1 - (2.0 * z0 + zo) * zo / s1,
        o1 - share + h * o1,
        o2 - 2.0 * o3 / s1 + share * share + 2.0 * o2 * h * h + h * o1 * h * o1,
        o2 + w0 * w0,
    )


def moment_variance(y: Row, v: Row, power: float, t: float) -> float:
    """Method-of-moments variance with weights (v + t)^-power, cut at 0."""
    if power == 1.0 and t == 0.0:
        s = sums_at(y, v, 0.0)
        return max((s.q - (len(y) - 1.0)) / s.trace, 0.0)
    s1 = s2 = a1 = b1 = sv = s2v = 0.0
    for i in range(len(y)):
        w = 1.0 if power == 0.0 else (1.0 / (v[i] + t) if power == 1.0 else (v[i] + t) ** -power)
        s1 += w
        a1 += w * y[i]
        s2 += w * w
        sv += w * v[i]
        s2v += w * w * v[i]
    m = a1 / s1
    for i in range(len(y)):
        w = 1.0 if power == 0.0 else (1.0 / (v[i] + t) if power == 1.0 else (v[i] + t) ** -power)
        b1 += w * (y[i] - m) ** 2
    found = (b1 - (sv - s2v / s1)) / (s1 - s2 / s1)
    return found if found > 0.0 else 0.0


def variance_at_q(y: Row, v: Row, target: float) -> float:
    """The variance at which Q equals `target`; 0 where Q is below it at 0, -1 without convergence."""
    low, high, t = 0.0, math.inf, 0.0
    for step in range(_STEPS):
        s = sums_at(y, v, t)
        if s.q <= target:
            if step == 0:
                return 0.0
            high = t
        else:
            low = t
        new = t + s.q * (s.q / target - 1.0) / s.ypp
        newton = low < new < high and step < _PATIENCE
        if not newton:
            top = 0.0
            for i in range(len(v)):
                top = max(top, v[i])
            new = 0.5 * (low + high) if high < math.inf else 2.0 * t + top
        if abs(new - t) <= _CLOSE * new and newton:
            return new
        if high < math.inf and high - low <= 1e-15 * high:
            return new
        t = new
    return -1.0


def log_likelihood_core(y: Row, v: Row, t: float, restricted: bool) -> float:
    """Log-likelihood of `t` up to a constant."""
    total = 0.0
    for i in range(len(v)):
        total -= 0.5 * math.log(v[i] + t)
    s = sums_at(y, v, t)
    if restricted:
        total -= 0.5 * math.log(s.w)
    return total - 0.5 * s.q


def peak_grid(low: float, high: float, small: float) -> tuple[float, float, int]:
    """Smallest value, ratio and length of a geometric grid that holds every peak of the likelihood above 0.

    Effects lie from `low` to `high`, and `small` is the smallest variance. Above twice the squared range of the effects
    the score is negative; far below the smallest variance nothing changes. The length is 0 where all effects are equal.
    """
    if high <= low:
        return 0.0, 3.0, 0
    first = small / 30.0
    decades = math.log(max(4.0 * (high - low) ** 2, 3.0 * first) / first)
    count = min(max(math.ceil(decades / math.log(3.0)), 2), 48)
    return first, math.exp(decades / count), count + 1


def refined_peak(y: Row, v: Row, restricted: bool, start: float, low: float, high: float) -> float:
    """The stationary point of the likelihood in (low, high) that `start` leads to; -1 without convergence.

    Newton steps where the likelihood is concave and the step stays inside the bracket of the score's sign change,
    halving elsewhere. From 0 with a falling likelihood the answer is 0.
    """
    start = min(max(start, low), high)
    t = start
    for step in range(_STEPS):
        s = sums_at(y, v, t)
        expected = s.trace2 if restricted else s.w2
        gradient = s.ypp - (s.trace if restricted else s.w)
        if t == 0.0 and gradient <= 0.0:
            return 0.0
        if gradient > 0.0:
            low = t
        else:
            high = t
        observed = 2.0 * s.yppp - expected
        new = t + gradient / observed if observed > 0.0 else -1.0
        newton = low < new < high and step < _PATIENCE
        if not newton:
            new = 0.5 * (low + high)
        if (newton and abs(new - t) <= _CLOSE * new) or high - low <= 1e-15 * high:
            return new
        t = new
    return -1.0


def crossing(low: float, high: float, at_low: float, at_high: float, centre: float) -> float:
    """Where a score that is `at_low` > 0 at `low` and `at_high` <= 0 at `high` may cross zero.

    Times the square of t + `centre`, a typical variance, the score is nearly straight.
    """
    a, b = at_low * (low + centre) ** 2, at_high * (high + centre) ** 2
    return low + (high - low) * a / (a - b)


def searched_peak(y: Row, v: Row, restricted: bool) -> float:
    """Maximiser of the (restricted) likelihood over tau2 >= 0 among several peaks; -1 without convergence.

    A grid shows where the score crosses zero downwards; each crossing is refined, and the likelihood decides.
    """
    low, high, small, centre = y[0], y[0], v[0], 0.0
    for i in range(len(v)):
        low, high, small = min(low, y[i]), max(high, y[i]), min(small, v[i])
        centre += v[i] / len(v)
    first, ratio, count = peak_grid(low, high, small)
    best, best_value, several = 0.0, -math.inf, 0
    before, score_before = 0.0, 0.0
    for i in range(count + 1):
        here = 0.0 if i == 0 else first * ratio ** (i - 1)
        s = sums_at(y, v, here)
        score = s.ypp - (s.trace if restricted else s.w)
        t = -1.0
        if i == 0 and score <= 0.0:
            t = 0.0
        elif i > 0 and score_before > 0.0 and score <= 0.0:
            t = refined_peak(y, v, restricted, crossing(before, here, score_before, score, centre), before, here)
            if t < 0.0:
                return -1.0
        if t >= 0.0:
            several += 1
            if several == 1:
                best = t
            else:
                if several == 2:
                    best_value = log_likelihood_core(y, v, best, restricted)
                found = log_likelihood_core(y, v, t, restricted)
                if found > best_value:
                    best, best_value = t, found
        before, score_before = here, score
    return best


class Peak(NamedTuple):
    """The maximiser of a likelihood over tau2 >= 0 (negative: not found), with the sums at 0 and there."""

    tau2: float
    at_zero: Sums
    sums: Sums


def climbed_peak(y: Row, v: Row, restricted: bool, zero: Sums) -> Peak:
    """The first peak that a climb from 0 comes to; -1 where the climb loses its way. `zero` are the sums at 0.

    Twice the score is A - B with A = y'PPy and B = tr(P) (or the sum of the weights). Here A^(-1/2) and 1/B are power
    means of shifted variances, nearly straight in tau2, so a step goes to where their tangents say A = B: with r = B/A
    and a, b half the relative fall of A and that of B, r (1 + a x)^2 = 1 + b x.
    """
    s, t, low, high = zero, 0.0, 0.0, math.inf
    for _ in range(_CLIMB):
        level = s.trace if restricted else s.w
        if not (s.ypp > 0.0 and s.yppp > 0.0):
            return Peak(-1.0, zero, s)
        if s.ypp > level:
            low = t
        elif t == 0.0:
            return Peak(0.0, zero, s)
        else:
            high = t
        r, a, b = level / s.ypp, s.yppp / s.ypp, (s.trace2 if restricted else s.w2) / level
        linear, square = 2.0 * r * a - b, r * a * a
        inside = linear * linear - 4.0 * square * (r - 1.0)
        new = -1.0
        if inside >= 0.0:
            root = math.sqrt(inside)
            x = 2.0 * (1.0 - r) / (linear + root) if linear > 0.0 else 0.5 * (root - linear) / square
            new = t + x
            if abs(x) <= _NEAR * t:
                return Peak(new, zero, s if abs(x) <= 1e-13 * t else sums_at(y, v, new))
        if not low < new < high:
            if high == math.inf:
                return Peak(-1.0, zero, s)
            new = 0.5 * (low + high)
        t = new
        s = sums_at(y, v, t)
    return Peak(-1.0, zero, s)


def rises_to(y: Row, v: Row, restricted: bool, peak: Peak) -> bool:
    """Whether the likelihood is shown to rise all the way from 0 to `peak`.

    A^(-1/2) and 1/B are concave in tau2 (power means with exponents -2 and -1 of linear functions: Hardy GH, Littlewood
    JE, Polya G. Inequalities. 2nd ed. 1952, section 2.9). Between two points the first lies below its tangent, the
    second above its chord, and the chord less the square of the tangent is least at an end.
    """
    top, s = peak.tau2, peak.sums
    for step in range(_PROOF):
        if top == 0.0:
            return True
        a = s.yppp / s.ypp
        floor = s.ypp * _SURE
        if (peak.at_zero.trace if restricted else peak.at_zero.w) * (1.0 - a * top) ** 2 < floor:
            return True
        low = top / 3.0
        s = sums_at(y, v, low)
        level = s.trace if restricted else s.w
        if step + 1 == _PROOF or not s.ypp > level or level * (1.0 - a * (top - low)) ** 2 >= floor:
            return False
        top = low
    return False


def falls_after(y: Row, v: Row, restricted: bool, peak: Peak) -> bool:
    """Whether the likelihood is shown to fall from `peak` on.

    As in `rises_to`, with the roles exchanged: A^(-1/2) above its chord, whose slope never falls below one over the root
    of the effects' sum of squares, and 1/B below its tangent.
    """
    total = squares = variances = 0.0
    for i in range(len(y)):
        total += y[i]
        squares += y[i] * y[i]
        variances += v[i]
    spread = squares - total * total / len(y)  # with one effect at 0 little cancels
    if not spread > 0.0:
        return True
    here, s, wide = peak.tau2, peak.sums, 0.5 * (peak.tau2 + variances / len(y))
    gentlest = 1.0 / math.sqrt(spread)
    for _ in range(_PROOF):
        level = s.trace if restricted else s.w
        slope = (s.trace2 if restricted else s.w2) / level / level
        value = 1.0 / math.sqrt(s.ypp)
        lead = value * value - 1.0 / level if here > peak.tau2 or here == 0.0 else 0.0
        if lead < 0.0:
            return False
        if stays_above(value, gentlest, lead, slope):
            return True
        ahead = sums_at(y, v, here + wide)
        if ahead.ypp > 0.0 and stays_above(value, (1.0 / math.sqrt(ahead.ypp) - value) / wide, lead, slope):
            here, s, wide = here + wide, ahead, 2.0 * wide
        else:
            wide *= 0.25
    return False


def stays_above(value: float, slope: float, lead: float, other: float) -> bool:
    """Whether (value + slope x)^2 stays above value^2 - lead + other x for all x > 0; lead >= 0."""
    linear = 2.0 * value * slope - other
    return linear > (1.0 - _SURE) * other or linear * linear < 4.0 * slope * slope * lead * _SURE


def likelihood_peak(y: Row, v: Row, restricted: bool) -> Peak:
    """Maximiser of the (restricted) likelihood over tau2 >= 0, also where it has several peaks; -1 without convergence.

    A climb from 0 finds a peak; where no proof is at hand that it is the only one, a search over all decides.
    """
    peak = climbed_peak(y, v, restricted, sums_at(y, v, 0.0))
    if peak.tau2 >= 0.0 and rises_to(y, v, restricted, peak) and falls_after(y, v, restricted, peak):
        return peak
    found = searched_peak(y, v, restricted)
    return Peak(found, peak.at_zero, sums_at(y, v, max(found, 0.0)))


#: Estimators by number, for compiled code; the two that need a target of Q come last.
CODES = {
    "CE": 0,
    "DL": 1,
    "DL2": 2,
    "HE": 3,
    "HS": 4,
    "HSk": 5,
    "SJ": 6,
    "ML": 7,
    "REML": 8,
    "PM": 9,
    "EB": 9,
    "PMM": 9,
}


def variance_of_row(y: Row, v: Row, code: int, target: float) -> float:
    """Between-study variance of one row by an estimator other than (RE)ML; -1 without convergence."""
    k = len(y)
    if code == 0 or k < 2:
        return 0.0
    if code == 1:
        return moment_variance(y, v, 1.0, 0.0)
    if code == 2:
        return moment_variance(y, v, 1.0, moment_variance(y, v, 1.0, 0.0))
    if code == 3:
        return moment_variance(y, v, 0.0, 0.0)
    if code == 4 or code == 5:
        s = sums_at(y, v, 0.0)
        factor = 1.0 if code == 4 else k / (k - 1.0)
        found = (factor * s.q - k) / s.w
        return found if found > 0.0 else 0.0
    if code == 6:
        mean = crude = 0.0
        for i in range(k):
            mean += y[i] / k
        for i in range(k):
            crude += (y[i] - mean) ** 2 / k
        return crude * sums_at(y, v, crude).q / (k - 1.0) if crude > 0.0 else 0.0
    return variance_at_q(y, v, target)


def pool_row(y: Row, v: Row, code: int, target: float) -> tuple[float, float, float, float, float, float, float]:
    """Common mean and its total weight, random mean and its total weight, residual spread, tau2 and Q of one row.

    Both means are relative to the first study. The residual spread is the weighted
    sum of squares around the random mean, from which the Hartung-Knapp standard error is made.
    """
    if (code == 7 or code == 8) and len(y) > 1:
        tau2, common, random = likelihood_peak(y, v, code == 8)
    else:
        tau2 = variance_of_row(y, v, code, target)
        common = sums_at(y, v, 0.0)
        random = sums_at(y, v, max(tau2, 0.0))
    if tau2 < 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0
    return common.mean, common.w, random.mean, random.w, random.q, tau2, common.q


def peak_row(y: Row, v: Row, restricted: bool, yy: Row, vv: Row) -> Peak:
    """Maximiser of the (restricted) likelihood of one row in any order.

    `yy` and `vv` are scratch; -1 comes back without convergence.
    """
    best = 0
    for i in range(len(y)):
        yy[i], vv[i] = y[i], v[i]
        best = i if v[i] < v[best] else best
    yy[0], yy[best] = yy[best], yy[0]
    vv[0], vv[best] = vv[best], vv[0]
    base = yy[0]
    for i in range(len(y)):
        yy[i] -= base
    return likelihood_peak(yy, vv, restricted)


def pool_rows(y: Matrix, v: Matrix, code: int, targets: Row, out: Matrix, yy: Row, vv: Row) -> int:
    """Every row of `y` pooled into a row of `out`: k, then the seven numbers of `pool_row`.

    NaN in `y` or `v` marks an absent study; `targets[k]` is the target of Q for k studies; `yy` and `vv` are scratch
    of the length of a row, filled with the most precise study first. The result is -1, or the first row whose
    iteration did not converge.
    """
    for i in range(len(y)):
        k, best = 0, 0
        for j in range(len(y[i])):
            if y[i][j] == y[i][j] and v[i][j] == v[i][j]:
                yy[k] = y[i][j]
                vv[k] = v[i][j]
                best = k if vv[k] < vv[best] else best
                k += 1
        out[i][0] = float(k)
        if k == 0:
            for c in range(1, 8):
                out[i][c] = math.nan
            continue
        yy[0], yy[best] = yy[best], yy[0]
        vv[0], vv[best] = vv[best], vv[0]
        mean = yy[0]
        for j in range(k):
            yy[j] -= mean
        found = pool_row(yy[:k], vv[:k], code, targets[k])
        if found[5] < 0.0:
            return i
        out[i][1] = found[0] + mean
        out[i][2] = found[1]
        out[i][3] = found[2] + mean
        out[i][4] = found[3]
        out[i][5] = found[4]
        out[i][6] = found[5]
        out[i][7] = found[6]
    return -1


#: In the order in which they call each other.
KERNELS = (
    sums_at, moment_variance, variance_at_q, log_likelihood_core, peak_grid, refined_peak, crossing, searched_peak,
    climbed_peak, rises_to, stays_above, falls_after, likelihood_peak, variance_of_row, pool_row, peak_row, pool_rows,
)  # fmt: skip
