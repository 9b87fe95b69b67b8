"""How journals redraw Kaplan-Meier figures, and how labels, assessment reports and registries print them."""

from __future__ import annotations

import textwrap

from benchmarks.figure_print_parts import (
    HEART,
    MARKERS,
    TREATMENTS,
    Print,
    PrintSheet,
    colours,
    hazard,
    median,
    p_value,
    risk_left,
)
from benchmarks.figure_sheets import DASHED, DOTTED, LONG, MIXED, NARROW, SANS, SERIF, SOLID, Style
from benchmarks.figure_vendor_parts import black, inks_of, key, spread, symbols

LOREM = (
    "Patients were followed from the date of randomization until death or the last contact. Survival was estimated by the "
    "method of Kaplan and Meier and compared with the log-rank test. Hazard ratios were derived from a proportional hazards "
    "model with treatment, age, performance status and centre. All tests were two-sided. The median follow-up was estimated "
    "by the reverse method, and the assumption of proportional hazards was checked by inspection of residuals. Subgroups "
    "were defined before the analysis and no adjustment was made for multiple testing."
)


def _since(sheet, *words):
    word = sheet.choice(*(words or ("randomization", "surgery", "diagnosis", "enrolment")))
    return f"{sheet.unit.capitalize()} {sheet.choice('since', 'from', 'after')} {word}"


def jacc(sheet: PrintSheet):
    """A cardiology college's journal: a coloured figure heading, a cream panel, colour squares below, coloured rows of numbers."""
    from matplotlib.patches import Patch, Rectangle

    n, page = len(sheet.arms), sheet.page
    wide, tall = (72 * side for side in page.get_size_inches())
    row = 1.5 * sheet.points
    left = risk_left(sheet, 80, 0.9)
    hue = sheet.choice("#00558c", "#8b1a2b", "#3d6b35")
    page.add_artist(
        Rectangle((0, 0), 1, 1 - 26 / tall, facecolor="#f8f4e9", edgecolor="none", transform=page.transFigure, zorder=0)
    )
    page.text(
        8 / wide, 1 - 13 / tall, "FIGURE 2", color=hue, fontweight="bold", va="center", fontsize=1.05 * sheet.points
    )
    page.text(66 / wide, 1 - 13 / tall, sheet.choice("Kaplan-Meier Curves for the Primary Endpoint", "Survival According to Group"), va="center",
              fontweight="bold", fontsize=1.05 * sheet.points)  # fmt: skip
    ax = sheet.axes(left=left, right=22, top=44, bottom=84 + row * (n + 1))
    ax.patch.set_visible(False)
    sheet.scales(
        ax, step=0.2 if sheet.chance(0.6) else 0.25, form=sheet.choice("{:.0f}%", "{:.0f}"), pad=(0, 0.02, 0, 0.02)
    )
    sheet.frame(ax, width=0.9, length=4)
    inks = colours(
        sheet, ("#0069aa", "#e0592a", "#6b9f3a"), ("#1f3f77", "#c4262e", "#f2a33a"), ("#7a3e98", "#00a19a", "#f5821f")
    )
    sheet.curves(ax, inks, width=1.9)
    ax.set_ylabel(
        sheet.choice("Freedom From MACE", "Overall Survival", "Event-Free Survival")
        + (" (%)" if sheet.chance(0.5) else ""),
        fontweight="bold",
    )
    sheet.under(
        ax,
        sheet.end / 2,
        sheet.choice(f"Time ({sheet.unit.capitalize()})", f"{sheet.unit.capitalize()} After Procedure"),
        28,
        fontweight="bold",
    )
    sheet.note(
        f"Log-rank p {p_value(sheet, equal='= ', least='< 0.001')}"
        + (f"\n{hazard(sheet, 'HR: {:.2f} (95% CI: {:.2f}-{:.2f})')}" if n == 2 else "")
    )
    sheet.at_risk(ax, down=46, heading="No. at risk", left=left - 8, row=row, inks=[c for c, _ in inks])
    ax.legend([Patch(facecolor=c) for c, _ in inks], [a.name for a in sheet.arms], loc="lower center", ncol=n, frameon=False, handlelength=0.9,
              handleheight=0.9, bbox_to_anchor=(0.55, 0.012), bbox_transform=page.transFigure)  # fmt: skip


