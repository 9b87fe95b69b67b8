"""How trial groups, registries and journals of several languages print Kaplan-Meier figures, one function for each style."""

from __future__ import annotations

import numpy as np

from benchmarks.figure_sheets import DASHED, LONG, MIXED, NARROW, SANS, SERIF, SOLID, Sheet, Style
from benchmarks.figure_vendor_parts import (
    CODES,
    FRENCH,
    GERMAN,
    P_VALUES,
    RATIOS,
    SPANISH,
    Model,
    bare,
    black,
    box,
    caption,
    comma,
    inks_of,
    key,
    limits,
    name_times,
    open_corner,
    spread,
    symbols,
    thousands,
    wrapped,
)

DARK = (
    ("#1f4e79", "#c55a11", "#548235", "#7f6000"),
    ("#000000", "#e3001b", "#0069b4", "#76b82a"),
    ("#6a1b9a", "#00838f", "#ef6c00", "#5d4037"),
    ("#003366", "#cc0000", "#669900", "#996699"),
)


def eortc(sheet: Sheet):
    """EORTC: percents by tens, years, and below the columns O and N, the patients at risk, and the arms at the right."""
    n = len(sheet.arms)
    names = wrapped(sheet, 19)
    row = (2.1 if any("\n" in name for name in names) else 1.5) * sheet.points
    ax = sheet.axes(left=88, right=134, top=42, bottom=56 + row * (n + 1.2))
    sheet.scales(ax, step=0.1, form="{:.0f}", pad=(0.0, 0.0, 0.0, 0.0))
    sheet.frame(ax, width=1.0, length=4)
    inks = black(sheet) if sheet.chance(0.4) else inks_of(sheet, sheet.choice(*DARK), (SOLID, DASHED, LONG, MIXED))
    sheet.curves(ax, inks, width=1.4)
    ax.set_title(sheet.choice("Overall survival", "Progression-free survival", "Distant metastasis-free survival"),
                 fontweight="bold", fontsize=1.3 * sheet.points, pad=12)  # fmt: skip
    ax.text(0.97, 0.97, f"Overall Logrank test: p{sheet.choice('=0.021', '=0.483', '<0.001')}", transform=ax.transAxes, ha="right",
            va="top", fontsize=0.9 * sheet.points)  # fmt: skip
    sheet.under(ax, sheet.end, f"({sheet.unit})", 26)
    down = 40
    look = {"fontsize": 0.9 * sheet.points}
    sheet.margin(ax, "O", down, left=66, ha="right", **look)
    sheet.margin(ax, "N", down, left=34, ha="right", **look)
    sheet.under(ax, 0, "Number of patients at risk :", down, ha="left", **look)
    sheet.under(ax, 1.18 * sheet.end, sheet.choice("Treatment", "Arm"), down, ha="left", **look)
    times, rows = sheet.counts(2 if len(sheet.ticks) > 8 else 1)
    for k, (arm, (found, _, _), (ink, dash)) in enumerate(zip(sheet.arms, rows, inks, strict=True)):
        depth = down + (k + 1) * row
        sheet.margin(ax, str(int(arm.event.sum())), depth, left=66, ha="right", **look)
        sheet.margin(ax, str(len(arm.time)), depth, left=34, ha="right", **look)
        for t, count in zip(times[1:], found[1:], strict=True):
            sheet.under(ax, t, str(count), depth, **look)
        tall = ax.get_position().height * 72 * sheet.page.get_size_inches()[1]
        ax.plot([1.06, 1.15], [-depth / tall] * 2, transform=ax.transAxes, color=ink, ls=dash, lw=1.4, clip_on=False)
        sheet.under(ax, 1.18 * sheet.end, names[k], depth, ha="left", fontsize=0.8 * sheet.points, linespacing=0.9)
    sheet.keep_table(times[1:], [(a[1:], b[1:], c[1:]) for a, b, c in rows])


