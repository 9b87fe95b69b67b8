"""How further statistics programs and web portals print Kaplan-Meier figures: one function draws one style on a `Sheet`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.figure_sheets import DASHED, MIXED, MONO, NARROW, SANS, SERIF, SOLID, Sheet, Style
from benchmarks.figure_vendor_parts import (
    CODES,
    LEVELS,
    P_VALUES,
    Model,
    black,
    box,
    inks_of,
    key,
    limits,
    name_times,
    open_corner,
    room,
    symbols,
    thousands,
    wrapped,
)

BASIC = ("#0000ff", "#ff0000", "#008000", "#800080")


def sas_listing(sheet: Sheet):
    """PROC LIFETEST before ODS: typewriter type, a box, STRATA with lines and circles for the censored below."""
    ax = sheet.axes(left=66, right=18, top=18, bottom=78)
    sheet.scales(ax, step=0.25, form="{:.2f}", pad=(0.0, 0.0, 0.0, 0.0))
    sheet.frame(ax, sides="lbrt" if sheet.chance(0.7) else "lb", width=0.9, length=5)
    for value in np.arange(0.05, 1.0, 0.05) if sheet.chance(0.4) else ():
        ax.plot([-0.008, 0], [value] * 2, transform=ax.get_yaxis_transform(), color="black", lw=0.6, clip_on=False)
    inks = inks_of(sheet, ("#000000", "#ff0000", "#0000ff", "#008000")) if sheet.chance(0.6) else black(sheet)
    sheet.curves(ax, inks, width=1.0)
    symbols(sheet, ax, inks, "oooo", size=4, hollow=True, of="censored", most=60)
    ax.set_ylabel("Survival Distribution Function")
    word = sheet.choice("time", "SURVTIME", "T", "Time to Death")
    ax.set_xlabel(word)
    strata = sheet.choice("trt", "GROUP", "stage", "sex")
    sheet.arms = [replace(a, name=f"{strata}={a.name}") for a in sheet.arms]
    from matplotlib.lines import Line2D

    lines, labels = [], []
    for (ink, dash), arm in zip(inks, sheet.arms, strict=True):
        lines += [
            Line2D([], [], color=ink, ls=dash, lw=1),
            Line2D([], [], color=ink, ls="", marker="o", mfc="white", ms=4),
        ]
        labels += [arm.name, f"Censored {arm.name}"]
    n = len(sheet.arms)
    order = [2 * k for k in range(n)] + [2 * k + 1 for k in range(n)]
    ax.legend([lines[k] for k in order], [labels[k] for k in order], title="STRATA:", ncol=2, frameon=False, loc="lower center",
              bbox_to_anchor=(0.5, 0.0), bbox_transform=sheet.page.transFigure, fontsize=0.8 * sheet.points, labelspacing=0.15,
              borderaxespad=0.2)  # fmt: skip


def sas_journal(sheet: Sheet):
    """SAS with the style JOURNAL: greys and hatched bands, the strata's names in a ruled legend, counts in a framed strip."""
    n = len(sheet.arms)
    row = 1.3 * sheet.points
    left = room(sheet, 76, 0.75)
    ax = sheet.axes(left=left, right=14, top=34, bottom=84 + row * n)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.03, 0.03, 0.03, 0.04))
    sheet.frame(ax, sides="lbrt", width=0.7, length=3)
    inks = black(sheet)
    sheet.curves(ax, inks, width=1.0, mark="+", size=4.5)
    if n == 2:
        limits(sheet, ax, inks, kind="hatched")
    ax.set_title("Product-Limit Survival Estimates", fontweight="bold", fontsize=1.1 * sheet.points, y=1.07)
    ax.text(0.5, 1.02, sheet.choice("With Number of Subjects at Risk and 95% Confidence Limits", "With Number of Subjects at Risk"),
            transform=ax.transAxes, ha="center", fontsize=0.9 * sheet.points)  # fmt: skip
    ax.set_ylabel("Survival Probability")
    foot = sheet.at_risk(ax, down=26 + row / 2, heading="", left=left - 6, row=row, size=0.85)
    wide, tall = (72 * side for side in sheet.page.get_size_inches())
    strip = sheet.page.add_axes(
        (left / wide, (84 + row * n - foot + row / 2) / tall, (wide - left - 14) / wide, row * n / tall)
    )
    strip.patch.set_visible(False)
    strip.set(xticks=[], yticks=[])
    sheet.frame(strip, sides="lbrt", width=0.6)
    sheet.under(ax, sheet.end / 2, sheet.choice("Survival Time in Days", "Months on Study", "AVAL"), foot + 14)
    names = [f"{k + 1}: {a.name}" for k, a in enumerate(sheet.arms)] if sheet.chance(0.3) else None
    key(sheet, ax, inks, labels=names, loc="lower center", ncol=min(n, 3), bbox_to_anchor=(0.5, 0.01), edgecolor="black",
        bbox_transform=sheet.page.transFigure, fontsize=0.8 * sheet.points, handlelength=3)  # fmt: skip
    box(sheet, ax, (0.985, 0.97), f"+ Censored\nLogrank {sheet.choice('p=0.0412', 'p <.0001', 'p=0.3391')}", ha="right",
        fontsize=0.8 * sheet.points)  # fmt: skip


