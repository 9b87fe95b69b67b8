"""Kaplan-Meier figures drawn by programs other than those the reader grew up with, each as its users draw them.

statsmodels, scikit-survival and seaborn on matplotlib, plotly, bokeh, Vega-Altair, D3, Chart.js, ECharts, gnuplot, LibreOffice
Calc, ggplot2 and lattice by hand. None of them is a dependency: a figure whose program is missing is left out. Needed for all of them:
`pip install statsmodels scikit-survival seaborn plotly bokeh altair vl-convert-python xlsxwriter pymupdf`, `npm install d3
chart.js echarts` (their folder in `NODE_MODULES`), chromium, gnuplot (or its path in `GNUPLOT`), LibreOffice Calc (or `SOFFICE`), poppler, R.

usage: python -m benchmarks.figure_styles_tools FOLDER FIRST LAST [PROGRAM,...]
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import figure_tools_desktop as desktop
from benchmarks import figure_tools_web as web
from benchmarks.figure_cases import case, truth_of

PNG, ANY = ("png", "png", "png", "jpg"), ("png", "png", "jpg", "svg", "pdf")
SIZES = ((6.4, 4.8), (8, 6), (7, 5), (10, 6), (5, 4))


class Missing(RuntimeError):
    """A program that is not installed."""


def by_statsmodels(c):
    """SurvfuncRight.plot: its own steps and plus signs, as its documentation shows them."""
    import statsmodels.api as sm

    page, ax, styled = _page(c, ("default", "default", "ggplot", "bmh"))
    with styled:
        fits = [sm.SurvfuncRight(t, e) for t, e in zip(c.times, c.events, strict=True)]
        for fit in fits:
            fit.plot(ax=ax)
        if c.either(0.5):
            ax.set_ylim(0, c.one_of(1, 1.05))
        ax.set(xlabel=c.x_title(), ylabel=c.one_of("Survival probability", "Probability", ""), title=c.title)
        handles = [h for h in ax.get_lines() if h.get_marker() in ("None", None, "")]
        ax.legend(handles, c.names, loc=c.one_of("best", "lower left", "upper right"), frameon=c.either(0.6))
        return _saved(c, page), truth_of(_plain(c, marks=True), table=False)


def by_sksurv(c):
    """kaplan_meier_estimator and plt.step, as scikit-survival's user guide does it, with ax.table for numbers at risk."""
    from sksurv.nonparametric import kaplan_meier_estimator

    page, ax, styled = _page(
        c,
        (
            "default",
            "default",
            "seaborn-v0_8-whitegrid",
            "seaborn-v0_8-colorblind",
            "tableau-colorblind10",
            "grayscale",
        ),
    )
    grey = c.either(0.15)
    with styled:
        for k, name in enumerate(c.names):
            t, s, limits = kaplan_meier_estimator(c.events[k], c.times[k], conf_type="log-log")
            look = {"color": "black", "ls": ("-", "--", ":", "-.")[k]} if grey else {}
            line = ax.step(t, s, where="post", label=name, **look)
            if c.band:
                ax.fill_between(t, limits[0], limits[1], alpha=0.25, step="post", color=line[0].get_color(), lw=0)
            if c.marks:
                at, level = c.censored(k)
                ax.plot(
                    at,
                    1 - level / c.scale if c.incidence else level / c.scale,
                    c.one_of("|", "+"),
                    color=line[0].get_color(),
                    ms=c.one_of(5, 8),
                )
        _axes(c, ax)
        ax.set_ylim(0, 1)
        ax.set(
            xlabel=c.one_of("time $t$", c.x_title()),
            ylabel=c.one_of(r"est. probability of survival $\hat{S}(t)$", "Survival probability"),
            title=c.title,
        )
        if len(c.names) > 1 or c.either(0.5):
            _legend(c, ax)
        if c.table:
            _table(c, page, ax)
        styles = [("solid", "dashed", "dotted", "dashdot")[k] for k in range(len(c.names))] if grey else ()
        return _saved(c, page), truth_of(_plain(c), styles=styles)


def by_seaborn(c):
    """sns.lineplot with steps in seaborn's themes, contexts and palettes, despined as people like it."""
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn as sns

    frames = []
    for k, name in enumerate(c.names):
        t, s, _, _ = c.curve(k)
        frames.append(pd.DataFrame({"time": t, "survival": s, "group": name}))
    data = pd.concat(frames, ignore_index=True)
    theme = c.one_of("whitegrid", "darkgrid", "ticks", "white", "dark")
    palette = c.one_of("deep", "Set1", "Set2", "colorblind", "husl", "viridis", "muted")
    with sns.axes_style(theme), sns.plotting_context(c.one_of("notebook", "paper", "talk")):
        page, ax = plt.subplots(figsize=c.one_of(*SIZES))
        dash = {"style": "group"} if c.either(0.15) else {}
        sns.lineplot(data=data, x="time", y="survival", hue="group", drawstyle="steps-post", palette=palette, errorbar=None, estimator=None,
                     ax=ax, legend=len(c.names) > 1, **dash)  # fmt: skip
        colours = sns.color_palette(palette, len(c.names))
        for k, colour in enumerate(colours):
            t, _, low, high = c.curve(k)
            if c.band:
                ax.fill_between(t, low, high, step="post", alpha=0.2, color=colour)
            if c.marks:
                ax.scatter(*c.censored(k), marker=c.one_of("|", "+"), color=colour, s=c.one_of(30, 60), zorder=3)
        _axes(c, ax)
        if c.either(0.6):
            ax.set_ylim(0, c.scale * c.one_of(1, 1.05))
        ax.set(xlabel=c.x_title(), ylabel=c.y_title(), title=c.title)
        if len(c.names) > 1 and c.either(0.4):
            sns.move_legend(
                ax,
                c.one_of("upper right", "lower left", "center left"),
                **({"bbox_to_anchor": (1, 0.5), "frameon": False} if c.either(0.3) else {}),
            )
        if theme in ("ticks", "white") and c.either(0.7):
            sns.despine(**c.one_of({}, {"offset": 10}, {"trim": True}))
        if c.note:
            ax.text(c.one_of(0.05, 0.55), 0.1, c.note, transform=ax.transAxes)
        if c.table:
            _table(c, page, ax)
        return _saved(c, page), truth_of(c)