def nsabp(sheet: Sheet):
    """NSABP: a box, percent surviving, and inside a small table of arms, patients and deaths under the curves."""
    ax = sheet.axes(left=56, right=18, top=22, bottom=50)
    sheet.scales(ax, step=0.2, form="{:.0f}", pad=(0.0, 0.02, 0.0, 0.03))
    sheet.frame(ax, sides="lbrt", width=1.2, ticks="in" if sheet.chance(0.5) else "out", length=5)
    inks = (
        inks_of(sheet, ("#000000",) * 4, (SOLID, DASHED, LONG, MIXED)) if sheet.chance(0.6) else inks_of(sheet, DARK[1])
    )
    sheet.curves(ax, inks, width=1.6)
    shapes = ("o", "^", "s", "D")
    for arm, (ink, _), shape in zip(sheet.arms, inks, shapes, strict=False):
        t = sheet.ticks[(sheet.ticks > 0) & (sheet.ticks <= arm.last)]
        ax.plot(t, sheet.shown(arm.at(t)), shape, mfc="white" if shape == "o" else ink, mec=ink, ms=5, zorder=4, ls="")
    ax.set_ylabel(sheet.choice("% Surviving", "% Disease-Free", "% Event-Free"))
    ax.set_xlabel(f"{sheet.unit.capitalize()} After Randomization" if sheet.chance(0.6) else sheet.unit.upper())
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=c, ls=d, lw=1.6, marker=m, mfc="white" if m == "o" else c, ms=5) for (c, d), m in
             zip(inks, shapes, strict=False)]  # fmt: skip
    wide = max(len(a.name) for a in sheet.arms)
    labels = [f"{a.name}   {len(a.time)} pts, {int(a.event.sum())} deaths" for a in sheet.arms]
    ax.legend(
        lines,
        labels,
        loc=open_corner(sheet),
        frameon=False,
        fontsize=(0.9 if wide < 22 else 0.75) * sheet.points,
        handlelength=3,
    )
    if open_corner(sheet) == "lower left":
        ax.text(0.97, 0.95, sheet.choice(*P_VALUES), transform=ax.transAxes, ha="right", va="top")


def swog(sheet: Sheet):
    """SWOG and ECOG: percent signs, ticks where people are censored, a table with at risk, failed and median inside."""
    ax = sheet.axes(left=58, right=22, top=26, bottom=50)
    sheet.scales(ax, step=0.2, form="{:.0f}%", pad=(0.0, 0.02, 0.0, 0.0))
    sheet.frame(ax, sides="lb" if sheet.chance(0.6) else "lbrt", width=1.0, length=5)
    inks = black(sheet) if sheet.chance(0.4) else inks_of(sheet, sheet.choice(*DARK), (SOLID, SOLID, SOLID, DASHED))
    sheet.curves(ax, inks, width=1.5, mark="|", size=6, stroke=0.9)
    ax.set_title(
        sheet.choice("Overall Survival by Treatment Arm", "Progression-Free Survival"), fontsize=1.2 * sheet.points
    )
    ax.set_xlabel(f"{sheet.unit.capitalize()} After Registration")
    n, end = len(sheet.arms), sheet.end
    below = min(float(a.at(0.6 * end)) for a in sheet.arms) - 0.05 * (n + 1.6)
    above = 1 - 0.058 * (n + 1.2) - max(float(a.at(0.36 * end)) for a in sheet.arms)
    if max(below, above) < 0:
        key(sheet, ax, inks, loc=open_corner(sheet), frameon=False, width=1.5)
        return
    x, y, gap = (0.60, 0.74, 0.84, 0.95), 0.95, 0.058
    if below > above:
        x, y, gap = (0.26, 0.38, 0.46, 0.56), 0.05 + 0.05 * (n + 0.4), 0.05
    small = {"transform": ax.transAxes, "fontsize": 0.8 * sheet.points, "va": "center"}
    for place, text in zip(x[1:], ("At\nRisk", "Failed", f"Median\nin {sheet.unit.capitalize()}"), strict=True):
        ax.text(place, y, text, ha="center", linespacing=0.95, **small)
    for k, (arm, (ink, dash)) in enumerate(zip(sheet.arms, inks, strict=True)):
        level = y - gap * (k + 1.15)
        below = arm.steps[arm.steps[:, 1] <= 0.5, 0]
        ax.plot([x[0] - 0.22, x[0] - 0.16], [level] * 2, transform=ax.transAxes, color=ink, ls=dash, lw=1.5)
        ax.text(x[0] - 0.15, level, arm.name, ha="left", **small)
        for place, text in zip(
            x[1:], (len(arm.time), int(arm.event.sum()), f"{below[0]:.3g}" if len(below) else "---"), strict=True
        ):
            ax.text(place, level, str(text), ha="center", **small)


