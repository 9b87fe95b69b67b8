"""Sheets on which styles of Kaplan-Meier pictures are drawn, with their truth, and what becomes of the finished pictures."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np

SANS, SERIF, MONO, NARROW = "Liberation Sans", "Liberation Serif", "Liberation Mono", "Liberation Sans Narrow"
SOLID, DASHED, DOTTED, MIXED, LONG = "-", (0, (5, 3)), (0, (1.2, 1.8)), (0, (6, 2, 1.2, 2)), (0, (10, 4))
KINDS = {SOLID: "solid", DASHED: "dashed", DOTTED: "dotted", MIXED: "dashed", LONG: "dashed"}


@dataclass(frozen=True)
class Style:
    """What a style fixes before anything is drawn: page in inches, widths in pixels, arms and what may become of it."""

    draw: object
    inches: tuple[float, float] = (6.4, 4.8)
    pixels: tuple[int, int] = (600, 1600)
    font: str = SANS
    points: float = 9.0
    arms: tuple[int, ...] = (2, 2, 2, 3, 4)
    unit: tuple[str, ...] = ("months", "months", "years")
    scale: float = 100.0
    floors: tuple[float, ...] = (0.0,)
    direction: str = "survival"
    paper: str = "white"
    ink: str = "black"
    finish: str = ""


@dataclass
class Sheet:
    """A page being drawn: what is on it and what a reader should find."""

    rng: np.random.Generator
    page: object
    style: Style
    arms: list
    ticks: np.ndarray
    unit: str
    floor: float
    points: float
    ax: object = None
    inks: list = field(default_factory=list)
    table: dict | None = None
    marked: bool = False

    @property
    def scale(self):
        return self.style.scale

    @property
    def end(self):
        return float(self.ticks[-1])

    def choice(self, *options):
        return options[int(self.rng.integers(len(options)))]

    def chance(self, share):
        return bool(self.rng.random() < share)

    def shown(self, survival):
        """Survival as the axis prints it."""
        share = 1 - np.asarray(survival) if self.style.direction == "incidence" else np.asarray(survival)
        return share * self.scale

    def axes(self, *, left=52, right=14, top=14, bottom=42, keep=True):
        """Axes at these distances in points from the edges of the page."""
        wide, tall = (72 * side for side in self.page.get_size_inches())
        box = (left / wide, bottom / tall, (wide - left - right) / wide, (tall - bottom - top) / tall)
        ax = self.page.add_axes(box, facecolor=self.style.paper)
        if keep:
            self.ax = ax
        return ax

    def scales(self, ax, *, step, form="{:g}", pad=(0.0, 0.0, 0.0, 0.0), top=1.0, stride=1):
        """Limits and labels: `step` and `top` in proportions, `pad` left, right, below, above as shares."""
        unit = self.scale
        low = self.floor * unit
        values = np.arange(low, top * unit + 1e-6, step * unit)
        tall = top * unit - low
        ax.set_xlim(-pad[0] * self.end, self.end * (1 + pad[1]))
        ax.set_ylim(low - pad[2] * tall, top * unit + pad[3] * tall)
        ax.set_yticks(values, [form(v) if callable(form) else form.format(v) for v in values])
        ax.set_xticks(self.ticks[::stride], [f"{t:g}" for t in self.ticks[::stride]])
        ax.minorticks_off()

    def frame(self, ax, *, sides="lb", width=0.8, ticks="out", length=4.0, ink=None):
        """The spines that are shown and their ticks."""
        names = {"l": "left", "b": "bottom", "r": "right", "t": "top"}
        for letter, name in names.items():
            ax.spines[name].set_visible(letter in sides)
            ax.spines[name].set_linewidth(width)
            if ink:
                ax.spines[name].set_color(ink)
        ax.tick_params(direction=ticks, length=length, width=width)

    def curves(self, ax, inks, *, width=1.4, mark="", size=5.0, band=0.0, stroke=0.8, kept=True):
        """The arms' steps with censor marks and confidence bands."""
        for arm, (ink, dash) in zip(self.arms, inks, strict=True):
            x = np.append(arm.steps[:, 0], arm.last)
            y = np.append(arm.steps[:, 1], arm.steps[-1, 1])
            if band:
                wide = 1.96 * np.append(arm.error(), arm.error()[-1])
                low, high = self.shown(np.clip(y - wide, 0, 1)), self.shown(np.clip(y + wide, 0, 1))
                ax.fill_between(x, low, high, step="post", color=ink, alpha=band, linewidth=0)
            ax.step(x, self.shown(y), where="post", color=ink, lw=width, ls=dash, label=arm.name)
            if mark:
                t = arm.time[~arm.event]
                ax.plot(t, self.shown(arm.at(t)), mark, color=ink, ms=size, mew=stroke, zorder=3)
        if kept:
            self.inks, self.marked = list(inks), bool(mark)

    def beside(self, ax, inks, *, names=None, weight="normal", size=1.0):
        """Names in the clearest places beside their curves."""
        used = []
        for k, (arm, ink) in enumerate(zip(self.arms, inks, strict=True)):
            name = (names or [a.name for a in self.arms])[k]
            t, y = self._clear_place(arm, len(name), used)
            used.append((t, y, t + self._length(len(name))))
            ax.text(t, y * self.scale, name, color=ink, fontweight=weight, fontsize=size * self.points, va="center")

    def _length(self, letters):
        wide = 72 * self.page.get_size_inches()[0] * 0.8
        return self.end * letters * 0.55 * self.points / wide

    def _clear_place(self, arm, letters, used):
        best = None
        for share in np.arange(0.12, 0.85, 0.05):
            for lift in (0.06, -0.07, 0.1, -0.11, 0.15, -0.16, 0.22):
                t = share * self.end
                grid = np.linspace(t, t + self._length(letters), 15)
                y = float(self.shown(arm.at(t))) / self.scale + lift
                if grid[-1] > 1.02 * self.end or not self.floor + 0.04 < y < 0.97:
                    continue
                gaps = [float(np.abs(self.shown(a.at(grid)) / self.scale - y).min()) for a in self.arms]
                gaps += [abs(y - u[1]) if not (t > u[2] or grid[-1] < u[0]) else 1.0 for u in used]
                worth = min(*gaps, 0.09) - 0.15 * abs(lift)
                if best is None or worth > best[0]:
                    best = (worth, t, y)
        return best[1:] if best else (0.3 * self.end, 0.9 - 0.07 * len(used))

    def counts(self, stride=1):
        """Times, numbers at risk, losses and deaths until then, of each arm."""
        times = self.ticks[::stride]
        rows = [
            (
                [int((a.time >= t).sum()) for t in times],
                [int(((a.time < t) & ~a.event).sum()) for t in times],
                [int(((a.time < t) & a.event).sum()) for t in times],
            )
            for a in self.arms
        ]
        return times, rows

    def keep_table(self, times, rows, *, censored=False):
        """The truth of the table of numbers at risk."""
        found = [
            {"arm": a.name, "n": n, **({"censored": lost} if censored else {})}
            for a, (n, lost, _) in zip(self.arms, rows, strict=True)
        ]
        self.table = {"times": [float(t) for t in times], "rows": found}

    def under(self, ax, time, text, down, **look):
        """Text at a time, so many points under the axis."""
        ax.annotate(text, (time, 0), xycoords=ax.get_xaxis_transform(), xytext=(0, -down), textcoords="offset points",
                    ha=look.pop("ha", "center"), va="center", annotation_clip=False, **look)  # fmt: skip

    def margin(self, ax, text, down, *, left=46, **look):
        """Text in the left margin, so many points under the axis."""
        ax.annotate(text, (0, 0), xycoords="axes fraction", xytext=(-left, -down), textcoords="offset points",
                    ha=look.pop("ha", "left"), va="center", annotation_clip=False, **look)  # fmt: skip

    def at_risk(self, ax, *, down, heading, left=46, row=None, size=0.9, inks=None, names=None, form="plain", weight="bold",
                stride=1, comma=False):  # fmt: skip
        """Numbers at risk in rows under the axis; returns the depth that the table takes."""
        times, rows = self.counts(stride)
        row = row or 1.35 * self.points
        points = size * self.points
        lines = heading.split("\n") if heading else []
        for k, line in enumerate(lines):
            self.margin(ax, line, down + k * row, left=left, fontsize=points, fontweight=weight)
        for k, (n, lost, _) in enumerate(rows):
            depth = down + (len(lines) + k) * row
            ink = inks[k] if inks else self.style.ink
            name = (names or [a.name for a in self.arms])[k]
            self.margin(ax, name, depth, left=left, fontsize=points, color=ink)
            for t, a, b in zip(times, n, lost, strict=True):
                number = f"{a:,d}" if comma else str(a)
                self.under(ax, t, number if form == "plain" else f"{number} ({b})", depth, fontsize=points)
        self.keep_table(times, rows, censored=form != "plain")
        return down + (len(lines) + len(rows)) * row


