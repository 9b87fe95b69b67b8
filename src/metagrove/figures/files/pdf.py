"""PDF pages as words and strokes, read with PDFium."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.figures.page import RGB, Page, Stroke, Word, boxed

__all__ = ["MAX_PAGES", "pdf_image", "pdf_pages"]

MAX_PAGES = 400
MAX_OBJECTS = 200_000
MAX_NESTING = 12

# a letter, its box, its angle and colour; a space that PDFium put between letters because they stand apart
_Letter: TypeAlias = tuple[str, Array, int, RGB | None]
_GUESSED = "\ue000"
# letter heights: what is no gap within a word, where the file has no space and where PDFium guesses one
_JUMP, _GAP = 0.6, 0.28


def _opened(content: bytes, only: int | None = None) -> Any:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(content)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise DataError("the PDF is encrypted; save it without a password") from None
        raise DataError("not a readable PDF; it is broken or cut short") from None
    if not len(document):
        raise DataError("the PDF has no pages")
    if only is not None and only > len(document):
        raise DataError(f"the PDF has {len(document):,} pages; the hints ask for page {only:,}")
    if only is None and len(document) > MAX_PAGES:
        raise DataError(
            f"the PDF has {len(document):,} pages; at most {MAX_PAGES} are read, so name the page in hints or extract it"
        )
    return document


def pdf_pages(content: bytes, only: int | None = None) -> Iterator[Page]:
    """Each page of a PDF in turn, or page `only` (from 1); curves are flattened, forms unfolded, page rotation undone.

    Raises DataError for what is encrypted, broken or longer than `MAX_PAGES`.
    """
    document = _opened(content, only)
    try:
        for index in range(len(document)) if only is None else (only - 1,):
            page = document[index]
            place = _placement(page)
            strokes = tuple(_strokes(page, place))
            words = _words(page, place) if strokes else ()
            width, height = page.get_size()
            covered, fineness = _pictured(page)
            pictured = covered > 0.05 * width * height
            yield Page(float(width), float(height), words, strokes, index + 1, pictured, fineness)
            page.close()
    finally:
        document.close()


def pdf_image(
    content: bytes, page: int, scale: float, region: tuple[float, float, float, float] | None = None
) -> NDArray[np.uint8]:
    """Page `page` (from 1) drawn at `scale` pixels a point: uint8 RGB of shape (rows, columns, 3).

    `region` (left, top, right, bottom, points from the top left) is the part that is wanted, to whole pixels. No side is longer than
    6000 pixels, whatever the scale.
    """
    document = _opened(content, page)
    try:
        width, height = document[page - 1].get_size()
        left, top, right, bottom = region or (0.0, 0.0, width, height)
        scale = min(scale, 6000 / max(right - left, bottom - top))
        # PDFium rounds each margin up; half a pixel less makes that the nearest whole pixel
        margins = (left, height - bottom, width - right, top)
        crop = tuple(max(round(m * scale) - 0.5, 0.0) / scale for m in margins)
        image = document[page - 1].render(scale=scale, crop=crop).to_numpy()
        return np.ascontiguousarray(image[:, :, 2::-1] if image.shape[2] >= 3 else np.repeat(image, 3, axis=2))
    finally:
        document.close()


def _pictured(page: Any) -> tuple[float, float]:
    """The area that bitmaps cover, in square points, and the most pixels a point that one of them has."""
    import pypdfium2.raw as raw

    covered = fineness = 0.0
    wide, tall = ctypes.c_uint(), ctypes.c_uint()
    for count, item in enumerate(page.get_objects(filter=(raw.FPDF_PAGEOBJ_IMAGE,), max_depth=4)):
        left, bottom, right, top = item.get_bounds() if hasattr(item, "get_bounds") else item.get_pos()
        area = abs((right - left) * (top - bottom))
        covered += area
        if area > 400 and raw.FPDFImageObj_GetImagePixelSize(item.raw, wide, tall):
            fineness = max(fineness, math.sqrt(wide.value * tall.value / area))
        if count > MAX_OBJECTS:
            break
    return covered, fineness


def _placement(page: Any) -> Array:
    """The affine map, shape (2, 3), from the PDF's coordinates to points from the visible top left."""
    left, bottom, right, top = page.get_cropbox()
    turns = page.get_rotation() % 360
    return {
        0: np.array([[1.0, 0, -left], [0, -1.0, top]]),
        90: np.array([[0, 1.0, -bottom], [1.0, 0, -left]]),
        180: np.array([[-1.0, 0, right], [0, 1.0, -bottom]]),
        270: np.array([[0, -1.0, top], [-1.0, 0, right]]),
    }[turns]


