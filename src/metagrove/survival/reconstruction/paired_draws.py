"""Patient sets of two arms drawn together, so that each pair shows the printed hazard ratio and log-rank p."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.printed_comparison import PrintedComparison, Window
from metagrove.survival.paths.search import Tilt
from metagrove.survival.paths.solution import tilted_draws
from metagrove.survival.reconstruction.comparison_kernels import compared
from metagrove.survival.reconstruction.comparison_tilt import OtherArm, comparison_tilt, levelled
from metagrove.survival.reconstruction.likely_patients import SolvedArm
from metagrove.survival.reconstruction.rebuilt import Draws

__all__ = ["Pairs", "Pool", "against", "effective", "paired", "pool_of", "with_tilt"]

Patients = tuple[Array, NDArray[np.bool_]]

#: Pairs that are compared exactly.
TRIED = 1500
#: Pairs that must agree, in effect, before a tilt of the paths is spared.
ENOUGH = 60.0
#: Power of the curves' own evidence about the comparison beside the printed one (Miller JW, Dunson DB. Robust Bayesian
#: inference via coarsening. J Am Stat Assoc 2019;114:1113-1125. doi:10.1080/01621459.2018.1469995), and how far it reaches.
COARSENED, FAR = 0.5, 4.0
#: Halvings of a tilt that leads to no path or too far.
HALVINGS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Drawn patient sets of one arm: the paths, the patients and the log weight of each."""

    paths: NDArray[np.int32]
    sets: Draws
    weight: Array

    @property
    def patients(self) -> Patients:
        """Times and events, shape (sets, n)."""
        return self.sets.time, self.sets.event


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of sets: their numbers (m, 2), their log hazard ratio, error and z (m, 3), and the log weight of each.

    `prior` is the weight before the printed comparison, `weight` the one after.
    """

    number: NDArray[np.int64]
    values: Array
    prior: Array
    weight: Array

    def weighed(self, printed: PrintedComparison) -> Pairs:
        """The same under other printed facts."""
        return replace(self, weight=self.prior + printed.log_weight(self.values))

    @property
    def share(self) -> Array:
        """Weights that sum to 1."""
        share = np.exp(self.weight - self.weight.max())
        return np.asarray(share / share.sum(), dtype=np.float64)


def effective(pairs: Pairs) -> float:
    """The effective number of pairs (Kish's)."""
    return float(1 / np.sum(pairs.share**2))


def pool_of(arm: SolvedArm, rng: np.random.Generator) -> Pool:
    """The draws of one arm as solved alone."""
    drawn = arm.paths.drawn
    return Pool(drawn, arm.sets(drawn, rng), np.zeros(len(drawn)))


def against(pool: Pool, point: Patients, *, treated: bool) -> Array:
    """Log hazard ratio, error and z of every set of an arm against the other arm's point; shape (sets, 3)."""
    one = (point[0][None], point[1][None])
    number = np.zeros((len(pool.paths), 2), dtype=np.int64)
    number[:, int(treated)] = np.arange(len(pool.paths))
    return compared(one, pool.patients, number) if treated else compared(pool.patients, one, number)


def paired(
    pools: tuple[Pool, Pool], points: tuple[Patients, Patients], printed: PrintedComparison, rng: np.random.Generator
) -> Pairs:
    """Pairs of sets compared exactly, the more of a kind the better the kind agrees with what is printed.

    The log hazard ratio of a pair is nearly the sum of what each set adds against the other arm's point. Pairs are
    proposed by that sum, so that all the sets of one arm are matched with all those of the other, and weighed by their
    own values (importance sampling).
    """
    sizes = (len(pools[0].paths), len(pools[1].paths))
    middle = compared(_one(points[0]), _one(points[1]), np.zeros((1, 2), dtype=np.int64))[0]
    added = [against(pool, points[1 - a], treated=a == 1) - middle for a, pool in enumerate(pools)]
    plain = np.column_stack([_numbers(pool.weight, TRIED // 4, rng) for pool in pools])
    seen = compared(pools[0].patients, pools[1].patients, plain)
    rest = seen - (middle + added[0][plain[:, 0]] + added[1][plain[:, 1]])
    target = _target(printed, middle, seen)
    if target is None:
        return Pairs(plain, seen, np.zeros(len(plain)), np.zeros(len(plain))).weighed(printed)
    column, window = target
    wide = Window(window.low, window.high, 2 * float(np.hypot(window.soft, rest[:, column].std())) + 1e-9)
    shift = middle[column] + rest[:, column].mean()
    sums = shift + added[0][:, None, column] + added[1][None, :, column]
    bent = wide.log_weight(sums)
    weight = pools[0].weight[:, None] + pools[1].weight[None, :]
    flat = _numbers((weight + bent).ravel(), TRIED, rng)
    number = np.column_stack(np.unravel_index(flat, sizes)).astype(np.int64)
    values = compared(pools[0].patients, pools[1].patients, number)
    # Draws of one arm are a little too sure of themselves, and two arms share no such error.
    prior = -bent.ravel()[flat] + _flattened(values[:, column], seen[:, column])
    return Pairs(number, values, prior, prior).weighed(printed)


def _flattened(value: Array, seen: Array) -> Array:
    """Log weight that widens the draws' distribution of a value to `COARSENED` of its log density, shape of `value`."""
    off = (value - seen.mean()) / max(float(seen.std()), 1e-12)
    return np.asarray(0.5 * (1 - COARSENED) * np.minimum(off**2, FAR**2), dtype=np.float64)


def _one(point: Patients) -> Patients:
    return point[0][None], point[1][None]


def _numbers(weight: Array, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers drawn with replacement by log weight, shape (count,)."""
    total = np.cumsum(np.exp(weight - weight.max()))
    return np.asarray(np.searchsorted(total, rng.random(count) * total[-1], side="right"), dtype=np.int64)


def _target(printed: PrintedComparison, middle: Array, seen: Array) -> tuple[int, Window] | None:
    """Which value proposals aim at, and where: the hazard ratio, else the log-rank z on the side where the arms lie."""
    if printed.loghr is not None:
        return 0, printed.loghr
    if printed.z is None:
        return None
    z = printed.z
    if np.mean(seen[:, 2]) >= 0:
        return 2, z
    return 2, Window(-z.high, -z.low, z.soft)


@dataclass(frozen=True, slots=True)
class Lean:
    """How far the log hazard ratio is to move, and the variance with which draws of both arms hold it."""

    off: float
    variance: float


def with_tilt(
    arms: tuple[SolvedArm, SolvedArm],
    pools: tuple[Pool, Pool],
    points: tuple[Patients, Patients],
    lean: Lean,
    rng: np.random.Generator,
) -> tuple[Pool, Pool]:
    """Pools with as many sets more, drawn from paths that are tilted towards the printed hazard ratio.

    The weights are those of a mixture, so that the sets stand for the arm as before (Hesterberg T. Technometrics
    1995;37:185-194. doi:10.1080/00401706.1995.10484303).
    """
    loghr = float(compared(_one(points[0]), _one(points[1]), np.zeros((1, 2), dtype=np.int64))[0, 0])
    out = []
    for a, (arm, pool) in enumerate(zip(arms, pools, strict=True)):
        paths = arm.paths
        if not paths.beliefs:  # a curve without drops
            out.append(pool)
            continue
        other = OtherArm(*points[1 - a], loghr, treated=a == 0)
        centre = pool.paths[:, 1:].mean(axis=0)
        tilt = comparison_tilt(paths.plan, centre, arm.facts.n, paths.reading.end, other)
        out.append(_leaning(arm, pool, tilt, lean, rng))
    return out[0], out[1]


def _leaning(arm: SolvedArm, pool: Pool, tilt: Tilt, lean: Lean, rng: np.random.Generator) -> Pool:
    """One arm's pool with tilted draws, as strong a tilt as moves the mean no farther than asked."""
    before = tilt.of(pool.paths)
    if before.std() < 1e-9:
        return pool
    level = levelled(tilt, arm.paths.plan, arm.facts.n, counted=arm.facts.events is not None)
    strength = lean.off / max(lean.variance, 1e-12)
    for _ in range(HALVINGS):
        drawn = tilted_draws(arm.paths, level.times(strength), len(pool.paths), rng)
        if drawn is not None and abs(tilt.of(drawn).mean() - before.mean()) <= 1.5 * abs(lean.off):
            return _mixed(arm, pool, drawn, strength * tilt.of(np.concatenate((pool.paths, drawn))), rng)
        strength /= 2
    return pool


def _mixed(arm: SolvedArm, pool: Pool, drawn: NDArray[np.int32], tilted: Array, rng: np.random.Generator) -> Pool:
    """Both kinds of draws with the weights of their mixture; `tilted`: the log weight the tilt gave each."""
    scale = float(np.median(tilted))
    for _ in range(60):  # the tilt's own normalising constant, from both kinds together
        part = 1 / (1 + np.exp(np.clip(tilted - scale, -600, 600)))
        top = float(np.max(tilted))
        scale = top + float(np.log(np.sum(np.exp(tilted - top) * part) / max(np.sum(part), 1e-300)))
    weight = -np.logaddexp(0.0, tilted - scale)
    more = arm.sets(drawn, rng)
    sets = Draws(np.concatenate((pool.sets.time, more.time)), np.concatenate((pool.sets.event, more.event)))
    return Pool(np.concatenate((pool.paths, drawn)), sets, np.asarray(weight, dtype=np.float64))
