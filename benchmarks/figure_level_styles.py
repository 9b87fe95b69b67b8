"""Eight styles of Kaplan-Meier pictures for `figure_levels`: one function draws one style at any level of damage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.figure_print_parts import Crowded, PrintSheet, colours, hazard, median, p_value, risk_left
from benchmarks.figure_sheets import DASHED, DOTTED, SOLID, Style
from benchmarks.figure_vendor_parts import key, limits

NAMES = (
    ("Arm 1", "Arm 2", "Arm 3", "Arm 4"),
    ("Control", "Low dose", "High dose"),
    ("Stage I", "Stage II", "Stage III", "Stage IV"),
    ("Standard", "Experimental"),
    ("A", "B", "C", "D"),
    ("Low risk", "Moderate risk", "High risk"),
    ("trt=0", "trt=1"),
    ("Wild type", "Heterozygous", "Mutated"),
    ("Placebo", "Vitamin D"),
    ("Observation", "Maintenance"),
    ("Docetaxel", "Nivolumab", "Nivolumab + ipilimumab"),
    ("Grade 1", "Grade 2", "Grade 3"),
)
HEART = (
    ("Placebo", "Ticagrelor"),
    ("Usual care", "Polypill"),
    ("Warfarin", "Apixaban", "Edoxaban"),
    ("Medical", "PCI", "CABG"),
)


@dataclass
class LevelSheet(PrintSheet):
    """A sheet that knows its level, where its time axis ends and how its patients die."""

    level: str = "clean"
    hues: str = "colour"
    reach: float = 0.0
    course: str = "ph"
    highest: float = 1.0

    @property
    def banded(self):
        return self.level == "medium"

    def choose(self, *palettes):
        """Solid lines in colours, or black or grey ones told apart by their strokes."""
        if self.hues == "colour":
            return colours(self, *(p for p in palettes if len(p) >= len(self.arms)))
        hues = ("#000000",) * 3 if self.hues == "black" else ("#000000", "#777777", "#a0a0a0")
        return list(zip(hues, (SOLID, DASHED, DOTTED), strict=True))[: len(self.arms)]

    def mark(self, kind):
        """The censor mark, unless so many of them would fill the gaps of broken lines."""
        crowd = max(int((~a.event).sum()) for a in self.arms)
        return "" if self.hues != "colour" and crowd > 60 else kind

    def shape(self, ax, *, step, form, pad=(0.0, 0.0, 0.0, 0.0)):
        """Scales whose time axis goes on to the end of follow-up, after the last tick where that falls between ticks."""
        self.scales(ax, step=step, form=form, pad=pad, top=self.highest)
        ax.set_xlim(-pad[0] * self.reach, self.reach * (1 + pad[1]))

    def called(self, ax):
        """The names of the arms beside their curves, in their colours."""
        for k, (arm, (ink, _)) in enumerate(zip(self.arms, self.inks, strict=True)):
            held = ax.text(0, 0, arm.name, transform=ax.transAxes, color=ink, ha="left", va="bottom")
            wide, tall = self._shares(held)
            place = self._beside(k, wide, tall)
            held.set_position(place)
            self.taken.append((*place, place[0] + wide, place[1] + tall))

    def _beside(self, k, wide, tall):
        (x0, x1), (y0, y1) = self.ax.get_xlim(), self.ax.get_ylim()
        for x in (0.55, 0.65, 0.45, 0.72, 0.35, 0.8, 0.25, 0.15):
            for lift in (0.02, -0.02 - tall, 0.05, -0.05 - tall):
                middle = np.linspace(x, x + wide, 9)
                times = x0 + middle * (x1 - x0)
                if x + wide > 0.99 or times[-1] > min(a.last for a in self.arms):
                    continue
                levels = [(self.shown(a.at(times)) - y0) / (y1 - y0) for a in self.arms]
                low = (levels[k].max() if lift > 0 else levels[k].min()) + lift
                far = [np.abs(v - low - tall / 2).min() for v in levels]
                if (
                    0.02 < low < 0.97 - tall
                    and self._clear(x, low, x + wide, low + tall, 0.008)
                    and np.argmin(far) == k
                ):
                    return x, low
        raise Crowded


def ggsurvfit_blocks(sheet: LevelSheet):
    """ggsurvfit: theme_bw with a faint grid, shares or percent signs, a legend at the foot, blocks of numbers at risk and of events."""
    n = len(sheet.arms)
    blocks = 2 if sheet.chance(0.5) else 1
    row = 1.45 * sheet.points
    left = max(58, risk_left(sheet, 58, 0.9) - 8)
    ax = sheet.axes(left=left, right=18, top=14, bottom=84 + blocks * (n + 1) * row)
    percent = sheet.chance(0.6)
    sheet.shape(
        ax,
        step=sheet.choice(0.2, 0.25),
        form=(lambda v: f"{100 * v:.0f}%") if percent else "{:.2f}",
        pad=(0.025, 0.03, 0.025, 0.025),
    )
    sheet.frame(ax, sides="lbrt", width=0.8, ink="#333333", length=3)
    ax.grid(True, color="#ebebeb", lw=0.8)
    ax.set_axisbelow(True)
    inks = sheet.choose(("#F8766D", "#00BFC4", "#7CAE00", "#C77CFF"), ("#D55E00", "#0072B2", "#009E73", "#CC79A7"))
    sheet.curves(
        ax, inks, width=1.2, mark=sheet.mark(sheet.choice("", "+")), size=5, band=0.22 if sheet.banded else 0.0
    )
    ax.set_ylabel("Survival Probability")
    ax.set_xlabel(sheet.choice(sheet.unit.capitalize(), f"Time in {sheet.unit}", "Time"))
    key(sheet, ax, inks, loc="upper center", bbox_to_anchor=(0.5, -33 / _tall(sheet, ax)), ncol=n, frameon=False, width=1.4, handlelength=2.2,
        borderaxespad=0.0, columnspacing=1.2)  # fmt: skip
    times, rows = sheet.counts()
    depth = 64
    for block, word in enumerate(("At Risk", "Events")[:blocks]):
        sheet.margin(ax, word, depth, left=left - 8, fontweight="bold", fontsize=0.95 * sheet.points)
        for k, arm in enumerate(sheet.arms):
            sheet.margin(ax, arm.name, depth + (k + 1) * row, left=left - 8, fontsize=0.9 * sheet.points)
            for t, number in zip(times, rows[k][2 * block], strict=True):
                sheet.under(ax, t, str(number), depth + (k + 1) * row, fontsize=0.9 * sheet.points)
        depth += (n + 1) * row
    sheet.keep_table(times, rows)


def kmunicate_rows(sheet: LevelSheet):
    """KMunicate: bands around every curve, and under the axis each arm's own rows: at risk, censored, events."""
    n = len(sheet.arms)
    row = 1.3 * sheet.points
    ax = sheet.axes(left=74, right=18, top=14, bottom=56 + 4.35 * n * row)
    sheet.shape(ax, step=0.25, form="{:.2f}", pad=(0.02, 0.03, 0.0, 0.02))
    sheet.frame(ax, sides="lb", width=0.8, length=4)
    if sheet.chance(0.4):
        ax.grid(True, axis="y", color="#e5e5e5", lw=0.7)
        ax.set_axisbelow(True)
    inks = sheet.choose(("#1B9E77", "#D95F02", "#7570B3", "#E7298A"), ("#377EB8", "#E41A1C", "#4DAF4A", "#984EA3"))
    sheet.curves(ax, inks, width=1.3, band=0.0 if sheet.level == "hard" else 0.22)
    ax.set_ylabel("Estimated survival")
    ax.set_xlabel(f"Time ({sheet.unit})")
    sheet.settle(key(sheet, ax, inks, frameon=False, width=1.4, handlelength=2.2), prefer=("upper right", "lower left"))
    times, rows = sheet.counts()
    depth = 44
    for arm, (ink, _), (risk, lost, died) in zip(sheet.arms, inks, rows, strict=True):
        sheet.margin(ax, arm.name, depth, left=66, fontweight="bold", color=ink, fontsize=0.9 * sheet.points)
        for k, (word, numbers) in enumerate((("At risk", risk), ("Censored", lost), ("Events", died)), 1):
            sheet.margin(ax, word, depth + k * row, left=66, fontsize=0.9 * sheet.points)
            for t, number in zip(times, numbers, strict=True):
                sheet.under(ax, t, str(number), depth + k * row, fontsize=0.9 * sheet.points)
        depth += 4.35 * row
    sheet.keep_table(times, rows, censored=True)


