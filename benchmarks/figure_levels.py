"""Kaplan-Meier pictures with known truth in eight styles and three levels of damage.

Clean pictures come as the program leaves them; medium ones have bands, more arms and compression; hard ones are grey,
black, small, askew or strongly compressed, and their curves cross. Each comes from a seed alone; the truth has the shape
of `figure_prints`, with the affine map from the axes to the picture.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from benchmarks import figure_sheets as sheets
from benchmarks import figure_styles as styles
from benchmarks.figure_level_styles import KINDS, LevelSheet
from benchmarks.figure_print_parts import Crowded
from benchmarks.figure_styles import LEVELS, Drawn

#: The first seed of the styles in their order; eight clean pictures, eight medium and eight hard ones follow each other.
FIRST_LEVEL = 9700
REFUSALS = 80
SPANS = {
    "months": ((24, 3), (24, 4), (36, 6), (36, 5), (48, 6), (48, 12), (60, 10), (60, 12), (84, 12)),
    "years": ((5, 1), (6, 1), (8, 1), (10, 2), (12, 2)),
    "days": ((365, 50), (365, 60), (730, 100), (1000, 200), (1500, 250), (180, 30)),
}
#: Days in a unit of time.
DAYS = {"months": 30.4375, "years": 365.25, "days": 1.0}


@dataclass(frozen=True)
class Harm:
    """What becomes of a hard picture: its inks, resolution, width, quality, turn in degrees, and whether it is grey."""

    inks: str = "colour"
    dpi: int = 150
    width: int = 0
    quality: int = 60
    turn: float = 0.0
    grey: bool = False


HARMS = (
    Harm(inks="black", dpi=120, width=600, quality=0),
    Harm(dpi=110, quality=40),
    Harm(inks="black", turn=0.6, quality=55),
    Harm(inks="black", dpi=150, grey=True),
    Harm(inks="grey", dpi=200, turn=-0.5),
    Harm(width=640, quality=50),
    Harm(inks="black", dpi=100, width=540, quality=65),
    Harm(inks="grey", dpi=130, grey=True),
)


def level_figure(seed, ending=None):
    """The picture of a seed: eight styles in turn, then the next level; with `ending` pdf or svg a vector file."""
    import matplotlib as mpl

    mpl.use("Agg")
    turn = seed - FIRST_LEVEL
    rng = np.random.default_rng([seed, 20261127])
    name = sorted(KINDS)[turn % len(KINDS)]
    level = LEVELS[turn // len(KINDS) % len(LEVELS)]
    harm = HARMS[(turn + turn // (len(KINDS) * len(LEVELS))) % len(HARMS)] if level == "hard" else Harm()
    kind = KINDS[name]
    fonts = {
        "font.family": [kind.style.font, "DejaVu Sans"],
        "font.size": kind.style.points,
        "svg.hashsalt": "figure",
        "pdf.fonttype": 42,
    }
    with mpl.rc_context(fonts):
        sheet = _drawn(rng, kind, level, harm)
        dpi = 72 if ending else harm.dpi
        sheet.page.set_dpi(dpi)
        out = io.BytesIO()
        sheet.page.savefig(out, format=ending or "png", dpi=dpi, facecolor=kind.style.paper)
        truth = sheets.truth_of(sheet, dpi)
    truth.update(id=f"{name}-{seed}", style=name, difficulty="vector" if ending else level)
    truth["neutral"] = any(a["linestyle"] != "solid" for a in truth["arms"])
    _described(sheet, dpi, truth)
    content = out.getvalue()
    if not ending:
        content, ending = _damaged(content, truth, level, harm)
    return Drawn(truth["id"], content, ending, truth)


def _described(sheet, dpi, truth):
    """The visible limits, the printed labels and the affine map from the axes to the picture."""
    ax = sheet.ax
    tall = sheet.page.get_size_inches()[1] * dpi
    (left, low), (right, high) = ax.transData.transform([(0.0, 0.0), (1.0, 1.0)])
    across, up = ax.get_xlim(), ax.get_ylim()
    truth["axes"]["x"].update(
        min=across[0], max=across[1], tick_labels=[f"{t:g}" for t in sheet.ticks], unit=sheet.unit
    )
    labels = [label.get_text() for label in ax.get_yticklabels()]
    truth["axes"]["y"].update(min=up[0], max=up[1], ticks=[float(v) for v in ax.get_yticks()], tick_labels=labels)
    truth["axes"]["y"].update(scale="percent" if sheet.scale > 1 else "proportion", direction=sheet.style.direction)
    truth["axes"]["pixel_affine"] = [
        [float(right - left), 0.0, float(left)],
        [0.0, float(low - high), float(tall - low)],
    ]
    truth["extras"] = {"hazard_shape": sheet.course}


def _drawn(rng, kind, level, harm):
    """The sheet with the first patients whose curves leave room for the words."""
    for _ in range(REFUSALS):
        sheet = _sheet(rng, kind, level, harm)
        try:
            kind.style.draw(sheet)
        except Crowded:
            continue
        return sheet
    raise RuntimeError("no curves leave room for the words")


def _sheet(rng, kind, level, harm):
    from matplotlib.figure import Figure

    look = kind.style
    unit = look.unit[int(rng.integers(len(look.unit)))]
    end, step = SPANS[unit][int(rng.integers(len(SPANS[unit])))]
    most = min(kind.most, 3 if harm.inks != "colour" else 4)
    count = min(most, int(rng.choice(look.arms if level == "medium" else (2, 2, 3))))
    pool = [names for names in kind.names if len(names) >= count]
    names = pool[int(rng.integers(len(pool)))][:count]
    floor = float(look.floors[int(rng.integers(len(look.floors)))])
    top = float(kind.tops[int(rng.integers(len(kind.tops)))])
    course = str(
        rng.choice(
            ("crossing", "crossing", "delayed") if level == "hard" else ("ph", "ph", "delayed", "cure", "crossing")
        )
    )
    least = max(floor, 1 - top if look.direction == "incidence" else 0.0)
    size = np.exp(rng.uniform(*np.log(kind.sizes)))
    arms = _arms(
        rng, names, course, float(end), unit, size, least, (0.014, 0.25) if harm.inks == "colour" else (0.024, 0.15)
    )
    page = Figure(figsize=[side + 1e-6 for side in look.inches], facecolor=look.paper)
    sheet = LevelSheet(rng, page, look, arms, np.arange(0, end + 1e-9, step), unit, floor, look.points)
    sheet.level, sheet.hues, sheet.reach, sheet.course = level, harm.inks, float(end), course
    sheet.highest = top
    return sheet


def _arms(rng, names, course, end, unit, size, least, apart):
    """Patients whose curves end above `least`, last over most of the axis and are not hidden behind each other."""
    for _ in range(400):
        arms = [
            _patients(rng, name, size * rng.uniform(0.88, 1.12), unit, law)
            for name, law in zip(names, _laws(rng, course, end, least, len(names)), strict=True)
        ]
        lowest = min(float(a.steps[-1, 1]) for a in arms)
        if (lowest > least or not least) and _apart(arms, end, apart[0] * (1 - least), apart[1]):
            return arms
    raise RuntimeError("no arms stay above the foot of the axis")


def _apart(arms, end, least, share):
    """Whether every curve lasts, has steps, and none hides behind another over more than `share` of the axis."""
    if min(a.last for a in arms) < 0.7 * end or min(len(a.steps) for a in arms) < 6:
        return False
    grid = np.linspace(0.1, 0.9, 60) * end
    levels = [np.where(grid <= a.last, a.at(grid), np.nan) for a in arms]
    return all(np.nanmean(np.abs(levels[i] - levels[j]) < least) < share for i in range(len(arms)) for j in range(i))


def _laws(rng, course, end, least, count):
    """True survival of each arm over a grid of times: proportional, late, crossing hazards, or some never die."""
    grid = np.linspace(0, end, 400)
    power = rng.uniform(0.75, 1.3)
    foot = rng.uniform(least + 0.1 * (1 - least), least + 0.45 * (1 - least))
    hazard_of = -np.log(foot) * (grid / end) ** power
    out = [(end, grid, np.exp(-hazard_of))]
    for k in range(1, count):
        ratio = rng.uniform(0.5, 0.85) ** k
        if course == "crossing":
            bend = (grid / end) ** (power * (rng.uniform(1.5, 2.0) if k % 2 else rng.uniform(0.5, 0.65)))
            law = np.exp(np.log(foot) * rng.uniform(0.75, 1.0) * bend)
        elif course == "delayed":
            early = np.interp(0.2 * end, grid, hazard_of)
            law = np.exp(-np.where(hazard_of < early, hazard_of, early + ratio * (hazard_of - early)))
        elif course == "cure":
            stay = rng.uniform(0.15, 0.4)
            law = stay + (1 - stay) * np.exp(-ratio * hazard_of * 1.2)
        else:
            law = np.exp(-ratio * hazard_of)
        out.append((end, grid, law))
    return out


def _patients(rng, name, size, unit, law):
    """Patients of one arm who enter over a while, leave at random, and are followed to the end of the axis."""
    end, grid, survival = law
    n = max(15, int(size))
    chance = rng.random(n)
    death = np.where(chance > survival[-1], np.interp(-chance, -survival, grid), np.inf)
    leave = np.minimum(end * rng.uniform(rng.uniform(0.3, 0.75), 1.35, n), end * rng.exponential(5.0, n))
    leave = np.minimum(leave, end)
    days = np.maximum(np.ceil(np.minimum(death, leave) * DAYS[unit] - 1e-9), 1)
    return styles._arm(name, np.minimum(days / DAYS[unit], end), death <= leave)


def _damaged(content, truth, level, harm):
    """The file as its level leaves it: untouched, compressed, or turned, made grey, small and compressed."""
    from PIL import Image

    truth["damage"] = level
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    turn = np.eye(3)
    if harm.turn:
        angle, middle = np.radians(harm.turn), np.array([picture.width / 2, picture.height / 2])
        spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        turn = np.block([[spin, (middle - spin @ middle)[:, None]], [np.zeros((1, 2)), np.ones((1, 1))]])
        picture = picture.rotate(harm.turn, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    if harm.width:
        small = (harm.width, round(picture.height * harm.width / picture.width))
        turn = np.diag([small[0] / picture.width, small[1] / picture.height, 1.0]) @ turn
        picture = picture.resize(small, Image.Resampling.LANCZOS)
    if harm.grey:
        picture = picture.convert("L")
    sheets.moved(truth, turn)
    affine = np.vstack([truth["axes"]["pixel_affine"], [0, 0, 1]])
    truth["axes"]["pixel_affine"] = [[float(v) for v in row] for row in (turn @ affine)[:2]]
    truth["image"] = {
        "width": picture.width,
        "height": picture.height,
        "rotation_deg": harm.turn,
        "greyscale": harm.grey,
    }
    out = io.BytesIO()
    if level == "clean" or not harm.quality:
        picture.save(out, "PNG")
        return out.getvalue(), "png"
    picture.save(out, "JPEG", quality=harm.quality)
    return out.getvalue(), "jpg"
