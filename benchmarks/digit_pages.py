"""Pages of printed numbers with known truth, drawn in many faces and sizes and damaged as figures are.

Each page comes from a seed alone and the faces it may use. Numbers are drawn by FreeType as matplotlib does (hinted or
not), by the outlines alone at any fraction of a pixel, without grey levels, or with coloured edges as on screens; then the page is
enlarged, reduced, compressed, blurred, made noisy. What the program cuts out of it is what the reader of digits will see.
"""

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from metagrove.figures.writing.lettering import text_boxes, writing
from metagrove.figures.writing.strips import strip

#: Families that no reader is trained on; the rest of the words are substrings of file names of faces without plain digits.
HELD_OUT = (
    "oxygen",
    "cabin",
    "tuffy",
    "pts",
    "ptn",
    "ptc",
    "ptf",
    "ptz",
    "ptm",
    "linlibertine",
    "linbiolinum",
    "play-",
    "opensans",
    "caladea",
)
_NO_TEXT = ("math", "symbol", "icon", "awesome", "glyph", "stixsize", "stixint", "stixnon", "nonuni", "sizefour", "cmex", "cmsy", "cmmi",
            "d050000l", "opens___", "z003", "cmb10", "cmr10", "cmss10", "cmtt10", "fallback", "webdings", "dingbats", "lmmath", "texgyre-math", "cmunbi", "cmunvi", "cmti10", "lastresort", "biolinum_k", "libertine_m", "_dr.")  # fmt: skip
_COMMON = (
    "liberationsans",
    "dejavusans",
    "arimo",
    "nimbussans",
    "freesans",
    "texgyreheros",
    "helvetic",
    "liberationserif",
    "tinos",
    "nimbusroman",
    "carlito",
    "roboto",
)


@dataclass(frozen=True)
class Sample:
    """A strip of a word with its text, the height of its box in pixels, how it was damaged, and its face."""

    strip: np.ndarray
    text: str
    size: int
    damage: str
    face: str


def faces(folders, *, held_out=False):
    """Font files under folders that have digits, those of held-out families or the others; common families first."""
    found = {}
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.[ot]tf")):
            name = path.name.lower()
            if any(w in name for w in _NO_TEXT):
                continue
            if name.startswith("noto") and name.split("-")[0] not in (
                "notosans",
                "notoserif",
                "notosansmono",
                "notosansdisplay",
                "notoserifdisplay",
                "notomono",
            ):
                continue
            if held_out == any(name.startswith(h) or h in name for h in HELD_OUT):
                found.setdefault(path.name, path)
    return sorted((p for p in found.values() if _has_digits(p)), key=lambda p: p.name)


def _has_digits(path):
    from matplotlib.ft2font import FT2Font

    try:
        known = FT2Font(str(path)).get_charmap()
    except (RuntimeError, OSError):
        return False
    return all(ord(c) in known for c in "0123456789(),.-%")


def weights(paths):
    """How often each face is drawn: families that figures are printed in make up more than half."""
    common = np.array([any(c in p.name.lower() for c in _COMMON) for p in paths])
    slanted = np.array(
        [any(w in p.name.lower() for w in ("italic", "oblique", "-i.", "bolditalic", "_ri", "slant")) for p in paths]
    )
    heavy = np.array([any(w in p.name.lower() for w in ("bold", "bd", "demi", "heavy", "medium")) for p in paths])
    odd = np.array([any(w in p.name.lower() for w in ("black", "thin", "hairline", "extra", "ultra")) for p in paths])
    plain = np.where(common, 0.6 / max(common.sum(), 1), 0.4 / max((~common).sum(), 1))
    plain = plain * np.where(slanted, 0.3, 1.0) * np.where(heavy, 0.5, 1.0) * np.where(odd, 0.2, 1.0)
    return plain / plain.sum()


