"""Lines that a file holds in pieces, put together again: dashes drawn as areas or one by one, and outlined step lines.

Printers of web pages, converters and drawing programs write a dashed line as the areas of its dashes, or each dash as a
line of its own; some outline whole lines. The pieces of one line follow each other in the file, their lengths and gaps
repeat. A corner between two dashes is known where one of them runs along and the other across; where both run along, the
drop between them stands somewhere in the gap, and the line says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.page import RGB, Stroke
from metagrove.figures.strokes.outlines import Piece, centre_line, piece_of

__all__ = ["with_lines"]

# points: what is one height, how exactly lengths repeat, and of their size
_SAME, _REPEATS, _SHARE = 0.02, 0.06, 0.03
# dashes that make a line by themselves, and a sample of a legend; how many of them must repeat
_DASHES, _SAMPLE, _MOSTLY = 6, 2, 0.85
# a path of so many pieces is a line by itself
_SPLIT = 4
# the longest pattern is dash, dot, dot; a gap is no longer than this many widths of the pen or lengths of a dash
_PERIODS, _WIDTHS, _LENGTHS = (1, 2, 3), 8.0, 3.0
# points: pieces closer than this touch; what is wider may be an outlined line; the largest dash
_TOUCH, _LINE, _LARGEST = 0.12, 20.0, 120.0
# corners from which on a line is told by them; points: the shortest sample of a legend
_CORNERS, _SHORTEST = 3, 5.0
Hidden: TypeAlias = tuple[tuple[float, float], ...]


@dataclass(slots=True)
class _Chain:
    """Pieces in the order of the line: its corners, the lengths of the pieces, the gaps, and what the gaps hide."""

    corners: list[Array]
    lengths: list[float]
    members: list[int]
    gaps: list[float] = field(default_factory=list)
    hidden: list[tuple[float, float]] = field(default_factory=list)
    level: bool = True
    slack: float = 0.0


def with_lines(strokes: Sequence[Stroke]) -> tuple[Stroke, ...]:
    """The strokes of a page with lines in place of the outlines and single dashes that draw them."""
    drawn: dict[int, Stroke] = {}
    gone: set[int] = set()
    samples: list[tuple[_Chain, Stroke, float]] = []
    for group in _groups(strokes):
        for chain, first, width in _chains(strokes, group):
            pattern = _pattern(chain)
            if pattern is None and _area(first) and _touching(chain, width):
                pattern = ()
            if len(chain.lengths) >= _DASHES and pattern is not None:
                drawn[chain.members[0]] = _line(chain, first, width, pattern)
                gone |= set(chain.members)
            elif chain.level and len(chain.lengths) >= _SAMPLE:
                samples.append((chain, first, width))
    for index, stroke in enumerate(strokes):
        if index in gone or not _area(stroke) or stroke.box[2] - stroke.box[0] < _LINE:
            continue
        found = centre_line(stroke.points)
        if found is not None:
            drawn[index] = _stroked(stroke, found[0], found[1], ())
            gone.add(index)
    known = [s for s in drawn.values() if s.dash]
    for chain, first, width in samples:
        dash = _sample_of(chain, first, width, known)
        if dash:
            line = _line(chain, first, width, dash)
            drawn[chain.members[0]] = _lengthened(line, [*strokes, *drawn.values()], chain, dash)
            gone |= set(chain.members)
    for index, stroke in enumerate(strokes):
        if index not in gone and _area(stroke):
            plain = _solid_sample(stroke, drawn.values())
            if plain is not None:
                drawn[index] = plain
    return _once([drawn.get(i, s) for i, s in enumerate(strokes) if i in drawn or i not in gone])


def _once(strokes: Sequence[Stroke]) -> tuple[Stroke, ...]:
    """The strokes without lines that another of the same corners is drawn over: halos, and lines drawn twice."""
    over: set[bytes] = set()
    out: list[Stroke] = []
    for stroke in reversed(strokes):
        if stroke.colour is not None and stroke.fill is None and len(stroke.points) > _CORNERS:
            key = np.round(stroke.points, 3).tobytes()
            if key in over:
                continue
            over.add(key)
        out.append(stroke)
    return tuple(reversed(out))


def _solid_sample(stroke: Stroke, known: Iterable[Stroke]) -> Stroke | None:
    """The sample line of a legend that a thin level area is, of a line's own ink and width; None where it is none."""
    left, top, right, bottom = stroke.box
    if not _SHORTEST < right - left < _LARGEST or len(stroke.points) > _CORNERS + 3:
        return None
    tall, middle = bottom - top, (top + bottom) / 2
    for line in known:
        if line.colour == stroke.fill and not line.dash and abs(line.width - tall) < _SAME + _SHARE * tall:
            return _stroked(stroke, np.array([[left, middle], [right, middle]]), tall, ())
    return None


