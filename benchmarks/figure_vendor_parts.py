"""What several styles of `figure_vendor_programs` and `figure_vendor_papers` share: names, keys, limits, symbols, boxes."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np

from benchmarks import figure_sheets as sheets
from benchmarks.figure_sheets import Style

NAMES = (
    ("<65 years", "≥65 years"),
    ("G1-2", "G3"),
    ("T1", "T2", "T3/T4"),
    ("Yes", "No"),
    ("0", "1", "2", "3"),
    ("Placebo", "Dose 5 mg", "Dose 10 mg", "Dose 20 mg"),
    ("Observation", "IFN-α", "IFN-α + IL-2"),
    ("TGF-β1 low", "TGF-β1 high"),
    ("R0", "R1", "R2"),
    ("pN0", "pN1-3", "pN4+"),
    ("CD8 high", "CD8 low"),
    ("Surgery alone", "Surgery followed by chemotherapy", "Radiotherapy plus weekly cisplatin"),
    ("FOLFOX", "FOLFOX ± bevacizumab", "FOLFIRI"),
    ("Age 18–39", "Age 40–59", "Age 60–74", "Age ≥75"),
    ("Never smoker", "Former smoker", "Current smoker"),
    ("Ki-67 <20%", "Ki-67 ≥20%"),
    ("AC-T", "TCH", "AC-TH"),
    ("Allo-SCT", "Auto-SCT", "No SCT"),
    ("Arm 1", "Arm 2", "Arm 3", "Arm 4"),
    ("CHF NYHA II", "CHF NYHA III", "CHF NYHA IV"),
)
LEVELS = (("low", "high"), ("Low", "High"), ("Low expression", "High expression"))
GERMAN = (("Kontrollgruppe", "Therapie", "Kombination"), ("Männer", "Frauen"), ("<70 Jahre", "≥70 Jahre"), ("Stadium I", "Stadium II", "Stadium III"))  # fmt: skip
FRENCH = (("Témoin", "Traitement", "Association"), ("Âge < 65 ans", "Âge ≥ 65 ans"), ("Chirurgie", "Radiothérapie", "Abstention"))  # fmt: skip
SPANISH = (("Control", "Tratamiento", "Combinación"), ("Estadio I", "Estadio II", "Estadio III", "Estadio IV"), ("Sí", "No"))  # fmt: skip
CODES = (("0", "1"), ("1", "2", "3"), ("1", "2", "3", "4"), ("A", "B"), ("No", "Yes"), ("I", "II", "III"))


@dataclass(frozen=True)
class Model:
    """What is imitated: the page of a style and the names that arms have there."""

    style: Style
    names: tuple[tuple[str, ...], ...] = NAMES
    photograph: bool = False


def comma(value, form="{:.1f}"):
    """A number with a decimal comma."""
    return form.format(value).replace(".", ",")


def bare(value):
    """A proportion without the naught before its point."""
    return "0" if value < 1e-9 else f"{value:.1f}".replace("0.", ".")


def inks_of(sheet, colours, dashes=(sheets.SOLID,) * 4):
    """Colours and strokes, one for each arm."""
    n = len(sheet.arms)
    return list(zip(colours[:n], dashes[:n], strict=True))


def black(sheet, ink="#000000"):
    """Black lines told apart by their strokes."""
    dashes = (sheets.SOLID, sheets.DASHED, sheets.DOTTED, sheets.MIXED)
    return inks_of(sheet, (ink,) * 4, dashes)


def wrapped(sheet, width):
    """The arms' names in lines of at most so many letters."""
    return [textwrap.fill(a.name, width) for a in sheet.arms]


def room(sheet, least, size=0.9):
    """Points that the names need at the left of their numbers at risk, at least so many."""
    return max(least, 0.54 * size * sheet.points * max(len(a.name) for a in sheet.arms) + 24)


def name_times(sheet, ax, form):
    """The labels of time as `form` writes them."""
    ax.set_xticks(sheet.ticks, [form(t) for t in sheet.ticks])