def ncss(sheet: Sheet):
    """NCSS: a heavy title, S(t) plotted, a box with dotted grid, the legend to the right under its heading."""
    ax = sheet.axes(left=58, right=112, top=34, bottom=46)
    sheet.scales(ax, step=0.2, form="{:.3f}" if sheet.chance(0.4) else "{:.1f}", pad=(0.0, 0.0, 0.0, 0.0))
    sheet.frame(ax, sides="lbrt", width=1.2, length=5)
    if sheet.chance(0.6):
        ax.grid(True, color="#b0b0b0", lw=0.6, ls=":")
        ax.set_axisbelow(True)
    inks = inks_of(
        sheet, sheet.choice(("#ff0000", "#0000ff", "#008000", "#ff00ff"), ("#1f3fbf", "#bf1f1f", "#1fbf1f", "#8f8f00"))
    )
    sheet.curves(ax, inks, width=1.2, mark=sheet.choice("|", "", "|"), size=6)
    if len(sheet.arms) == 2 and sheet.chance(0.3):
        limits(sheet, ax, inks, kind="dashed", width=0.6)
    ax.set_title(
        sheet.choice("Kaplan-Meier Survival Plot", "Survival S(t)"),
        fontweight="bold",
        fontsize=1.4 * sheet.points,
        pad=9,
    )
    ax.set_ylabel(sheet.choice("S(t)", "Cumulative Survival, S(T)"))
    ax.set_xlabel(sheet.choice("Time", "Survival_Time", f"{sheet.unit.capitalize()}"))
    held = key(sheet, ax, inks, labels=wrapped(sheet, 16), loc="upper left", bbox_to_anchor=(1.02, 1.02), frameon=False,
               title=sheet.choice("Group", "Treatment", "Groups"), handlelength=1.5)  # fmt: skip
    held.set_alignment("left")


def xlstat(sheet: Sheet):
    """XLSTAT: a chart with 'Survival distribution function', cumulative proportions, dashed limits, the legend below."""
    ax = sheet.axes(left=50, right=16, top=36, bottom=64)
    sheet.scales(ax, step=sheet.choice(0.1, 0.2), form="{:g}", pad=(0.0, 0.03, 0.0, 0.0))
    sheet.frame(ax, width=0.7, ink="#868686", length=3)
    inks = inks_of(
        sheet, sheet.choice(("#0070c0", "#c00000", "#00b050", "#7030a0"), ("#006fff", "#f57c00", "#43a047", "#8e24aa"))
    )
    dots = sheet.chance(0.5)
    sheet.curves(ax, inks, width=1.4)
    if dots:
        symbols(sheet, ax, inks, "oooo", size=3.2, hollow=True, of="censored")
    if len(sheet.arms) == 2 and sheet.chance(0.5):
        limits(sheet, ax, inks, kind="dashed", width=0.7)
    ax.set_title("Survival distribution function", fontweight="bold", fontsize=1.2 * sheet.points, pad=10)
    ax.set_ylabel("Cumulative survival" if sheet.chance(0.5) else "Survival distribution function", fontweight="bold")
    ax.set_xlabel("Time" if sheet.chance(0.4) else f"Time ({sheet.unit})", fontweight="bold")
    key(sheet, ax, inks, loc="lower center", ncol=len(sheet.arms) if max(len(a.name) for a in sheet.arms) < 16 else 1, frameon=False,
        bbox_to_anchor=(0.5, 0.0), bbox_transform=sheet.page.transFigure, borderaxespad=0.2, labelspacing=0.1)  # fmt: skip


