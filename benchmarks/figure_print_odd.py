"""Kaplan-Meier figures that are odd but real: other words, other axes, more on the page than the curves."""

from __future__ import annotations

import numpy as np

from benchmarks import figure_styles as styles
from benchmarks.figure_print_parts import (
    HEART,
    MARKERS,
    TREATMENTS,
    Crowded,
    Print,
    PrintSheet,
    colours,
    hazard,
    p_value,
    renamed,
    risk_left,
)
from benchmarks.figure_sheets import DASHED, DOTTED, MIXED, SANS, SERIF, SOLID, Style
from benchmarks.figure_vendor_parts import black, caption, comma, inks_of, key, name_times, symbols

CJK = ["Droid Sans Fallback", "DejaVu Sans"]


def competing_risks(sheet: PrintSheet):
    """R's cumulative incidence of competing events: few words, the axis to 1 or to a half, strokes or two colours, names above."""
    ax = sheet.axes(left=60, right=22, top=30, bottom=54)
    high = max(1 - float(a.steps[-1, 1]) for a in sheet.arms)
    top = 1.0 if sheet.chance(0.5) else next(t for t in (0.4, 0.6, 0.8) if high < 0.97 * t)
    sheet.scales(ax, step=0.2 if top > 0.5 else 0.1, form="{:.1f}", top=top, pad=(0.02, 0.03, 0.02, 0.03))
    sheet.frame(ax, sides="lbrt" if sheet.chance(0.6) else "lb", width=0.8, length=5)
    inks = (
        black(sheet) if sheet.chance(0.5) else inks_of(sheet, ("#d7191c", "#2c7bb6", "#1a9641"), (SOLID, DASHED, SOLID))
    )
    sheet.curves(ax, inks, width=1.4)
    ax.set_ylabel(sheet.choice("Cumulative incidence", "Probability"))
    ax.set_xlabel(
        sheet.choice(
            f"{sheet.unit.capitalize()} after transplantation", sheet.unit.capitalize(), f"Time ({sheet.unit})"
        )
    )
    sheet.settle(key(sheet, ax, inks, frameon=False, handlelength=2.8), prefer=("upper left", "lower right"))
    if sheet.chance(0.6):
        sheet.note(f"Gray's test p{p_value(sheet)}", prefer=("upper right", "upper left", "lower right"))


def inset_zoom(sheet: PrintSheet):
    """A general medical journal's trial of few events: the scale to 100, the same lines enlarged inside, numbers at risk below."""
    n = len(sheet.arms)
    if min(len(a.time) for a in sheet.arms) < 220 or min(len(a.steps) for a in sheet.arms) < 9:
        raise Crowded
    row = 1.4 * sheet.points
    left = risk_left(sheet, 84, 0.9)
    ax = sheet.axes(left=left, right=18, top=20, bottom=54 + row * (n + 1))
    sheet.scales(ax, step=0.1 if sheet.chance(0.6) else 0.2, form="{:.0f}", pad=(0, 0.01, 0, 0))
    sheet.frame(ax, width=0.8, length=4)
    inks = colours(sheet, ("#00558c", "#c8102e", "#7f7f7f"), ("#8c6d31", "#1f4e9c", "#7f7f7f"))
    sheet.curves(ax, inks, width=1.2)
    small = ax.inset_axes((0.16, 0.34, 0.8, 0.58))
    sheet.curves(small, inks, width=1.5, kept=False)
    high = 100 * max(1 - float(a.steps[-1, 1]) for a in sheet.arms)
    top = next(t for t in (4, 5, 8, 10, 12, 15, 20) if t > 1.1 * high)
    small.set_xlim(0, sheet.end * 1.01)
    small.set_ylim(0, top)
    small.set_xticks(sheet.ticks, [f"{t:g}" for t in sheet.ticks])
    small.set_yticks(np.arange(0, top + 0.1, {4: 1, 5: 1, 8: 2, 10: 2, 12: 2, 15: 5, 20: 5}[top]))
    sheet.frame(small, width=0.7, length=3)
    small.tick_params(labelsize=0.85 * sheet.points)
    key(sheet, small, inks, loc="upper left", frameon=False, fontsize=0.85 * sheet.points)
    words = (
        hazard(sheet, "Hazard ratio, {:.2f} (95% CI, {:.2f}–{:.2f})") + f"\nP{p_value(sheet, digits=2)}"
        if n == 2
        else f"P{p_value(sheet)}"
    )
    ax.text(0.56, 0.24, words, transform=ax.transAxes, ha="center", va="center", fontsize=0.85 * sheet.points)
    ax.set_ylabel(sheet.choice("Cumulative Incidence (%)", "Patients with an Event (%)"))
    sheet.under(ax, sheet.end / 2, f"{sheet.unit.capitalize()} since Randomization", 27)
    sheet.at_risk(ax, down=42, heading="No. at Risk", left=left - 6, row=row, comma=True)


