"""Forward passes over the hidden path under each belief about censoring, within a beam."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival import path_tables as tables
from metagrove.survival.censoring import Shape, shapes
from metagrove.survival.path_model import CENSOR, DROP, WITNESS, Plan, Weights
from metagrove.survival.path_weights import VISIBLE, weights_of
from metagrove.survival.printed_facts import Facts
from metagrove.survival.steps import Reading

if TYPE_CHECKING:
    from metagrove.survival.path_graph import Graph

__all__ = [
    "COARSE",
    "FLAT",
    "HUGE",
    "LARGE",
    "LED",
    "LONG",
    "NARROW",
    "SCREEN",
    "WIDE",
    "Beam",
    "Run",
    "Tilt",
    "Weighed",
    "all_shapes",
    "blurred",
    "evidence_of",
    "graph_of",
    "likely_shapes",
    "limits_of",
    "operations_of",
    "passed_through",
    "run_of",
    "runs_each",
    "runs_of",
    "weights_kept",
]


#: A belief about censoring and its evidence.
Weighed: TypeAlias = tuple[float, Shape]
#: What finds the evidence of each of several beliefs.
Weigh: TypeAlias = Callable[[Plan, Reading, Facts, list[Shape]], Array]

#: States of one pass at most; all of them take some 400 MB.
MOST_STATES = 6_000_000
#: Room for states to begin with: of a pass that keeps none, and for each operation of one that keeps all.
LIGHT, STATES = 4096, 32
#: Log evidence that dropped states may have carried where those kept are to serve other beliefs.
MISSING = 0.1
#: The smallest fall seen as a drop, beside the usual one: what one eye clicks, another passes over.
SEEN = 1.35
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
#: Width of a level's bin in reading errors, for each error that all patients' deaths would make.
BLUR = 3.5
#: The same where numbers at risk lead the way: fewer states need be kept for the evidence to order the beliefs as well.
LED = Beam(keep=80, cut=1e-3, bins=0.7)
#: For many patients and rows: the levels hardly told apart, so that the states kept reach farther.
LONG = Beam(keep=1000, cut=1e-7, bins=2.0)
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


def likely_shapes(plan: Plan, reading: Reading, facts: Facts, weigh: Weigh | None = None) -> list[Weighed]:
    """The beliefs about censoring that a quick screen leaves standing, with their evidence there, likeliest first.

    Two beliefs or one are not screened where they differ little; they come with an evidence of 0.

    Parameters
    ----------
    weigh : what finds their evidence; `evidence_of` if left out.
    """
    weigh = weigh or evidence_of
    beliefs, blind = all_shapes(reading, facts)
    if len(beliefs) <= 2 and not blind:
        return [(0.0, shape) for shape in beliefs]
    known = _screened(plan, reading, facts, beliefs, weigh)
    free = facts.events is None and not facts.risk_time.size and facts.marks is None
    if free and not reading.columns and facts.n < HUGE:
        # Without totals only the drops tell how many died: either most are single deaths, or ties and merged ones abound.
        known += _screened(plan, reading, facts, [replace(shape, single=True) for _, shape in known], weigh)
        known.sort(key=lambda pair: -pair[0])
    kept = [(evidence, shape) for evidence, shape in known if evidence > known[0][0] - FAR]
    return kept[: MOST if facts.n < HUGE else 2] or [(0.0, shape) for shape in beliefs]


def all_shapes(reading: Reading, facts: Facts) -> tuple[list[Shape], bool]:
    """Every belief about censoring and about how small a drop is seen, and whether the second differ."""
    beliefs = shapes(reading, facts)
    blind = facts.n * VISIBLE > 1 and not reading.columns and reading.sigma_t > 0
    if facts.n >= HUGE:  # each pass costs much, and little tells them apart
        beliefs = beliefs[::3]
    if blind:  # One death may be too small to be seen; then clicks stand for several.
        every = [replace(shape, blind=VISIBLE) for shape in beliefs]
        # The larger size for a few of them: draws vary the course of censoring anyway.
        some = [] if facts.risk_time.size else [replace(shape, blind=SEEN * VISIBLE) for shape in beliefs[::3]]
        beliefs = beliefs + every + some
    return beliefs, blind


def _screened(plan: Plan, reading: Reading, facts: Facts, beliefs: list[Shape], weigh: Weigh) -> list[Weighed]:
    """The likeliest beliefs, with their evidence, best first; none where no path comes through."""
    found = weigh(plan, reading, facts, beliefs)
    order = [int(i) for i in np.argsort(-found, kind="stable") if np.isfinite(found[i])]
    return [(float(found[i]), beliefs[i]) for i in order[:MOST]]


def evidence_of(plan: Plan, reading: Reading, facts: Facts, beliefs: list[Shape]) -> Array:
    """Log evidence of each belief in a beam that is narrow; minus infinity where no path comes through.

    Where most beliefs come through, those that do not are far behind. Else there are too many states for the beam, and a
    narrower one of finer levels tries those left.
    """
    found = np.full(len(beliefs), -np.inf)
    for beam in (LED if facts.risk_time.size else _screen(reading, facts), NARROW):
        left = np.flatnonzero(~np.isfinite(found)).tolist()
        for i, run in runs_each(plan, reading, facts, [beliefs[i] for i in left], beam, light=True):
            found[left[i]] = run.evidence
        if 2 * int(np.isfinite(found).sum()) >= len(beliefs) or facts.n >= HUGE:
            break
    return found


def graph_of(run: Run, facts: Facts) -> Graph | None:
    """The states of a pass, to be weighed anew; None without a path, or where so much was dropped that others may lack theirs."""
    from metagrove.survival.path_graph import Graph

    if not np.isfinite(run.evidence):
        return None
    graph = Graph(run.passed, run.operations, -1 if facts.deaths is None else facts.deaths)
    # The evidence of the pass counts what was dropped as if it had been kept; that of the graph does not.
    return graph if run.evidence - run.shape.prior - graph.evidence(run.operations) < MISSING else None


def blurred(reading: Reading, facts: Facts) -> float:
    """How far, in reading errors, levels may be apart and still be one without loss."""
    return BLUR * facts.n * reading.sigma_s


def _screen(reading: Reading, facts: Facts) -> Beam:
    """The beam in which the evidence of beliefs is compared, where no number at risk leads the way.

    The smaller the fall of one death beside the reading error, the more levels go with each number at risk. A beam that
    tells them apart then drops most of the weight, more so under beliefs that spread it widest: at n = 800 by 10 to 40
    nats. Told apart by up to four errors, they are kept, and the evidence is that of a beam ten times as wide.
    """
    blur = blurred(reading, facts)
    return SCREEN if blur < 1 else Beam(keep=200, cut=1e-5, bins=min(blur, 4.0))


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
    from metagrove.survival.path_kernels import forward_each

    weights = [weights_kept(plan, reading, facts, shape) for shape in beliefs]
    tables = [operations_of(plan, w) for w in weights]
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


def passed_through(operations: Array, limits: Any) -> Any:
    """What `forward` of path_kernels returns."""
    from metagrove.survival.path_kernels import forward

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
    rows = np.zeros((plan.kind.size, 16))
    rows[:, tables.KIND] = np.where(plan.kind == WITNESS, DROP, plan.kind)
    rows[:, tables.A], rows[:, tables.B], rows[:, tables.C] = weights.a, weights.b, weights.c
    rows[:, tables.HAZARD], rows[:, tables.MASS] = weights.hazard, weights.mass
    rows[:, tables.LOW], rows[:, tables.MOST] = plan.low, plan.most
    rows[:, tables.DYING], rows[:, tables.STAYING] = weights.dying, weights.staying
    rows[:, tables.COUNT], rows[:, tables.SEEN] = weights.count, weights.seen
    if near is not None:
        rows[:, tables.CENTRE], rows[:, tables.SPREAD] = near
    if tilt is not None:
        rows[:, tables.A], rows[:, tables.B] = _tilted_clumps(plan, weights, tilt)
        rows[:, tables.CENTRE], rows[:, tables.PULL] = tilt.centre, tilt.pull
        rows[:, tables.TOLL] = np.where(plan.kind == CENSOR, 0.0, tilt.toll)
    return rows


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


def limits_of(reading: Reading, facts: Facts, beam: Beam, k: int, *, peak: bool, light: bool = False) -> tables.Limits:
    """The bounds of a pass over `k` operations."""
    width = max(beam.bins * _middle(reading.error), 1e-7) if reading.error.size else 1.0
    # Little room to begin with: memory that is not asked of the system anew costs nothing, the pages of much of it do.
    room = LIGHT if light else max(STATES * (k + 2), LIGHT)
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