def truth_of(sheet, dpi):
    ax, unit = sheet.ax, sheet.scale
    tall = sheet.page.get_size_inches()[1] * dpi

    def place(t, v):
        x, y = ax.transData.transform((t, v))
        return [float(x), float(tall - y)]

    base = max(ax.get_ylim()[0], sheet.floor * unit)
    values = [v for v in ax.get_yticks() if base - 1e-9 <= v <= unit + 1e-9]
    record = []
    for arm, (ink, dash) in zip(sheet.arms, sheet.inks, strict=True):
        below = arm.steps[arm.steps[:, 1] <= 0.5 + 1e-9]
        record.append(
            {
                "name": arm.name,
                "color": ink,
                "linestyle": KINDS[dash],
                "n": len(arm.time),
                "events": int(arm.event.sum()),
                "median": float(below[0, 0]) if len(below) else None,
                "last_time": arm.last,
                "steps": arm.steps.tolist(),
                "censor_times": sorted(float(t) for t in arm.time[~arm.event]),
                "censor_marks_drawn": sheet.marked,
            }
        )
    x = [[place(float(t), base)[0], float(t)] for t in sheet.ticks]
    y = [[place(0.0, float(v))[1], float(v) / unit] for v in values]
    return {
        "axes": {
            "x": {"ticks": [float(t) for t in sheet.ticks], "max": sheet.end},
            "y": {"units_per_proportion": unit},
        },
        "arms": record,
        "at_risk": sheet.table,
        "direction": sheet.style.direction,
        "neutral": len({a["color"] for a in record}) == 1 < len(record),
        "corners": [place(0.0, base), place(sheet.end, base)],
        "hints": {"axes": {"x": x, "y": y}, "arms": [{"name": a["name"], "color": a["color"]} for a in record]},
    }