def jama_letter(sheet: LevelSheet):
    """JAMA: a panel letter and title over a rule, percent, a thin L, names beside their curves, hazard ratio, plain table."""
    left = risk_left(sheet, 60, 0.9)
    n = len(sheet.arms)
    ax = sheet.axes(left=left, right=20, top=42, bottom=52 + 1.35 * sheet.points * (n + 1.5))
    sheet.shape(ax, step=0.2, form="{:.0f}", pad=(0.0, 0.01, 0.0, 0.0))
    sheet.frame(ax, sides="lb", width=0.6, length=4)
    inks = sheet.choose(
        ("#00457C", "#F28E00", "#8A8D8F", "#B5121B"),
        ("#0E3A6B", "#C8102E", "#6BA4B8"),
        ("#374E55", "#DF8F44", "#00A1D5", "#B24745"),
    )
    sheet.curves(ax, inks, width=1.3, band=0.18 if sheet.banded and sheet.chance(0.5) else 0.0)
    outcome = sheet.choice("Overall survival", "Disease-free survival", "Event-free survival")
    ax.set_ylabel(f"{outcome}, %")
    ax.set_xlabel(f"Time since randomization, {sheet.unit[:2] if sheet.unit == 'months' else sheet.unit[0]}")
    page_title(sheet, f"{sheet.choice('A', 'B')}   {outcome}")
    words = f"HR, {hazard(sheet, '{:.2f} (95% CI, {:.2f}-{:.2f})')}\n" if n == 2 else ""
    sheet.note(
        f"{words}Log-rank P {p_value(sheet, least='<.001', equal='= ').replace('0.', '.', 1)}",
        prefer=("lower left", "upper right"),
    )
    if sheet.hues == "colour":
        sheet.called(ax)
    else:
        sheet.settle(key(sheet, ax, inks, frameon=False, width=1.3, handlelength=2.8))
    sheet.at_risk(ax, down=46, heading="No. at risk", left=left - 8, row=1.35 * sheet.points, comma=sheet.chance(0.3))