def page(seed, paths, chances, *, cut=strip, say=None):
    """The samples of one page; `cut` takes a box out of the page's ink, `say` gives each word as it is read and drawn."""
    rng = np.random.default_rng([seed, 20261120])
    size = float(
        np.exp(rng.uniform(np.log(4.2), np.log(10.0)))
        if rng.random() < 0.75
        else np.exp(rng.uniform(np.log(9), np.log(26)))
    )
    damage = _damage(rng)
    factor = damage.get("factor", 1.0)
    drawn = size / factor
    if not 4.0 <= drawn <= 44:
        factor = damage["factor"] = float(np.clip(factor, size / 44, size / 4.0))
        drawn = size / factor
    sheet, words = _sheet(rng, paths, chances, drawn, say or _text)
    rgb = _damaged(rng, sheet, damage)
    ink = writing(rgb)
    boxes = text_boxes(ink)
    if size < 9.5:
        import cv2

        fine = cv2.resize(ink, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        boxes_fine = text_boxes(np.asarray(fine))
        found = [((b.box[0] // 2, b.box[1] // 2, -(-b.box[2] // 2), -(-b.box[3] // 2)), b.angle) for b in boxes_fine]
    else:
        found = [(b.box, b.angle) for b in boxes]
    upright = np.array([b for b, a in found if a == 0] or [(0, 0, 0, 0)], float)
    out = []
    sx, sy = rgb.shape[1] / sheet.shape[1], rgb.shape[0] / sheet.shape[0]
    for text, box, face in words:
        truth = np.array(box) * [sx, sy, sx, sy]
        tall = truth[3] - truth[1]
        off = np.abs(upright - truth).max(axis=1)
        best = int(off.argmin())
        if off[best] < max(1.6, 0.3 * tall):
            place = tuple(int(v) for v in upright[best])
        elif rng.random() < 0.3:
            spread = rng.uniform(-0.6, 0.6, 4)
            place = tuple(int(v) for v in np.floor(truth + spread + 0.5))
        else:
            continue
        place = max(place[0], 0), max(place[1], 0), min(place[2], ink.shape[1]), min(place[3], ink.shape[0])
        if place[3] - place[1] < 4 or place[2] - place[0] < 1:
            continue
        out.append(Sample(cut(ink, place), text, place[3] - place[1], damage["name"], face))
    return out


def _damage(rng):
    kind = str(
        rng.choice(
            ["clean", "jpeg", "up", "down", "scan", "twice", "palette"], p=[0.17, 0.18, 0.18, 0.17, 0.13, 0.15, 0.02]
        )
    )
    out = {"name": kind}
    if kind == "up":
        out["factor"] = float(rng.choice([rng.uniform(1.05, 3.0), 2.0, 2.0, 1.5, 1.25]))
    elif kind == "twice":
        # reduced first, then enlarged again, mostly to about what it was
        out["factor"] = float(rng.uniform(0.7, 2.0))
    elif kind == "down":
        out["factor"] = float(rng.choice([rng.uniform(0.3, 0.95), 0.5, rng.uniform(0.5, 0.9)]))
    elif kind == "scan":
        out["factor"] = float(rng.uniform(0.7, 1.3))
    return out


_FILTERS = ("NEAREST", "BILINEAR", "BICUBIC", "LANCZOS", "BOX", "HAMMING")


def _damaged(rng, sheet, damage):
    from PIL import Image, ImageFilter

    picture = Image.fromarray(sheet)
    kind, factor = damage["name"], damage.get("factor", 1.0)

    def resized(image, by):
        allowed = _FILTERS[1:] if by < 1 or by % 1 or rng.random() < 0.7 else _FILTERS[:1]
        how = Image.Resampling[str(rng.choice(allowed))]
        return image.resize((max(round(image.width * by), 8), max(round(image.height * by), 8)), how)

    if kind == "twice":
        first = float(rng.uniform(0.4, 0.95)) * min(factor, 1.0)
        picture = resized(resized(picture, first), factor / first)
    elif factor != 1.0:
        picture = resized(picture, factor)
    if kind == "scan":
        if rng.random() < 0.6:
            turned = float(rng.uniform(-0.25, 0.25))
            picture = picture.rotate(turned, Image.Resampling.BICUBIC, fillcolor=picture.getpixel((1, 1)))
        if rng.random() < 0.6:
            picture = picture.convert("L").convert("RGB")
        if rng.random() < 0.6:
            picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.9))))
        noisy = np.asarray(picture, float) + rng.normal(
            0, rng.uniform(2, 10), (picture.height, picture.width, 1 if rng.random() < 0.7 else 3)
        )
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    if kind == "palette":
        picture = picture.quantize(int(rng.choice([8, 16, 64]))).convert("RGB")
    if kind == "jpeg" or (kind in ("up", "down", "scan", "twice") and rng.random() < 0.5):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=int(rng.uniform(28, 95)), subsampling=int(rng.choice([0, 2, 2])))
        picture = Image.open(out).convert("RGB")
        damage["name"] = kind if kind == "jpeg" else f"{kind}+jpeg"
    return np.asarray(picture)


