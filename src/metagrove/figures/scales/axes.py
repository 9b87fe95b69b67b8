"""From printed numbers to scales: which labels form an axis, and the line through them that refuses to guess."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metagrove.core.values import Array
from metagrove.figures.page import Word, number

__all__ = [
    "MIN_LABELS",
    "Axis",
    "axis_through",
    "column_axes",
    "is_even",
    "line_through",
    "printed_numbers",
    "row_axes",
]

#: Fewer labels than this are no scale, but for two on the y axis that stand on tick marks.
MIN_LABELS = 3
# letter heights between two digits of one number at most, and round a point between them
_GAP, _POINT = 0.5, 0.8


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale: `value = intercept + slope * pixel`, on log10 of the value where `log` is true.

    `pixels` and `values` are the labels it rests on; `residual` is their largest distance from the line in pixels;
    `on_ticks` counts labels that were moved onto a tick mark. `band` is the extent of the labels across the axis,
    `left_out` counts numbers in line with the labels that do not fit.
    """

    pixels: tuple[float, ...]
    values: tuple[float, ...]
    slope: float
    intercept: float
    residual: float
    log: bool = False
    on_ticks: int = 0
    band: tuple[float, float] = (0.0, 0.0)
    left_out: int = 0
    even: bool = True

    def value(self, pixel: ArrayLike) -> Array:
        """The value at each pixel; shape kept."""
        line = self.intercept + self.slope * np.asarray(pixel, dtype=float)
        return np.asarray(10.0**line if self.log else line)

    def pixel(self, value: ArrayLike) -> Array:
        """Where each value lies; shape kept. Values at or below 0 have no place on a log axis (minus infinity)."""
        v = np.asarray(value, dtype=float)
        if self.log:
            with np.errstate(divide="ignore", invalid="ignore"):
                v = np.log10(np.maximum(v, 1e-300))
        return np.asarray((v - self.intercept) / self.slope)

    @property
    def printed(self) -> bool:
        """Whether it is known where its labels stand; hints do not say."""
        return self.band != (0.0, 0.0)

    @property
    def pairs(self) -> list[list[float]]:
        """`[[pixel, value], …]`: the two ends of the fitted line on a linear axis, every label on a log axis."""
        ends = sorted(self.values) if self.log else [min(self.values), max(self.values)]
        return [[round(float(self.pixel(v)), 4), v] for v in ends]

    def moved(self, by: float) -> Axis:
        """The same scale that many pixels further on."""
        return replace(self, pixels=tuple(p + by for p in self.pixels), intercept=self.intercept - self.slope * by)

    def refitted(self, pixels: ArrayLike) -> Axis:
        """The scale through the same labels at other places."""
        places = np.asarray(pixels, dtype=float)
        values = np.log10(self.values) if self.log else np.asarray(self.values)
        slope, intercept = np.polyfit(places, values, 1)
        return replace(self, pixels=tuple(places.tolist()), slope=float(slope), intercept=float(intercept))

    @property
    def spacing(self) -> float:
        """The smallest distance between two labels, in pixels."""
        return float(np.diff(np.sort(self.pixels)).min()) if len(self.pixels) > 1 else math.inf


def line_through(pixels: Array, values: Array) -> tuple[float, float]:
    """Slope and intercept of the least-squares line, values on pixels."""
    centre = pixels.mean()
    spread = ((pixels - centre) ** 2).sum()
    slope = float(((pixels - centre) * (values - values.mean())).sum() / spread)
    return slope, float(values.mean() - slope * centre)


