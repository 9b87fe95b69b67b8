"""The two figures of the worked example, drawn from simulated patients: `python examples/drawn/draw.py`."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

HERE = Path(__file__).parent
FIGURES = HERE.parent / "atc-tki" / "figures"
# dates and random names would make every drawing another file
mpl.rcParams.update({"pdf.fonttype": 42, "font.family": "DejaVu Sans", "font.size": 10})


def patients(endpoint, study):
    with (HERE / "patients.csv").open(newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if (r["endpoint"], r["study"]) == (endpoint, study)]
    return np.array([float(r["time"]) for r in rows]), np.array([r["event"] == "1" for r in rows])


def steps(time, event):
    """Times of the drops from 0 on, and the level after each."""
    when = np.unique(time[event])
    factors = [1 - (event & (time == t)).sum() / (time >= t).sum() for t in when]
    return np.append(0.0, when), np.append(1.0, np.cumprod(factors))


def draw(arms, ticks, title, path, **saved):
    """One figure: `arms` maps a name to (times, events, colour, dashes)."""
    figure = Figure(figsize=(6.4, 5.0))
    axes = figure.add_axes((0.2, 0.36, 0.74, 0.54))
    for name, (time, event, colour, style) in arms.items():
        when, level = steps(time, event)
        x, y = np.append(when, max(time.max(), when[-1])), np.append(level, level[-1])
        axes.step(x, 100 * y, where="post", color=colour, linestyle=style, linewidth=1.5, label=name)
        marks = np.sort(time[~event])
        height = level[np.searchsorted(when, marks, side="right") - 1]
        axes.plot(marks, 100 * height, "|", color=colour, markersize=7)
    axes.set(xlim=(0, ticks[-1]), ylim=(0, 103), xticks=ticks, yticks=range(0, 101, 20))
    axes.set(xlabel="Time (months)", ylabel="Probability (%)", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    if len(arms) > 1:
        axes.legend(frameon=False, loc="upper right")
    axes.text(ticks[-1], 52, "SYNTHETIC", ha="right", color="#888888", fontsize=9)
    figure.text(0.03, 0.2, "Number at risk", fontsize=9)
    for row, (name, (time, _, colour, _)) in enumerate(arms.items()):
        at = 0.155 - 0.045 * row
        figure.text(0.03, at, name, fontsize=9, color=colour)
        for tick in ticks:
            place = axes.transData.transform((tick, 0))[0] / figure.bbox.width
            figure.text(place, at, str(int((time >= tick).sum())), fontsize=9, ha="center")
    figure.savefig(path, **saved)


def main() -> None:
    """Both figures, into the folder of the worked example."""
    FIGURES.mkdir(exist_ok=True)
    two = {
        "Overall survival": (*patients("OS", "Savvides"), "#1f4e9c", "-"),
        "Progression-free": (*patients("PFS", "Savvides"), "#c0392b", "-"),
    }
    draw(two, range(0, 25, 3), "Sorafenib", FIGURES / "savvides.pdf", metadata={"CreationDate": None})
    one = {"Lenvatinib": (*patients("OS", "Wirth"), "#111111", "-")}
    draw(one, range(0, 25, 3), "Overall survival", FIGURES / "wirth-os.png", dpi=150)


if __name__ == "__main__":
    main()