def circulation(sheet: PrintSheet):
    """A heart association's journal: cumulative incidence of a few percent, bold type, the names at the lines' ends, no legend."""
    n = len(sheet.arms)
    row = 1.4 * sheet.points
    left = risk_left(sheet, 84, 0.9)
    high = max(1 - float(a.steps[-1, 1]) for a in sheet.arms)
    top, step = next(
        (t, s) for t, s in ((0.1, 0.02), (0.15, 0.05), (0.2, 0.05), (0.3, 0.05), (0.4, 0.1)) if high < 0.95 * t
    )
    ax = sheet.axes(left=left, right=20, top=24, bottom=54 + row * (n + 1))
    sheet.scales(ax, step=step, form="{:.0f}", top=top, pad=(0, 0.02, 0, 0))
    sheet.frame(ax, width=1.1, length=4)
    inks = colours(sheet, ("#cf2030", "#1d4f91", "#7f7f7f"), ("#1d4f91", "#cf2030", "#f7941d"))
    sheet.curves(ax, inks, width=1.7)
    ax.set_ylabel(
        sheet.choice("Cumulative Incidence, %", "Patients With Event (%)", "Cumulative Event Rate (%)"),
        fontweight="bold",
    )
    sheet.under(
        ax, sheet.end / 2, sheet.choice(_since(sheet, "Randomization"), sheet.unit.capitalize()), 27, fontweight="bold"
    )
    if n == 2:
        sheet.note(
            hazard(sheet, "HR, {:.2f} (95% CI, {:.2f}–{:.2f})") + f"\nP{p_value(sheet)}",
            prefer=("upper left", "lower right"),
        )
    held = key(sheet, ax, inks, frameon=False, width=1.7, handlelength=1.8)
    sheet.settle(held, prefer=("upper left", "lower right"))
    sheet.at_risk(ax, down=42, heading="No. at risk", left=left - 6, row=row, comma=True)


def european_heart(sheet: PrintSheet):
    """A European heart journal: pale bands, teal and orange, a title over a rule, the table's rows on tinted bars."""
    from matplotlib.patches import Rectangle

    n, page = len(sheet.arms), sheet.page
    wide, tall = (72 * side for side in page.get_size_inches())
    row = 1.75 * sheet.points
    left = risk_left(sheet, 88, 0.9)
    foot = 60 + row * (n + 1)
    ax = sheet.axes(left=left, right=20, top=40, bottom=foot)
    sheet.scales(ax, step=0.2, form="{:.0f}", pad=(0, 0.02, 0, 0.02))
    sheet.frame(ax, width=0.8, length=3.5)
    pairs = (("#007a87", "#f08c00", "#5b4b8a"), ("#0b3c5d", "#d9534f", "#3fa796"))
    inks = colours(sheet, *pairs)
    sheet.curves(ax, inks, width=1.6, band=0.16 if n < 3 else 0.0)
    page.text(10 / wide, 1 - 15 / tall, sheet.choice("All-cause mortality", "Survival free of heart failure hospitalization"), fontweight="bold", va="center",
              fontsize=1.15 * sheet.points, color="#003b5c")  # fmt: skip
    page.add_artist(
        Rectangle(
            (10 / wide, 1 - 26 / tall), 1 - 20 / wide, 1.2 / tall, facecolor="#003b5c", transform=page.transFigure
        )
    )
    ax.set_ylabel(sheet.choice("Survival probability (%)", "Event-free survival (%)"))
    sheet.under(ax, sheet.end / 2, f"Time ({sheet.unit})" if sheet.chance(0.5) else f"Follow-up ({sheet.unit})", 27)
    sheet.settle(key(sheet, ax, inks, frameon=False, width=1.6), pad=0.04)
    sheet.note(f"Log-rank P {p_value(sheet, equal='= ', least='< 0.001')}", pad=0.04)
    down = 44
    for k, (ink, _) in enumerate(inks):
        middle = foot - down - (k + 1) * row
        page.add_artist(Rectangle((6 / wide, (middle - 0.46 * row) / tall), 1 - 12 / wide, 0.92 * row / tall, facecolor=ink, alpha=0.14,
                                  edgecolor="none", transform=page.transFigure))  # fmt: skip
    sheet.at_risk(ax, down=down, heading="Number at risk", left=left - 10, row=row)


