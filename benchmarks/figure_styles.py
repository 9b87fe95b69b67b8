"""Kaplan-Meier figures with known truth in many house styles: drawn, degraded and described for scoring.

Each figure comes from a seed alone. The truth has the shape of the reference figures' JSON (arms with steps, numbers at
risk, ticks) and, under `hints`, the true scales and colours as a person would click them.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field, replace

import numpy as np

LEVELS = ("clean", "medium", "hard")
NAMES = (
    ("Placebo", "Drug A", "Drug B", "Drug A+B"),
    ("Control", "Experimental", "Combination", "Observation"),
    ("Chemotherapy", "Alectinib", "Brigatinib", "Lorlatinib"),
    ("Low", "Intermediate", "High", "Very high"),
    ("Nivolumab", "Docetaxel", "Best supportive care", "Ipilimumab"),
    ("Arm A", "Arm B", "Arm C", "Arm D"),
    ("Group 1", "Group 2", "Group 3", "Group 4"),
    ("ALK-positive", "ALK-negative", "Unknown", "KRAS mutant"),
    ("Surgery", "Radiotherapy", "Surgery + RT", "Watchful waiting"),
)
PALETTES = (
    ("#1f77b4", "#d62728", "#2ca02c", "#ff7f0e"),
    ("#F8766D", "#00BA38", "#619CFF", "#C77CFF"),
    ("#E7B800", "#2E9FDF", "#FC4E07", "#00AFBB"),
    ("#003366", "#990000", "#669900", "#cc6600"),
    ("#0072B5", "#BC3C29", "#20854E", "#E18727"),
    ("#00468B", "#ED0000", "#42B540", "#0099B4"),
    ("#000000", "#C00000", "#4472C4", "#70AD47"),
    ("#7b3294", "#008837", "#c2a5cf", "#e66101"),
    ("#0000ff", "#ff0000", "#00aa00", "#aa00aa"),
    ("#374e55", "#df8f44", "#00a1d5", "#b24745"),
)
DASHES = ("-", (0, (6, 3)), (0, (1.2, 1.8)), (0, (6, 2, 1.2, 2)))


@dataclass(frozen=True)
class Look:
    """A house style: what a journal or a statistics program does with every figure."""

    size: tuple[float, float] = (6.4, 5.0)
    font: str = "DejaVu Sans"
    points: float = 9.0
    width: float = 1.5
    frame: str = "L"
    ticks: str = "out"
    paper: str = "white"
    panel: str = "white"
    ink: str = "black"
    grid: str = ""
    grid_ink: str = "#dddddd"
    percent: bool = False
    step: float = 0.2
    y_format: str = "{:.1f}"
    y_turned: bool = False
    y_title: str = "side"
    pad: float = 0.0
    legend: str = "inset"
    marks: str = "|"
    band: str = ""
    risk: str = "below"
    heading: str = "No. at risk"
    risk_names: str = "plain"
    neutral: bool = False
    guide: bool = False
    note: bool = True
    title: bool = False
    direction: str = "survival"
    log: str = ""
    floor: float = 0.0
    unit: str = "months"
    thousands: bool = False
    extra: dict[str, float] = field(default_factory=dict)


LOOKS = {
    "rbase": Look(font="Liberation Sans", points=10, width=1.0, frame="box", y_turned=True, pad=0.04, risk="none", note=False),
    "ggplot": Look(panel="#ebebeb", grid="both", grid_ink="white", frame="none", pad=0.05, legend="right", risk="none",
                   step=0.25, y_format="{:.2f}", width=1.4, points=8),
    "survminer": Look(frame="L", legend="top", heading="Number at risk", risk_names="colour", pad=0.04, step=0.25,
                      y_format="{:.2f}", marks="+", band="fill", guide=True),
    "stata": Look(paper="#eaf2f3", frame="L", grid="y", grid_ink="#cfdfe3", step=0.25, y_format="{:.2f}", y_turned=True,
                  legend="bottom", marks="", pad=0.02, heading="Number at risk", title=True),
    "statanew": Look(frame="L", grid="both", grid_ink="#eeeeee", step=0.25, legend="right", marks="", y_format="{:.2f}"),
    "sas": Look(font="Liberation Sans", frame="box", risk="inside", legend="bottom", marks="+", width=1.2, pad=0.02,
                title=True, heading="At Risk"),
    "spss": Look(panel="#f0f0f0", frame="box", marks="+", legend="right", risk="none", width=1.1, title=True, ticks="in",
                 points=8),
    "prism": Look(font="Liberation Sans", frame="offset", width=2.2, percent=True, step=50, y_format="{:.0f}",
                  legend="right", marks="|", risk="none", points=11, extra={"spine": 1.8}),
    "prism25": Look(font="Liberation Sans", frame="L", width=1.8, percent=True, step=25, y_format="{:.0f}",
                    legend="beside", marks="o", risk="below", points=10, extra={"spine": 1.6}),
    "nejm": Look(font="Liberation Sans", percent=True, step=10, y_format="{:.0f}", legend="beside", marks="",
                 risk_names="plain", heading="No. at Risk", width=1.6, y_title="side"),
    "lancet": Look(font="Liberation Serif", percent=True, step=20, y_format="{:.0f}", legend="inset", marks="|",
                   heading="Number at risk\n(number censored)", risk_names="plain", width=1.2),
    "jama": Look(font="Liberation Sans", percent=True, step=20, y_format="{:.0f}", y_title="above", legend="beside",
                 heading="No. at risk", risk_names="plain", marks="", width=1.3, grid=""),
    "annals": Look(font="Liberation Serif", percent=True, step=20, y_format="{:.0f}%", frame="box", legend="inset",
                   marks="x", heading="Patients at risk", risk_names="colour"),
    "jco": Look(font="Liberation Sans", step=0.2, y_format="{:.1f}", legend="inset", marks="|", width=1.5,
                heading="No. at risk:", risk_names="plain"),
    "dark": Look(paper="#1e1e1e", panel="#1e1e1e", ink="white", grid="both", grid_ink="#333333", legend="inset",
                 marks="|", risk="none"),
    "slide": Look(paper="#0b2a5b", panel="#0b2a5b", ink="white", legend="right", marks="", risk="none", width=2.4,
                  points=12, percent=True, step=25, y_format="{:.0f}"),
    "bw": Look(font="Liberation Serif", neutral=True, legend="inset", marks="", risk="below", width=1.2),
    "bwmarks": Look(font="Liberation Sans", neutral=True, legend="inset", marks="|", risk="none", width=1.2, frame="box"),
    "grey": Look(font="Liberation Sans", neutral=True, legend="top", marks="", risk="below", width=2.0,
                 extra={"greys": 1.0}),
    "limits": Look(band="lines", legend="inset", marks="|", risk="below", width=1.5),
    "median": Look(guide=True, legend="top", risk="below", grid="both", grid_ink="#f0f0f0"),
    "incidence": Look(direction="incidence", legend="inset", marks="", risk="below", percent=True, step=20,
                      y_format="{:.0f}", band="fill"),
    "truncated": Look(floor=0.5, step=0.1, legend="inset", marks="|", risk="below"),
    "logy": Look(log="y", floor=0.1, legend="right", marks="", risk="none"),
    "days": Look(unit="days", legend="inset", marks="+", risk="below", thousands=True, frame="box"),
    "years": Look(unit="years", legend="top", marks="|", risk="below", y_format="{:.2f}", step=0.25),
    "norisk": Look(legend="beside", risk="none", marks="|", frame="L", ticks="in"),
    "plotly": Look(panel="#E5ECF6", grid="both", grid_ink="white", frame="none", legend="right", risk="none", marks="",
                   width=2.0, y_format="{:.1f}"),
    "seaborn": Look(panel="#eaeaf2", grid="both", grid_ink="white", frame="none", legend="inset", risk="none", band="fill",
                    marks="", pad=0.05, width=1.8),
}  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """Simulated patients of one arm and their Kaplan-Meier steps."""

    name: str
    time: np.ndarray
    event: np.ndarray
    steps: np.ndarray
    last: float

    def at(self, t):
        return self.steps[np.clip(np.searchsorted(self.steps[:, 0], t, side="right") - 1, 0, None), 1]

    def error(self):
        """Greenwood's standard error at each step."""
        risk = np.array([(self.time >= t).sum() for t in self.steps[:, 0]], float)
        died = np.array([((self.time == t) & self.event).sum() for t in self.steps[:, 0]], float)
        term = np.where(risk > died, died / np.maximum(risk * (risk - died), 1), 0)
        return self.steps[:, 1] * np.sqrt(np.cumsum(term))


