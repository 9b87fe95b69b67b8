"""Forward passes over the hidden path under each belief about censoring, within a beam."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.censoring import Shape, shapes
from metagrove.survival.path_model import CENSOR, DROP, WITNESS, Plan, Weights, weights_of
from metagrove.survival.printed_facts import Facts
from metagrove.survival.steps import Reading

__all__ = [
    "COARSE",
    "LONG",
    "NARROW",
    "WIDE",
    "Beam",
    "Run",
    "Tilt",
    "evidence_of",
    "likely_shapes",
    "limits_of",
    "misfit",
    "operations_of",
    "passed_through",
    "path_levels",
    "run_of",
    "runs_of",
]


#: States of one pass at most; all of them take some 400 MB.
MOST_STATES = 6_000_000
#: Beliefs about censoring that are weighed at most, and how far their log evidence may lie behind the best.
MOST, FAR = 5, 6.0


@dataclass(frozen=True, slots=True)
class Beam:
    """How wide the search is: states kept, smallest weight kept, width of a level bin and reach in standard errors."""

    keep: int = 200
    cut: float = 1e-5
    bins: float = 0.4
    reach: float = 4.5


NARROW = Beam(keep=80, cut=1e-5, bins=0.5)
#: To tell which beliefs are far behind; where it finds no path, `NARROW` decides.
SCREEN = Beam(keep=80, cut=1e-4, bins=0.7)
#: For the error of reading alone: on the public arms its likeliest value lies as near to a wide search's as with `NARROW`.
QUICK = Beam(keep=60, cut=1e-3, bins=0.5)
#: For many patients and rows: the levels hardly told apart, so that the states kept reach farther.
LONG = Beam(keep=1000, cut=1e-7, bins=2.0)
WIDE = Beam(keep=1500, cut=1e-11, bins=0.2, reach=6.0)
#: Levels hardly told apart: finds a path where many are nearly as good; drawn paths are reweighted afterwards.
COARSE = Beam(keep=1500, cut=1e-11, bins=1.0, reach=6.0)


def path_levels(plan: Plan, paths: NDArray[np.int32]) -> Array:
    """Survival after each drop of each path, shape (paths, drops): the product of 1 - d / n along it."""
    drop = plan.kind == DROP
    before, after = paths[:, :-1][:, drop], paths[:, 1:][:, drop]
    return np.cumprod(after / np.maximum(before, 1), axis=1, dtype=np.float64)


def misfit(plan: Plan, reading: Reading, levels: Array) -> Array:
    """Half the squared distance of each path from the levels read, in standard errors; shape (paths,)."""
    row = plan.row[plan.kind == DROP]
    return np.asarray(0.5 * np.sum(((levels - reading.level[row]) / reading.error[row]) ** 2, axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A forward pass under `shape`: what `forward` of path_kernels returned, its operations and weights, and the log evidence.

    The evidence includes the belief's own prior; it is minus infinity where no path came through.
    """

    passed: Any
    operations: Any
    weights: Weights
    evidence: float
    shape: Shape


@dataclass(frozen=True, slots=True, eq=False)
class Tilt:
    """Log weights that evidence from outside the arm gives to a path, linear in it; shape (k,) each.

    Parameters
    ----------
    pull : of each patient at risk after an operation beyond `centre`. toll : of each patient who leaves in it.
    """

    pull: Array
    toll: Array
    centre: Array

    def times(self, factor: float) -> Tilt:
        """The tilt, `factor` times as strong."""
        return Tilt(factor * self.pull, factor * self.toll, self.centre)

    def of(self, paths: NDArray[np.int32]) -> Array:
        """Log weight of each path, shape (paths,)."""
        left = paths[:, :-1] - paths[:, 1:]
        return np.asarray((paths[:, 1:] - self.centre) @ self.pull + left @ self.toll, dtype=np.float64)


def likely_shapes(plan: Plan, reading: Reading, facts: Facts) -> list[Shape]:
    """The beliefs about censoring that a quick screen leaves standing, likeliest first where it looked."""
    beliefs = shapes(reading, facts)
    if len(beliefs) <= 2:
        return beliefs
    known = _screened(plan, reading, facts, beliefs)
    if facts.events is None and not facts.risk_time.size and facts.marks is None and not reading.columns:
        # Without totals only the drops tell how many died: either most are single deaths, or ties and merged ones abound.
        known += _screened(plan, reading, facts, [replace(shape, single=True) for _, shape in known])
        known.sort(key=lambda pair: -pair[0])
    kept = [shape for evidence, shape in known if evidence > known[0][0] - FAR]
    return kept[:MOST] or beliefs


def _screened(plan: Plan, reading: Reading, facts: Facts, beliefs: list[Shape]) -> list[tuple[float, Shape]]:
    """The likeliest beliefs in a narrow beam, with their evidence, best first; none where no path comes through."""
    quick = [run_of(plan, reading, facts, shape, SCREEN).evidence for shape in beliefs]
    if np.isfinite(quick).any():  # else there are too many states for either
        quick = [
            seen if np.isfinite(seen) else run_of(plan, reading, facts, shape, NARROW).evidence
            for seen, shape in zip(quick, beliefs, strict=True)
        ]
    order = [int(i) for i in np.argsort(-np.array(quick), kind="stable") if np.isfinite(quick[i])]
    return [(quick[i], beliefs[i]) for i in order[:MOST]]