def _plain(c, **shown):
    """The case as programs draw it that know only survival as a proportion."""
    from dataclasses import replace

    return replace(c, percent=False, incidence=False, **shown)


def _page(c, themes):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    styled = plt.style.context(["default", c.one_of(*themes)])
    with styled:
        page, ax = plt.subplots(figsize=c.one_of(*SIZES))
    return page, ax, plt.style.context({})


def _axes(c, ax):
    if c.table or c.either(0.6):
        ax.set_xticks(c.ticks)
    if c.either(0.4):
        ax.set_xlim(0, c.horizon * c.one_of(1, 1.02, 1.05))


def _legend(c, ax):
    options = ({"loc": "best"}, {"loc": "lower left", "frameon": False}, {"loc": "upper right"}, {"loc": "center left", "bbox_to_anchor": (1, 0.5)},
               {"loc": "upper center", "bbox_to_anchor": (0.5, 1.12), "ncol": len(c.names)})  # fmt: skip
    ax.legend(**c.one_of(*options))


def _table(c, page, ax):
    """Numbers at risk as matplotlib's users put them: text under the ticks, or a second axes."""
    import matplotlib.pyplot as plt

    box = ax.get_position()
    high = 0.05 * (len(c.names) + 1)
    page.subplots_adjust(bottom=0.16 + high, left=0.2)
    box = ax.get_position()
    under = page.add_axes([box.x0, 0.02, box.width, high])
    under.set_xlim(ax.get_xlim())
    under.set_ylim(-0.5, len(c.names) - 0.2)
    under.axis("off")
    first = ax.get_xlim()[0] - c.one_of(0.03, 0.06) * (ax.get_xlim()[1] - ax.get_xlim()[0])
    small, coloured = c.one_of(8, 9, 10), c.either(0.4)
    inks = [line.get_color() for line in ax.get_lines() if len(line.get_xdata()) > 1]
    for k, name in enumerate(c.names):
        row = len(c.names) - 1 - k
        ink = inks[k] if coloured and k < len(inks) else "black"
        under.text(first, row, name, ha="right", va="center", fontsize=small, color=ink)
        for t, n in zip(c.ticks, c.at_risk(k), strict=True):
            under.text(t, row, str(n), ha="center", va="center", fontsize=small)
    under.text(
        first,
        len(c.names) - 0.3,
        c.one_of("Number at risk", "No. at risk", "At risk"),
        ha="right",
        va="center",
        fontsize=small,
        weight=c.one_of("bold", "normal"),
    )
    plt.sca(ax)


def _saved(c, page):
    import matplotlib.pyplot as plt

    held = io.BytesIO()
    tight = {"bbox_inches": "tight"} if c.table or c.either(0.7) else {}
    kind = "jpeg" if c.ending == "jpg" else c.ending
    page.savefig(held, format=kind, dpi=c.one_of(72, 100, 100, 150, 200, 300), **tight)
    plt.close(page)
    return held.getvalue()


PROGRAMS: dict[str, tuple[Callable, tuple[str, ...]]] = {
    "statsmodels": (by_statsmodels, ANY),
    "sksurv": (by_sksurv, ANY),
    "seaborn": (by_seaborn, ANY),
    "plotly": (web.by_plotly, ANY),
    "bokeh": (web.by_bokeh, PNG),
    "altair": (web.by_altair, ANY),
    "d3": (web.by_d3, ANY),
    "chartjs": (web.by_chartjs, PNG),
    "echarts": (web.by_echarts, (*PNG, "svg")),
    "gnuplot": (desktop.by_gnuplot, ANY),
    "calc": (desktop.by_calc, (*PNG, "pdf")),
    "ggplot": (desktop.by_r, ANY),
    "kmunicate": (desktop.by_r, ANY),
    "lattice": (desktop.by_r, ANY),
}


def tool_figure(seed, program=""):
    """The bytes, ending and truth of a seed's figure; the programs take turns. Raises Missing where its program is."""
    program = program or list(PROGRAMS)[seed % len(PROGRAMS)]
    draw, endings = PROGRAMS[program]
    c = case(seed, program, endings=endings)
    try:
        content, truth = draw(c)
    except (ImportError, FileNotFoundError) as error:
        raise Missing(f"{c.name}: {error}") from error
    return content, c.ending, truth


def drawn_by_tools(folder, first, last, programs=()):
    """The files of the figures of seeds `first` to `last - 1`, or with `programs` of these for every seed, their truth beside them."""
    folder.mkdir(exist_ok=True, parents=True)
    for seed in range(first, last):
        for program in programs or ("",):
            try:
                content, ending, truth = tool_figure(seed, program)
            except (Missing, subprocess.SubprocessError) as error:
                print(error, file=sys.stderr)
                continue
            (folder / f"{truth['id']}.{ending}").write_bytes(content)
            (folder / f"{truth['id']}.json").write_text(json.dumps(truth))


if __name__ == "__main__":
    chosen = sys.argv[4].split(",") if len(sys.argv) > 4 else ()
    drawn_by_tools(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), chosen)