def page_title(sheet, words):
    """Bold words at the upper left of the page over a thin rule."""
    from matplotlib.lines import Line2D

    tall = 72 * sheet.page.get_size_inches()[1]
    sheet.page.text(0.015, 1 - 9 / tall, words, fontweight="bold", va="top", fontsize=1.1 * sheet.points)
    sheet.page.add_artist(Line2D([0.015, 0.985], [1 - 27 / tall] * 2, color="#000000", lw=0.8))


def bmj_lines(sheet: LevelSheet):
    """BMJ: grey lines across and no side, percent, a legend at the upper left above the plot, names of rows in colours."""
    left = risk_left(sheet, 58, 0.9)
    n = len(sheet.arms)
    ax = sheet.axes(left=left, right=20, top=38, bottom=52 + 1.4 * sheet.points * (n + 1.5))
    step = 0.1 if sheet.floor else sheet.choice(0.2, 0.25)
    sheet.shape(ax, step=step, form="{:.0f}", pad=(0.0, 0.02, 0.0, 0.02))
    sheet.frame(ax, sides="b", width=0.8, ink="#4d4d4d", length=4)
    ax.tick_params(axis="y", length=0)
    ax.grid(True, axis="y", color="#d0d0d0", lw=0.7)
    ax.set_axisbelow(True)
    inks = sheet.choose(("#2A6EBB", "#CD202C", "#747678", "#F0AB00"), ("#00567D", "#E37222", "#69923A", "#7D5CC6"))
    sheet.curves(
        ax,
        inks,
        width=1.6,
        mark=sheet.mark("|" if sheet.chance(0.3) else ""),
        size=5,
        band=0.2 if sheet.banded else 0.0,
    )
    ax.set_ylabel(sheet.choice("Survival (%)", "Proportion alive (%)", "Patients free from event (%)"))
    ax.set_xlabel(sheet.choice(f"Time ({sheet.unit})", f"{sheet.unit.capitalize()} from randomisation"))
    key(sheet, ax, inks, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncol=n, frameon=False, width=2.0, handlelength=2.4 if sheet.hues != "colour" else 1.4,
        columnspacing=1.2, handletextpad=0.5)  # fmt: skip
    if sheet.chance(0.6):
        words = hazard(sheet, "Hazard ratio {:.2f} ({:.2f} to {:.2f})") + ", " if n == 2 else ""
        sheet.note(f"{words}P{p_value(sheet)}", prefer=("lower left", "upper right"))
    names = [ink for ink, _ in inks] if sheet.hues == "colour" else None
    sheet.at_risk(ax, down=46, heading="No at risk", left=left - 8, row=1.4 * sheet.points, inks=names)