def high_axis(sheet: PrintSheet):
    """An axis that begins at 60 percent and says no more of it: a journal of endocrinology or urology, with a table."""
    n = len(sheet.arms)
    risk = sheet.chance(0.6)
    row = 1.4 * sheet.points
    left = risk_left(sheet, 80, 0.9) if risk else 62
    ax = sheet.axes(left=left, right=20, top=24, bottom=52 + (row * (n + 1) if risk else 0))
    sheet.scales(ax, step=0.1 if sheet.chance(0.6) else 0.05, form="{:.0f}", pad=(0.0, 0.02, 0.0, 0.02))
    sheet.frame(ax, sides="lb" if sheet.chance(0.6) else "lbrt", width=0.9, length=4)
    inks = colours(sheet, ("#1f77b4", "#d62728", "#2ca02c"), ("#000000", "#c00000", "#0070c0"))
    sheet.curves(ax, inks, width=1.6, mark=sheet.choice("|", ""), size=5)
    ax.set_ylabel(sheet.choice("Recurrence-free survival (%)", "Disease-specific survival (%)", "Implant survival (%)"))
    sheet.under(ax, sheet.end / 2, sheet.choice(f"Time ({sheet.unit})", f"{sheet.unit.capitalize()} after surgery"), 27)
    sheet.settle(key(sheet, ax, inks, frameon=False), prefer=("lower left", "upper right", "lower right"))
    sheet.note(f"p {p_value(sheet, equal='= ', least='< 0.001')}")
    if risk:
        sheet.at_risk(ax, down=42, heading=sheet.choice("No. at risk", "Patients at risk"), left=left - 6, row=row)


def two_panels(sheet: PrintSheet):
    """Two panels side by side, A with three groups and B with two of others, each with its legend, one with numbers at risk."""
    half = 36 * sheet.style.inches[0]
    n = len(sheet.arms)
    row = 1.45 * sheet.points
    left = risk_left(sheet, 66, 0.85)
    foot = 50 + row * (n + 1)
    other = sheet.axes(left=half + 56, right=14, top=34, bottom=foot, keep=False)
    ax = sheet.axes(left=left, right=half + 8, top=34, bottom=foot)
    inks = colours(
        sheet, ("#0072b2", "#d55e00", "#009e73"), ("#e41a1c", "#377eb8", "#4daf4a"), ("#00468b", "#ed0000", "#42b540")
    )
    words = sheet.choice("Overall survival (%)", "Survival (%)")
    for panel, letter in ((ax, "A"), (other, "B")):
        sheet.scales(panel, step=0.25, form="{:.0f}", pad=(0.01, 0.02, 0, 0.03))
        sheet.frame(panel, width=0.8, length=3.5)
        panel.set_ylabel(words if letter == "A" else words.replace("Overall", "Disease-free"))
        sheet.under(panel, sheet.end / 2, f"Time ({sheet.unit})", 25)
        panel.annotate(letter, (0, 1), xycoords="axes fraction", xytext=(-40, 14), textcoords="offset points", fontweight="bold",
                       fontsize=1.5 * sheet.points)  # fmt: skip
    sheet.curves(ax, inks, width=1.3, mark="|", size=4, stroke=0.8)
    sheet.settle(key(sheet, ax, inks, frameon=False, handlelength=1.5))
    sheet.note(f"P{p_value(sheet)}")
    sheet.at_risk(ax, down=40, heading="No. at risk", left=left - 6, row=row, size=0.85, weight="normal")
    _second_panel(sheet, other)


