"""How common statistics programs print Kaplan-Meier figures in their usual variations: one function draws one style."""

from __future__ import annotations

import textwrap

import numpy as np

from benchmarks.figure_print_parts import (
    CODES,
    MARKERS,
    MICE,
    TREATMENTS,
    Print,
    PrintSheet,
    colours,
    hazard,
    median,
    p_value,
    renamed,
    risk_left,
)
from benchmarks.figure_sheets import DASHED, DOTTED, LONG, MIXED, SANS, SOLID, Style
from benchmarks.figure_vendor_parts import black, inks_of, key, wrapped


def stair_key(sheet, ax, inks, *, title, censored=True, plain=False, **placed):
    """The legend of SPSS: a little stair for each arm, then a cross for its censored."""
    from matplotlib.legend_handler import HandlerLine2D
    from matplotlib.lines import Line2D

    class Stair(HandlerLine2D):
        def create_artists(self, legend, orig_handle, xdescent, ydescent, width, height, fontsize, trans):
            x = np.array([0.0, 0.5, 0.5, 1.0]) * width - xdescent
            y = np.array([0.95, 0.95, 0.05, 0.05]) * height - ydescent
            line = Line2D(x, y)
            self.update_prop(line, orig_handle, legend)
            line.set_transform(trans)
            return [line]

    stairs = [Line2D([], [], color=c, lw=1.1) for c, _ in inks]
    crosses = (
        [Line2D([], [], color=c, lw=1.1 if plain else 0, marker="+", ms=6, mew=0.9) for c, _ in inks]
        if censored
        else []
    )
    words = [a.name for a in sheet.arms] + [f"{a.name}-censored" for a in sheet.arms if censored]
    labels = [textwrap.fill(word, 17) for word in words]
    held = ax.legend(stairs + crosses, labels, loc="upper left", bbox_to_anchor=(1.01, 1.01), frameon=False, title=title,
                     handler_map={line: Stair() for line in stairs}, fontsize=0.85 * sheet.points, labelspacing=0.35, **placed)  # fmt: skip
    held.set_alignment("left")
    return held


def spss_fifteen(sheet: PrintSheet):
    """SPSS 15 to 22: a pale grey plot in a box, blue and green stairs of one pixel, crosses, two naughts after each time."""
    ax = sheet.axes(left=58, right=118, top=36, bottom=50)
    ax.set_facecolor(sheet.choice("#f0f0f0", "#f0f0f0", "#ffffff"))
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.04, 0.05, 0.04, 0.05))
    if sheet.chance(0.7):
        ax.set_xticks(sheet.ticks, [f"{t:.2f}".removeprefix("0") for t in sheet.ticks])
    sheet.frame(ax, sides="lbrt", width=0.42, length=4)
    inks = colours(sheet, ("#3e58ac", "#2eb848", "#d3ce97", "#7d287d"), ("#0000ff", "#009900", "#cccc99"))
    sheet.curves(ax, inks, width=0.8, mark="+" if sheet.chance(0.85) else "", size=5.5, stroke=0.75)
    bold = {"fontweight": "bold"}
    ax.set_title("Survival Functions", fontsize=1.35 * sheet.points, pad=9, **bold)
    ax.set_ylabel("Cum Survival", fontsize=1.1 * sheet.points, **bold)
    ax.set_xlabel(
        sheet.choice("OS_months", "follow up", "survival", "DFS (months)"), fontsize=1.1 * sheet.points, **bold
    )
    held = stair_key(sheet, ax, inks, title=sheet.choice("group", "lymph_node", "NLRgroup"), censored=sheet.marked)
    held.get_title().set_fontweight("bold")


