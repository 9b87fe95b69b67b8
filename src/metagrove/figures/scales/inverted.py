"""Figures whose y axis runs downwards: turned upside down before reading, and the reading turned back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metagrove.figures.files.image import Box, Picture
from metagrove.figures.hints import Hints
from metagrove.figures.page import Page, Word
from metagrove.figures.reading import FigureReading
from metagrove.figures.scales.axes import Axis

__all__ = ["flipped_hints", "flipped_page", "flipped_picture", "flipped_reading", "flipped_words", "runs_down"]


def runs_down(hints: Hints) -> bool:
    """Whether the hinted y axis has its larger values further down."""
    return hints.y is not None and hints.y.slope > 0


def _axis(axis: Axis, height: float) -> Axis:
    pixels = tuple(height - p for p in axis.pixels)
    return replace(axis, pixels=pixels, slope=-axis.slope, intercept=axis.intercept + axis.slope * height)


def _box(box: Box, height: float) -> Box:
    return box[0], height - box[3], box[2], height - box[1]


def flipped_hints(hints: Hints, height: float) -> Hints:
    """The hints for a page or picture of that height, turned upside down."""
    region = _box(hints.region, height) if hints.region is not None else None
    return replace(hints, y=_axis(hints.y, height) if hints.y is not None else None, region=region)


def flipped_words(words: Sequence[Word], height: float) -> tuple[Word, ...]:
    """The words, still readable, at their places upside down."""
    return tuple(replace(w, y0=height - w.y1, y1=height - w.y0) for w in words)


def flipped_page(page: Page) -> Page:
    """The drawing upside down, its words still readable."""
    turn = np.array([1.0, -1.0])
    strokes = tuple(replace(s, points=s.points * turn + [0.0, page.height]) for s in page.strokes)
    return replace(page, words=flipped_words(page.words, page.height), strokes=strokes)


def flipped_picture(picture: Picture) -> Picture:
    """The picture upside down; for pictures that have not been turned otherwise."""
    return replace(picture, rgb=np.ascontiguousarray(picture.rgb[::-1]))


def flipped_reading(reading: FigureReading, height: float) -> FigureReading:
    """The reading of an upside-down page, its places as on the page itself; the numbers stay."""
    cells = tuple(replace(c, box=_box(c.box, height)) for c in reading.cells)
    return replace(
        reading, y=_axis(reading.y, height), frame=_box(reading.frame, height), cells=cells, rotation=-reading.rotation
    )