def german(sheet: Sheet):
    """German journals: decimal commas, German words, Helvetica, a caption 'Abb.' in running text below."""
    n = len(sheet.arms)
    risk = sheet.chance(0.7)
    percent = sheet.scale == 100
    ax = sheet.axes(
        left=98 if risk else 62, right=18, top=16, bottom=84 + (1.35 * sheet.points * (n + 1) if risk else 0)
    )
    sheet.scales(ax, step=0.2 if sheet.chance(0.7) else 0.25, form="{:.0f}" if percent else lambda v: comma(v, "{:.2f}" if sheet.ticks[1] < 1 else "{:.1f}"),
                 pad=(0.0, 0.02, 0.0, 0.02))  # fmt: skip
    if not percent:
        ax.set_yticks(np.arange(0, 1.01, 0.2), [comma(v) for v in np.arange(0, 1.01, 0.2)])
    sheet.frame(ax, width=0.9, ticks="out", length=4)
    name_times(sheet, ax, lambda t: comma(t, "{:g}"))
    inks = inks_of(sheet, sheet.choice(*DARK))
    sheet.curves(ax, inks, width=1.6, mark=sheet.choice("|", "+", ""), size=5)
    ax.set_ylabel(
        "Gesamtüberleben (%)" if percent else sheet.choice("Überlebenswahrscheinlichkeit", "Kumulatives Überleben")
    )
    unit = {"months": "Monate", "years": "Jahre", "days": "Tage", "weeks": "Wochen"}[sheet.unit]
    sheet.under(
        ax,
        sheet.end / 2,
        sheet.choice(f"Zeit ({unit})", f"{unit} nach Randomisierung", f"Nachbeobachtungszeit [{unit}]"),
        26,
    )
    key(sheet, ax, inks, loc=open_corner(sheet), frameon=False)
    if risk:
        sheet.at_risk(
            ax, down=42, heading=sheet.choice("Patienten unter Risiko", "Anzahl unter Risiko"), left=92, size=0.88
        )
    caption(sheet, "Abb. 2  Überleben nach Kaplan-Meier in den Behandlungsgruppen. Zensierte Patienten sind markiert; Log-Rank-Test "
            f"p = {sheet.choice('0,032', '0,41', '0,0008')}.", fontsize=0.85 * sheet.points)  # fmt: skip


def french(sheet: Sheet):
    """French journals: serif type, dotted lines across, decimal commas, 'Nombre de patients à risque', space before %."""
    n = len(sheet.arms)
    ax = sheet.axes(left=104, right=20, top=30, bottom=54 + 1.4 * sheet.points * (n + 1))
    percent = sheet.chance(0.5)
    sheet.scales(ax, step=0.2, form=(lambda v: f"{100 * v:.0f} %") if percent else comma, pad=(0.0, 0.02, 0.0, 0.02))
    name_times(sheet, ax, lambda t: comma(t, "{:g}"))
    sheet.frame(ax, sides="lbrt" if sheet.chance(0.5) else "lb", width=0.7, ticks="in", length=4)
    ax.grid(True, axis="y", color="#999999", lw=0.5, ls=":")
    inks = black(sheet) if sheet.chance(0.4) else inks_of(sheet, sheet.choice(*DARK))
    sheet.curves(ax, inks, width=1.2, mark=sheet.choice("", "|"), size=4)
    ax.set_title(sheet.choice("Survie globale", "Survie sans progression", "Survie sans récidive"), fontsize=1.2 * sheet.points,
                 fontstyle="italic")  # fmt: skip
    ax.set_ylabel(sheet.choice("Probabilité de survie", "Taux de survie", "Patients vivants"))
    unit = {"months": "mois", "years": "années", "days": "jours", "weeks": "semaines"}[sheet.unit]
    sheet.under(
        ax, sheet.end / 2, f"Temps ({unit})" if sheet.chance(0.6) else f"Délai depuis la chirurgie ({unit})", 26
    )
    key(sheet, ax, inks, loc=open_corner(sheet), frameon=sheet.chance(0.5), edgecolor="black")
    sheet.at_risk(
        ax,
        down=42,
        heading=sheet.choice("Patients à risque", "Nombre à risque"),
        left=98,
        weight="normal",
        row=1.4 * sheet.points,
    )


def spanish(sheet: Sheet):
    """Spanish journals: a grey panel of SPSS in Spanish, 'Supervivencia acumulada', comma decimals, crosses, a key aside."""
    ax = sheet.axes(left=56, right=112, top=34, bottom=50)
    ax.set_facecolor(sheet.choice("#e6e6e6", "#f0f0f0", "white"))
    sheet.scales(ax, step=0.2, form=comma, pad=(0.04, 0.05, 0.05, 0.05))
    name_times(sheet, ax, lambda t: comma(t, "{:.2f}") if sheet.ticks[1] < 1 else comma(t, "{:g}"))
    sheet.frame(ax, sides="lbrt", width=0.8, length=4)
    inks = inks_of(
        sheet, sheet.choice(("#0000c8", "#00a000", "#d2a000", "#800080"), ("#2f5597", "#c00000", "#70ad47", "#7f7f7f"))
    )
    sheet.curves(ax, inks, width=1.2, mark="+", size=5)
    ax.set_title(
        sheet.choice("Funciones de supervivencia", "Supervivencia global"),
        fontweight="bold",
        fontsize=1.15 * sheet.points,
    )
    ax.set_ylabel("Supervivencia acumulada" if sheet.chance(0.6) else "Supervivencia acum")
    unit = {"months": "meses", "years": "años", "days": "días", "weeks": "semanas"}[sheet.unit]
    ax.set_xlabel(sheet.choice(f"Tiempo ({unit})", f"Seguimiento ({unit})", unit.capitalize()))
    held = key(sheet, ax, inks, loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, handlelength=1.4,
               title=sheet.choice("Grupo", "Tratamiento"))  # fmt: skip
    held.set_alignment("left")
    box(sheet, ax, (0.04, 0.06), sheet.choice("Log-rank p = 0,03", "p < 0,001"), va="bottom", frame=sheet.chance(0.4))


