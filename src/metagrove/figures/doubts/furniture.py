"""What a plot shows besides curves and needs no curve to explain it: words, ruled boxes, landmark lines, tick marks."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.legend.clearing import written
from metagrove.figures.lines.evidence import ArmLook, Canvas
from metagrove.figures.lines.stripes import marked
from metagrove.figures.lines.tracing import Trace
from metagrove.figures.page import Word, number
from metagrove.figures.plot import MARGIN, Plot, inside
from metagrove.figures.writing.words import phrases, statistics

__all__ = [
    "dotted_grid",
    "frame_pieces",
    "furniture",
    "in_cells",
    "in_line",
    "landmarks",
    "letters_beside",
    "ruled_boxes",
    "shaded",
    "words_in",
]

_RATE = re.compile(r"\(?\d{1,3}(\.\d+)?%\)?")
_PLAIN = re.compile(r"[\w=<>≤≥]")
# how surely words of a small table are read at least, and its pitch in letter heights at most; what strokes are read as
_CELL, _PITCH, _STROKES = 0.9, 4.0, set("1Il|!iT-–—_.:,;' ")
# a side of a box is inked this far; a box takes at most this share of the plot
_SIDE, _SHARE, _EDGE = 0.85, 0.3, 8
# the height of a line of words, in pixels and as a share of the plot; how far letters stand out of it; of its height, how
# broad a letter is at most and how long several in one piece; how much of its box such a piece inks at least
_LOW, _HIGH, _SLACK, _BROAD, _LONGEST, _FULL = 6, 0.12, 2, 1.6, 5.0, 0.3
# how far letters that stand on its line reach above it, and how far off their feet may be
_CAPITAL, _FOOT = 0.45, 0.15
# a band: how strong its tint is, of the curve's ink, how far off its hue, how high at most, of the plot, and the share of the
# curve's columns that it is seen in, above as well as below
_TINT, _HUE, _TALLEST, _BOTH_SIDES = (0.06, 0.6), 30.0, 0.5, 0.4
# what is left of a frame: shares of the plot, how thick its sides are in pixels, how much of it may be round corners, and
# how much of what it encloses is writing
_SHORTEST_SIDE, _SHORTEST_LINE, _NEAR, _THICK, _ROUNDED, _WRITTEN = 0.03, 0.08, 0.06, 4, 0.05, 0.1
# pixels of a dot of a grid, and the share of its line that dots take at least
_DOT, _SPARSE = 4, 0.06
# an upright line is a landmark if its dashes reach this far up the plot, this densely, in so many pieces
_TALL, _DENSE, _PIECES = 0.35, 0.3, 4


def words_in(plot: Plot, words: Sequence[Word]) -> NDArray[np.bool_]:
    """The pixels of the plot where words stand, shape (rows, columns) of the plot."""
    lines = phrases(words, gap=1.1)
    said = in_cells(in_line([p for p in lines if written(p, least=0.45) or _lettered(p, words)], lines), lines)
    return inside([*((p.x0, p.y0, p.x1, p.y1) for p in said), *statistics(words)], plot)


def furniture(field: Canvas, trace: Trace, prose: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of frames, ruled tables, landmark lines and tick marks among the ink that curves and `prose` leave."""
    curves = np.any([c == 2 for c in trace.covers], axis=0)
    near = np.any([c > 0 for c in trace.covers], axis=0)
    inked = (field.e_paper > 70.0**2) & ~near & ~field.blank
    ticks = _tick_marks(inked)
    prose = prose | letters_beside(inked & ~prose, prose)
    boxes = ruled_boxes(inked, curves) | frame_pieces(inked & ~prose & ~ticks, curves, prose | field.blank)
    return prose | ticks | boxes | landmarks(inked & ~prose & ~ticks, curves)


