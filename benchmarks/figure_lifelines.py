"""Kaplan-Meier figures drawn by lifelines itself, in matplotlib's and seaborn's styles, as Python users publish them.

Confidence bands in the curves' own colours, grids and panels, censor marks, axes that begin left of 0, tables with a block
of people at risk, censored and events for each arm. Each figure comes from a seed alone; the truth has the shape of
`figure_styles`. Crowded pages are as the program leaves them: a small figure may be overrun by its own table.
"""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np

from benchmarks.figure_styles import Drawn

NAMES = (
    ("Control", "Treatment"),
    ("placebo", "drug X"),
    ("miR-137", "control"),
    ("Stage I", "Stage II", "Stage III"),
    ("Pembrolizumab", "Chemotherapy"),
    ("low", "mid", "high"),
)
THEMES = ("default", "default", "seaborn-v0_8-whitegrid", "ggplot", "seaborn-v0_8-darkgrid", "bmh", "fivethirtyeight")
SIZES = ((6.4, 4.8), (8, 6), (10, 6), (5, 4))
GRIDS = ({}, {"alpha": 0.3}, {"ls": "--", "alpha": 0.5}, {"axis": "y", "color": "lightgrey"})
SURVIVAL = ("Survival probability", "Overall survival", "est. probability of survival $\\hat{S}(t)$")
TIME = ("timeline", "Time (months)", "Days since randomization")


def lifelines_figure(seed: int) -> Drawn:
    """The picture of a seed."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from lifelines.plotting import add_at_risk_counts

    rng = np.random.default_rng(seed + 5000)
    names = NAMES[rng.integers(len(NAMES))]
    theme = str(rng.choice(THEMES))
    with plt.style.context(["default", theme]):
        page, ax = plt.subplots(figsize=SIZES[rng.integers(len(SIZES))])
        dpi, table = int(rng.choice([72, 100, 150, 200])), int(rng.integers(3))
        fits, arms = _curves(rng, ax, names)
        _labels(rng, ax, grid=theme == "default")
        if table:
            add_at_risk_counts(*fits, ax=ax, **({"rows_to_show": ["At risk"]} if table == 2 else {}))
        page.tight_layout()
        held = io.BytesIO()
        page.savefig(held, dpi=dpi)
        low, high = ax.get_xlim()
        ticks = [float(v) for v in ax.get_xticks() if low - 1e-9 <= v <= high + 1e-9]
        plt.close(page)
    rows = [
        {"arm": a["name"], "n": [int((f.durations > t).sum()) for t in ticks]} for f, a in zip(fits, arms, strict=True)
    ]
    truth = {
        "id": f"lifelines-{seed}",
        "style": "lifelines",
        "difficulty": "clean",
        "damage": "none",
        "axes": {"x": {"ticks": ticks, "max": max(ticks)}, "y": {"units_per_proportion": 1.0}},
        "arms": arms,
        "at_risk": {"times": ticks, "rows": rows} if table else None,
        "direction": "survival",
        "neutral": False,
        "hints": {"axes": {}, "arms": []},
    }
    return Drawn(f"lifelines-{seed}", held.getvalue(), "png", truth)


def _curves(rng, ax, names):
    """The fitted arms on the axes, and what is true of them."""
    import matplotlib as mpl
    from lifelines import KaplanMeierFitter

    band, marks = bool(rng.random() < 0.55), bool(rng.random() < 0.5)
    horizon = float(rng.choice([24, 36, 60, 100, 365, 10]))
    fits, arms = [], []
    for name in names:
        n = int(rng.integers(30, 400))
        died = horizon * rng.uniform(0.3, 1.2) * rng.weibull(rng.uniform(0.8, 1.5), n)
        left = rng.uniform(0.2 * horizon, horizon, n)
        time = np.round(np.minimum(died, left), 2 if horizon < 150 else 0)
        fit = KaplanMeierFitter(label=name).fit(time, died <= left)
        options = {"ci_show": band, "show_censors": marks}
        if marks and rng.random() < 0.8:
            options["censor_styles"] = {"ms": 6, "marker": str(rng.choice(["+", "|"]))}
        if rng.random() < 0.3:
            options["linewidth"] = 2.5
        fit.plot_survival_function(ax=ax, **options)
        steps = [(float(t), float(s)) for t, s in fit.survival_function_.iloc[:, 0].items()]
        kept = [steps[0]] + [b for a, b in pairwise(steps) if b[1] < a[1] - 1e-12]
        fits.append(fit)
        arms.append(
            {
                "name": name,
                "color": mpl.colors.to_hex(ax.lines[-1].get_color()),
                "linestyle": "solid",
                "n": n,
                "events": int((died <= left).sum()),
                "median": None,
                "last_time": float(time.max()),
                "steps": kept,
                "censor": [],
            }
        )
    return fits, arms


def _labels(rng, ax, *, grid):
    if rng.random() < 0.6:
        ax.set_ylim(0, 1.0 if rng.random() < 0.5 else 1.05)
    ax.set_xlabel(str(rng.choice(TIME)))
    if rng.random() < 0.7:
        ax.set_ylabel(str(rng.choice(SURVIVAL)))
    if rng.random() < 0.5:
        ax.set_title("Kaplan-Meier curves")
    kind = int(rng.integers(6))
    if grid and kind < len(GRIDS):
        ax.grid(True, **GRIDS[kind])