def chinese(sheet: Sheet):
    """Chinese journals: Chinese words on the axes, a box with ticks inside, lines of strokes or colours with symbols."""
    n = len(sheet.arms)
    risk = sheet.chance(0.4)
    ax = sheet.axes(left=66, right=18, top=18, bottom=66 + (1.35 * sheet.points * n if risk else 0))
    sheet.scales(ax, step=0.2, form="{:.0f}" if sheet.scale == 100 else "{:.1f}", pad=(0.0, 0.03, 0.0, 0.03))
    sheet.frame(ax, sides="lb" if sheet.chance(0.5) else "lbrt", width=0.9, ticks="in", length=4)
    inks = black(sheet) if sheet.chance(0.5) else inks_of(sheet, ("#ff0000", "#0000ff", "#00b050", "#000000"))
    sheet.curves(ax, inks, width=1.2)
    if sheet.chance(0.6):
        symbols(sheet, ax, inks, ("+", "x", "+", "x"), size=4.5, of="censored", most=60)
    cjk = {"family": [sheet.style.font, "Droid Sans Fallback", "DejaVu Sans"]}
    ax.set_ylabel(sheet.choice("累积生存率", "总生存率", "无进展生存率") + ("(%)" if sheet.scale == 100 else ""), **cjk)
    unit = {"months": "月", "years": "年", "days": "天", "weeks": "周"}[sheet.unit]
    sheet.under(ax, sheet.end / 2, f"{sheet.choice('时间', '生存时间', '随访时间')}({unit})", 26, **cjk)
    key(sheet, ax, inks, loc=open_corner(sheet), frameon=False, handlelength=2.4)
    place = (0.97, 0.95) if open_corner(sheet) == "lower left" else (0.3, 0.1)
    ax.text(
        *place,
        sheet.choice("$P$=0.013", "$P$<0.05", "χ²=6.42, $P$=0.011"),
        transform=ax.transAxes,
        ha="right",
        va="top",
    )
    if risk:
        sheet.at_risk(ax, down=42, heading="", left=60, weight="normal")
    if not risk or sheet.chance(0.5):
        sheet.page.text(0.5, 0.02, f"图{sheet.choice(1, 2, 3)} 各组患者生存曲线比较", ha="center", va="bottom", **cjk)


def registry(sheet: Sheet):
    """A joint registry's annual report: cumulative percent revision with bands, a shaded table of counts under year headings."""
    n = len(sheet.arms)
    row = 1.7 * sheet.points
    high = sheet.choice(0.25, 0.3)
    ax = sheet.axes(left=118, right=18, top=28, bottom=60 + row * (n + 1))
    sheet.scales(ax, step=0.05, form="{:.0f}%", top=high, pad=(0.0, 0.02, 0.0, 0.0))
    sheet.frame(ax, width=0.8, length=3)
    inks = inks_of(
        sheet, sheet.choice(("#003c71", "#c8102e", "#009f4d", "#ff8200"), ("#1b365d", "#00a3e0", "#7a9a01", "#da291c"))
    )
    sheet.curves(ax, inks, width=1.7, band=sheet.choice(0.0, 0.22))
    ax.set_ylabel("Cumulative Percent Revision")
    sheet.under(ax, sheet.end / 2, "Years Since Primary Procedure", 24)
    key(sheet, ax, inks, loc="upper left", frameon=sheet.chance(0.5), edgecolor="#808080", bbox_to_anchor=(0.02, 0.98))
    if n == 2:
        ax.text(0.98, 0.97, "HR - adjusted for age and gender\n" + sheet.choice("Entire Period: HR=1.24 (1.02, 1.51), p=0.029",
                "0 - 3Mth: HR=1.88 (1.4, 2.51), p<0.001"), transform=ax.transAxes, ha="right", va="top", fontsize=0.75 * sheet.points)  # fmt: skip
    times, rows = sheet.counts(1 if len(sheet.ticks) < 9 else 2)
    wide, tall = (72 * side for side in sheet.page.get_size_inches())
    strip = sheet.page.add_axes((6 / wide, (60 + row * (n + 1) - 38 - row / 2) / tall, (wide - 14) / wide, row / tall))
    strip.set(xticks=[], yticks=[], facecolor="#d0d8e0")
    sheet.frame(strip, sides="")
    strip.set_zorder(-1)
    look = {"fontsize": 0.85 * sheet.points}
    sheet.margin(ax, "Number at Risk", 38, left=108, fontweight="bold", **look)
    for t in times:
        sheet.under(ax, t, f"{t:g} Yr" + ("s" if t > 1 else ""), 38, fontweight="bold", **look)
    for k, (arm, (found, _, _)) in enumerate(zip(sheet.arms, rows, strict=True)):
        sheet.margin(ax, arm.name, 38 + (k + 1) * row, left=108, **look)
        for t, count in zip(times, found, strict=True):
            sheet.under(ax, t, f"{count:,d}", 38 + (k + 1) * row, **look)
    sheet.keep_table(times, rows)