def gut(sheet: PrintSheet):
    """A specialist journal of the BMJ group: a panel letter, a box, coloured names instead of a legend, HR under them."""
    n = len(sheet.arms)
    row = 1.4 * sheet.points
    left = risk_left(sheet, 80, 0.9)
    ax = sheet.axes(left=left, right=18, top=34, bottom=52 + row * (n + 1))
    percent = sheet.chance(0.5)
    sheet.scales(
        ax,
        step=0.25 if sheet.chance(0.5) else 0.2,
        form="{:.0f}" if percent else lambda v: f"{v / 100:.2f}",
        pad=(0, 0.01, 0, 0.03),
    )
    sheet.frame(ax, sides="lbrt" if sheet.chance(0.6) else "lb", width=0.7, length=3)
    inks = colours(sheet, ("#e31a1c", "#1f78b4", "#33a02c"), ("#2c7fb8", "#d95f0e", "#756bb1"))
    sheet.curves(ax, inks, width=1.2, mark="|", size=4.5, stroke=0.9)
    ax.set_ylabel(
        sheet.choice("Overall survival", "Cumulative survival", "Recurrence-free survival")
        + (" (%)" if percent else "")
    )
    sheet.under(ax, sheet.end / 2, sheet.choice(f"Time ({sheet.unit})", _since(sheet)), 25)
    lines = [
        (a.name + (f" (n={len(a.time)})" if percent else ""), ink) for a, (ink, _) in zip(sheet.arms, inks, strict=True)
    ]
    held = key(sheet, ax, inks, labels=[name for name, _ in lines], frameon=False, handlelength=1.2)
    for text, (_, ink) in zip(held.get_texts(), lines, strict=True):
        text.set_color(ink)
    sheet.settle(held)
    words = f"p{p_value(sheet)}"
    sheet.note(
        f"{hazard(sheet, 'HR {:.2f} (95% CI {:.2f} to {:.2f})')}\n{words}" if n == 2 else words,
        fontstyle=sheet.choice("normal", "italic"),
    )
    ax.annotate(sheet.choice("A", "B", "C"), (0, 1), xycoords="axes fraction", xytext=(-left + 8, 14), textcoords="offset points", fontweight="bold",
                fontsize=1.5 * sheet.points)  # fmt: skip
    sheet.at_risk(
        ax,
        down=40,
        heading="Number at risk",
        left=left - 6,
        row=row,
        weight="normal",
        inks=[c for c, _ in inks] if sheet.chance(0.5) else None,
    )


def haematology(sheet: PrintSheet):
    """A blood journal: thin lines, names with a landmark's percent beside the curves' ends, a letter, numbers at risk or none."""
    n = len(sheet.arms)
    risk = sheet.chance(0.5)
    row = 1.4 * sheet.points
    left = risk_left(sheet, 76, 0.9) if risk else 56
    rates = sheet.chance(0.5)
    names = [f"{a.name}, {100 * float(a.at(0.6 * sheet.end)):.0f}%" if rates else a.name for a in sheet.arms]
    ax = sheet.axes(
        left=left,
        right=24 + 0.52 * sheet.points * max(map(len, names)),
        top=36,
        bottom=50 + (row * (n + 1) if risk else 0),
    )
    sheet.scales(ax, step=0.25 if sheet.chance(0.5) else 0.2, form="{:.0f}", pad=(0, 0.0, 0, 0.02))
    sheet.frame(ax, width=0.9, length=4.5)
    inks = (
        black(sheet)
        if sheet.chance(0.25)
        else colours(sheet, ("#be1e2d", "#21409a", "#00a14b"), ("#000000", "#be1e2d", "#8dc63f"))
    )
    sheet.curves(ax, inks, width=1.1, mark=sheet.choice("|", "|", ""), size=4.5, stroke=0.7)
    ends = [float(a.steps[-1, 1]) for a in sheet.arms]
    for arm, name, (ink, _), level in zip(sheet.arms, names, inks, spread(ends, 0.09), strict=True):
        ax.text(min(1.0, arm.last / sheet.end) + 0.015 if abs(level - float(arm.steps[-1, 1])) < 0.01 else 1.015, level, name,
                transform=ax.transAxes, va="center", color=ink, fontsize=0.92 * sheet.points)  # fmt: skip
    ax.set_ylabel(sheet.choice("Overall survival, %", "Probability, %", "Event-free survival, %"))
    sheet.under(ax, sheet.end / 2, sheet.choice(f"Time, {sheet.unit}", _since(sheet, "diagnosis", "transplant")), 26)
    sheet.note(f"$P${p_value(sheet, least='<.001').replace('0.', '.')}")
    ax.annotate(sheet.choice("A", "B", "D"), (0, 1), xycoords="axes fraction", xytext=(-46, 12), textcoords="offset points", fontweight="bold",
                fontsize=1.5 * sheet.points)  # fmt: skip
    if risk:
        sheet.at_risk(ax, down=40, heading="No. at risk", left=left - 6, row=row)