def minitab(sheet: Sheet):
    """Minitab: a beige page, titles above, percents, and to the right a legend and a table of statistics."""
    ax = sheet.axes(left=50, right=136, top=58, bottom=44)
    ax.set_facecolor("white")
    sheet.scales(ax, step=0.2, form="{:.0f}", pad=(0.03, 0.04, 0.04, 0.04))
    sheet.frame(ax, sides="lbrt", width=0.7, length=4, ink="#808080")
    if sheet.chance(0.4):
        ax.grid(True, color="#d9d9d9", lw=0.6)
        ax.set_axisbelow(True)
    inks = inks_of(
        sheet,
        ("#004d80", "#981b1e", "#3f6b3f", "#7a4f9e"),
        (SOLID, DASHED, MIXED, SOLID) if sheet.chance(0.5) else (SOLID,) * 4,
    )
    sheet.curves(ax, inks, width=1.3)
    word = sheet.choice("Time", "Months", "Survival", "Days")
    page = sheet.page
    tall = 72 * page.get_size_inches()[1]
    for text, down, big in ((f"Survival Plot for {word}", 16, 1.4), ("Kaplan-Meier Method", 32, 1.0),
                            (f"Censoring Column in {sheet.choice('Cens', 'Status', 'C3')}", 45, 0.9)):  # fmt: skip
        page.text(
            0.4,
            1 - down / tall,
            text,
            ha="center",
            fontsize=big * sheet.points,
            fontweight="bold" if big > 1.2 else "normal",
        )
    ax.set_ylabel("Percent")
    ax.set_xlabel(word)
    held = key(sheet, ax, inks, labels=wrapped(sheet, 16), loc="upper left", bbox_to_anchor=(1.02, 1.02), edgecolor="#808080",
               title=sheet.choice("Group", "Treatment"), fontsize=0.8 * sheet.points)  # fmt: skip
    held.set_alignment("left")
    lines = ["Table of Statistics", " Mean   Median      IQR"]
    for arm in sheet.arms:
        below = arm.steps[arm.steps[:, 1] <= 0.5, 0]
        lines.append(
            f"{arm.time.mean():7.4g}  {f'{below[0]:.4g}' if len(below) else '*':>6}  {sheet.rng.uniform(0.2, 0.6) * sheet.end:7.4g}"
        )
    box(sheet, ax, (1.03, 0.36), "\n".join(lines), fontsize=0.68 * sheet.points, family="DejaVu Sans Mono")


def matsurv(sheet: Sheet):
    """MatSurv for MATLAB: half a box, ticks inside, coloured names and counts under a line of their own, HR in the plot."""
    n = len(sheet.arms)
    row = 1.5 * sheet.points
    left = room(sheet, 112)
    ax = sheet.axes(left=left, right=18, top=16, bottom=52 + row * (n + 1.4))
    sheet.scales(ax, step=0.2, form="{:g}", pad=(0.0, 0.0, 0.0, 0.05))
    sheet.frame(ax, width=1.0, ticks="in", length=5)
    inks = inks_of(
        sheet, sheet.choice(("#0072bd", "#d95319", "#edb120", "#7e2f8e"), ("#d95319", "#0072bd", "#77ac30", "#4dbeee"))
    )
    sheet.curves(ax, inks, width=2.0, mark="|" if sheet.chance(0.7) else "", size=7, stroke=1.6)
    ax.set_ylabel("Survival Probability")
    ax.set_xlabel(f"Time ({sheet.unit.capitalize()})")
    key(sheet, ax, inks, loc="upper right", frameon=False, width=2.0)
    ax.text(0.03, 0.06, f"p = {sheet.choice('0.0031', '1.24e-05', '0.227')}" + ("\nHR = 1.62 (1.14 - 2.30)" if n == 2 else ""),
            transform=ax.transAxes, fontsize=0.95 * sheet.points)  # fmt: skip
    sheet.at_risk(ax, down=44, heading="Number at risk", left=left - 6, row=row, weight="bold" if sheet.chance(0.5) else "normal",
                  inks=[c for c, _ in inks], size=0.92)  # fmt: skip


def stats_direct(sheet: Sheet):
    """StatsDirect: a plain plot, 'Survivor', small diamonds and squares where people were lost, the legend above."""
    ax = sheet.axes(left=56, right=18, top=52, bottom=46)
    sheet.scales(ax, step=0.25, form="{:.2f}", pad=(0.0, 0.04, 0.0, 0.0))
    sheet.frame(ax, width=0.8, length=4)
    inks = (
        inks_of(sheet, ("#000080", "#c00000", "#006400", "#8b4513"), (SOLID, DASHED, SOLID, DASHED))
        if sheet.chance(0.6)
        else black(sheet)
    )
    sheet.curves(ax, inks, width=1.0)
    symbols(sheet, ax, inks, ("D", "s", "^", "v"), size=3.0, hollow=sheet.chance(0.5), of="censored", most=40)
    sheet.page.text(0.5, 0.95, "Survival Plot (PL estimates)", ha="center", va="center", fontsize=1.2 * sheet.points)
    ax.set_ylabel("Survivor")
    ax.set_xlabel("Times" if sheet.chance(0.6) else f"Times ({sheet.unit})")
    key(sheet, ax, inks, marks=("D", "s", "^", "v"), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=4 if
        max(len(a.name) for a in sheet.arms) < 16 else 2, frameon=False, markersize=3, columnspacing=1.0)  # fmt: skip


