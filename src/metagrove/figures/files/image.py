"""Pictures as arrays: decoded within bounds, put upright, and freed of a small rotation."""

from __future__ import annotations

import io
import itertools
import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.figures.files.colours import middle_colour
from metagrove.figures.files.skew import skew_angle

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Bitmap", "Box", "Picture", "Pixels", "bitmaps", "deskewed"]

Pixels: TypeAlias = NDArray[np.uint8]
Box: TypeAlias = tuple[float, float, float, float]

MAX_PIXELS = 130_000_000
MAX_FRAMES = 60
LONGEST = 2400
_SMALLEST = 80
# degrees that a picture is turned at most
_FURTHEST = 2.5
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8", b"RIFF", b"BM")
# Pillow would hand some other formats to programs outside
_FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP")


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An RGB picture, uint8 of shape (rows, columns, 3), and the way back to the pixels of the file.

    `scale` is pixels here per pixel of the file; `rotation` in degrees (counter-clockwise positive) was taken out
    around `centre`, given in pixels here.
    """

    rgb: Pixels
    scale: float = 1.0
    rotation: float = 0.0
    centre: tuple[float, float] = (0.0, 0.0)

    def here(self, x: float, y: float) -> tuple[float, float]:
        """A place of the file (continuous pixels) in this picture."""
        x, y = x * self.scale - self.centre[0], y * self.scale - self.centre[1]
        a = math.radians(self.rotation)
        return (
            x * math.cos(a) - y * math.sin(a) + self.centre[0],
            x * math.sin(a) + y * math.cos(a) + self.centre[1],
        )

    def there(self, x: float, y: float) -> tuple[float, float]:
        """A place of this picture in the file."""
        x, y, a = x - self.centre[0], y - self.centre[1], math.radians(self.rotation)
        back = x * math.cos(a) + y * math.sin(a), -x * math.sin(a) + y * math.cos(a)
        return (back[0] + self.centre[0]) / self.scale, (back[1] + self.centre[1]) / self.scale


@dataclass(frozen=True, slots=True)
class Bitmap:
    """One page of a picture file: its place among the pages, from 0, and its size in pixels, upright."""

    content: bytes
    frame: int
    width: int
    height: int

    def picture(self, region: Box | None = None) -> Picture:
        """The page on white, 8-bit RGB, its longest side at most `LONGEST`; or the part `region` of it.

        `region` is left, top, right, bottom in pixels of the file; the picture's places then count from its corner.
        Large pages are reduced strip by strip, so that no second copy at full size is made. Raises DataError where
        the page is cut short or broken.
        """
        left, top, right, bottom = region or (0, 0, self.width, self.height)
        scale = min(1.0, LONGEST / max(right - left, bottom - top))
        with _readable(self.content) as pillow, pillow.open(io.BytesIO(self.content), formats=_FORMATS) as image:
            if self.frame:
                image.seek(self.frame)
            fine = _upright(_drafted(image, scale))
            k = fine.width / self.width
            part = (round(left * k), round(top * k), round(right * k), round(bottom * k))
            small = _shrunk(fine, part, scale / k)
        return Picture(np.ascontiguousarray(np.asarray(small)), small.width / (right - left))


@contextmanager
def _readable(content: bytes) -> Iterator[ModuleType]:
    """Pillow, its warnings silenced and whatever it raises turned into one clear line."""
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield Pillow
    except DataError:
        raise
    except Pillow.DecompressionBombError:
        raise DataError(f"the picture is too large; at most {MAX_PIXELS // 10**6} million pixels are read") from None
    except UnidentifiedImageError:
        if content.startswith(_BEGINNINGS):
            raise DataError("the picture is broken or cut short; get the file again") from None
        raise DataError("not a picture that can be read (PNG, JPEG, TIFF, GIF, BMP, WebP), nor a PDF or SVG") from None
    except MemoryError:
        raise DataError("the picture does not fit into memory; save it with fewer pixels") from None
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error) as error:
        reason = "cut short" if "truncated" in str(error).lower() else "broken"
        raise DataError(f"the picture is {reason}; get the file again") from None


def bitmaps(content: bytes) -> list[Bitmap]:
    """The pages of a PNG, JPEG, TIFF, GIF, BMP or WebP file, by their headers alone; one for all but TIFF.

    Thumbnails inside a TIFF are left out. Raises DataError for what is too large (`MAX_PIXELS`), too small to hold a
    figure, of more than `MAX_FRAMES` pages, or no picture at all.
    """
    found: list[Bitmap] = []
    with _readable(content) as pillow, pillow.open(io.BytesIO(content), formats=_FORMATS) as image:
        for frame in itertools.count():
            if frame and not _next_page(image, frame):
                break
            if frame >= MAX_FRAMES:
                raise DataError(f"the TIFF has more than {MAX_FRAMES} pages; extract those with figures")
            wide, tall = image.size
            if wide * tall > MAX_PIXELS:
                raise DataError(
                    f"the picture has {wide:,} x {tall:,} pixels; at most {MAX_PIXELS // 10**6} million are read"
                )
            if _orientation(image) > 4:
                wide, tall = tall, wide
            if frame == 0 or (min(wide, tall) >= _SMALLEST and not _thumbnail(image)):
                found.append(Bitmap(content, frame, wide, tall))
    if len(found) > 1:
        found = [page for page in found if min(page.width, page.height) >= _SMALLEST]
    if min(found[0].width, found[0].height) < _SMALLEST:
        raise DataError(f"the picture has {found[0].width} x {found[0].height} pixels; too small to hold a figure")
    return found


def _next_page(image: Image, frame: int) -> bool:
    """Whether there is a page `frame`, made current; only TIFF has pages, other formats have moments."""
    if image.format != "TIFF":
        return False
    try:
        image.seek(frame)
    except EOFError:
        return False
    return True


def _thumbnail(image: Image) -> bool:
    kind = getattr(image, "tag_v2", {}).get(254, 0)
    return isinstance(kind, int) and bool(kind & 1)


def _orientation(image: Image) -> int:
    """The EXIF orientation, 1 to 8; above 4 the picture lies on its side."""
    turn = image.getexif().get(0x0112, 1)
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _drafted(image: Image, scale: float) -> Image:
    """The decoded page; a JPEG that is to be reduced is decoded at a half, a quarter or an eighth at once."""
    if image.format == "JPEG":
        image.draft("RGB", (math.ceil(image.width * scale), math.ceil(image.height * scale)))
    image.load()
    return image


def _upright(image: Image) -> Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _shrunk(image: Image, part: tuple[int, int, int, int], scale: float) -> Image:
    """The part of the image (left, top, right, bottom) as RGB on white at `scale`, worked on in strips."""
    from PIL import Image as Pillow

    left, top, right, bottom = part
    goal = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)
    by = max(int(1 / scale + 1e-9), 1)
    deepest = _deepest(image)
    if by == 1:
        flat = _on_white(image if part == (0, 0, *image.size) else image.crop(part), deepest)
    else:
        flat = Pillow.new("RGB", (-(-(right - left) // by), -(-(bottom - top) // by)))
        tall = by * max(2_000_000 // ((right - left) * by), 1)
        for row in range(top, bottom, tall):
            strip = image.crop((left, row, right, min(row + tall, bottom)))
            flat.paste(_on_white(strip, deepest).reduce(by), (0, (row - top) // by))
    if flat.size == goal:
        return flat
    return flat.resize(goal, Pillow.Resampling.BOX, box=(0, 0, (right - left) / by, (bottom - top) / by))


def _deepest(image: Image) -> float:
    """What white is in a picture of deep greys: 65535, or 255 where none is brighter; 0 for all other pictures."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return 0.0
    top = image.getextrema()[1]
    return 65535.0 if isinstance(top, (int, float)) and top > 255 else 255.0