def axis_through(pixels: ArrayLike, values: ArrayLike, *, tolerance: float, log: bool = False) -> Axis | None:
    """The scale that most labels agree on within `tolerance` pixels; None where no two distinct ones do.

    Every pair of labels proposes a line; the line with most labels near it wins (smallest residual on ties) and is
    refitted to them by least squares. On a log axis values at or below 0 take no part.
    """
    p, v = np.asarray(pixels, dtype=float), np.asarray(values, dtype=float)
    if log:
        keep = v > 0
        p, v = p[keep], np.log10(v[keep])
    best: tuple[int, float, NDArray[np.intp]] | None = None
    for i in range(len(p)):
        for j in range(i + 1, len(p)):
            if abs(p[i] - p[j]) < 4 * tolerance or v[i] == v[j]:
                continue
            slope = (v[j] - v[i]) / (p[j] - p[i])
            off = np.abs((v - v[i]) / slope - (p - p[i]))
            near = off <= tolerance
            _, first = np.unique(v[near], return_index=True)
            members = np.flatnonzero(near)[first]
            key = (len(members), -float(off[members].max()))
            if best is None or key > (best[0], best[1]):
                best = (*key, members)
    if best is None:
        return None
    chosen = best[2] if log else _without_odd(v, best[2])
    slope, intercept = line_through(p[chosen], v[chosen])
    residual = float(np.abs((v[chosen] - intercept) / slope - p[chosen]).max())
    shown = 10.0 ** v[chosen] if log else v[chosen]
    values_out = tuple(float(f"{x:.10g}") for x in shown)
    even = is_even(np.sort(v[chosen])) or (log and _round_decades(shown))
    reach = 0.5 * np.ptp(p[chosen]) / max(len(chosen) - 1, 1)
    # two labels fit any scale, so every other number in line with them speaks against it
    within = (p > p[chosen].min() - reach) & (p < p[chosen].max() + reach) | (len(chosen) == 2)
    stray = len(set(p[within].tolist()) - set(p[chosen].tolist()))
    return Axis(
        tuple(map(float, p[chosen])),
        values_out,
        slope,
        intercept,
        residual,
        log=log,
        left_out=stray,
        even=even,
    )