def sigma_plot(sheet: Sheet):
    """SigmaPlot's survival report: symbols along the steps, ticks outside all round, a key with lines and symbols."""
    from matplotlib.ticker import AutoMinorLocator

    ax = sheet.axes(left=62, right=18, top=36, bottom=52)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.0, 0.05, 0.05, 0.05))
    sheet.frame(ax, sides="lbrt", width=1.0, length=5)
    if sheet.chance(0.5):
        ax.tick_params(top=True, right=True)
    ax.yaxis.set_minor_locator(AutoMinorLocator(2))
    ax.tick_params(which="minor", length=3)
    inks = inks_of(sheet, ("#000000", "#ff0000", "#00a000", "#0000ff")) if sheet.chance(0.6) else black(sheet)
    sheet.curves(ax, inks, width=1.2)
    shapes = ("o", "v", "s", "^")
    symbols(sheet, ax, inks, shapes, size=3.5, of="censored", most=50)
    if len(sheet.arms) == 2 and sheet.chance(0.4):
        limits(sheet, ax, inks, kind="dotted", width=0.9)
    ax.set_title("Survival Analysis", fontsize=1.3 * sheet.points, pad=8)
    ax.set_ylabel("Survival")
    ax.set_xlabel("Survival Time")
    corner = open_corner(sheet)
    key(sheet, ax, inks, marks=shapes, loc=corner, frameon=sheet.chance(0.5), edgecolor="black", markersize=3.5)


def prism_three(sheet: Sheet):
    """GraphPad Prism 3 and 4: symbols at each drop, percent to 110, thick separate axes, a key beside with the symbols."""
    ax = sheet.axes(left=70, right=136, top=20, bottom=58)
    top = sheet.chance(0.6)
    sheet.scales(ax, step=0.1 if top else 0.25, form="{:.0f}", pad=(0.0, 0.03, 0, 0), top=1.1 if top else 1.0)
    if not top:
        ax.set_ylim(0, 104)
    sheet.frame(ax, width=1.6, length=6)
    gap = sheet.choice(0, 5, 8)
    for side in ("left", "bottom"):
        ax.spines[side].set_position(("outward", gap))
    inks = (
        inks_of(sheet, ("#000000",) * 4, (SOLID, SOLID, DASHED, DASHED))
        if sheet.chance(0.35)
        else inks_of(sheet, ("#000000", "#ff0000", "#0000ff", "#008000"))
    )
    sheet.curves(ax, inks, width=1.5)
    shapes = ("s", "^", "v", "D")
    symbols(sheet, ax, inks, shapes, size=4.5, most=35)
    if sheet.chance(0.5):
        symbols(sheet, ax, inks, ("|",) * 4, size=7, of="censored")
    ax.set_ylabel("Percent survival", fontweight="bold")
    ax.set_xlabel(
        sheet.choice("Days", f"Time ({sheet.unit})", f"{sheet.unit.capitalize()} post-treatment"), fontweight="bold"
    )
    key(sheet, ax, inks, labels=wrapped(sheet, 18), marks=shapes, loc="center left", bbox_to_anchor=(1.03, 0.72), frameon=False,
        width=1.5, fontsize=0.85 * sheet.points)  # fmt: skip


