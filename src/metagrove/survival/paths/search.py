"""Forward passes over the hidden path under each belief about censoring, within a beam."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.passes import tables
from metagrove.survival.paths.censoring import Shape
from metagrove.survival.paths.plan import CENSOR, DROP, WITNESS, Plan, Weights
from metagrove.survival.paths.weights import weights_each

if TYPE_CHECKING:
    from metagrove.survival.passes.graph import Graph

__all__ = [
    "COARSE",
    "FLAT",
    "HUGE",
    "LARGE",
    "LONG",
    "MANY",
    "WIDE",
    "Beam",
    "Run",
    "Tilt",
    "Weighed",
    "blurred",
    "graph_of",
    "limits_of",
    "operations_each",
    "operations_of",
    "passed_through",
    "run_of",
    "runs_each",
    "runs_of",
    "weights_all",
    "weights_kept",
]


#: A belief about censoring and its evidence.
Weighed: TypeAlias = tuple[float, Shape]
#: States of one pass at most; all of them take some 400 MB.
MOST_STATES = 6_000_000
#: Room for states to begin with: of a pass that keeps none, and for each operation of one that keeps all, to sum or to find
#: the best. Room that is never filled costs nothing, and a large piece of memory given back stays with the process.
LIGHT, STATES, PEAK, MOST_AT_ONCE = 4096, 512, 64, 400_000
#: Log evidence that dropped states may have carried where those kept are to serve other beliefs.
MISSING = 0.1


@dataclass(frozen=True, slots=True)
class Beam:
    """How wide the search is: states kept, smallest weight kept, width of a level bin and reach in standard errors."""

    keep: int = 200
    cut: float = 1e-5
    bins: float = 0.4
    reach: float = 4.5


#: Width of a level's bin in reading errors, for each error that all patients' deaths would make.
BLUR = 3.5
#: For many patients and rows: the levels hardly told apart, so that the states kept reach farther.
LONG = Beam(keep=1000, cut=1e-7, bins=2.0)
#: Where marks hide many, so that states of every number of them are alive at once.
MANY = Beam(keep=3000, cut=1e-9, bins=2.0)
#: For a thousand patients and more, whose states no beam holds: those that come through tell little of single deaths.
LARGE = Beam(keep=700, cut=1e-4, bins=4.0)
#: Patients from whose number on the search is kept short.
HUGE = 1500
#: For curves on which single deaths cannot be seen and nothing else is printed.
FLAT = Beam(keep=500, cut=1e-5, bins=4.0)
WIDE = Beam(keep=1500, cut=1e-11, bins=0.2, reach=6.0)
#: Levels hardly told apart: finds a path where many are nearly as good; drawn paths are reweighted afterwards.
COARSE = Beam(keep=1500, cut=1e-11, bins=1.0, reach=6.0)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A forward pass under `shape`: what `forward` of `forward_pass` returned, its operations and weights, and the log evidence.

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


def graph_of(run: Run, facts: Facts) -> Graph | None:
    """The states of a pass, to be weighed anew; None without a path, or where so much was dropped that others may lack theirs."""
    from metagrove.survival.passes.graph import Graph

    if not np.isfinite(run.evidence):
        return None
    graph = Graph(run.passed, run.operations, -1 if facts.deaths is None else facts.deaths)
    # The evidence of the pass counts what was dropped as if it had been kept; that of the graph does not.
    return graph if run.evidence - run.shape.prior - graph.evidence(run.operations) < MISSING else None


def blurred(reading: Reading, facts: Facts) -> float:
    """How far, in reading errors, levels may be apart and still be one without loss."""
    return BLUR * facts.n * reading.sigma_s


def runs_of(
    plan: Plan, reading: Reading, facts: Facts, beam: Beam, beliefs: list[Shape], *, tilt: Tilt | None = None
) -> list[Run]:
    """Forward passes for every belief about censoring, without those that found no path."""
    runs = [run_of(plan, reading, facts, shape, beam, tilt=tilt) for shape in beliefs]
    return [run for run in runs if np.isfinite(run.evidence)]


def runs_each(
    plan: Plan, reading: Reading, facts: Facts, beliefs: list[Shape], beam: Beam, *, light: bool = False
) -> Iterator[tuple[int, Run]]:
    """The number of each belief and its pass, valid until the next is asked for; those that begin alike share that part."""
    from metagrove.survival.passes.forward_pass import forward_each

    weights = weights_all(plan, reading, facts, beliefs)
    tables = operations_each(plan, weights)
    limits = limits_of(reading, facts, beam, plan.kind.size, peak=False, light=light)
    for i, passed in forward_each(tables, limits):
        evidence = float(passed[3]) + beliefs[i].prior if passed[4] == plan.kind.size else -np.inf
        yield i, Run(passed, tables[i], weights[i], evidence, beliefs[i])


def run_of(
    plan: Plan,
    reading: Reading,
    facts: Facts,
    shape: Shape,
    beam: Beam,
    *,
    tilt: Tilt | None = None,
    light: bool = False,
) -> Run:
    """One forward pass under one belief; a light one tells the evidence, but no paths can be drawn from it."""
    weights = weights_kept(plan, reading, facts, shape)
    operations = operations_of(plan, weights, tilt=tilt)
    passed = passed_through(operations, limits_of(reading, facts, beam, plan.kind.size, peak=False, light=light))
    evidence = float(passed[3]) + shape.prior if passed[4] == plan.kind.size else -np.inf
    return Run(passed, operations, weights, evidence, shape)


def weights_kept(plan: Plan, reading: Reading, facts: Facts, shape: Shape) -> Weights:
    """The weights of a belief; another error in the same levels of drops changes only itself."""
    return weights_all(plan, reading, facts, [shape])[0]


def weights_all(plan: Plan, reading: Reading, facts: Facts, beliefs: list[Shape]) -> list[Weights]:
    """The weights of several beliefs, see `weights_kept`."""
    kept, drop = plan.kept, plan.kind == DROP
    fresh = [s for s in beliefs if s not in kept or kept[s][0] is not reading.level or kept[s][1] is not facts]
    if fresh:
        found = weights_each(plan, reading, facts, fresh)
        kept.update((shape, (reading.level, facts, weights)) for shape, weights in zip(fresh, found, strict=True))
    return [kept[shape][2].read_with(drop, reading.error) for shape in beliefs]


def passed_through(operations: Array, limits: Any) -> Any:
    """What `forward` of `forward_pass` returns."""
    from metagrove.survival.passes.forward_pass import forward

    return forward(operations, limits)


def operations_of(
    plan: Plan, weights: Weights, *, near: tuple[Array, Array] | None = None, tilt: Tilt | None = None
) -> Array:
    """The operations of `plan` as the kernels take them, shape (k, 16).

    Parameters
    ----------
    near : centre and spread of the number at risk after each operation, for a max-product pass. tilt : for a sum-product
        pass.
    """
    rows: Array = operations_each(plan, [weights])[0]
    if near is not None:
        rows[:, tables.CENTRE], rows[:, tables.SPREAD] = near
    if tilt is not None:
        rows[:, tables.A], rows[:, tables.B] = _tilted_clumps(plan, weights, tilt)
        rows[:, tables.CENTRE], rows[:, tables.PULL] = tilt.centre, tilt.pull
        rows[:, tables.TOLL] = np.where(plan.kind == CENSOR, 0.0, tilt.toll)
    return rows


def operations_each(plan: Plan, weights: list[Weights]) -> Array:
    """The operations of `plan` under several weights, shape (weights, k, 16)."""
    rows = np.zeros((len(weights), plan.kind.size, 16))
    rows[:, :, tables.KIND] = np.where(plan.kind == WITNESS, DROP, plan.kind)
    rows[:, :, tables.LOW], rows[:, :, tables.MOST] = plan.low, plan.most
    for row, w in zip(rows, weights, strict=True):
        row[:, tables.A], row[:, tables.B], row[:, tables.C] = w.a, w.b, w.c
        row[:, tables.HAZARD], row[:, tables.MASS] = w.hazard, w.mass
        row[:, tables.DYING], row[:, tables.STAYING] = w.dying, w.staying
        row[:, tables.COUNT], row[:, tables.SEEN] = w.count, w.seen
    return rows


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


def limits_of(reading: Reading, facts: Facts, beam: Beam, k: int, *, peak: bool, light: bool = False) -> tables.Limits:
    """The bounds of a pass over `k` operations."""
    width = max(beam.bins * reading.usual_error, 1e-7) if reading.error.size else 1.0
    room = LIGHT if light else min(max((PEAK if peak else STATES) * (k + 2), LIGHT), MOST_AT_ONCE)
    return tables.Limits(
        n=facts.n,
        events=-1 if facts.deaths is None else facts.deaths,
        alive=0 if reading.ends_at_zero else 1,
        bin=width,
        reach=beam.reach,
        cut=beam.cut,
        chain_cut=1e-200 if reading.sigma_s < 1e-5 else beam.cut,
        keep=beam.keep,
        peak=int(peak),
        light=int(light),
        nodes=room,
        edges=room,
        bits=12,
        most=MOST_STATES,
    )
