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
    "axis_unit",
    "column_axes",
    "confirmed",
    "continued",
    "from_zero",
    "near_plot",
    "row_axes",
    "snapped",
    "with_flush",
]

#: Fewer labels than this are no scale, but for two on the y axis that stand on tick marks.
MIN_LABELS = 3
# of the distance of two labels: farther off, a scale is another plot's
_ELSEWHERE = 0.5
# how far an axis goes on below 0 at most, as a share of what it shows above
_BELOW_ZERO = 0.25
# more labels than this are many
_MANY = 4
# pixels: a tick mark this far off the line through the others is none; the middle of a label is known to about this
_SPOILT, _CENTRED = 0.8, 1.5
# letter heights between two digits of one number at most, and round a point between them
_GAP, _POINT = 0.5, 0.8
# tick marks that make two labels a scale, and how near their ends come to 0 and 1, in half intervals
_LATTICE, _ROUND = 5, 0.1


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
    def pairs(self) -> list[list[float]]:
        """`[[pixel, value], …]`: the two ends of the fitted line on a linear axis, every label on a log axis."""
        ends = sorted(self.values) if self.log else [min(self.values), max(self.values)]
        return [[round(float(self.pixel(v)), 4), v] for v in ends]

    @property
    def spacing(self) -> float:
        """The smallest distance between two labels, in pixels."""
        return float(np.diff(np.sort(self.pixels)).min()) if len(self.pixels) > 1 else math.inf


def _line(pixels: Array, values: Array) -> tuple[float, float]:
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
    slope, intercept = _line(p[chosen], v[chosen])
    residual = float(np.abs((v[chosen] - intercept) / slope - p[chosen]).max())
    shown = 10.0 ** v[chosen] if log else v[chosen]
    values_out = tuple(float(f"{x:.10g}") for x in shown)
    even = _even(np.sort(v[chosen])) or (log and _round_decades(shown))
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
        log,
        0,
        (0.0, 0.0),
        stray,
        even,
    )