def _sheet(rng, paths, chances, size, say):
    """A page of words at a size of their digits, and each word's text and box."""
    columns, rows = int(rng.integers(5, 9)), int(rng.integers(10, 18))
    dark = rng.random() < 0.08
    paper = _paper(rng, dark)
    wide, tall = int(columns * 6.0 * size + 40), int(rows * 2.6 * size + 40)
    sheet = np.ones((tall, wide, 3)) * paper
    way = str(rng.choice(["agg", "agg", "outline", "outline", "screen", "mono"], p=[0.3, 0.14, 0.3, 0.08, 0.14, 0.04]))
    words, coloured = [], rng.random() < 0.5
    y = 14.0
    for _ in range(rows):
        path = paths[int(rng.choice(len(paths), p=chances))]
        colour = _colour(rng, dark, coloured)
        spaced = float(rng.choice([0.0, 0.0, 0.0, rng.uniform(-0.13, 0.0), rng.uniform(0, 0.12)]))
        x = 8.0 + rng.uniform(0, 2 * size)
        pitch = size * rng.uniform(1.5, 2.4)
        if y + pitch > tall - 8:
            break
        while x < wide - 2 * size:
            text, shown = say(rng)
            mask, at = _drawn(rng, str(path), shown, size * rng.uniform(0.97, 1.03), way, spaced, x % 1)
            if mask is None or int(x) + mask.shape[1] > wide - 6:
                break
            top, left = int(y) + int(rng.integers(0, 2)), int(x)
            high, long = mask.shape[:2]
            if top + high > tall - 4:
                break
            under = sheet[top : top + high, left : left + long]
            sheet[top : top + high, left : left + long] = under * (1 - mask) + colour * mask
            inked = mask.max(axis=2) > 0.35
            if inked.any():
                ys, xs = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
                words.append((text, (left + xs[0], top + ys[0], left + xs[-1] + 1, top + ys[-1] + 1), path.name))
                _neighbours(rng, sheet, words[-1][1], size, colour)
            x += at + size * rng.uniform(0.62, 2.6)
        y += pitch
    return np.clip(np.round(sheet), 0, 255).astype(np.uint8), words


def _paper(rng, dark):
    if dark:
        return rng.uniform(0, 60, 3)
    return np.full(3, 255.0) if rng.random() < 0.7 else rng.uniform(215, 255, 3)


def _colour(rng, dark, coloured):
    if dark:
        return np.full(3, 255.0) if rng.random() < 0.6 else rng.uniform(140, 255, 3)
    if coloured and rng.random() < 0.6:
        colour = rng.uniform(0, 255, 3)
        return colour * min(1.0, 150 / max(colour.mean(), 1))
    return np.full(3, float(rng.choice([0, 0, 0, rng.uniform(0, 130)])))


def _neighbours(rng, sheet, box, size, colour):
    """A rule, a tick mark or a scrap close to a word, now and then."""
    left, top, right, bottom = box
    tall, wide = sheet.shape[:2]
    draw = rng.random()
    thick = 1 if size < 14 else 2
    if draw < 0.05:  # a rule below or above
        at = (
            bottom + int(rng.uniform(1, 0.35 * size + 2))
            if rng.random() < 0.6
            else top - int(rng.uniform(2, 0.35 * size + 3))
        )
        if 0 < at < tall - thick:
            sheet[at : at + thick, max(left - 4, 0) : min(right + 4, wide)] = colour
    elif draw < 0.09:  # a tick mark above the middle
        at = int((left + right) / 2 + rng.uniform(-0.3, 0.3) * size)
        end = top - int(rng.uniform(1, 3))
        if 0 < at < wide - thick and end > 2:
            sheet[max(end - int(0.5 * size) - 1, 0) : end, at : at + thick] = colour
    elif draw < 0.12:  # an upright line beside it
        at = (
            right + int(rng.uniform(0.3, 0.6) * size)
            if rng.random() < 0.5
            else left - int(rng.uniform(0.3, 0.6) * size)
        )
        if 0 < at < wide - thick:
            sheet[max(top - 3, 0) : bottom + 3, at : at + thick] = colour
    elif draw < 0.15:  # a pale line through it
        at = int(rng.uniform(left, right))
        if 0 < at < wide - 1:
            part = sheet[max(top - 4, 0) : bottom + 4, at : at + 1]
            sheet[max(top - 4, 0) : bottom + 4, at : at + 1] = np.minimum(part, 255 - rng.uniform(10, 60))


