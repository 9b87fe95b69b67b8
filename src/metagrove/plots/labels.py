"""Labels beside points: in the first free place around each, a number and a list where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from metagrove.plots.marks import Line, Mark, Text, fold, text_width
from metagrove.plots.style import Style

__all__ = ["Box", "Spot", "along", "place_labels"]

Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Spot:
    """A point to be labelled: its place, its label ("" for none), and the radius of its dot, all in points."""

    x: float
    y: float
    label: str
    r: float = 3.0

    @property
    def box(self) -> Box:
        """Left, top, right and bottom of the dot."""
        return self.x - self.r, self.y - self.r, self.x + self.r, self.y + self.r


def place_labels(
    spots: Sequence[Spot], style: Style, area: Box, lines: Iterable[Mark] = ()
) -> tuple[list[Mark], list[str]]:
    """The labels that found room, and what the numbers mean that stand where a label did not.

    Parameters
    ----------
    spots : the points, the most important first; a label keeps clear of all of them.
    area : left, top, right and bottom of the ground that labels may use.
    lines : marks of which the lines must not run through labels.
    """
    s = 0.88 * style.size
    full = [spot.box for spot in spots] + [box for mark in lines if isinstance(mark, Line) for box in along(mark)]
    marks: list[Mark] = []
    listed: list[str] = []
    for spot in spots:
        words = fold(spot.label, s, 1e6)[0]
        if not words:
            continue
        number = str(len(listed) + 1)
        found = _first_free(spot, words, s, area, full) or _first_free(spot, number, s, area, full)
        if found is None:
            listed.append(words)
            continue
        box, text = found
        full.append(box)
        marks.append(Text(box[0], box[1] + 0.95 * s, text, s, style.palette.muted, over=True))
        if text != words:
            listed.append(f"{number}\u00a0{words}")
    return marks, listed


def _first_free(spot: Spot, text: str, s: float, area: Box, full: Sequence[Box]) -> tuple[Box, str] | None:
    around = _around(spot, text_width(text, s), s)
    free = (box for box in around if _inside(box, area) and not any(_meet(box, other) for other in full))
    box = next(free, None)
    return None if box is None else (box, text)


def _around(spot: Spot, wide: float, s: float) -> list[Box]:
    """Boxes around a dot: right, left, above, below, and the corners between."""
    gap, tall = spot.r + 0.25 * s, 1.3 * s
    right, left, above, below = spot.x + gap, spot.x - gap - wide, spot.y - gap - tall, spot.y + gap
    middle, level = spot.x - wide / 2, spot.y - tall / 2
    starts = [(right, level), (left, level), (middle, above), (middle, below)]
    near = 0.7 * gap
    starts += [(spot.x + near, spot.y - near - tall), (spot.x + near, spot.y + near)]
    starts += [(spot.x - near - wide, spot.y - near - tall), (spot.x - near - wide, spot.y + near)]
    return [(a, b, a + wide, b + tall) for a, b in starts]


def along(line: Line, reach: float = 3.0) -> list[Box]:
    """Small boxes that cover a line, each `reach` points to all sides."""
    boxes = []
    for (x0, y0), (x1, y1) in pairwise(line.points):
        steps = max(1, int(max(abs(x1 - x0), abs(y1 - y0)) / 4))
        for i in range(steps + 1):
            x, y = x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps
            boxes.append((x - reach, y - reach, x + reach, y + reach))
    return boxes


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _inside(a: Box, b: Box) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2] and a[3] <= b[3]