def oncology_annals(sheet: PrintSheet):
    """A European oncology journal: small ticks between, a table of events and medians in the plot, small type, many tick labels."""
    from matplotlib.ticker import AutoMinorLocator

    n = len(sheet.arms)
    row = 1.4 * sheet.points
    left = risk_left(sheet, 76, 0.9)
    ax = sheet.axes(left=left, right=16, top=18, bottom=50 + row * (n + 1))
    sheet.scales(ax, step=0.1 if sheet.chance(0.5) else 0.2, form="{:.0f}", pad=(0, 0.01, 0, 0.01))
    sheet.frame(ax, width=0.8, length=4)
    if sheet.chance(0.5):
        ax.xaxis.set_minor_locator(AutoMinorLocator(2))
        ax.tick_params(which="minor", length=2.5)
    inks = colours(
        sheet, ("#004b87", "#e4002b", "#78be20"), ("#00a3ad", "#5c068c", "#ff8200"), ("#231f20", "#0095da", "#a7a9ac")
    )
    sheet.curves(ax, inks, width=1.3, mark=sheet.choice("|", "+"), size=4, stroke=0.8)
    ax.set_ylabel(sheet.choice("Progression-free survival (%)", "Overall survival (%)", "Probability of survival (%)"))
    sheet.under(ax, sheet.end / 2, sheet.choice(f"Time ({sheet.unit})", f"Time since randomisation ({sheet.unit})"), 26)
    widest = max(len(a.name) for a in sheet.arms)
    lines = [f"{'':{widest}}  Events/n  Median"]
    for arm in sheet.arms:
        middle = median(arm)
        lines.append(
            f"{arm.name:{widest}}  {f'{arm.event.sum()}/{len(arm.time)}':>8}  {f'{middle:.1f}' if middle else 'NR':>6}"
        )
    sheet.note(
        "\n".join(lines),
        family="DejaVu Sans Mono",
        fontsize=0.72 * sheet.points,
        prefer=("upper right", "lower left", "lower right"),
    )
    sheet.settle(key(sheet, ax, inks, frameon=False, handlelength=1.8))
    if n == 2 and sheet.chance(0.6):
        sheet.note(
            hazard(sheet, "HR {:.2f}; 95% CI {:.2f}-{:.2f}") + f"\nP {p_value(sheet, equal='= ', least='< 0.001')}",
            fontsize=0.85 * sheet.points,
        )
    sheet.at_risk(
        ax, down=40, heading=sheet.choice("No. at risk", "Patients at risk"), left=left - 6, row=row, size=0.88
    )