def _text(rng):
    """A word as it is to be read, and as it is drawn."""
    digits = "0123456789"

    def count(longest=4):
        n = int(rng.choice([1, 2, 3, 4], p=[0.18, 0.36, 0.34, 0.12]))
        n = min(n, longest)
        if rng.random() < 0.12:
            return str(rng.choice(list(digits))) * n
        return (str(rng.choice(list("123456789"))) if n > 1 else str(rng.choice(list(digits)))) + "".join(
            rng.choice(list(digits), n - 1)
        )

    draw = rng.random()
    if draw < 0.62:
        out = count()
        return out, out
    if draw < 0.70:
        a, b = count(3), count(3)
        left, right = ("[", "]") if rng.random() < 0.2 else ("(", ")")
        shown = [f"{left}{b}{right}", f"{a} {left}{b}{right}", f"{a}{left}{b}{right}"][int(rng.integers(3))]
        return shown.replace(" ", ""), shown
    if draw < 0.82:
        point = str(rng.choice([".", ".", ".", ",", "·"]))
        lead = str(rng.choice(["0", "0", "1", "", count(2)]))
        shown = lead + point + "".join(rng.choice(list(digits), int(rng.choice([1, 2, 2, 3]))))
        return shown.replace("·", "."), shown
    if draw < 0.86:
        shown = count(3) + str(rng.choice(["%", " %"]))
        return shown.replace(" ", ""), shown
    if draw < 0.90:
        shown = f"{int(rng.integers(1, 30))},{''.join(rng.choice(list(digits), 3))}"
        return shown, shown
    if draw < 0.92:
        shown = str(rng.choice(["-", "−", "–"])) + count(3)
        return "-" + shown[1:], shown
    letters = "ABCDEFGHJKMNPQRTUVWXYabcdefghkmnpqrtuvwxy"
    word = "".join(rng.choice(list(letters), int(rng.integers(1, 6))))
    shown = [word, word + count(3), count(3) + word[:1]][int(rng.integers(3))]
    return "".join("?" if c.isalpha() else c for c in shown), shown


@lru_cache(maxsize=4096)
def _outline(path, size):
    from PIL import ImageFont

    return ImageFont.truetype(path, size)


@lru_cache(maxsize=600)
def _digit_share(path):
    """The height of digits in the size of the type."""
    box = _outline(path, 200).getbbox("0")
    return max((box[3] - box[1]) / 200, 0.3)


def _drawn(rng, path, text, size, way, spaced, phase):
    """The word's ink (rows, columns, channels), 0 to 1, and its width."""
    em = size / _digit_share(path)
    try:
        if way == "agg" and spaced == 0.0:
            return _by_agg(rng, path, text, em)
        return _by_outline(path, text, em, way, spaced, phase)
    except (OSError, RuntimeError, ValueError):
        return None, 0.0


def _by_agg(rng, path, text, em):
    from matplotlib.ft2font import FT2Font, LoadFlags

    flags = [LoadFlags.FORCE_AUTOHINT, LoadFlags.NO_HINTING, LoadFlags.DEFAULT][int(rng.choice(3, p=[0.55, 0.25, 0.2]))]
    font = FT2Font(path, hinting_factor=8)
    font.set_size(em * 0.72, 100)
    font.set_text(text, 0, flags=flags)
    font.draw_glyphs_to_bitmap(antialiased=bool(rng.random() < 0.94))
    mask = np.asarray(font.get_image(), float) / 255
    mask = np.pad(mask, 2)
    return np.repeat(mask[:, :, None], 3, axis=2), float(mask.shape[1])


def _by_outline(path, text, em, way, spaced, phase):
    from PIL import Image, ImageDraw

    across = 1 if way == "mono" else 6
    font = _outline(path, max(round(em * across * 4) / 4, 4.0))
    places, x = [], 0.0
    if spaced == 0.0:
        places, x = [(0.0, text)], font.getlength(text)
    else:
        for c in text:
            places.append((x, c))
            x += font.getlength(c) + spaced * em * across
    long, high = int(x + 6 * across), int(1.6 * em * across + 4 * across)
    long, high = -(-long // across) * across, -(-high // across) * across
    canvas = Image.new("1" if way == "mono" else "L", (long, high))
    pen = ImageDraw.Draw(canvas)
    for at, c in places:
        pen.text(
            (2 * across + at + phase * across, across * 1 + (phase * 7 % 1) * across),
            c,
            fill=1 if way == "mono" else 255,
            font=font,
        )
    fine = np.asarray(canvas, float) / (1 if way == "mono" else 255)
    if way == "mono":
        return np.repeat(fine[:, :, None], 3, axis=2), x
    if way == "screen":
        third = fine.reshape(high // 6, 6, long // 2, 2).mean(axis=(1, 3))
        soft = sum(w * np.roll(third, k, axis=1) for k, w in zip((-1, 0, 1), (1 / 3, 1 / 3, 1 / 3), strict=True))
        return np.stack([soft[:, k::3] for k in range(3)], axis=2), x / 6
    mask = fine.reshape(high // 6, 6, long // 6, 6).mean(axis=(1, 3))
    return np.repeat(mask[:, :, None], 3, axis=2), x / 6
