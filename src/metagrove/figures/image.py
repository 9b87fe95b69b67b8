"""Pictures as arrays: decoded within bounds, put upright, and freed of a small rotation."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.figures.skew import skew_angle

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Picture", "Pixels", "decoded", "deskewed"]

Pixels: TypeAlias = NDArray[np.uint8]

MAX_PIXELS = 130_000_000
LONGEST = 2400
_SMALLEST = 80


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


def decoded(content: bytes) -> Picture:
    """The picture in a PNG, JPEG, TIFF, GIF, BMP or WebP file, on white, its longest side at most `LONGEST` pixels.

    Raises DataError for what is cut short, too large (`MAX_PIXELS`), too small to hold a figure or no picture at all.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image: Image = Pillow.open(io.BytesIO(content))
            wide, tall = image.size
            if wide * tall > MAX_PIXELS:
                raise DataError(
                    f"the picture has {wide:,} x {tall:,} pixels; at most {MAX_PIXELS // 10**6} million are read"
                )
            if min(wide, tall) < _SMALLEST:
                raise DataError(f"the picture has {wide} x {tall} pixels; too small to hold a figure")
            if image.format == "JPEG":
                image.draft("RGB", (LONGEST, LONGEST))
            image.load()
            image = ImageOps.exif_transpose(image) or image
            flat = _on_white(image)
    except Pillow.DecompressionBombError:
        raise DataError(f"the picture is too large; at most {MAX_PIXELS // 10**6} million pixels are read") from None
    except UnidentifiedImageError:
        raise DataError("not a picture that can be read (PNG, JPEG, TIFF, GIF, BMP, WebP), nor a PDF or SVG") from None
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        reason = "cut short" if "truncated" in str(error).lower() else "broken"
        raise DataError(f"the picture is {reason}; get the file again") from None
    scale = min(1.0, LONGEST / max(flat.size))
    if scale < 1:
        flat = flat.resize((round(flat.width * scale), round(flat.height * scale)), Pillow.Resampling.BOX)
    upright = wide if flat.width * tall >= flat.height * wide * 0.99 or wide == tall else tall
    return Picture(np.ascontiguousarray(np.asarray(flat)), flat.width / upright)


def _on_white(image: Image) -> Image:
    """The picture as 8-bit RGB, transparency over white, deep greys scaled to their own range."""
    from PIL import Image as Pillow

    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        deep = np.asarray(image, dtype=np.float64)
        top = 65535.0 if deep.max() > 255 else 255.0
        return Pillow.fromarray(np.clip(deep * 255 / top, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layers = image.convert("RGBA")
        paper = Pillow.new("RGBA", layers.size, (255, 255, 255, 255))
        return Pillow.alpha_composite(paper, layers).convert("RGB")
    return image.convert("RGB")


def deskewed(picture: Picture, *, furthest: float = 2.5) -> Picture:
    """The picture turned so that its straight lines run level; unchanged under a twentieth of a degree.

    The angle is the one that gathers the edges of straight lines best.
    """
    import cv2

    angle = skew_angle(picture.rgb, furthest=furthest)
    if abs(angle) < 0.05:
        return picture
    tall, wide = picture.rgb.shape[:2]
    centre = (wide / 2, tall / 2)
    # OpenCV counts pixel centres as whole numbers; here pixel i covers [i, i + 1)
    turn = cv2.getRotationMatrix2D((centre[0] - 0.5, centre[1] - 0.5), -angle, 1.0)
    border = tuple(int(v) for v in np.median(picture.rgb.reshape(-1, 3), axis=0))
    rgb = cv2.warpAffine(
        picture.rgb, turn, (wide, tall), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=border
    )
    return Picture(np.asarray(rgb, dtype=np.uint8), picture.scale, angle, centre)