def cancer_print(sheet: PrintSheet):
    """A cancer journal in black and white: serif type, strokes with hollow and full symbols where people are censored."""
    ax = sheet.axes(left=60, right=20, top=22, bottom=52)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0, 0.02, 0, 0.03))
    sheet.frame(ax, sides="lbrt" if sheet.chance(0.4) else "lb", width=0.9, length=4, ticks=sheet.choice("in", "out"))
    inks = inks_of(sheet, ("#000000",) * 4, sheet.choice((SOLID, DASHED, DOTTED, MIXED), (SOLID, LONG, DOTTED, DASHED)))
    sheet.curves(ax, inks, width=1.2)
    shapes = sheet.choice(("o", "s", "^"), ("|", "|", "|"), ("+", "x", "+"))
    if sheet.chance(0.6):
        symbols(
            sheet,
            ax,
            inks,
            shapes,
            size=3.6 if shapes[0] in "os" else 5,
            hollow=shapes[0] in "os",
            of="censored",
            most=45,
        )
    ax.set_ylabel(sheet.choice("Cumulative Survival Rate", "Proportion Surviving", "Disease-Free Survival"))
    ax.set_xlabel(sheet.choice(f"Time ({sheet.unit})", _since(sheet, "operation", "diagnosis")))
    sheet.settle(
        key(
            sheet,
            ax,
            inks,
            labels=[f"{a.name} (n = {len(a.time)})" for a in sheet.arms],
            frameon=False,
            handlelength=3.2,
        )
    )
    sheet.note(f"P {p_value(sheet, equal='= ', least='< .001')}", fontstyle=sheet.choice("normal", "italic"))


def open_access(sheet: PrintSheet):
    """A figure put together in a slide program for an open journal: heavy bold type, names typed beside the curves, one size small."""
    ax = sheet.axes(left=70, right=22, top=36, bottom=60)
    sheet.scales(ax, step=0.2, form=sheet.choice("{:.1f}", "{:.2f}"), pad=(0.03, 0.05, 0.03, 0.05))
    sheet.frame(ax, sides="lb" if sheet.chance(0.5) else "lbrt", width=1.3, length=5)
    for label in (*ax.get_xticklabels(), *ax.get_yticklabels()):
        label.set_fontweight("bold")
    inks = colours(
        sheet, ("#0000ff", "#ff0000", "#00b050"), ("#4472c4", "#ed7d31", "#a5a5a5"), ("#002060", "#c00000", "#7030a0")
    )
    sheet.curves(ax, inks, width=2.0, mark=sheet.choice("+", "|", ""), size=7, stroke=1.4)
    bold = {"fontweight": "bold", "fontsize": 1.1 * sheet.points}
    ax.set_ylabel(sheet.choice("Overall survival", "Cum. Survival", "Probability of DFS"), **bold)
    ax.set_xlabel(
        sheet.choice(f"Time ({sheet.unit})", f"Survival time ({sheet.unit})", sheet.unit.capitalize()), **bold
    )
    if sheet.chance(0.6):
        ax.set_title(sheet.choice("Training set", "TCGA cohort", "Overall survival"), pad=8, **bold)
    sheet.settle(
        key(
            sheet,
            ax,
            inks,
            frameon=False,
            width=2.0,
            handlelength=1.3,
            prop={"weight": "bold", "size": 0.9 * sheet.points},
        )
    )
    sheet.note(f"P{p_value(sheet)}", fontweight="bold", fontsize=1.1 * sheet.points)


def epar(sheet: PrintSheet):
    """A medicines agency's assessment report: a bold figure title, tick labels by short steps, lines with circles, typewriter rows, a foot."""
    n, page = len(sheet.arms), sheet.page
    wide, tall = (72 * side for side in page.get_size_inches())
    row = 1.45 * sheet.points
    left = risk_left(sheet, 84, 1.0)
    ax = sheet.axes(left=left, right=22, top=44, bottom=92 + row * (n + 1))
    sheet.scales(ax, step=0.1, form="{:.1f}", pad=(0.01, 0.02, 0, 0.03))
    sheet.frame(ax, sides="lbrt", width=0.7, length=3.5)
    inks = inks_of(
        sheet, sheet.choice(("#0000ff", "#ff0000"), ("#000000", "#000000"), ("#1f4e79", "#c55a11")), (SOLID, DASHED)
    )
    sheet.curves(ax, inks, width=1.1)
    shapes = sheet.choice(("o", "^"), ("+", "+"), ("|", "|"))
    symbols(sheet, ax, inks, shapes, size=3.4 if shapes[0] == "o" else 4.5, hollow=shapes[0] == "o", of="censored")
    title = f"Figure {sheet.choice(7, 12, 15)}: Kaplan-Meier Plot of {sheet.choice('Overall Survival', 'PFS by BICR')} ({sheet.choice('ITT', 'FAS')})"
    page.text(10 / wide, 1 - 16 / tall, title, fontweight="bold", va="center", fontsize=1.15 * sheet.points)
    ax.set_ylabel(sheet.choice("Probability of Survival", "Survival Probability"))
    sheet.under(ax, sheet.end / 2, f"Time from Randomization ({sheet.unit.capitalize()})", 25)
    held = key(
        sheet,
        ax,
        inks,
        marks=shapes,
        labels=[f"{a.name} (N={len(a.time)})" for a in sheet.arms],
        edgecolor="black",
        markersize=3.5,
        handlelength=2.6,
    )
    sheet.settle(held)
    if n == 2:
        sheet.note(hazard(sheet, "Hazard Ratio: {:.2f} (95% CI: {:.2f}, {:.2f})"), fontsize=0.85 * sheet.points)
    sheet.at_risk(ax, down=42, heading="Number of patients at risk", left=left - 6, row=row, weight="normal", size=0.9)
    page.text(10 / wide, 12 / tall, "Source: CSR Figure 14.2.1.1. Data cut-off: 31 MAR 2019. NE = not estimable; CI = confidence interval.", va="bottom",
              fontsize=0.8 * sheet.points)  # fmt: skip