def annals_columns(sheet: LevelSheet):
    """Annals of Oncology: a box, ticks inward, censor strokes, a legend with columns of events and medians."""
    left = risk_left(sheet, 60, 0.9)
    n = len(sheet.arms)
    ax = sheet.axes(left=left, right=18, top=16, bottom=54 + 1.35 * sheet.points * (n + 1.5))
    percent = sheet.scale > 1
    sheet.shape(ax, step=0.2, form="{:.0f}" if percent else "{:.1f}", pad=(0.0, 0.02, 0.0, 0.04))
    sheet.frame(ax, sides="lbrt", width=0.9, ticks="in", length=4)
    inks = sheet.choose(("#004B87", "#D22630", "#2E8540", "#F2A900"), ("#5B2C83", "#00A9E0", "#E87722", "#43695B"))
    sheet.curves(
        ax,
        inks,
        width=1.4,
        mark=sheet.mark("|"),
        size=5.5,
        stroke=0.9,
        band=0.15 if sheet.banded and sheet.chance(0.4) else 0.0,
    )
    ax.set_ylabel(
        sheet.choice("Overall survival", "Progression-free survival") + (" (%)" if percent else " (probability)")
    )
    ax.set_xlabel(sheet.choice("Time since randomisation (", "Time (") + f"{sheet.unit})")
    columns(sheet, ax)
    sheet.at_risk(ax, down=46, heading="Patients at risk", left=left - 8, row=1.35 * sheet.points)


def columns(sheet, ax):
    """A small table on the plot: line, name, events of patients, median."""
    tall, size = _tall(sheet, ax), 0.85 * sheet.points
    wide = tall * ax.get_window_extent().width / ax.get_window_extent().height
    name = 0.56 * size * max(len(a.name) for a in sheet.arms)
    starts = np.array([0, 28, 36 + name, 80 + name, 126 + name])
    row = 1.4 * size / tall
    held = ax.text(0, 0, " ", transform=ax.transAxes)
    sheet._shares = lambda _: (starts[-1] / wide, row * (len(sheet.arms) + 2.1))
    try:
        sheet.settle(held, prefer=("upper right", "lower left"), pad=0.02)
    finally:
        del sheet._shares
    x, low = held.get_position()
    top = low + row * (len(sheet.arms) + 1.4)
    for k, words in enumerate(("Events/n", f"Median ({sheet.unit[:2]})")):
        ax.text(x + starts[2 + k] / wide, top, words, transform=ax.transAxes, va="center", fontsize=size)
    for k, (arm, (ink, dash)) in enumerate(zip(sheet.arms, sheet.inks, strict=True), 1):
        y, middle = top - k * row, median(arm)
        ax.plot([x, x + 23 / wide], [y, y], transform=ax.transAxes, color=ink, ls=dash, lw=1.4)
        found = (arm.name, f"{int(arm.event.sum())}/{len(arm.time)}", f"{middle:.1f}" if middle else "NR")
        for start, words in zip(starts[1:], found, strict=False):
            ax.text(x + start / wide, y, words, transform=ax.transAxes, va="center", fontsize=size)
    foot = f"P {p_value(sheet, least='<0.001', equal='= ')}"
    ax.text(
        x + starts[1] / wide,
        top - (len(sheet.arms) + 1) * row,
        foot,
        transform=ax.transAxes,
        va="center",
        fontsize=size,
    )