def spss_carbon(sheet: PrintSheet):
    """SPSS 27 and later: white, no box, blue, red and teal stairs, grey words, pale lines across."""
    ax = sheet.axes(left=60, right=128, top=34, bottom=50)
    step = sheet.choice(0.2, 0.2, 0.25)
    sheet.scales(ax, step=step, form="{:.2f}" if step == 0.25 else "{:.1f}", pad=(0.04, 0.05, 0.04, 0.05))
    sheet.frame(ax, sides="lb", width=0.7, ink="#8d8d8d", length=0)
    if sheet.chance(0.6):
        ax.grid(True, axis="y", color="#e0e0e0", lw=0.7)
        ax.set_axisbelow(True)
    inks = colours(sheet, ("#1192e8", "#fa4d56", "#005d5d", "#9f1853"))
    sheet.curves(ax, inks, width=1.3, mark="+", size=6, stroke=1.0)
    ax.set_title("Survival Functions", fontsize=1.3 * sheet.points, pad=8, fontweight="bold")
    ax.set_ylabel("Cum Survival")
    ax.set_xlabel(sheet.choice("Time (months)", "Overall survival time, months", "PFS"))
    stair_key(sheet, ax, inks, title=sheet.choice("Arm", "Risk group", "Treatment group"), plain=True)


def prism_ten(sheet: PrintSheet):
    """GraphPad Prism 8 to 10: 'Probability of Survival', a dotted line at 50, upright ticks, names at the right, P and HR."""
    ax = sheet.axes(left=66, right=126, top=32, bottom=56)
    sheet.scales(ax, step=sheet.choice(0.5, 0.25, 0.2), form="{:.0f}", pad=(0, 0.02, 0, 0.04))
    sheet.frame(ax, width=1.4, length=6)
    for side in ("left", "bottom"):
        ax.spines[side].set_position(("outward", sheet.choice(0, 6)))
    ax.spines["left"].set_bounds(0, 100)
    if sheet.chance(0.5):
        ax.axhline(50, color="#000000", lw=0.9, ls=DOTTED)
    inks = colours(
        sheet,
        ("#0433ff", "#ff2600", "#000000", "#009051"),
        ("#000000", "#e41a1c", "#377eb8"),
        ("#5e3c99", "#e66101", "#808080"),
    )
    sheet.curves(ax, inks, width=1.9, mark="|" if sheet.chance(0.75) else "", size=6, stroke=1.3)
    ax.set_ylabel("Probability of Survival", fontsize=1.1 * sheet.points)
    ax.set_xlabel(
        sheet.choice(f"{sheet.unit.capitalize()}", f"Time ({sheet.unit})", f"{sheet.unit.capitalize()} elapsed"),
        fontsize=1.1 * sheet.points,
    )
    ax.set_title(
        sheet.choice("Overall survival", "PFS", "Survival proportions: Survival of all patients"),
        fontsize=1.15 * sheet.points,
    )
    key(
        sheet,
        ax,
        inks,
        labels=wrapped(sheet, 16),
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
        width=1.9,
        handlelength=1.4,
    )
    words = f"p{p_value(sheet, digits=4)}"
    if len(sheet.arms) == 2 and sheet.chance(0.6):
        words = f"{hazard(sheet, 'HR={:.2f} ({:.2f}-{:.2f})')}\n{words}"
    sheet.note(words)


