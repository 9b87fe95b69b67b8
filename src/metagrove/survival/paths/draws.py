"""Draws of hidden paths: shared out over beliefs about censoring and over reading errors, and resampled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.paths.belief_screen import evidence_of, lawful
from metagrove.survival.paths.censoring import Shape
from metagrove.survival.paths.censoring_trends import drawn_shapes
from metagrove.survival.paths.normal_law import law_evidence
from metagrove.survival.paths.plan import Plan, Weights
from metagrove.survival.paths.printed_weights import printed_fit
from metagrove.survival.paths.search import (
    HUGE,
    Beam,
    Run,
    Weighed,
    graph_of,
    operations_each,
    operations_of,
    run_of,
    runs_each,
    weights_all,
    weights_kept,
)

if TYPE_CHECKING:
    from metagrove.survival.passes.graph import Graph

__all__ = [
    "COARSENED",
    "SURPLUS",
    "VARIANTS",
    "Known",
    "Pair",
    "Sample",
    "coarsened",
    "corrected_paths",
    "drawn_errors",
    "drawn_paths",
    "evidence_power",
    "paths_each",
    "picked",
    "sample_of",
    "samples_of",
    "scaled",
    "shared_samples",
    "widened_paths",
]

Known: TypeAlias = tuple[Plan, Reading, Facts]
Pair: TypeAlias = tuple[NDArray[np.int32], Array]

#: Paths drawn for each one kept.
SURPLUS = 6
#: Power of the evidence with which beliefs about censoring share the draws (Miller JW, Dunson DB. Robust Bayesian inference
#: via coarsening. J Am Stat Assoc 2019;114:1113-1125. doi:10.1080/01621459.2018.1469995).
COARSENED = 0.5
#: Patients from whose number on that power falls, in the same paper's form: a / (a + n).
COARSER = 30.0
#: States kept, and the share of the likeliest below which they are not, in the pass whose states many courses of censoring share.
KEPT, FAINT = 400, 1e-6
#: Courses of censoring drawn and screened, and passes made with those picked.
VARIANTS, PICKED = 24, 16
#: The same with thousands of patients, where each takes its time.
FEW_VARIANTS, FEW_PICKED = 6, 5
#: Courses gone through without a screen where numbers at risk lead the way.
COURSES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Paths drawn from a pass under one belief.

    Parameters
    ----------
    paths : shape (draws, k + 1). gain : shape (draws,), what the filter left out of their log likelihood. misfit : shape
        (draws,), half the squared distance of their states from the levels read, in standard errors.
    evidence, weights, shape : of the run, see search.Run.
    """

    paths: NDArray[np.int32]
    gain: Array
    misfit: Array
    evidence: float
    weights: Weights
    shape: Shape


def sample_of(run: Run, count: int, rng: np.random.Generator) -> Sample:
    """`count` paths drawn from a run."""
    return _sample(run, count, int(rng.integers(2**62)))


def _sample(run: Run, count: int, seed: int) -> Sample:
    from metagrove.survival.passes.drawing import sampled_gains

    paths, gain, misfit = sampled_gains(run.passed[0], run.passed[1], run.passed[2], run.operations, count, seed)
    return Sample(paths, gain, misfit, run.evidence, run.weights, run.shape)