def _joined(outer: Array, inner: Array) -> Array:
    """The affine map that applies `inner`, then `outer`; both of shape (2, 3)."""
    full = np.vstack([inner, [0, 0, 1]])
    return np.asarray(outer @ full)


def _matrix(item: Any) -> Array:
    import pypdfium2.raw as raw

    m = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(item, m)
    return np.array([[m.a, m.c, m.e], [m.b, m.d, m.f]])


def _strokes(page: Any, place: Array) -> Iterator[Stroke]:
    import pypdfium2.raw as raw

    seen = 0
    stack: list[tuple[Any, Array, int]] = [
        (raw.FPDFPage_GetObject(page.raw, i), place, 0) for i in range(raw.FPDFPage_CountObjects(page.raw) - 1, -1, -1)
    ]
    while stack:
        item, outer, depth = stack.pop()
        seen += 1
        if seen > MAX_OBJECTS:
            return
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_FORM and depth < MAX_NESTING:
            inside = _joined(outer, _matrix(item))
            count = raw.FPDFFormObj_CountObjects(item)
            stack.extend((raw.FPDFFormObj_GetObject(item, i), inside, depth + 1) for i in range(count - 1, -1, -1))
        elif kind == raw.FPDF_PAGEOBJ_PATH:
            yield from _path(item, _joined(outer, _matrix(item)), seen)


def _ink(getter: Any, item: Any) -> RGB | None:
    r, g, b, a = (ctypes.c_uint() for _ in range(4))
    if not getter(item, r, g, b, a) or a.value < 8:
        return None
    return r.value, g.value, b.value


def _path(item: Any, place: Array, serial: int) -> Iterator[Stroke]:
    import pypdfium2.raw as raw

    mode, stroked = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(item, mode, stroked)
    colour = _ink(raw.FPDFPageObj_GetStrokeColor, item) if stroked.value else None
    fill = _ink(raw.FPDFPageObj_GetFillColor, item) if mode.value else None
    if colour is None and fill is None:
        return
    width = ctypes.c_float()
    raw.FPDFPageObj_GetStrokeWidth(item, width)
    scale = math.sqrt(abs(float(np.linalg.det(place[:, :2]))))
    dash: tuple[float, ...] = ()
    count = raw.FPDFPageObj_GetDashCount(item)
    if 0 < count <= 16:
        lengths = (ctypes.c_float * count)()
        raw.FPDFPageObj_GetDashArray(item, lengths, count)
        dash = tuple(round(float(v) * scale, 2) for v in lengths)
    for points, closed in _pieces(item):
        placed = points @ place[:, :2].T + place[:, 2]
        yield Stroke(placed, colour, width.value * scale, dash, fill, closed, serial)


def _pieces(item: Any) -> Iterator[tuple[Array, bool]]:
    import pypdfium2.raw as raw

    points: list[tuple[float, float]] = []
    bends: list[tuple[float, float]] = []
    x, y = ctypes.c_float(), ctypes.c_float()
    for i in range(raw.FPDFPath_CountSegments(item)):
        segment = raw.FPDFPath_GetPathSegment(item, i)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        kind, here = raw.FPDFPathSegment_GetType(segment), (x.value, y.value)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            if len(points) > 1:
                yield np.array(points), False
            points, bends = [here], []
        elif kind == raw.FPDF_SEGMENT_BEZIERTO:
            bends.append(here)
            if len(bends) == 3 and points:
                points.extend(_bezier(points[-1], *bends))
                bends = []
        else:
            points.append(here)
        if raw.FPDFPathSegment_GetClose(segment) and len(points) > 1:
            yield np.array([*points, points[0]]), True
            points, bends = [points[0]], []
    if len(points) > 1:
        yield np.array(points), False


