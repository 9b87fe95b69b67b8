"""How journals and statistics programs print Kaplan-Meier figures: one function draws one style on a `Sheet`."""

from __future__ import annotations

import numpy as np

from benchmarks.figure_sheets import DASHED, DOTTED, LONG, MIXED, MONO, NARROW, SERIF, SOLID, Sheet, Style

STATA = ("#1a476f", "#90353b", "#55752f", "#e37e00")
HUES = (
    ("#c8102e", "#1f4e9c", "#2e8b57", "#f2a900"),
    ("#0072bc", "#ed1c24", "#8dc63f", "#92278f"),
    ("#d55e00", "#0072b2", "#009e73", "#cc79a7"),
    ("#b2182b", "#2166ac", "#7f7f7f", "#1b7837"),
    ("#e41a1c", "#377eb8", "#4daf4a", "#984ea3"),
    ("#000000", "#d7191c", "#2b83ba", "#fdae61"),
    ("#5b2c83", "#f58220", "#00a79d", "#a6192e"),
)


def _inks(sheet, colours=None):
    colours = colours or sheet.choice(*HUES)
    return [(c, SOLID) for c in colours[: len(sheet.arms)]]


def _strokes(sheet, dashes, ink="#000000"):
    return [(ink, d) for d in dashes[: len(sheet.arms)]]


def _since(sheet):
    word = sheet.unit
    return sheet.choice(f"Time ({word})", f"{word.capitalize()} since randomization", word.capitalize(),
                        f"Time since randomisation ({word})", f"{word.capitalize()} after surgery")  # fmt: skip


def _outcome(sheet, form="{} (%)"):
    what = sheet.choice(
        "Overall survival", "Progression-free survival", "Event-free survival", "Survival", "Freedom from event"
    )
    return form.format(what) if sheet.scale == 100 else sheet.choice(what, f"Probability of {what.lower()}")


def _p(sheet):
    return sheet.choice("P = 0.03", "p<0.001", "Log-rank P=.12", "P < 0.0001", "log-rank p = 0.047")


def _ratio(sheet):
    return sheet.choice(
        "HR 0.72 (95% CI, 0.58-0.90)", "Hazard ratio, 0.61 (95% CI, 0.45–0.83)", "HR=0.84; 95% CI 0.66 to 1.07"
    )


def _key(sheet, ax, inks, *, labels=None, **placed):
    """A legend with one line for each arm."""
    from matplotlib.lines import Line2D

    width = placed.pop("width", 1.4)
    lines = [Line2D([], [], color=c, ls=d, lw=width) for c, d in inks]
    placed.setdefault("fontsize", 0.9 * sheet.points)
    return ax.legend(lines, labels or [a.name for a in sheet.arms], **placed)


def stata(sheet: Sheet):
    """Stata before 18: blue-grey surround, upright labels of y, legend in a box below."""
    n = len(sheet.arms)
    risk = sheet.chance(0.6)
    left = 84 if risk else 50
    foot = 66 + (20 if n > 2 else 8) + (1.4 * sheet.points * (n + 1) if risk else 0)
    ax = sheet.axes(left=left, right=16, top=34, bottom=foot)
    ax.set_facecolor("white")
    sheet.scales(ax, step=0.25, form="{:.2f}", pad=(0.02, 0.02, 0.02, 0.02))
    sheet.frame(ax, width=0.8)
    ax.grid(True, axis="y", color="#eaf2f3", lw=1.2)
    ax.set_axisbelow(True)
    for label in ax.get_yticklabels():
        label.set(rotation=90, va="center")
    inks = _inks(sheet, STATA)
    sheet.curves(ax, inks, width=1.5, band=0.25 if sheet.chance(0.2) else 0)
    ax.set_title(
        sheet.choice("Kaplan-Meier survival estimates", "Kaplan-Meier survival estimates, by treat"), color="#1e2d53"
    )
    word = sheet.choice("treat", "group", "arm", "stage")
    names = [f"{word} = {k}" for k in range(n)] if sheet.chance(0.5) else [a.name for a in sheet.arms]
    if risk:
        sheet.at_risk(ax, down=36, heading="Number at risk", left=76, names=names, weight="normal", size=0.85)
        sheet.under(ax, sheet.end / 2, "analysis time", 22)
    else:
        ax.set_xlabel("analysis time" if sheet.chance(0.6) else _since(sheet))
    held = _key(sheet, ax, inks, labels=names, loc="lower center", ncol=2, frameon=True, fancybox=False, width=1.5,
                bbox_to_anchor=(0.5, 0.01), bbox_transform=sheet.page.transFigure, handlelength=4)  # fmt: skip
    held.get_frame().set(edgecolor="black", linewidth=0.7, facecolor="white")


def stata_white(sheet: Sheet):
    """Stata with scheme s1mono or stcolor: white, numbers at risk under the names' own rows, legend at the side."""
    mono = sheet.chance(0.4)
    n = len(sheet.arms)
    inks = (
        _strokes(sheet, (SOLID, DASHED, DOTTED, MIXED))
        if mono
        else _inks(sheet, ("#1a85ff", "#d41159", "#00bf7f", "#ffd400"))
    )
    ax = sheet.axes(left=76, right=20 if mono else 110, top=26, bottom=64 + 1.4 * sheet.points * (n + 1))
    sheet.scales(ax, step=0.25, form="{:.2f}", pad=(0.03, 0.03, 0.03, 0.03))
    sheet.frame(ax, sides="lbrt" if mono else "lb")
    if not mono:
        ax.grid(True, color="#ececec", lw=0.7)
        ax.set_axisbelow(True)
    sheet.curves(ax, inks, width=1.3)
    ax.set_ylabel("Survival probability")
    sheet.under(ax, sheet.end / 2, f"Follow-up ({sheet.unit})", 26)
    sheet.at_risk(ax, down=44, heading="Number at risk", left=70, weight="normal", size=0.85)
    if mono:
        _key(sheet, ax, inks, loc="lower left", frameon=True, fancybox=False, edgecolor="black", handlelength=4)
    else:
        _key(sheet, ax, inks, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, title="treatment")
    sheet.marked = False


