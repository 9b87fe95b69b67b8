"""Kaplan-Meier pictures with known truth as a random draw of open papers, labels and reports shows them.

`figure_print_programs`, `figure_print_papers` and `figure_print_odd` draw the styles from memory of such prints, without
regard to what the reader can do. Each picture comes from a seed alone; the truth has the shape of `figure_journals`.
"""

from __future__ import annotations

import io

import numpy as np

from benchmarks import figure_sheets as sheets
from benchmarks import figure_styles as styles
from benchmarks.figure_print_odd import ODD
from benchmarks.figure_print_papers import PAPERS
from benchmarks.figure_print_parts import Crowded, PrintSheet
from benchmarks.figure_print_programs import PROGRAMS
from benchmarks.figure_styles import Drawn

#: The first seed of the styles in their order.
FIRST_PRINT = 9300
SPANS = {
    "months": ((60, 12), (60, 10), (120, 20), (36, 6), (24, 6), (30, 5), (80, 20), (72, 12)),
    "years": ((5, 1), (10, 2), (8, 1), (15, 5), (6, 1)),
    "days": ((1500, 500), (2000, 500), (360, 60), (100, 20)),
    "weeks": ((104, 26), (60, 10), (156, 26)),
}
REFUSALS = 60


def print_figure(seed, ending=None, *, style=None):
    """The picture of a seed: styles in turn, everything else by chance; with `ending` pdf or svg a vector file."""
    import matplotlib as mpl

    mpl.use("Agg")
    models = prints()
    rng = np.random.default_rng([seed, 20261123])
    name = style or sorted(models)[(seed - FIRST_PRINT) % len(models)]
    model = models[name]
    look = model.style
    points = look.points * rng.uniform(0.94, 1.06)
    inks = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), look.ink)
    smooth = dict.fromkeys(
        ("lines.antialiased", "patch.antialiased", "text.antialiased"), not model.crisp or bool(ending)
    )
    fonts = {
        "font.family": [look.font, "DejaVu Sans"],
        "font.size": points,
        "svg.hashsalt": "figure",
        "pdf.fonttype": 42,
    }
    with mpl.rc_context({**fonts, **inks, **smooth, "mathtext.fontset": "dejavusans", "mathtext.default": "regular"}):
        sheet = _drawn(rng, model, points)
        dpi = 72.0 if ending else round(np.exp(rng.uniform(*np.log(look.pixels))) / look.inches[0])
        sheet.page.set_dpi(dpi)
        out = io.BytesIO()
        sheet.page.savefig(out, format=ending or "png", dpi=dpi, facecolor=look.paper)
        truth = sheets.truth_of(sheet, dpi)
    truth.update(id=f"{name}-{seed}", style=name, difficulty="vector" if ending else "print")
    content = out.getvalue()
    if not ending:
        content, ending = _filed(rng, str(rng.choice(model.files)), content, truth)
    return Drawn(truth["id"], content, ending, truth)


def prints():
    """All styles by their names."""
    return PROGRAMS | PAPERS | ODD


def _drawn(rng, model, points):
    """The sheet with the first patients whose curves leave room for the words."""
    for _ in range(REFUSALS):
        sheet = _sheet(rng, model, points)
        try:
            model.style.draw(sheet)
        except Crowded:
            continue
        return sheet
    raise RuntimeError("no curves leave room for the words")


def _sheet(rng, model, points):
    from matplotlib.figure import Figure

    look = model.style
    unit = look.unit[int(rng.integers(len(look.unit)))]
    spans = model.spans or SPANS[unit]
    end, step = spans[int(rng.integers(len(spans)))]
    count = min(int(rng.choice(look.arms)), max(map(len, model.names)))
    pool = [names for names in model.names if len(names) >= count]
    names = pool[int(rng.integers(len(pool)))][:count]
    floor = float(rng.choice(look.floors))
    arms = _arms(rng, model, names, end, max(floor, model.least))
    page = Figure(figsize=look.inches, facecolor=look.paper)
    return PrintSheet(rng, page, look, arms, np.arange(0, end + 1e-9, step), unit, floor, points)


