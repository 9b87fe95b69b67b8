"""`multiverse`: every defensible analysis of one table, from counts or from a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metagrove.core.errors import DataError
from metagrove.doors.one_arm import metaprop
from metagrove.pooling.multiverse import Choices, Multiverse
from metagrove.pooling.multiverse import multiverse as all_analyses
from metagrove.pooling.results import MetaResult

__all__ = ["multiverse"]


def multiverse(
    event: Any,
    n: Any = None,
    studlab: Any = None,
    *,
    data: Any = None,
    subset: Any = None,
    exclude: Any = None,
    sm: str = "PLOGIT",
    method: str | None = None,
    method_tau: str | None = None,
    method_random_ci: str = "classic",
    reference: float | None = None,
    transformations: Sequence[str] | None = None,
    estimators: Sequence[str] | None = None,
    intervals: Sequence[str] | None = None,
    corrections: Sequence[tuple[float, str]] | None = None,
    leave_one_out: bool = True,
    inclusions: Mapping[str, Sequence[bool]] | None = None,
) -> Multiverse:
    """Every defensible analysis of `event` among `n`, or of the studies behind a result.

    Parameters
    ----------
    event : counts (with `n`), or the result of any door, whose studies are then varied.
    n, studlab, data, subset, exclude : as in `metaprop`.
    sm, method, method_tau, method_random_ci : the main analysis of counts.
    reference : the value that decides the conclusion, on the reporting scale: a response rate of no interest, a ratio
        of 1; None for the default of the measure.
    transformations, estimators, intervals, corrections, leave_one_out, inclusions : what is varied; see
        `metagrove.pooling.multiverse.Choices`.

    >>> found = multiverse([2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42], leave_one_out=False, reference=0.3)
    >>> found.conclusion, len(found.specifications) > 60
    ('the proportion is below 0.3', True)
    """
    if isinstance(event, MetaResult):
        if n is not None:
            raise DataError("give either a result or counts, not both")
        result = event
    else:
        if n is None:
            raise DataError("multiverse needs event and n, or a result")
        result = metaprop(
            event, n, studlab, data=data, subset=subset, exclude=exclude, sm=sm, method=method, method_tau=method_tau,
            method_random_ci=method_random_ci,
        )  # fmt: skip
    default = Choices()
    choices = Choices(
        None if transformations is None else tuple(transformations),
        default.estimators if estimators is None else tuple(estimators),
        default.intervals if intervals is None else tuple(intervals),
        default.corrections if corrections is None else tuple((float(a), b) for a, b in corrections),
        leave_one_out,
        inclusions or {},
    )
    return all_analyses(result.pooled, result.settings, result.model, choices=choices, reference=reference)