def medcalc_groups(sheet: LevelSheet):
    """MedCalc: a box with ticks inward, percent, a titled legend at the right, and for each group a heading over its numbers."""
    n = len(sheet.arms)
    row = 1.3 * sheet.points
    right = 42 + max(30, 0.55 * sheet.points * max(len(a.name) for a in sheet.arms))
    ax = sheet.axes(left=62, right=right, top=18, bottom=56 + row * (2 * n + 1.2))
    sheet.shape(ax, step=sheet.choice(0.2, 0.1), form="{:.0f}", pad=(0.0, 0.0, 0.0, 0.03))
    sheet.frame(ax, sides="lbrt", width=0.8, ticks="in", length=4)
    if sheet.chance(0.3):
        ax.grid(True, color="#b8b8b8", lw=0.5, ls=DOTTED)
    inks = sheet.choose(
        ("#0000ff", "#ff8000", "#008000", "#800080"),
        ("#004a9c", "#d62a2a", "#00a050", "#a06000"),
        ("#0000c0", "#c00000", "#00a000"),
    )
    sheet.curves(
        ax,
        inks,
        width=1.1,
        mark=sheet.mark("|" if sheet.chance(0.8) else ""),
        size=5.5,
        stroke=0.8,
        band=0.15 if sheet.banded and sheet.chance(0.4) else 0.0,
    )
    ax.set_ylabel("Survival probability (%)")
    ax.set_xlabel(sheet.choice("Time", f"Time ({sheet.unit})", "Follow-up"))
    word = sheet.choice("Group", "TREATMENT", "Class")
    held = key(
        sheet,
        ax,
        inks,
        title=word,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
        width=1.2,
        handlelength=2.0,
    )
    held.set_alignment("left")
    times, rows = sheet.counts()
    size = 0.9 * sheet.points
    sheet.margin(ax, "Number at risk", 46, left=50, fontsize=size)
    for k, (arm, (risk, _, _)) in enumerate(zip(sheet.arms, rows, strict=True)):
        depth = 46 + (2 * k + 1.1) * row
        sheet.margin(ax, f"Group: {arm.name}", depth, left=50, fontsize=size)
        for t, number in zip(times, risk, strict=True):
            sheet.under(ax, t, str(number), depth + row, fontsize=size)
    sheet.keep_table(times, rows)


def r_plain(sheet: LevelSheet):
    """R's plot of survfit: a box, upright labels, thin lines, a framed legend, dashed limits, at times the test, no table."""
    ax = sheet.axes(left=64, right=24, top=34, bottom=64)
    sheet.shape(ax, step=0.2, form="{:.1f}", pad=(0.04, 0.04, 0.04, 0.04))
    sheet.frame(ax, sides="lbrt", width=0.75, length=6)
    for label in ax.get_yticklabels():
        label.set(rotation=90, va="center")
    inks = sheet.choose(
        ("#000000", "#DF536B", "#61D04F", "#2297E6"),
        ("#000000", "#ff0000", "#0000ff", "#00cd00"),
        ("#1f4e9c", "#b22222", "#2e8b57"),
    )
    sheet.curves(ax, inks, width=1.2, mark=sheet.mark("+" if sheet.chance(0.5) else ""), size=5.5, stroke=0.8)
    if sheet.banded and len(sheet.arms) == 2:
        limits(sheet, ax, inks, kind="dashed", width=0.6)
    ax.set_ylabel(sheet.choice("Survival", "S(t)", "Proportion surviving"), labelpad=10)
    ax.set_xlabel(sheet.choice(sheet.unit.capitalize(), "Time", f"Time ({sheet.unit})"), labelpad=10)
    if sheet.chance(0.4):
        ax.set_title("Kaplan-Meier estimate", fontweight="bold", fontsize=1.15 * sheet.points)
    held = key(sheet, ax, inks, frameon=True, edgecolor="black", framealpha=1.0, width=1.2, handlelength=2.4)
    held.get_frame().set_linewidth(0.75)
    sheet.settle(held, prefer=("upper right", "lower left"))
    if sheet.chance(0.5):
        sheet.note(f"p {p_value(sheet, equal='= ', least='< 0.001')}", prefer=("lower left", "upper right"))


