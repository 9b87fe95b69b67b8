"""What several styles of `figure_print_programs`, `figure_print_papers` and `figure_print_odd` share: names, sheets, p values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.figure_sheets import SOLID, Sheet, Style

MARKERS = (
    ("Low NLR", "High NLR"),
    ("PD-L1 negative", "PD-L1 positive"),
    ("miR-21 low", "miR-21 high"),
    ("EGFR wild-type", "EGFR mutant"),
    ("LVI absent", "LVI present"),
    ("Child-Pugh A", "Child-Pugh B", "Child-Pugh C"),
    ("CRP <5 mg/L", "CRP ≥5 mg/L"),
    ("BMI <25", "BMI 25-30", "BMI >30"),
    ("Stage II", "Stage III", "Stage IV"),
    ("GPS 0", "GPS 1", "GPS 2"),
)
TREATMENTS = (
    ("Placebo", "Sorafenib"),
    ("TACE alone", "TACE + sorafenib"),
    ("Laparoscopic", "Open"),
    ("CRT", "CRT + surgery", "Surgery"),
    ("Cisplatin", "Carboplatin"),
    ("Lobectomy", "Segmentectomy", "Wedge resection"),
    ("Standard", "Intensified"),
    ("No statin", "Statin"),
    ("Observation", "Maintenance"),
    ("BSC", "Paclitaxel", "Irinotecan"),
)
HEART = (
    ("Placebo", "Ticagrelor"),
    ("Usual care", "Intervention"),
    ("CABG", "PCI"),
    ("Control", "Dapagliflozin"),
    ("No AF", "AF"),
    ("LVEF >50%", "LVEF 40-50%", "LVEF <40%"),
    ("Rivaroxaban", "Warfarin"),
)
CODES = (
    ("0", "1"),
    ("1.00", "2.00"),
    ("low", "high"),
    ("no", "yes"),
    ("1.00", "2.00", "3.00"),
    ("negative", "positive"),
)
MICE = (("Vehicle", "Drug"), ("WT", "KO"), ("PBS", "Anti-PD-1", "Combo"), ("shCtrl", "shRNA-1", "shRNA-2"))


class Crowded(Exception):
    """The curves leave no place for what has to be written between them."""


@dataclass(frozen=True)
class Print:
    """What is imitated: the page of a style, the names that arms have there, how its files come."""

    style: Style
    names: tuple[tuple[str, ...], ...] = TREATMENTS
    files: tuple[str, ...] = ("png", "palette", "jpeg", "small", "small")
    spans: tuple[tuple[int | float, int | float], ...] = ()
    follow: tuple[float, ...] = (0.85, 0.97, 1.0, 1.3, 1.3)
    least: float = 0.0
    crisp: bool = False
    few: bool = False
    apart: float = 0.012


@dataclass
class PrintSheet(Sheet):
    """A sheet that knows what is already written on its plot."""

    taken: list = field(default_factory=list)

    def settle(self, held, *, prefer=None, pad=0.025, edge=0.02):
        """A legend or text is put where neither a curve nor other words are."""
        if prefer is None:
            first = ("lower left", "upper right") if self.chance(0.35) else ("upper right", "lower left")
            prefer = (*first, "upper left", "lower right")
        wide, tall = self._shares(held)
        corners = {
            "upper right": (1 - edge - wide, 1 - edge - tall),
            "lower left": (edge, edge),
            "upper left": (edge, 1 - edge - tall),
            "lower right": (1 - edge - wide, edge),
        }
        places = [corners[name] for name in prefer]
        places += [(x, y) for y in np.arange(0.9, 0.03, -0.06) for x in np.arange(0.92, 0.03, -0.06)]
        for x, y in places:
            if x + wide <= 1.0 and y + tall <= 1.0 and x >= 0 and y >= 0 and self._clear(x, y, x + wide, y + tall, pad):
                self._moved(held, x, y)
                self.taken.append((x, y, x + wide, y + tall))
                return
        raise Crowded

    def _shares(self, held):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        box = held.get_window_extent(FigureCanvasAgg(self.page).get_renderer())
        frame = self.ax.get_window_extent()
        return box.width / frame.width, box.height / frame.height

    def _moved(self, held, x, y):
        from matplotlib.legend import Legend

        if isinstance(held, Legend):
            held.borderaxespad = 0
            held.set_loc("lower left")
            held.set_bbox_to_anchor((x, y), self.ax.transAxes)
        else:
            held.set(position=(x, y), transform=self.ax.transAxes, ha="left", va="bottom")

    def _clear(self, left, low, right, high, pad):
        for box in self.taken:
            if left < box[2] + pad and right > box[0] - pad and low < box[3] + pad and high > box[1] - pad:
                return False
        (x0, x1), (y0, y1) = self.ax.get_xlim(), self.ax.get_ylim()
        times = x0 + np.array([left - pad, right + pad]) * (x1 - x0)
        for arm in self.arms:
            if arm.last < times[0]:
                continue
            ends = (self.shown(arm.at(np.clip(times, 0, arm.last))) - y0) / (y1 - y0)
            if ends.max() >= low - pad and ends.min() <= high + pad:
                return False
        return True

    def note(self, text, **look):
        """Words on the plot where the curves leave room."""
        prefer = look.pop("prefer", None) or (
            ("upper right", "lower left")
            if self.chance(0.3)
            else ("lower left", "upper right", "lower right", "upper left")
        )
        look.setdefault("fontsize", 0.9 * self.points)
        pad, edge = look.pop("pad", 0.025), look.pop("edge", 0.03)
        held = self.ax.text(0.5, 0.5, text, transform=self.ax.transAxes, **look)
        self.settle(held, prefer=prefer, pad=pad, edge=edge)
        return held

    def steps(self, arm):
        """The arm's line as times and values of the axis."""
        x = np.append(arm.steps[:, 0], arm.last)
        return x, self.shown(np.append(arm.steps[:, 1], arm.steps[-1, 1]))