@dataclass(frozen=True)
class Drawn:
    """A drawn figure: its name, the bytes of its file, the file's ending, and the truth."""

    name: str
    content: bytes
    ending: str
    truth: dict


def simulated(rng, names, *, horizon, floor=0.0):
    """Arms of 20 to 900 patients with Weibull or plateau survival, administrative and random censoring."""
    size = int(np.exp(rng.uniform(np.log(22), np.log(700))))
    shape = rng.uniform(0.7, 1.6)
    scale = horizon * rng.uniform(0.3, 1.1)
    out = []
    for k, name in enumerate(names):
        n = max(15, int(size * rng.uniform(0.8, 1.2)))
        own = scale * np.exp(rng.normal(0, 0.5) if k else 0.0)
        if floor:
            own = max(own, horizon * 1.15 / (-math.log(floor + 0.12)) ** (1 / shape))
        death = own * rng.weibull(shape, n)
        cure = rng.random(n) < rng.choice([0, 0, 0.25])
        leave = np.minimum(
            horizon * rng.uniform(rng.choice([0.35, 0.6, 0.9]), 1.25, n), horizon * rng.exponential(3.0, n)
        )
        death = np.where(cure, np.inf, death)
        time = np.minimum(np.minimum(death, leave), horizon * rng.uniform(0.97, 1.0))
        event = death <= time
        time = np.maximum(np.round(time, 2 if horizon < 100 else 0), 0.01 if horizon < 100 else 1)
        out.append(_arm(name, time, event))
    return out