def prism_mice(sheet: PrintSheet):
    """Prism in a laboratory's paper: few animals, stairs of heavy lines, stars at a bracket beside the legend, a panel letter."""
    n = len(sheet.arms)
    ax = sheet.axes(left=64, right=122, top=40, bottom=54)
    sheet.scales(ax, step=sheet.choice(0.2, 0.25, 0.5), form="{:.0f}", pad=(0, 0.03, 0, 0.05))
    sheet.frame(ax, width=1.6, length=6)
    inks = colours(
        sheet,
        ("#000000", "#ff0000", "#0000ff", "#00b050"),
        ("#7f7f7f", "#c00000", "#2f5597"),
        ("#000000", "#ed7d31", "#70ad47"),
    )
    sheet.curves(ax, inks, width=2.3)
    ax.set_ylabel(sheet.choice("Percent survival", "Survival (%)", "Tumor-free mice (%)"), fontweight="bold")
    ax.set_xlabel(sheet.choice("Days", "Days after inoculation", "Time (days)"), fontweight="bold")
    ax.set_title(sheet.choice("B16-F10", "4T1", "GL261", "U87"), fontweight="bold", fontsize=1.1 * sheet.points)
    labels = [f"{a.name} (n={len(a.time)})" for a in sheet.arms] if sheet.chance(0.6) else [a.name for a in sheet.arms]
    held = key(sheet, ax, inks, labels=labels, loc="upper left", bbox_to_anchor=(1.0, 0.98), frameon=False, width=2.3, handlelength=1.1,
               fontsize=0.85 * sheet.points, labelspacing=0.5)  # fmt: skip
    wide = 1.03 + sheet._shares(held)[0]
    low = 0.9 - 0.095 * (n - 1)
    ax.plot(
        [wide, wide + 0.02, wide + 0.02, wide],
        [0.93, 0.93, low, low],
        transform=ax.transAxes,
        color="black",
        lw=1,
        clip_on=False,
    )
    ax.text(
        wide + 0.035,
        (0.93 + low) / 2,
        sheet.choice("**", "***", "*", "ns"),
        transform=ax.transAxes,
        va="center",
        rotation=90,
    )
    ax.annotate(sheet.choice("C", "E", "G"), (0, 1), xycoords="axes fraction", xytext=(-50, 14), textcoords="offset points",
                fontweight="bold", fontsize=1.6 * sheet.points)  # fmt: skip


def r_colours(sheet: PrintSheet):
    """R's plot of survfit in colours: no box, level labels, a legend without frame, crosses, the test in a corner."""
    box = sheet.chance(0.4)
    ax = sheet.axes(left=62, right=20, top=38 if sheet.chance(0.5) else 24, bottom=58)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.04, 0.04, 0.04, 0.04))
    sheet.frame(ax, sides="lbrt" if box else "lb", width=0.42, length=5.5)
    if not box:
        ax.spines["left"].set_bounds(0, 1)
        ax.spines["bottom"].set_bounds(0, sheet.end)
    inks = colours(sheet, ("#ff0000", "#0000ff", "#00cd00", "#a020f0"), ("#00008b", "#ff8c00", "#8b0000", "#006400"),
                   ("#0000ff", "#ff0000", "#000000"), ("#df536b", "#2297e6", "#61d04f"))  # fmt: skip
    sheet.curves(ax, inks, width=sheet.choice(1.5, 0.8), mark=sheet.choice("+", "|", ""), size=5.5, stroke=0.8)
    ax.set_ylabel(
        sheet.choice("Overall survival", "Survival probability", "Proportion surviving", "Progression-free survival"),
        labelpad=9,
    )
    ax.set_xlabel(
        sheet.choice(f"Time ({sheet.unit})", sheet.unit.capitalize(), f"{sheet.unit.capitalize()} from diagnosis"),
        labelpad=9,
    )
    if sheet.chance(0.4):
        ax.set_title(
            sheet.choice("Kaplan-Meier curves", "OS by subgroup", "Training cohort"),
            fontweight="bold",
            fontsize=1.2 * sheet.points,
        )
    labels = [f"{a.name} (n={len(a.time)})" for a in sheet.arms] if sheet.chance(0.4) else None
    sheet.settle(key(sheet, ax, inks, labels=labels, frameon=False, handlelength=2.0, width=1.5))
    sheet.note(f"log-rank p{p_value(sheet, equal=' = ', least=' < 0.001')}")