def log_rank(arms):
    """The log-rank test's P value, and of two arms the hazard ratio of the second with its limits."""
    from scipy.stats import chi2

    times = np.unique(np.concatenate([a.time[a.event] for a in arms]))
    risk = np.array([[(a.time >= t).sum() for t in times] for a in arms], float)
    died = np.array([[((a.time == t) & a.event).sum() for t in times] for a in arms], float)
    n, d = risk.sum(0), died.sum(0)
    expected = (risk * d / n).sum(1)
    found = died.sum(1)
    share = risk / n
    weight = np.where(n > 1, d * (n - d) / np.maximum(n - 1, 1), 0)
    spread = np.array(
        [[(weight * share[i] * ((i == j) - share[j])).sum() for j in range(len(arms))] for i in range(len(arms))]
    )
    off = (found - expected)[1:]
    p = float(chi2.sf(off @ np.linalg.pinv(spread[1:, 1:]) @ off, len(arms) - 1))
    ratio = (found[1] / expected[1]) / max(found[0] / expected[0], 1e-9)
    wide = 1.96 * np.sqrt((1 / expected[:2]).sum())
    return p, (ratio, ratio * np.exp(-wide), ratio * np.exp(wide))


def p_value(sheet, *, least="<0.001", equal="=", digits=3):
    """The test's P value as it is printed after the letter."""
    p = log_rank(sheet.arms)[0]
    return f"{least}" if p < 0.001 else f"{equal}{p:.{digits}f}"


def hazard(sheet, form="HR {:.2f} (95% CI {:.2f}–{:.2f})"):
    """The hazard ratio of the second arm."""
    return form.format(*log_rank(sheet.arms)[1])


def risk_left(sheet, least=70, size=0.9):
    """Points at the left of the axes that the names before the numbers at risk need."""
    return max(least, 0.56 * size * sheet.points * max(len(a.name) for a in sheet.arms) + 30)


def colours(sheet, *palettes):
    """Solid lines in one of the palettes."""
    return [(ink, SOLID) for ink in sheet.choice(*palettes)[: len(sheet.arms)]]


def renamed(sheet, form):
    """The arms under other names, as `form` makes them from an arm."""
    sheet.arms = [replace(a, name=form(a)) for a in sheet.arms]


def median(arm):
    """The median survival, or nothing."""
    below = arm.steps[arm.steps[:, 1] <= 0.5 + 1e-9, 0]
    return float(below[0]) if len(below) else None
