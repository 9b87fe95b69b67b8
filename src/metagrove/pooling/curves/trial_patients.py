"""Patients of several trials, as one checked table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array, PatientTimes
from metagrove.survival.risk_sets import patient_times

__all__ = ["TrialPatients", "trial_patients"]


@dataclass(frozen=True, slots=True, eq=False)
class TrialPatients:
    """Patients of k trials, one row each.

    Parameters
    ----------
    studies : the k names.
    time, event : shape (n,).
    study : shape (n,), the index of each patient's trial.
    group : shape (n,), 0 or 1; None where arms were not given.
    """

    studies: tuple[str, ...]
    time: Array
    event: np.ndarray
    study: np.ndarray
    group: np.ndarray | None = None

    def of(self, index: int) -> tuple[Array, np.ndarray, np.ndarray | None]:
        """Time, event and group of one trial."""
        here = self.study == index
        return self.time[here], self.event[here], None if self.group is None else self.group[here]


def trial_patients(patients: Mapping[str, Any], *, groups: bool = False) -> TrialPatients:
    """One table from a mapping of trial names to patients.

    Parameters
    ----------
    patients : for each trial a frame (or mapping) with `time`, `event` and, where arms are compared, `group` of 0
        and 1; or a tuple (time, event) or (time, event, group); or PatientTimes.
    groups : whether arms are needed.

    Raises
    ------
    DataError : naming the trial.
    """
    if not patients:
        raise DataError("no trial; at least one table of patients is needed")
    times, events, members, arms = [], [], [], []
    for i, (name, given) in enumerate(patients.items()):
        columns = _columns(str(name), given, groups)
        checked = patient_times(columns[0], columns[1], where=str(name))
        times.append(checked.time)
        events.append(checked.event)
        members.append(np.full(checked.time.size, i))
        if groups:
            arms.append(_arms(str(name), columns[2], checked.time.size))
    return TrialPatients(
        tuple(map(str, patients)),
        np.concatenate(times),
        np.concatenate(events),
        np.concatenate(members),
        np.concatenate(arms) if groups else None,
    )


def _columns(name: str, given: Any, groups: bool) -> tuple[Any, ...]:
    wanted = ("time", "event", "group") if groups else ("time", "event")
    if isinstance(given, PatientTimes):
        given = (given.time, given.event)
    if hasattr(given, "keys"):
        missing = [column for column in wanted if column not in given]
        if missing:
            raise DataError(f"{name}: no column '{missing[0]}'; patients have {', '.join(wanted)}")
        return tuple(given[column] for column in wanted)
    found = tuple(given)
    if len(found) < len(wanted):
        raise DataError(f"{name}: {len(found)} columns; patients have {', '.join(wanted)}")
    return found


def _arms(name: str, group: Any, size: int) -> np.ndarray:
    try:
        codes = np.asarray(group, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"{name}: group holds text; code the two arms 0 and 1") from None
    if codes.shape != (size,):
        raise DataError(f"{name}: {size} patients but {codes.size} values of group")
    if not np.isin(codes, (0, 1)).all():
        raise DataError(f"{name}: group is {codes[~np.isin(codes, (0, 1))][0]:g}; code the two arms 0 and 1")
    return codes.astype(np.int64)
