"""What a survival plot shows, as one value: tracks with bands, medians and numbers at risk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array

__all__ = ["CurvePanel", "CurveTrack", "median_words", "round_times", "time_words"]

KINDS = ("pooled", "study", "arm", "points", "shade")


@dataclass(frozen=True, slots=True, eq=False)
class CurveTrack:
    """One survival curve.

    Parameters
    ----------
    label : its name in the key and beside its numbers at risk.
    time, survival : shape (m,), proportions in [0, 1]; the curve starts at (0, 1).
    lower, upper : shape (m,), limits; NaN where they do not exist.
    predicted : lower and upper limits for a new trial, each of shape (m,).
    kind : pooled (thick, with a band), study (thin), arm, points (values at their times with whiskers, joined by a thin line)
        or shade (the ground between `lower` and `upper` alone, which may cross).
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
    unit : of time, over the axis; empty where it is not known.
    outcome : over the vertical axis, such as "Overall survival".
    percent : whether the vertical axis counts in percent.
    horizon : where the time axis ends; None takes the last time of all tracks.
    risk_times : the only times at which numbers at risk are known; empty for all.
    thin_words : what a dashed tail means, said where a track has one.
    synthetic : words of warning where the data are not real; the plot is marked SYNTHETIC across its ground.
    """

    tracks: tuple[CurveTrack, ...]
    unit: str = ""
    outcome: str = "Survival"
    title: str = ""
    level: float = 0.95
    percent: bool = True
    horizon: float | None = None
    risk_times: tuple[float, ...] = ()
    synthetic: str = ""
    footer: tuple[str, ...] = ()
    thin_words: str = "The pooled curve is dashed where fewer than 10 people are at risk."

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


def median_words(track: CurveTrack, unit: str, level: float) -> str:
    """The median as the key says it; empty where the track has neither median nor limits."""
    values = (track.median, track.median_lower, track.median_upper)
    if not any(isfinite(v) for v in values):
        return ""
    word = [f"{v:.1f}" if isfinite(v) else "not reached" for v in values]
    of = f" {unit}" if unit else ""
    if not isfinite(track.median_lower) and not isfinite(track.median_upper):
        return f"median {word[0]}{of}"
    return f"median {word[0]}{of} ({level * 100:g}% CI {word[1]} to {word[2]})"


def time_words(unit: str) -> str:
    """What stands over the axis of time; `unit` is empty where it is not known."""
    return f"Time ({unit})" if unit else "Time"


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
