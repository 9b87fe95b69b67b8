"""The whole way from the bytes of a file to the readings of its Kaplan-Meier figures."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from importlib import import_module
from typing import TypeAlias

import numpy as np

from metagrove.core.errors import DataError, MetagroveError
from metagrove.figures.files.image import LONGEST, Box, Picture, Pixels, bitmaps, deskewed
from metagrove.figures.files.overlay import overlay_png
from metagrove.figures.files.painting import painted
from metagrove.figures.files.pdf import pdf_image, pdf_pages
from metagrove.figures.files.plates import laid_out, plate_picture
from metagrove.figures.files.svg import svg_page
from metagrove.figures.files.turned import lying, turned_page, turned_picture
from metagrove.figures.hints import Hints, labelled
from metagrove.figures.lines.tracking import Dash, tracked
from metagrove.figures.page import Page, Word
from metagrove.figures.raster import picture_readings
from metagrove.figures.reading import REVIEW, FigureReading
from metagrove.figures.scales.inverted import (
    flipped_hints,
    flipped_page,
    flipped_picture,
    flipped_reading,
    flipped_words,
    runs_down,
)
from metagrove.figures.strokes.dash_chains import with_lines
from metagrove.figures.strokes.staircases import staircases
from metagrove.figures.vector import page_readings
from metagrove.figures.writing.ocr import Finder, Written, can_read, number_finder, picture_words

__all__ = ["Figure", "figures_in", "file_kind"]

Redraw: TypeAlias = Callable[[Box], Picture]

_SCAN_SCALE = 200 / 72
_FINEST_SCAN = 600 / 72
# pixels of a picture whose lines may be too thick to be told from areas
_LARGE = 1500
MOST_SCANS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One figure of a file: its reading and the picture it was read on, `scale` pixels per unit of the reading.

    `origin` is the place of the picture's corner in the reading's units.
    """

    reading: FigureReading
    rgb: Pixels
    scale: float
    origin: tuple[float, float] = (0.0, 0.0)

    def overlay(self) -> bytes:
        """A PNG of the reading drawn over the figure."""
        here = _moved(self.reading, -self.origin[0], -self.origin[1])
        return overlay_png(self.rgb, here, scale=self.scale)


def file_kind(content: bytes) -> str:
    """`pdf`, `svg` or `picture`, by the first bytes."""
    head = content[:2048].lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"%PDF-" in content[:1024]:
        return "pdf"
    if head.startswith(b"<") and (b"<svg" in content[:20_000] or head.startswith(b"<?xml")):
        return "svg"
    return "picture"


def figures_in(content: bytes, hints: Hints | None = None, *, threads: int = 2) -> list[Figure]:
    """Every Kaplan-Meier figure in a file, in reading order.

    Vector drawings are read from their strokes; pictures (also those set into a PDF or SVG, and every page of a TIFF)
    from their pixels. A large picture is searched at 2400 pixels; a figure that is a small part of it is read again from
    its own part. Raises DataError, in one line, where the file cannot be read or shows no such figure. The same bytes
    and hints give the same numbers always.
    """
    hints = hints or Hints()
    if not content:
        raise DataError("the file is empty")
    try:
        found = _found(content, hints, threads)
    except MetagroveError:
        raise
    except MemoryError:
        raise DataError("the figure does not fit into memory; cut it out of its page first") from None
    except Exception as error:  # libraries raise what they like at broken files
        raise DataError(f"could not be read ({type(error).__name__}); give axes and arms in hints") from error
    digest = sha256(content).hexdigest()
    return [replace(f, reading=replace(_settled(f), digest=digest)) for f in found]


def _settled(figure: Figure) -> FigureReading:
    """The reading without marks that the y axis line of a picture passes for."""
    reading = figure.reading
    if reading.source != "raster":
        return reading
    arms = [replace(a, marks=a.marks[a.marks > 2 * float(np.median(a.time_error))]) for a in reading.arms]
    return replace(reading, arms=tuple(arms))


def _found(content: bytes, hints: Hints, threads: int) -> list[Figure]:
    kind = file_kind(content)
    if kind == "pdf":
        found = _in_pdf(content, hints, threads)
    elif kind == "svg":
        found = _in_svg(content, hints, threads)
    else:
        found = _in_bitmaps(content, hints, threads)
    if not found:
        raise DataError(_nothing(hints))
    return found