def _area(stroke: Stroke) -> bool:
    """Whether a stroke is filled and shows no line of another colour; what is only filled need not be closed."""
    ended = stroke.closed or stroke.colour is None
    return ended and stroke.fill is not None and stroke.colour in (None, stroke.fill) and len(stroke.points) > 2


def _ink(stroke: Stroke) -> RGB | None:
    return stroke.fill if _area(stroke) else stroke.colour


def _stroked(like: Stroke, line: Array, width: float, dash: tuple[float, ...], hidden: Hidden = ()) -> Stroke:
    return Stroke(line, _ink(like), width, dash, None, False, like.path, hidden)


def _line(chain: _Chain, first: Stroke, width: float, dash: tuple[float, ...]) -> Stroke:
    return _stroked(first, _plain(np.vstack(chain.corners)), width, dash, tuple(chain.hidden))


def _plain(points: Array) -> Array:
    """The corners at which a line turns, and its ends."""
    keep = np.concatenate([[True], np.abs(np.diff(points, axis=0)).max(axis=1) > 1e-6])
    points = points[keep]
    before, after = points[1:-1] - points[:-2], points[2:] - points[1:-1]
    on = (np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) < 1e-9) & ((before * after).sum(axis=1) > 0)
    return points[np.concatenate([[True], ~on, [True]])] if len(points) > 2 else points


def _groups(strokes: Sequence[Stroke]) -> Iterator[list[int]]:
    """Strokes that may be the dashes of a line: the pieces of one path, or those alike and one after the other."""
    pieces = Counter(s.path for s in strokes)
    run: list[int] = []
    for index, stroke in enumerate(strokes):
        left, top, right, bottom = stroke.box
        small = max(right - left, bottom - top) < _LARGEST
        open_line = not stroke.closed and stroke.fill is None and stroke.colour is not None and not stroke.dash
        fits = small and (_area(stroke) or open_line)
        before = strokes[run[-1]] if run else None
        one = before is not None and (
            before.path == stroke.path or max(pieces[before.path], pieces[stroke.path]) < _SPLIT
        )
        if before is not None and not (fits and one and _alike(before, stroke)):
            if len(run) >= _SAMPLE:
                yield run
            run = []
        if fits:
            run.append(index)
    if len(run) >= _SAMPLE:
        yield run


def _alike(a: Stroke, b: Stroke) -> bool:
    if _area(a) != _area(b) or _ink(a) != _ink(b):
        return False
    return _area(a) or abs(a.width - b.width) < _SAME


def _chains(strokes: Sequence[Stroke], group: list[int]) -> list[tuple[_Chain, Stroke, float]]:
    """The chains of a group; where one goes on from the end of another, so that pieces are missing, none."""
    members = [strokes[i] for i in group]
    first = members[0]
    areas = _area(first)
    width = _pen(members) if areas else first.width
    if width is None or width <= 0:
        return []
    pieces: list[tuple[int, Piece | None]] = []
    for index, stroke in zip(group, members, strict=True):
        pieces.append((index, piece_of(stroke.points, width) if areas else _open_piece(stroke)))
    found = _followed(pieces, width)
    long = [c for c in found if len(c.lengths) >= _DASHES]
    for before, after in pairwise(long):
        end, start = before.corners[-1][-1], after.corners[0][0]
        begin = before.corners[0][0]
        if start[0] > end[0] - width and abs(start[0] - begin[0]) > _LARGEST / 4:
            return []
    return [(c, first, width) for c in found]


def _open_piece(stroke: Stroke) -> Piece | None:
    """A dash that is drawn as a line of its own, left to right."""
    move = np.abs(np.diff(stroke.points, axis=0))
    keep = np.concatenate([[True], move.max(axis=1) > 1e-6])
    points = stroke.points[keep]
    if len(points) < 2 or (np.abs(np.diff(points, axis=0)).min(axis=1) > _SAME).any():
        return None
    points = points[::-1] if points[-1, 0] < points[0, 0] else points
    return Piece(points) if (np.diff(points[:, 0]) > -_SAME).all() else None