def _ggplot_axis(sheet, ax, *, step, form, grid):
    sheet.scales(ax, step=step, form=form, pad=(0.05, 0.05, 0.05, 0.05))
    if grid:
        ax.grid(True, color="#ebebeb", lw=0.8)
        for t in sheet.ticks[:-1] + sheet.ticks[1] / 2:
            ax.axvline(t, color="#ebebeb", lw=0.4, zorder=0)
        for v in np.arange(step / 2, 1, step) * sheet.scale:
            ax.axhline(v, color="#ebebeb", lw=0.4, zorder=0)
        ax.set_axisbelow(True)


GG = (("#F8766D", "#00BFC4", "#7CAE00", "#C77CFF"), ("#BC3C29", "#0072B5", "#E18727", "#20854E"), ("#00468B", "#ED0000", "#42B540"),
      ("#0073C2", "#EFC000", "#868686"), ("#E64B35", "#4DBBD5", "#00A087"))  # fmt: skip


def survminer_grid(sheet: PrintSheet):
    """survminer with theme_bw: a grey frame and grid, legend inside, medians' dashed lines, a risk table that is a plot itself."""
    n = len(sheet.arms)
    row = 1.9 * sheet.points
    left = 34 + 0.55 * sheet.points * max(len(a.name) for a in sheet.arms)
    foot = 44 + row * n
    ax = sheet.axes(left=left, right=16, top=30, bottom=foot + 62)
    _ggplot_axis(sheet, ax, step=0.25, form="{:.2f}" if sheet.chance(0.6) else lambda v: f"{100 * v:.0f}%", grid=True)
    sheet.frame(ax, sides="lbrt", width=0.8, ink="#333333", length=3)
    inks = colours(sheet, *GG)
    sheet.curves(
        ax,
        inks,
        width=1.7,
        mark="+" if sheet.chance(0.6) else "|",
        size=5,
        stroke=1.0,
        band=sheet.choice(0.0, 0.0, 0.2),
    )
    middles = [median(a) for a in sheet.arms]
    if sheet.chance(0.4) and all(middles):
        ax.plot([0, max(middles)], [0.5, 0.5], color="black", lw=0.8, ls=DASHED)
        for m in middles:
            ax.plot([m, m], [0, 0.5], color="black", lw=0.8, ls=DASHED)
    ax.set_ylabel("Survival probability", fontsize=1.1 * sheet.points)
    word = f"Time in {sheet.unit}" if sheet.chance(0.7) else "Time"
    ax.set_xlabel(word, fontsize=1.1 * sheet.points)
    held = key(
        sheet, ax, inks, title=sheet.choice("Strata", "Group", "Risk"), frameon=False, handlelength=1.4, width=1.7
    )
    held.set_alignment("left")
    sheet.settle(held, pad=0.03)
    sheet.note(f"p{p_value(sheet, least=' < 0.0001', equal=' = ')}", fontsize=1.1 * sheet.points)
    wide, tall = (72 * side for side in sheet.page.get_size_inches())
    low = sheet.page.add_axes((left / wide, 40 / tall, (wide - left - 16) / wide, (row * n) / tall))
    low.set_xlim(ax.get_xlim())
    low.set_ylim(n - 0.4, -0.6)
    times, rows = sheet.counts()
    low.set_xticks(times, [f"{t:g}" for t in times])
    low.set_yticks(range(n), [a.name for a in sheet.arms])
    for label, (ink, _) in zip(low.get_yticklabels(), inks, strict=True):
        label.set_color(ink)
    sheet.frame(low, sides="lbrt", width=0.8, ink="#333333", length=3)
    low.set_title("Number at risk", loc="left", fontsize=1.1 * sheet.points, pad=4)
    low.set_xlabel(word, fontsize=1.1 * sheet.points)
    for k, (found, _, _) in enumerate(rows):
        for t, count in zip(times, found, strict=True):
            low.text(t, k, str(count), ha="center", va="center")
    sheet.keep_table(times, rows)


