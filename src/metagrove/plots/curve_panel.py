"""What a survival plot shows, as one value: tracks with bands and numbers at risk; and the results it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array

if TYPE_CHECKING:
    from metagrove.pooling.curves import PooledCurve
    from metagrove.survival.kaplan_meier import KaplanMeier

__all__ = ["CurvePanel", "CurveTrack", "arms_panel", "pooled_panel"]

KINDS = ("pooled", "study", "arm")


@dataclass(frozen=True, slots=True, eq=False)
class CurveTrack:
    """One survival curve.

    Parameters
    ----------
    label : its name in the key and beside its numbers at risk.
    time, survival : shape (m,), proportions in [0, 1]; the curve starts at (0, 1).
    lower, upper : shape (m,), limits; NaN where they do not exist.
    predicted : lower and upper limits for a new trial, each of shape (m,).
    kind : pooled (thick, with a band), study (thin) or arm.
    steps : whether each value holds until the next time; straight lines between the times otherwise.
    censored : times of the marks.
    at_risk : the number under observation just before a time, None where it is not known.
    median, median_lower, median_upper : NaN where not reached.
    thin_after : the time after which few are at risk; the curve is dashed from there.
    """

    label: str
    time: Array
    survival: Array
    lower: Array | None = None
    upper: Array | None = None
    predicted: tuple[Array, Array] | None = None
    kind: str = "arm"
    steps: bool = True
    censored: tuple[float, ...] = ()
    at_risk: Callable[[float], int | None] | None = None
    median: float = float("nan")
    median_lower: float = float("nan")
    median_upper: float = float("nan")
    thin_after: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"{self.label}: a curve of kind '{self.kind}'; known: {', '.join(KINDS)}")
        for name, values in (
            ("survival values", self.survival),
            ("lower limits", self.lower),
            ("upper limits", self.upper),
        ):
            if values is not None and values.shape != self.time.shape:
                raise DataError(f"{self.label}: {values.size} {name} for {self.time.size} times")
        if not self.time.size or not np.isfinite(self.time).all() or (np.diff(self.time) < 0).any() or self.time[0] < 0:
            raise DataError(f"{self.label}: times start at 0 or later, never fall, and there is at least one")
        if not ((self.survival >= 0) & (self.survival <= 1)).all():
            raise DataError(f"{self.label}: survival lies between 0 and 1")


@dataclass(frozen=True, slots=True, eq=False)
class CurvePanel:
    """A survival plot: its tracks, pooled ones on top.

    Parameters
    ----------
    unit : of time, over the axis.
    outcome : over the vertical axis, such as "Overall survival".
    percent : whether the vertical axis counts in percent.
    horizon : where the time axis ends; None takes the last time of all tracks.
    risk_times : the only times at which numbers at risk are known; empty for all.
    synthetic : words of warning where the data are not real; the plot is marked SYNTHETIC across its ground.
    """

    tracks: tuple[CurveTrack, ...]
    unit: str = "months"
    outcome: str = "Survival"
    title: str = ""
    level: float = 0.95
    percent: bool = True
    horizon: float | None = None
    risk_times: tuple[float, ...] = ()
    synthetic: str = ""
    footer: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.tracks:
            raise DataError("a survival plot without curves")
        if self.horizon is not None and not 0 < self.horizon < float("inf"):
            raise DataError(f"the time axis ends at {self.horizon:g}; it ends after 0")
        if not self.last > 0:
            raise DataError("no curve goes beyond time 0")

    @property
    def last(self) -> float:
        """Where the time axis ends."""
        return self.horizon or max(float(track.time[-1]) for track in self.tracks)

    def records(self) -> list[dict[str, Any]]:
        """The points behind the plot, one dict for each time of each track."""
        found = []
        for track in self.tracks:
            blank = np.full(track.time.shape, np.nan)
            columns = (track.time, track.survival, *(blank if v is None else v for v in (track.lower, track.upper)))
            for t, s, low, high in zip(*columns, strict=True):
                row = {"curve": track.label, "kind": track.kind, "time": float(t), "survival": float(s)}
                found.append(row | {"lower": float(low), "upper": float(high), "synthetic": bool(self.synthetic)})
        return found


def pooled_panel(
    result: PooledCurve,
    *,
    outcome: str = "Survival",
    unit: str = "months",
    studies: bool = True,
    prediction: bool = False,
    synthetic: str = "",
) -> CurvePanel:
    """The plot of a pooled curve over its studies, with their numbers at risk.

    `studies` draws the studies' own curves, `prediction` the band for the curve of a new trial.
    """
    starts = np.append(0.0, result.time[:-1])
    reliable = result.reliable_until()
    pooled = CurveTrack(
        f"Pooled ({result.model} effects)",
        result.time,
        np.clip(result.survival, 0.0, 1.0),
        result.lower,
        result.upper,
        result.prediction() if prediction else None,
        "pooled",
        steps=False,
        at_risk=_counts(starts, result.n_risk, float(result.time[-1]), ended=False),
        median=result.median,
        median_lower=result.median_lower,
        median_upper=result.median_upper,
        thin_after=reliable if 0 < reliable < result.time[-1] else None,
    )
    own = tuple(
        CurveTrack(
            curve.study,
            curve.time,
            curve.survival,
            kind="study",
            steps=False,
            at_risk=_counts(
                np.append(0.0, curve.time[:-1]),
                curve.n_risk,
                float(curve.time[-1]),
                ended=bool(curve.survival[-1] == 0),
            ),
        )
        for curve in result.curves
    )
    footer = (*result.notes, *((f"Median: {result.median_reason}",) if result.median_reason else ()))
    return CurvePanel(
        (*(own if studies else ()), pooled),
        unit,
        outcome,
        level=result.level,
        risk_times=tuple(float(t) for t in (*starts, result.time[-1])),
        synthetic=synthetic,
        footer=footer,
    )


def _counts(starts: Array, n_risk: Array, last: float, *, ended: bool) -> Callable[[float], int | None]:
    """Numbers at risk known at the starts of intervals; 0 after the last time, and at it where nobody is left."""
    slack = 1e-6 * max(last, 1.0)

    def at_risk(t: float) -> int | None:
        hit = np.flatnonzero(np.abs(starts - t) <= slack)
        if hit.size:
            return round(float(n_risk[hit[0]]))
        return 0 if t > last + slack or (ended and abs(t - last) <= slack) else None

    return at_risk


def arms_panel(
    arms: Mapping[str, KaplanMeier],
    *,
    outcome: str = "Survival",
    unit: str = "months",
    band: bool = True,
    synthetic: str = "",
) -> CurvePanel:
    """The Kaplan-Meier plot of arms by name, with bands, censoring marks and numbers at risk."""
    return CurvePanel(
        tuple(_arm(name, curve, band) for name, curve in arms.items()), unit, outcome, synthetic=synthetic
    )


def _arm(name: str, curve: KaplanMeier, band: bool) -> CurveTrack:
    lower, upper = curve.interval()
    low, high = curve.median_ci()
    marks = tuple(float(t) for t in curve.time[np.asarray(curve.n_censor) > 0])

    def at_risk(t: float) -> int | None:
        return int(curve.n_risk_at(t))

    return CurveTrack(
        name,
        curve.time,
        curve.survival,
        lower if band else None,
        upper if band else None,
        censored=marks,
        at_risk=at_risk,
        median=curve.median,
        median_lower=low,
        median_upper=high,
    )


def median_words(track: CurveTrack, unit: str, level: float) -> str:
    """The median as the key says it; empty where the track has neither median nor limits."""
    values = (track.median, track.median_lower, track.median_upper)
    if not any(isfinite(v) for v in values):
        return ""
    word = [f"{v:.1f}" if isfinite(v) else "not reached" for v in values]
    if not isfinite(track.median_lower) and not isfinite(track.median_upper):
        return f"median {word[0]} {unit}"
    return f"median {word[0]} {unit} ({level * 100:g}% CI {word[1]} to {word[2]})"


def round_times(panel: CurvePanel, steps: Sequence[float]) -> list[list[float]]:
    """Sets of axis times at which all numbers at risk are known, one for each step that suits them."""
    known = np.asarray(panel.risk_times or (np.inf,))
    sets = []
    for step in steps:
        count = int(panel.last / step + 1e-9) + 1
        ticks = [i * step for i in range(count)] if count < 200 else []
        if not panel.risk_times or all(
            np.abs(known - t).min() <= 1e-6 * max(panel.last, 1.0) for t in ticks if t <= known.max() + 1e-9
        ):
            sets.append(ticks)
    return sets