def _pen(members: Sequence[Stroke]) -> float | None:
    """The width of the pen of outlined dashes: the height of those on one level, or the width of those one below the other."""
    tall: list[float] = []
    wide: list[float] = []
    for a, b in pairwise(members):
        p, q = np.array(a.box), np.array(b.box)
        size, other = p[2:] - p[:2], q[2:] - q[:2]
        middle = (p[:2] + p[2:] - q[:2] - q[2:]) / 2
        if abs(middle[1]) < _SAME and abs(size[1] - other[1]) < _SAME:
            tall.append(float(size[1]))
        elif abs(middle[0]) < _SAME and abs(size[0] - other[0]) < _SAME:
            wide.append(float(size[0]))
    sizes = tall or wide
    if sizes:
        return float(np.median(sizes))
    thin = np.array([min(b[2] - b[0], b[3] - b[1]) for b in (m.box for m in members)])
    pen = float(np.median(thin))
    return pen if len(thin) >= _DASHES and float((np.abs(thin - pen) < _SAME).mean()) > _MOSTLY else None


def _followed(pieces: Sequence[tuple[int, Piece | None]], width: float) -> list[_Chain]:
    """The pieces joined in the order of the file, each to the one before it where it goes on from there."""
    ordered = list(pieces)
    centres = [float(p.line[:, 0].mean()) for _, p in ordered if p is not None]
    if len(centres) > 2 and float(np.median(np.diff(centres))) < -_SAME:
        ordered.reverse()
    out: list[_Chain] = []
    now: _Chain | None = None
    for k, (index, piece) in enumerate(ordered):
        if piece is None:
            now = None
            continue
        line, after = piece.line, ordered[k + 1][1] if k + 1 < len(ordered) else None
        if len(line) == 1:
            line = _dot(piece, now.corners[-1] if now else None, after.line if after is not None else None)
        elif abs(line[0, 0] - line[-1, 0]) < _SAME and len(line) == 2:
            # uprights run towards the end that is nearer, the first one away from what follows
            near = now.corners[-1][-1] if now else None
            far = after.line.mean(axis=0) if after is not None else line[-1]
            turn = near is not None and np.abs(line[-1] - near).sum() < np.abs(line[0] - near).sum()
            turn = turn or (near is None and np.abs(line[0] - far).sum() < np.abs(line[-1] - far).sum())
            line = line[::-1] if turn else line
        length = max(float(np.abs(np.diff(line, axis=0)).sum()), 2 * piece.reach)
        if now is None or not _joins(now, line, length, piece.reach, width):
            now = _Chain([line], [length], [index], slack=piece.reach if len(line) == 1 else 0.0)
            out.append(now)
        else:
            now.lengths.append(length)
            now.members.append(index)
        now.level = now.level and float(np.ptp(np.vstack(now.corners)[:, 1])) < _SAME
    return out


def _dot(piece: Piece, before: Array | None, after: Array | None) -> Array:
    """A dot stretched along the line it stands in, where a neighbour shows which way that is."""
    place = piece.line[0]
    for other, sign in ((None if before is None else before[-1], 1.0), (None if after is None else after[0], -1.0)):
        if other is None:
            continue
        off = sign * (place - other)
        for axis in (0, 1):
            if abs(off[1 - axis]) < _SAME < abs(off[axis]):
                step = np.zeros(2)
                step[axis] = np.copysign(piece.reach, off[axis])
                return np.array([place - step, place + step])
    return piece.line