def transplant(sheet: PrintSheet):
    """A transplant registry's slide: heavy lines on a full grid, the names with their numbers at the right ends, percent of grafts."""
    names = [f"{a.name} (N={len(a.time):,d})" for a in sheet.arms]
    ax = sheet.axes(left=60, right=24 + 0.56 * sheet.points * max(map(len, names)), top=44, bottom=50)
    sheet.scales(ax, step=0.1 if sheet.chance(0.6) else 0.2, form="{:.0f}", pad=(0, 0.0, 0, 0.0))
    ax.set_xlim(0, sheet.end)
    sheet.frame(ax, sides="lbrt", width=1.0, length=3)
    ax.grid(True, color="#c8c8c8", lw=0.6)
    ax.set_axisbelow(True)
    inks = colours(sheet, ("#c00000", "#0070c0", "#00b050"), ("#000080", "#ff6600", "#339966"))
    sheet.curves(ax, inks, width=2.2)
    levels = spread([float(a.steps[-1, 1]) for a in sheet.arms], 0.08)
    for name, (ink, _), level in zip(names, inks, levels, strict=True):
        ax.text(
            1.02,
            level,
            name,
            transform=ax.transAxes,
            va="center",
            color=ink,
            fontweight="bold",
            fontsize=0.9 * sheet.points,
        )
    sheet.page.text(0.5, 1 - 20 / (72 * sheet.style.inches[1]), sheet.choice("Patient Survival", "Graft Survival, First Kidney Transplants"), ha="center",
                    va="center", fontweight="bold", fontsize=1.35 * sheet.points)  # fmt: skip
    ax.set_ylabel(sheet.choice("% Graft Survival", "Survival (%)"), fontweight="bold")
    ax.set_xlabel(sheet.choice("Years Posttransplant", "Years"), fontweight="bold")
    held = sheet.note(f"p {p_value(sheet, equal='= ', least='< 0.001')}")
    held.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})