def jamovi(sheet: Sheet):
    """jamovi's survival module: grey axes, names as variable=level in a row above, a second small plot of counts below."""
    n = len(sheet.arms)
    word = sheet.choice("sex", "LVI", "stage", "trt")
    sheet.arms = [replace(a, name=f"{word}={a.name}") for a in sheet.arms]
    row = 1.7 * sheet.points
    left = 34 + 0.56 * sheet.points * max(len(a.name) for a in sheet.arms)
    ax = sheet.axes(left=left, right=22, top=52, bottom=94 + row * n)
    percent = sheet.chance(0.5)
    form = (lambda v: f"{100 * v:.0f}%") if percent else "{:.2f}"
    sheet.scales(ax, step=0.25, form=form, pad=(0.04, 0.04, 0.04, 0.04))
    sheet.frame(ax, width=0.8, ink="#333333")
    inks = inks_of(
        sheet, sheet.choice(("#6b9de8", "#e6ac40", "#9e9e9e", "#91c0a0"), ("#3e6da9", "#e8a33d", "#7ab55c", "#b85450"))
    )
    sheet.curves(ax, inks, width=1.6, mark=sheet.choice("+", ""), size=5, band=sheet.choice(0.0, 0.2))
    ax.set_title(sheet.choice("Survival Curves", "Overall Survival"), fontsize=1.25 * sheet.points, loc="left", pad=26)
    names = [a.name for a in sheet.arms]
    key(sheet, ax, inks, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=4 if max(map(len, names)) < 18 else 2,
        frameon=False, handlelength=1.2, columnspacing=1.0, fontsize=0.8 * sheet.points)  # fmt: skip
    ax.set_ylabel("Survival probability")
    ax.set_xlabel(f"Time in {sheet.unit}")
    wide, tall = (72 * side for side in sheet.page.get_size_inches())
    low = sheet.page.add_axes((left / wide, 36 / tall, (wide - left - 22) / wide, row * n / tall))
    low.set_xlim(ax.get_xlim())
    low.set_ylim(n - 0.5, -0.5)
    times, rows = sheet.counts()
    low.set_xticks(times, [f"{t:g}" for t in times])
    low.set_yticks(range(n), names)
    for label, (ink, _) in zip(low.get_yticklabels(), inks, strict=True):
        label.set_color(ink)
    sheet.frame(low, width=0.8, ink="#333333")
    low.set_title("Number at risk", loc="left", fontsize=sheet.points, pad=4)
    low.set_xlabel(f"Time in {sheet.unit}", fontsize=0.9 * sheet.points)
    for k, (found, _, _) in enumerate(rows):
        for t, count in zip(times, found, strict=True):
            low.text(t, k, str(count), ha="center", va="center", fontsize=0.9 * sheet.points)
    sheet.keep_table(times, rows)


def ezr(sheet: Sheet):
    """EZR: R's plain axes, strokes or colours, a legend without frame named by its variable, counts in rows below."""
    n = len(sheet.arms)
    left = room(sheet, 84)
    ax = sheet.axes(left=left, right=20, top=24, bottom=64 + 1.5 * sheet.points * (n + 1))
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.04, 0.04, 0.04, 0.04))
    sheet.frame(ax, sides="lb", width=0.8, length=5)
    ax.spines["left"].set_bounds(0, 1)
    ax.spines["bottom"].set_bounds(0, sheet.ticks[-1])
    for label in ax.get_yticklabels():
        label.set(rotation=90, va="center")
    inks = black(sheet) if sheet.chance(0.5) else inks_of(sheet, ("#000000", "#ff0000", "#00cd00", "#0000ff"))
    sheet.curves(ax, inks, width=1.0, mark=sheet.choice("|", "|", ""), size=5)
    if n == 2 and sheet.chance(0.35):
        limits(sheet, ax, inks, kind="dotted", width=0.8)
    ax.set_ylabel("Probability")
    sheet.under(ax, sheet.end / 2, sheet.unit.capitalize() if sheet.chance(0.5) else "Time", 32)
    key(sheet, ax, inks, loc="upper right" if sheet.chance(0.7) else "lower left", frameon=False, handlelength=2.6,
        title=sheet.choice("Group", "Treatment", "Arm"))  # fmt: skip
    sheet.at_risk(ax, down=48, heading="Number at risk", left=left - 6, weight="normal", row=1.5 * sheet.points)


def epi_info(sheet: Sheet):
    """Epi Info: thick coloured lines on a shaded plot, a heavy title, time to the left of 0, square keys at the right."""
    from matplotlib.patches import Patch

    ax = sheet.axes(left=58, right=112, top=34, bottom=46)
    ax.set_facecolor(sheet.choice("#dfe8f3", "#f7f7e8", "white"))
    sheet.scales(ax, step=0.1, form="{:.2f}" if sheet.chance(0.5) else "{:.1f}", pad=(0.0, 0.05, 0.0, 0.0))
    ax.set_xlim(-0.04 * sheet.end, 1.05 * sheet.end)
    sheet.frame(ax, sides="lb", width=1.0, ink="#505050", length=4)
    ax.grid(True, axis="y", color="#b8c4d2", lw=0.7)
    ax.set_axisbelow(True)
    inks = inks_of(sheet, ("#4682b4", "#b22222", "#228b22", "#daa520"))
    sheet.curves(ax, inks, width=2.4)
    ax.set_title(
        sheet.choice("KM Survival Probability", "Kaplan-Meier Survival"), fontweight="bold", fontsize=1.3 * sheet.points
    )
    ax.set_ylabel("Survival Probability", fontweight="bold")
    ax.set_xlabel(sheet.choice("Time", sheet.unit.upper()), fontweight="bold")
    ax.legend([Patch(facecolor=c, edgecolor="#505050") for c, _ in inks], wrapped(sheet, 15), loc="center left", handlelength=0.9,
              bbox_to_anchor=(1.03, 0.5), fancybox=False, edgecolor="#808080", fontsize=0.85 * sheet.points, handleheight=0.9)  # fmt: skip