def spss(sheet: Sheet):
    """SPSS: Survival Functions, Cum Survival, each arm twice in the legend, the second with its censored mark."""
    from matplotlib.lines import Line2D

    ax = sheet.axes(left=54, right=132, top=34, bottom=46)
    grey = sheet.chance(0.5)
    ax.set_facecolor("#f0f0f0" if grey else "white")
    form = sheet.choice("{:.1f}", "{:.1f}", "{:,.2f}")
    sheet.scales(ax, step=0.2, form=form, pad=(0.03, 0.05, 0.04, 0.05))
    if sheet.chance(0.4):
        ax.set_xticks(ax.get_xticks(), [f"{v:.2f}" for v in ax.get_xticks()])
    sheet.frame(ax, sides="lbrt", width=0.9, length=4)
    colours = sheet.choice(("#3e58ac", "#2eb848", "#d3ce97", "#7d287d"), ("#1192e8", "#fa4d56", "#005d5d", "#9f1853"),
                           ("#0000ff", "#007f00", "#b22222", "#7f007f"))  # fmt: skip
    inks = _inks(sheet, colours)
    sheet.curves(ax, inks, width=1.2, mark="+", size=5, stroke=1.0)
    ax.set_title("Survival Functions", fontweight="bold", fontsize=1.25 * sheet.points)
    ax.set_ylabel("Cum Survival", fontweight="bold")
    ax.set_xlabel(sheet.choice("OS", "time", "Follow-up (months)", "survival_time"), fontweight="bold")
    lines = [Line2D([], [], color=c, lw=1.2) for c, _ in inks]
    crosses = [Line2D([], [], color=c, lw=1.2, marker="+", ms=6) for c, _ in inks]
    names = [a.name for a in sheet.arms]
    held = ax.legend(lines + crosses, names + [f"{n}-censored" for n in names], loc="upper left", fontsize=0.8 * sheet.points,
                     bbox_to_anchor=(1.01, 1.0), frameon=False, title=sheet.choice("group", "Treatment", "stage"))  # fmt: skip
    held.set_alignment("left")


def prism(sheet: Sheet):
    """GraphPad Prism: thick axes with ticks outside, few labels, ticks for censored, names at the right ends."""
    ends = sheet.chance(0.6)
    ax = sheet.axes(left=66, right=130, top=30, bottom=56)
    spine = sheet.rng.uniform(1.4, 2.2)
    sheet.scales(
        ax, step=sheet.choice(0.5, 0.25, 0.2), form="{:.0f}", pad=(0, 0.02, 0, 0.1 if sheet.chance(0.4) else 0)
    )
    sheet.frame(ax, width=spine, length=6)
    ax.spines["left"].set_bounds(0, 100)
    if sheet.chance(0.5):
        for side in ("left", "bottom"):
            ax.spines[side].set_position(("outward", 0))
    ax.tick_params(labelsize=1.1 * sheet.points)
    inks = _inks(sheet)
    sheet.curves(ax, inks, width=sheet.rng.uniform(1.8, 2.6), mark="|" if sheet.chance(0.7) else "", size=7, stroke=1.6)
    ax.set_ylabel(
        sheet.choice("Percent survival", "Probability of Survival", "Overall survival (%)"), fontweight="bold"
    )
    ax.set_xlabel(sheet.choice(f"{sheet.unit.capitalize()} elapsed", f"Time ({sheet.unit})", "Days post implantation"),
                  fontweight="bold")  # fmt: skip
    if ends:
        levels = _apart([float(a.steps[-1, 1]) for a in sheet.arms], 0.085)
        for arm, (ink, _), level in zip(sheet.arms, inks, levels, strict=True):
            ax.annotate(arm.name, (1.04, level * 100), xycoords=ax.get_yaxis_transform(), color=ink, va="center")
    else:
        _key(sheet, ax, inks, loc="center left", bbox_to_anchor=(1.02, 0.6), frameon=False, width=2.2)
    if sheet.chance(0.6):
        ax.text(0.06 * sheet.end, 12, sheet.choice("**", "P = 0.0021", "ns", "p < 0.0001"), fontsize=1.1 * sheet.points)


def _apart(levels, least):
    """Levels pushed at least so far from each other, in their order."""
    order = np.argsort(levels)
    out, last = [0.0] * len(levels), -1.0
    for k in order:
        out[k] = max(levels[k], last + least)
        last = out[k]
    return out


def medcalc(sheet: Sheet):
    """MedCalc: a box with ticks inside, a legend box at the right, names of groups above their numbers at risk."""
    n = len(sheet.arms)
    risk = sheet.chance(0.7)
    foot = 44 + (1.3 * sheet.points * (2 * n + 1) if risk else 0)
    ax = sheet.axes(left=52, right=112, top=16, bottom=foot)
    sheet.scales(ax, step=sheet.choice(0.1, 0.2), form="{:.0f}", pad=(0, 0, 0, 0))
    sheet.frame(ax, sides="lbrt", width=0.8, ticks="in", length=4)
    inks = [(c, d) for (c, _), d in zip(_inks(sheet, ("#00007f", "#e08000", "#007f00", "#bf0000")),
                                        (SOLID, DASHED, DOTTED, MIXED) if sheet.chance(0.4) else (SOLID,) * 4, strict=False)]  # fmt: skip
    sheet.curves(ax, inks, width=1.1, mark="|", size=4, stroke=0.8)
    ax.set_ylabel("Survival probability (%)")
    ax.set_xlabel(sheet.choice("Time", f"Time ({sheet.unit})"))
    held = _key(sheet, ax, inks, loc="upper left", bbox_to_anchor=(1.02, 1.0), fancybox=False, title=sheet.choice("Group", "TREAT"),
                fontsize=0.8 * sheet.points, handlelength=1.6)  # fmt: skip
    held.get_frame().set(edgecolor="black", linewidth=0.7)
    if risk:
        times, rows = sheet.counts()
        line = 1.3 * sheet.points
        sheet.margin(ax, "Number at risk", 40, left=40, fontsize=0.85 * sheet.points)
        for k, (arm, (found, _, _)) in enumerate(zip(sheet.arms, rows, strict=True)):
            sheet.margin(ax, f"Group: {arm.name}", 40 + (2 * k + 1) * line, left=40, fontsize=0.85 * sheet.points)
            for t, count in zip(times, found, strict=True):
                sheet.under(ax, t, str(count), 40 + (2 * k + 2) * line, fontsize=0.85 * sheet.points)
        sheet.keep_table(times, rows)


def jmp(sheet: Sheet):
    """JMP: a grey page, a framed white plot, 'Surviving', a short legend at the right."""
    ax = sheet.axes(left=48, right=110, top=30, bottom=42)
    ax.set_facecolor("white")
    sheet.scales(ax, step=sheet.choice(0.1, 0.2), form="{:.1f}", pad=(0.0, 0.03, 0.0, 0.05))
    sheet.frame(ax, sides="lbrt", width=0.8, length=3)
    if sheet.chance(0.5):
        for value in np.arange(0.1, 1.0, 0.1):
            ax.plot(
                [-0.006, 0], [value, value], transform=ax.get_yaxis_transform(), color="black", lw=0.6, clip_on=False
            )
    inks = _inks(sheet, ("#e8464b", "#3f60ae", "#47a547", "#9b5fb5"))
    sheet.curves(ax, inks, width=1.1, band=0.2 if sheet.chance(0.3) else 0)
    ax.set_ylabel("Surviving")
    ax.set_xlabel(sheet.choice("time", "Months", "Time to event"))
    ax.set_title("Survival Plot", loc="left", fontweight="bold")
    _key(sheet, ax, inks, loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, width=1.2, handlelength=1.2)


