"""Kaplan-Meier pictures with known truth as further statistics programs, portals, trial groups and journals print them.

`figure_vendor_programs` and `figure_vendor_papers` draw the styles from memory of what these print, without regard to what
the reader can do. Each picture comes from a seed alone; the truth has the shape of `figure_journals`.
"""

from __future__ import annotations

import io

import numpy as np

from benchmarks import figure_sheets as sheets
from benchmarks import figure_styles as styles
from benchmarks.figure_sheets import Sheet
from benchmarks.figure_styles import Drawn
from benchmarks.figure_vendor_papers import PAPERS
from benchmarks.figure_vendor_programs import PROGRAMS

TIMES = {
    "months": ((24, 6), (36, 12), (60, 12), (120, 20), (48, 12), (84, 12), (18, 2)),
    "weeks": ((52, 4), (120, 20), (80, 10), (200, 50)),
    "days": ((2000, 500), (3000, 500), (4000, 1000), (1500, 300), (28, 7)),
    "years": ((3, 0.5), (5, 1), (10, 2), (20, 5), (12, 1), (7, 1)),
}


def vendor_figure(seed, *, style=None):
    """The picture of a seed: styles in turn, everything else by chance."""
    import matplotlib as mpl

    mpl.use("Agg")
    models = PROGRAMS | PAPERS
    rng = np.random.default_rng([seed, 20261121])
    name = style or sorted(models)[seed % len(models)]
    model = models[name]
    look = model.style
    points = look.points * rng.uniform(0.92, 1.08)
    inks = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), look.ink)
    with mpl.rc_context(
        {"font.family": [look.font, "DejaVu Sans"], "font.size": points, "hatch.linewidth": 0.5, **inks}
    ):
        sheet = _sheet(rng, model, points)
        look.draw(sheet)
        dpi = round(np.exp(rng.uniform(*np.log(look.pixels))) / look.inches[0])
        sheet.page.set_dpi(dpi)
        sheet.page.canvas.draw()
        out = io.BytesIO()
        sheet.page.savefig(out, format="png", dpi=dpi, facecolor=look.paper)
        truth = sheets.truth_of(sheet, dpi)
    truth.update(id=f"{name}-{seed}", style=name, difficulty="vendor")
    if model.photograph:
        content, ending = _photographed(rng, out.getvalue(), truth)
    else:
        content, ending = sheets.finished(rng, look, out.getvalue(), truth)
    return Drawn(truth["id"], content, ending, truth)


def _sheet(rng, model, points):
    from matplotlib.figure import Figure

    look = model.style
    unit = look.unit[int(rng.integers(len(look.unit)))]
    end, step = TIMES[unit][int(rng.integers(len(TIMES[unit])))]
    count = min(int(rng.choice(look.arms)), max(map(len, model.names)))
    pool = [names for names in model.names if len(names) >= count]
    names = pool[int(rng.integers(len(pool)))][:count]
    floor = float(rng.choice(look.floors))
    least = 0.72 if look.direction == "incidence" else floor
    follow = end * float(rng.choice([0.7, 0.88, 0.97, 1.0]))
    for _ in range(300):
        arms = styles.simulated(rng, names, horizon=follow, floor=min(least, 0.85))
        if max(len(a.time) for a in arms) <= 620 and (least == 0 or min(float(a.steps[-1, 1]) for a in arms) > least):
            break
    else:
        raise RuntimeError("no arms stay above the foot of the axis")
    page = Figure(figsize=look.inches, facecolor=look.paper)
    return Sheet(rng, page, look, arms, np.arange(0, end + 1e-9, step), unit, floor, points)


def _photographed(rng, content, truth):
    """A picture taken of a projected slide: soft, uneven light, a bluish cast, noise, strong compression."""
    from PIL import Image, ImageFilter

    picture = (
        Image.open(io.BytesIO(content)).convert("RGB").filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.0))))
    )
    light = np.asarray(picture, float)
    rows, columns = light.shape[:2]
    down, across = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    middle = rng.uniform(-0.3, 0.3, 2)
    fall = 1 - rng.uniform(0.08, 0.22) * ((across - middle[0]) ** 2 + (down - middle[1]) ** 2) / 2
    cast = np.array([rng.uniform(0.9, 1.0), rng.uniform(0.94, 1.0), 1.0])
    light = (18 + light * 0.9) * fall[..., None] * cast + rng.normal(0, rng.uniform(1.5, 4), (rows, columns, 1))
    out = io.BytesIO()
    Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=int(rng.integers(55, 85)))
    truth["damage"] = "photograph"
    return out.getvalue(), "jpg"
