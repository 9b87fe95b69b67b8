"""Bitmaps that a drawing holds, decoded and laid out on its page."""

from __future__ import annotations

import numpy as np

from metagrove.core.errors import DataError
from metagrove.figures.files.image import Picture, Pixels, bitmaps
from metagrove.figures.files.painting import painted
from metagrove.figures.page import Page, Plate

__all__ = ["laid_out", "plate_picture"]


def plate_picture(plate: Plate) -> Picture:
    """The bitmap set into a drawing; raises DataError that says where it is broken."""
    try:
        return bitmaps(plate.content)[0].picture()
    except DataError as error:
        raise DataError(f"a picture inside the SVG: {error}") from None


def laid_out(page: Page, pictures: list[tuple[Plate, Picture]], scale: float) -> Pixels:
    """The page with its bitmaps at `scale` pixels a point, strokes over them."""
    import cv2

    drawn = painted(page, scale)
    out = np.full_like(drawn, 255)
    for plate, picture in pictures:
        left, top, right, bottom = plate.box
        tall, wide = picture.rgb.shape[:2]
        k = min((right - left) / wide, (bottom - top) / tall) * scale
        # a bitmap keeps its shape and stands in the middle of its box
        x, y = (left + right) / 2 * scale - k * wide / 2, (top + bottom) / 2 * scale - k * tall / 2
        place = np.array([[k, 0, x + k / 2 - 0.5], [0, k, y + k / 2 - 0.5]])
        how = cv2.INTER_AREA if k < 0.7 else cv2.INTER_CUBIC
        source = picture.rgb
        if k < 0.7:
            size = max(round(wide * k), 1), max(round(tall * k), 1)
            source = np.asarray(cv2.resize(source, size, interpolation=how), dtype=np.uint8)
            place = np.array([[1.0, 0, x], [0, 1.0, y]])
        cv2.warpAffine(
            source,
            place,
            (out.shape[1], out.shape[0]),
            dst=out,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_TRANSPARENT,
        )
    return np.minimum(out, drawn)