def sas(sheet: Sheet):
    """SAS LIFETEST by ODS: titles, + Censored and the log-rank p in a corner, numbers at risk inside above the axis."""
    n = len(sheet.arms)
    inside = sheet.chance(0.6)
    ax = sheet.axes(left=64 if inside else 70, right=16, top=44, bottom=76 if inside else 82 + 1.4 * sheet.points * n)
    tall = 72 * sheet.style.inches[1] - 120
    foot = 1.35 * sheet.points * (n + 0.6) / tall if inside else 0.03
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.03, 0.03, foot / (1 - foot) if inside else 0.03, 0.04))
    sheet.frame(ax, sides="lbrt", width=0.7, length=3)
    inks = _inks(sheet, ("#445694", "#a23a2e", "#01665e", "#543005"))
    sheet.curves(ax, inks, width=1.2, mark="+", size=5, band=0.25 if sheet.chance(0.35) else 0)
    ax.set_title("Product-Limit Survival Estimates", fontweight="bold", fontsize=1.15 * sheet.points, y=1.06)
    ax.text(0.5, 1.02, "With Number of Subjects at Risk", transform=ax.transAxes, ha="center", fontsize=sheet.points)
    ax.set_ylabel("Survival Probability")
    ax.set_xlabel(sheet.choice("time", "Survival Time (Months)", "Time in Study"))
    corner = ax.text(0.985, 0.975, "+ Censored\nLogrank p=0.0023", transform=ax.transAxes, ha="right", va="top",
                     fontsize=0.85 * sheet.points)  # fmt: skip
    corner.set_bbox({"facecolor": "white", "edgecolor": "#b0b0b0", "linewidth": 0.6, "pad": 3})
    if inside:
        times, rows = sheet.counts()
        low = ax.get_ylim()[0]
        for k, (arm, (found, _, _), (ink, _)) in enumerate(zip(sheet.arms, rows, inks, strict=True)):
            y = low + (1.35 * sheet.points * (n - k - 0.4) / tall) * (1 - low)
            ax.annotate(arm.name[:12], (-0.01, y), xycoords=ax.get_yaxis_transform(), ha="right", va="center", color=ink,
                        fontsize=0.7 * sheet.points, annotation_clip=False)  # fmt: skip
            for t, count in zip(times, found, strict=True):
                ax.text(t, y, str(count), ha="center", va="center", color=ink, fontsize=0.85 * sheet.points)
        sheet.keep_table(times, rows)
    else:
        sheet.at_risk(ax, down=38, heading="At Risk", left=62, size=0.85, inks=[c for c, _ in inks], weight="normal")
    _key(sheet, ax, inks, loc="lower center", ncol=n, bbox_to_anchor=(0.5, 0.01), bbox_transform=sheet.page.transFigure,
         fancybox=False, title=None, width=1.2, fontsize=0.8 * sheet.points)  # fmt: skip


def nejm(sheet: Sheet):
    """NEJM: percent by tens, names beside the curves, a small table of medians, sometimes the same curves enlarged inside."""
    n = len(sheet.arms)
    ax = sheet.axes(left=94, right=16, top=16, bottom=52 + 1.35 * sheet.points * (n + 1))
    sheet.scales(ax, step=0.1, form="{:.0f}", pad=(0, 0.01, 0, 0))
    sheet.frame(ax, width=0.7, length=4)
    inks = _inks(sheet)
    sheet.curves(ax, inks, width=1.6)
    ax.set_ylabel(_outcome(sheet, "Patients with {} (%)") if sheet.chance(0.3) else _outcome(sheet))
    ax.set_xlabel(_since(sheet))
    low = min(float(a.at(0.7 * sheet.end)) for a in sheet.arms)
    if low > 0.75:
        small = ax.inset_axes((0.3, 0.12, 0.66, 0.5))
        sheet.curves(small, inks, width=1.2, kept=False)
        foot = np.floor(10 * min(float(a.steps[-1, 1]) for a in sheet.arms)) * 10
        small.set_xlim(0, sheet.end)
        small.set_ylim(min(foot, 80), 100)
        small.set_xticks(sheet.ticks)
        sheet.frame(small, width=0.6, length=3)
        small.tick_params(labelsize=0.75 * sheet.points)
    else:
        _medians(sheet, ax)
        if sheet.chance(0.4):
            ax.text(0.03, 0.06, _ratio(sheet), transform=ax.transAxes, fontsize=0.85 * sheet.points)
    if sheet.chance(0.7):
        sheet.beside(ax, [c if sheet.chance(0.8) else "black" for c, _ in inks])
    else:
        _key(sheet, ax, inks, loc="lower left", bbox_to_anchor=(0.02, 0.12), frameon=False)
    sheet.at_risk(ax, down=40, heading="No. at Risk", left=88, size=0.9, stride=2 if len(sheet.ticks) > 8 else 1)


def _medians(sheet, ax):
    """A table of medians in the upper right corner, no rules."""
    head = sheet.choice("No. of\nEvents", "No. of\nPatients")
    columns = (1.0 - 0.36, 1.0 - 0.17, 1.0)
    ax.text(columns[1], 1.0, head, transform=ax.transAxes, ha="right", va="top", fontsize=0.7 * sheet.points)
    ax.text(
        columns[2], 1.0, "Median\n(95% CI)", transform=ax.transAxes, ha="right", va="top", fontsize=0.7 * sheet.points
    )
    for k, arm in enumerate(sheet.arms):
        y = 0.89 - 0.05 * k
        below = arm.steps[arm.steps[:, 1] <= 0.5]
        median = f"{below[0, 0]:.1f}" if len(below) else "NR"
        for x, text in zip(columns, (arm.name, str(int(arm.event.sum())), median), strict=True):
            ax.text(x, y, text, transform=ax.transAxes, ha="right", va="top", fontsize=0.7 * sheet.points)