def shaded(field: Canvas, looks: Sequence[ArmLook], trace: Trace) -> NDArray[np.bool_]:
    """The pixels of confidence bands: areas in a tint of a curve's own colour that begin at its stroke, above and below it.

    What another curve would draw is darker than a tint or stands apart from the stroke.
    """
    import cv2

    out = np.zeros(field.blank.shape, dtype=bool)
    tallest = _TALLEST * len(out)
    for look, path, cover in zip(looks, trace.paths, trace.covers, strict=True):
        away = np.array(look.colour, dtype=np.float32) - field.main
        off = field.rgb - field.main
        share = off @ away / max(float(away @ away), 1.0)
        aside = np.linalg.norm(off - share[..., None] * away, axis=2)
        tint = (share > _TINT[0]) & (share < _TINT[1]) & (aside < _HUE)
        thick = max(3, round(look.width) + 2)
        area = cv2.morphologyEx(tint.astype(np.uint8), cv2.MORPH_OPEN, np.ones((thick, 3), np.uint8)) > 0
        near = cv2.dilate((cover > 0).astype(np.uint8), np.ones((3, 1), np.uint8)) > 0
        band = marked(area, near, tallest)
        rows, columns = np.asarray(path.leave), np.arange(len(path.leave)) + path.first
        reach = round(look.width / 2) + 2 + thick // 2
        sides = [band[np.clip(rows + s * reach, 0, len(band) - 1), columns] for s in (-1, 1)]
        if min(float(side.mean()) for side in sides) > _BOTH_SIDES:
            out |= band
    return out


def dotted_grid(inked: NDArray[np.bool_], rows: Sequence[float], columns: Sequence[float]) -> NDArray[np.bool_]:
    """The pixels of dotted grid lines: dots evenly along most rows or columns of labels.

    Parameters
    ----------
    inked : ink that no curve and no word explains, shape (rows, columns).
    rows, columns : where the labels of the axes stand in the plot.
    """
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats(inked.astype(np.uint8), connectivity=8)
    dots = (stats[:, 2] <= _DOT) & (stats[:, 3] <= _DOT)
    dots[0] = False
    small = dots[labels]
    return _dotted(small, rows) | _dotted(small.T, columns).T


def _dotted(dots: NDArray[np.bool_], rows: Sequence[float]) -> NDArray[np.bool_]:
    out = np.zeros(dots.shape, dtype=bool)
    inner = [round(r - 0.5) for r in rows if 4 < r < len(dots) - 4]
    found = []
    for row in inner:
        strip = dots[row - 2 : row + 3].any(axis=0)
        tenths = [float(part.mean()) for part in np.array_split(strip, 10)]
        # curves and a legend hide some
        if float(np.quantile(tenths, 0.3)) > _SPARSE and max(tenths) < 3 * float(np.median(tenths)):
            found.append(row)
    if len(found) >= max(2, 0.6 * len(inner)):
        for row in found:
            out[row - 2 : row + 3] = dots[row - 2 : row + 3]
    return out