def _second_panel(sheet, other):
    """The panel beside: two groups that are not asked for."""
    first = (sheet.ax, sheet.arms, sheet.inks, sheet.marked, sheet.taken)
    sheet.ax, sheet.taken = other, []
    sheet.arms = styles.simulated(sheet.rng, ("Low risk", "High risk"), horizon=sheet.end, floor=0.0)
    inks = inks_of(sheet, ("#000000", "#999999"))
    sheet.curves(other, inks, width=1.3, mark="|", size=4, stroke=0.8)
    sheet.settle(key(sheet, other, inks, frameon=False, handlelength=1.5))
    sheet.note(f"P{p_value(sheet)}")
    sheet.ax, sheet.arms, sheet.inks, sheet.marked, sheet.taken = first


def excel_markers(sheet: PrintSheet):
    """Excel by hand: lines with a diamond, square or triangle at each death, grey lines across, percent signs, a legend below."""
    if max(int(a.event.sum()) for a in sheet.arms) > 45:
        raise Crowded
    ax = sheet.axes(left=58, right=22, top=42, bottom=76)
    sheet.scales(ax, step=0.1 if sheet.chance(0.4) else 0.2, form="{:.0f}%", pad=(0.0, 0.03, 0.0, 0.0))
    ax.set_ylim(0, 100.5)
    sheet.frame(ax, sides="b", width=0.8, ink="#bfbfbf", length=0)
    ax.grid(True, axis="y", color="#d9d9d9", lw=0.8)
    ax.set_axisbelow(True)
    inks = colours(sheet, ("#4472c4", "#ed7d31", "#a5a5a5"), ("#4f81bd", "#c0504d", "#9bbb59"))
    sheet.curves(ax, inks, width=2.0)
    shapes = sheet.choice(("D", "s", "^"), ("o", "o", "o"))
    symbols(sheet, ax, inks, shapes, size=4.6)
    ax.set_title(
        sheet.choice("Kaplan-Meier survival", "Overall survival", "Survival by group"),
        fontsize=1.4 * sheet.points,
        color="#595959",
        pad=10,
    )
    ax.set_xlabel(sheet.unit.capitalize())
    if sheet.chance(0.6):
        ax.set_ylabel("% survival")
    key(sheet, ax, inks, marks=shapes, loc="lower center", bbox_to_anchor=(0.5, 0.01), bbox_transform=sheet.page.transFigure, ncol=len(sheet.arms),
        frameon=False, width=2.0)  # fmt: skip


def _weibull(t, scale, shape):
    return np.exp(-((t / scale) ** shape))


def fitted(sheet: PrintSheet):
    """A cost-effectiveness model: stepped Kaplan-Meier lines as far as the trial went, smooth fits drawn on to the horizon."""
    from matplotlib.lines import Line2D
    from scipy.optimize import curve_fit

    ax = sheet.axes(left=58, right=22, top=24, bottom=88)
    sheet.scales(
        ax, step=sheet.choice(0.1, 0.2), form="{:.0f}%" if sheet.chance(0.6) else "{:.0f}", pad=(0.0, 0.01, 0.0, 0.0)
    )
    sheet.frame(ax, sides="lb", width=0.8, ink="#7f7f7f", length=3.5)
    ax.grid(True, axis="y", color="#e3e3e3", lw=0.7)
    ax.set_axisbelow(True)
    inks = colours(sheet, ("#1f4e79", "#c55a11"), ("#2f5597", "#548235"), ("#000000", "#c00000"))
    family = sheet.choice("Weibull", "log-normal", "log-logistic", "generalised gamma")
    grid = np.linspace(0, sheet.end, 400)
    fits = []
    for arm, (ink, _) in zip(sheet.arms, inks, strict=True):
        seen = np.linspace(0.02 * arm.last, arm.last, 60)
        scale, shape = curve_fit(_weibull, seen, arm.at(seen), p0=(arm.last, 1.0), bounds=(1e-3, (50 * sheet.end, 6)))[
            0
        ]
        smooth = _weibull(grid, scale, shape)
        fits.append(ax.plot(grid, 100 * smooth, color=ink, lw=1.0, ls=DASHED)[0])
    sheet.curves(ax, inks, width=1.8)
    ax.set_ylabel(sheet.choice("Overall survival", "Proportion alive", "Progression-free survival"))
    ax.set_xlabel(f"Time ({sheet.unit})")
    lines = [Line2D([], [], color=c, lw=1.8) for c, _ in inks] + fits
    labels = [f"{a.name} - KM" for a in sheet.arms] + [f"{a.name} - {family}" for a in sheet.arms]
    ax.legend(lines, labels, loc="lower center", bbox_to_anchor=(0.53, 0.01), bbox_transform=sheet.page.transFigure, ncol=2, frameon=False,
              fontsize=0.9 * sheet.points)  # fmt: skip


