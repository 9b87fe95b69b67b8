"""Insets: plots with axes of their own inside another plot, drawn to show its curves larger; they are no figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from metagrove.figures.scales.axes import Axis

__all__ = ["Axes", "inset_boxes", "is_inset"]

Axes: TypeAlias = tuple[Axis, Axis]
_Box: TypeAlias = tuple[float, float, float, float]


def is_inset(plot: Axes, others: Sequence[Axes]) -> bool:
    """Whether the axes of a plot stand inside those of another."""
    return any(_inside(_extent(*plot), _extent(*other)) for other in others)


def inset_boxes(outer: Axes, others: Sequence[Axes]) -> tuple[_Box, ...]:
    """The boxes (left, top, right, bottom) of the insets of a plot, their labels included.

    What is painted over must be the inset's alone, so its labels have to stand inside too.
    """
    return tuple(_margined(*o) for o in others if _inside(_labelled(*o), _extent(*outer)))


def _inside(box: _Box, around: _Box) -> bool:
    """Whether a box stands off the sides of another; it may reach its right side."""
    return around[0] < box[0] and around[1] < box[1] and box[2] <= around[2] and box[3] < around[3]


def _extent(x: Axis, y: Axis) -> _Box:
    """Where the axes have their labels' tick marks."""
    return min(x.pixels), min(y.pixels), max(x.pixels), max(y.pixels)


def _labelled(x: Axis, y: Axis) -> _Box:
    """The same with the labels left and below."""
    return y.band[0], min(y.pixels), max(x.pixels), x.band[1]


def _margined(x: Axis, y: Axis) -> _Box:
    """The same with half of the outermost labels, which reach beyond their tick marks."""
    left, top, right, foot = _labelled(x, y)
    letter = x.band[1] - x.band[0]
    return left, top - letter, right + letter, foot
