"""All curves of a plot drawn together onto their background, and moved until the drawing agrees with the picture.

Lightness and the two colours of a pixel are compared apart, each by how far picture and drawing usually differ in it:
compressed pictures keep colour at half the resolution. Pixels that differ by far count no more than in proportion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines import cells
from metagrove.figures.lines.pen import soft_edge

__all__ = ["PER", "Drawing", "Line", "Tones", "tones"]

Tones: TypeAlias = NDArray[np.float32]

#: Cells a column.
PER = 2
# rows that are tried in a pixel
_FINE = 2
# lightness and two colours of red, green and blue
_TONES = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_BLURS = (0.05, 0.3, 0.45, 0.6, 0.75, 0.9, 1.1, 1.35, 1.6, 1.9)
# how much softer colour may be than lightness
_SOFTER = (0.0, 0.3, 0.6, 0.9)
# differences of picture and drawing, in usual ones, up to which they count squared; the same at first
_CALM, _CALM_AT_FIRST = 3.0, 12.0
# the least usual difference, of 255, and the coverage that is ink
_LEAST, _INKED = 2.5, 0.03
# what a mark must explain, in squares of usual differences, and the share of a column that it covers at least
_MARK, _FAINT, _FEWEST = 6.0, 0.25, 4
# how far beyond the pen a mark may stand out, in pens and in pixels
_TALL, _OUT = (1.0, 1.8, 2.8, 4.0), 0.5
_THINNEST = 0.4
# the share of a column with a dash that tells where the line is
_WHOLE = 0.9
_MOST_ORDERS = 4
# lightness, colour and both among the channels of a pixel
_LIGHT, _COLOUR, _ALL = slice(0, 1), slice(1, 3), slice(0, 3)


def tones(rgb: NDArray[np.float32] | NDArray[np.uint8]) -> Tones:
    """Lightness and two colours of pixels or inks, the channel first."""
    return np.ascontiguousarray(np.moveaxis(rgb.astype(np.float32) @ _TONES.T, -1, 0))


@dataclass(slots=True, eq=False)
class Line:
    """A curve in a drawing: its rows, one a cell, and what draws it.

    `reach` is how far it may be moved, `share` how much of each column a dash takes, `marks` how much of it a mark takes,
    `half` how far marks reach up and down.
    """

    h: Array
    end: float
    width: float
    reach: float
    share: Array
    marks: Array
    half: float = 0.0
    first: Array = field(init=False)
    floor: float = field(init=False)

    def __post_init__(self) -> None:
        self.first, self.floor = self.h.copy(), float(self.h[0]) - 0.3


class Drawing:
    """Curves drawn over a background, with the picture that they should give.

    Parameters
    ----------
    picture, ground : colours of the pixels with and without curves, shape (3, rows, columns), as `tones` gives them.
    use : the pixels that may tell anything, shape (rows, columns).
    inks : the colours of the lines, shape (lines, 3).
    blur : how soft the picture is, in pixels.
    """

    def __init__(
        self, picture: Tones, ground: Tones, use: NDArray[np.bool_], lines: Sequence[Line], inks: Tones, blur: float
    ) -> None:
        self.picture, self.ground, self.lines, self.inks = picture, ground, list(lines), inks
        self.blurs, self.order = (blur, blur), np.arange(len(lines))
        shape = (len(lines), 2, *use.shape)
        self._ink, self._marks = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._bounds = [_bounds(line, use.shape) for line in lines]
        near = np.zeros(use.shape, bool)
        for top, bottom in self._bounds:
            rows = np.arange(use.shape[0])[:, None]
            near |= (rows >= top) & (rows < bottom)
        self._rows, self._columns = np.nonzero(near & use)
        self._seen = picture[:, self._rows, self._columns]
        self._colours = np.empty_like(self._seen)
        self._each = np.zeros(self._seen.shape)
        self._stale = np.ones((2, len(self._rows)), bool)
        self._own = [_within(b, self._rows, self._columns) for b in self._bounds]
        self._scene = np.zeros((4, *picture.shape), np.float32)
        self._room = np.zeros(use.shape, np.float32)
        self._usual, self._calm = np.full(3, 10.0, np.float32), _CALM_AT_FIRST
        self._draw()

    @property
    def usual(self) -> NDArray[np.float32]:
        """How far picture and drawing usually differ where there is ink, in lightness and two colours."""
        return self._usual

    def fit(self) -> None:
        """Moves all lines to where the drawing agrees best, with the widths, blurs, order and marks that do."""
        self._judge(_CALM)
        self._measure()
        self._look(wide=True)
        self._measure()
        self._mark()
        self._look()
        self._measure()
        for _ in range(3):
            self._search()
        self._mark()
        self._judge(_CALM_AT_FIRST)
        for _ in range(3):
            self._descend((3.0, 2.0, 1.0, 0.4))
        self._judge(_CALM)
        self._mark()
        self._look()
        self._measure()
        for _ in range(4):
            self._descend((1.0, 0.4))

    def simplify(self, worth: float, longest: int) -> None:
        """Leaves out steps that explain less than `worth` usual differences squared; short levels may become part of a drop."""
        for k, line in enumerate(self.lines):
            scene, pen, marks = self._scene_of(k), self._pen(k), self._amounts(k)
            for part in (0.1, 0.3, 1.0):
                cells.fewer(part * worth, longest, line.h, pen, scene, marks, self._room)
                cells.descended(0.3, False, line.floor, line.h, pen, scene, marks, self._room)
            # the last pixels, where a mark or a drop may stand, tell nothing: the line ends as it was read
            last = max(int((line.end - line.width / 2 - 1) * PER), 1)
            line.h[last:] = line.h[last - 1] + line.first[last:] - line.first[last - 1]
            self._draw(k)

    def loss(self) -> float:
        """How far picture and drawing differ, in squares of what is usual."""
        return float(self._losses().sum())

    def _losses(self, tone: slice = _ALL) -> Array:
        """The loss of lightness and of each colour; pixels that nothing has touched since are not looked at again."""
        losses = cells.composed(
            self._stale,
            tone.start,
            tone.stop,
            self._rows,
            self._columns,
            self.ground,
            self._ink,
            self._marks,
            self.inks,
            self.order,
            self._seen,
            self._usual,
            self._calm,
            self._colours,
            self._each,
        )
        return np.asarray(losses[tone])

    def _judge(self, calm: float) -> None:
        """Sets up to how many usual differences count squared."""
        self._calm = calm
        self._stale[:] = True

    def _tables(self) -> tuple[Array, Array]:
        return soft_edge(self.blurs[0]), soft_edge(self.blurs[1])

    def _amounts(self, k: int) -> Array:
        """Marks of a line by column, in lightness and in colour, which may be softer."""
        own = self.lines[k].marks
        if self.blurs[1] < self.blurs[0] + 0.25:
            return np.array([own, own])
        wide = np.pad(own, 1)
        return np.array([own, 0.25 * wide[:-2] + 0.5 * own + 0.25 * wide[2:]])

    def _draw(self, only: int | None = None, *, kinds: Sequence[int] = (0, 1), bare: bool = False) -> None:
        """Draws all lines or one, in lightness (0) and colour (1); `bare` leaves the lines, and draws their marks anew."""
        tables = self._tables()
        for k, line in enumerate(self.lines):
            if only not in (None, k):
                continue
            amounts = self._amounts(k)
            for kind in kinds:
                table, bounds = tables[kind], self._bounds[k]
                if not bare:
                    across = cells.spread(table, line.width, PER)
                    share = line.share.astype(np.float32)
                    cells.line_drawn(line.h, line.end, line.width, share, table, across, bounds, self._ink[k, kind])
                cells.marks_drawn(line.h, PER, amounts[kind], line.half, table, bounds, self._marks[k, kind])
                self._stale[kind, self._own[k]] = True

    def _measure(self) -> None:
        """Sets the usual differences by the pixels that are drawn as ink."""
        self.loss()
        inked = self._ink.max(axis=(0, 1))[self._rows, self._columns] > _INKED
        if inked.any():
            off = np.abs(self._colours - self._seen)[:, inked]
            self._usual = np.maximum(1.48 * np.median(off, axis=1), _LEAST)
            self._stale[:] = True

    def _tried(
        self,
        put: Callable[[float], None],
        values: Sequence[float],
        only: int | None = None,
        *,
        tone: slice = _ALL,
        bare: bool = False,
    ) -> None:
        """Puts the value with which the drawing agrees best in lightness, colour or both; it changes marks alone if `bare`."""
        kinds = [kind for kind in (0, 1) if tone.start <= kind < tone.stop]
        losses = []
        for value in values:
            put(value)
            self._draw(only, kinds=kinds, bare=bare)
            losses.append(self._losses(tone).sum())
        put(values[int(np.argmin(losses))])
        self._draw(only, bare=bare)

    def _look(self, *, wide: bool = False) -> None:
        """Sets blurs, widths, heights of marks and the order of the lines."""

        def light(value: float) -> None:
            self.blurs = (value, self.blurs[1])

        def colour(value: float) -> None:
            self.blurs = (self.blurs[0], value)

        near = [b for b in _BLURS if wide or abs(b - self.blurs[0]) < 0.32]
        self._tried(light, near, tone=_LIGHT)
        for k, line in enumerate(self.lines):
            self._width(k, [max(line.width + step, _THINNEST) for step in (-0.2, 0.0, 0.2)])
        self._tried(colour, [self.blurs[0] + s for s in _SOFTER], tone=_COLOUR)
        for k, line in enumerate(self.lines):
            if line.half:
                self._half(k, [line.half * s for s in (0.6, 0.8, 1.0, 1.25, 1.6)])
        self._stack()

    def _width(self, k: int, values: Sequence[float]) -> None:
        def put(value: float) -> None:
            self.lines[k].width = value

        self._tried(put, values, k, tone=_LIGHT)

    def _half(self, k: int, values: Sequence[float]) -> None:
        def put(value: float) -> None:
            self.lines[k].half = value

        self._tried(put, values, k, bare=True)

    def _stack(self) -> None:
        """Sets which line lies on which: all orders of a few lines, else neighbours exchanged."""
        count = len(self.lines)
        if count <= _MOST_ORDERS:
            offers = [np.array(order) for order in permutations(range(count))]
        else:
            swaps = [np.arange(count) for _ in range(count)]
            for k in range(count - 1):
                swaps[k + 1][[k, k + 1]] = k + 1, k
            offers = [self.order[s] for s in swaps]
        drawn = (self._ink != 0) | (self._marks != 0)
        shared = drawn.any(axis=1).sum(axis=0)[self._rows, self._columns] > 1
        losses = []
        for order in offers if shared.any() else offers[:1]:
            self.order = order
            self._stale[:, shared] = True
            losses.append(self.loss())
        self.order = offers[int(np.argmin(losses))]
        self._stale[:, shared] = True

    def _scene_of(self, k: int) -> tuple[Tones, Tones, Tones, Tones]:
        """What moves of a line change: errors of the picture, slopes and weights of its pixels."""
        line = self.lines[k]
        inside = (np.arange(len(line.share)) < line.end - line.width / 2 - 1) & (line.share > _WHOLE)
        scene = self._scene[0], self._scene[1], self._scene[2], self._scene[3]
        cells.slopes(
            k,
            self._rows,
            self._columns,
            self.ground,
            self._ink,
            self._marks,
            self.inks,
            self.order,
            self._seen,
            self._usual,
            self._calm,
            inside,
            scene,
        )
        return scene

    def _pen(self, k: int) -> tuple[float, float, Array, Array, Array, Array]:
        line, (light, colour) = self.lines[k], self._tables()
        across = [cells.spread(table, line.width, PER) for table in (light, colour)]
        return line.width, line.half, light, colour, across[0], across[1]

    def _search(self) -> None:
        """Puts each line where the drawing without blur agrees best of all falling lines near where it was read."""
        for k, line in enumerate(self.lines):
            before, old = self.loss(), line.h
            error, slope, weight, mark_slope = self._scene_of(k)
            gain = cells.inked_down(weight, slope, error, self._ink[k])
            mark_gain = cells.inked_down(weight, mark_slope, error, self._marks[k]) if line.half else gain
            line.h = cells.best_fall(
                line.first, PER, line.width, line.half, line.marks, gain, mark_gain, line.reach, _FINE, line.floor
            )
            self._draw(k)
            if self.loss() > before:
                line.h = old
                self._draw(k)

    def _descend(self, sizes: Sequence[float]) -> None:
        for k, line in enumerate(self.lines):
            scene, pen, marks = self._scene_of(k), self._pen(k), self._amounts(k)
            for size in sizes:
                cells.descended(size, True, line.floor, line.h, pen, scene, marks, self._room)
            self._draw(k)

    def _mark(self) -> None:
        """Sets the marks of each line, where marks of its height, or of any, make up for themselves."""
        for k, line in enumerate(self.lines):
            known = {other.half for other in self.lines if other.half}
            line.marks, line.half = np.zeros_like(line.marks), 0.0
            self._draw(k, bare=True)
            best = (self.loss(), 0.0, line.marks)
            for half in sorted(known) or [line.width * (0.5 + out) + _OUT for out in _TALL]:
                line.half, line.marks = half, np.zeros_like(line.marks)
                amount = self._amount(k)
                if (amount > 0).sum() < _FEWEST:
                    continue
                line.marks = amount
                self._draw(k, bare=True)
                best = min(best, (self.loss() + _MARK * float(amount.sum()), half, amount), key=lambda b: b[0])
            _, line.half, line.marks = best
            self._draw(k, bare=True)

    def _amount(self, k: int) -> Array:
        """The shares of the columns that marks on an unmarked line cover, by least squares."""
        line = self.lines[k]
        full = np.zeros(self._room.shape, np.float32)
        table = self._tables()[0]
        cells.marks_drawn(line.h, PER, np.ones_like(line.marks), line.half, table, self._bounds[k], full)
        error, _, weight, slope = self._scene_of(k)
        kinds = slice(0, 1) if self.blurs[1] >= self.blurs[0] + 0.25 else slice(0, 3)
        change = full * slope[kinds]
        told = (weight[kinds] * change * error[kinds]).sum(axis=(0, 1)) - _MARK / 2
        amount = np.clip(told / np.maximum((weight[kinds] * change**2).sum(axis=(0, 1)), 1e-9), 0, 1)
        return np.where(amount < _FAINT, 0.0, amount)


def _bounds(line: Line, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The rows of each column that a line may touch on its way, shape (2, columns)."""
    tall, wide = shape
    out = np.zeros((2, wide), np.int64)
    beside = int(np.ceil(line.width / 2 + 4))
    room = line.reach + line.width / 2 + 4
    for column in range(min(int(line.end) + 8, wide)):
        first = min(max((column - beside) * PER, 0), len(line.h) - 1)
        last = min((column + beside + 1) * PER, len(line.h) - 1)
        out[:, column] = int(line.h[first] - room), int(line.h[last] + room) + 1
    return np.clip(out, 0, tall)


def _within(bounds: NDArray[np.int64], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which of the listed pixels lie within the bounds of a line."""
    return np.flatnonzero((rows >= bounds[0, columns]) & (rows < bounds[1, columns]))
