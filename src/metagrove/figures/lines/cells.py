"""Falling lines drawn cell by cell, and moved where the drawing agrees better with a picture: compiled loops.

A line is an array of rows `h`, one a cell, `per` cells a column. A square pen of width w puts its upper edge at
h(x - w/2) - w/2 and its lower edge at h(x + w/2) + w/2, so the share of a pixel that it covers is a sum over cells of
a soft step across (`spread`) times a soft step down (tables of `soft_edge`). Lightness and colour are blurred apart.

`pen` is (width, half height of a mark, soft edge of lightness, of colour, spread of lightness, of colour); `scene` is
(error, slope, weight, slope of marks), each of shape (3, rows, columns) for lightness and two colours: how far the
picture is from the whole drawing, what full ink of this arm would change, and how much a pixel counts; `marks` is the
amount of a mark in each column in lightness and in colour; `room` is an array of zeros to work in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

__all__ = [
    "best_fall",
    "changed",
    "composed",
    "descended",
    "fewer",
    "inked_down",
    "line_drawn",
    "marks_drawn",
    "slopes",
    "spread",
]

F = TypeVar("F", bound=Callable[..., object])

# what it costs, in squares of usual differences, to move a cell by a row where no pixel tells anything
_TIED = 0.05
# the same for joining levels, which would else join what nothing shows
_KEPT = 1.0


def _compiled(function: F) -> F:
    return cast(F, numba.njit(cache=True, nogil=True)(function))


@_compiled
def _part(table: Any, distance: float) -> float:
    """The share of a pixel that lies beyond an edge at a distance, tabulated at 32 places a pixel."""
    middle = table.shape[0] // 2
    at = distance * 32.0 + middle
    if at <= 0:
        return 0.0
    if at >= table.shape[0] - 1:
        return 1.0
    k = int(at)
    return float(table[k] + (at - k) * (table[k + 1] - table[k]))


@_compiled
def spread(table: Any, width: float, per: int) -> Any:
    """How a cell's upper and lower edge fall onto columns: shape (per, 2, columns), its own column in the middle."""
    far = int(np.ceil(width / 2 + table.shape[0] // 2 / 32.0 + 1))
    out = np.zeros((per, 2, 2 * far + 1))
    for p in range(per):
        for t in range(2 * far + 1):
            x = t - far + 0.5
            for edge in range(2):
                off = width / 2 if edge == 0 else -width / 2
                out[p, edge, t] = _part(table, x - p / per - off) - _part(table, x - (p + 1) / per - off)
    return out


@_compiled
def line_drawn(h: Any, end: float, width: float, share: Any, table: Any, across: Any, bounds: Any, out: Any) -> None:
    """The line's share of each pixel within bounds, into `out`; dashes take a `share` of each column."""
    count, per, far = h.shape[0], across.shape[0], across.shape[2] // 2
    run, first, upper, lower = _edges_down(h, width, table)
    tall = upper.shape[1]
    ink = np.empty(out.shape[0], np.float32)
    for column in range(out.shape[1]):
        top, bottom = bounds[0, column], bounds[1, column]
        if bottom <= top:
            continue
        ink[top:bottom] = 0.0
        for t in range(2 * far + 1):
            for p in range(per):
                above, below = across[p, 0, t], across[p, 1, t]
                if above == 0 and below == 0:
                    continue
                k = run[min(max((column + far - t) * per + p, 0), count - 1)]
                begin = max(first[k], top)
                stop = max(min(first[k] + tall, bottom), begin)
                high, low = upper[k, begin - first[k] :], lower[k, begin - first[k] :]
                partly = ink[begin:stop]
                for r in range(partly.shape[0]):
                    partly[r] += above * high[r] - below * low[r]
                wholly = ink[stop:bottom]
                for r in range(wholly.shape[0]):
                    wholly[r] += above - below
        part = min(max(end - column, 0.0), 1.0)
        for r in range(top, bottom):
            out[r, column] = np.float32(min(max(ink[r], 0.0), 1.0) * part) * share[column]


@_compiled
def _edges_down(h: Any, width: float, table: Any) -> Any:
    """The run of equal rows that each cell is in, and for each run the first row that its pen touches.

    With them come the shares of the rows from there on that lie beyond the pen's upper and its lower edge, until both are 1.
    """
    reach = table.shape[0] // 2 / 32.0
    tall = int(width + 2 * reach) + 4
    run = np.zeros(h.shape[0], np.int64)
    for c in range(1, h.shape[0]):
        run[c] = run[c - 1] + (1 if h[c] != h[c - 1] else 0)
    first = np.empty(run[-1] + 1, np.int64)
    upper, lower = np.empty((first.shape[0], tall)), np.empty((first.shape[0], tall))
    for c in range(h.shape[0]):
        if c > 0 and run[c] == run[c - 1]:
            continue
        k = run[c]
        first[k] = int(np.floor(h[c] - width / 2 - reach - 0.5))
        for r in range(tall):
            y = first[k] + r + 0.5 - h[c]
            upper[k, r], lower[k, r] = _part(table, y + width / 2), _part(table, y - width / 2)
    return run, first, upper, lower


@_compiled
def marks_drawn(h: Any, per: int, amount: Any, half: float, table: Any, bounds: Any, out: Any) -> None:
    """The share of each pixel within bounds that marks on the line cover, into `out`."""
    for column in range(out.shape[1]):
        if amount[column] == 0:
            out[bounds[0, column] : bounds[1, column], column] = 0.0
            continue
        row = h[min(column * per + per // 2, h.shape[0] - 1)]
        for r in range(bounds[0, column], bounds[1, column]):
            y = r + 0.5 - row
            out[r, column] = amount[column] * (_part(table, y + half) - _part(table, y - half))


@_compiled
def composed(
    stale: Any,
    first: int,
    last: int,
    rows: Any,
    columns: Any,
    ground: Any,
    lines: Any,
    marks: Any,
    inks: Any,
    order: Any,
    seen: Any,
    usual: Any,
    calm: float,
    out: Any,
    losses: Any,
) -> Any:
    """The colours of the listed pixels into `out`, shape (3, pixels): lines over the ground in their order, marks over lines.

    `losses`, of the same shape, is how far each differs from those `seen`, in squares of what is `usual`; beyond `calm` of
    it in proportion. Only the channels from `first` to before `last` are asked for, and only pixels that are `stale`
    (in lightness and in colour) are looked at again. Returns the sums of the losses by channel.
    """
    sums = np.zeros(3)
    for channel in range(first, last):
        kind = min(channel, 1)
        total = 0.0
        for i in range(rows.shape[0]):
            if stale[kind, i]:
                r, c = rows[i], columns[i]
                value = ground[channel, r, c]
                for k in order:
                    value += lines[k, kind, r, c] * (inks[k, channel] - value)
                for k in order:
                    value += marks[k, kind, r, c] * (inks[k, channel] - value)
                out[channel, i] = value
                off = abs(value - seen[channel, i]) / usual[channel]
                losses[channel, i] = off * off if off < calm else calm * (2 * off - calm)
            total += losses[channel, i]
        sums[channel] = total
    for channel in range(first, last):
        stale[min(channel, 1), :] = False
    return sums


@_compiled
def slopes(
    arm: int,
    rows: Any,
    columns: Any,
    ground: Any,
    lines: Any,
    marks: Any,
    inks: Any,
    order: Any,
    seen: Any,
    usual: Any,
    calm: float,
    inside: Any,
    scene: Any,
) -> None:
    """The `scene` of an arm at the listed pixels, of which those in columns that are not `inside` count for nothing."""
    error, slope, weight, mark_slope = scene
    for i in range(rows.shape[0]):
        r, c = rows[i], columns[i]
        for channel in range(3):
            kind = min(channel, 1)
            value = ground[channel, r, c]
            own, mark = 0.0, 0.0
            for k in order:
                share = lines[k, kind, r, c]
                own = inks[k, channel] - value if k == arm else own * (1 - share)
                value += share * (inks[k, channel] - value)
            for k in order:
                share = marks[k, kind, r, c]
                own *= 1 - share
                mark = inks[k, channel] - value if k == arm else mark * (1 - share)
                value += share * (inks[k, channel] - value)
            off = seen[channel, i] - value
            error[channel, r, c] = off
            slope[channel, r, c] = own
            mark_slope[channel, r, c] = mark
            far = np.float32(calm) / max(abs(off) / usual[channel], np.float32(1e-9))
            counts = min(np.float32(1), far) / (usual[channel] * usual[channel])
            weight[channel, r, c] = counts if inside[c] else np.float32(0)


@_compiled
def inked_down(weight: Any, slope: Any, error: Any, share: Any) -> Any:
    """What it costs to ink the pixels from the top of a column down to each row, shape (rows + 1, columns).

    The drawing is off by `error` where `share` of a pixel is inked already, in lightness and in colour.
    """
    tall, wide = error.shape[1], error.shape[2]
    out = np.zeros((tall + 1, wide))
    two = np.float32(2)
    for r in range(tall):
        for c in range(wide):
            cost = 0.0
            for channel in range(3):
                own = slope[channel, r, c]
                aim = error[channel, r, c] + share[min(channel, 1), r, c] * own
                cost += weight[channel, r, c] * own * (own - two * aim)
            out[r + 1, c] = out[r, c] + cost
    return out


@_compiled
def changed(
    first: int, last: int, new: float, h: Any, pen: Any, scene: Any, marks: Any, room: Any, keep: bool
) -> float:
    """By how much the loss grows when cells `first` to `last` move to row `new`; they stay there with `keep`."""
    width, half = pen[0], pen[1]
    error, slope, weight, mark_slope = scene
    tall, wide = error.shape[1], error.shape[2]
    total = 0.0
    for c in range(first, last):
        total += _TIED * (new - h[c]) ** 2
    for kind in range(2):
        table = pen[2] if kind == 0 else pen[3]
        across = pen[4] if kind == 0 else pen[5]
        per, far = across.shape[0], across.shape[2] // 2
        reach = table.shape[0] // 2 / 32.0 + 0.5
        channels = range(1) if kind == 0 else range(1, 3)
        left, right = max(first // per - far, 0), min((last - 1) // per + far + 1, wide)
        least, most = min(new, h[first]), max(new, h[last - 1])
        top = max(int(least - width / 2 - reach), 0)
        bottom = min(int(most + width / 2 + reach) + 1, tall)
        if bottom <= top or right <= left:
            continue
        for c in range(first, last):
            old, p, column = h[c], c % per, c // per
            if old == new:
                continue
            a = max(int(min(old, new) - width / 2 - reach), top)
            b = min(int(max(old, new) + width / 2 + reach) + 1, bottom)
            for r in range(a, b):
                y = r + 0.5
                upper = _part(table, y - new + width / 2) - _part(table, y - old + width / 2)
                lower = _part(table, y - new - width / 2) - _part(table, y - old - width / 2)
                if upper == 0 and lower == 0:
                    continue
                for t in range(max(left - column + far, 0), min(right - column + far, 2 * far + 1)):
                    room[r - top, column + t - far - left] += across[p, 0, t] * upper - across[p, 1, t] * lower
        for r in range(top, bottom):
            for x in range(left, right):
                gain = room[r - top, x - left]
                room[r - top, x - left] = 0.0
                if gain == 0:
                    continue
                for channel in channels:
                    step = gain * slope[channel, r, x]
                    if keep:
                        error[channel, r, x] -= step
                    else:
                        total += weight[channel, r, x] * step * (step - 2 * error[channel, r, x])
        if half > 0:
            for c in range(first, last):
                x = c // per
                amount = marks[kind, x] if x < wide else 0.0
                if c % per != per // 2 or amount <= 0:
                    continue
                for r in range(
                    max(int(min(h[c], new) - half - reach), 0), min(int(max(h[c], new) + half + reach) + 1, tall)
                ):
                    y = r + 0.5
                    gain = _part(table, y - new + half) - _part(table, y - new - half)
                    gain -= _part(table, y - h[c] + half) - _part(table, y - h[c] - half)
                    for channel in channels:
                        step = amount * gain * mark_slope[channel, r, x]
                        if keep:
                            error[channel, r, x] -= step
                        else:
                            total += weight[channel, r, x] * step * (step - 2 * error[channel, r, x])
    if keep:
        h[first:last] = new
    return total


@_compiled
def settled(
    first: int, last: int, low: float, high: float, size: float, h: Any, pen: Any, scene: Any, marks: Any, room: Any
) -> float:
    """Moves cells of one row to the least loss within `size` of it and between `low` and `high`; by how much it grew."""
    old = h[first]
    left, right = max(old - size, low), min(old + size, high)
    if right - left < 1e-3:
        return 0.0
    place, least, above, below = old, 0.0, 0.0, 0.0
    if left < old - 1e-4:
        above = changed(first, last, left, h, pen, scene, marks, room, False)
        if above < least:
            place, least = left, above
    if right > old + 1e-4:
        below = changed(first, last, right, h, pen, scene, marks, room, False)
        if below < least:
            place, least = right, below
    if left < old - 1e-4 and right > old + 1e-4:
        # the vertex of the parabola through the three
        up, down = left - old, right - old
        bend = (above / up - below / down) / (up - down)
        if bend > 1e-9:
            tip = min(max(old - (above / up - bend * up) / (2 * bend), left), right)
            there = changed(first, last, tip, h, pen, scene, marks, room, False)
            if there < least:
                place, least = tip, there
    if place != old:
        changed(first, last, place, h, pen, scene, marks, room, True)
    return float(least)


@_compiled
def _run_end(h: Any, first: int) -> int:
    """The cell after the run of equal rows that begins at a cell."""
    last = first + 1
    while last < h.shape[0] and h[last] == h[first]:
        last += 1
    return last


@_compiled
def descended(size: float, single: bool, floor: float, h: Any, pen: Any, scene: Any, marks: Any, room: Any) -> None:
    """Moves each cell, or each level, to where the drawing agrees better: from left to right, then back."""
    count, tall = h.shape[0], scene[0].shape[1]
    starts = np.empty(count + 1, np.int64)
    levels, c = 0, 0
    while c < count:
        starts[levels] = c
        levels += 1
        c = c + 1 if single else _run_end(h, c)
    starts[levels] = count
    for turn in range(2 * levels):
        k = turn if turn < levels else 2 * levels - 1 - turn
        first, last = starts[k], starts[k + 1]
        low = h[first - 1] if first > 0 else floor
        high = h[last] if last < count else tall - 1.0
        settled(first, last, low, high, size, h, pen, scene, marks, room)


@_compiled
def fewer(worth: float, longest: int, h: Any, pen: Any, scene: Any, marks: Any, room: Any) -> None:
    """Joins levels where that costs less than `worth`; a level of up to `longest` cells may be shared by its neighbours."""
    first = 0
    count = h.shape[0]
    while True:
        last = _run_end(h, first)
        if last >= count:
            return
        stop = _run_end(h, last)
        a, b = h[first], h[last]
        # the levels as one
        mean = (a * (last - first) + b * (stop - last)) / (stop - first)
        least, way = worth, 0
        if first > 0 or b - a < 1.0:
            cost = changed(first, stop, mean, h, pen, scene, marks, room, False)
            cost += _KEPT * (a - mean) ** 2 * (last - first) + _KEPT * (b - mean) ** 2 * (stop - last)
            if cost < least:
                least, way = cost, 1
        if way == 0 and stop < count and stop - last <= longest:
            # the later level falls to both sides
            c = h[stop]
            middle = last + int((stop - last) * (c - b) / (c - a) + 0.5)
            cost = _KEPT * ((b - a) ** 2 * (middle - last) + (c - b) ** 2 * (stop - middle))
            if middle > last:
                cost += changed(last, middle, a, h, pen, scene, marks, room, False)
                changed(last, middle, a, h, pen, scene, marks, room, True)
            if middle < stop:
                cost += changed(middle, stop, c, h, pen, scene, marks, room, False)
                changed(middle, stop, c, h, pen, scene, marks, room, True)
            if cost < least:
                continue
            if middle > last:
                changed(last, middle, b, h, pen, scene, marks, room, True)
            if middle < stop:
                changed(middle, stop, b, h, pen, scene, marks, room, True)
        if way == 1:
            changed(first, stop, mean, h, pen, scene, marks, room, True)
            low = h[first - 1] if first > 0 else mean - 0.3
            high = h[stop] if stop < count else mean + 0.3
            settled(first, stop, low, high, 0.2, h, pen, scene, marks, room)
        else:
            first = last


@_compiled
def _up_to(sums: Any, column: int, row: float) -> float:
    """Cumulative sums down a column, at a fraction of a row."""
    tall = sums.shape[0] - 1
    column = min(max(column, 0), sums.shape[1] - 1)
    row = min(max(row, 0.0), float(tall))
    k = min(int(row), tall - 1)
    return float(sums[k, column] + (row - k) * (sums[k + 1, column] - sums[k, column]))


@_compiled
def best_fall(
    h: Any,
    per: int,
    width: float,
    half: float,
    amount: Any,
    gain: Any,
    mark_gain: Any,
    reach: float,
    fine: int,
    floor: float,
) -> Any:
    """The falling line of least loss of all within `reach` rows of `h`, in steps of 1 / `fine` rows, by dynamic programming.

    `gain` and `mark_gain` are cumulative sums down each column of what it costs to ink a pixel, shape (rows + 1, columns).
    Without blur the loss of a column depends on the cell half a pen's width before it and the one as far behind alone, so
    that it is a sum over cells.
    """
    count, states = h.shape[0], int(2 * reach * fine) + 1
    base = np.floor((h - reach) * fine)
    score = np.full((count, states), 1e300)
    came = np.zeros((count, states), np.int32)
    for c in range(count):
        middle = (c + 0.5) / per
        left, right = middle - width / 2 - 0.5, middle + width / 2 - 0.5
        l, r = int(np.floor(left)), int(np.floor(right))
        past, beyond = left - l, right - r
        mark = min(int(middle), gain.shape[1] - 1)
        least, which, seen = 1e300, -1, -1
        off = int(base[c] - base[c - 1]) if c > 0 else 0
        for s in range(states):
            row = (base[c] + s) / fine
            if row < floor:
                continue
            low, high = row + width / 2, row - width / 2
            loss = _TIED * per * (row - h[c]) ** 2 + (1 - past) * _up_to(gain, l, low) + past * _up_to(gain, l + 1, low)
            loss -= (1 - beyond) * _up_to(gain, r, high) + beyond * _up_to(gain, r + 1, high)
            if half > 0 and amount[mark] > 0:
                loss += amount[mark] * (_up_to(mark_gain, mark, row + half) - _up_to(mark_gain, mark, row - half))
            if c == 0:
                score[c, s] = loss / per
                continue
            while seen < min(s + off, states - 1):
                seen += 1
                if score[c - 1, seen] < least:
                    least, which = score[c - 1, seen], seen
            if which >= 0:
                score[c, s], came[c, s] = least + loss / per, which
    out = np.empty(count)
    s = int(np.argmin(score[count - 1]))
    for c in range(count - 1, -1, -1):
        out[c] = (base[c] + s) / fine
        s = came[c, s]
    return out