def lancet(sheet: Sheet):
    """The Lancet: number at risk (number censored) with brackets, raised decimal points, a key inside."""
    n = len(sheet.arms)
    ax = sheet.axes(left=98, right=16, top=16, bottom=54 + 1.35 * sheet.points * (n + 2))
    sheet.scales(ax, step=sheet.choice(0.2, 0.25, 0.1), form="{:.0f}", pad=(0, 0.02, 0, 0.02))
    sheet.frame(ax, width=0.8, length=4)
    inks = _inks(
        sheet, sheet.choice(("#00468b", "#ed0000", "#42b540", "#0099b4"), ("#e4007f", "#00509f", "#f39800", "#00913a"))
    )
    sheet.curves(ax, inks, width=1.3, mark=sheet.choice("|", ""), size=4)
    ax.set_ylabel(_outcome(sheet))
    ax.set_xlabel(f"Time since randomisation ({sheet.unit})")
    _key(sheet, ax, inks, loc=sheet.choice("upper right", "lower left"), frameon=False, handlelength=1.5)
    where = (0.97, 0.72) if sheet.chance(0.5) else (0.97, 0.6)
    ax.text(
        *where,
        "HR 0·68 (95% CI 0·51–0·90);\np=0·0061",
        transform=ax.transAxes,
        ha="right",
        fontsize=0.85 * sheet.points,
    )
    if sheet.chance(0.6):
        sheet.at_risk(ax, down=40, heading="Number at risk\n(number censored)", left=92, size=0.85, form="lost",
                      stride=2 if len(sheet.ticks) > 7 else 1)  # fmt: skip
    else:
        sheet.at_risk(ax, down=40, heading="Number at risk", left=92, size=0.9)


def jama(sheet: Sheet):
    """JAMA: a lettered bar above, thin orange and blue lines, names on lines that lead to the curves, bold 'No. at risk'."""
    n = len(sheet.arms)
    ax = sheet.axes(left=92, right=18, top=40, bottom=52 + 1.35 * sheet.points * (n + 1))
    sheet.scales(ax, step=0.2, form="{:.0f}", pad=(0, 0.01, 0, 0.02))
    sheet.frame(ax, width=0.6, length=3)
    inks = _inks(
        sheet, sheet.choice(("#00a0d2", "#e88b2e", "#6a4c93", "#00796b"), ("#df8f44", "#374e55", "#00a1d5", "#b24745"))
    )
    sheet.curves(ax, inks, width=1.2, band=0.2 if sheet.chance(0.4) else 0)
    ax.set_ylabel("Overall survival, %" if sheet.chance(0.6) else "Patients surviving, %")
    ax.set_xlabel(f"Time since enrollment, {sheet.unit[:-1]}" if sheet.chance(0.5) else f"Follow-up, {sheet.unit[:2]}")
    bar = ax.get_position()
    sheet.page.text(0.02, bar.y1 + 0.055, "A", fontweight="bold", color="white", fontsize=sheet.points, va="center",
                    bbox={"facecolor": "black", "edgecolor": "black", "pad": 2.5})  # fmt: skip
    sheet.page.text(0.055, bar.y1 + 0.055, "Overall survival by treatment group", fontsize=sheet.points, va="center")
    sheet.beside(ax, ["black" if sheet.chance(0.5) else c for c, _ in inks])
    if sheet.chance(0.6):
        ax.text(0.03, 0.07, _ratio(sheet) + "\nLog-rank P = .02", transform=ax.transAxes, fontsize=0.85 * sheet.points)
    sheet.at_risk(ax, down=42, heading="No. at risk", left=86)


def jco(sheet: Sheet):
    """JCO: a table of medians and a hazard ratio inside, medians' guides, survival as a proportion in small type."""
    n = len(sheet.arms)
    ax = sheet.axes(left=88, right=14, top=14, bottom=48 + 1.35 * sheet.points * (n + 1))
    sheet.scales(ax, step=sheet.choice(0.1, 0.2), form="{:.1f}", pad=(0, 0.01, 0, 0.03))
    sheet.frame(ax, width=0.8)
    inks = _inks(sheet)
    sheet.curves(ax, inks, width=1.5, mark=sheet.choice("|", "|", "o"), size=4)
    if sheet.chance(0.5):
        for arm in sheet.arms:
            below = arm.steps[arm.steps[:, 1] <= 0.5]
            if len(below):
                ax.plot([below[0, 0]] * 2, [0, 0.5], color="#555555", lw=0.8, ls=DASHED)
        ax.plot([0, sheet.end * 0.6], [0.5, 0.5], color="#555555", lw=0.8, ls=DASHED)
    ax.set_ylabel("OS (probability)" if sheet.chance(0.5) else "PFS (proportion)")
    ax.set_xlabel(f"Time ({sheet.unit})")
    _key(sheet, ax, inks, loc="lower left", frameon=False, handlelength=1.8, fontsize=0.8 * sheet.points,
         labels=[f"{a.name} (n = {len(a.time)})" for a in sheet.arms] if sheet.chance(0.5) else None)  # fmt: skip
    _medians(sheet, ax)
    sheet.at_risk(ax, down=38, heading=sheet.choice("No. at risk:", "No. at risk"), left=82, size=0.85,
                  inks=[c for c, _ in inks] if sheet.chance(0.4) else None)  # fmt: skip


def nature(sheet: Sheet):
    """Nature Medicine: two small panels with bold small letters, thin axes, names in the colours of the curves."""
    n = len(sheet.arms)
    half = 72 * sheet.style.inches[0] / 2
    foot = 34 + 1.4 * sheet.points * (n + 1)
    ax = sheet.axes(left=62, right=half + 8, top=18, bottom=foot)
    other = sheet.axes(left=half + 50, right=8, top=18, bottom=foot, keep=False)
    inks = _inks(sheet)
    for panel, letter in ((ax, "a"), (other, "b")):
        sheet.scales(panel, step=0.2 if sheet.chance(0.5) else 0.25, form="{:.0f}", pad=(0.01, 0.01, 0, 0.02))
        sheet.frame(panel, width=0.5, length=2.5)
        panel.set_xlabel(f"Time ({sheet.unit})")
        panel.set_ylabel("OS (%)" if letter == "a" else "PFS (%)")
        panel.annotate(letter, (0, 1), xycoords="axes fraction", xytext=(-40, 6), textcoords="offset points", fontweight="bold",
                       fontsize=1.2 * sheet.points)  # fmt: skip
    sheet.curves(ax, inks, width=0.9, mark=sheet.choice("|", ""), size=3, stroke=0.6)
    lower = sheet.arms[0]
    t = np.append(lower.steps[:, 0], lower.last) * 0.8
    other.step(t, 100 * np.append(lower.steps[:, 1], lower.steps[-1, 1]) ** 1.6, where="post", color="#777777", lw=0.9)
    for k, (arm, (ink, _)) in enumerate(zip(sheet.arms, inks, strict=True)):
        ax.text(
            0.98,
            0.97 - 0.075 * k,
            f"{arm.name} (n = {len(arm.time)})",
            transform=ax.transAxes,
            ha="right",
            va="top",
            color=ink,
        )
    ax.text(0.04, 0.06, "HR = 0.61, P = 0.004", transform=ax.transAxes)
    sheet.at_risk(ax, down=32, heading="No. at risk", left=56, size=0.95, inks=[c for c, _ in inks] if sheet.chance(0.6) else None,
                  weight="normal")  # fmt: skip