def table_above(sheet: Sheet):
    """A cardiac-surgery journal: the table stands between the title and the plot, names in bold, counts over every second tick."""
    n = len(sheet.arms)
    row = 1.35 * sheet.points
    ax = sheet.axes(left=104, right=20, top=38 + row * (n + 1), bottom=48)
    sheet.scales(ax, step=0.2, form="{:.0f}%" if sheet.chance(0.5) else "{:.0f}", pad=(0.0, 0.02, 0.0, 0.0))
    sheet.frame(ax, sides="lbrt", width=0.8, length=4)
    inks = inks_of(sheet, sheet.choice(*DARK), (SOLID, DASHED, SOLID, DASHED))
    sheet.curves(ax, inks, width=1.5, band=sheet.choice(0.0, 0.0, 0.15))
    if n == 2 and sheet.chance(0.4):
        limits(sheet, ax, inks, kind="dashed", width=0.6)
    ax.set_ylabel(sheet.choice("Survival", "Freedom From Reoperation"))
    ax.set_xlabel(f"{sheet.unit.capitalize()} after operation")
    tall = 72 * sheet.page.get_size_inches()[1]
    sheet.page.text(0.5, 1 - 16 / tall, sheet.choice("Kaplan-Meier Survival", "Long-Term Outcome"), ha="center", va="center",
                    fontweight="bold", fontsize=1.25 * sheet.points)  # fmt: skip
    high = ax.get_position().height * tall
    stride = sheet.choice(1, 2) if len(sheet.ticks) > 4 else 1
    times, rows = sheet.counts(stride)
    top = high + 10 + row * n
    sheet.margin(
        ax, sheet.choice("No. at risk", "Patients at risk", "n at risk"), -top, left=98, fontsize=0.85 * sheet.points
    )
    for k, (arm, (found, _, _)) in enumerate(zip(sheet.arms, rows, strict=True)):
        depth = -(top - (k + 1) * row)
        sheet.margin(ax, arm.name, depth, left=98, fontsize=0.85 * sheet.points, fontweight="bold", color=inks[k][0])
        for t, count in zip(times, found, strict=True):
            sheet.under(ax, t, str(count), depth, fontsize=0.85 * sheet.points)
    sheet.keep_table(times, rows)
    key(sheet, ax, inks, loc=open_corner(sheet), frameon=True, edgecolor="black")


def leaders(sheet: Sheet):
    """A haematology journal: names at the right ends with thin lines leading to them, small ticks between, no naught before points."""
    from matplotlib.ticker import AutoMinorLocator

    ax = sheet.axes(left=54, right=128, top=22, bottom=48)
    sheet.scales(ax, step=0.2, form=bare, pad=(0.0, 0.0, 0.0, 0.03))
    sheet.frame(ax, width=1.0, length=6)
    ax.xaxis.set_minor_locator(AutoMinorLocator(sheet.choice(2, 3)))
    ax.yaxis.set_minor_locator(AutoMinorLocator(2))
    ax.tick_params(which="minor", length=3, width=0.8)
    inks = black(sheet) if sheet.chance(0.3) else inks_of(sheet, sheet.choice(*DARK))
    sheet.curves(ax, inks, width=1.5, mark="|" if sheet.chance(0.8) else "", size=6)
    ends = [float(a.steps[-1, 1]) for a in sheet.arms]
    names = wrapped(sheet, 18)
    levels = spread(ends, 0.14 if any("\n" in name for name in names) else 0.08)
    for arm, name, (ink, _), end, level in zip(sheet.arms, names, inks, ends, levels, strict=True):
        ax.annotate(f"{name} (n={len(arm.time)})", (arm.last, end), xytext=(1.06 * sheet.end, level), color=ink, va="center",
                    arrowprops={"arrowstyle": "-", "color": "#606060", "lw": 0.5, "shrinkB": 4}, annotation_clip=False,
                    fontsize=0.85 * sheet.points)  # fmt: skip
    ax.set_ylabel(sheet.choice("Overall survival (probability)", "Probability of relapse-free survival", "Probability"))
    ax.set_xlabel(f"{sheet.unit.capitalize()} from transplantation")
    ax.text(0.05, 0.07, f"$P$ = {sheet.choice('.02', '.47', '.003')}", transform=ax.transAxes)
    ax.text(
        -0.13, 1.03, sheet.choice("A", "B", "C"), transform=ax.transAxes, fontweight="bold", fontsize=1.5 * sheet.points
    )