def _nothing(hints: Hints) -> str:
    if not can_read() and (hints.x is None or hints.y is None):
        return (
            "the labels of a picture are read with the extra 'ocr' (pip install metagrove[ocr]); or give axes in hints"
        )
    if hints.x is None or hints.y is None:
        return "no Kaplan-Meier figure found: no curve that starts at 1 between two axes with printed numbers"
    return "no Kaplan-Meier curve found on the axes of the hints"


def _in_bitmaps(content: bytes, hints: Hints, threads: int) -> list[Figure]:
    """The figures on every page of a picture file; a page that is broken puts the others under review."""
    pages = bitmaps(content)
    found: list[Figure] = []
    broken: list[str] = []
    for page in pages:
        number = page.frame + 1
        if hints.page not in (None, number) and len(pages) > 1:
            continue
        try:
            picture = page.picture()
            figures = _in_picture(picture, hints, threads, redraw=page.picture if picture.scale < 0.75 else None)
        except DataError as error:
            if len(pages) == 1:
                raise
            broken.append(f"page {number} could not be read: {error}")
        else:
            found += [replace(f, reading=replace(f.reading, page=number)) for f in figures]
    if broken and not found:
        raise DataError(broken[0])
    return [_doubted(f, broken) for f in found]


def _doubted(figure: Figure, doubts: list[str]) -> Figure:
    """The figure, put under review where there are doubts about its file."""
    if not doubts:
        return figure
    reasons = tuple(dict.fromkeys([*figure.reading.reasons, *doubts]))
    return replace(figure, reading=replace(figure.reading, status=REVIEW, reasons=reasons))


def _in_picture(
    picture: Picture, hints: Hints, threads: int, *, redraw: Redraw | None = None, printed: tuple[Word, ...] = ()
) -> list[Figure]:
    """The figures in a picture; with `redraw`, small ones are read again from their part of the page.

    `printed` are words known beforehand, in pixels of the picture.
    """
    if runs_down(hints):
        return _in_inverted(picture, hints, threads)
    upright = deskewed(_within(picture, hints))
    page = Written(upright.rgb)
    with ThreadPoolExecutor(1) as aside:
        if threads > 1:
            aside.submit(_loaded)
        words = picture_words(page, threads=threads)
    if printed and not upright.rotation:
        words = [*words, *printed]
    if not upright.rotation:
        k = upright.scale
        hints = labelled(hints, [replace(w, x0=w.x0 / k, x1=w.x1 / k, y0=w.y0 / k, y1=w.y1 / k) for w in words])
    find = number_finder(page, threads=threads)
    original = upright.rgb if not upright.rotation else _turned_back(upright)
    found = [Figure(r, original, upright.scale) for r in picture_readings(upright, words, hints, find=find)]
    if redraw is not None:
        found = [_finer(f, picture, redraw, hints, threads) for f in found]
    fine = redraw is None and (not found or max(picture.rgb.shape[:2]) < _LARGE)
    if fine or (found and all(f.reading.status != REVIEW for f in found)):
        return found
    coarse = _in_picture(_halved(picture), hints, threads)
    return coarse if len(coarse) >= len(found) and all(f.reading.status != REVIEW for f in coarse) else found


def _loaded() -> None:
    """Loads what a figure needs once its words are read: compiled loops and special functions take half a second."""
    import_module("scipy.special")
    nothing = np.zeros((4, 4))
    tracked(nothing, nothing, Dash(), start=1, reach=1)