def _bezier(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]
) -> list[tuple[float, float]]:
    out = []
    for t in (0.25, 0.5, 0.75, 1.0):
        u = 1 - t
        w = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
        out.append(tuple(w[0] * a[k] + w[1] * b[k] + w[2] * c[k] + w[3] * d[k] for k in (0, 1)))
    return [(p[0], p[1]) for p in out]


def _words(page: Any, place: Array) -> tuple[Word, ...]:
    import pypdfium2.raw as raw

    text = page.get_textpage()
    letters: list[_Letter] = []
    left, bottom, right, top = (ctypes.c_double() for _ in range(4))
    turn = page.get_rotation()
    for i in range(min(raw.FPDFText_CountChars(text.raw), 60_000)):
        code = raw.FPDFText_GetUnicode(text.raw, i)
        char = chr(code) if 0 < code < 0x110000 else ""
        if raw.FPDFText_IsGenerated(text.raw, i) == 1 and not char.strip():
            letters.append((_GUESSED, np.zeros(4), 0, None))
            continue
        if not char.strip() or code == 0xFFFE:
            letters.append((" ", np.zeros(4), 0, None))
            continue
        if not raw.FPDFText_GetCharBox(text.raw, i, left, right, bottom, top):
            continue
        corners = np.array([[left.value, bottom.value], [right.value, top.value]]) @ place[:, :2].T + place[:, 2]
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        angle = round(math.degrees(raw.FPDFText_GetCharAngle(text.raw, i)) / 90) * 90
        colour = _ink(lambda t, *c, at=i: raw.FPDFText_GetFillColor(t, at, *c), text.raw)
        letters.append((char, box, (angle + turn) % 360, colour))
    text.close()
    return tuple(_grouped(letters))


def _grouped(letters: list[_Letter]) -> Iterator[Word]:
    """Words from letters in reading order: a space, a turn, a change of colour or a jump ends one.

    A space that the file does not hold and PDFium only guesses ends one where the gap is as wide as a space.
    """
    run: list[_Letter] = []
    reach = _JUMP
    for letter in [*letters, (" ", np.zeros(4), 0, None)]:
        if letter[0] == _GUESSED:
            reach = _GAP
            continue
        if run and (letter[0] == " " or letter[2] != run[-1][2] or not _adjacent(run, letter, reach)):
            boxes = np.array([b for _, b, _, _ in run])
            low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
            # PDFium counts angles clockwise on the page; here 90 reads upwards
            yield boxed("".join(c for c, *_ in run), np.concatenate([low, high]), -run[0][2] % 360, run[0][3])
            run = []
        if letter[0] != " ":
            run.append(letter)
        reach = _JUMP


def _adjacent(run: list[_Letter], letter: _Letter, reach: float) -> bool:
    """Whether a letter stands on a run's line within `reach` letter heights of its end."""
    a, b = run[-1][1], letter[1]
    level = run[-1][2] % 180 == 0
    along, across = ((0, 2), (1, 3)) if level else ((1, 3), (0, 2))
    size = max(b[across[1]] - b[across[0]], *(r[1][across[1]] - r[1][across[0]] for r in run[-3:]), 3.0)
    gap = max(a[along[0]], b[along[0]]) - min(a[along[1]], b[along[1]])
    aside = max(a[across[0]], b[across[0]]) - min(a[across[1]], b[across[1]])
    # letters and digits of one line stand beside each other; dashes and quotes may stand higher or lower
    most = 0.0 if run[-1][0].isalnum() and letter[0].isalnum() else 0.5 * size
    return bool(gap < reach * size and aside <= most)