def survminer_alone(sheet: PrintSheet):
    """survminer with its classic theme and no table: heavy axes' words, a legend above or at the right, P in the lower left."""
    side = sheet.chance(0.5)
    ax = sheet.axes(left=66, right=110 if side else 18, top=20 if side else 44, bottom=54)
    _ggplot_axis(sheet, ax, step=0.25, form="{:.2f}", grid=False)
    sheet.frame(ax, width=0.9, length=4)
    inks = colours(sheet, ("#E7B800", "#2E9FDF", "#FC4E07"), *GG)
    sheet.curves(
        ax, inks, width=2.0, mark="+" if sheet.chance(0.8) else "", size=7, stroke=1.3, band=sheet.choice(0.0, 0.25)
    )
    ax.set_ylabel("Survival probability", fontsize=1.25 * sheet.points)
    ax.set_xlabel(f"Time ({sheet.unit})" if sheet.chance(0.5) else "Time", fontsize=1.25 * sheet.points)
    word = sheet.choice("risk", "group", "cluster")
    names = [f"{word}={a.name}" for a in sheet.arms]
    if max(map(len, names)) < 15:
        renamed(sheet, lambda a: f"{word}={a.name}")
    if side:
        held = key(sheet, ax, inks, labels=wrapped(sheet, 15), loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, title="Strata", width=2,
                   handlelength=1.2)  # fmt: skip
        held.set_alignment("left")
    else:
        key(sheet, ax, inks, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=len(sheet.arms), frameon=False, width=2, handlelength=1.2,
            columnspacing=0.8, fontsize=(0.9 if max(len(a.name) for a in sheet.arms) < 14 else 0.75) * sheet.points)  # fmt: skip
    sheet.note(
        f"p{p_value(sheet, least=' < 0.0001', equal=' = ')}",
        fontsize=1.25 * sheet.points,
        pad=0.04 if sheet.chance(0.5) else 0.03,
    )


def jskm(sheet: PrintSheet):
    """jskm of Korean groups: thin frame, percent signs or shares, a legend in the upper right, the test, a table in small type."""
    n = len(sheet.arms)
    left = risk_left(sheet, 84, 0.95)
    row = 1.6 * sheet.points
    ax = sheet.axes(left=left, right=20, top=30, bottom=62 + row * (n + 1))
    percent = sheet.chance(0.5)
    sheet.scales(
        ax, step=0.25, form=(lambda v: f"{100 * v:.0f}%") if percent else "{:.2f}", pad=(0.03, 0.04, 0.0, 0.03)
    )
    sheet.frame(ax, sides="lb" if sheet.chance(0.5) else "lbrt", width=0.8, length=4)
    inks = colours(sheet, ("#E41A1C", "#377EB8", "#4DAF4A")) if sheet.chance(0.6) else black(sheet)
    sheet.curves(ax, inks, width=1.3, mark=sheet.choice("", "+"), size=5)
    ax.set_title(
        sheet.choice("Kaplan-Meier plot", "Death", "Recurrence-free survival"), fontsize=1.2 * sheet.points, loc="left"
    )
    ax.set_ylabel("Survival probability" if not percent else "Survival (%)")
    sheet.under(ax, sheet.end / 2, sheet.choice(f"Time ({sheet.unit})", f"{sheet.unit.capitalize()}"), 32)
    sheet.settle(key(sheet, ax, inks, frameon=False, handlelength=2.4))
    sheet.note(
        f"p {p_value(sheet, least='< 0.001', equal='= ')}"
        + (f"\n{hazard(sheet)}" if n == 2 and sheet.chance(0.4) else "")
    )
    sheet.at_risk(
        ax, down=50, heading="Numbers at risk", left=left - 6, row=row, weight="normal", inks=[c for c, _ in inks]
    )