def pdf_page(sheet: PrintSheet):
    """A cut from a page: running text in two columns above, the figure with its letter, its caption in small serif type below."""
    n, page = len(sheet.arms), sheet.page
    wide, tall = (72 * side for side in page.get_size_inches())
    row = 1.35 * sheet.points
    left = risk_left(sheet, 92, 0.9)
    ax = sheet.axes(left=left, right=40, top=112, bottom=112 + row * (n + 1))
    text = {"family": "Liberation Serif", "fontsize": 0.98 * sheet.points, "va": "top", "linespacing": 1.25}
    width = round((wide / 2 - 24) / (0.43 * sheet.points))
    start = int(sheet.rng.integers(0, 60))
    lines = textwrap.wrap((LOREM[start:] + " " + LOREM).strip(), width)[:12]
    page.text(14 / wide, 1 - 8 / tall, "\n".join(lines[:6]), **text)
    page.text(0.5 + 8 / wide, 1 - 8 / tall, "\n".join(lines[6:]), **text)
    sheet.scales(ax, step=0.2, form="{:.0f}" if sheet.chance(0.6) else "{:.0f}%", pad=(0, 0.02, 0, 0.02))
    sheet.frame(ax, width=0.8, length=4)
    inks = (
        colours(sheet, ("#1b75bc", "#be1e2d", "#39b54a"), ("#262262", "#f15a29", "#00a79d"))
        if sheet.chance(0.7)
        else black(sheet)
    )
    sheet.curves(ax, inks, width=1.3, mark=sheet.choice("|", ""), size=5)
    ax.set_ylabel(sheet.choice("Overall survival (%)", "Disease-free survival (%)"))
    sheet.under(ax, sheet.end / 2, f"Time since {sheet.choice('random assignment', 'surgery')} ({sheet.unit})", 26)
    sheet.settle(key(sheet, ax, inks, frameon=False))
    sheet.note(f"Log-rank P {p_value(sheet, equal='= ', least='< .001')}")
    ax.annotate(
        "A",
        (0, 1),
        xycoords="axes fraction",
        xytext=(-46, 6),
        textcoords="offset points",
        fontweight="bold",
        fontsize=1.5 * sheet.points,
    )
    sheet.at_risk(ax, down=42, heading="No. at risk:", left=left - 14, row=row)
    words = ("Fig 2. Kaplan-Meier estimates of survival according to treatment. (A) Overall survival in the intention-to-treat "
             "population; tick marks indicate patients whose data were censored. CI, confidence interval; HR, hazard ratio.")  # fmt: skip
    page.text(14 / wide, 44 / tall, textwrap.fill(words, round((wide - 28) / (0.42 * sheet.points))), family="Liberation Serif",
              fontsize=0.95 * sheet.points, va="top", linespacing=1.2)  # fmt: skip


BOTH = (*MARKERS, *TREATMENTS)
TWO = (2, 2, 2, 3)
PAPERS = {
    "cancerprint": Print(Style(cancer_print, (5.2, 4.2), (600, 1200), font=SERIF, scale=1.0, points=10.5, arms=TWO), BOTH, apart=0.025, files=("small", "jpeg", "palette", "scan")),
    "circulation": Print(Style(circulation, (6.0, 4.8), (700, 1600), points=9.5, arms=TWO, direction="incidence", unit=("months", "years", "days")), HEART,
                         least=0.64),
    "epar": Print(Style(epar, (6.8, 5.4), (640, 1200), font=SANS, scale=1.0, points=9, arms=(2,), unit=("months",)), TREATMENTS,
                  spans=((36, 3), (48, 4), (30, 3), (42, 3), (60, 6))),
    "europeanheart": Print(Style(european_heart, (6.2, 5.4), (700, 1800), font="Roboto", points=9.5, arms=TWO), HEART),
    "gut": Print(Style(gut, (5.4, 4.8), (700, 1500), font="Nimbus Sans", points=9.5, arms=TWO), BOTH),
    "haematology": Print(Style(haematology, (5.8, 4.4), (600, 1400), font="Nimbus Sans", points=9.5, arms=TWO, unit=("months", "years")), BOTH, apart=0.025),
    "jacc": Print(Style(jacc, (6.0, 5.4), (700, 1700), font="Open Sans", points=9, arms=TWO), HEART),
    "oncologyannals": Print(Style(oncology_annals, (6.4, 5.0), (700, 1800), font=NARROW, points=10, arms=TWO, unit=("months",)), TREATMENTS),
    "openaccess": Print(Style(open_access, (5.6, 4.6), (600, 1000), scale=1.0, points=11, arms=TWO), BOTH, files=("small", "small", "jpeg")),
    "pdfpage": Print(Style(pdf_page, (6.6, 6.8), (700, 1500), points=9.5, arms=TWO), BOTH, apart=0.025, files=("png", "small", "page", "page")),
    "transplant": Print(Style(transplant, (6.8, 4.6), (640, 1400), points=10, arms=TWO, unit=("years",)),
                        (("Living donor", "Deceased donor"), ("Living related", "Living unrelated", "Deceased"), ("PRA <50%", "PRA ≥50%")), follow=(1.0, 1.3)),
}  # fmt: skip