def _tick_marks(inked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Short ink at the edges of the plot, apart from all curves: tick marks that point inwards."""
    import cv2

    tall, wide = inked.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inked.astype(np.uint8), connectivity=8)
    x, y, w, h = stats[:, 0], stats[:, 1], stats[:, 2], stats[:, 3]
    reach = max(9.0, 0.02 * max(tall, wide))
    level = (w >= h) & (w < reach) & (h <= 4) & ((x < reach) | (x + w > wide - 2 * reach))
    upright = (h >= w) & (h < reach) & (w <= 4) & ((y < reach + MARGIN) | (y + h > tall - reach - MARGIN))
    ticks = level | upright
    ticks[0] = False
    return np.asarray(ticks[labels])


def _lettered(phrase: Word, words: Sequence[Word]) -> bool:
    """Whether a phrase is as high as the words of the page and of three different letters, or a number read surely."""
    usual = float(np.median([w.size for w in words if w.angle == 0 and len(w.text) > 1] or [0.0]))
    plain = phrase.text.replace(" ", "")
    level = 0.7 * usual < phrase.size < 1.5 * usual
    figures = [c for c in plain if c.isdigit() and c != "1"]
    printed = phrase.score > 0.85 and len(figures) > 1 and number(plain) is not None
    return level and (printed or (phrase.score > 0.6 and plain.isalpha() and len(set(plain.lower())) > 2))


def in_line(said: Sequence[Word], phrases: Sequence[Word]) -> list[Word]:
    """The phrases that go on a line of writing, within two letter heights of its end, and lone percentages."""
    out = list(said)
    rest = [p for p in phrases if not any(p is s for s in said) and p.angle == 0 and _PLAIN.search(p.text)]
    rates = [p for p in rest if _RATE.fullmatch(p.text.strip()) and p.score > 0.9 and set(p.text) - set("1%")]
    out += rates
    rest = [p for p in rest if not any(p is r for r in rates) and p.score > 0.7]
    grown = True
    while grown:
        grown = False
        for p in list(rest):
            if any(_follows(p, s) for s in out if s.angle == 0):
                out.append(p)
                rest = [r for r in rest if r is not p]
                grown = True
    return out


def in_cells(said: Sequence[Word], phrases: Sequence[Word]) -> list[Word]:
    """The phrases with those read surely that stand in a small table: level with one and close above or below another."""
    out = list(said)
    rest = [p for p in phrases if p.score > _CELL and p.angle == 0 and set(p.text) - _STROKES]
    while cells := [p for p in rest if p not in out and _row_and_column(p, out)]:
        out += cells
    return out


def _row_and_column(p: Word, said: Sequence[Word]) -> bool:
    alike = [s for s in said if s.angle == 0 and 0.6 < p.size / max(s.size, 1.0) < 1.6]
    level = any(abs(p.cy - s.cy) < 0.4 * p.size for s in alike)
    column = [s for s in alike if min(p.x1, s.x1) - max(p.x0, s.x0) > 0.5 * min(p.x1 - p.x0, s.x1 - s.x0)]
    return level and any(0.6 * p.size < abs(p.cy - s.cy) < _PITCH * p.size for s in column)


def _follows(a: Word, b: Word) -> bool:
    gap = max(a.x0 - b.x1, b.x0 - a.x1)
    level = abs(a.cy - b.cy) < 0.4 * min(a.size, b.size)
    return level and gap < 2.0 * b.size and 0.5 < a.size / max(b.size, 1.0) < 1.6


def ruled_boxes(inked: NDArray[np.bool_], curves: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels within frames of legends and ruled tables into which no curve runs.

    Parameters
    ----------
    inked : ink of the plot, shape (rows, columns).
    curves : the cores of the traced curves.

    A frame is one piece of ink that runs along all four sides of its own box; no curve does.
    """
    import cv2

    out = np.zeros(inked.shape, dtype=bool)
    tall, wide = inked.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inked.astype(np.uint8), connectivity=8)
    for i in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[i])
        if w < 0.06 * wide or h < 0.02 * tall or area > 0.5 * w * h:
            continue
        own = labels[y : y + h, x : x + w] == i
        # a landmark may hang on a frame: its sides are the outermost full rows and columns
        rows = _full(own, edges=(y <= _EDGE, y + h >= tall - _EDGE))
        if rows is None:
            continue
        columns = _full(own[rows[0] : rows[1]].T, edges=(x <= _EDGE, x + w >= wide - _EDGE))
        if columns is None:
            continue
        box = slice(y + rows[0], y + rows[1]), slice(x + columns[0], x + columns[1])
        size = (rows[1] - rows[0]) * (columns[1] - columns[0])
        if size < _SHARE * tall * wide and not curves[box].any():
            out[box] = True
    return out