def s_plus(sheet: Sheet):
    """S-PLUS: a wide box of hair lines, upright numbers, strokes named beside short samples, dotted limits."""
    ax = sheet.axes(left=58, right=22, top=26, bottom=54)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.04, 0.04, 0.04, 0.04))
    sheet.frame(ax, sides="lbrt", width=0.6, length=6)
    for label in ax.get_yticklabels():
        label.set(rotation=90, va="center")
    inks = black(sheet)
    sheet.curves(ax, inks, width=0.8, mark=sheet.choice("+", "+", ""), size=5, stroke=0.7)
    if len(sheet.arms) == 2 and sheet.chance(0.35):
        limits(sheet, ax, inks, kind="dotted", width=0.5)
    ax.set_ylabel(sheet.choice("Proportion Surviving", "Survival", "Proportion Alive"))
    ax.set_xlabel(f"{sheet.unit.capitalize()}" if sheet.chance(0.5) else "Survival Time")
    key(
        sheet,
        ax,
        inks,
        loc=open_corner(sheet),
        frameon=sheet.chance(0.3),
        edgecolor="black",
        width=0.8,
        handlelength=3.5,
    )


def statistica(sheet: Sheet):
    """Statistica: circles for complete and crosses for censored cases, dotted grid, axes that begin below zero."""
    ax = sheet.axes(left=56, right=22, top=58, bottom=62)
    below = sheet.chance(0.6)
    tick, level = sheet.ticks[1], 0.1 if sheet.chance(0.6) else 0.2
    around = tick / sheet.end if below else 0.06
    rim = level if below else 0.06
    sheet.scales(ax, step=level, form="{:.1f}", pad=(around, around, rim, rim))
    if below:
        levels = np.arange(-level, 1 + 1.5 * level, level).round(1) + 0.0
        ax.set_yticks(levels, [f"{v:.1f}" for v in levels])
        ax.set_xticks(
            [-tick, *sheet.ticks, sheet.end + tick], [f"{t:g}" for t in (-tick, *sheet.ticks, sheet.end + tick)]
        )
    sheet.frame(ax, sides="lbrt", width=0.8, length=4)
    ax.grid(True, color="#a0a0a0", lw=0.5, ls=(0, (2, 2)))
    ax.set_axisbelow(True)
    inks = inks_of(sheet, ("#0000ff", "#ff0000", "#008000", "#ff00ff"), (SOLID, DASHED, SOLID, DASHED))
    sheet.curves(ax, inks, width=1.1)
    small = max(len(a.time) for a in sheet.arms) < 200
    if small:
        symbols(sheet, ax, inks, "oooo", size=4, hollow=True)
    symbols(sheet, ax, inks, "++++", size=5, of="censored", most=80)
    ax.set_title("Cumulative Proportion Surviving (Kaplan-Meier)" + ("\no Complete   + Censored" if small else "\n+ Censored"),
                 fontsize=1.05 * sheet.points, pad=8)  # fmt: skip
    ax.set_ylabel("Cumulative Proportion Surviving")
    ax.set_xlabel(sheet.choice("Time", "Survival Time", f"TIME [{sheet.unit}]"))
    if sheet.chance(0.5):
        key(sheet, ax, inks, loc=open_corner(sheet), edgecolor="black", handlelength=2.6)
    else:
        key(sheet, ax, inks, loc="lower center", bbox_to_anchor=(0.5, 0.0), bbox_transform=sheet.page.transFigure, frameon=False,
            ncol=4 if max(len(a.name) for a in sheet.arms) < 15 else 2, borderaxespad=0.2, labelspacing=0.1)  # fmt: skip