def stata_mono(sheet: PrintSheet):
    """Stata's s1mono: a white page in a box, black and grey strokes, a boxed legend below, 'Number at risk' between."""
    n = len(sheet.arms)
    left = risk_left(sheet, 74, 0.9)
    row = 1.45 * sheet.points
    ax = sheet.axes(left=left, right=20, top=36, bottom=102 + row * (n + 1))
    sheet.scales(ax, step=0.25, form="{:.2f}", pad=(0.0, 0.02, 0.0, 0.02))
    sheet.frame(ax, sides="lbrt" if sheet.chance(0.7) else "lb", width=0.8, length=4)
    level = sheet.chance(0.5)
    for label in () if level else ax.get_yticklabels():
        label.set(rotation=90, va="center")
    ends = [("#000000", SOLID), ("#000000", DASHED), ("#000000", DOTTED), ("#000000", MIXED)]
    greys = [("#000000", SOLID), ("#808080", SOLID), ("#000000", DASHED), ("#a0a0a0", LONG)]
    inks = sheet.choice(ends, greys)[:n]
    sheet.curves(ax, inks, width=1.3)
    ax.set_title(
        sheet.choice("Kaplan–Meier survival estimates", "Kaplan-Meier survival estimates, by arm"),
        fontsize=1.3 * sheet.points,
        pad=8,
    )
    sheet.under(ax, sheet.end / 2, "analysis time" if sheet.chance(0.5) else f"Time ({sheet.unit})", 30)
    sheet.at_risk(ax, down=48, heading="Number at risk", left=left - 6, row=row, weight="normal", size=0.95)
    key(sheet, ax, inks, loc="lower center", bbox_to_anchor=(0.55, 0.015), bbox_transform=sheet.page.transFigure, ncol=min(n, 2), edgecolor="black",
        handlelength=3.2, width=1.3, columnspacing=1.2)  # fmt: skip
    if sheet.chance(0.4):
        sheet.note(f"Log-rank P {p_value(sheet, least='< 0.001', equal='= ')}")


def sas_outside(sheet: PrintSheet):
    """SAS 9.4 in HTMLBlue: bands, titles, a small table under the axis, the legend in a ruled box, censored plus in its corner."""
    n = len(sheet.arms)
    left = risk_left(sheet, 70, 0.85)
    row = 1.35 * sheet.points
    ax = sheet.axes(left=left, right=16, top=42, bottom=92 + row * n)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.03, 0.03, 0.03, 0.04))
    sheet.frame(ax, sides="lbrt", width=0.7, ink="#989ea1", length=4)
    for side in ("left", "bottom", "right", "top"):
        ax.spines[side].set_color("#989ea1")
    inks = inks_of(
        sheet,
        ("#445694", "#a23a2e", "#01665e", "#543005"),
        (SOLID, SOLID, SOLID, SOLID) if sheet.chance(0.5) else (SOLID, DASHED, LONG, MIXED),
    )
    band = 0.2 if n < 3 and sheet.chance(0.6) else 0.0
    sheet.curves(ax, inks, width=1.4, mark="+", size=5, band=band)
    middle = 0.5 * (1 + left / (72 * sheet.style.inches[0]))
    tall = 72 * sheet.style.inches[1]
    lines = "With Number of Subjects at Risk" + (" and 95% Confidence Limits" if band else "")
    sheet.page.text(
        middle,
        1 - 14 / tall,
        "Product-Limit Survival Estimates",
        ha="center",
        va="center",
        fontweight="bold",
        fontsize=1.15 * sheet.points,
    )
    sheet.page.text(middle, 1 - 29 / tall, lines, ha="center", va="center", fontsize=0.95 * sheet.points)
    ax.set_ylabel("Survival Probability")
    depth = sheet.at_risk(ax, down=26, heading="", left=left - 6, row=row, size=0.85, inks=[c for c, _ in inks])
    sheet.under(ax, sheet.end / 2, sheet.choice(f"Time ({sheet.unit})", "Overall Survival Time", "AVAL"), depth + 10)
    key(sheet, ax, inks, loc="lower center", bbox_to_anchor=(0.55, 0.012), bbox_transform=sheet.page.transFigure, ncol=n, edgecolor="#989ea1",
        fontsize=0.82 * sheet.points, title=sheet.choice("Planned Treatment", "group", "TRT01P") if sheet.chance(0.4) else None)  # fmt: skip
    mark = sheet.note(
        f"+ Censored\nLogrank p{p_value(sheet, least=' <.0001')}",
        prefer=("upper right", "lower left"),
        fontsize=0.85 * sheet.points,
    )
    mark.set_bbox({"facecolor": "white", "edgecolor": "#989ea1", "linewidth": 0.7, "pad": 2})


