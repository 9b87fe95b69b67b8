"""Survival of several studies on one grid of times: checked, completed, and split into conditional survival."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.values import Array, PatientTimes
from metagrove.survival.kaplan_meier import KaplanMeier, survival_curve
from metagrove.survival.risk_sets import tie_starts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CurveGrid", "LastInterval", "StudyCurve", "automatic_step", "curve_grid", "grid_rows", "grid_table"]

#: Where a study's part of the grid ends, see `grid_table`.
LastInterval = Literal["observed", "contains", "strict"]

#: Most grid times of a table made from patients, and of a curve that is pooled: its covariance grows with their square.
_MOST_TIMES, _MOST_POOLED = 50_000, 2_000

#: Survival read from a figure may rise by rounding in its last printed digit; not by more.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class StudyCurve:
    """Survival of one study at its own grid times, with the number at risk at the start of each interval."""

    study: str
    time: Array
    survival: Array
    n_risk: Array


@dataclass(frozen=True, slots=True, eq=False)
class CurveGrid:
    """Conditional survival of k studies over J intervals.

    Parameters
    ----------
    studies : the k names, in order of first appearance.
    time : shape (J,), ends of the intervals, increasing, above 0.
    n_risk : shape (k, J), people at risk at the start of each interval; 0 where the study has ended.
    conditional : shape (k, J), survival over the interval given survival to its start; NaN where the study has ended.
    curves : the studies as given.
    notes : sentences about what was completed or left out.
    """

    studies: tuple[str, ...]
    time: Array
    n_risk: Array
    conditional: Array
    curves: tuple[StudyCurve, ...]
    notes: tuple[str, ...] = ()

    @property
    def present(self) -> np.ndarray:
        """Which cells hold an observation, shape (k, J)."""
        return np.isfinite(self.conditional)

    def without(self, index: int) -> CurveGrid:
        """The grid of the other studies; times that nobody else reaches are gone."""
        keep = np.arange(len(self.studies)) != index
        return self.subset(keep)

    def subset(self, keep: np.ndarray) -> CurveGrid:
        """The grid of the studies where `keep` (shape (k,), bool) is True, up to their own last time."""
        reached = self.present[keep].any(axis=0)
        chosen = np.flatnonzero(keep)
        return CurveGrid(
            tuple(self.studies[i] for i in chosen),
            self.time[reached],
            self.n_risk[keep][:, reached],
            self.conditional[keep][:, reached],
            tuple(self.curves[i] for i in chosen),
            self.notes,
        )


def _checked(study: str, time: Array, n_risk: Array, survival: Array) -> StudyCurve:
    order = np.argsort(time, kind="stable")
    t, n, s = time[order], n_risk[order], survival[order]
    for name, values in (("time", t), ("survival", s), ("n_risk", n)):
        if not np.isfinite(values).all():
            i = int(np.flatnonzero(~np.isfinite(values))[0])
            at = "" if name == "time" else f" at {t[i]:g}"
            raise DataError(f"{study}: {name} is missing{at}; every row needs time, n_risk and survival")
    if t[0] < 0:
        raise DataError(f"{study}: time is {t[0]:g}; times are above 0")
    for i in range(t.size):
        if not 0 <= s[i] <= 1:
            raise DataError(f"{study}: survival is {s[i]:g} at {t[i]:g}; it is a proportion between 0 and 1")
        if n[i] < 0:
            raise DataError(f"{study}: n_risk is {n[i]:g} at {t[i]:g}; it is not negative")
        if i and t[i] == t[i - 1]:
            raise DataError(f"{study}: two rows for time {t[i]:g}; one row for each grid time")
        if i and s[i] > s[i - 1] + _ROUNDING:
            raise DataError(f"{study}: survival rises from {s[i - 1]:g} to {s[i]:g} at {t[i]:g}; it never rises")
    return StudyCurve(study, t, np.minimum.accumulate(s), n)


def _trimmed(curve: StudyCurve) -> tuple[StudyCurve, list[str]]:
    """The rows that carry information: times above 0, up to the fall to zero, with somebody at risk."""
    study, t, s, n = curve.study, curve.time, curve.survival, curve.n_risk
    rising = np.flatnonzero(np.diff(n) > 0)
    notes = [f"{study}: n_risk rises from {n[i]:g} to {n[i + 1]:g} at {t[i + 1]:g}." for i in rising[:1]]
    if t[0] == 0:
        if s[0] < 1:
            raise DataError(f"{study}: survival is {s[0]:g} at time 0; curves start at 1")
        t, s, n = t[1:], s[1:], n[1:]
    before = np.concatenate(([1.0], s[:-1]))
    dead = np.flatnonzero(before <= 0)
    if dead.size:
        t, s, n = t[: dead[0]], s[: dead[0]], n[: dead[0]]
        notes.append(f"{study}: rows after survival reached 0 at {t[-1]:g} were left out.")
    empty = np.flatnonzero(n <= 0)
    if empty.size:
        i = int(empty[0])
        if s[i] < (s[i - 1] if i else 1.0):
            raise DataError(f"{study}: survival falls to {s[i]:g} at {t[i]:g} with nobody at risk (n_risk is 0)")
        if i:
            notes.append(f"{study}: rows from {t[i]:g} on have nobody at risk and were left out.")
        t, s, n = t[:i], s[:i], n[:i]
    if not t.size:
        raise DataError(f"{study}: no row with a time above 0 and somebody at risk")
    return StudyCurve(study, t, s, n), notes


def _on_grid(curve: StudyCurve, time: Array) -> tuple[Array, Array, list[float]]:
    """Conditional survival and numbers at risk on the common grid, and the times that had to be filled in.

    Over a stretch that the study reports as one, the hazard is taken as constant; nobody is counted twice, for the
    numbers at risk within the stretch fall with survival.
    """
    conditional, n_risk = np.full(time.size, np.nan), np.zeros(time.size)
    ends = np.searchsorted(time, curve.time)
    if int(ends[-1]) == curve.time.size - 1:  # every grid time up to the last is there
        conditional[: curve.time.size] = curve.survival / np.concatenate(([1.0], curve.survival[:-1]))
        n_risk[: curve.time.size] = curve.n_risk
        return conditional, n_risk, []
    before_s, before_t, first = 1.0, 0.0, 0
    filled: list[float] = []
    for end, t, s, n in zip(ends, curve.time, curve.survival, curve.n_risk, strict=True):
        inner = slice(first, end + 1)
        starts = np.concatenate(([before_t], time[first:end]))
        share = (time[inner] - starts) / (t - before_t)
        ratio = s / before_s
        if end > first and ratio == 0:
            # A fall to zero somewhere in the stretch: it belongs to the reported time.
            conditional[inner] = np.where(np.arange(first, end + 1) < end, 1.0, 0.0)
            n_risk[inner] = n
        else:
            conditional[inner] = ratio**share
            n_risk[inner] = n * ratio ** np.concatenate(([0.0], np.cumsum(share)[:-1]))
        filled.extend(float(x) for x in time[first:end])
        before_s, before_t, first = float(s), float(t), int(end) + 1
    return conditional, n_risk, filled


def curve_grid(
    study: Iterable[Any], time: ArrayLike, n_risk: ArrayLike, survival: ArrayLike, *, gaps: str = "fill"
) -> CurveGrid:
    """The grid of conditional survival made from one row per study and time.

    Parameters
    ----------
    study : shape (r,), names.
    time : shape (r,), ends of the intervals.
    n_risk : shape (r,), number at risk at the START of the interval that ends at `time`.
    survival : shape (r,), proportion surviving beyond `time`.
    gaps : "fill" completes a study that skips a grid time of the others by a constant hazard over the stretch and says
        so in `notes`; "refuse" raises MethodError naming the study and the time.

    Raises
    ------
    DataError : naming study and time, for survival outside [0, 1] or rising, a missing or negative n_risk, two rows for
        one time, no rows.
    """
    if gaps not in ("fill", "refuse"):
        raise MethodError(f"gaps is '{gaps}'; it is 'fill' or 'refuse'")
    given_names = list(study)
    for i, name in enumerate(given_names):
        if name is None or name != name or str(name) == "":
            raise DataError(f"the study's name is missing in row {i + 1} of the table")
    names = [str(name) for name in given_names]
    try:
        columns = [np.asarray(column, dtype=float).ravel() for column in (time, n_risk, survival)]
    except (TypeError, ValueError) as problem:
        raise DataError(f"time, n_risk and survival are numbers: {problem}") from None
    if not names or any(column.size != len(names) for column in columns):
        sizes = ", ".join(str(column.size) for column in columns)
        raise DataError(f"{len(names)} study names for columns of {sizes}; one row per study and time is needed")
    columns[0] = _snapped(columns[0])
    labels = list(dict.fromkeys(names))
    which = np.array(names)
    given = [_checked(label, *(column[which == label] for column in columns)) for label in labels]
    trimmed, notes = [], []
    for curve in given:
        kept, said = _trimmed(curve)
        trimmed.append(kept)
        notes.extend(said)
    grid = np.unique(np.concatenate([curve.time for curve in trimmed]))
    if grid.size > _MOST_POOLED:
        raise DataError(f"{grid.size:,} grid times; at most {_MOST_POOLED:,} are pooled: use wider intervals")
    placed = [_on_grid(curve, grid) for curve in trimmed]
    for curve, (_, _, filled) in zip(trimmed, placed, strict=True):
        if filled and gaps == "refuse":
            raise MethodError(f"{curve.study}: no row for time {filled[0]:g}, which other studies have")
        if filled:
            shown = ", ".join(f"{t:g}" for t in filled[:6]) + (" …" if len(filled) > 6 else "")
            notes.append(f"{curve.study}: no row for time {shown}; a constant hazard was assumed there.")
    conditional, at_risk = np.array([p[0] for p in placed]), np.array([p[1] for p in placed])
    return CurveGrid(tuple(labels), grid, at_risk, conditional, tuple(trimmed), tuple(notes))


def _snapped(time: Array) -> Array:
    """Times with those that differ by rounding alone (3 x 0.1 and 0.3) made one."""
    known = np.unique(time[np.isfinite(time)])
    if not known.size:
        return time
    first = known[tie_starts(known)]
    slack = 1e-9 * float(np.abs(known).max())
    place = np.searchsorted(first, np.where(np.isfinite(time), time, first[0]) + slack, side="right") - 1
    return np.where(np.isfinite(time), first[np.maximum(place, 0)], time)


def automatic_step(last: float) -> float:
    """A round step that gives between 10 and 25 intervals up to `last`.

    >>> [automatic_step(last) for last in (24, 26, 8, 60, 700)]
    [1.0, 1.5, 0.5, 3.0, 30.0]
    """
    power = 10.0 ** math.floor(math.log10(last / 24 if last > 0 else 1.0))
    for lead in (1.0, 1.5, 2.0, 3.0, 5.0, 10.0):
        if last / (lead * power) <= 25 and lead * power >= last / 25 * (1 - 1e-12):
            return lead * power
    return 10 * power


def _patients(study: str, given: Any) -> PatientTimes:
    if isinstance(given, PatientTimes):
        return given
    try:
        time, event = (given["time"], given["event"]) if hasattr(given, "keys") else given
        return PatientTimes(np.asarray(time, dtype=float), np.asarray(event))
    except (DataError, KeyError, TypeError, ValueError) as problem:
        raise DataError(f"{study}: patients are a table of time and event ({problem})") from None


def grid_table(
    patients_by_study: Mapping[str, Any],
    step: float | None = None,
    *,
    last: LastInterval = "observed",
    horizon: float | None = None,
) -> pd.DataFrame:
    """A frame of `study, time, n_risk, survival`: each study's Kaplan-Meier curve read at multiples of `step`.

    Parameters
    ----------
    patients_by_study : for each name a frame of `time, event`, a pair (time, event), or PatientTimes.
    step : width of the intervals; chosen for 10 to 25 intervals when not given.
    last : "observed": a study contributes up to its last grid time that is not after its last time, and through the
        interval in which its curve falls to 0; "contains": through the interval that contains its last time, though
        patients be censored in it, so that a flat end is carried on; "strict": without the interval of a fall to 0.
    horizon : grid times after it are left out.

    Raises
    ------
    DataError : naming a study whose follow-up ends before the first grid time.

    Notes
    -----
    `n_risk` counts those still followed after the START of the interval that ends at `time`. Pinned by
    `atc/survival_synthetic/msurv_atc_*_input.csv` with "contains" and "strict".

    >>> grid_table({"A": ([0.5, 1.5, 2.5], [1, 0, 1])}, step=1).values.tolist()
    [['A', 1.0, 3.0, 0.666...], ['A', 2.0, 2.0, 0.666...], ['A', 3.0, 1.0, 0.0]]
    """
    import pandas as pd

    groups = {str(name): _patients(str(name), given) for name, given in patients_by_study.items()}
    study, time, n_risk, survival = grid_rows(groups, step, last=last, horizon=horizon)
    return pd.DataFrame({"study": study, "time": time, "n_risk": n_risk, "survival": survival})


def grid_rows(
    groups: Mapping[str, PatientTimes],
    step: float | None = None,
    *,
    last: LastInterval = "observed",
    horizon: float | None = None,
) -> tuple[list[str], Array, Array, Array]:
    """The columns of `grid_table`: study, time, n_risk, survival."""
    if not groups:
        raise DataError("no study; at least one table of patients is needed")
    if last not in get_args(LastInterval):
        raise UnknownName("end of a study's grid", last, get_args(LastInterval))
    longest = max(float(p.time.max(initial=0.0)) for p in groups.values())
    width = automatic_step(longest) if step is None else float(step)
    if not width > 0 or not math.isfinite(width):
        raise DataError(f"the grid's step is {width:g}; it is above 0")
    reach = longest if horizon is None else min(longest, horizon)
    if reach / width > _MOST_TIMES:
        raise DataError(
            f"a step of {width:g} up to {reach:g} gives {reach / width:.3g} grid times; at most {_MOST_TIMES:,} are made"
        )
    names: list[str] = []
    columns: list[tuple[Array, Array, Array]] = []
    for name, p in groups.items():
        if not p.time.size:
            raise DataError(f"{name}: no patients")
        curve = survival_curve(p.time, p.event)
        times: Array = width * np.arange(1.0, min(_intervals(curve, width, last), _MOST_TIMES + 1) + 1)
        if not times.size:
            raise DataError(
                f"{name}: follow-up ends at {p.time.max():g}, before the first grid time {width:g}; a smaller step is needed"
            )
        if horizon is not None:
            times = times[times <= horizon * (1 + 1e-12)]
        followed = p.time.size - np.searchsorted(np.sort(p.time), times - width + 1e-9 * longest, side="right")
        names.extend([name] * times.size)
        columns.append((times, followed.astype(float), curve.at(times)))
    time, n_risk, survival = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return names, time, n_risk, survival


def _intervals(curve: KaplanMeier, width: float, last: LastInterval) -> int:
    """How many intervals of `width` a study contributes."""
    end = float(curve.time[-1]) / width
    through = last == "contains" or (last == "observed" and curve.survival[-1] == 0)
    return math.ceil(end - 1e-9) if through else math.floor(end + 1e-9)
