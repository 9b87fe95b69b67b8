"""Compiled recursions over a normal law of (number at risk, deaths so far, level) in place of single states.

Where one death lies below the reading error, the states behind a curve are many and alike, and their law is nearly
normal. The deaths of a drop stay whole numbers: each is weighed, and the mixture is brought back to one normal law
with its mean and covariance (assumed density filtering: Maybeck PS. Stochastic Models, Estimation, and Control, vol 2.
Academic Press 1982, section 12.7), then smoothed backwards (Rauch HE, Tung F, Striebel CT. Maximum likelihood estimates of linear dynamic
systems. AIAA J 1965;3:1445-1450. doi:10.2514/3.3166). Kept apart because importing it compiles (once; the result is
cached on disk).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from metagrove.survival.passes.tables import (
    ARRIVE,
    CENSOR,
    CONSUME,
    DROP,
    FORCE,
    HAZARD,
    KIND,
    LOOK,
    LOW,
    MASS,
    SCORE,
    SEEN,
    UNSEEN,
    A,
    B,
    C,
    Table,
)

__all__ = ["normal_evidence", "normal_paths"]

#: Standard errors within which numbers of deaths are weighed, and how many numbers at most.
WITHIN, MOST = 4.0, 256
#: Variance of a whole number that is known, and what is added where a covariance is inverted.
WHOLE, RIDGE = 1.0 / 12.0, 1e-6
#: Variance added to every coordinate, in patients, where two laws are compared: where few are left the law is no guide.
SOFT = 1.0

_compiled = njit(cache=True, error_model="numpy", nogil=True)


@_compiled
def _seen_at(m: Any, p: Any, i: Any, value: Any, error: Any) -> Any:
    """The log density of an observation of coordinate `i` with variance `error`, which moves mean and covariance."""
    total = p[i, i] + error
    off = value - m[i]
    gain0, gain1, gain2 = p[0, i] / total, p[1, i] / total, p[2, i] / total
    row0, row1, row2 = p[i, 0], p[i, 1], p[i, 2]
    m[0] += gain0 * off
    m[1] += gain1 * off
    m[2] += gain2 * off
    p[0, 0] -= gain0 * row0
    p[0, 1] -= gain0 * row1
    p[0, 2] -= gain0 * row2
    p[1, 0] -= gain1 * row0
    p[1, 1] -= gain1 * row1
    p[1, 2] -= gain1 * row2
    p[2, 0] -= gain2 * row0
    p[2, 1] -= gain2 * row1
    p[2, 2] -= gain2 * row2
    return -0.5 * (off * off / total + np.log(2.0 * np.pi * total))


@_compiled
def _scored(m: Any, p: Any, op: Any) -> Any:
    """The log weight of the number left beside the marks there, which moves mean and covariance."""
    spread = np.sqrt(max(p[0, 0], 1e-9))
    total, first, second = 0.0, 0.0, 0.0
    for i in range(-16, 17):
        n = m[0] + 0.25 * i * spread
        if n < 0.0:
            continue
        beyond = n - op[A]
        w = np.exp(-0.5 * (0.25 * i) ** 2) * (op[B] ** beyond if beyond >= 0.0 else op[C] ** (-beyond))
        total += w
        first += w * n
        second += w * n * n
    if total <= 0.0:
        return -np.inf
    mean = first / total
    ratio = (max(second / total - mean * mean, 1e-9) - p[0, 0]) / max(p[0, 0], 1e-9) ** 2
    shift = (mean - m[0]) / max(p[0, 0], 1e-9)
    row = p[0].copy()
    for i in range(3):
        m[i] += row[i] * shift
        for j in range(3):
            p[i, j] += row[i] * row[j] * ratio
    return np.log(total * 0.25 / np.sqrt(2.0 * np.pi))


@_compiled
def _counts_weighed(m: Any, p: Any, op: Any, size: Any, weight: Any) -> Any:
    """The smallest number of deaths of a drop that is weighed, how many are, the log of the best weight, the sum and the mean.

    Their weights, relative to the best, go into `weight`.
    """
    n, level = max(m[0], 1.0), max(m[2], 1e-9)
    y, error, hazard = op[A] * size, (op[B] * size) ** 2, op[HAZARD]
    near = n * (1.0 - y / level)
    j0, j2 = level * max(near, 0.0) / n**2, 1.0 - min(max(near, 0.0) / n, 1.0)
    spread = np.sqrt(j0 * j0 * p[0, 0] + 2.0 * j0 * j2 * p[0, 2] + j2 * j2 * p[2, 2] + error) * n / level
    first = max(np.floor(near - WITHIN * spread), 1.0 if hazard < 0.0 else 0.0)
    last = max(min(np.ceil(near + WITHIN * spread), n - op[LOW], first + MOST - 1.0), first)
    if hazard == 0.0:
        first, last = 0.0, 0.0
    some = hazard * n / (1.0 + hazard * n)
    enough = max(np.ceil(op[SEEN] * size * n / level - 0.1), 1.0) if op[SEEN] > 0.0 else 1.0
    usual, many = 0.8 * (1.0 - op[C]), 0.2 * (1.0 - op[MASS])
    unseen, beyond = usual + many, max(first - enough, 0.0)
    if beyond > 0.0:
        usual, many = usual * op[C] ** beyond, many * op[MASS] ** beyond
    best, count = -np.inf, int(last - first) + 1
    for i in range(count):
        d = first + i
        j0, j2 = level * d / n**2, 1.0 - d / n
        total = j0 * j0 * p[0, 0] + 2.0 * j0 * j2 * p[0, 2] + j2 * j2 * p[2, 2] + error
        off, chance = y - level * j2, 1.0
        if 0.0 < d < enough:
            chance = unseen * UNSEEN ** (enough - d)
        elif d > 0.0:
            chance = max(usual + many, 1e-250)
            usual, many = usual * op[C], many * op[MASS]
        if hazard > 0.0:
            chance *= some if d > 0.0 else 1.0 - some
        x = np.log(chance * np.sqrt(error / total)) - 0.5 * off * off / total
        weight[i] = x
        best = max(best, x)
    whole, mean = 0.0, 0.0
    for i in range(count):
        weight[i] = np.exp(weight[i] - best)
        whole += weight[i]
        mean += weight[i] * (first + i)
    return first, count, best, whole, mean / whole


@_compiled
def _dropped(m: Any, p: Any, op: Any, size: Any, weight: Any, before: Any, around: Any, cross: Any, keep: Any) -> Any:
    """The log evidence of a drop, which moves mean and covariance.

    With `keep`, `before` and `around` become the mean and covariance of the state before it in the light of it, `cross` the
    covariance of both states.
    """
    first, count, best, whole, mean = _counts_weighed(m, p, op, size, weight)
    n, level = max(m[0], 1.0), max(m[2], 1e-9)
    y, error = op[A] * size, (op[B] * size) ** 2
    b, a, bb, aa, ba = np.zeros(3), np.zeros(3), np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3))
    xb, xa, pull = np.empty(3), np.empty(3), np.empty(3)
    for i in range(count):
        w, d = weight[i] / whole, first + i
        if w < 1e-9:
            continue
        j0, j2 = level * d / n**2, 1.0 - d / n
        for r in range(3):
            pull[r] = p[r, 0] * j0 + p[r, 2] * j2
        v = pull[0] * j0 + pull[2] * j2
        off = (y - level * j2) / (v + error)
        for r in range(3):
            xb[r] = pull[r] * off
        xa[0], xa[1], xa[2] = xb[0] - (d - mean), xb[1] + (d - mean), level * j2 + v * off - y
        for r in range(3):
            a[r] += w * xa[r]
            for s in range(r, 3):
                aa[r, s] += w * xa[r] * xa[s]
        if keep:
            for r in range(3):
                b[r] += w * xb[r]
                for s in range(3):
                    bb[r, s] += w * xb[r] * xb[s]
                    ba[r, s] += w * xb[r] * xa[s]
    j0, j2 = level * mean / n**2, 1.0 - mean / n
    for r in range(3):
        pull[r] = p[r, 0] * j0 + p[r, 2] * j2
    total = pull[0] * j0 + pull[2] * j2 + error
    for r in range(3):
        for s in range(3):
            around[r, s] = p[r, s] - pull[r] * pull[s] / total
    for r in range(3):
        cross[r, 0], cross[r, 1] = around[r, 0], around[r, 1]
        cross[r, 2] = around[r, 0] * j0 + around[r, 2] * j2
    for s in range(3):
        p[0, s], p[1, s] = cross[0, s], cross[1, s]
        p[2, s] = cross[0, s] * j0 + cross[2, s] * j2
    for r in range(3):
        for s in range(3):
            p[r, s] += aa[min(r, s), max(r, s)] - a[r] * a[s]
            around[r, s] += bb[r, s] - b[r] * b[s]
            cross[r, s] += ba[r, s] - b[r] * a[s]
    for r in range(3):
        before[r] = m[r] + b[r]
    m[0], m[1], m[2] = m[0] - mean + a[0], m[1] + mean + a[1], y + a[2]
    return best + np.log(whole)


@_compiled
def _likeliest_look(op: Any, o: Any) -> Any:
    """The likeliest place of a number at risk that may be seen from operation `o` on, and the weight of all others."""
    last, place, doubt = o, o, 0.0
    while last < op.shape[0] and op[last, KIND] != FORCE:
        if op[last, KIND] == LOOK:
            doubt += op[last, B]
            if op[last, B] > op[place, B]:
                place = last
        last += 1
    return place, doubt - op[place, B]


@_compiled
def _forward(op: Any, n0: Any, events: Any, zero: Any, laws: Any, joints: Any) -> Any:
    """The log evidence, and, where there is room for it, the laws that the smoother needs.

    `laws` : shape (k + 1, 4, 3), mean and covariance after each operation. `joints` : shape (k, 7, 3), mean and covariance of the
    state before each operation in the light of it, and the covariance with the state after it.
    """
    k, evidence, pending, size = op.shape[0], 0.0, 0.0, float(n0)
    m, p, weight = np.array([size, 0.0, size]), np.zeros((3, 3)), np.empty(MOST)
    before, around, cross = np.empty(3), np.empty((3, 3)), np.empty((3, 3))
    place, doubt, keep = -1, 0.0, laws.shape[0] > 1
    for o in range(k):
        kind = int(op[o, KIND])
        if kind == DROP:
            evidence += _dropped(m, p, op[o], size, weight, before, around, cross, keep)
        elif kind == LOOK:
            if place < 0:
                place, doubt = _likeliest_look(op, o)
            if place == o and op[o, A] >= 0.0:
                evidence += _seen_at(m, p, 0, op[o, A], WHOLE + doubt)
        elif kind == FORCE:
            place = -1
        elif kind == ARRIVE:
            pending += op[o, A]
        elif kind == SCORE:
            evidence += _scored(m, p, op[o])
        if keep and kind != DROP:
            before[:] = m
            around[:], cross[:] = p, p
        if kind == CENSOR:
            w, q = op[o, A], op[o, B]
            mean = w * q / (1.0 - q)
            p[0, 0] += w * q * (1.0 + q) / (1.0 - q) ** 2 - mean * mean
            m[0] = max(m[0] - mean - op[o, C], op[o, LOW])
        elif kind == CONSUME and op[o, A] >= 0.0:
            # Taken in order while chance has it: a geometric number, cut at those that wait.
            gone = max(op[o, A] * (1.0 - op[o, A] ** pending) / (1.0 - op[o, A]), pending - op[o, B])
            p[0, 0] += gone * max(1.0 - gone / max(pending, 1.0), 0.0)
            pending -= gone
            m[0] = max(m[0] - gone, op[o, LOW])
        if keep:
            joints[o, 0], joints[o, 1:4], joints[o, 4:7] = before, around, cross
            laws[o + 1, 0], laws[o + 1, 1:4] = m, p
    if zero:
        evidence += _seen_at(m, p, 0, 0.0, WHOLE)
    if events >= 0:
        evidence += _seen_at(m, p, 1, float(events), WHOLE)
    laws[0, 0], laws[0, 1:4] = m, p
    return evidence


@_compiled
def _inverted(p: Any) -> Any:
    """The inverse of a covariance matrix, a little ridge added."""
    a, b, c = p[0, 0] + RIDGE, p[0, 1], p[0, 2]
    d, e, f = p[1, 1] + RIDGE, p[1, 2], p[2, 2] + RIDGE
    out = np.empty((3, 3))
    out[0, 0], out[0, 1], out[0, 2] = d * f - e * e, c * e - b * f, b * e - c * d
    out[1, 1], out[1, 2], out[2, 2] = a * f - c * c, b * c - a * e, a * d - b * b
    out[1, 0], out[2, 0], out[2, 1] = out[0, 1], out[0, 2], out[1, 2]
    return out / (a * out[0, 0] + b * out[0, 1] + c * out[0, 2])


@_compiled
def _smoothed(laws: Any, joints: Any) -> None:
    """The law of each state in the light of everything, into `laws`, which holds that of the last one in its first place."""
    gain, change, moved = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    now = laws[0].copy()
    for o in range(laws.shape[0] - 2, -1, -1):
        was, joint = laws[o + 1].copy(), joints[o]
        laws[o + 1] = now
        turned = _inverted(was[1:4])
        for r in range(3):
            for s in range(3):
                gain[r, s] = 0.0
                for t in range(3):
                    gain[r, s] += joint[4 + r, t] * turned[t, s]
        for r in range(3):
            for s in range(3):
                change[r, s] = now[1 + r, s] - was[1 + r, s]
        shift0, shift1, shift2 = now[0, 0] - was[0, 0], now[0, 1] - was[0, 1], now[0, 2] - was[0, 2]
        for r in range(3):
            now[0, r] = joint[0, r] + gain[r, 0] * shift0 + gain[r, 1] * shift1 + gain[r, 2] * shift2
            for s in range(3):
                moved[r, s] = gain[r, 0] * change[0, s] + gain[r, 1] * change[1, s] + gain[r, 2] * change[2, s]
        for r in range(3):
            for s in range(3):
                now[1 + r, s] = joint[1 + r, s]
                for t in range(3):
                    now[1 + r, s] += moved[r, t] * gain[s, t]
    laws[0] = now


@_compiled
def _outlook(laws: Any, ahead: Any) -> None:
    """The slope and curvature at the mean of the log likelihood of what follows, into `ahead`, which holds the filter's laws."""
    wide = np.empty((3, 3))
    ahead[0] = 0.0
    for o in range(1, laws.shape[0]):
        for r in range(3):
            for s in range(3):
                # A little wider, so that what follows never speaks for the tails.
                wide[r, s] = ahead[o, 1 + r, s] * 1.02 + (SOFT if r == s else 0.0)
        before = _inverted(wide)
        for r in range(3):
            for s in range(3):
                wide[r, s] = laws[o, 1 + r, s] + (SOFT if r == s else 0.0)
        after = _inverted(wide)
        shift = laws[o, 0] - ahead[o, 0]
        for r in range(3):
            ahead[o, 0, r] = before[r, 0] * shift[0] + before[r, 1] * shift[1] + before[r, 2] * shift[2]
            for s in range(3):
                ahead[o, 1 + r, s] = after[r, s] - before[r, s]


def normal_evidence(tables: Iterable[Table], n: int, events: int, zero: bool) -> NDArray[np.float64]:
    """Log evidence of each table of operations; shape (tables,). `events` : total deaths or -1. `zero` : whether nobody is left."""
    none = np.empty((1, 4, 3)), np.empty((1, 7, 3))
    return np.array([_forward(rows, n, events, zero, *none) for rows in tables])


def normal_paths(
    rows: Table, n: int, events: int, zero: bool
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Log evidence, the law of (at risk, deaths, level times n) after each operation, and what is still to be learnt there.

    Shape (k + 1, 4, 3) each, mean and covariance in the light of everything; and the slope and curvature, about that mean, of the
    log likelihood of all that follows. What holds before the first operation stands in the first place.
    """
    laws, joints = np.empty((len(rows) + 1, 4, 3)), np.empty((len(rows), 7, 3))
    evidence = float(_forward(rows, n, events, zero, laws, joints))
    ahead = laws.copy()
    _smoothed(laws, joints)
    _outlook(laws, ahead)
    return evidence, laws, ahead