def old_scan(sheet: PrintSheet):
    """A figure drawn with ruling pen and typewriter, photocopied: circles and triangles at the drops, capitals, arrows to the lines."""
    if max(int(a.event.sum()) for a in sheet.arms) > 60:
        raise Crowded
    ax = sheet.axes(left=62, right=26, top=24, bottom=74)
    sheet.scales(ax, step=sheet.choice(0.1, 0.2, 0.25), form="{:.0f}", pad=(0, 0.03, 0, 0.04))
    sheet.frame(ax, sides="lb", width=1.5, length=6, ticks=sheet.choice("out", "in"))
    inks = inks_of(sheet, ("#000000",) * 3, (SOLID, DASHED, DOTTED) if sheet.chance(0.5) else (SOLID,) * 3)
    sheet.curves(ax, inks, width=1.5)
    shapes = ("o", "^", "s")
    for k, (arm, shape) in enumerate(zip(sheet.arms, shapes, strict=False)):
        t = arm.steps[1:, 0]
        ax.plot(
            t,
            sheet.shown(arm.at(t)),
            shape,
            mfc="white" if k % 2 else "black",
            mec="black",
            ms=4.2,
            mew=0.9,
            ls="",
            zorder=3,
        )
    for line in ax.get_lines():
        line.set_sketch_params(0.4, 60, 3)
    ax.set_ylabel(sheet.choice("PERCENT SURVIVING", "% SURVIVAL", "PER CENT ALIVE"))
    ax.set_xlabel(sheet.choice(f"{sheet.unit.upper()} FROM DIAGNOSIS", f"TIME ({sheet.unit.upper()})"))
    renamed(sheet, lambda a: a.name.upper())
    lines = [f"{a.name} ({len(a.time)} PTS)" for a in sheet.arms]
    held = key(sheet, ax, inks, labels=lines, marks=shapes, frameon=False, handlelength=3.0, markersize=4.2)
    for k, line in enumerate(held.get_lines()):
        line.set_markerfacecolor("white" if k % 2 else "black")
    sheet.settle(held)
    if sheet.chance(0.5):
        caption(sheet, "Fig. 3.  Actuarial survival of the patients by treatment.", up=10)


def _european(sheet, *, percent, step=0.2):
    """Scales with decimal commas."""
    sheet.scales(
        sheet.ax,
        step=step,
        form="{:.0f}" if percent else (lambda v: comma(v / 100, "{:.1f}")),
        pad=(0.02, 0.03, 0.0, 0.03),
    )
    name_times(sheet, sheet.ax, lambda t: comma(t, "{:g}"))


def _p_comma(sheet, form):
    return form.format(p_value(sheet, equal="= ", least="< 0.001").replace(".", ","))


def italian(sheet: PrintSheet):
    """An Italian society's journal: 'Sopravvivenza', 'Mesi', decimal commas, 'Pazienti a rischio' in rows below."""
    n = len(sheet.arms)
    row = 1.4 * sheet.points
    left = risk_left(sheet, 84, 0.9)
    ax = sheet.axes(left=left, right=20, top=34, bottom=54 + row * (n + 1))
    percent = sheet.chance(0.5)
    _european(sheet, percent=percent)
    sheet.frame(ax, sides="lb" if sheet.chance(0.6) else "lbrt", width=0.8, length=4)
    inks = colours(sheet, ("#006fba", "#d8232a", "#00963f"), ("#003399", "#cc6600", "#666666"))
    sheet.curves(ax, inks, width=1.5, mark=sheet.choice("|", "+", ""), size=5)
    ax.set_title(
        sheet.choice("Sopravvivenza globale", "Curve di Kaplan-Meier", "Sopravvivenza libera da malattia"),
        fontsize=1.15 * sheet.points,
    )
    ax.set_ylabel("Sopravvivenza (%)" if percent else "Probabilità di sopravvivenza")
    unit = {"months": "mesi", "years": "anni"}[sheet.unit]
    sheet.under(ax, sheet.end / 2, sheet.choice(f"Tempo ({unit})", f"{unit.capitalize()} dalla diagnosi"), 27)
    sheet.settle(key(sheet, ax, inks, frameon=False))
    sheet.note(_p_comma(sheet, "log-rank p {}"))
    sheet.at_risk(
        ax, down=42, heading=sheet.choice("Pazienti a rischio", "N. a rischio"), left=left - 6, row=row, weight="normal"
    )