def letters_beside(inked: NDArray[np.bool_], prose: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of letters that go on a line of words and were not read: pieces of ink no larger than a letter in its row.

    Parameters
    ----------
    inked : ink that no curve and no word explains, shape (rows, columns).
    prose : where words stand, same shape.
    """
    import cv2

    out = np.zeros(inked.shape, dtype=bool)
    _, labels, pieces, _ = cv2.connectedComponentsWithStats(inked.astype(np.uint8), connectivity=8)
    _, _, words, _ = cv2.connectedComponentsWithStats(prose.astype(np.uint8), connectivity=8)
    x, y, w, h = (pieces[:, k] for k in range(4))
    for left, top, wide, tall, _ in words[1:].tolist():
        if not _LOW <= tall <= _HIGH * len(inked):
            continue
        # letters of a small picture run into each other; a line is thinner than a word
        word = (w <= _LONGEST * tall) & (h > 0.5 * tall) & (pieces[:, 4] > _FULL * w * h)
        # capitals stand higher than a word of small letters
        foot = np.abs(y + h - top - tall) <= max(_SLACK + 1.0, _FOOT * tall)
        level = (y + h <= top + tall + _SLACK) & ((y >= top - _SLACK) | (foot & (y >= top - _CAPITAL * tall)))
        small = level & (pieces[:, 4] > 1) & ((w <= _BROAD * tall) | word)
        small[0] = False
        begin, end = left, left + wide
        ahead = sorted(np.flatnonzero(small & (x + w > end)).tolist(), key=lambda k: int(x[k]))
        behind = sorted(np.flatnonzero(small & (x < begin)).tolist(), key=lambda k: -int(x[k]))
        for k in ahead:
            if x[k] - end > tall:
                break
            end = max(end, int(x[k] + w[k]))
            out |= labels == k
        for k in behind:
            if begin - x[k] - w[k] > tall:
                break
            begin = min(begin, int(x[k]))
            out |= labels == k
        # the line of a legend's entry that lies half outside the plot
        keys = level & (h <= 0.5 * tall) & (w > tall) & (w <= _LONGEST * tall) & (x < begin)
        keys &= (begin - x - w <= 2 * tall) & (y <= _EDGE)
        keys[0] = False
        out |= keys[labels]
    return out


def frame_pieces(inked: NDArray[np.bool_], curves: NDArray[np.bool_], writing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of what is left of a frame round writing, some of whose sides are gone or lie on others.

    Parameters
    ----------
    inked : ink that no curve and no word explains, shape (rows, columns).
    curves : the cores of the traced curves.
    writing : words, and what was painted over.

    A piece of a frame is straight lines alone, level ones at its head and foot, upright ones at its sides, with writing
    and no curve between them. A curve steps down in between.
    """
    import cv2

    out = np.zeros(inked.shape, dtype=bool)
    tall, wide = inked.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inked.astype(np.uint8), connectivity=8)
    for i in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[i])
        single = h < _EDGE or w < _EDGE
        long = max(w / wide, h / tall) > (_SHORTEST_LINE if single else _SHORTEST_SIDE)
        if not long or area > 0.5 * max(w, 12) * max(h, 12):
            continue
        own = labels[y : y + h, x : x + w] == i
        if not _sides_only(own):
            continue
        more = round(_NEAR * tall)
        box = (
            slice(max(y - more * (h < _EDGE), 0), y + h + more * (h < _EDGE)),
            slice(max(x - more * (w < _EDGE), 0), x + w + more * (w < _EDGE)),
        )
        if not curves[y : y + h, x : x + w].any() and writing[box].mean() > _WRITTEN:
            out[y : y + h, x : x + w] |= own
    return out


def _sides_only(own: NDArray[np.bool_]) -> bool:
    """Whether a piece of ink is level lines at its head or foot and upright ones at its sides, and nothing else."""
    h, w = own.shape
    rest = own.copy()
    for edge in (slice(0, _THICK), slice(max(h - _THICK, 0), h)):
        rest[edge] = False
    for edge in (slice(0, _THICK), slice(max(w - _THICK, 0), w)):
        rest[:, edge] = False
    return float(rest.sum()) <= _ROUNDED * float(own.sum())


def _full(own: NDArray[np.bool_], *, edges: tuple[bool, bool]) -> tuple[int, int] | None:
    """From the first to behind the last row that is inked along its length; a side on the edge of the plot may be cut off."""
    full = np.flatnonzero(own.mean(axis=1) > _SIDE)
    if not len(full):
        return None
    first, last = (0 if edges[0] else int(full[0])), (len(own) if edges[1] else int(full[-1]) + 1)
    return (first, last) if last - first > 6 else None


def landmarks(inked: NDArray[np.bool_], curves: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of broken upright lines that mark a time: pieces above each other over a good part of the plot.

    A curve that nobody traced shows no column of short pieces; a drop is one piece.
    """
    import cv2

    tall, _ = inked.shape
    free = inked & ~curves
    count, labels, stats, _ = cv2.connectedComponentsWithStats(free.astype(np.uint8), connectivity=8)
    x, y, w, h = stats[:, 0], stats[:, 1], stats[:, 2], stats[:, 3]
    upright = (w <= 4) & (h >= w) & (h < 0.2 * tall)
    upright[0] = False
    pieces = np.flatnonzero(upright)
    out = np.zeros(count, dtype=bool)
    middle = x + w / 2
    for i in pieces:
        column = pieces[np.abs(middle[pieces] - middle[i]) <= 1.5]
        span = int((y[column] + h[column]).max() - y[column].min())
        if len(column) >= _PIECES and span > _TALL * tall and h[column].sum() > _DENSE * span:
            out[column] = True
    return np.asarray(out[labels])
