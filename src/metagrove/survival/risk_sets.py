"""Patients counted at each distinct time: at risk, died, censored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError
from metagrove.core.values import Array, PatientTimes

__all__ = ["RiskSets", "patient_times", "risk_sets", "tie_starts"]


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