def x_tile(sheet: PrintSheet):
    """X-tile: a crude chart without smoothing, blue, grey and magenta stairs, small upright marks, percents, few words."""
    ax = sheet.axes(left=48, right=22, top=22, bottom=44)
    sheet.scales(ax, step=sheet.choice(0.1, 0.2), form="{:.0f}", pad=(0.0, 0.02, 0.0, 0.03))
    sheet.frame(ax, sides="lbrt" if sheet.chance(0.4) else "lb", width=0.42, length=4)
    inks = inks_of(sheet, ("#0000ff", "#808080", "#ff00ff") if len(sheet.arms) == 3 else ("#0000ff", "#808080"))
    sheet.curves(ax, inks, width=0.85, mark="|", size=5, stroke=0.75)
    ax.set_ylabel(sheet.choice("% Survival", "Cumulative survival (%)", "Survival"))
    ax.set_xlabel(sheet.choice("Time (months)", "Survival Time (mo)", "Months"))
    if sheet.chance(0.7):
        sheet.settle(
            key(
                sheet,
                ax,
                inks,
                labels=[f"{a.name} (n={len(a.time)})" for a in sheet.arms],
                frameon=False,
                width=0.85,
                handlelength=1.5,
            )
        )
    else:
        sheet.settle(key(sheet, ax, inks, frameon=True, edgecolor="black", width=0.85))
    sheet.note(f"P{p_value(sheet)}")


def protein_atlas(sheet: PrintSheet):
    """A protein atlas of tumours: thick pink and slate lines on pale lines across, years, n in the legend, crosses, P score."""
    ax = sheet.axes(left=56, right=22, top=34, bottom=48)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.0, 0.02, 0.0, 0.02))
    sheet.frame(ax, sides="lb", width=0.8, ink="#8c8c8c", length=4)
    ax.grid(True, axis="y", color="#e6e6e6", lw=0.8)
    ax.set_axisbelow(True)
    inks = colours(sheet, ("#6d4bcb", "#de6c7d"), ("#db7ec8", "#5d5ddb"), ("#e57373", "#37474f"))
    sheet.curves(ax, inks, width=1.8, mark="+", size=6, stroke=1.1)
    ax.set_ylabel("Survival probability")
    ax.set_xlabel(f"Time ({sheet.unit})")
    ax.set_title(
        sheet.choice("KIF23 - Liver cancer", "CDK1 - Renal cancer", "MUC1 - Pancreatic cancer"),
        fontsize=1.2 * sheet.points,
        fontweight="bold",
    )
    labels = [f"{a.name} (n={len(a.time)})" for a in sheet.arms]
    sheet.settle(key(sheet, ax, inks, labels=labels, frameon=False, width=1.8))
    sheet.note(f"P score: {p_value(sheet, least='<0.001', equal='', digits=4)}", color="#404040")


