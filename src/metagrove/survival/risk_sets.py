"""Patients counted at each distinct time: at risk, died, censored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array, PatientTimes

__all__ = ["RiskSets", "group_codes", "patient_times", "risk_sets", "tie_starts"]


@dataclass(frozen=True, slots=True, eq=False)
class RiskSets:
    """Counts at the distinct times of one group.

    Parameters
    ----------
    time : shape (m,), increasing.
    n_risk : shape (m,), people under observation just before each time.
    n_event, n_censor : shape (m,), people who die and who leave at each time.
    """

    time: Array
    n_risk: Array
    n_event: Array
    n_censor: Array


def patient_times(time: ArrayLike, event: ArrayLike, where: str = "") -> PatientTimes:
    """Checked patients; `where` opens the message when something is impossible."""
    try:
        patients = PatientTimes(np.asarray(time, dtype=float), np.asarray(event))
    except (DataError, TypeError, ValueError) as problem:
        raise DataError(f"{where}: {problem}" if where else str(problem)) from None
    if not patients.time.size:
        raise DataError(f"{where}: no patients" if where else "no patients; at least one is needed")
    return patients


def group_codes(labels: Iterable[Any], size: int, name: str) -> tuple[tuple[Any, ...], NDArray[np.int64]]:
    """The distinct labels in sorted order, and for each of `size` patients the index of its label.

    Raises DataError, naming the column `name`, for a wrong length or a missing label.
    """
    values = np.asarray(labels if hasattr(labels, "__len__") else list(labels))
    if values.shape != (size,):
        raise DataError(f"{size} patients but {values.size} values of {name}; one for each patient is needed")
    if values.dtype.kind == "O":
        absent = [value is None or value != value for value in values]
        values = np.array([str(value) for value in values]) if any(isinstance(v, str) for v in values) else values
    else:
        absent = np.isnan(values).tolist() if values.dtype.kind == "f" else []
    if any(absent):
        raise DataError(f"{name} is missing for {sum(absent)} patients")
    known, codes = np.unique(values, return_inverse=True)
    return tuple(known.tolist()), codes.astype(np.int64)


def tie_starts(ordered: Array) -> np.ndarray:
    """Where a new distinct time begins in sorted times; times closer than 1e-9 of the largest are one.

    Times such as 0.1 + 0.2 and 0.3 come out of arithmetic and mean the same day.
    """
    scale = max(float(np.abs(ordered[-1])), 1e-300)
    first = np.empty(ordered.size, dtype=bool)
    first[0] = True
    np.greater(np.diff(ordered), 1e-9 * scale, out=first[1:])
    return np.flatnonzero(first)


def risk_sets(patients: PatientTimes) -> RiskSets:
    """Counts at each distinct time of `patients`.

    >>> sets = risk_sets(patient_times([3, 1, 1, 2], [1, 1, 0, 0]))
    >>> sets.time.tolist(), sets.n_risk.tolist(), sets.n_event.tolist()
    ([1.0, 2.0, 3.0], [4.0, 2.0, 1.0], [1.0, 0.0, 1.0])
    """
    order = np.argsort(patients.time, kind="stable")
    ordered = patients.time[order]
    start = tie_starts(ordered)
    died = np.add.reduceat(patients.event[order].astype(float), start)
    leaving = np.diff(np.append(start, ordered.size)).astype(float)
    n_risk = (ordered.size - start).astype(float)
    return RiskSets(ordered[start], n_risk, died, leaving - died)