def portuguese(sheet: PrintSheet):
    """A Brazilian journal in greys: strokes, 'Sobrevida', 'Tempo (meses)', a caption with its figure's number and source."""
    ax = sheet.axes(left=60, right=20, top=22, bottom=88)
    percent = sheet.chance(0.6)
    _european(sheet, percent=percent, step=sheet.choice(0.2, 0.1))
    sheet.frame(ax, sides="lbrt" if sheet.chance(0.5) else "lb", width=0.9, length=4)
    if sheet.chance(0.4):
        ax.grid(True, axis="y", color="#d0d0d0", lw=0.6)
        ax.set_axisbelow(True)
    inks = (
        inks_of(sheet, ("#000000", "#808080", "#000000"), (SOLID, SOLID, DASHED)) if sheet.chance(0.5) else black(sheet)
    )
    sheet.curves(ax, inks, width=1.6)
    ax.set_ylabel("Sobrevida (%)" if percent else sheet.choice("Sobrevida acumulada", "Probabilidade de sobrevida"))
    unit = {"months": "meses", "years": "anos"}[sheet.unit]
    ax.set_xlabel(sheet.choice(f"Tempo ({unit})", f"Tempo de seguimento ({unit})"))
    sheet.settle(key(sheet, ax, inks, frameon=sheet.chance(0.4), edgecolor="black", handlelength=2.8))
    sheet.note(_p_comma(sheet, "p {}"))
    caption(sheet, "Figura 2 – Curvas de sobrevida de Kaplan-Meier segundo o grupo. Fonte: registro hospitalar.", width=80, up=8,
            fontsize=0.9 * sheet.points)  # fmt: skip


def polish(sheet: PrintSheet):
    """Statistica in Polish: 'Skumulowana proporcja przeżywających', 'Kompletne' and 'Ucięte', commas, a box with dotted lines."""
    ax = sheet.axes(left=58, right=22, top=54, bottom=56)
    sheet.scales(
        ax,
        step=0.1 if sheet.chance(0.6) else 0.2,
        form=lambda v: comma(v / 100, "{:.1f}"),
        pad=(0.04, 0.04, 0.04, 0.06),
    )
    sheet.frame(ax, sides="lbrt", width=0.8, length=4)
    ax.grid(True, color="#b8b8b8", lw=0.5, ls=(0, (2, 2)))
    ax.set_axisbelow(True)
    inks = inks_of(sheet, ("#0000ff", "#ff0000", "#008000"), (SOLID, DASHED, MIXED))
    sheet.curves(ax, inks, width=1.2)
    if sheet.chance(0.7):
        symbols(sheet, ax, inks, "+++", size=5, of="censored", most=60)
    ax.set_title(
        "Skumulowana proporcja przeżywających (Kaplan-Meier)" + ("\n+ Ucięte" if sheet.marked else ""),
        fontsize=1.05 * sheet.points,
        pad=7,
    )
    ax.set_ylabel(sheet.choice("Skumulowana proporcja przeżywających", "Prawdopodobieństwo przeżycia"))
    unit = {"months": "miesiące", "years": "lata"}[sheet.unit]
    ax.set_xlabel(sheet.choice(f"Czas [{unit}]", f"Czas przeżycia ({unit})"))
    sheet.settle(key(sheet, ax, inks, edgecolor="black", handlelength=2.6, framealpha=1.0))
    sheet.note(_p_comma(sheet, "p {}"))