def bmj(sheet: Sheet):
    """The BMJ: pale lines across, no spine at the left, the title of y above in one line, thick curves."""
    n = len(sheet.arms)
    ax = sheet.axes(left=92, right=18, top=34, bottom=46 + 1.4 * sheet.points * (n + 1))
    sheet.scales(ax, step=0.2, form="{:.0f}", pad=(0, 0, 0, 0.01))
    sheet.frame(ax, sides="b", width=0.8, length=4)
    ax.tick_params(axis="y", length=0)
    ax.grid(True, axis="y", color="#d5e3ea", lw=1.0)
    ax.set_axisbelow(True)
    inks = _inks(sheet, ("#2a6ebb", "#cd202c", "#69be28", "#f0ab00"))
    sheet.curves(ax, inks, width=2.0, band=0.18 if sheet.chance(0.3) else 0)
    ax.annotate(
        "Survival (%)",
        (0, 1),
        xycoords="axes fraction",
        xytext=(-24, 14),
        textcoords="offset points",
        fontweight="bold",
    )
    ax.set_xlabel(f"{sheet.unit.capitalize()} since randomisation", fontweight="bold")
    _key(sheet, ax, inks, loc="upper right", frameon=False, width=2.0, handlelength=1.2)
    sheet.at_risk(ax, down=40, heading="No at risk", left=86)


def japanese(sheet: Sheet):
    """Papers of surgical societies in Japan: black lines, a box with ticks inside, names with n beside the curves."""
    ax = sheet.axes(left=54, right=16, top=22, bottom=46)
    sheet.scales(ax, step=sheet.choice(0.2, 0.5, 0.1), form="{:.0f}", pad=(0, 0, 0, 0))
    sheet.frame(ax, sides=sheet.choice("lbrt", "lb"), width=1.0, ticks="in", length=4)
    inks = _strokes(sheet, sheet.choice((SOLID, DOTTED, DASHED, MIXED), (SOLID, DASHED, DOTTED, MIXED)))
    sheet.curves(ax, inks, width=1.3, mark="|" if sheet.chance(0.35) else "", size=4)
    ax.annotate("(%)", (0, 1), xycoords="axes fraction", xytext=(-26, 8), textcoords="offset points")
    ax.set_ylabel("Survival  rate")
    ax.set_xlabel(
        sheet.choice(f"{sheet.unit.capitalize()}  after  operation", f"Time  after  surgery  ( {sheet.unit} )")
    )
    names = [f"{a.name} (n={len(a.time)})" for a in sheet.arms]
    if sheet.chance(0.6):
        sheet.beside(ax, ["black"] * len(names), names=names, size=0.9)
    else:
        _key(sheet, ax, inks, labels=names, loc="lower left", frameon=False, handlelength=3)
    if sheet.chance(0.6):
        ax.text(0.7 * sheet.end, 92, sheet.choice("p < 0.01", "P = 0.032", "N.S."))


def old_paper(sheet: Sheet):
    """A paper of the 1990s, scanned: black strokes, capitals, sometimes the numbers at risk along the axis."""
    risk = sheet.chance(0.4)
    n = len(sheet.arms)
    ax = sheet.axes(left=70, right=18, top=20, bottom=50 + (1.4 * sheet.points * (n + 1) if risk else 0))
    whole = sheet.chance(0.5)
    form = (lambda v: f"{v:.0f}") if whole else (lambda v: f"{v:.0f}%")
    sheet.scales(ax, step=sheet.choice(0.2, 0.25), form=form, pad=(0, 0.01, 0, 0.02))
    sheet.frame(ax, width=1.0, ticks=sheet.choice("in", "out"), length=4)
    inks = _strokes(sheet, (SOLID, DASHED, DOTTED))
    sheet.curves(ax, inks, width=1.3, mark="|" if sheet.chance(0.4) else "", size=4)
    ax.set_ylabel(sheet.choice("CUMULATIVE SURVIVAL", "PERCENT SURVIVING", "Surviving (%)"))
    ax.set_xlabel(
        sheet.choice(f"{sheet.unit.upper()} AFTER RANDOMIZATION", f"Time in {sheet.unit}", sheet.unit.upper())
    )
    if sheet.chance(0.5):
        _key(sheet, ax, inks, loc="lower left", frameon=False, handlelength=3.5)
    else:
        sheet.beside(ax, ["black"] * n)
    if risk:
        sheet.at_risk(
            ax, down=40, heading=sheet.choice("NUMBER AT RISK", "No. at risk"), left=66, weight="normal", size=0.85
        )


def lifelines(sheet: Sheet):
    """lifelines with its block of rows: at risk, censored, events of each arm under the arm's name."""
    n = len(sheet.arms)
    block = sheet.chance(0.6)
    line = 1.3 * sheet.points
    ax = sheet.axes(left=70 if block else 44, right=16, top=24, bottom=40 + (line * (4 * n) if block else 0))
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.05, 0.05, 0.05, 0.05))
    sheet.frame(ax, sides="lbrt", width=0.8, length=3.5)
    inks = _inks(sheet, ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728"))
    sheet.curves(ax, inks, width=1.5, band=0.25, mark="+" if sheet.chance(0.25) else "", size=6)
    ax.set_xlabel("timeline")
    _key(sheet, ax, inks, loc=sheet.choice("upper right", "lower left"), width=1.5)
    if block:
        times, rows = sheet.counts()
        for k, (arm, parts) in enumerate(zip(sheet.arms, rows, strict=True)):
            top = 40 + 4 * k * line
            sheet.margin(ax, arm.name, top, left=-4, fontsize=0.9 * sheet.points, fontweight="bold")
            for j, (word, values) in enumerate(zip(("At risk", "Censored", "Events"), parts, strict=True)):
                sheet.margin(ax, word, top + (j + 1) * line, left=18, ha="right", fontsize=0.9 * sheet.points)
                for t, value in zip(times, values, strict=True):
                    sheet.under(ax, t, str(value), top + (j + 1) * line, fontsize=0.9 * sheet.points)
        sheet.keep_table(times, rows)


def sksurv(sheet: Sheet):
    """scikit-survival's user guide: no more than the lines, a band and mathematics on the axes."""
    ax = sheet.axes(left=48, right=14, top=16, bottom=42)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.05, 0.05, 0.0, 0.0))
    sheet.frame(ax, sides="lbrt", length=3.5)
    inks = _inks(sheet, ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728"))
    sheet.curves(ax, inks, width=1.5, band=0.25 if sheet.chance(0.5) else 0)
    ax.set_ylabel(r"est. probability of survival $\hat{S}(t)$")
    ax.set_xlabel("time $t$")
    _key(sheet, ax, inks, loc="best", width=1.5)


def r_base(sheet: Sheet):
    """R's plot of survfit: a box, y labels upright, lines by colour or by type, small crosses where asked for."""
    ax = sheet.axes(left=52, right=24, top=34, bottom=54)
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.04, 0.04, 0.04, 0.04))
    sheet.frame(ax, sides="lbrt", length=6)
    for label in ax.get_yticklabels():
        label.set(rotation=90, va="center")
    mono = sheet.chance(0.4)
    if mono:
        inks = _strokes(sheet, (SOLID, DASHED, DOTTED, MIXED))
    else:
        inks = _inks(
            sheet,
            sheet.choice(("#000000", "#df536b", "#61d04f", "#2297e6"), ("#ff0000", "#0000ff", "#00cd00", "#00ffff")),
        )
    sheet.curves(ax, inks, width=sheet.choice(0.8, 1.5), mark=sheet.choice("", "+", "|"), size=5)
    ax.set_ylabel(sheet.choice("Survival", "Overall survival probability", "S(t)"), labelpad=8)
    ax.set_xlabel(sheet.choice("Days", "Time", "Months"), labelpad=8)
    _key(sheet, ax, inks, loc=sheet.choice("upper right", "lower left"), frameon=sheet.chance(0.4), fancybox=False, edgecolor="black",
         handlelength=2.2)  # fmt: skip
    if sheet.chance(0.4):
        ax.set_title(
            sheet.choice("Kaplan-Meier curve", "KM by treatment"), fontweight="bold", fontsize=1.2 * sheet.points
        )