def notebook(sheet: PrintSheet):
    """A notebook's plot: steps with a white grid on lavender or none at all, 'timeline', a rounded legend, bands, no marks."""
    lavender = sheet.chance(0.4)
    ax = sheet.axes(left=56, right=20, top=34, bottom=46)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.05, 0.05, 0.05, 0.05))
    if lavender:
        ax.set_facecolor("#eaeaf2")
        ax.grid(True, color="white", lw=1.0)
        ax.set_axisbelow(True)
        sheet.frame(ax, sides="", length=0)
    else:
        sheet.frame(ax, sides="lbrt", width=0.8, length=3.5)
    inks = colours(sheet, ("#4c72b0", "#dd8452", "#55a868") if lavender else ("#1f77b4", "#ff7f0e", "#2ca02c"))
    sheet.curves(
        ax,
        inks,
        width=1.5,
        band=0.25 if len(sheet.arms) < 3 else 0.0,
        mark=sheet.choice("", "", "+"),
        size=6,
        stroke=1.5,
    )
    ax.set_title(
        sheet.choice("Kaplan-Meier estimate", "Survival of high and low risk", "Lifespans by group"),
        fontsize=1.2 * sheet.points,
    )
    ax.set_xlabel(sheet.choice("timeline", f"Time ({sheet.unit})"))
    if sheet.chance(0.6):
        ax.set_ylabel(sheet.choice("Survival probability", "S(t)", "est. probability of survival $\\hat{S}(t)$"))
    sheet.settle(key(sheet, ax, inks, fancybox=True, edgecolor="#cccccc", framealpha=0.8, width=1.5), pad=0.03)
    if sheet.chance(0.4):
        sheet.note(f"p{p_value(sheet, equal='=')}", pad=0.04)


BOTH = (*MARKERS, *TREATMENTS)
OLD = ("palette", "png", "small", "jpeg")
TWO = (2, 2, 2, 3)
PROGRAMS = {
    "jskm": Print(Style(jskm, (6.4, 5.6), (700, 1600), scale=1.0, points=10), BOTH, apart=0.025),
    "notebook": Print(Style(notebook, (6.4, 4.6), (600, 1100), font="DejaVu Sans", scale=1.0, arms=TWO, points=9.5), BOTH),
    "prismmice": Print(Style(prism_mice, (5.2, 3.6), (600, 1300), arms=(2, 3), points=11, unit=("days",)), MICE, few=True,
                       spans=((60, 20), (100, 20), (40, 10), (80, 20))),
    "prismten": Print(Style(prism_ten, (5.8, 3.8), (600, 1500), arms=TWO, points=11), BOTH),
    "proteinatlas": Print(Style(protein_atlas, (5.6, 4.4), (600, 1000), font="Roboto", scale=1.0, arms=(2,), unit=("years",), points=10),
                          (("Low expression", "High expression"), ("Low", "High"))),
    "rcolours": Print(Style(r_colours, (5.6, 5.0), (600, 1100), scale=1.0, points=10.5), BOTH, files=OLD, crisp=True),
    "sasoutside": Print(Style(sas_outside, (6.6, 5.0), (640, 1300), scale=1.0, points=9.5, arms=TWO), TREATMENTS),
    "spsscarbon": Print(Style(spss_carbon, (6.4, 4.4), (640, 1200), scale=1.0, points=9.5, arms=TWO, unit=("months",)), BOTH),
    "spssfifteen": Print(Style(spss_fifteen, (6.4, 4.9), (620, 780), font=SANS, scale=1.0, points=9.5, arms=TWO, unit=("months",)),
                         (*CODES, *MARKERS), files=OLD, crisp=True),
    "statamono": Print(Style(stata_mono, (6.0, 5.0), (600, 1500), scale=1.0, points=10), BOTH, apart=0.025),
    "survmineralone": Print(Style(survminer_alone, (6.0, 5.0), (600, 1800), scale=1.0, points=11, arms=TWO), MARKERS),
    "survminergrid": Print(Style(survminer_grid, (6.4, 6.0), (700, 2000), scale=1.0, points=10), MARKERS),
    "xtile": Print(Style(x_tile, (5.0, 4.2), (600, 760), points=9, unit=("months",), arms=(2, 2, 3)), (*CODES, *MARKERS), files=OLD, crisp=True),
}  # fmt: skip