def _on_white(image: Image, deepest: float) -> Image:
    """The picture as 8-bit RGB, transparency over white, deep greys scaled to their own range."""
    from PIL import Image as Pillow

    if deepest:
        deep = np.asarray(image, dtype=np.float64)
        return Pillow.fromarray(np.clip(deep * 255 / deepest, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layers = image.convert("RGBA")
        paper = Pillow.new("RGBA", layers.size, (255, 255, 255, 255))
        return Pillow.alpha_composite(paper, layers).convert("RGB")
    return image.convert("RGB")


def deskewed(picture: Picture) -> Picture:
    """The picture turned so that its straight lines run level; unchanged under a twentieth of a degree.

    The angle is the one that gathers the edges of straight lines best.
    """
    import cv2

    angle = skew_angle(picture.rgb, furthest=_FURTHEST)
    if abs(angle) < 0.05:
        return picture
    tall, wide = picture.rgb.shape[:2]
    centre = (wide / 2, tall / 2)
    # OpenCV counts pixel centres as whole numbers; here pixel i covers [i, i + 1)
    turn = cv2.getRotationMatrix2D((centre[0] - 0.5, centre[1] - 0.5), -angle, 1.0)
    border = tuple(int(v) for v in middle_colour(picture.rgb))
    rgb = cv2.warpAffine(
        picture.rgb, turn, (wide, tall), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=border
    )
    return Picture(np.asarray(rgb, dtype=np.uint8), picture.scale, angle, centre)