def japanese_words(sheet: PrintSheet):
    """A Japanese bulletin: 生存率, 術後月数, black lines, a thin open frame with ticks inside, names of groups beside strokes."""
    ax = sheet.axes(left=58, right=20, top=26, bottom=54)
    percent = sheet.chance(0.6)
    sheet.scales(ax, step=0.2, form="{:.0f}" if percent else lambda v: f"{v / 100:.1f}", pad=(0, 0.03, 0, 0.04))
    sheet.frame(ax, sides="lb" if sheet.chance(0.6) else "lbrt", width=0.9, length=4, ticks="in")
    inks = black(sheet) if sheet.chance(0.6) else colours(sheet, ("#e60012", "#0068b7", "#009944"))
    sheet.curves(ax, inks, width=1.4, mark=sheet.choice("|", ""), size=5)
    ax.set_ylabel(sheet.choice("累積生存率", "全生存率", "無再発生存率") + (" (%)" if percent else ""), family=CJK)
    unit = {"months": "月", "years": "年"}[sheet.unit]
    sheet.under(ax, sheet.end / 2, f"{sheet.choice('観察期間', '術後期間')}({unit})", 28, family=CJK)
    labels = [f"{a.name} (n={len(a.time)})" for a in sheet.arms]
    sheet.settle(
        key(
            sheet,
            ax,
            inks,
            labels=labels,
            frameon=False,
            handlelength=2.6,
            prop={"family": CJK, "size": 0.9 * sheet.points},
        )
    )
    sheet.note(f"p{p_value(sheet)}")


BOTH = (*MARKERS, *TREATMENTS)
TWO = (2, 2, 2, 3)
MAIN = ("months", "years")
RISKS = (("Relapse", "NRM"), ("Acute GVHD", "Chronic GVHD"), ("Cancer death", "Other death"), ("MAC", "RIC", "NMA"))
ITALIAN = (
    ("Chirurgia", "Radioterapia"),
    ("Stadio I", "Stadio II", "Stadio III"),
    ("Femmine", "Maschi"),
    ("Basso rischio", "Alto rischio"),
)
BRAZIL = (
    ("Cirurgia", "Quimioterapia"),
    ("Estádio I", "Estádio II", "Estádio III"),
    ("Feminino", "Masculino"),
    ("< 60 anos", "≥ 60 anos"),
)
POLISH = (("Grupa badana", "Grupa kontrolna"), ("Stopień I", "Stopień II", "Stopień III"), ("Kobiety", "Mężczyźni"))
NIPPON = (("A群", "B群"), ("手術群", "非手術群"), ("低リスク", "高リスク"), ("I期", "II期", "III期"))
ODD = {
    "competingrisks": Print(Style(competing_risks, (5.4, 4.6), (600, 1300), scale=1.0, points=10, arms=TWO, unit=MAIN, direction="incidence"), RISKS, least=0.3, apart=0.025),
    "excelmarkers": Print(Style(excel_markers, (6.0, 4.4), (600, 1200), font="Open Sans", points=9.5, arms=TWO), BOTH),
    "fitted": Print(Style(fitted, (6.4, 4.6), (640, 1400), font="Lato", points=9.5, arms=(2,)), TREATMENTS, follow=(0.4, 0.5, 0.65)),
    "highaxis": Print(Style(high_axis, (5.8, 4.6), (600, 1500), points=10, arms=TWO, floors=(0.6,), unit=MAIN), BOTH),
    "insetzoom": Print(Style(inset_zoom, (6.2, 5.2), (800, 1800), points=9.5, arms=(2,), direction="incidence"), HEART, least=0.84, follow=(1.0, 1.3)),
    "italian": Print(Style(italian, (5.8, 4.8), (600, 1400), font=SANS, points=9.5, arms=TWO, unit=MAIN), ITALIAN),
    "japanesewords": Print(Style(japanese_words, (5.0, 4.0), (600, 1100), font=SANS, points=10, arms=TWO, unit=MAIN), NIPPON, apart=0.025, files=("png", "jpeg", "small", "page")),
    "oldscan": Print(Style(old_scan, (5.6, 4.6), (800, 1300), font="Nimbus Mono PS", points=9.5, arms=(2,), unit=MAIN), TREATMENTS, files=("scan",), apart=0.05),
    "polish": Print(Style(polish, (5.8, 4.8), (600, 1100), font=SANS, points=9.5, arms=TWO, unit=MAIN), POLISH),
    "portuguese": Print(Style(portuguese, (5.6, 4.6), (600, 1200), font=SERIF, points=10, arms=TWO, unit=MAIN), BRAZIL, apart=0.025, files=("palette", "jpeg", "small", "scan")),
    "twopanels": Print(Style(two_panels, (8.4, 4.2), (1000, 2000), points=8.5, arms=(3,), unit=MAIN), MARKERS, follow=(1.0, 1.3)),
}  # fmt: skip