def _arm(name, time, event):
    steps, level = [[0.0, 1.0]], 1.0
    for t in np.unique(time[event]):
        level *= 1 - ((time == t) & event).sum() / (time >= t).sum()
        steps.append([float(t), float(level)])
    return Arm(name, time, event, np.array(steps), float(time.max()))


def looks_of(seed, style=None):
    """The look and the free choices of a seed: style, arms, palette, level of damage."""
    rng = np.random.default_rng([seed, 20261120])
    style = style or sorted(LOOKS)[seed % len(LOOKS)]
    return rng, style, LOOKS[style]


def figure(seed, *, style=None, level=None, ending=None):
    """The figure of a seed: styles in turn, levels and files by chance unless given."""
    import matplotlib as mpl

    mpl.use("Agg")
    rng, style, look = looks_of(seed, style)
    level = level or LEVELS[int(rng.choice(3, p=[0.4, 0.35, 0.25]))]
    count = int(rng.choice([1, 2, 3, 4], p=[0.12, 0.48, 0.25, 0.15]))
    if look.neutral:
        count = min(max(count, 2), 3)
    look = _varied(rng, look)
    horizon = {"months": (24, 36, 48, 60), "years": (5, 8, 10), "days": (360, 1000, 1500)}[look.unit]
    horizon = float(rng.choice(horizon))
    names = NAMES[int(rng.integers(len(NAMES)))][:count]
    arms = simulated(rng, names, horizon=horizon, floor=look.floor)
    inks = _inks(rng, look, count)
    ending = ending or "png"
    dpi = int(rng.choice([110, 150, 200]))
    content, truth = _drawn(rng, look, arms, inks, horizon, ending, dpi)
    truth.update(id=f"{style}-{seed}", style=style, difficulty=level if ending in ("png", "jpg") else "vector")
    if ending == "png":
        content, ending = _damaged(rng, content, truth, level)
    return Drawn(truth["id"], content, ending, truth)


def _varied(rng, look):
    """Some choices that authors make within a style."""
    band = look.band or str(rng.choice(["", "", "", "fill"]))
    if look.neutral or look.log:
        band = ""
    marks = look.marks if rng.random() < 0.8 else str(rng.choice(["|", "+", ""]))
    scale = rng.uniform(0.9, 1.15)
    return replace(look, band=band, marks=marks, points=look.points * scale, width=look.width * rng.uniform(0.85, 1.2))


