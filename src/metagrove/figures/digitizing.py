"""The whole way from the bytes of a file to the readings of its Kaplan-Meier figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from metagrove.core.errors import DataError
from metagrove.figures.hints import Hints
from metagrove.figures.image import Picture, Pixels, decoded, deskewed
from metagrove.figures.ocr import can_read, picture_words
from metagrove.figures.page import Page, Word
from metagrove.figures.painting import overlay_png, painted
from metagrove.figures.pdf import pdf_image, pdf_pages
from metagrove.figures.raster import picture_readings
from metagrove.figures.reading import FigureReading
from metagrove.figures.staircases import staircases
from metagrove.figures.svg import svg_page
from metagrove.figures.vector import page_readings

__all__ = ["Figure", "figures_in", "file_kind"]

_SCAN_SCALE = 200 / 72
_MOST_SCANS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One figure of a file: its reading and the picture it was read on, `scale` pixels per unit of the reading."""

    reading: FigureReading
    rgb: Pixels
    scale: float

    def overlay(self) -> bytes:
        """A PNG of the reading drawn over the figure."""
        return overlay_png(self.rgb, self.reading, scale=self.scale)


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

    Vector drawings are read from their strokes; pictures, and PDF pages without a vector figure, from their pixels.
    Raises DataError, in one line, where the file cannot be read or shows no such figure. The same bytes and hints give
    the same numbers always.
    """
    hints = hints or Hints()
    if not content:
        raise DataError("the file is empty")
    kind = file_kind(content)
    if kind == "pdf":
        found = _in_pdf(content, hints, threads)
    elif kind == "svg":
        found = _in_svg(content, hints, threads)
    else:
        found = _in_picture(decoded(content), hints, threads)
    if not found:
        raise DataError(_nothing(hints))
    digest = sha256(content).hexdigest()
    return [replace(f, reading=replace(f.reading, digest=digest)) for f in found]


def _nothing(hints: Hints) -> str:
    if not can_read() and (hints.x is None or hints.y is None):
        return (
            "the labels of a picture are read with the extra 'ocr' (pip install metagrove[ocr]); or give axes in hints"
        )
    if hints.x is None or hints.y is None:
        return "no Kaplan-Meier figure found: no curve that starts at 1 between two axes with printed numbers"
    return "no Kaplan-Meier curve found on the axes of the hints"


def _in_picture(picture: Picture, hints: Hints, threads: int) -> list[Figure]:
    picture = deskewed(_within(picture, hints))
    words = picture_words(picture.rgb, threads=threads)
    original = picture.rgb if not picture.rotation else _turned_back(picture)
    return [Figure(r, original, picture.scale) for r in picture_readings(picture, words, hints)]


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
    readings = page_readings(page, hints)
    scale = 1600 / max(page.width, page.height)
    if not readings and can_read() and _unread(page):
        page = replace(page, words=page.words + _outlined_words(painted(page, scale), scale, threads))
        readings = page_readings(page, hints)
    return [Figure(r, painted(page, scale), scale) for r in readings]


def _unread(page: Page) -> bool:
    """Whether a page has step lines but hardly a number in letters: its text is drawn as outlines."""
    digits = sum(any(c.isdigit() for c in w.text) for w in page.words)
    return digits < 6 and bool(staircases(page.strokes))


def _outlined_words(rgb: Pixels, scale: float, threads: int) -> tuple[Word, ...]:
    return tuple(
        replace(w, x0=w.x0 / scale, x1=w.x1 / scale, y0=w.y0 / scale, y1=w.y1 / scale)
        for w in picture_words(rgb, threads=threads)
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
    scanned: list[int] = []
    for page in _pages(content, hints):
        page = _cut(page, hints)
        readings = page_readings(page, hints)
        scale = min(1600 / max(page.width, page.height), 3.0)
        if not readings and can_read() and _unread(page):
            words = _outlined_words(pdf_image(content, page.number, 2 * scale), 2 * scale, threads)
            readings = page_readings(replace(page, words=page.words + words), hints)
        if readings:
            rgb = pdf_image(content, page.number, scale)
            found += [Figure(r, rgb, scale) for r in readings]
        elif page.pictured:
            scanned.append(page.number)
    for number in scanned[:_MOST_SCANS]:
        picture = Picture(pdf_image(content, number, _SCAN_SCALE), _SCAN_SCALE)
        scans = _in_picture(picture, hints, threads)
        found += [replace(f, reading=replace(f.reading, page=number)) for f in scans]
    return sorted(found, key=lambda f: f.reading.page)


def _pages(content: bytes, hints: Hints) -> Iterator[Page]:
    for page in pdf_pages(content):
        if hints.page is None or page.number == hints.page:
            yield page
