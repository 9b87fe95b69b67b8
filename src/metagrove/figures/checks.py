"""Independent checks of a reading: what must agree before a figure is called ok without a person."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metagrove.figures.findings import Finding
from metagrove.figures.hints import Hints
from metagrove.figures.page import Word, colour_distance
from metagrove.figures.reading import OK, REVIEW, FigureReading, RiskCell
from metagrove.figures.table.doubted_counts import allowed_by_curve, out_of_line, too_fine

__all__ = ["judged"]

_INCIDENCE = (
    "incidence",
    "cumulative",
    "event",
    "hazard",
    "failure",
    "probability",
    "relapse",
    "recurrence",
    "death",
    "mortality",
)
# the name of an earlier arm with a number, as `unique_names` gives it
_AGAIN = re.compile(r"(.+) \(\d\)$")
_NOT_TIME = re.compile(r"\b(specificity|sensitivity|recall|(?:true|false)[ -]positives?)\b|positive rate")


def judged(
    reading: FigureReading,
    findings: Sequence[Finding],
    *,
    witnesses: Sequence[int],
    hints: Hints,
    words: Sequence[Word],
) -> FigureReading:
    """The reading with its status: ok where no grave doubt is left.

    `witnesses` are counts of arms found elsewhere on the page (legend entries, rows of numbers at risk).
    """
    doubts = [*findings, *_axis_doubts(reading, hints), *_arm_doubts(reading, witnesses, hints)]
    doubts += [*_risk_doubts(reading), *_kind_doubts(reading, words, hints)]
    reasons = tuple(dict.fromkeys(d.message for d in doubts if d.grave))
    return replace(reading, status=REVIEW if reasons else OK, reasons=reasons)


def _axis_doubts(reading: FigureReading, hints: Hints) -> list[Finding]:
    out = []
    limit = 0.35 if reading.source == "vector" else 1.1
    for name, axis, hinted in (("x", reading.x, hints.x), ("y", reading.y, hints.y)):
        if hinted is not None:
            continue
        labels = len(axis.values)
        ends = {0.0, reading.scale}
        enough = labels >= 3 or (name == "y" and labels == 2 and axis.on_ticks == 2 and set(axis.values) & ends)
        if not enough:
            out.append(Finding(f"only {labels} labels of the {name} axis were read; at least 3 are needed"))
        if axis.residual > limit:
            out.append(Finding(f"the labels of the {name} axis are {axis.residual:.1f} pixels off a straight scale"))
        missing = max(1, labels // 5) if reading.source == "raster" else 0
        if labels - axis.on_ticks > missing:
            out.append(Finding(f"{labels - axis.on_ticks} of {labels} labels of the {name} axis stand at no tick mark"))
        if not axis.even:
            out.append(Finding(f"the labels of the {name} axis are not evenly spaced"))
        if axis.left_out > (max(1, labels // 4) if labels > 2 else 0):
            out.append(Finding(f"{axis.left_out} numbers in line with the {name} axis do not fit its scale"))
    return out


def _arm_doubts(reading: FigureReading, witnesses: Sequence[int], hints: Hints) -> list[Finding]:
    out = []
    count = len(reading.arms)
    if hints.arms and len(hints.arms) != count:
        out.append(Finding(f"{count} curves were found where the hints name {len(hints.arms)}"))
    elif not hints.arms and not witnesses and count > 1:
        out.append(Finding(f"{count} curves, and neither legend nor numbers at risk to confirm that this is all"))
    elif not hints.arms and not witnesses:
        out.append(Finding("one curve, and neither legend nor numbers at risk to confirm that there is no other"))
    out += [
        Finding(f"{count} curves, but {w} in the legend or the numbers at risk")
        for w in witnesses
        if w != count and not hints.arms
    ]
    for arm in reading.arms:
        if abs(arm.survival[0] - 1) > max(0.004, 2 * float(arm.survival_error[0])):
            out.append(Finding(f"'{arm.name}' starts at {float(arm.survival[0]):.3f}, not at 1"))
    names = {a.name for a in reading.arms}
    for again in (m[1] for m in map(_AGAIN.match, names) if m and m[1] in names and not hints.arms):
        out.append(Finding(f"'{again}' is read as the name of more than one curve"))
    for i, a in enumerate(reading.arms):
        for b in reading.arms[i + 1 :]:
            grid = np.linspace(0, min(a.end, b.end), 200)
            if np.abs(a.at(grid) - b.at(grid)).max() < 1e-3 and colour_distance(a.colour, b.colour) < 30:
                out.append(Finding(f"'{a.name}' and '{b.name}' are the same line"))
    return out


def _risk_doubts(reading: FigureReading) -> list[Finding]:
    out = []
    by_arm: dict[str, list[RiskCell]] = {}
    for cell in reading.cells:
        by_arm.setdefault(cell.arm, []).append(cell)
    if reading.cells and len({len(v) for v in by_arm.values()}) > 1:
        out.append(Finding("the rows of numbers at risk differ in length"))
    known = {a.name for a in reading.arms}
    counted = [(cells, reading.arm(name)) for name, cells in by_arm.items() if name in known]
    out += [
        Finding(f"number at risk of '{c.arm}' at {c.time:g}: {c.n} is out of line with the next and with other arms")
        for c in out_of_line(counted)
    ]
    for name, cells in by_arm.items():
        if name not in known:
            continue
        arm = reading.arm(name)
        if any(a.n < b.n for a, b in itertools.pairwise(cells)):
            out.append(Finding(f"the numbers at risk of '{name}' rise"))
        elif not allowed_by_curve(cells, arm, slack=0.002 + 2 * float(np.median(arm.survival_error))):
            out.append(Finding(f"the numbers at risk of '{name}' fall less than its curve does"))
        elif (fine := too_fine(cells, arm)) is not None:
            out.append(
                Finding(
                    f"'{name}' drops at {fine.time:g} to {fine.until:g} by less than one of the {fine.n} people at risk"
                )
            )
        unsure = [c for c in cells if not c.sure]
        if len(unsure) == len(cells) > 2:
            out.append(Finding(f"none of the numbers at risk of '{name}' is sure"))
            continue
        out += [
            Finding(f"number at risk of '{name}' at {c.time:g}: two readings disagree ('{c.text}')") for c in unsure
        ]
    return out


def _kind_doubts(reading: FigureReading, words: Sequence[Word], hints: Hints) -> list[Finding]:
    texts = [w.text.lower() for w in words]
    out = []
    if _NOT_TIME.search(" ".join(texts)):
        out.append(Finding("the words around the figure speak of a diagnostic curve, not of survival"))
    if (
        reading.direction == "incidence"
        and hints.direction is None
        and not any(s in t for t in texts for s in _INCIDENCE)
    ):
        out.append(Finding("the curves rise, and no word says that this is a cumulative incidence"))
    return out