def paths_each(beliefs: list[Weighed], total: int) -> list[int]:
    """How many of some `total` paths to draw under each belief; a few even where its evidence seems small."""
    counts = _shared(coarsened(np.array([evidence for evidence, _ in beliefs])), total)
    return [max(int(count), total // (5 * len(beliefs))) for count in counts]


def samples_of(
    known: Known,
    beliefs: list[Weighed],
    beam: Beam,
    total: int,
    rng: np.random.Generator,
    *,
    first: Sample | None = None,
) -> list[Sample]:
    """Some `total` paths drawn under the beliefs, shared out by what their evidence is thought to be.

    Each pass is forgotten before the next: the memory of several at once would be asked of the system anew every time.

    Parameters
    ----------
    first : paths that have been drawn under one of the beliefs already.
    """
    plan, reading, facts = known
    counts = paths_each(beliefs, total)
    place = [i for i, (_, shape) in enumerate(beliefs) if first is None or shape is not first.shape]
    each: dict[int, Sample] = {} if first is None else {i: first for i in range(len(beliefs)) if i not in place}
    seeds = rng.integers(2**62, size=len(place)).tolist()
    for j, run in runs_each(plan, reading, facts, [beliefs[i][1] for i in place], beam):
        if np.isfinite(run.evidence):
            each[place[j]] = _sample(run, counts[place[j]], seeds[j])
    found = [each[i] for i in sorted(each)]
    if found and len(found) < len(beliefs) and sum(s.gain.size for s in found) < 0.8 * total:
        return samples_of(known, [(s.evidence, s.shape) for s in found], beam, total, rng)
    return found


def shared_samples(runs: list[Run], total: int, rng: np.random.Generator) -> list[Sample]:
    """`total` paths drawn from runs, shared out by their evidence."""
    counts = _shared(coarsened(np.array([run.evidence for run in runs])), total)
    return [sample_of(run, count, rng) for run, count in zip(runs, counts.tolist(), strict=True) if count]


def drawn_paths(known: Known, samples: list[Sample], draws: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """`draws` of the paths sampled, as many of each belief as its evidence says; shape (draws, k + 1)."""
    share = coarsened(np.array([sample.evidence for sample in samples]))
    pairs = [(s.paths, s.gain + np.log(w / s.gain.size)) for s, w in zip(samples, share.tolist(), strict=True)]
    one = np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])
    return corrected_paths(known, [one], np.ones(1), draws, rng)


def widened_paths(
    known: Known, beliefs: list[Shape], spread: float, beam: Beam, draws: int, rng: np.random.Generator
) -> NDArray[np.int32] | None:
    """Paths drawn under courses of censoring and reading errors that differ as far as they are unknown.

    Courses of censoring are drawn around `beliefs`. Each that is picked goes with its own reading error, at even quantiles
    of a normal distribution of its logarithm with standard deviation `spread`. Returns shape (draws, k + 1), None where too
    few paths are left.
    """
    plan, reading, facts = known
    many = facts.n >= HUGE
    shapes = [*beliefs, *drawn_shapes(beliefs, reading, facts, FEW_VARIANTS if many else VARIANTS, rng)]
    # Draws err as much as the clicks did before they were brought to order, or the area under the curve would be too sure.
    usual = reading.sigma_s / reading.usual_error if spread > 0 and reading.error.size else 1.0
    led = facts.risk_time.size > 0
    if led and reading.columns:  # levels so sharp that a narrow pass keeps too few states to serve all courses
        beam = replace(beam, keep=max(beam.keep, KEPT), cut=min(beam.cut, FAINT))
    graph = graph_of(run_of(plan, scaled(reading, usual), facts, _mean_shape(shapes), beam), facts) if led else None
    around = (spread, float(np.log(usual)))
    if graph is not None:
        found = _through_graph(known, graph, shapes, around, draws, rng)
    elif led:
        # Numbers at risk leave little to choose between courses: what a screen of all would cost pays for more passes.
        courses = [shapes[0], *shapes[len(beliefs) :]][: FEW_PICKED if many else COURSES]
        found = _through_passes(known, courses, [shapes[0]] * len(courses), beam, around, draws, rng)
    else:
        weigh = law_evidence if lawful(reading, facts) else evidence_of
        evidence = weigh(plan, reading, facts, shapes)
        if not np.isfinite(evidence).any():
            return None
        places = picked(evidence, evidence_power(facts), FEW_PICKED if many else PICKED, rng)
        courses = [shapes[i] for i in places]
        found = _through_passes(known, courses, courses, beam, around, draws, rng)
        if weigh is evidence_of:  # what has picked them counts once
            found = [(pair, 0.0) for pair, _ in found]
    if sum(pair[1].size for pair, _ in found) < draws:
        return None
    share = coarsened(np.array([evidence for _, evidence in found]), evidence_power(facts))
    return corrected_paths(known, [pair for pair, _ in found], share, draws, rng)


def _mean_shape(shapes: list[Shape]) -> Shape:
    """The mean of several courses of censoring: a pass under it keeps states that any of them can need.

    Under the likeliest alone it would not: where that lets nobody leave behind the last number at risk, no other could.
    """
    time = np.unique(np.concatenate([shape.time for shape in shapes]))
    hazard = np.mean([shape.at(time) for shape in shapes], axis=0)
    return replace(shapes[0], name="mean course", time=time, hazard=hazard, prior=0.0)


def evidence_power(facts: Facts) -> float:
    """Power of the evidence with which courses of censoring share the draws; the more patients, the less it is worth."""
    return min(COARSENED, COARSER / (COARSER + facts.n))


def picked(evidence: Array, power: float, count: int, rng: np.random.Generator) -> list[int]:
    """Numbers of `count` courses picked by a power of their evidence (systematic resampling)."""
    places = (np.arange(count) + rng.random()) / count
    share = coarsened(evidence, power)
    found: list[int] = np.searchsorted(np.cumsum(share), places).clip(0, evidence.size - 1).tolist()
    return found


def drawn_errors(known: Known, around: tuple[float, float], count: int, rng: np.random.Generator) -> list[Reading]:
    """`count` readings of the same steps, taken for more or less far off; `around`: spread and middle of the logarithm."""
    scores = rng.permutation(_normal_quantiles(count)) * around[0] + around[1]
    return [scaled(known[1], float(np.exp(score))) for score in scores]


def _through_graph(
    known: Known, graph: Graph, shapes: list[Shape], around: tuple[float, float], draws: int, rng: np.random.Generator
) -> list[tuple[Pair, float]]:
    """Paths through the states of one pass under each course of censoring that is picked; all count the same."""
    plan, reading, facts = known
    rows = operations_each(plan, weights_all(plan, reading, facts, shapes))
    evidence = np.array([graph.evidence(row) + s.prior for row, s in zip(rows, shapes, strict=True)])
    if not np.isfinite(evidence).any():
        return []
    found: list[tuple[Pair, float]] = []
    count = -(-SURPLUS * draws // PICKED)
    for i, read in zip(
        picked(evidence, evidence_power(facts), PICKED, rng), drawn_errors(known, around, PICKED, rng), strict=True
    ):
        row = operations_of(plan, weights_kept(plan, read, facts, shapes[i]))
        if np.isfinite(graph.evidence(row)):
            found.append((graph.sampled(row, count, int(rng.integers(2**62))), 0.0))
    return found


def _through_passes(
    known: Known,
    courses: list[Shape],
    beside: list[Shape],
    beam: Beam,
    around: tuple[float, float],
    draws: int,
    rng: np.random.Generator,
) -> list[tuple[Pair, float]]:
    """Paths through a pass for each course of censoring, and its evidence beside that which the normal law gives to another.

    Both under one reading error, so that errors, which have their share already, are not weighed again.

    Parameters
    ----------
    beside : the other course for each.
    """
    plan, reading, facts = known
    found: list[tuple[Pair, float]] = []
    count = -(-SURPLUS * draws // len(courses))
    told = lawful(reading, facts)
    for shape, other, read in zip(courses, beside, drawn_errors(known, around, len(courses), rng), strict=True):
        run = run_of(plan, read, facts, shape, beam)
        if np.isfinite(run.evidence):
            sample = sample_of(run, count, rng)
            base = float(law_evidence(plan, read, facts, [other])[0]) if told else 0.0
            found.append(((sample.paths, sample.gain), run.evidence - base if np.isfinite(base) else run.evidence))
    return found


def scaled(reading: Reading, factor: float) -> Reading:
    """The same steps taken for `factor` times as far off in survival; the error of a single reading stays as it was."""
    return replace(reading, error=reading.error * factor)


def _normal_quantiles(count: int) -> Array:
    """Even quantiles of the standard normal distribution, with its variance."""
    from scipy.special import ndtri

    z = ndtri((np.arange(count) + 0.5) / count)
    return np.asarray(z / z.std())


def coarsened(evidence: Array, power: float = COARSENED) -> Array:
    """Shares of the draws: beliefs about censoring are crude, so the evidence between them is worth less than it says."""
    share = np.exp(power * (evidence - evidence.max()))
    return np.asarray(share / share.sum())


def corrected_paths(
    known: Known, pairs: list[Pair], share: Array, draws: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """`draws` of the paths found, those of each belief by its share, resampled by what the filter left out.

    A merged state carries a mean level, so a path is drawn with a likelihood a little off its own; the ratio of the two
    is its weight among the paths of its belief (sampling-importance resampling, without replacement). Between beliefs it
    tells nothing: with many patients it scatters by tens of nats, and the luckiest path would decide what is believed. The
    fit to a printed median and printed rates counts for both.
    """
    plan, reading, facts = known
    if facts.median is not None or facts.rates:
        fits = [printed_fit(plan, reading, facts, paths) for paths, _ in pairs]
        top = max(float(fit.max()) for fit in fits)
        share = share * np.array([float(np.mean(np.exp(np.maximum(fit - top, -60.0)))) for fit in fits])
        pairs = [(paths, gain + fit) for (paths, gain), fit in zip(pairs, fits, strict=True)]
    counts = _shared(share / share.sum(), draws)
    found = [_resampled(*pair, count, rng) for pair, count in zip(pairs, counts.tolist(), strict=True) if count]
    return np.asarray(rng.permutation(np.concatenate(found)))


def _resampled(paths: NDArray[np.int32], gain: Array, count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """`count` of the paths by their weight, without replacement while there are enough."""
    weight = np.clip(gain - gain.max(), -60.0, 0.0)
    if gain.size < count:
        weight = np.exp(weight)
        return np.asarray(paths[rng.choice(gain.size, count, p=weight / weight.sum())])
    return np.asarray(paths[np.argsort(-(weight + rng.gumbel(size=gain.size)), kind="stable")[:count]])


def _shared(share: Array, total: int) -> NDArray[np.int64]:
    """`total` split in proportion, the rest to the largest remainders."""
    ideal = share * total
    counts = np.floor(ideal).astype(np.int64)
    for i in np.argsort(counts - ideal, kind="stable")[: total - int(counts.sum())]:
        counts[i] += 1
    return counts