def km_plot(sheet: Sheet):
    """KMplot.com: black for low and red for high expression, HR and p in the upper corner, two coloured rows of counts."""
    ax = sheet.axes(left=72, right=22, top=34, bottom=88 + 1.4 * sheet.points * len(sheet.arms))
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.04, 0.04, 0.04, 0.04))
    sheet.frame(ax, sides="lbrt" if sheet.chance(0.5) else "lb", width=0.9, length=5)
    for label in ax.get_yticklabels():
        label.set(rotation=90, va="center")
    inks = inks_of(sheet, ("#000000", "#ff0000"))
    sheet.curves(ax, inks, width=1.2, mark="|" if sheet.chance(0.7) else "", size=5)
    gene = sheet.choice("ESR1 (205225_at)", "TP53 (201746_at)", "MKI67", "hsa-miR-21")
    ax.set_title(gene, fontweight="bold", fontsize=1.3 * sheet.points)
    ax.text(0.97, 0.97, f"HR = {sheet.choice('1.47 (1.21 − 1.79)', '0.66 (0.6 − 0.74)')}\nlogrank P {sheet.choice('= 8.4e−05', '= 0.0012', '<1E-16')}",
            transform=ax.transAxes, ha="right", va="top")  # fmt: skip
    held = key(sheet, ax, inks, loc="lower left", edgecolor="black", title="Expression", handlelength=1.5)
    held.get_frame().set(linewidth=0.7)
    ax.set_ylabel("Probability")
    sheet.under(ax, sheet.end / 2, f"Time ({sheet.unit})", 30)
    sheet.at_risk(
        ax,
        down=48,
        heading="Number at risk",
        left=66,
        weight="normal",
        inks=[c for c, _ in inks],
        row=1.4 * sheet.points,
    )


def c_bioportal(sheet: Sheet):
    """cBioPortal: percent signs by tens, thin grey axes, small crosses, the legend and p at the right, counts below."""
    n = len(sheet.arms)
    left = room(sheet, 92, 0.85)
    ax = sheet.axes(left=left, right=116, top=16, bottom=60 + 1.6 * sheet.points * (n + 1))
    sheet.scales(ax, step=0.1, form="{:.0f}%", pad=(0.0, 0.02, 0.0, 0.0))
    ax.set_ylim(0, 102)
    sheet.frame(ax, width=0.7, ink="#999999", length=5)
    inks = inks_of(sheet, ("#3366cc", "#dc3912", "#ff9900", "#109618"))
    sheet.curves(ax, inks, width=1.1, mark="+", size=4.5, stroke=0.7)
    ax.set_ylabel(sheet.choice("Probability of Overall Survival", "Overall", "Disease-Free"), fontweight="bold")
    sheet.under(
        ax,
        sheet.end / 2,
        sheet.choice(f"{sheet.unit.capitalize()} Overall", "Overall Survival Months"),
        30,
        fontweight="bold",
    )
    held = key(sheet, ax, inks, labels=wrapped(sheet, 17), loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, handlelength=1.2,
               title=f"Logrank Test P-Value:\n{sheet.choice('4.61e-3', '0.214', '1.29e-10')}", fontsize=0.82 * sheet.points)  # fmt: skip
    held.get_title().set_fontsize(0.78 * sheet.points)
    held.set_alignment("left")
    sheet.at_risk(ax, down=48, heading="Number at risk (n)", left=left - 4, weight="bold", row=1.6 * sheet.points, size=0.85,
                  inks=[c for c, _ in inks])  # fmt: skip


def gepia(sheet: Sheet):
    """GEPIA: a box, blue and red with dotted limits, the test and the groups' sizes written in the upper right."""
    ax = sheet.axes(left=60, right=16, top=34, bottom=52)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.04, 0.04, 0.04, 0.04))
    sheet.frame(ax, sides="lbrt", width=0.9, length=5)
    for label in ax.get_yticklabels():
        label.set(rotation=90, va="center")
    inks = inks_of(sheet, ("#0000ff", "#ff0000"))
    sheet.curves(ax, inks, width=1.3, mark="|" if sheet.chance(0.7) else "", size=5)
    if sheet.chance(0.8):
        limits(sheet, ax, inks, kind="dotted", width=0.9)
    ax.set_title(
        sheet.choice("Overall Survival", "Disease Free Survival"), fontweight="bold", fontsize=1.25 * sheet.points
    )
    ax.set_ylabel("Percent survival")
    ax.set_xlabel(sheet.unit.capitalize())
    gene = sheet.choice("TP53", "CD274", "EGFR", "PLK1")
    sheet.arms = [replace(a, name=f"{'Low' if 'ow' in a.name else 'High'} {gene} TPM") for a in sheet.arms]
    held = key(sheet, ax, inks, loc="upper right", frameon=False, handlelength=1.5)
    held.set_zorder(5)
    low, high = (len(a.time) for a in sheet.arms)
    ax.text(0.98, 0.80, f"Logrank p={sheet.choice('0.012', '3.7e-05', '0.46')}\nHR(high)={sheet.choice('1.6', '0.71', '2.2')}\n"
            f"p(HR)={sheet.choice('0.013', '5e-05', '0.46')}\nn(high)={high}\nn(low)={low}", transform=ax.transAxes, ha="right", va="top",
            fontsize=0.9 * sheet.points)  # fmt: skip