def _joins(chain: _Chain, line: Array, length: float, reach: float, width: float) -> bool:
    """Whether a piece goes on from the end of a chain; if so it is joined to it."""
    last = chain.corners[-1]
    end, start = last[-1], line[0]
    step = start - end
    slack = reach if len(line) == 1 else 0.0
    spare, chain.slack = slack + chain.slack, slack
    gap = float(np.abs(step).sum()) - spare
    longest = max(_WIDTHS * width, _LENGTHS * float(np.median([*chain.lengths, length])))
    if step[0] < -width or gap > longest:
        return False
    here, there = _way(last[-2:]), _way(line[:2])
    if min(abs(step[0]), abs(step[1])) < _SAME:
        bridge = np.zeros((0, 2))
        if len(line) > 1 and float(step @ (line[1] - line[0])) < 0:
            line[0] = end
        gap = float(step[0] if abs(step[0]) >= abs(step[1]) else abs(step[1])) - spare
    elif {here, there} == {"level", "upright"}:
        corner = np.array([start[0], end[1]] if here == "level" else [end[0], start[1]])
        gap, bridge = _cornered(chain, line, corner), corner[None]
    elif here == there == "upright":
        middle = (end[1] + start[1]) / 2
        bridge = np.array([[end[0], middle], [start[0], middle]])
        chain.hidden.append((float(end[0]), float(start[0])))
    else:
        middle = (end[0] + start[0]) / 2
        bridge = np.array([[middle, end[1]], [middle, start[1]]])
        chain.hidden.append((float(end[0]), float(start[0])))
    chain.gaps.append(gap)
    chain.corners += [bridge, line] if len(bridge) else [line]
    return True


def _cornered(chain: _Chain, line: Array, corner: Array) -> float:
    """The gap round a corner, negative where pieces overlap there; what stands over is cut off."""
    gap = 0.0
    for points, at, other in ((chain.corners[-1], -1, -2), (line, 0, 1)):
        along = points[at] - points[other]
        over = float(((points[at] - corner) * np.sign(along)).sum())
        gap -= over
        if over > 0:
            points[at] = corner
    return gap


def _way(segment: Array) -> str:
    if len(segment) < 2:
        return ""
    across, down = np.abs(segment[-1] - segment[0])
    return "level" if down < _SAME else "upright" if across < _SAME else ""


def _touching(chain: _Chain, width: float) -> bool:
    """Whether the pieces of a chain meet, as levels and drops do that are areas of their own."""
    return not chain.level and max((abs(g) for g in chain.gaps), default=np.inf) <= width + _REPEATS


def _pattern(chain: _Chain) -> tuple[float, ...] | None:
    """The lengths of dashes and gaps in turn, from the start of the line; None where they do not repeat."""
    lengths, gaps = np.array(chain.lengths), np.array(chain.gaps)
    if len(lengths) < 3 or float(np.median(gaps)) < _TOUCH:
        return None
    # the first and the last dash may be cut
    for period in _PERIODS:
        if len(lengths) < 4 * period + 2 * (period > 1):
            continue
        out: list[float] = []
        good = 0
        for k in range(period):
            dashes, spaces = lengths[:-1][k::period], gaps[k::period]
            inner = dashes[1:] if k == 0 and len(dashes) > 1 else dashes
            dash, space = float(np.median(inner)), float(np.median(spaces))
            good += int((np.abs(inner - dash) < _REPEATS + _SHARE * dash).sum())
            good += int((np.abs(spaces - space) < _REPEATS + _SHARE * space).sum())
            out += [round(dash, 2), round(space, 2)]
        if good >= _MOSTLY * (len(lengths) - 2 + len(gaps)):
            return tuple(out)
    return None


def _lengthened(sample: Stroke, strokes: Sequence[Stroke], chain: _Chain, dash: tuple[float, ...]) -> Stroke:
    """A legend's sample up to where another that begins below or above it ends, if it ends in a gap there."""
    left, top, right, _ = sample.box
    spare = dash[2 * ((len(chain.lengths) - 1) % (len(dash) // 2)) + 1]
    ends = [
        s.box[2]
        for s in strokes
        if abs(s.box[0] - left) < _TOUCH and s.box[3] - s.box[1] < _TOUCH and abs(s.box[1] - top) > 1
        if _SAME < s.box[2] - right < spare + _SAME
    ]
    if not ends:
        return sample
    points = sample.points.copy()
    points[-1, 0] = min(ends)
    return replace(sample, points=points)


def _sample_of(chain: _Chain, first: Stroke, width: float, known: Sequence[Stroke]) -> tuple[float, ...]:
    """The pattern of the line that a short level chain is a sample of; empty where there is none."""
    for line in known:
        if line.colour != _ink(first) or abs(line.width - width) > _SAME + _SHARE * width:
            continue
        period = len(line.dash) // 2
        own = [(chain.lengths[k], line.dash[2 * (k % period)]) for k in range(len(chain.lengths) - 1)]
        own += [(g, line.dash[2 * (k % period) + 1]) for k, g in enumerate(chain.gaps)]
        if all(abs(a - b) < _REPEATS + _SHARE * b for a, b in own):
            return line.dash
    return ()