def _inks(rng, look, count):
    if look.neutral:
        if look.extra.get("greys"):
            return [(c, "-") for c in ("#000000", "#8c8c8c", "#c0c0c0")[:count]]
        return [("#000000", DASHES[i]) for i in range(count)]
    palette = list(PALETTES[int(rng.integers(len(PALETTES)))])
    if look.ink == "white":
        palette = ["#ffd166", "#06d6a0", "#ef476f", "#7fb7ff"]
    start = int(rng.integers(4))
    dashed = rng.random() < 0.12
    return [(palette[(start + i) % 4], DASHES[i % 3] if dashed else "-") for i in range(count)]


def _step_of(horizon, rng):
    choices = [s for s in (1, 2, 3, 4, 6, 12, 100, 200, 250, 500) if 4 <= horizon / s <= 10]
    return float(rng.choice(choices)) if choices else horizon / 5


def _drawn(rng, look, arms, inks, horizon, ending, dpi):
    """The file of the figure and its truth, scales in pixels or points from the top left."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings = {
        "font.family": look.font,
        "font.size": look.points,
        "svg.fonttype": "none" if rng.random() < 0.6 else "path",
        "pdf.fonttype": int(rng.choice([3, 42])),
        "svg.hashsalt": "figure",
        "text.color": look.ink,
        "axes.labelcolor": look.ink,
        "xtick.color": look.ink,
        "ytick.color": look.ink,
        "axes.edgecolor": look.ink,
    }
    with mpl.rc_context(settings):
        page = Figure(figsize=look.size, facecolor=look.paper, dpi=dpi)
        ax = page.add_axes(_place(look, len(arms)), facecolor=look.panel)
        risk = _axes(rng, look, ax, arms, horizon)
        _curves(rng, look, ax, arms, inks, horizon)
        _legend(rng, look, page, ax, arms, inks, horizon)
        table = _risk_table(rng, look, page, ax, arms, inks, risk) if look.risk != "none" else None
        if ending == "png":
            page.canvas.draw()
        out = io.BytesIO()
        page.savefig(out, format=ending, dpi=dpi if ending == "png" else 72, facecolor=look.paper)
        truth = _truth(look, page, ax, arms, inks, table, risk, dpi if ending == "png" else 72)
    return out.getvalue(), truth


def _place(look, count):
    left, bottom, right, top = 0.13, 0.12, 0.96, 0.94
    if look.risk == "below":
        bottom, left = 0.19 + 0.042 * (count + 1 + look.heading.count("\n")), 0.2
    if look.legend == "right":
        right = 0.72
    if look.legend == "top" or look.title:
        top = 0.88
    if look.legend == "bottom" and look.risk != "below":
        bottom += 0.08
    return left, bottom, right - left, top - bottom


def _axes(rng, look, ax, arms, horizon):
    """The axes with labels, frame and grid; the ticks of time."""
    unit = 100.0 if look.percent else 1.0
    step = _step_of(horizon, rng)
    ticks = np.arange(0, horizon + 1e-9, step)
    end = max(ticks[-1], *(a.last for a in arms))
    low = look.floor * unit
    pad_y = 0.02 * unit if look.pad or look.frame in ("box", "none") else 0.0
    if look.log == "y":
        ax.set_yscale("log")
        values = np.array([0.1, 0.2, 0.5, 1.0]) * unit
        ax.set_ylim(low, unit * 1.05)
    else:
        values = np.arange(low, unit + 1e-9, look.step)
        ax.set_ylim(low - pad_y, unit * 1.0 + (pad_y or 0.03 * unit * (rng.random() < 0.5)))
    ax.set_xlim(-look.pad * end, end * (1 + (look.pad or 0.01 * rng.integers(0, 3))))
    ax.set_xticks(ticks, [f"{t:,.0f}" if look.thousands else f"{t:g}" for t in ticks])
    ax.set_yticks(values, [look.y_format.format(v) for v in values])
    ax.minorticks_off()
    if look.y_turned:
        for label in ax.get_yticklabels():
            label.set_rotation(90)
            label.set_va("center")
    ax.tick_params(direction=look.ticks, length=4 if look.frame != "none" else 3, width=look.extra.get("spine", 0.8))
    for side in ("left", "bottom", "right", "top"):
        spine = ax.spines[side]
        spine.set_linewidth(look.extra.get("spine", 0.8))
        spine.set_visible(look.frame == "box" or (look.frame in ("L", "offset") and side in ("left", "bottom")))
        if look.frame == "offset" and side in ("left", "bottom"):
            spine.set_position(("outward", 6))
    if look.frame == "offset":
        ax.spines["left"].set_bounds(0, unit)
        ax.spines["bottom"].set_bounds(0, ticks[-1])
    if look.grid:
        ax.grid(True, axis="both" if look.grid == "both" else "y", color=look.grid_ink, linewidth=0.8)
        ax.set_axisbelow(True)
    what = "Overall survival" if look.direction == "survival" else "Cumulative incidence"
    title = f"{what} (%)" if look.percent else str(rng.choice([what, f"{what} probability", "Proportion surviving"]))
    if look.direction == "incidence":
        title = what + (" (%)" if look.percent else "")
    if look.y_title == "above":
        ax.text(-0.02, 1.03, title, transform=ax.transAxes, ha="left", va="bottom")
    else:
        ax.set_ylabel(title)
    word = look.unit.capitalize()
    ax.set_xlabel(str(rng.choice([f"Time ({look.unit})", f"{word} since randomization", word])))
    if look.title:
        ax.set_title(str(rng.choice(["Kaplan-Meier survival estimates", "Product-Limit Survival Estimates"])))
    return ticks


def _curves(rng, look, ax, arms, inks, horizon):
    unit = 100.0 if look.percent else 1.0
    size = float(rng.uniform(3.5, 6.5))
    for arm, (ink, dash) in zip(arms, inks, strict=True):
        x = np.append(arm.steps[:, 0], arm.last)
        y = np.append(arm.steps[:, 1], arm.steps[-1, 1])
        err = np.append(arm.error(), arm.error()[-1])
        low, high = np.clip(y - 1.96 * err, 0, 1), np.clip(y + 1.96 * err, 0, 1)
        shown = [1 - v for v in (y, low, high)] if look.direction == "incidence" else [y, low, high]
        y, low, high = (v * unit for v in shown)
        if look.band == "fill":
            ax.fill_between(x, low, high, step="post", color=ink, alpha=0.18, linewidth=0)
        elif look.band == "lines":
            for edge in (low, high):
                ax.step(x, edge, where="post", color=ink, linewidth=0.5 * look.width, linestyle=(0, (4, 3)))
        ax.step(x, y, where="post", color=ink, linewidth=look.width, linestyle=dash, label=arm.name)
        t = arm.time[~arm.event]
        if look.marks:
            at = arm.at(t)
            at = (1 - at if look.direction == "incidence" else at) * unit
            ax.plot(t, at, look.marks, color=ink, markersize=size, markeredgewidth=0.8 * min(look.width, 1.4), zorder=3)
        below = arm.steps[arm.steps[:, 1] <= 0.5]
        if look.guide and len(below):
            m = below[0, 0]
            ax.plot([0, m, m], [0.5 * unit, 0.5 * unit, 0], color="black", linewidth=0.8, linestyle=(0, (4, 3)))
    if look.note and look.risk != "inside":
        text = str(rng.choice(["HR 0.68 (95% CI 0.51-0.90)", "Log-rank P = 0.012", "P<0.001", "p = 0.34"]))
        ax.text(*((0.05, 0.08) if look.direction == "survival" else (0.55, 0.9)), text, transform=ax.transAxes)


def _legend(rng, look, page, ax, arms, inks, horizon):
    unit = 100.0 if look.percent else 1.0
    up = look.direction == "incidence"
    if look.legend in ("inset", "top", "bottom", "right"):
        frame = bool(rng.random() < 0.5)
        places = {
            "inset": {"loc": "best" if not look.note and rng.random() < 0.7 else "upper left" if up else "upper right"},
            "right": {"loc": "center left", "bbox_to_anchor": (1.02, 0.5)},
            "top": {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncol": len(arms)},
            "bottom": {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncol": len(arms)},
        }[look.legend]
        if look.legend == "bottom" and look.risk == "below":
            places = {"loc": "best"}
        if look.legend == "top" and sum(len(a.name) for a in arms) > 44:
            places = {"loc": "best"}
        title = "Strata" if look.legend == "right" and rng.random() < 0.3 else None
        held = ax.legend(frameon=frame, fontsize=look.points * 0.9, title=title, facecolor=look.panel, **places)
        for line in held.get_lines():
            line.set_linewidth(look.width)
    elif look.legend == "beside":
        used = []
        plain = look.neutral or rng.random() < 0.2
        for arm, (ink, _) in zip(arms, inks, strict=True):
            best = None
            for share in np.arange(0.25, 0.9, 0.05):
                t = share * arm.last
                for lift in (0.05, -0.07, 0.09, -0.11, 0.14):
                    y = float(arm.at(t)) + lift
                    box = (t, y, t + 0.017 * horizon * len(arm.name) * look.points / 9, y + 0.05)
                    if not 0.03 < y < 0.95 or box[2] > horizon:
                        continue
                    grid = np.linspace(box[0], box[2], 12)
                    clear = min(float(np.abs(a.at(grid) - y - 0.02).min()) for a in arms)
                    clear = min([clear, *(abs(y - u[1]) + (0.2 if t > u[2] or box[2] < u[0] else 0) for u in used)])
                    if best is None or clear - abs(lift) * 0.2 > best[0]:
                        best = (clear - abs(lift) * 0.2, box)
            box = best[1] if best else (0.5 * horizon, 0.9 - 0.07 * len(used), horizon, 0)
            used.append(box)
            ax.text(box[0], box[1] * unit, arm.name, color=look.ink if plain else ink, fontweight="normal")


def _risk_table(rng, look, page, ax, arms, inks, ticks):
    """Numbers at risk at the ticks, drawn under the axis or inside its foot; the table for the truth."""
    censored = "censored" in look.heading
    stride = 1 if len(ticks) <= 8 else 2
    times = ticks[::stride]
    rows = []
    for arm in arms:
        n = [int((arm.time >= t).sum()) for t in times]
        gone = [int(((arm.time < t) & ~arm.event).sum()) for t in times] if censored else None
        rows.append({"arm": arm.name, "n": n, **({"censored": gone} if gone else {})})
    height = look.points / 72 * 1.5 / look.size[1] / ax.get_position().height
    top = -0.16 / ax.get_position().height * 0.95 if look.risk == "below" else height * (len(arms) + 0.3)
    heads = look.heading.split("\n")
    low, high = ax.get_xlim()
    if look.risk == "inside":
        unit = 100.0 if look.percent else 1.0
        share = height * (len(arms) + 1.2)
        y0, y1 = ax.get_ylim()
        ax.set_ylim(y0 - share / (1 - share) * (y1 - y0) + 0.02 * unit, y1)
    for k, head in enumerate(heads):
        if look.risk == "below":
            ax.text(-0.245, top - k * height, head, transform=ax.transAxes, va="center", fontweight="bold")
    first = top - len(heads) * height if look.risk == "below" else top - 0.6 * height
    sep = "," if look.thousands or rng.random() < 0.2 else ""
    for k, (row, (ink, _)) in enumerate(zip(rows, inks, strict=True)):
        y = first - k * height
        label = row["arm"]
        colour = ink if look.risk_names == "colour" else look.ink
        where = -0.245 if look.risk == "below" else -0.01
        ax.text(where, y, label, transform=ax.transAxes, va="center", color=colour, ha="left" if look.risk == "below" else "right",
                fontsize=look.points * (0.9 if len(label) < 14 else 0.62))  # fmt: skip
        for j, t in enumerate(times):
            text = f"{row['n'][j]:{sep}d}" + (f" ({row['censored'][j]})" if censored else "")
            ax.text((t - low) / (high - low), y, text, transform=ax.transAxes, va="center", ha="center",
                    fontsize=look.points * (0.9 if not censored else 0.75))  # fmt: skip
    return {"times": [float(t) for t in times], "rows": rows}


def _truth(look, page, ax, arms, inks, table, ticks, dpi):
    unit = 100.0 if look.percent else 1.0
    tall = look.size[1] * dpi
    page.set_dpi(dpi)

    def place(t, v):
        x, y = ax.transData.transform((t, v))
        return [float(x), float(tall - y)]

    base = max(ax.get_ylim()[0], look.floor * unit)
    values = [v for v in ax.get_yticks() if base - 1e-9 <= v <= unit + 1e-9]
    x = [[place(float(t), base)[0], float(t)] for t in ticks]
    y = [[place(0.0, float(v))[1], float(v) / unit] for v in values]
    record = []
    for arm, (ink, dash) in zip(arms, inks, strict=True):
        below = arm.steps[arm.steps[:, 1] <= 0.5 + 1e-9]
        kind = ("solid", "dashed", "dotted", "dashed")[DASHES.index(dash)]
        censored = sorted(float(t) for t in arm.time[~arm.event])
        record.append(
            {
                "name": arm.name,
                "color": ink,
                "linestyle": kind,
                "n": len(arm.time),
                "events": int(arm.event.sum()),
                "median": float(below[0, 0]) if len(below) else None,
                "last_time": arm.last,
                "steps": arm.steps.tolist(),
                "censor_times": censored,
                "censor_marks_drawn": bool(look.marks),
            }
        )
    return {
        "axes": {
            "x": {"ticks": [float(t) for t in ticks], "max": float(ticks[-1])},
            "y": {"units_per_proportion": unit},
        },
        "arms": record,
        "at_risk": table,
        "direction": look.direction,
        "neutral": look.neutral,
        "corners": [place(0.0, base), place(float(ticks[-1]), base)],
        "hints": {"axes": {"x": x, "y": y}, "arms": [{"name": a["name"], "color": a["color"]} for a in record]},
    }


def _damaged(rng, content, truth, level):
    """The picture as journals and scanners leave it, with the hints moved along."""
    from PIL import Image, ImageFilter

    picture = Image.open(io.BytesIO(content)).convert("RGB")
    if level == "clean":
        return content, "png"
    kind = str(rng.choice(["jpeg", "jpeg", "small"] if level == "medium" else ["jpeg", "tiny", "turned", "scan"]))
    wide, tall = picture.size
    turn = np.eye(3)
    scale = 1.0
    if kind in ("small", "tiny"):
        target = rng.uniform(560, 760) if kind == "small" else rng.uniform(350, 520)
        scale = min(1.0, target / wide)
        small = (round(wide * scale), round(tall * scale))
        turn = np.diag([small[0] / wide, small[1] / tall, 1.0])
        picture = picture.resize(small, Image.Resampling.BICUBIC)
    if kind in ("turned", "scan"):
        angle = float(rng.choice([-1, 1]) * rng.uniform(0.3, 2.0))
        paper = picture.getpixel((1, 1))
        picture = picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=paper)
        a = math.radians(angle)
        cx, cy = wide / 2, tall / 2
        spin = np.array([[math.cos(a), math.sin(a), 0], [-math.sin(a), math.cos(a), 0], [0, 0, 1]])
        move = np.array([[1, 0, cx], [0, 1, cy], [0, 0, 1.0]])
        turn = move @ spin @ np.linalg.inv(move)
    if kind == "scan":
        if truth["neutral"] or rng.random() < 0.3:
            picture = picture.filter(ImageFilter.GaussianBlur(0.5))
        noisy = np.asarray(picture, float) + rng.normal(0, 7, (picture.height, picture.width, 1))
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    quality = int(rng.uniform(50, 75) if level == "medium" else rng.uniform(30, 60))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    hints = truth["hints"]["axes"]
    low, left = truth["corners"][0][1], truth["corners"][0][0]
    hints["x"] = [[float((turn @ [p, low, 1])[0]), v] for p, v in hints["x"]]
    hints["y"] = [[float((turn @ [left, p, 1])[1]), v] for p, v in hints["y"]]
    truth["damage"] = kind
    return out.getvalue(), "jpg"