def ualcan(sheet: Sheet):
    """UALCAN: a title about a gene's effect, days with thousands, colour samples with n in the upper right, p in a corner."""
    ax = sheet.axes(left=62, right=20, top=34, bottom=54)
    sheet.scales(ax, step=0.2 if sheet.chance(0.7) else 0.25, form="{:g}", pad=(0.02, 0.03, 0.03, 0.04))
    sheet.frame(ax, sides="lb", width=1.0, length=5)
    name_times(sheet, ax, thousands if sheet.chance(0.5) else "{:g}".format)
    inks = inks_of(sheet, ("#c71585", "#1e90ff", "#2e8b57", "#ff8c00"))
    sheet.curves(ax, inks, width=1.7, mark="+", size=5)
    gene, tumour = sheet.choice("TOP2A", "AURKA", "CCNB1"), sheet.choice("LIHC", "BRCA", "KIRC")
    ax.set_title(
        f"Effect of {gene} expression level on {tumour} patient survival",
        fontweight="bold",
        fontsize=1.05 * sheet.points,
    )
    ax.set_ylabel("Survival probability", fontweight="bold")
    ax.set_xlabel(f"Time in {sheet.unit}", fontweight="bold")
    labels = [f"{a.name} (n={len(a.time)})" for a in sheet.arms]
    key(
        sheet,
        ax,
        inks,
        labels=labels,
        loc="upper right",
        edgecolor="#404040",
        title="Expression Level",
        fontsize=0.8 * sheet.points,
    )
    ax.text(0.04, 0.06, sheet.choice(*P_VALUES), transform=ax.transAxes, color="#b00000", fontweight="bold")


COURIER = "Nimbus Mono PS"
ONE = ("months", "years", "days")
PROGRAMS = {
    "cbioportal": Model(Style(c_bioportal, (7.4, 5.4), (650, 1500), unit=("months",), points=8.5)),
    "epiinfo": Model(Style(epi_info, (6.4, 4.4), (600, 1100), scale=1.0, unit=ONE), CODES),
    "ezr": Model(Style(ezr, (6.0, 5.4), (500, 1400), scale=1.0, unit=ONE, points=10)),
    "gepia": Model(Style(gepia, (4.8, 4.8), (600, 1200), scale=1.0, arms=(2,), unit=("months",), points=9.5), LEVELS),
    "jamovi": Model(Style(jamovi, (6.4, 5.8), (600, 1400), font="DejaVu Sans", scale=1.0, points=8.5), CODES),
    "kmplot": Model(Style(km_plot, (5.4, 5.6), (520, 1300), scale=1.0, arms=(2,), unit=("months",), points=10), LEVELS),
    "matsurv": Model(Style(matsurv, (6.4, 5.2), (600, 1500), font="Nimbus Sans", scale=1.0, points=10)),
    "minitab": Model(Style(minitab, (7.0, 4.4), (600, 1200), paper="#f3efe4", points=8.5, unit=("months", "days"))),
    "ncss": Model(Style(ncss, (6.4, 4.6), (600, 1200), scale=1.0, unit=ONE)),
    "prismthree": Model(Style(prism_three, (6.0, 3.9), (500, 1400), points=10, unit=("days", "weeks", "months"), arms=(2, 2, 3))),
    "sasjournal": Model(Style(sas_journal, (6.4, 5.0), (640, 1400), font=NARROW, scale=1.0, points=10, arms=(2, 2, 3))),
    "saslisting": Model(Style(sas_listing, (6.4, 4.8), (560, 1200), font=MONO, scale=1.0, points=8.5, arms=(2, 2, 3)), CODES),
    "sigmaplot": Model(Style(sigma_plot, (5.8, 4.6), (500, 1300), scale=1.0, points=10, unit=ONE)),
    "splus": Model(Style(s_plus, (5.6, 4.6), (520, 1300), font=SERIF, scale=1.0, points=10)),
    "statistica": Model(Style(statistica, (6.2, 5.0), (600, 1200), scale=1.0, unit=("months", "days"), arms=(2, 2, 3))),
    "statsdirect": Model(Style(stats_direct, (6.0, 4.6), (600, 1200), scale=1.0, unit=ONE, font=SANS)),
    "ualcan": Model(Style(ualcan, (5.8, 4.8), (600, 1200), font="DejaVu Sans", scale=1.0, arms=(2,), unit=("days",)), LEVELS),
    "xlstat": Model(Style(xlstat, (6.0, 4.2), (600, 1200), scale=1.0, font="DejaVu Sans", points=8.5)),
}  # fmt: skip