def _halved(picture: Picture) -> Picture:
    """The picture at half its size: a figure drawn for a poster has lines too thick to be told from areas."""
    import cv2

    tall, wide = picture.rgb.shape[:2]
    size = max(wide // 2, 1), max(tall // 2, 1)
    small = cv2.resize(picture.rgb, size, interpolation=cv2.INTER_AREA)
    return Picture(np.asarray(small, dtype=np.uint8), picture.scale * size[0] / wide)


def _in_inverted(picture: Picture, hints: Hints, threads: int) -> list[Figure]:
    """The figures of a picture whose hinted y axis runs downwards."""
    height = picture.rgb.shape[0] / picture.scale
    hints = flipped_hints(hints, height)
    upright = deskewed(_within(flipped_picture(picture), hints))
    rows = upright.rgb.shape[0]
    words = flipped_words(picture_words(Written(np.ascontiguousarray(upright.rgb[::-1])), threads=threads), rows)
    readings = picture_readings(upright, words, hints)
    return [Figure(flipped_reading(r, height), picture.rgb, picture.scale) for r in readings]


def _page_readings(page: Page, hints: Hints, find: Finder | None = None) -> list[FigureReading]:
    """The readings of a drawing, whichever way its hinted y axis runs."""
    if not runs_down(hints):
        return page_readings(page, labelled(hints, page.words), find=find)
    turned = page_readings(flipped_page(page), flipped_hints(hints, page.height))
    return [flipped_reading(r, page.height) for r in turned]


def _finer(figure: Figure, picture: Picture, redraw: Redraw, hints: Hints, threads: int) -> Figure:
    """The figure read again from its own part of the page, where that shows it a third larger or more."""
    tall, wide = (side / picture.scale for side in picture.rgb.shape[:2])
    left, top, right, bottom = figure.reading.frame
    across, down = right - left, bottom - top
    box = (
        float(max(int(left - 0.7 * across), 0)),
        float(max(int(top - 0.4 * down), 0)),
        min(right + 0.8 * across, wide),
        min(bottom + 1.3 * down, tall),
    )
    if max(wide, tall) < 1.33 * max(box[2] - box[0], box[3] - box[1]):
        return figure
    part = redraw(box)
    if part.scale < 1.33 * picture.scale:
        return figure
    again = _in_picture(part, _hints_within(hints, box), threads)
    if len(again) != 1 or (figure.reading.status != REVIEW and again[0].reading.status == REVIEW):
        return figure
    return replace(again[0], reading=_moved(again[0].reading, box[0], box[1]), origin=(box[0], box[1]))


def _hints_within(hints: Hints, box: Box) -> Hints:
    """The hints for a part of the page that begins at the corner of `box`."""
    x = hints.x.moved(-box[0]) if hints.x is not None else None
    y = hints.y.moved(-box[1]) if hints.y is not None else None
    region = hints.region
    if region is not None:
        region = region[0] - box[0], region[1] - box[1], region[2] - box[0], region[3] - box[1]
    return replace(hints, x=x, y=y, region=region)


def _moved(reading: FigureReading, right: float, down: float) -> FigureReading:
    """The reading of a part, its places counted from the corner of the whole."""

    def moved(box: Box) -> Box:
        return box[0] + right, box[1] + down, box[2] + right, box[3] + down

    cells = tuple(replace(c, box=moved(c.box)) for c in reading.cells)
    x, y = reading.x.moved(right), reading.y.moved(down)
    return replace(reading, x=x, y=y, frame=moved(reading.frame), cells=cells)


def _within(picture: Picture, hints: Hints) -> Picture:
    """The picture with everything outside the hinted region painted over."""
    if hints.region is None:
        return picture
    left, top, right, bottom = (round(v * picture.scale) for v in hints.region)
    rgb = np.full_like(picture.rgb, 255)
    rgb[max(top, 0) : bottom, max(left, 0) : right] = picture.rgb[max(top, 0) : bottom, max(left, 0) : right]
    return replace(picture, rgb=rgb)


def _turned_back(picture: Picture) -> Pixels:
    import cv2

    tall, wide = picture.rgb.shape[:2]
    centre = (picture.centre[0] - 0.5, picture.centre[1] - 0.5)
    turn = cv2.getRotationMatrix2D(centre, picture.rotation, 1.0)
    return np.asarray(cv2.warpAffine(picture.rgb, turn, (wide, tall), borderValue=(255, 255, 255)))


def _in_svg(content: bytes, hints: Hints, threads: int) -> list[Figure]:
    page = _cut(svg_page(content), hints)
    readings = _page_readings(page, hints)
    scale = 1600 / max(page.width, page.height)
    if not readings and can_read() and _unread(page):
        drawn = Written(painted(page, scale))
        page = replace(page, words=page.words + _outlined_words(drawn, scale, threads))
        readings = _page_readings(page, hints, number_finder(drawn, threads=threads, scale=scale))
    found = [Figure(r, painted(page, scale), scale) for r in readings] or _on_side(page, hints, scale)
    if page.plates:
        found += _besides(found, _on_plates(page, hints, threads))
    if not found and page.outside:
        raise DataError(f"the SVG only points to a picture, '{page.outside[0]}'; nothing is fetched, so give that file")
    return found


def _on_side(page: Page, hints: Hints, scale: float, rgb: Callable[[], Pixels] | None = None) -> list[Figure]:
    """The figures of a drawing that lies on its side; their places are those of the turned page, as their pictures show.

    `rgb` draws the page, where its strokes do not say all of it.
    """
    angle = lying(page)
    if not angle or hints.x is not None or hints.y is not None:
        return []
    upright = turned_page(page, angle)
    readings = _page_readings(upright, hints)
    if not readings:
        return []
    picture = turned_picture(rgb(), angle) if rgb is not None else painted(upright, scale)
    return [Figure(r, picture, scale) for r in readings]


def _besides(found: list[Figure], more: list[Figure]) -> list[Figure]:
    """Those of `more` that do not lie on a figure that was found already."""

    def apart(a: Box, b: Box) -> bool:
        return min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])

    return [m for m in more if all(apart(m.reading.frame, f.reading.frame) for f in found)]