def censored_rows(sheet: Sheet):
    """A regulator's review: a watermark across, HR in a box, counts with the censored in brackets, sometimes rows of events."""
    n = len(sheet.arms)
    brackets = sheet.chance(0.5)
    row = 1.35 * sheet.points
    ax = sheet.axes(left=112, right=28, top=22, bottom=64 + row * ((n + 1) if brackets else (2 * n + 2)))
    sheet.scales(ax, step=0.1, form="{:.1f}", pad=(0.01, 0.02, 0.0, 0.03))
    sheet.frame(ax, sides="lbrt", width=0.8, length=4)
    ax.grid(True, color="#e4e4e4", lw=0.5)
    ax.set_axisbelow(True)
    name_times(sheet, ax, thousands)
    if sheet.chance(0.7):
        sheet.page.text(0.52, 0.55, sheet.choice("CONFIDENTIAL", "DRAFT", "Preprint"), rotation=32, ha="center", va="center",
                        fontsize=5 * sheet.points, color="#c8c8c8", alpha=0.35, fontweight="bold", zorder=0)  # fmt: skip
    inks = inks_of(sheet, sheet.choice(*DARK), (SOLID, LONG, DASHED, MIXED))
    shapes = ("o", "^", "s", "x")
    sheet.curves(ax, inks, width=1.3)
    symbols(sheet, ax, inks, shapes, size=3.5, hollow=True, of="censored", most=45)
    ax.set_ylabel("Probability of Event-Free Survival" if sheet.chance(0.5) else "Survival Distribution")
    sheet.under(ax, sheet.end / 2, f"Time since First Dose ({sheet.unit.capitalize()})", 28)
    key(sheet, ax, inks, marks=shapes, loc=open_corner(sheet), edgecolor="black", markersize=3.5, handlelength=3)
    if open_corner(sheet) == "lower left" and n == 2:
        box(
            sheet,
            ax,
            (0.98, 0.96),
            f"{sheet.choice(*RATIOS)}\nStratified log-rank {sheet.choice(*P_VALUES[:4])}",
            ha="right",
        )
    wide = {"left": 106, "row": row, "size": 0.82}
    down = sheet.at_risk(ax, down=44, heading="At risk (censored)" if brackets else "Subjects at risk",
                         form="both" if brackets else "plain", **wide)  # fmt: skip
    if not brackets:
        sheet.margin(ax, "Cumulative events", down, left=106, fontsize=0.82 * sheet.points, fontweight="bold")
        times, rows = sheet.counts()
        for k, (arm, (_, _, died)) in enumerate(zip(sheet.arms, rows, strict=True)):
            sheet.margin(ax, arm.name, down + (k + 1) * row, left=106, fontsize=0.82 * sheet.points)
            for t, count in zip(times, died, strict=True):
                sheet.under(ax, t, str(count), down + (k + 1) * row, fontsize=0.82 * sheet.points)


