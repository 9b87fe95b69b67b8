"""Readings of figures judged against the truth: the reference scorer's rules, and what counts as silently wrong."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from metagrove.core.errors import DataError
from metagrove.figures.digitizing import figures_in
from metagrove.figures.hints import read_hints

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "reference"
#: Every arm's mean |S' - S| at most this: the figure is read right.
RIGHT = 0.01
#: One arm's largest |S' - S| above this within `ok`: counted as gross, whatever the mean.
GROSS = 0.1


@dataclass
class Score:
    """What one reading of one figure is worth."""

    name: str
    level: str
    status: str
    reasons: list[str]
    mean: float = 1.0
    worst_mean: float = 1.0
    largest: float = 1.0
    cells: int = 0
    cells_exact: int = 0
    cells_wrong_sure: int = 0
    extra: int = 0
    marks_true: int = 0
    marks_read: int = 0
    marks_hit: int = 0
    seconds: float = 0.0
    neutral: bool = False

    @property
    def right(self):
        return self.worst_mean <= RIGHT and not self.extra

    @property
    def ok(self):
        return self.status == "ok"

    @property
    def silent(self):
        return self.ok and (not self.right or self.largest > GROSS)


@cache
def scorer():
    """The reference scorer as a module."""
    spec = importlib.util.spec_from_file_location("score", REFERENCE / "figures" / "score.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hints_of(truth):
    """The true scales and colours of a reference figure, as a person would click them."""
    if "hints" in truth:
        return truth["hints"]
    turn = np.array(truth["axes"]["pixel_affine"])
    units = truth["axes"]["y"]["units_per_proportion"]
    x = [[float((turn @ [t, 0, 1])[0]), t] for t in truth["axes"]["x"]["ticks"]]
    y = [[float((turn @ [0, t, 1])[1]), t / units] for t in truth["axes"]["y"]["ticks"]]
    return {"axes": {"x": x, "y": y}, "arms": [{"name": a["name"], "color": a["color"]} for a in truth["arms"]]}


def score_of(name, content, truth, *, hinted=False):
    """The score of one file, read with or without hints."""
    neutral = truth.get("neutral", any(a["linestyle"] != "solid" for a in truth["arms"]))
    base = {"name": name, "level": truth.get("damage", truth["difficulty"]), "neutral": neutral}
    start = time.perf_counter()
    try:
        found = figures_in(content, read_hints(hints_of(truth)) if hinted else None, threads=1)
    except DataError as error:
        return Score(**base, status="refused", reasons=[str(error)], seconds=time.perf_counter() - start)
    spent = time.perf_counter() - start
    reading = max((f.reading for f in found), key=lambda r: len(r.arms))
    curves = {}
    for row in reading.rows():
        curves.setdefault(row["arm"], []).append((row["time"], row["survival"]))
    curves = {k: np.array(v) for k, v in curves.items()}
    risk = [{"arm": c.arm, "time": c.time, "n": c.n, "censored": c.censored} for c in reading.cells]
    result = scorer().score(truth, curves, risk)
    out = Score(**base, status=reading.status, reasons=list(reading.reasons), seconds=spent)
    out.mean = result["mean_abs"]
    out.worst_mean = max(a["mean_abs"] for a in result["arms"])
    out.largest = max(a["max_abs"] for a in result["arms"])
    out.extra = result["extra_arms"]
    _cells(out, truth, reading, result)
    _marks(out, truth, reading, result)
    return out


def _cells(out, truth, reading, result):
    table = truth["at_risk"]
    if not table:
        out.cells_wrong_sure = sum(c.sure for c in reading.cells)
        return
    names = {a["arm"]: a["matched"] for a in result["arms"]}
    span = max(truth["axes"]["x"]["ticks"])
    true = {
        (names.get(r["arm"]), float(t)): n for r in table["rows"] for t, n in zip(table["times"], r["n"], strict=True)
    }
    out.cells = sum(len(r["n"]) for r in table["rows"])
    for cell in reading.cells:
        near = [k for k in true if k[0] == cell.arm and abs(k[1] - cell.time) < 0.01 * span]
        exact = bool(near) and true[near[0]] == cell.n
        out.cells_exact += exact
        out.cells_wrong_sure += not exact and cell.sure


def _marks(out, truth, reading, result):
    span = max(truth["axes"]["x"]["ticks"])
    by_name = {a.name: a for a in reading.arms}
    for arm, pair in zip(truth["arms"], result["arms"], strict=True):
        if pair["matched"] is None or pair["matched"] not in by_name:
            continue
        seen = by_name[pair["matched"]].marks
        shown = np.unique(arm.get("censor_times", [])) if arm.get("censor_marks_drawn") else np.zeros(0)
        out.marks_true += len(shown)
        out.marks_read += len(seen)
        if len(shown) and len(seen):
            out.marks_hit += int((np.abs(seen[:, None] - shown[None]).min(axis=1) < 0.004 * span).sum())