def _arms(rng, model, names, end, least):
    """Patients whose last survival stays above `least`; those followed for longer than the axis leave at its end."""
    follow = end * float(rng.choice(model.follow))
    for _ in range(400):
        arms = (
            _animals(rng, names, end)
            if model.few
            else styles.simulated(rng, names, horizon=follow, floor=min(least, 0.85))
        )
        arms = [_until(a, end) for a in arms]
        lowest = min(float(a.steps[-1, 1]) for a in arms)
        if max(len(a.time) for a in arms) <= 800 and (lowest > least or not least) and _apart(arms, end, model.apart):
            return arms
    raise RuntimeError("no arms stay above the foot of the axis")


def _until(arm, end):
    time = np.minimum(arm.time, end)
    return styles._arm(arm.name, time, arm.event & (arm.time <= end))


def _apart(arms, end, least):
    """Whether every curve lasts, has steps, and none hides behind another over much of the axis."""
    grid = np.linspace(0.1 * end, 0.9 * end, 60)
    if min(a.last for a in arms) < 0.35 * end or min(len(a.steps) for a in arms) < 5:
        return False
    levels = [np.where(grid <= a.last, a.at(grid), np.nan) for a in arms]
    return all(np.nanmean(np.abs(levels[i] - levels[j]) < least) < 0.28 for i in range(len(arms)) for j in range(i))


def _animals(rng, names, end):
    """Groups of some 6 to 14 animals that die within a while, the survivors killed at the end."""
    out = []
    for name in names:
        n = int(rng.integers(6, 15))
        death = np.ceil(end * rng.uniform(0.3, 1.0) * (0.35 + 0.65 * rng.weibull(2.5, n)))
        out.append(styles._arm(name, np.minimum(death, end), death <= end))
    return out


def _filed(rng, kind, content, truth):
    """The file as it is found: from the program, of few colours, compressed, made smaller by a publisher, or scanned."""
    from PIL import Image

    picture = Image.open(io.BytesIO(content)).convert("RGB")
    truth["damage"] = kind
    if kind == "scan":
        return sheets.scanned(rng, picture, truth)
    if kind == "page":
        return _copied(rng, picture, truth)
    out = io.BytesIO()
    if kind in ("png", "palette"):
        if kind == "palette":
            picture = picture.quantize(int(rng.choice([32, 64, 256])), dither=Image.Dither.NONE)
        picture.save(out, "PNG")
        return out.getvalue(), "png"
    if kind == "small":
        factor = min(1.0, max(float(rng.uniform(0.55, 0.9)), float(rng.uniform(600, 800)) / picture.width))
        size = (round(picture.width * factor), round(picture.height * factor))
        sheets.moved(truth, np.diag([size[0] / picture.width, size[1] / picture.height, 1.0]))
        picture = picture.resize(size, Image.Resampling.BICUBIC if rng.random() < 0.5 else Image.Resampling.LANCZOS)
    picture.save(out, "JPEG", quality=int(rng.integers(60, 93)))
    return out.getvalue(), "jpg"


def _copied(rng, picture, truth):
    """A page copied in colour: a little askew and soft, warm paper, fine noise."""
    from PIL import Image, ImageFilter

    angle = float(rng.uniform(0.15, 0.7) * rng.choice([-1, 1]))
    turned = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.6))))
    turned = turned.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    a, middle = np.radians(angle), np.array([picture.width / 2, picture.height / 2])
    spin = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    sheets.moved(truth, np.block([[spin, (middle - spin @ middle)[:, None]], [np.zeros((1, 2)), np.ones((1, 1))]]))
    paper = np.sort(rng.uniform(0.93, 1.0, 3))[::-1]
    light = np.asarray(turned, float) * paper + rng.normal(0, rng.uniform(1.5, 4), (picture.height, picture.width, 1))
    out = io.BytesIO()
    Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=int(rng.integers(65, 90)))
    return out.getvalue(), "jpg"