def photograph(sheet: Sheet):
    """A slide of a talk as photographed from the room: a coloured band with the title, heavy lines, a sponsor's foot."""
    n = len(sheet.arms)
    page = sheet.page
    tall = 72 * page.get_size_inches()[1]
    hue = sheet.choice("#00467f", "#6b1f3a", "#1d5c4d")
    band = page.add_axes((0, 1 - 46 / tall, 1, 46 / tall), facecolor=hue)
    band.set(xticks=[], yticks=[])
    sheet.frame(band, sides="")
    band.text(0.03, 0.5, sheet.choice("Primary endpoint: PFS by BICR", "OS: ITT population", "Overall Survival"), color="white",
              fontsize=1.5 * sheet.points, fontweight="bold", va="center")  # fmt: skip
    risk = sheet.chance(0.7)
    row = 1.3 * sheet.points
    ax = sheet.axes(left=116 if risk else 70, right=26, top=62, bottom=76 + (row * (n + 1) if risk else 0))
    sheet.scales(ax, step=0.2 if sheet.chance(0.7) else 0.25, form="{:.0f}", pad=(0.0, 0.02, 0.0, 0.03))
    sheet.frame(ax, width=1.8, length=6)
    inks = inks_of(
        sheet, sheet.choice(("#0083ca", "#f58025", "#6cb33f", "#8a8c8e"), ("#7030a0", "#00a0a0", "#c00000", "#404040"))
    )
    sheet.curves(ax, inks, width=2.6, mark="|" if sheet.chance(0.6) else "", size=7, stroke=1.6)
    ax.set_ylabel(sheet.choice("PFS (%)", "OS (%)", "Patients alive (%)"), fontweight="bold")
    sheet.under(ax, sheet.end / 2, f"{sheet.unit.capitalize()}", 32, fontweight="bold")
    key(sheet, ax, inks, loc=open_corner(sheet), frameon=False, width=2.6, fontsize=0.9 * sheet.points)
    if open_corner(sheet) == "lower left":
        ax.text(0.98, 0.97, sheet.choice(*RATIOS) + "\n" + sheet.choice(*P_VALUES), transform=ax.transAxes, ha="right", va="top", fontweight="bold",
                fontsize=0.85 * sheet.points)  # fmt: skip
    if risk:
        sheet.at_risk(ax, down=50, heading="No. at risk", left=110, row=row, size=0.8, inks=[c for c, _ in inks])
    page.text(0.02, 0.02, sheet.choice("Presented at the annual meeting. Content is the property of the author.", "Data cutoff: 14 Jan"),
              fontsize=0.6 * sheet.points, va="bottom", color="#606060")  # fmt: skip


def squared(sheet: Sheet):
    """A thesis on squared paper: fine and coarse lines of green or red under black curves, typed words, roman legend."""
    ax = sheet.axes(left=58, right=20, top=30, bottom=66)
    sheet.scales(ax, step=0.1, form=bare if sheet.chance(0.5) else "{:.1f}", pad=(0.0, 0.0, 0.0, 0.0))
    sheet.frame(ax, sides="lbrt", width=1.1, length=3)
    ax.set_xlim(0, sheet.ticks[-1])
    hue = sheet.choice("#9ccc9c", "#e6a8a0", "#a8bfe0")
    fine = sheet.choice(5, 4, 10)
    step = sheet.ticks[1]
    for t in np.arange(0, sheet.ticks[-1] + 1e-9, step / fine):
        ax.axvline(t, color=hue, lw=0.3, zorder=0)
    for y in np.arange(0, 1.0001, 0.1 / 5):
        ax.axhline(y, color=hue, lw=0.3, zorder=0)
    ax.grid(True, color=hue, lw=0.9)
    ax.set_axisbelow(True)
    inks = black(sheet)
    sheet.curves(ax, inks, width=1.6)
    if sheet.chance(0.6):
        symbols(sheet, ax, inks, "oooo", size=3.5, hollow=True, of="censored", most=40)
    ax.set_ylabel(sheet.choice("Fraction surviving", "Probability of survival"))
    ax.set_xlabel(f"{sheet.unit.upper()}")
    key(sheet, ax, inks, loc=open_corner(sheet), frameon=True, framealpha=1.0, edgecolor="black", handlelength=3.5)
    caption(sheet, f"Figure {sheet.choice(3, 7, 12)}. Actuarial survival of the groups by the product-limit method.")


def annals(sheet: Sheet):
    """A journal of a society: condensed type, a pale blue panel, offset axes, bold bars over the table, n (events) in the legend."""
    n = len(sheet.arms)
    ax = sheet.axes(left=98, right=18, top=54, bottom=54 + 1.4 * sheet.points * (n + 1.3))
    ax.set_facecolor(sheet.choice("#eef4fa", "#f4f1ea", "#ebebeb"))
    sheet.scales(ax, step=0.25, form=lambda v: bare(v) if abs(v * 10 % 1) < 1e-6 else f"{v:.2f}".replace("0.", "."),
                 pad=(0.03, 0.03, 0.03, 0.03))  # fmt: skip
    sheet.frame(ax, width=1.0, length=4)
    for side in ("left", "bottom"):
        ax.spines[side].set_position(("outward", 5))
    inks = inks_of(sheet, sheet.choice(*DARK))
    sheet.curves(ax, inks, width=1.6, mark=sheet.choice("x", "+", ""), size=4)
    labels = [f"{a.name} ({int(a.event.sum())} events/{len(a.time)})" for a in sheet.arms]
    key(sheet, ax, inks, labels=labels, loc="lower left", bbox_to_anchor=(-0.02, 1.0), frameon=False, ncol=1 if n < 3 else 2,
        columnspacing=1.0, fontsize=0.85 * sheet.points)  # fmt: skip
    ax.set_ylabel(sheet.choice("Cumulative survival", "Relapse-free survival", "Survival proportion"))
    sheet.under(ax, sheet.end / 2, f"{sheet.unit.capitalize()} from diagnosis", 31)
    down = 48
    tall = 72 * sheet.page.get_size_inches()[1] * ax.get_position().height
    ax.plot([-0.2, 1], [-(down - 8) / tall] * 2, transform=ax.transAxes, color="black", lw=0.9, clip_on=False)
    sheet.at_risk(ax, down=down, heading=sheet.choice("N at risk", "Patients remaining at risk", "Nr. at risk"), left=92, size=0.9,
                  row=1.4 * sheet.points, comma=True)  # fmt: skip
    corner = (0.97, 0.96, "right", "top") if open_corner(sheet) == "upper right" else (0.03, 0.05, "left", "bottom")
    box(
        sheet,
        ax,
        corner[:2],
        sheet.choice(*RATIOS) + "\n" + sheet.choice(*P_VALUES),
        ha=corner[2],
        va=corner[3],
        frame=sheet.chance(0.5),
    )