def ggsurvfit(sheet: Sheet):
    """ggsurvfit: pale grid, percent signs, legend below, rows of numbers at risk and of events under each other."""
    n = len(sheet.arms)
    line = 1.45 * sheet.points
    ax = sheet.axes(left=88, right=16, top=14, bottom=52 + line * (2 * n + 3))
    sheet.scales(ax, step=0.25, form="{:.0f}%", pad=(0.03, 0.03, 0.05, 0.05))
    sheet.frame(ax, sides="lbrt", width=0.6, length=3, ink="#333333")
    ax.grid(True, color="#ebebeb", lw=0.8)
    ax.set_axisbelow(True)
    inks = _inks(sheet, ("#F8766D", "#00BFC4", "#7CAE00", "#C77CFF"))
    sheet.curves(
        ax, inks, width=1.4, mark="+" if sheet.chance(0.4) else "", size=4, band=0.2 if sheet.chance(0.6) else 0
    )
    ax.set_ylabel("Survival Probability")
    ax.set_xlabel("Time")
    times, rows = sheet.counts()
    both = sheet.chance(0.5)
    depth = 44
    for word, part in (("At Risk", 0), ("Events", 2)) if both else (("At Risk", 0),):
        sheet.margin(ax, word, depth, left=80, fontsize=0.95 * sheet.points, fontweight="bold")
        for k, (arm, values) in enumerate(zip(sheet.arms, rows, strict=True)):
            sheet.margin(ax, arm.name[:16], depth + (k + 1) * line, left=8, ha="right", fontsize=0.8 * sheet.points)
            for t, value in zip(times, values[part], strict=True):
                sheet.under(ax, t, str(value), depth + (k + 1) * line, fontsize=0.85 * sheet.points)
        depth += (n + 1) * line
    sheet.keep_table(times, rows)
    _key(sheet, ax, inks, loc="lower center", ncol=n, bbox_to_anchor=(0.55, 0.0), bbox_transform=sheet.page.transFigure, frameon=False,
         fontsize=0.85 * sheet.points)  # fmt: skip


def kmunicate(sheet: Sheet):
    """KMunicate: bands, a key inside, and for each arm three rows: at risk, censored, events."""
    n = len(sheet.arms)
    line = 1.35 * sheet.points
    ax = sheet.axes(left=72, right=16, top=14, bottom=46 + line * (4 * n + 0.5))
    sheet.scales(ax, step=0.25, form="{:.2f}", pad=(0.02, 0.02, 0, 0.02))
    sheet.frame(ax, sides="lbrt", width=0.6, length=3)
    ax.grid(True, color="#efefef", lw=0.7)
    ax.set_axisbelow(True)
    inks = _inks(
        sheet, sheet.choice(("#E69F00", "#56B4E9", "#009E73", "#0072B2"), ("#7fc97f", "#7b4fa3", "#e08214", "#386cb0"))
    )
    sheet.curves(ax, inks, width=1.4, band=0.2)
    ax.set_ylabel("Estimated (S)urvival")
    ax.set_xlabel(f"Time ({sheet.unit})")
    _key(sheet, ax, inks, loc="lower left", frameon=False)
    times, rows = sheet.counts()
    for k, (arm, parts) in enumerate(zip(sheet.arms, rows, strict=True)):
        top = 48 + 4 * k * line
        sheet.margin(ax, arm.name, top, left=64, fontsize=0.9 * sheet.points, fontweight="bold")
        for j, word in enumerate(("At risk", "Censored", "Events")):
            sheet.margin(ax, word, top + (j + 1) * line, left=64, fontsize=0.85 * sheet.points)
            for t, value in zip(times, parts[j], strict=True):
                sheet.under(ax, t, str(value), top + (j + 1) * line, fontsize=0.85 * sheet.points)
    sheet.keep_table(times, rows)


