"""Kaplan-Meier pictures with known truth as a random draw of open papers, labels and reports prints them.

`figure_print_programs`, `figure_print_papers` and `figure_print_odd` draw the styles from memory of such prints, without
regard to what the reader can do. Each picture comes from a seed alone; the truth has the shape of `figure_journals`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks import figure_journals as journals
from benchmarks import figure_styles as styles
from benchmarks.figure_journals import SOLID, Sheet, Style
from benchmarks.figure_styles import Drawn

#: The first seed of the styles in their order.
FIRST_PRINT = 9300
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
SPANS = {
    "months": ((60, 12), (60, 10), (120, 20), (36, 6), (24, 6), (30, 5), (80, 20), (72, 12)),
    "years": ((5, 1), (10, 2), (8, 1), (15, 5), (6, 1)),
    "days": ((1500, 500), (2000, 500), (360, 60), (100, 20)),
    "weeks": ((104, 26), (60, 10), (156, 26)),
}
REFUSALS = 60


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


def print_figure(seed, ending=None, *, style=None):
    """The picture of a seed: styles in turn, everything else by chance; with `ending` pdf or svg a vector file."""
    import matplotlib as mpl

    mpl.use("Agg")
    models = prints()
    rng = np.random.default_rng([seed, 20261123])
    name = style or sorted(models)[(seed - FIRST_PRINT) % len(models)]
    model = models[name]
    look = model.style
    points = look.points * rng.uniform(0.94, 1.06)
    inks = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), look.ink)
    smooth = dict.fromkeys(
        ("lines.antialiased", "patch.antialiased", "text.antialiased"), not model.crisp or bool(ending)
    )
    fonts = {
        "font.family": [look.font, "DejaVu Sans"],
        "font.size": points,
        "svg.hashsalt": "figure",
        "pdf.fonttype": 42,
    }
    with mpl.rc_context({**fonts, **inks, **smooth, "mathtext.fontset": "dejavusans", "mathtext.default": "regular"}):
        sheet = _drawn(rng, model, points)
        dpi = 72.0 if ending else round(np.exp(rng.uniform(*np.log(look.pixels))) / look.inches[0])
        sheet.page.set_dpi(dpi)
        out = io.BytesIO()
        sheet.page.savefig(out, format=ending or "png", dpi=dpi, facecolor=look.paper)
        truth = journals._truth(sheet, dpi)
    truth.update(id=f"{name}-{seed}", style=name, difficulty="vector" if ending else "print")
    content = out.getvalue()
    if not ending:
        content, ending = _filed(rng, str(rng.choice(model.files)), content, truth)
    return Drawn(truth["id"], content, ending, truth)


def prints():
    """All styles by their names."""
    from benchmarks.figure_print_odd import ODD
    from benchmarks.figure_print_papers import PAPERS
    from benchmarks.figure_print_programs import PROGRAMS

    return PROGRAMS | PAPERS | ODD


def _drawn(rng, model, points):
    """The sheet with the first patients whose curves leave room for the words."""
    for _ in range(REFUSALS):
        sheet = _sheet(rng, model, points)
        try:
            model.style.draw(sheet)
        except Crowded:
            continue
        return sheet
    raise RuntimeError("no curves leave room for the words")


def _sheet(rng, model, points):
    from matplotlib.figure import Figure

    look = model.style
    unit = look.unit[int(rng.integers(len(look.unit)))]
    spans = model.spans or SPANS[unit]
    end, step = spans[int(rng.integers(len(spans)))]
    count = min(int(rng.choice(look.arms)), max(map(len, model.names)))
    pool = [names for names in model.names if len(names) >= count]
    names = pool[int(rng.integers(len(pool)))][:count]
    floor = float(rng.choice(look.floors))
    arms = _arms(rng, model, names, end, max(floor, model.least))
    page = Figure(figsize=look.inches, facecolor=look.paper)
    return PrintSheet(rng, page, look, arms, np.arange(0, end + 1e-9, step), unit, floor, points)


def _arms(rng, model, names, end, least):
    """Patients whose last survival stays above `least`; those followed for longer than the axis leave at its end."""
    follow = end * float(rng.choice(model.follow))
    for _ in range(400):
        arms = (
            _animals(rng, names, end)
            if model.few
            else styles.simulated(rng, names, horizon=follow, floor=min(least, 0.85))
        )
        arms = [_until(a, end) for a in arms]
        lowest = min(float(a.steps[-1, 1]) for a in arms)
        if max(len(a.time) for a in arms) <= 800 and (lowest > least or not least) and _apart(arms, end, model.apart):
            return arms
    raise RuntimeError("no arms stay above the foot of the axis")


def _until(arm, end):
    time = np.minimum(arm.time, end)
    return styles._arm(arm.name, time, arm.event & (arm.time <= end))


def _apart(arms, end, least):
    """Whether every curve lasts, has steps, and none hides behind another over much of the axis."""
    grid = np.linspace(0.1 * end, 0.9 * end, 60)
    if min(a.last for a in arms) < 0.35 * end or min(len(a.steps) for a in arms) < 5:
        return False
    levels = [np.where(grid <= a.last, a.at(grid), np.nan) for a in arms]
    return all(np.nanmean(np.abs(levels[i] - levels[j]) < least) < 0.28 for i in range(len(arms)) for j in range(i))


def _animals(rng, names, end):
    """Groups of some 6 to 14 animals that die within a while, the survivors killed at the end."""
    out = []
    for name in names:
        n = int(rng.integers(6, 15))
        death = np.ceil(end * rng.uniform(0.3, 1.0) * (0.35 + 0.65 * rng.weibull(2.5, n)))
        out.append(styles._arm(name, np.minimum(death, end), death <= end))
    return out


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


def _filed(rng, kind, content, truth):
    """The file as it is found: from the program, of few colours, compressed, made smaller by a publisher, or scanned."""
    from PIL import Image

    picture = Image.open(io.BytesIO(content)).convert("RGB")
    truth["damage"] = kind
    if kind == "scan":
        return journals._scanned(rng, picture, truth)
    if kind == "page":
        return _copied(rng, picture, truth)
    out = io.BytesIO()
    if kind in ("png", "palette"):
        if kind == "palette":
            picture = picture.quantize(int(rng.choice([32, 64, 256])), dither=Image.Dither.NONE)
        picture.save(out, "PNG")
        return out.getvalue(), "png"
    if kind == "small":
        factor = min(1.0, max(float(rng.uniform(0.55, 0.9)), float(rng.uniform(600, 800)) / picture.width))
        size = (round(picture.width * factor), round(picture.height * factor))
        journals._moved(truth, np.diag([size[0] / picture.width, size[1] / picture.height, 1.0]))
        picture = picture.resize(size, Image.Resampling.BICUBIC if rng.random() < 0.5 else Image.Resampling.LANCZOS)
    picture.save(out, "JPEG", quality=int(rng.integers(60, 93)))
    return out.getvalue(), "jpg"


def _copied(rng, picture, truth):
    """A page copied in colour: a little askew and soft, warm paper, fine noise."""
    from PIL import Image, ImageFilter

    angle = float(rng.uniform(0.15, 0.7) * rng.choice([-1, 1]))
    turned = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.6))))
    turned = turned.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    a, middle = np.radians(angle), np.array([picture.width / 2, picture.height / 2])
    spin = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    journals._moved(truth, np.block([[spin, (middle - spin @ middle)[:, None]], [np.zeros((1, 2)), np.ones((1, 1))]]))
    paper = np.sort(rng.uniform(0.93, 1.0, 3))[::-1]
    light = np.asarray(turned, float) * paper + rng.normal(0, rng.uniform(1.5, 4), (picture.height, picture.width, 1))
    out = io.BytesIO()
    Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=int(rng.integers(65, 90)))
    return out.getvalue(), "jpg"
