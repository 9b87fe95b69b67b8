"""Patients behind a published Kaplan-Meier curve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.registry import Registry
from metagrove.survival.evidence.arguments import draws_wanted, random_generator
from metagrove.survival.evidence.curve_input import CurveLike, DigitizedCurve, digitized_curve
from metagrove.survival.evidence.printed_facts import Facts, printed_facts
from metagrove.survival.evidence.row_kinds import RowKind, recognised
from metagrove.survival.reconstruction.conflicts import conflicts
from metagrove.survival.reconstruction.guyot import guyot_patients
from metagrove.survival.reconstruction.papers import GUYOT, LIU, PATHS
from metagrove.survival.reconstruction.rebuilt import Guess, RebuiltPatients

__all__ = ["RECONSTRUCTIONS", "reconstruct"]

Rebuild: TypeAlias = Callable[[DigitizedCurve, Facts, int, np.random.Generator], RebuiltPatients]

#: Ways from a curve to patients.
RECONSTRUCTIONS: Registry[Rebuild] = Registry("reconstruction method")


@RECONSTRUCTIONS.add("guyot", title="iterative, as published", cite=GUYOT)
def _guyot(curve: DigitizedCurve, facts: Facts, draws: int, rng: np.random.Generator) -> RebuiltPatients:
    return _iterative(curve, facts, draws, bounded=False)


@RECONSTRUCTIONS.add("bounded", title="iterative, with bounded censoring", cite=LIU)
def _bounded(curve: DigitizedCurve, facts: Facts, draws: int, rng: np.random.Generator) -> RebuiltPatients:
    return _iterative(curve, facts, draws, bounded=True)


def _iterative(curve: DigitizedCurve, facts: Facts, draws: int, *, bounded: bool) -> RebuiltPatients:
    name = "bounded" if bounded else "guyot"
    if draws:
        raise MethodError(f"the {name} method gives one patient set; draws need method='likelihood'")
    time, event = guyot_patients(curve, facts, bounded=bounded)
    cite = (GUYOT, LIU) if bounded else (GUYOT,)
    guesses: tuple[Guess, ...] = ()
    if not facts.risk_n.size:
        text = "without numbers at risk nobody is taken to be censored before the last events allow it"
        guesses = (Guess(0.0, curve.end, "censored", text),)
    return RebuiltPatients(
        time,
        event,
        name,
        cite,
        curve,
        facts,
        contradictions=conflicts(curve, facts),
        guesses=guesses,
        notes=curve.notes,
    )


@RECONSTRUCTIONS.add("likelihood", title="hidden path, forward filter and backward sampling", cite=PATHS)
def _likelihood(curve: DigitizedCurve, facts: Facts, draws: int, rng: np.random.Generator) -> RebuiltPatients:
    from metagrove.survival.reconstruction.likely_patients import (
        THOUSANDS,
        likeliest_arm,
        solved_arm,
        thinned_arm,
        unexplained,
    )

    if facts.n >= THOUSANDS and curve.kind != "exact":
        found = thinned_arm(curve, facts, draws, rng)
        if found is not None:
            return found
    arm = solved_arm(curve, facts, draws, rng)
    if arm is None:
        return unexplained(curve, facts, draws, rng)
    return likeliest_arm(arm, draws, rng)


def reconstruct(
    curve: CurveLike,
    at_risk: Any = None,
    *,
    n: float | None = None,
    events: float | None = None,
    marks: Any = None,
    median: Any = None,
    rates: Any = None,
    axis: float | None = None,
    time_error: float | None = None,
    kind: RowKind | None = None,
    method: str = "likelihood",
    draws: int = 0,
    rng: np.random.Generator | int | None = None,
) -> RebuiltPatients:
    """Patient times and events behind a digitized Kaplan-Meier curve.

    Parameters
    ----------
    curve : rows of time and survival: a frame with such columns, two bare columns, or a SurvivalCurve. Percent,
        cumulative incidence, unsorted rows and slightly rising noise are understood.
    at_risk : rows of time and number at risk (patients with time >= it), from any time on, with gaps allowed.
    n, events : printed totals; `n` may be left out where `at_risk` gives it.
    marks : times of the censor marks in the figure; leave out where the figure shows none.
    axis : where the figure's time axis ends, if beyond the curve and the numbers at risk; clicks err in proportion to it.
    time_error : half-width of the error with which times were read off the figure, where its reading says so; else it is
        inferred from the kind of input. Times that all lie within it of whole days, weeks, months or tenths are put there.
    kind : what the rows are: "drops" (one for each), "corners" (both of every step), "places" (anywhere on the curve) or
        "trace" (one row per pixel column); else it is found from the rows and what is printed, see `row_kinds.recognised`.
    method : "likelihood" (every fact together, with uncertainty), or "guyot" and "bounded" (iterative).
    draws : plausible patient sets wanted besides the best one.
    rng : generator or seed for the draws; default seed 1.

    Raises
    ------
    DataError : for input that no patient set could show.

    Examples
    --------
    >>> rebuilt = reconstruct([[0, 1], [2, 0.75], [5, 0.5], [9, 0.5]], n=4, events=2)
    >>> rebuilt.time.tolist(), rebuilt.event.tolist()
    ([2.0, 5.0, 7.0, 9.0], [True, True, False, False])
    """
    wanted, generator = draws_wanted(draws), random_generator(rng)
    read = digitized_curve(curve)
    facts = printed_facts(
        read,
        at_risk,
        n=n,
        events=events,
        marks=marks,
        median=median,
        rates=rates,
        axis=axis,
        time_error=time_error,
    )
    read = recognised(read, facts, kind, known=isinstance(curve, DigitizedCurve))
    return RECONSTRUCTIONS[method](read, facts, wanted, generator)