def finished(rng, look, content, truth):
    """The file as it is found: straight from the program, resized by the publisher, photographed off a screen, scanned."""
    from PIL import Image

    picture = Image.open(io.BytesIO(content)).convert("RGB")
    if look.finish == "scan":
        return scanned(rng, picture, truth)
    kind = str(rng.choice(["png", "jpg", "resized"], p=[0.4, 0.35, 0.25]))
    if look.finish == "screen":
        kind = "resized"
    truth["damage"] = kind
    if kind == "resized":
        factor = float(rng.uniform(0.62, 0.95))
        size = (round(picture.width * factor), round(picture.height * factor))
        across, down = size[0] / picture.width, size[1] / picture.height
        picture = picture.resize(size, Image.Resampling.BICUBIC if rng.random() < 0.5 else Image.Resampling.LANCZOS)
        moved(truth, np.diag([across, down, 1.0]))
    out = io.BytesIO()
    if kind == "png":
        picture.save(out, "PNG")
        return out.getvalue(), "png"
    picture.save(out, "JPEG", quality=int(rng.integers(60, 96)))
    return out.getvalue(), "jpg"


def scanned(rng, picture, truth):
    """A grey scan of a printed page at 150 dpi or so: ink that spread, a sheet askew, specks, uneven light."""
    from PIL import Image, ImageFilter

    angle = float(rng.uniform(-0.9, 0.9))
    grey = picture.convert("L").filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 0.8))))
    grey = grey.rotate(angle, Image.Resampling.BICUBIC, fillcolor=255)
    a, cx, cy = np.radians(angle), picture.width / 2, picture.height / 2
    spin = np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])
    move = np.array([[1, 0, cx], [0, 1, cy], [0, 0, 1.0]])
    moved(truth, move @ spin @ np.linalg.inv(move))
    light = np.asarray(grey, float)
    rows, columns = light.shape
    for _ in range(int(rng.integers(10, 60))):
        r, c = int(rng.integers(rows - 3)), int(rng.integers(columns - 3))
        side = int(rng.integers(1, 3))
        light[r : r + side, c : c + side] = rng.uniform(20, 160)
    shade = 1 - rng.uniform(0, 0.1) * np.linspace(0, 1, columns)[None] - rng.uniform(0, 0.05)
    light = light * shade + rng.normal(0, rng.uniform(2, 7), light.shape)
    out = io.BytesIO()
    Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=int(rng.integers(65, 92)))
    truth["damage"], truth["neutral"] = "scan", True
    return out.getvalue(), "jpg"


def moved(truth, turn):
    """The true scales moved along with the picture."""
    low, left = truth["corners"][0][1], truth["corners"][0][0]
    hints = truth["hints"]["axes"]
    hints["x"] = [[float((turn @ [p, low, 1])[0]), v] for p, v in hints["x"]]
    hints["y"] = [[float((turn @ [left, p, 1])[1]), v] for p, v in hints["y"]]
    truth["corners"] = [[float(v) for v in (turn @ [*corner, 1])[:2]] for corner in truth["corners"]]