def runs_of(
    plan: Plan, reading: Reading, facts: Facts, beam: Beam, beliefs: list[Shape], *, tilt: Tilt | None = None
) -> list[Run]:
    """Forward passes for every belief about censoring, without those that found no path."""
    runs = [run_of(plan, reading, facts, shape, beam, tilt=tilt) for shape in beliefs]
    return [run for run in runs if np.isfinite(run.evidence)]


def evidence_of(plan: Plan, reading: Reading, facts: Facts, beliefs: list[Shape]) -> float:
    """Log likelihood of the readings, summed over all paths and averaged over beliefs; minus infinity without a path."""
    for beam in (QUICK, NARROW):
        values = [run_of(plan, reading, facts, shape, beam).evidence for shape in beliefs]
        if np.isfinite(values).any():
            return float(np.logaddexp.reduce(values))
    return -np.inf


def run_of(plan: Plan, reading: Reading, facts: Facts, shape: Shape, beam: Beam, *, tilt: Tilt | None = None) -> Run:
    """One forward pass under one belief."""
    weights = _weights(plan, reading, facts, shape)
    none = np.zeros(plan.kind.size)
    operations = operations_of(plan, weights, none, none, tilt=tilt)
    passed = passed_through(operations, limits_of(reading, facts, beam, plan.kind.size, peak=False))
    evidence = float(passed[3]) + shape.prior if passed[4] == plan.kind.size else -np.inf
    return Run(passed, operations, weights, evidence, shape)


def _weights(plan: Plan, reading: Reading, facts: Facts, shape: Shape) -> Weights:
    """The weights of a belief; another error in the same levels of drops changes only itself."""
    if reading.columns:
        return weights_of(plan, reading, facts, shape)
    known = plan.kept.get(shape)
    if known is not None and known[0] is reading.level and known[1] is facts:
        b = known[2].b.copy()
        b[plan.kind == DROP] = reading.error
        return replace(known[2], b=b)
    found = weights_of(plan, reading, facts, shape)
    plan.kept[shape] = reading.level, facts, found
    return found


def passed_through(operations: Any, limits: Any) -> Any:
    """What `forward` of path_kernels returns."""
    from metagrove.survival.path_kernels import forward

    return forward(operations, limits)


def operations_of(plan: Plan, weights: Weights, centre: Array, spread: Array, *, tilt: Tilt | None = None) -> Any:
    """The operations of `plan` as the kernels take them, for a sum-product pass perhaps under a tilt."""
    from metagrove.survival.path_kernels import Operations

    a, b = weights.a, weights.b
    pull = toll = np.zeros(plan.kind.size)
    if tilt is not None:
        a, b = _tilted_clumps(plan, weights, tilt)
        centre, pull, toll = tilt.centre, tilt.pull, np.where(plan.kind == CENSOR, 0.0, tilt.toll)
    return Operations(
        np.where(plan.kind == WITNESS, DROP, plan.kind),
        a,
        b,
        weights.c,
        weights.hazard,
        plan.low,
        plan.most,
        centre,
        spread,
        weights.mass,
        weights.dying,
        weights.staying,
        weights.count,
        pull,
        toll,
    )


def _middle(values: Array) -> float:
    """The median, in a fifth of the time that NumPy takes for so few."""
    ordered = np.sort(values)
    return 0.5 * float(ordered[(values.size - 1) // 2] + ordered[values.size // 2])


def _tilted_clumps(plan: Plan, weights: Weights, tilt: Tilt) -> tuple[Array, Array]:
    """Chance and ratio of the clumps of censorings when each patient in them weighs `tilt.toll` more.

    A geometric number stays geometric under such a weight.
    """
    gap = plan.kind == CENSOR
    w, q = weights.a[gap], weights.b[gap]
    ratio = np.minimum(q * np.exp(np.clip(tilt.toll[gap], -50, 50)), 0.995)
    odds = w * (1 - q) / (1 - w * q)
    a, b = weights.a.copy(), weights.b.copy()
    a[gap], b[gap] = odds / (1 - ratio + odds * ratio), ratio
    return a, b


def limits_of(reading: Reading, facts: Facts, beam: Beam, k: int, *, peak: bool) -> Any:
    """The bounds of a pass over `k` operations."""
    from metagrove.survival.path_kernels import Limits

    width = max(beam.bins * _middle(reading.error), 1e-7) if reading.error.size else 1.0
    room = min(max((beam.keep * 3 + 500) * (k + 2) // 2, 100_000), 4_000_000)
    return Limits(
        n=facts.n,
        events=-1 if facts.events is None else facts.events,
        alive=0 if reading.ends_at_zero else 1,
        bin=width,
        reach=beam.reach,
        cut=beam.cut,
        chain_cut=1e-200 if reading.sigma_s < 1e-5 else beam.cut,
        keep=beam.keep,
        peak=int(peak),
        nodes=room,
        edges=room,
        bits=15 if beam.keep < 1000 else 19,
        most=MOST_STATES,
    )