def _without_odd(values: Array, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """The labels without the one misread number that alone keeps them from being even; all of them where it is not so.

    Inner labels only, of five at least: 0, 7.2, 14.4, 21.0, 28.8 and 36 lose the 21.0.
    """
    order = chosen[np.argsort(values[chosen])]
    if len(order) < MIN_LABELS + 2 or _even(values[order]):
        return chosen
    left = [k for k in range(1, len(order) - 1) if _even(np.delete(values[order], k))]
    return np.delete(order, left[0]) if len(left) == 1 else chosen


def _round_decades(values: Array) -> bool:
    """Whether the values are 1, 2, 5 (or 1, 3; 1, 2, 4, 6, 8) in every decade, as log axes are labelled; four at least."""
    lead = np.round(values / 10.0 ** np.floor(np.log10(values) + 1e-9), 6)
    return len(values) > MIN_LABELS and bool(np.isin(lead, (1, 2, 3, 4, 5, 6, 8)).all())


def _even(values: Array) -> bool:
    """Whether the values lie on one arithmetic progression with at most half of its places empty."""
    gaps = np.diff(values)
    if not len(gaps):
        return False
    step = gaps.min()
    ratio = gaps / step
    return bool(np.allclose(ratio, np.round(ratio), atol=0.02) and ratio.sum() <= 2 * len(gaps) + 1)


def _labels(words: Sequence[Word]) -> list[tuple[Word, float]]:
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
    labels = [(w, v) for w, v in _labels(words) if w.angle == 0]
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
    labels = _labels(words)
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


def from_zero(axis: Axis) -> Axis:
    """The axis without its labels below 0, where it begins a little below it and three labels or more are left.

    No survival and no time lies there: the scale is the same, but the plot begins at 0.
    """
    kept = [k for k, v in enumerate(axis.values) if v >= 0]
    low, high = min(axis.values), max(axis.values)
    if axis.log or len(kept) in (0, len(axis.values)) or len(kept) < MIN_LABELS or -low > _BELOW_ZERO * high:
        return axis
    places, values = tuple(axis.pixels[k] for k in kept), tuple(axis.values[k] for k in kept)
    return replace(axis, pixels=places, values=values, on_ticks=max(axis.on_ticks - len(axis.values) + len(kept), 0))


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


def snapped(axis: Axis, ticks: ArrayLike, *, reach: float) -> Axis:
    """The scale refitted to the tick marks under its labels; unchanged where fewer than two labels have one.

    A constant shift between labels and ticks is allowed for (numbers set beside their tick), up to `reach`.
    """
    t = np.asarray(ticks, dtype=float)
    if not len(t):
        return axis
    p = np.asarray(axis.pixels)
    nearest = t[np.abs(t[None, :] - p[:, None]).argmin(axis=1)]
    near = np.abs(nearest - p) <= reach
    if near.sum() < 2:
        return axis
    shift = float(np.median((nearest - p)[near]))
    nearest = t[np.abs(t[None, :] - (p + shift)[:, None]).argmin(axis=1)]
    near = np.abs(nearest - p - shift) <= reach / 2
    distinct = len(set(nearest[near].tolist())) == int(near.sum())
    # where a scale has tick marks most labels have one: what two of many meet are a line's end and the axis beside it
    if near.sum() < (3 if len(near) > _MANY and axis.even else 2) or not distinct:
        return axis
    return _on_marks(axis, np.asarray(nearest), np.asarray(near), shift, reach)


def _on_marks(axis: Axis, marks: Array, near: NDArray[np.bool_], shift: float, reach: float) -> Axis:
    """The scale through the tick marks of the labels that are `near` one.

    A mark that spoils the line through many others belongs to something else. Labels without a mark of their own agree
    with the scale where they stand on the line through three marks or more, at least half of all.
    """
    shown = np.log10(axis.values) if axis.log else np.asarray(axis.values)
    slope, intercept = _line(marks[near], shown[near])
    off = np.where(near, np.abs((shown - intercept) / slope - marks), 0.0)
    while off.max() > _SPOILT and near.sum() > max(MIN_LABELS, 0.7 * len(near)):
        # beside a mark at the end its neighbour is as far off: the one to go is the one without which the rest is straight
        fewer = [near & (np.arange(len(near)) != k) for k in np.flatnonzero(near)]
        lines = [_line(marks[rest], shown[rest]) for rest in fewer]
        left = [np.where(rest, np.abs((shown - b) / m - marks), 0.0) for rest, (m, b) in zip(fewer, lines, strict=True)]
        k = int(np.argmin([o.max() for o in left]))
        if left[k].max() > 0.6 * off.max():
            break
        near, (slope, intercept), off = fewer[k], lines[k], left[k]
    line = (shown - intercept) / slope
    firm = near.sum() >= max(MIN_LABELS, len(near) / 2)
    # two marks and a third label in line with them are a scale as well, though that label has no mark
    third = not firm and near.sum() == 2 and len(near) == MIN_LABELS
    stays = ~near & (firm | third) & (np.abs(line - np.asarray(axis.pixels) - shift) <= max(_CENTRED, reach / 4))
    pixels = np.where(near, marks, line)
    kept = near | stays
    return replace(
        axis,
        pixels=tuple(map(float, pixels[kept])),
        values=tuple(v for v, k in zip(axis.values, kept, strict=True) if k),
        slope=slope,
        intercept=intercept,
        residual=float(off.max()),
        on_ticks=int((near if third else kept).sum()),
        left_out=axis.left_out + int((~kept).sum()),
    )


def continued(axis: Axis, ticks: ArrayLike) -> Axis:
    """The axis with the tick marks that go on after its last label at the labels' distance, two of them at least.

    Labels that run into each other are not read; the marks over them say how far the scale goes.
    """
    marks, values = np.asarray(ticks, dtype=float), np.asarray(axis.values)
    steps = np.diff(values)
    if axis.log or axis.on_ticks < len(values) or len(values) < MIN_LABELS or np.ptp(steps) > 1e-6 * steps[0]:
        return axis
    more: list[tuple[float, float]] = []
    while True:
        value = float(values[-1] + (len(more) + 1) * steps[0])
        gaps = np.abs(marks - axis.pixel(value))
        if not len(gaps) or gaps.min() > _SPOILT:
            break
        more.append((float(marks[gaps.argmin()]), value))
    if len(more) < 2:
        return axis
    pixels, beyond = zip(*more, strict=True)
    return replace(
        axis, pixels=(*axis.pixels, *pixels), values=(*axis.values, *beyond), on_ticks=axis.on_ticks + len(more)
    )


def confirmed(axis: Axis, ticks: ArrayLike) -> Axis:
    """The axis with the first and the last of its tick marks, where these say that the scale runs from 0 to 1 or 100.

    Labels that would touch are not printed: 25 and 75 % may be the only two. Five even tick marks or more, two of them
    under the labels, of which the first comes to stand at 0 and the last at 1 or 100, are no chance.
    """
    marks = np.sort(np.asarray(ticks, dtype=float))
    if axis.log or len(axis.values) != 2 or axis.on_ticks != 2 or len(marks) < _LATTICE:
        return axis
    even = np.linspace(marks[0], marks[-1], len(marks))
    ends = axis.value(marks[[-1, 0]])
    top = 1.0 if max(axis.values) <= 1 else 100.0
    near = 0.5 * abs(axis.slope) * np.ptp(marks) / (len(marks) - 1) * _ROUND
    if np.abs(even - marks).max() > _SPOILT or np.abs(ends - (0.0, top)).max() > near:
        return axis
    known = {round(v, 9): float(p) for v, p in zip(axis.values, axis.pixels, strict=True)}
    known |= {0.0: float(marks[-1]), top: float(marks[0])}
    values = tuple(sorted(known))
    pixels = tuple(known[v] for v in values)
    slope, intercept = _line(np.array(pixels), np.array(values))
    off = float(np.abs((np.array(values) - intercept) / slope - pixels).max())
    whole = replace(axis, pixels=pixels, values=values, slope=slope, intercept=intercept, residual=off)
    return replace(whole, on_ticks=len(values), even=_even(np.array(values)))


def with_flush(axis: Axis, words: Sequence[Word], ticks: ArrayLike, *, across: bool, reach: float) -> Axis:
    """The scale with labels that are set flush with their tick marks instead of centred on them, as the outermost often are.

    Every number in line with the labels counts for the tick mark nearest to its middle, if that stands under it; where these
    agree on one scale within `reach` pixels, it is taken if more labels stand on it.
    """
    t = np.asarray(ticks, dtype=float)
    if axis.log or not len(t):
        return axis
    pixels, values = [], []
    for word, value in _labels([w for w in words if w.angle == 0]):
        low, high, middle = (word.x0, word.x1, word.cx) if across else (word.y0, word.y1, word.cy)
        near = float(t[int(np.abs(t - middle).argmin())])
        aside = word.cy if across else word.x1 - 0.5
        if axis.band[0] <= aside <= axis.band[1] and low - reach - 1 <= near <= high + reach + 1:
            pixels.append(near)
            values.append(_whole(word.text, value, float(axis.value(near))))
    found = axis_through(pixels, values, tolerance=reach) if len(pixels) > axis.on_ticks else None
    own = len(found.values) if found is not None else 0
    if found is None or own < MIN_LABELS or own <= axis.on_ticks or found.slope * axis.slope < 0 or not found.even:
        return axis
    # a neighbouring plot's labels may stand on the same line
    moved = np.abs(found.pixel(axis.values) - axis.pixel(axis.values)).max()
    return replace(found, on_ticks=own, band=axis.band) if moved < _ELSEWHERE * axis.spacing else axis


def _whole(text: str, value: float, expected: float) -> float:
    """The number of a label; the one expected there where that is the printed one and a last 0, which readers lose."""
    rounded = float(f"{expected:.3g}")
    lost = text.isdigit() and value > 0 and f"{rounded:g}" == text + "0" and abs(expected / rounded - 1) < _MISSED
    return rounded if lost else value


def near_plot(words: Sequence[Word], x: Axis, y: Axis, others: Sequence[tuple[Axis, Axis]]) -> list[Word]:
    """The words round the plot of two axes: names, titles, numbers at risk; those of neighbouring plots left out."""
    left, right, top, bottom = min(x.pixels), max(x.pixels), min(y.pixels), max(y.pixels)
    wide, tall = right - left, bottom - top
    # under a low plot the table is higher than the plot
    below = max(_BELOW * tall, _TABLE * (x.band[1] - x.band[0]))
    # the highest label may be one below the head of the axis
    above = 0.4 * tall + (y.spacing if 3 * y.spacing <= tall else 0.0)
    box = [left - 0.7 * wide, top - above, right + 0.8 * wide, bottom + below]
    for a, b in others:
        beside = min(bottom, max(b.pixels)) > max(top, min(b.pixels))
        in_line = min(right, max(a.pixels)) > max(left, min(a.pixels))
        if beside and min(a.pixels) > right:
            box[2] = min(box[2], b.band[0] - 1 if b.band != (0.0, 0.0) else (right + min(a.pixels)) / 2)
        elif beside and max(a.pixels) < left:
            box[0] = max(box[0], max(a.pixels) + 0.05 * wide)
        elif in_line and min(b.pixels) > bottom:
            box[3] = min(box[3], min(b.pixels) - 0.12 * tall)
        elif in_line and max(b.pixels) < top:
            box[1] = max(box[1], (max(b.pixels) + top) / 2)
    return [w for w in words if box[0] < w.cx < box[2] and box[1] < w.cy < box[3]]


# how exactly a number is expected of which a 0 was lost
_MISSED = 0.02
# heights of the plot that a table with a block for each arm takes at most below it
_BELOW = 1.8
# letter heights that a table of numbers at risk takes at most
_TABLE = 32.0
_UNITS = {
    "day": "days",
    "week": "weeks",
    "wk": "weeks",
    "month": "months",
    "mo": "months",
    "year": "years",
    "yr": "years",
}


def axis_unit(words: Sequence[Word], axis: Axis) -> str:
    """The unit of time named under the labels of an x axis; empty where none is printed."""
    low, high = min(axis.pixels), max(axis.pixels)
    size = max(axis.band[1] - axis.band[0], 4.0)
    for word in sorted(words, key=lambda w: w.cy):
        if word.angle == 0 and low - size < word.cx < high + 4 * size and 0 <= word.cy - axis.band[0] < 5 * size:
            text = word.text.strip("()[],.:; ").lower()
            for stem, unit in _UNITS.items():
                if text in (stem, stem + "s") or (text.startswith(stem) and len(stem) > 3):
                    return unit
    return ""