def _without_odd(values: Array, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """The labels without the one misread number that alone keeps them from being even; all of them where it is not so.

    Inner labels only, of five at least: 0, 7.2, 14.4, 21.0, 28.8 and 36 lose the 21.0.
    """
    order = chosen[np.argsort(values[chosen])]
    if len(order) < MIN_LABELS + 2 or is_even(values[order]):
        return chosen
    left = [k for k in range(1, len(order) - 1) if is_even(np.delete(values[order], k))]
    return np.delete(order, left[0]) if len(left) == 1 else chosen


def _round_decades(values: Array) -> bool:
    """Whether the values are 1, 2, 5 (or 1, 3; 1, 2, 4, 6, 8) in every decade, as log axes are labelled; four at least."""
    lead = np.round(values / 10.0 ** np.floor(np.log10(values) + 1e-9), 6)
    return len(values) > MIN_LABELS and bool(np.isin(lead, (1, 2, 3, 4, 5, 6, 8)).all())


def is_even(values: Array) -> bool:
    """Whether the values lie on one arithmetic progression with at most half of its places empty."""
    gaps = np.diff(values)
    if not len(gaps):
        return False
    step = gaps.min()
    ratio = gaps / step
    return bool(np.allclose(ratio, np.round(ratio), atol=0.02) and ratio.sum() <= 2 * len(gaps) + 1)


def printed_numbers(words: Sequence[Word]) -> list[tuple[Word, float]]:
    """Words that print a number, with that number; `1.000` may also be a thousand and offers both."""
    # a tick mark that touches its label is read as a dash behind it
    found = [
        (w, v)
        for w in words
        if (v := number(w.text.rstrip("-–—_"))) is not None
        and abs(v) < 1e7
        and w.score > (0.8 if set(w.text) <= set("1.,-") else 0.3)
    ]
    thousands = [(w, 1000 * v) for w, v in found if re.fullmatch(r"\d{1,3}[.·]\d{3}", w.text) and v >= 1]
    # the point of a small decimal is easily lost: no scale prints `08`, and `10` may be 1.0
    pointed = [(w, float(f"{w.text[0]}.{w.text[1:]}")) for w, _ in found if re.fullmatch(r"0\d{1,2}|100?", w.text)]
    return found + thousands + pointed


def row_axes(words: Sequence[Word], *, tolerance: float) -> list[Axis]:
    """Every row of at least three numbers that grow evenly along the page: the candidates for an x axis."""
    found: list[Axis] = []
    labels = [(w, v) for w, v in printed_numbers(words) if w.angle == 0]
    for row in _clustered([(w.cy, w, v) for w, v in labels]):
        size = float(np.median([w.size for w, _ in row]))
        # panels side by side share a row: what one scale leaves may hold another
        rest = _joined(row, tolerance)
        while len(rest) >= MIN_LABELS:
            axis = _scaled([w.cx for w, _ in rest], [v for _, v in rest], tolerance)
            if axis is None:
                break
            used = set(axis.pixels)
            if axis.slope > 0 and axis.spacing > size:
                own = [w for w, _ in rest if w.cx in used]
                found.append(replace(axis, band=(min(w.y0 for w in own), max(w.y1 for w in own))))
            rest = [(w, v) for w, v in rest if w.cx not in used]
    return found


def column_axes(words: Sequence[Word], *, tolerance: float) -> list[Axis]:
    """Every column of numbers on one line down the page: the candidates for a y axis; two labels are let through."""
    found: list[Axis] = []
    labels = printed_numbers(words)
    for angle in (0, 90, 270):
        own = [(w, v) for w, v in labels if w.angle == angle or (angle and _lying(w))]
        for edge in ("x1", "cx", "x0") if angle == 0 else ("cx",):
            for column in _clustered([(getattr(w, edge), w, v) for w, v in own]):
                rest = column
                while len({v for _, v in rest}) > 1:
                    axis = _scaled([w.cy for w, _ in rest], [v for _, v in rest], tolerance, least=2)
                    if axis is None:
                        break
                    used = set(axis.pixels)
                    own_words = [w for w, _ in rest if w.cy in used]
                    rest = [(w, v) for w, v in rest if w.cy not in used]
                    if axis.spacing < float(np.median([w.size for w in own_words])):
                        continue
                    axis = replace(axis, band=(min(w.x0 for w in own_words), max(w.x1 for w in own_words)))
                    if not any(_same(axis, other) for other in found):
                        found.append(axis)
    return found


def _joined(row: list[tuple[Word, float]], tolerance: float) -> list[tuple[Word, float]]:
    """The row with numbers that stand close enough for one as that one, where more labels then fit a scale.

    A label with a wide gap between its digits comes as two words: `1` and `6` between 8 and 24. So does one whose point
    was not seen: `21` and `6` between 14.4 and 28.8.
    """
    pointed = any("." in w.text for w, _ in row)
    together: list[tuple[Word, float]] = []
    for word, value in sorted(row, key=lambda label: label[0].cx):
        last = together[-1][0] if together else None
        if last is None or word == last or not (last.text + word.text).isdigit():
            together.append((word, value))
            continue
        gap = (word.x0 - last.x1) / min(word.size, last.size)
        if not 0 <= gap < (_POINT if pointed else _GAP):
            together.append((word, value))
            continue
        text = last.text + ("." if gap > _GAP else "") + word.text
        whole = replace(last, text=text, x1=word.x1, y0=min(last.y0, word.y0), y1=max(last.y1, word.y1))
        together[-1] = whole, float(text)
    if len(together) == len(row):
        return row
    apart, joined = (
        _scaled([w.cx for w, _ in labels], [v for _, v in labels], tolerance, least=2) for labels in (row, together)
    )
    return together if joined and (not apart or len(joined.values) > len(apart.values)) else row


def _lying(word: Word) -> bool:
    """Whether a word is a nought on its side, which is read as well as an upright one."""
    return word.text == "0" and word.angle == 0 and word.x1 - word.x0 > 1.2 * (word.y1 - word.y0)


def _same(a: Axis, b: Axis) -> bool:
    return a.pixels == b.pixels and a.values == b.values and a.band == b.band


def _scaled(pixels: Sequence[float], values: Sequence[float], tolerance: float, least: int = MIN_LABELS) -> Axis | None:
    linear = axis_through(pixels, values, tolerance=tolerance)
    if linear is not None and len(linear.values) >= max(least, 3):
        return linear
    log = axis_through(pixels, values, tolerance=tolerance, log=True)
    if log is not None and len(log.values) >= MIN_LABELS:
        ratio = max(log.values) / min(log.values)
        if ratio >= 30 or (ratio >= 5 and len(log.values) > MIN_LABELS):
            return log
    return linear if linear is not None and len(linear.values) >= least else None


def _clustered(items: list[tuple[float, Word, float]]) -> list[list[tuple[Word, float]]]:
    """Labels in line with each other: sorted by place, cut where the next is further than a third of a letter."""
    items = sorted(items, key=lambda item: item[0])
    groups: list[list[tuple[float, Word, float]]] = []
    for item in items:
        if groups and item[0] - groups[-1][-1][0] <= 0.34 * max(item[1].size, 4.0):
            groups[-1].append(item)
        else:
            groups.append([item])
    return [[(w, v) for _, w, v in group] for group in groups if len(group) > 1]