def _landmarks(sheet, ax, inks, ink):
    """Upright lines at landmark times with the rates beside them."""
    for t in sheet.ticks[[len(sheet.ticks) // 3, 2 * len(sheet.ticks) // 3]]:
        if t <= 0:
            continue
        ax.plot([t, t], [0, 0.9 * sheet.scale], color=ink, lw=0.9, ls=DASHED)
        for arm, (colour, _), lift in zip(sheet.arms, inks, (0.05, -0.05, 0.1, -0.1), strict=False):
            level = float(arm.at(t))
            ax.text(t + 0.01 * sheet.end, (level + lift) * sheet.scale, f"{100 * level:.0f}%", color=colour, va="center",
                    fontsize=0.9 * sheet.points)  # fmt: skip


def slide(sheet: Sheet):
    """A slide of a talk: dark blue, thick bright lines, large letters, photographed or saved off a screen."""
    n = len(sheet.arms)
    risk = sheet.chance(0.5)
    ax = sheet.axes(
        left=110 if risk else 70, right=24, top=62, bottom=60 + (1.4 * sheet.points * (n + 1) if risk else 0)
    )
    sheet.scales(ax, step=0.2, form="{:.0f}", pad=(0, 0.01, 0, 0.02))
    sheet.frame(ax, width=1.6, length=5)
    inks = _inks(
        sheet, sheet.choice(("#ffd400", "#00e5ff", "#ff6f61", "#7cfc00"), ("#ff9f1c", "#2ec4b6", "#ffffff", "#e71d36"))
    )
    sheet.curves(ax, inks, width=2.6, mark=sheet.choice("", "|"), size=7, stroke=1.2)
    if sheet.chance(0.5):
        _landmarks(sheet, ax, inks, "#c0c8d8")
    ax.set_ylabel("OS (%)", fontweight="bold")
    ax.set_xlabel(f"Time, {sheet.unit}", fontweight="bold")
    sheet.page.text(0.04, 0.93, sheet.choice("Primary endpoint: overall survival", "OS in the ITT population"), color="#ffd400",
                    fontsize=1.6 * sheet.points, fontweight="bold")  # fmt: skip
    sheet.page.text(0.98, 0.015, "Presented by J. Smith", fontsize=0.6 * sheet.points, ha="right")
    _key(sheet, ax, inks, loc="upper right", frameon=False, width=2.6)
    if risk:
        sheet.at_risk(ax, down=46, heading="No. at risk", left=104, inks=[c for c, _ in inks], size=0.85)


def poster(sheet: Sheet):
    """A congress poster: landmarks with rates, a ruled table of medians, bold coloured rows of numbers at risk."""
    n = len(sheet.arms)
    ax = sheet.axes(left=112, right=18, top=18, bottom=52 + 1.4 * sheet.points * (n + 1))
    sheet.scales(ax, step=sheet.choice(0.1, 0.2), form="{:.0f}", pad=(0, 0.01, 0, 0.02))
    sheet.frame(ax, width=1.2, length=4)
    inks = _inks(sheet)
    sheet.curves(ax, inks, width=2.0, mark=sheet.choice("|", "+", "o"), size=5, stroke=1.0)
    _landmarks(sheet, ax, inks, "#808080")
    cells = [["", "Events/n", "Median"]]
    for arm in sheet.arms:
        below = arm.steps[arm.steps[:, 1] <= 0.5]
        cells.append(
            [arm.name, f"{int(arm.event.sum())}/{len(arm.time)}", f"{below[0, 0]:.1f}" if len(below) else "NR"]
        )
    held = ax.table(cells, loc="upper right", colWidths=[0.26, 0.13, 0.12], cellLoc="center")
    held.auto_set_font_size(False)
    held.set_fontsize(0.75 * sheet.points)
    for cell in held.get_celld().values():
        cell.set(linewidth=0.5, edgecolor="#999999")
    ax.set_ylabel(_outcome(sheet), fontweight="bold")
    ax.set_xlabel(_since(sheet), fontweight="bold")
    _key(sheet, ax, inks, loc="lower left", frameon=False, width=2.0)
    sheet.at_risk(ax, down=44, heading="No. at risk", left=106, inks=[c for c, _ in inks], size=0.85)


def excel(sheet: Sheet):
    """Excel: lines of a scatter chart, grey lines across, the scale to 1.2 as Excel takes it, legend at the side or below."""
    below = sheet.chance(0.5)
    ax = sheet.axes(left=48, right=20 if below else 118, top=40, bottom=62 if below else 44)
    percent = sheet.chance(0.4)
    top = 1.0 if percent else 1.2
    sheet.scales(ax, step=0.2, form=(lambda v: f"{100 * v:.0f}%") if percent else "{:g}", top=top)
    sheet.frame(
        ax,
        sides="lb" if sheet.chance(0.5) else "b",
        width=0.7,
        ticks="out",
        length=3 if sheet.chance(0.5) else 0,
        ink="#bfbfbf",
    )
    ax.tick_params(colors="#595959")
    ax.grid(True, axis="y", color="#d9d9d9", lw=0.7)
    ax.set_axisbelow(True)
    inks = _inks(
        sheet, sheet.choice(("#4472c4", "#ed7d31", "#a5a5a5", "#ffc000"), ("#4f81bd", "#c0504d", "#9bbb59", "#8064a2"))
    )
    sheet.curves(ax, inks, width=2.0)
    ax.set_title(
        sheet.choice("Survival", "Kaplan-Meier", "Overall survival"), fontsize=1.4 * sheet.points, color="#595959"
    )
    if sheet.chance(0.6):
        ax.set_xlabel(f"Time ({sheet.unit})", color="#595959")
    placed = (
        {"loc": "lower center", "ncol": 4, "bbox_to_anchor": (0.5, 0.01)}
        if below
        else {"loc": "center right", "bbox_to_anchor": (0.995, 0.5)}
    )
    _key(sheet, ax, inks, frameon=False, width=2.0, bbox_transform=sheet.page.transFigure, **placed)


def label(sheet: Sheet):
    """A drug's label: weeks by thirteens, marks along the lines, events and n in the key, numbers at risk with small type."""
    n = len(sheet.arms)
    ax = sheet.axes(left=84, right=14, top=14, bottom=48 + 1.35 * sheet.points * (n + 1))
    sheet.scales(ax, step=0.1, form="{:.1f}", pad=(0.015, 0.015, 0, 0.03))
    sheet.frame(ax, sides="lbrt", width=0.9, length=4)
    inks = [
        (c, d)
        for (c, _), d in zip(
            _inks(sheet, ("#000000", "#0000c8", "#c80000", "#00a000")), (SOLID, LONG, SOLID, DASHED), strict=False
        )
    ]
    sheet.curves(ax, inks, width=1.2, mark=sheet.choice("o", "+", "^"), size=3.5, stroke=0.7)
    ax.set_ylabel(sheet.choice("Probability of Progression-Free Survival", "Proportion without event"))
    ax.set_xlabel(f"Time in Study ({sheet.unit.capitalize()})")
    _key(sheet, ax, inks, loc="lower left", frameon=True, fancybox=False, edgecolor="black", handlelength=3,
         labels=[f"{a.name} (N = {len(a.time)})" for a in sheet.arms])  # fmt: skip
    sheet.at_risk(ax, down=40, heading="Number at Risk", left=78, size=0.8, weight="normal", stride=1)


def incidence(sheet: Sheet):
    """Cumulative incidence to 40 percent, growing from the lower left."""
    n = len(sheet.arms)
    ax = sheet.axes(left=96, right=16, top=16, bottom=50 + 1.35 * sheet.points * (n + 1))
    sheet.scales(ax, step=0.1, form="{:.0f}", top=0.4, pad=(0, 0.01, 0, 0.02))
    sheet.frame(ax, width=0.8)
    inks = _inks(sheet)
    sheet.curves(ax, inks, width=1.5, band=0.15 if sheet.chance(0.25) else 0)
    ax.set_ylabel(sheet.choice("Cumulative incidence (%)", "Cumulative event rate (%)", "Patients with event (%)"))
    ax.set_xlabel(_since(sheet))
    _key(sheet, ax, inks, loc="upper left", frameon=False)
    ax.text(
        0.97,
        0.05,
        sheet.choice("Gray's test P=0.04", _ratio(sheet)),
        transform=ax.transAxes,
        ha="right",
        fontsize=0.85 * sheet.points,
    )
    sheet.at_risk(ax, down=40, heading="No. at risk", left=90, comma=sheet.chance(0.3))


def truncated(sheet: Sheet):
    """Cardiology: the axis begins at half or more, marked by two strokes, freedom from events."""
    n = len(sheet.arms)
    ax = sheet.axes(left=96, right=16, top=18, bottom=54 + 1.35 * sheet.points * (n + 1))
    sheet.scales(ax, step=0.1 if sheet.floor < 0.75 else 0.05, form="{:.0f}", pad=(0, 0.02, 0, 0.02))
    sheet.frame(ax, width=0.8)
    if sheet.chance(0.6):
        for low in (0.02, 0.045):
            ax.plot([-0.012, 0.012], [low, low + 0.018], transform=ax.transAxes, color="black", lw=0.9, clip_on=False)
    inks = _inks(sheet)
    sheet.curves(ax, inks, width=1.5, mark=sheet.choice("", "|"), size=4)
    ax.set_ylabel(sheet.choice("Freedom from event (%)", "Event-free survival (%)"))
    ax.set_xlabel(_since(sheet))
    _key(sheet, ax, inks, loc="lower left", bbox_to_anchor=(0.03, 0.03), frameon=sheet.chance(0.5))
    ax.text(0.97, 0.95, _p(sheet), transform=ax.transAxes, ha="right")
    sheet.at_risk(ax, down=42, heading="Patients at risk", left=90, weight="bold")


def origin(sheet: Sheet):
    """Origin or SigmaPlot: a heavy box with small ticks between, ticks inside or outside, a key without frame."""
    from matplotlib.ticker import AutoMinorLocator

    ax = sheet.axes(left=64, right=20, top=20, bottom=54)
    way = sheet.choice("in", "out")
    sheet.scales(ax, step=0.2, form="{:.1f}", pad=(0.0, 0.02, 0.0 if sheet.chance(0.5) else 0.05, 0.05))
    sheet.frame(ax, sides="lbrt", width=1.5, ticks=way, length=6)
    ax.xaxis.set_minor_locator(AutoMinorLocator(2))
    ax.yaxis.set_minor_locator(AutoMinorLocator(2))
    ax.tick_params(which="minor", direction=way, length=3, width=1.2)
    inks = _inks(sheet, ("#000000", "#ff0000", "#0000ff", "#008b8b"))
    sheet.curves(ax, inks, width=1.6, mark=sheet.choice("", "|", "o"), size=4)
    ax.set_ylabel("Survival probability", fontsize=1.2 * sheet.points)
    ax.set_xlabel(f"Time ({sheet.unit})", fontsize=1.2 * sheet.points)
    _key(sheet, ax, inks, loc="upper right", frameon=False, width=1.6)
    ax.text(0.06, 0.1, _p(sheet), transform=ax.transAxes)


MAIN = ("months", "months", "years")
STYLES = {
    "bmj": Style(bmj),
    "excel": Style(excel, font="DejaVu Sans", points=8.5, scale=1.0, unit=("months", "weeks", "days")),
    "ggsurvfit": Style(ggsurvfit, (7.0, 5.4), points=9),
    "incidence": Style(incidence, direction="incidence"),
    "jama": Style(jama, (6.6, 4.8), (700, 1800), font=NARROW, points=10),
    "japanese": Style(japanese, (5.2, 4.0), (480, 1100), font=SERIF, points=10, arms=(2, 2, 3)),
    "jco": Style(jco, (6.4, 5.0), (700, 1600), scale=1.0, points=8.5),
    "jmp": Style(jmp, (6.0, 4.0), (450, 1000), scale=1.0, paper="#f0f0f0", unit=("months", "days", "years")),
    "kmunicate": Style(kmunicate, (6.4, 6.0), scale=1.0, arms=(2, 2, 3), points=8.5),
    "label": Style(label, (6.8, 4.8), scale=1.0, unit=("weeks", "weeks", "months"), points=8.5),
    "lancet": Style(lancet, (6.6, 5.0), (700, 2000), font=SERIF, points=9.5),
    "lifelines": Style(lifelines, (6.4, 5.6), (480, 1300), font="DejaVu Sans", scale=1.0, arms=(1, 2, 2, 3), points=9.5),
    "medcalc": Style(medcalc, (6.2, 5.0), (500, 1200)),
    "nature": Style(nature, (7.2, 3.6), (1000, 2400), points=7, arms=(2, 2, 3)),
    "nejm": Style(nejm, (6.6, 5.2), (700, 2400), unit=MAIN),
    "oldpaper": Style(old_paper, (5.0, 3.9), (700, 1300), font=SERIF, points=10, arms=(2, 2, 3), finish="scan"),
    "origin": Style(origin, (5.6, 4.6), scale=1.0, points=10),
    "poster": Style(poster, (7.6, 5.6), (1000, 2400), points=10),
    "prism": Style(prism, (5.6, 3.8), points=10, unit=("days", "months", "weeks")),
    "rbase": Style(r_base, (5.8, 5.0), (480, 1400), scale=1.0, points=10, unit=("days", "months", "years")),
    "sas": Style(sas, (6.4, 4.8), (640, 1300), scale=1.0, unit=("days", "months", "weeks")),
    "sksurv": Style(sksurv, (6.0, 4.2), (450, 1000), font="DejaVu Sans", scale=1.0, points=9.5, unit=("days", "months")),
    "slide": Style(slide, (8.0, 5.6), (640, 1400), points=12, paper="#0b1f4d", ink="white", finish="screen"),
    "spss": Style(spss, (6.2, 4.6), (560, 1200), scale=1.0),
    "stata": Style(stata, (6.0, 4.4), (560, 1600), scale=1.0, paper="#eaf2f3", unit=("years", "months", "days")),
    "statawhite": Style(stata_white, (6.4, 4.8), (560, 1600), scale=1.0, unit=("years", "months")),
    "truncated": Style(truncated, floors=(0.5, 0.6, 0.7, 0.8), unit=("months", "days", "years")),
    "typed": Style(old_paper, (5.4, 4.2), (700, 1300), font=MONO, points=9, arms=(2,), finish="scan"),
}  # fmt: skip