def _on_plates(page: Page, hints: Hints, threads: int) -> list[Figure]:
    """The figures on the bitmaps inside a drawing, the drawing's own strokes and words over them."""
    pictures = [(plate, plate_picture(plate)) for plate in page.plates[:MOST_SCANS]]
    fineness = max(p.rgb.shape[1] / max(plate.box[2] - plate.box[0], 1e-9) for plate, p in pictures)
    scale = min(fineness, LONGEST / max(page.width, page.height))
    rgb = laid_out(page, pictures, scale)
    words = tuple(replace(w, x0=w.x0 * scale, x1=w.x1 * scale, y0=w.y0 * scale, y1=w.y1 * scale) for w in page.words)
    return _in_picture(Picture(rgb, scale), hints, threads, printed=words)


def _unread(page: Page) -> bool:
    """Whether a page has step lines but hardly a number in letters: its text is drawn as outlines."""
    digits = sum(any(c.isdigit() for c in w.text) for w in page.words)
    return digits < 6 and bool(staircases(with_lines(page.strokes)))


def _outlined_words(drawn: Written, scale: float, threads: int) -> tuple[Word, ...]:
    return tuple(
        replace(w, x0=w.x0 / scale, x1=w.x1 / scale, y0=w.y0 / scale, y1=w.y1 / scale)
        for w in picture_words(drawn, threads=threads)
    )


def _cut(page: Page, hints: Hints) -> Page:
    if hints.region is None:
        return page
    left, top, right, bottom = hints.region
    words = tuple(w for w in page.words if left <= w.cx <= right and top <= w.cy <= bottom)
    strokes = tuple(
        s for s in page.strokes if s.box[0] >= left and s.box[2] <= right and s.box[1] >= top and s.box[3] <= bottom
    )
    return replace(page, words=words, strokes=strokes)


def _in_pdf(content: bytes, hints: Hints, threads: int) -> list[Figure]:
    found: list[Figure] = []
    scanned: list[Page] = []
    for whole in pdf_pages(content, hints.page):
        page = _cut(whole, hints)
        readings = _page_readings(page, hints)
        scale = min(1600 / max(page.width, page.height), 3.0)
        if not readings and can_read() and _unread(page):
            drawn = Written(pdf_image(content, page.number, 2 * scale))
            words = _outlined_words(drawn, 2 * scale, threads)
            find = number_finder(drawn, threads=threads, scale=2 * scale)
            readings = _page_readings(replace(page, words=page.words + words), hints, find)
        if readings:
            rgb = pdf_image(content, page.number, scale)
            found += [Figure(r, rgb, scale) for r in readings]
        else:
            found += _on_side(page, hints, scale, partial(pdf_image, content, page.number, scale))
        if page.pictured:
            scanned.append(page)
    for page in scanned[:MOST_SCANS]:
        scans = [
            replace(f, reading=replace(f.reading, page=page.number)) for f in _scanned(content, page, hints, threads)
        ]
        found += _besides([f for f in found if f.reading.page == page.number], scans)
    if len(scanned) > MOST_SCANS:
        beyond = f"pictures were looked at on {MOST_SCANS} of {len(scanned)} pages; name the others in hints"
        if not found:
            raise DataError(f"no Kaplan-Meier figure found: {beyond}")
        found = [_doubted(f, [beyond]) for f in found]
    return sorted(found, key=lambda f: f.reading.page)


def _scanned(content: bytes, page: Page, hints: Hints, threads: int) -> list[Figure]:
    """The figures in the pictures of a PDF page, which is drawn as a picture itself."""
    finest = min(max(page.fineness, _SCAN_SCALE), _FINEST_SCAN)

    def redraw(box: Box) -> Picture:
        scale = min(finest, LONGEST / max(box[2] - box[0], box[3] - box[1]))
        return Picture(pdf_image(content, page.number, scale, box), scale)

    scale = min(_SCAN_SCALE, LONGEST / max(page.width, page.height))
    whole = Picture(pdf_image(content, page.number, scale), scale)
    return _in_picture(whole, hints, threads, redraw=redraw if finest > 1.33 * scale else None)