MAIN = ("months", "years")
REVISED = (
    ("Cemented", "Cementless", "Hybrid"),
    ("CR", "PS"),
    ("<65 years", "65–74 years", "≥75 years"),
    ("Fixed", "Mobile"),
)
LONGER = (("Surgery alone", "Surgery followed by chemotherapy", "Radiotherapy plus weekly cisplatin"), ("Allo-SCT", "Auto-SCT", "No SCT"),
          ("TGF-β1 low", "TGF-β1 high"), ("R-CHOP", "R-CHOP + lenalidomide"), ("WBC <50 ×10⁹/L", "WBC ≥50 ×10⁹/L"))  # fmt: skip
SHORT = (*CODES, ("<65 years", "≥65 years"), ("G1-2", "G3"), ("R0", "R1", "R2"), ("Placebo", "Dose 5 mg", "Dose 10 mg"), ("HER2+", "HER2−"),
         ("IFN-α", "IL-2", "CD8⁺"), ("Never", "Former", "Current"), ("PaO₂ <60", "PaO₂ ≥60"), ("T1", "T2", "T3/T4", "Tx"))  # fmt: skip
PAPERS = {
    "annalspanel": Model(Style(annals, (6.0, 5.2), (560, 1500), font=NARROW, scale=1.0, points=10), SHORT),
    "censoredrows": Model(Style(censored_rows, (7.2, 5.6), (650, 1500), scale=1.0, points=8.5, unit=("weeks", "months", "days")), SHORT),
    "chinese": Model(Style(chinese, (4.8, 4.2), (560, 1000), font=SERIF, points=10, scale=100.0, unit=MAIN), SHORT),
    "chineseshare": Model(Style(chinese, (5.4, 4.0), (560, 1000), font=SANS, points=9, scale=1.0, unit=("months",)), SHORT),
    "eortc": Model(Style(eortc, (7.0, 5.2), (640, 1500), unit=("years",), points=9.5)),
    "french": Model(Style(french, (6.2, 4.9), (560, 1500), font="P052", scale=1.0, points=9.5, unit=MAIN), FRENCH),
    "german": Model(Style(german, (6.2, 4.8), (560, 1500), font="Nimbus Sans", scale=1.0, points=9.5), GERMAN),
    "germanpercent": Model(Style(german, (5.8, 4.8), (560, 1400), font=SERIF, points=10, unit=("years", "days")), GERMAN),
    "leaders": Model(Style(leaders, (6.2, 4.2), (560, 1500), scale=1.0, points=9.5), LONGER),
    "nsabp": Model(Style(nsabp, (5.8, 4.8), (560, 1300), points=10, unit=("years",))),
    "photograph": Model(Style(photograph, (8.0, 5.6), (700, 1500), points=12.5), SHORT, photograph=True),
    "registry": Model(Style(registry, (6.8, 4.8), (640, 1500), direction="incidence", unit=("years",)), REVISED),
    "spanish": Model(Style(spanish, (6.2, 4.4), (600, 1200), scale=1.0, unit=MAIN), SPANISH),
    "squared": Model(Style(squared, (6.0, 4.8), (600, 1300), font="DejaVu Sans Mono", scale=1.0, points=8.5, arms=(2, 2, 3)), SHORT),
    "swog": Model(Style(swog, (6.2, 4.8), (560, 1300), font="C059", points=10, unit=MAIN), SHORT),
    "tableabove": Model(Style(table_above, (6.2, 5.0), (560, 1500), points=9.5, unit=("years", "months")), SHORT),
}  # fmt: skip