def thousands(value):
    """A number with commas at the thousands."""
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def key(sheet, ax, inks, *, labels=None, width=1.3, marks=("",) * 4, **placed):
    """A legend with a line, and a mark where there is one, for each arm."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=c, ls=d, lw=width, marker=m or None, ms=placed.get("markersize", 4.5)) for (c, d), m in
             zip(inks, marks, strict=False)]  # fmt: skip
    placed.pop("markersize", None)
    placed.setdefault("fontsize", 0.9 * sheet.points)
    placed.setdefault("fancybox", False)
    return ax.legend(lines, labels or [a.name for a in sheet.arms], **placed)


def limits(sheet, ax, inks, *, kind, width=0.7, hatches=("////", "\\\\\\\\", "....", "xxxx")):
    """95 % limits of each arm: `lines` dotted or dashed, or `hatched` areas."""
    for k, (arm, (ink, _)) in enumerate(zip(sheet.arms, inks, strict=True)):
        x = np.append(arm.steps[:, 0], arm.last)
        y = np.append(arm.steps[:, 1], arm.steps[-1, 1])
        wide = 1.96 * np.append(arm.error(), arm.error()[-1])
        low, high = sheet.shown(np.clip(y - wide, 0, 1)), sheet.shown(np.clip(y + wide, 0, 1))
        if kind == "hatched":
            ax.fill_between(
                x, low, high, step="post", facecolor="none", edgecolor=ink, hatch=hatches[k], linewidth=0, alpha=0.5
            )
        else:
            for edge in (low, high):
                ax.step(
                    x,
                    edge,
                    where="post",
                    color=ink,
                    lw=width,
                    ls=sheets.DOTTED if kind == "dotted" else sheets.DASHED,
                )


def symbols(sheet, ax, inks, shapes, *, size=4.0, hollow=False, of="events", most=None):
    """Symbols on the curves at the events, or at the censored times, at most so many."""
    for arm, (ink, _), shape in zip(sheet.arms, inks, shapes, strict=False):
        t = np.unique(arm.time[arm.event]) if of == "events" else arm.time[~arm.event]
        if most and len(t) > most:
            t = t[np.linspace(0, len(t) - 1, most).astype(int)]
        face = "white" if hollow else ink
        ax.plot(t, sheet.shown(arm.at(t)), shape, mfc=face, mec=ink, ms=size, mew=0.8, zorder=3, ls="")
    if of != "events":
        sheet.marked = True


def spread(levels, least):
    """Levels pushed at least so far from each other, in their order, and back below 1."""
    order = np.argsort(levels)
    out, last = [0.0] * len(levels), -1.0
    for k in order:
        out[k] = max(levels[k], last + least)
        last = out[k]
    over = max(0.0, last - 0.98)
    return [v - over for v in out]


def box(sheet, ax, place, text, *, ha="left", va="top", frame=True, **look):
    """Text in a framed white box at a place in shares of the axes."""
    look.setdefault("fontsize", 0.85 * sheet.points)
    held = ax.text(*place, text, transform=ax.transAxes, ha=ha, va=va, **look)
    if frame:
        held.set_bbox({"facecolor": "white", "edgecolor": "black", "linewidth": 0.7, "pad": 3})


def open_corner(sheet):
    """Where curves leave room: the lower left, or the upper right, as place and alignments in shares of the axes."""
    end = sheet.end
    early = min(float(a.at(0.45 * end)) for a in sheet.arms)
    late = max(float(a.at(0.55 * end)) for a in sheet.arms)
    return "lower left" if early - sheet.floor > 1 - late else "upper right"


def caption(sheet, text, *, width=92, up=6, **look):
    """Running text under the figure, `up` points from its foot."""
    tall = 72 * sheet.page.get_size_inches()[1]
    look.setdefault("fontsize", 0.95 * sheet.points)
    sheet.page.text(0.02, up / tall, textwrap.fill(text, width), ha="left", va="bottom", **look)


P_VALUES = ("P = 0.03", "p<0.001", "P=.12", "P < 0.0001", "p = 0.047", "Log rank P = 0.38")
RATIOS = (
    "HR 0.72 (95% CI 0.58-0.90)",
    "HR = 0.61; 95% CI, 0.45–0.83",
    "HR: 0.84 [0.66; 1.07]",
    "HR 1.41, 95% CI 1.02 to 1.95",
)
