"""Trials for figures that other programs draw: simulated patients, what the figure shows of them, and the truth beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAMES = (
    ("Control", "Treatment", "Combination", "Observation"),
    ("Placebo", "Drug A", "Drug B", "Drug C"),
    ("Low risk", "Intermediate risk", "High risk", "Very high risk"),
    ("Wild type", "Mutant", "Deleted", "Unknown"),
    ("Stage I", "Stage II", "Stage III", "Stage IV"),
    ("No surgery", "Surgery", "Surgery + RT", "Palliative"),
    ("Q1", "Q2", "Q3", "Q4"),
    ("Sorafenib", "Atezolizumab", "Lenvatinib", "Regorafenib"),
    ("male", "female", "other", "not known"),
)
HORIZONS = ((12, 3, "months"), (24, 6, "months"), (36, 6, "months"), (60, 12, "months"), (120, 24, "months"), (5, 1, "years"), (10, 2, "years"),
            (1000, 200, "days"), (365, 73, "days"), (52, 13, "weeks"))  # fmt: skip
TITLES = ("Kaplan-Meier estimate", "Overall survival", "Progression-free survival by arm", "Figure 2. Survival", "")


@dataclass(frozen=True)
class Case:
    """The patients of a figure and what it shows; `ending` is of the file, `ticks` are the times of its x axis."""

    name: str
    program: str
    rng: np.random.Generator
    names: tuple[str, ...]
    times: tuple[np.ndarray, ...]
    events: tuple[np.ndarray, ...]
    horizon: float
    every: float
    unit: str
    percent: bool
    table: bool
    marks: bool
    band: bool
    incidence: bool
    title: str
    note: str
    ending: str

    @property
    def ticks(self):
        return [float(v) for v in np.arange(0, self.horizon + self.every / 2, self.every)]

    @property
    def scale(self):
        return 100 if self.percent else 1

    def one_of(self, *options):
        return options[int(self.rng.integers(len(options)))]

    def either(self, share):
        return bool(self.rng.random() < share)

    def curve(self, k):
        """Times from 0, the drawn level, and its lower and upper limits (Greenwood, on the log-log scale)."""
        time, event = self.times[k], self.events[k]
        at, level, spread, rows = np.unique(time), 1.0, 0.0, [(0.0, 1.0, 1.0, 1.0)]
        for t in at:
            n, d = int((time >= t).sum()), int(((time == t) & event).sum())
            level *= 1 - d / n
            spread += d / (n * (n - d)) if n > d else 0.0
            low, high = level, level
            if 0 < level < 1:
                reach = 1.96 * np.sqrt(spread) / abs(np.log(level))
                low, high = level ** np.exp(reach), level ** np.exp(-reach)
            rows.append((float(t), level, low, high))
        t, s, low, high = np.array(rows).T
        if self.incidence:
            s, low, high = 1 - s, 1 - high, 1 - low
        return t, s * self.scale, low * self.scale, high * self.scale

    def censored(self, k):
        """Times and drawn levels of the censored."""
        t, s, _, _ = self.curve(k)
        at = np.unique(self.times[k][~self.events[k]])
        return at, s[np.searchsorted(t, at, side="right") - 1]

    def at_risk(self, k):
        return [int((self.times[k] >= t).sum()) for t in self.ticks]

    def x_title(self):
        unit = self.unit
        return self.one_of(
            f"Time ({unit})",
            f"{unit.capitalize()}",
            f"{unit.capitalize()} since randomization",
            f"Time, {unit}",
            f"Follow-up ({unit})",
        )

    def y_title(self):
        if self.incidence:
            return self.one_of("Cumulative incidence", "Cumulative probability of event", "Probability of relapse")
        if self.percent:
            return self.one_of("Overall survival (%)", "Survival (%)", "Percent survival", "Patients alive (%)")
        return self.one_of(
            "Survival probability", "Overall survival", "Probability of survival", "S(t)", "Proportion surviving"
        )


def case(seed, program, *, endings):
    """The case of a seed; `endings` are what the program can write, in the shares of a list."""
    rng = np.random.default_rng(seed + 88000)
    horizon, every, unit = HORIZONS[rng.integers(len(HORIZONS))]
    count = int(rng.choice([1, 2, 3, 4], p=[0.1, 0.55, 0.22, 0.13]))
    names = NAMES[rng.integers(len(NAMES))][:count]
    whole = unit in ("days", "weeks")
    times, events = [], []
    for _ in names:
        n = int(rng.choice([30, 60, 120, 250, 500]))
        death = horizon * rng.uniform(0.3, 1.6) * rng.weibull(rng.uniform(0.8, 1.5), n)
        leave = np.minimum(rng.uniform(float(rng.choice([0.1, 0.5])) * horizon, 1.2 * horizon, n), horizon)
        time = np.minimum(death, leave)
        time = np.maximum(np.ceil(time), 1) if whole else np.maximum(np.round(time, 1 if horizon > 10 else 2), 0.01)
        times.append(time)
        events.append(death <= leave)
    ratio, p = rng.uniform(0.4, 0.95), float(rng.choice([0.001, 0.02, 0.3]))
    note = (
        f"HR {ratio:.2f} (95% CI {ratio * 0.7:.2f}-{ratio * 1.4:.2f})\nlog-rank p = {p}"
        if count == 2 and rng.random() < 0.4
        else ""
    )
    if not note and rng.random() < 0.15:
        note = f"p = {p}"
    return Case(
        f"{program}-{seed}", program, rng, tuple(names), tuple(times), tuple(events), float(horizon), float(every), unit,
        percent=bool(rng.random() < 0.35), table=bool(rng.random() < 0.45), marks=bool(rng.random() < 0.45),
        band=bool(rng.random() < 0.3), incidence=bool(rng.random() < 0.08),
        title=str(rng.choice(TITLES)) if rng.random() < 0.5 else "", note=note, ending=str(rng.choice(endings)),
    )  # fmt: skip


def truth_of(c, *, styles=(), colours=(), table=True, marks=True):
    """The truth of a drawn case; `table` and `marks` say whether this drawing shows them where the case asks for them."""
    arms = []
    for k, name in enumerate(c.names):
        t, s, _, _ = c.curve(k)
        s = 1 - s / c.scale if c.incidence else s / c.scale
        fell = np.concatenate([[True], np.diff(s) < -1e-12])
        half = t[s <= 0.5 + 1e-9]
        arms.append(
            {
                "name": name,
                "color": colours[k] if colours else "",
                "linestyle": styles[k] if styles else "solid",
                "n": len(c.times[k]),
                "events": int(c.events[k].sum()),
                "median": float(half[0]) if len(half) else None,
                "last_time": float(c.times[k].max()),
                "steps": [[float(a), float(b)] for a, b in zip(t[fell], s[fell], strict=True)],
                "censor_times": c.censored(k)[0].tolist(),
                "censor_marks_drawn": c.marks and marks,
            }
        )
    rows = [{"arm": name, "n": c.at_risk(k)} for k, name in enumerate(c.names)]
    return {
        "id": c.name,
        "style": c.program,
        "difficulty": "real",
        "damage": "none",
        "neutral": any(a["linestyle"] != "solid" for a in arms),
        "axes": {"x": {"ticks": c.ticks, "max": c.horizon}, "y": {"units_per_proportion": c.scale}},
        "arms": arms,
        "at_risk": {"times": c.ticks, "rows": rows} if c.table and table else None,
        "direction": "incidence" if c.incidence else "survival",
        "hints": {"axes": {}, "arms": []},
    }
