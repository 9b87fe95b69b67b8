"""What a person tells about a figure beforehand; every part may be missing and the rest is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metagrove.core.errors import SpecError, UnknownName
from metagrove.figures.page import RGB, Word, rgb_colour
from metagrove.figures.scales.axes import Axis, axis_through, row_axes

__all__ = ["ArmHint", "Hints", "labelled", "read_hints"]

_KEYS = ("arms", "axes", "direction", "page", "region")
_ARM_KEYS = ("color", "name", "style")
STYLES = ("solid", "dashed", "dotted")


@dataclass(frozen=True, slots=True)
class ArmHint:
    """What is known of one arm; None where it is not."""

    name: str | None = None
    colour: RGB | None = None
    style: str | None = None


@dataclass(frozen=True, slots=True)
class Hints:
    """Scales, arms, region (left, top, right, bottom), page and direction, where given.

    `y` is in proportions (largest value <= 1) or percent, whatever the figure prints.
    """

    x: Axis | None = None
    y: Axis | None = None
    arms: tuple[ArmHint, ...] = ()
    region: tuple[float, float, float, float] | None = None
    page: int | None = None
    direction: str | None = None


def read_hints(given: Mapping[str, Any] | None) -> Hints:
    """Hints from their JSON form; raises SpecError that names the part which cannot be meant.

    >>> read_hints({"axes": {"x": [[50, 0], [250, 12]]}}).x.slope
    0.06
    """
    if not given:
        return Hints()
    if not isinstance(given, Mapping):
        raise SpecError('hints are an object such as {"axes": {...}, "arms": [...]}')
    for key in given:
        if key not in _KEYS:
            raise UnknownName("part of the hints", key, _KEYS)
    axes = given.get("axes") or {}
    if not isinstance(axes, Mapping) or not set(axes) <= {"x", "y"}:
        raise SpecError('hints: axes holds "x" and "y", each [[pixel, value], …]')
    direction = given.get("direction")
    if direction not in (None, "survival", "incidence"):
        raise SpecError(f"hints: direction is '{direction}'; it is survival or incidence")
    page = given.get("page")
    if page is not None and (not isinstance(page, int) or page < 1):
        raise SpecError(f"hints: page is {page!r}; pages count from 1")
    x, y = _axis(axes.get("x"), "x"), _axis(axes.get("y"), "y")
    if y is not None and (max(y.values) > 100 or min(y.values) < 0):
        raise SpecError(f"hints: y values run to {max(y.values):g}; they are proportions up to 1 or percent up to 100")
    return Hints(x, y, _arms(given.get("arms")), _region(given.get("region")), page, direction)


def labelled(hints: Hints, words: Sequence[Word]) -> Hints:
    """The hints with the ticks of a hinted time axis filled in from the row of labels on the page.

    A hint of two points says where time runs, not where numbers at risk stand; those stand under the labels. The scale
    stays the hinted one, also where the labels print something else. `words` are in the hints' own pixels.
    """
    x = hints.x
    if x is None or x.log:
        return hints
    reach = max(x.pixels) - min(x.pixels)
    rows = [row for row in row_axes(words, tolerance=max(2.5, 0.004 * reach)) if not row.log]
    foot = max(hints.y.pixels) if hints.y is not None else None
    best = None
    for row in rows:
        inside = sum(min(x.pixels) - 0.03 * reach <= p <= max(x.pixels) + 0.25 * reach for p in row.pixels)
        agrees = np.abs(x.value(row.pixels) - row.values).max() < 0.06 * float(np.ptp(row.values))
        ends = max(abs(min(row.pixels) - min(x.pixels)), abs(max(row.pixels) - max(x.pixels)))
        below = 0 <= row.band[1] - foot < 0.5 * reach if foot is not None else ends < 0.03 * reach
        if inside < len(row.pixels) or not (agrees or below):
            continue
        key = (not agrees, row.band[0])
        if best is None or key < best[0]:
            best = key, row, agrees
    if best is None:
        return hints
    _, row, agrees = best
    values = row.values if agrees else _told(x, row)
    ticks = dict(zip((*row.pixels, *x.pixels), (*values, *x.values), strict=True))
    # the hinted points stand for the labels beside them
    for pixel in row.pixels:
        if pixel not in x.pixels and any(abs(pixel - known) < 0.02 * reach for known in x.pixels):
            del ticks[pixel]
    places = sorted(ticks)
    return replace(hints, x=replace(x, pixels=tuple(places), values=tuple(ticks[p] for p in places), band=row.band))


def _told(x: Axis, row: Axis) -> tuple[float, ...]:
    """What the hinted scale makes of the labels: the printed values, stretched and moved as it says.

    A label's middle is off by a pixel or two, so stretch and move are rounded to what a person would have meant.
    """
    there, printed = x.value(row.pixels), np.asarray(row.values)
    stretch, move = np.polyfit(printed, there, 1)
    stretch = float(f"{stretch:.2g}") if abs(float(f"{stretch:.2g}") / stretch - 1) < 0.01 else float(stretch)
    spacing = float(np.diff(np.sort(there)).min())
    move = 0.0 if abs(move) < 0.1 * spacing else float(move)
    return tuple(float(f"{v:.6g}") for v in stretch * printed + move)


def _axis(pairs: Any, name: str) -> Axis | None:
    if pairs is None:
        return None
    try:
        table = np.array(pairs, dtype=float)
    except (TypeError, ValueError):
        table = np.zeros(0)
    if table.ndim != 2 or table.shape[1] != 2 or len(table) < 2 or not np.isfinite(table).all():
        raise SpecError(f"hints: axes.{name} is a list of at least two [pixel, value] pairs of numbers")
    reach = float(np.ptp(table[:, 0]))
    if reach <= 0 or np.ptp(table[:, 1]) <= 0:
        raise SpecError(f"hints: axes.{name} needs two different pixels with two different values")
    tolerance = max(0.01 * reach, 1e-6)
    for log in (False, True):
        axis = axis_through(table[:, 0], table[:, 1], tolerance=tolerance, log=log)
        if axis is not None and len(axis.values) == len(np.unique(table[:, 1])) and (not log or len(table) > 2):
            return axis
    raise SpecError(f"hints: the pairs of axes.{name} lie on no straight or logarithmic scale; check pixels and values")


def _arms(given: Any) -> tuple[ArmHint, ...]:
    if given is None:
        return ()
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise SpecError('hints: arms is a list such as [{"name": "Drug A", "color": "#d02020"}]')
    out = []
    for index, arm in enumerate(given, 1):
        if not isinstance(arm, Mapping):
            raise SpecError(f"hints: arm {index} is an object with name, color and style")
        for key in arm:
            if key not in _ARM_KEYS:
                raise UnknownName("part of an arm's hint", key, _ARM_KEYS)
        colour = rgb_colour(str(arm["color"])) if arm.get("color") else None
        if arm.get("color") and colour is None:
            raise SpecError(f"hints: the color of arm {index} is '{arm['color']}'; write it as #rrggbb")
        style = arm.get("style")
        if style is not None and style not in STYLES:
            raise UnknownName("line style", style, STYLES)
        name = arm.get("name")
        out.append(ArmHint(str(name) if name is not None else None, colour, style))
    return tuple(out)


def _region(given: Any) -> tuple[float, float, float, float] | None:
    if given is None:
        return None
    try:
        left, top, right, bottom = (float(v) for v in given)
    except (TypeError, ValueError):
        raise SpecError("hints: region is [left, top, right, bottom] in pixels") from None
    if not (left < right and top < bottom):
        raise SpecError("hints: region is [left, top, right, bottom]; left is less than right, top less than bottom")
    return left, top, right, bottom
