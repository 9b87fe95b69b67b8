"""The search for the staircase whose drawing agrees best with a picture: compiled loops over columns and steps.

Every function takes the staircase as arrays `begin` and `height`, the picture as `cover` with `known` pixels within
`bounds` of each column, and the pen as `width` with the soft edges `down` and `across`, tabulated at 32 places a pixel;
`seen` counts known and all pixels near the line up to each column, `out` is room for one column.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

__all__ = ["column_drawn", "difference", "fewer", "finer", "swept"]

F = TypeVar("F", bound=Callable[..., object])


def _compiled(function: F) -> F:
    return cast(F, numba.njit(cache=True, nogil=True)(function))


@_compiled
def _part(table: Any, reach: float, distance: float) -> float:
    """The tabulated share at a distance."""
    if distance <= -reach:
        return 0.0
    if distance >= reach:
        return 1.0
    at = (distance + reach) * 32.0
    k = int(at)
    share = at - k
    return float(table[k] * (1 - share) + table[k + 1] * share)


@_compiled
def column_drawn(
    column: int, top: int, bottom: int, begin: Any, height: Any, width: float, down: Any, across: Any, out: Any
) -> None:
    """The drawn share of the pixels `top` to `bottom` of a column, into `out`; `down` and `across` are soft edges."""
    levels = begin.shape[0]
    reach_x, reach_y = (across.shape[0] // 2) / 32.0, (down.shape[0] // 2) / 32.0
    middle = column + 0.5
    here, stop = middle - reach_x, middle + reach_x
    half = width / 2
    upper = max(np.searchsorted(begin, here - half, side="right") - 1, 0)
    lower = max(np.searchsorted(begin, here + half, side="right") - 1, 0)
    for r in range(top, bottom):
        out[r - top] = 0.0
    before = 0.0
    while here < stop:
        following = stop
        if upper + 1 < levels:
            following = min(following, begin[upper + 1] + half)
        if lower + 1 < levels:
            following = min(following, begin[lower + 1] - half)
        past = 1 - _part(across, reach_x, middle - following) if following < stop else 1.0
        weight = past - before
        if weight > 0:
            high, low = height[upper] - half, height[lower] + half
            first = max(top, int(high - reach_y - 0.5))
            last = min(bottom, int(low + reach_y + 0.5) + 1)
            for r in range(first, last):
                out[r - top] += weight * (_part(down, reach_y, r + 0.5 - high) - _part(down, reach_y, r + 0.5 - low))
        before = past
        here = following
        while upper + 1 < levels and begin[upper + 1] + half <= here:
            upper += 1
        while lower + 1 < levels and begin[lower + 1] - half <= here:
            lower += 1


@_compiled
def difference(
    first: int,
    last: int,
    cover: Any,
    known: Any,
    bounds: Any,
    begin: Any,
    height: Any,
    width: float,
    down: Any,
    across: Any,
    out: Any,
) -> float:
    """Squared difference of drawing and picture over columns `first` to `last`."""
    total = 0.0
    for c in range(max(first, 0), min(last, cover.shape[1])):
        top, bottom = bounds[0, c], bounds[1, c]
        if bottom <= top:
            continue
        column_drawn(c, top, bottom, begin, height, width, down, across, out)
        for r in range(top, bottom):
            if known[r, c]:
                gap = cover[r, c] - out[r - top]
                total += gap * gap
    return total


@_compiled
def _moved(
    values: Any,
    k: int,
    low: float,
    high: float,
    size: float,
    first: int,
    last: int,
    cover: Any,
    known: Any,
    bounds: Any,
    begin: Any,
    height: Any,
    width: float,
    down: Any,
    across: Any,
    out: Any,
) -> float:
    """Moves `values[k]` (of `begin` or `height`) to the least loss near it, between `low` and `high`; the loss there."""
    old = values[k]
    best = difference(first, last, cover, known, bounds, begin, height, width, down, across, out)
    left, right = max(old - size, low), min(old + size, high)
    if right - left < 1e-3:
        return best
    values[k] = left
    a = difference(first, last, cover, known, bounds, begin, height, width, down, across, out)
    values[k] = right
    b = difference(first, last, cover, known, bounds, begin, height, width, down, across, out)
    place, least = old, best
    if a < least:
        place, least = left, a
    if b < least:
        place, least = right, b
    # the vertex of the parabola through the three
    da, db = left - old, right - old
    if da < -1e-6 and db > 1e-6:
        curve = (a - best) / da - (b - best) / db
        slope = da - db
        bend = curve / slope
        if bend > 1e-9:
            lean = (a - best) / da - bend * da
            tip = min(max(old - lean / (2 * bend), left), right)
            values[k] = tip
            c = difference(first, last, cover, known, bounds, begin, height, width, down, across, out)
            if c < least:
                place, least = tip, c
    values[k] = place
    return least


@_compiled
def _share(seen: Any, first: float, last: float) -> float:
    """The share of the pixels near the line that is known between two columns."""
    near, far = max(int(first), 0), min(int(last) + 1, seen.shape[1] - 1)
    if far <= near or seen[1, far] <= seen[1, near]:
        return 0.0
    return float((seen[0, far] - seen[0, near]) / (seen[1, far] - seen[1, near]))


@_compiled
def swept(
    begin: Any,
    height: Any,
    floor: float,
    end: float,
    size: float,
    seen: Any,
    cover: Any,
    known: Any,
    bounds: Any,
    width: float,
    down: Any,
    across: Any,
    out: Any,
    place: int,
    stop: int,
) -> None:
    """Moves the jumps and levels `place` to `stop`, each in turn, to where the drawing agrees better."""
    levels = begin.shape[0]
    reach = width / 2 + (across.shape[0] // 2) / 32.0 + 1
    for k in range(max(place, 0), min(stop, levels)):
        until = begin[k + 1] if k + 1 < levels else end
        if k > 0 and _share(seen, begin[k] - 2, begin[k] + 2) > 0.5:
            _moved(
                begin,
                k,
                begin[k - 1] + 0.05,
                until - 0.05,
                size,
                int(begin[k] - size - reach),
                int(begin[k] + size + reach) + 1,
                cover,
                known,
                bounds,
                begin,
                height,
                width,
                down,
                across,
                out,
            )
        low = height[k - 1] + 0.02 if k > 0 else floor
        high = height[k + 1] - 0.02 if k + 1 < levels else height[k] + 2
        if k == 0:
            high = min(high, floor + 2.0)
        if _share(seen, begin[k] - 1, until + 1) > 0.4 and (k > 0 or until > width + 4):
            _moved(
                height,
                k,
                low,
                high,
                size,
                int(begin[k] - reach),
                int(until + reach) + 1,
                cover,
                known,
                bounds,
                begin,
                height,
                width,
                down,
                across,
                out,
            )


@_compiled
def fewer(
    begin: Any,
    height: Any,
    floor: float,
    end: float,
    worth: float,
    longest: float,
    seen: Any,
    cover: Any,
    known: Any,
    bounds: Any,
    width: float,
    down: Any,
    across: Any,
    out: Any,
) -> Any:
    """The staircase without the steps that explain less than `worth`; `seen` are the known pixels up to each column."""
    reach = width / 2 + (across.shape[0] // 2) / 32.0 + 2
    k = 1
    while k < begin.shape[0]:
        levels = begin.shape[0]
        until = begin[k + 1] if k + 1 < levels else end
        if _share(seen, begin[k] - 2, min(until, begin[k] + longest) + 2) < 0.6:
            k += 1
            continue
        first = int(begin[k - 1] - reach) if begin[k] - begin[k - 1] < longest else int(begin[k] - longest - reach)
        after = begin[k + 2] if k + 2 < levels else end
        last = int(min(after, until + longest) + reach) + 1
        now = difference(first, last, cover, known, bounds, begin, height, width, down, across, out)
        least, which = now + worth, 0
        kept_b, kept_h = begin, height
        for way in range(2):
            b = np.empty(levels - 1)
            h = np.empty(levels - 1)
            b[:k], h[:k] = begin[:k], height[:k]
            b[k:], h[k:] = begin[k + 1 :], height[k + 1 :]
            if way == 0:
                # the level before takes the place of both
                long = max(begin[k] - begin[k - 1], 0.01)
                own = max(until - begin[k], 0.01)
                if k > 1:
                    h[k - 1] = (height[k - 1] * long + height[k] * own) / (long + own)
            else:
                if k + 1 >= levels or until - begin[k] > longest:
                    continue
                depth = max(height[k + 1] - height[k - 1], 1e-6)
                b[k] = (begin[k] * (height[k] - height[k - 1]) + until * (height[k + 1] - height[k])) / depth
            for _ in range(2):
                swept(b, h, floor, end, 0.35, seen, cover, known, bounds, width, down, across, out, k - 1, k + 1)
            loss = difference(first, last, cover, known, bounds, b, h, width, down, across, out)
            if loss < least:
                least, which = loss, 1
                kept_b, kept_h = b, h
        if which:
            begin, height = kept_b, kept_h
        else:
            k += 1
    return begin, height


@_compiled
def finer(
    begin: Any,
    height: Any,
    floor: float,
    end: float,
    worth: float,
    seen: Any,
    cover: Any,
    known: Any,
    bounds: Any,
    width: float,
    down: Any,
    across: Any,
    out: Any,
) -> Any:
    """The staircase with deep jumps parted in two where the drawing is better so by more than `worth`."""
    reach = width / 2 + (across.shape[0] // 2) / 32.0 + 3
    k = 1
    while k < begin.shape[0]:
        levels = begin.shape[0]
        depth = height[k] - height[k - 1]
        if depth < 2 * width + 2 or _share(seen, begin[k] - 2, begin[k] + 2) < 0.7:
            k += 1
            continue
        until = begin[k + 1] if k + 1 < levels else end
        first, last = int(begin[k] - 2 - reach), int(begin[k] + 2 + reach) + 1
        least = difference(first, last, cover, known, bounds, begin, height, width, down, across, out) - worth
        kept_b, kept_h = begin, height
        for part in range(1, 4):
            b = np.empty(levels + 1)
            h = np.empty(levels + 1)
            b[:k], h[:k] = begin[:k], height[:k]
            b[k + 1 :], h[k + 1 :] = begin[k:], height[k:]
            b[k] = max(begin[k] - 0.6, (begin[k] + begin[k - 1]) / 2)
            b[k + 1] = min(begin[k] + 0.6, (begin[k] + until) / 2)
            h[k] = height[k - 1] + depth * part / 4
            for _ in range(4):
                swept(b, h, floor, end, 0.6, seen, cover, known, bounds, width, down, across, out, k, k + 2)
            loss = difference(first, last, cover, known, bounds, b, h, width, down, across, out)
            if loss < least:
                least = loss
                kept_b, kept_h = b, h
        k += 2 if kept_b.shape[0] > levels else 1
        begin, height = kept_b, kept_h
    return begin, height