def heart_incidence(sheet: LevelSheet):
    """Cardiology: incidence that rises in a low window, hazard ratio at the upper left, names beside curves or a key, commas."""
    left = risk_left(sheet, 62, 0.9)
    n = len(sheet.arms)
    ax = sheet.axes(left=left, right=22, top=16, bottom=54 + 1.35 * sheet.points * (n + 1.5))
    step = {0.1: 0.02, 0.2: 0.05, 0.3: 0.05, 0.4: 0.1, 0.5: 0.1}[sheet.highest]
    sheet.shape(ax, step=step, form="{:.0f}", pad=(0.0, 0.02, 0.0, 0.0))
    sheet.frame(ax, sides="lb", width=1.0, length=5)
    inks = sheet.choose(
        ("#C8102E", "#003DA5", "#7A7A7A"), ("#B5121B", "#1C6BA0", "#E6A117"), ("#E4002B", "#00205B", "#00859B")
    )
    sheet.curves(ax, inks, width=1.7, band=0.15 if sheet.banded and sheet.chance(0.5) else 0.0)
    ax.set_ylabel(sheet.choice("Cumulative incidence (%)", "Patients with an event (%)", "Cumulative event rate (%)"))
    ax.set_xlabel(sheet.choice(f"{sheet.unit.capitalize()} since randomization", f"{sheet.unit.capitalize()}"))
    if n == 2:
        sheet.note(
            f"{hazard(sheet, 'HR {:.2f} (95% CI {:.2f}–{:.2f})')}\nP{p_value(sheet)}",
            prefer=("upper left", "lower right"),
        )
    if sheet.hues == "colour" and sheet.chance(0.6):
        sheet.called(ax)
    else:
        held = key(sheet, ax, inks, frameon=False, width=1.7, handlelength=2.6)
        sheet.settle(held, prefer=("lower right", "upper left"))
    sheet.at_risk(ax, down=46, heading="No. at risk", left=left - 8, row=1.35 * sheet.points, comma=True)


def _tall(sheet, ax):
    """The height of the axes in points."""
    return 72 * sheet.page.get_size_inches()[1] * ax.get_position().height


@dataclass(frozen=True)
class Kind:
    """A style with its patients per arm, the names of its arms, and where its axes end when they are cut."""

    style: Style
    sizes: tuple[int, int] = (40, 400)
    names: tuple[tuple[str, ...], ...] = NAMES
    tops: tuple[float, ...] = (1.0,)
    most: int = 4


#: How many arms medium pictures have.
MORE = (2, 3, 4)
KINDS = {
    "annalscolumns": Kind(Style(annals_columns, (6.6, 5.6), points=9.5, arms=MORE, scale=1.0, unit=("months",)), (60, 400)),
    "bmjlines": Kind(Style(bmj_lines, (6.8, 5.4), points=9.5, arms=MORE, unit=("years", "months"), floors=(0.0, 0.0, 0.5, 0.6)), (150, 700)),
    "ggblocks": Kind(Style(ggsurvfit_blocks, (7.0, 6.0), points=9.5, arms=MORE, scale=1.0, unit=("months", "days", "years")), (40, 350)),
    "heartincidence": Kind(Style(heart_incidence, (6.6, 5.4), points=9.5, arms=MORE, direction="incidence", unit=("days", "months", "years")), (350, 1800), HEART,
                           (0.1, 0.2, 0.3, 0.4, 0.5), 3),
    "jamaletter": Kind(Style(jama_letter, (6.6, 5.6), points=9.5, arms=MORE, unit=("months", "years")), (60, 500), most=3),
    "kmunicaterows": Kind(Style(kmunicate_rows, (7.0, 6.4), points=9.0, arms=MORE, scale=1.0, unit=("months", "years", "days")), (40, 300), most=3),
    "medcalcgroups": Kind(Style(medcalc_groups, (7.0, 5.6), points=9.0, arms=MORE, unit=("months", "days")), (25, 200)),
    "rplain": Kind(Style(r_plain, (6.0, 5.4), points=10.0, arms=(2, 2, 3), scale=1.0, unit=("days", "months", "years")), (20, 180)),
}  # fmt: skip
