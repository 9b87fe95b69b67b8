"""Kaplan-Meier figures with the habits of real papers that the house styles of `figure_styles` do not show.

Arrows from names to curves, text over curves, panels side by side, counts with losses in brackets, half ticks, broken
axes, decimal commas, letters below each other, screens with coloured edges, enlarged bitmaps, lines of one hue, six arms.
Each figure comes from a seed alone; the truth has the shape of `figure_styles`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np

from benchmarks import figure_styles as styles
from benchmarks.figure_styles import Drawn, Look

SANS, SERIF = "Liberation Sans", "Liberation Serif"
BLUES = ("#08306b", "#2171b5", "#6baed6", "#9ecae1")
MANY = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf")


@dataclass(frozen=True)
class Habit:
    """A look and what authors did to it afterwards."""

    look: Look
    arms: tuple[int, ...] = (2, 2, 3)
    inks: tuple[str, ...] = ()
    finish: str = ""
    arrows: bool = False
    over: bool = False
    panels: bool = False
    brackets: bool = False
    halves: bool = False
    broken: bool = False
    comma: bool = False
    stacked: bool = False
    table_font: str = ""


HABITS = {
    "arrows": Habit(Look(font=SANS, legend="none", percent=True, step=20, y_format="{:.0f}", note=False), arrows=True),
    "textover": Habit(Look(legend="top", marks="|", note=False), over=True),
    "panels": Habit(Look(size=(9.6, 4.6), font=SANS, points=8, legend="inset", note=False, width=1.2), panels=True),
    "brackets": Habit(
        Look(font=SANS, legend="inset", heading="No. at risk (censored)"),
        brackets=True,
    ),
    "halfticks": Habit(Look(font=SERIF, frame="box", ticks="in", legend="inset", width=1.0), halves=True, comma=True),
    "broken": Habit(Look(floor=0.4, step=0.1, legend="inset", marks="", note=False, width=1.6), broken=True),
    "percentsign": Habit(Look(font=SANS, percent=True, step=25, y_format="{:.0f} %", legend="bottom", risk="none")),
    "cleartype": Habit(Look(font=SANS, legend="right", step=0.25, y_format="{:.2f}"), finish="cleartype"),
    "enlarged": Habit(Look(legend="top", marks="|", grid="y"), finish="enlarged"),
    "greyscan": Habit(Look(font=SERIF, neutral=True, legend="inset", marks="", width=1.4), finish="greyscan"),
    "onehue": Habit(Look(font=SANS, legend="inset", marks="|", percent=True, step=20, y_format="{:.0f}"), inks=BLUES),
    "thick": Habit(Look(font=SANS, legend="right", marks="", width=4.0, points=11, risk="none")),
    "many": Habit(Look(size=(7.2, 6.0), legend="inset", marks="", width=1.1, note=False), arms=(4, 5, 6), inks=MANY),
    "stacked": Habit(Look(font=SANS, legend="inset", marks="|", y_title="above"), stacked=True, table_font=SERIF),
}
EXTRA_NAMES = ("Cohort I", "Cohort II", "Cohort III", "Cohort IV", "Cohort V", "Cohort VI")


def habit_figure(seed, *, style=None, level=None):
    """The figure of a seed: habits in turn, pictures damaged by chance unless a `level` is given."""
    import matplotlib as mpl

    mpl.use("Agg")
    rng = np.random.default_rng([seed, 20261121])
    style = style or sorted(HABITS)[seed % len(HABITS)]
    habit = HABITS[style]
    level = level or styles.LEVELS[int(rng.choice(3, p=[0.5, 0.4, 0.1]))]
    scale = rng.uniform(0.92, 1.12)
    look = replace(habit.look, points=habit.look.points * scale, width=habit.look.width * rng.uniform(0.9, 1.15))
    count = int(rng.choice(habit.arms))
    names = EXTRA_NAMES[:count] if count > 4 else styles.NAMES[int(rng.integers(len(styles.NAMES)))][:count]
    horizon = float(rng.choice((24, 36, 48, 60)))
    arms = styles.simulated(rng, names, horizon=horizon, floor=look.floor)
    inks = [(c, "-") for c in habit.inks[:count]] or styles._inks(rng, look, count)
    content, truth = _drawn(rng, habit, look, (arms, inks, horizon), dpi=int(rng.choice([110, 150])))
    truth.update(id=f"{style}-{seed}", style=style, difficulty=level)
    content, ending = _finished(rng, habit.finish, content, truth, level)
    return Drawn(truth["id"], content, ending, truth)


def _drawn(rng, habit, look, data, *, dpi):
    import matplotlib as mpl
    from matplotlib.figure import Figure

    arms, inks, horizon = data
    with mpl.rc_context({"font.family": look.font, "font.size": look.points}):
        page = Figure(figsize=look.size, facecolor="white", dpi=dpi)
        left, bottom, wide, tall = styles._place(look, len(arms))
        if habit.panels:
            left, wide = 0.14, 0.34
        ax = page.add_axes((left, bottom, wide, tall))
        ticks = styles._axes(rng, look, ax, arms, horizon)
        _labelled(habit, look, ax, ticks)
        styles._curves(rng, look, ax, arms, inks, horizon)
        styles._legend(rng, look, page, ax, arms, inks, horizon)
        _written(rng, habit, look, ax, arms, horizon)
        table = _table(habit, look, ax, arms, ticks) if look.risk != "none" else None
        if habit.panels:
            _second_panel(rng, look, page, (0.62, bottom, wide, tall), horizon)
            for x, letter in ((0.02, "A"), (0.53, "B")):
                page.text(x, 0.95, letter, fontsize=1.6 * look.points, fontweight="bold")
        page.canvas.draw()
        out = io.BytesIO()
        page.savefig(out, format="png", dpi=dpi)
        truth = styles._truth(look, page, ax, arms, inks, table, ticks, dpi)
    return out.getvalue(), truth


def _labelled(habit, look, ax, ticks):
    """Half ticks, decimal commas, a broken axis, a title of letters below each other."""
    if habit.halves:
        ax.set_xticks(ticks[:-1] + np.diff(ticks) / 2, minor=True)
        ax.tick_params(which="minor", direction=look.ticks, length=2)
        ax.tick_params(top=True, right=True)
    if habit.comma:
        ax.set_yticks(ax.get_yticks(), [t.get_text().replace(".", ",") for t in ax.get_yticklabels()])
    if habit.broken:
        for low in (0.012, 0.03):
            ax.plot([-0.012, 0.012], [low, low + 0.014], transform=ax.transAxes, color="black", lw=0.9, clip_on=False)
    if habit.stacked:
        ax.texts[-1].set_visible(False)
        ax.text(-0.16, 0.5, "\n".join("SURVIVAL"), transform=ax.transAxes, ha="center", va="center", linespacing=1.0)


def _written(rng, habit, look, ax, arms, horizon):
    """Names with arrows to their curves, and text that lies over curves."""
    unit = 100.0 if look.percent else 1.0
    if habit.arrows:
        shares = np.linspace(0.35, 0.75, len(arms))
        for arm, share in zip(sorted(arms, key=lambda a: -a.at(0.5 * horizon)), shares, strict=True):
            t = float(share * arm.last)
            level = float(arm.at(t))
            above = level < 0.7
            spot = (min(t + 0.08 * horizon, 0.75 * horizon), min(level + (0.18 if above else -0.25), 0.95) * unit)
            ax.annotate(arm.name, (t, level * unit), xytext=spot, arrowprops={"arrowstyle": "->", "lw": 0.8})
    if habit.over:
        t = float(rng.uniform(0.15, 0.45) * horizon)
        ax.text(t, float(arms[0].at(t)) * unit, "HR 0.74 (95% CI, 0.55-0.98)\nP = .03", va="center")


def _table(habit, look, ax, arms, ticks):
    """Numbers at risk under their heading, losses in brackets."""
    stride = 1 if len(ticks) <= 7 else 2
    times = ticks[::stride]
    height = look.points / 72 * 1.5 / look.size[1] / ax.get_position().height
    first = -0.16 / ax.get_position().height * 0.95
    low, high = ax.get_xlim()
    font = {"family": habit.table_font} if habit.table_font else {}
    far = -0.245 if not habit.panels else -0.32
    rows = []
    ax.text(far, first, look.heading, transform=ax.transAxes, va="center", fontweight="bold", **font)
    for k, arm in enumerate(arms):
        n = [int((arm.time >= t).sum()) for t in times]
        lost = [int(((arm.time < t) & ~arm.event).sum()) for t in times]
        y = first - (k + 1) * height
        ax.text(far, y, arm.name, transform=ax.transAxes, va="center", fontsize=0.85 * look.points, **font)
        for t, count, gone in zip(times, n, lost, strict=True):
            text = f"{count} ({gone})" if habit.brackets else str(count)
            place = ((t - low) / (high - low), y)
            size = look.points * (0.72 if habit.brackets else 0.9)
            ax.text(*place, text, transform=ax.transAxes, va="center", ha="center", fontsize=size, **font)
        rows.append({"arm": arm.name, "n": n, **({"censored": lost} if habit.brackets else {})})
    return {"times": [float(t) for t in times], "rows": rows}


def _second_panel(rng, look, page, box, horizon):
    """Another endpoint with one curve in the panel beside."""
    ax = page.add_axes(box)
    arms = styles.simulated(rng, ("All patients",), horizon=horizon)
    styles._axes(rng, look, ax, arms, horizon)
    styles._curves(rng, replace(look, marks=""), ax, arms, [("#444444", "-")], horizon)


def _finished(rng, finish, content, truth, level):
    """The bitmap as a screen, a word processor or a scanner made it, the true scales moved along."""
    from PIL import Image

    picture = Image.open(io.BytesIO(content)).convert("RGB")
    if finish == "cleartype":
        picture, factor = _subpixels(picture), 0.5
    elif finish == "enlarged":
        small = picture.resize((round(picture.width / 2.2), round(picture.height / 2.2)), Image.Resampling.LANCZOS)
        picture, factor = small.resize((small.width * 2, small.height * 2), Image.Resampling.BICUBIC), 2 / 2.2
    elif finish == "greyscan":
        truth["neutral"] = True
        picture, factor = picture.convert("L").convert("RGB"), 1.0
    else:
        return styles._damaged(rng, content, truth, level)
    hints = truth["hints"]["axes"]
    truth["hints"]["axes"] = {k: [[p * factor, v] for p, v in pairs] for k, pairs in hints.items()}
    truth["corners"] = [[a * factor, b * factor] for a, b in truth["corners"]]
    out = io.BytesIO()
    picture.save(out, "PNG")
    if finish == "greyscan":
        return _scanned(rng, out.getvalue(), truth)
    truth["damage"] = finish
    return out.getvalue(), "png"


def _scanned(rng, content, truth):
    """A grey scan that was laid about a degree askew."""
    turned = styles._damaged
    for _ in range(40):
        copy = {
            **truth,
            "hints": {"axes": {k: list(v) for k, v in truth["hints"]["axes"].items()}, "arms": truth["hints"]["arms"]},
        }
        found, ending = turned(rng, content, copy, "hard")
        if copy["damage"] in ("turned", "scan"):
            truth.update(copy)
            return found, ending
    raise RuntimeError("no scan was drawn")


def _subpixels(picture):
    """The picture at half its size with coloured edges, as screens draw letters: one third of a pixel a channel."""
    from PIL import Image

    wide, tall = picture.width // 2, picture.height // 2
    fine = np.asarray(picture.resize((wide * 3, tall), Image.Resampling.BOX), float)
    soft = (np.roll(fine, 1, axis=1) + fine + np.roll(fine, -1, axis=1)) / 3
    out = np.stack([soft[:, k::3, k] for k in range(3)], axis=2)
    return Image.fromarray(np.clip(np.round(out), 0, 255).astype(np.uint8))
