"""Kaplan-Meier pictures with known truth as journals and statistics programs print them.

`figure_journal_styles` draws the styles from memory of published figures, not from what the reader can do. Each picture
comes from a seed alone; the truth has the shape of `figure_styles`. Seeds from 0 are for development, seeds from
`FIRST_UNSEEN` for validation only.
"""

from __future__ import annotations

import io

import numpy as np

from benchmarks import figure_styles as styles
from benchmarks.figure_journal_styles import STYLES
from benchmarks.figure_sheets import Sheet, finished, truth_of
from benchmarks.figure_styles import Drawn

#: Pictures from this seed on were never looked at while the reader was worked on.
FIRST_UNSEEN = 1000
NAMES = (
    ("Placebo", "Apalutamide", "Enzalutamide", "Darolutamide"),
    ("Control", "Intervention", "Combination", "Delayed"),
    ("Chemotherapy", "Pembrolizumab", "Pembro + chemo", "Best supportive"),
    ("Standard care", "Early therapy", "Late therapy", "No therapy"),
    ("Stage I", "Stage II", "Stage III", "Stage IV"),
    ("Low risk", "Intermediate risk", "High risk", "Very high risk"),
    ("CABG", "PCI", "Medical therapy", "Hybrid"),
    ("Warfarin", "Dabigatran 110 mg", "Dabigatran 150 mg", "Apixaban"),
    ("Wild type", "Heterozygous", "Homozygous", "Unknown"),
    ("Arm A", "Arm B", "Arm C", "Arm D"),
)
TIMES = {
    "months": ((24, 4), (36, 6), (48, 6), (60, 12), (30, 3), (72, 12), (18, 3)),
    "weeks": ((104, 13), (156, 26), (48, 8), (78, 13)),
    "days": ((1000, 200), (1500, 250), (365, 60), (720, 180)),
    "years": ((5, 1), (8, 2), (10, 2), (6, 1), (15, 3)),
}


def journal_figure(seed, *, style=None, ending=None):
    """The picture of a seed: styles in turn, damage by chance; with `ending` pdf or svg a vector file."""
    import matplotlib as mpl

    mpl.use("Agg")
    rng = np.random.default_rng([seed, 20261122])
    name = style or sorted(STYLES)[seed % len(STYLES)]
    look = STYLES[name]
    points = look.points * rng.uniform(0.9, 1.1)
    fonts = {"svg.fonttype": "none" if rng.random() < 0.5 else "path", "pdf.fonttype": 42, "svg.hashsalt": "figure"}
    inks = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), look.ink)
    with mpl.rc_context({"font.family": look.font, "font.size": points, **fonts, **inks}):
        sheet = _sheet(rng, look, points)
        look.draw(sheet)
        dpi = 72.0 if ending else round(np.exp(rng.uniform(*np.log(look.pixels))) / look.inches[0])
        sheet.page.set_dpi(dpi)
        sheet.page.canvas.draw()
        out = io.BytesIO()
        sheet.page.savefig(out, format=ending or "png", dpi=dpi, facecolor=look.paper)
        truth = truth_of(sheet, dpi)
    truth.update(id=f"{name}-{seed}", style=name, difficulty="vector" if ending else "journal")
    content = out.getvalue()
    if not ending:
        content, ending = finished(rng, look, content, truth)
    return Drawn(truth["id"], content, ending, truth)


def _sheet(rng, look, points):
    from matplotlib.figure import Figure

    unit = look.unit[int(rng.integers(len(look.unit)))]
    end, step = TIMES[unit][int(rng.integers(len(TIMES[unit])))]
    names = NAMES[int(rng.integers(len(NAMES)))][: int(rng.choice(look.arms))]
    floor = float(rng.choice(look.floors))
    least = 1 - 0.4 if look.direction == "incidence" else floor
    follow = end * float(rng.choice([0.8, 0.93, 1.0, 1.04]))
    for _ in range(200):
        arms = styles.simulated(rng, names, horizon=follow, floor=min(least, 0.85))
        if least == 0 or min(float(a.steps[-1, 1]) for a in arms) > least:
            break
    else:
        raise RuntimeError("no arms stay above the foot of the axis")
    page = Figure(figsize=look.inches, facecolor=look.paper)
    return Sheet(rng, page, look, arms, np.arange(0, end + 1e-9, step), unit, floor, points)
