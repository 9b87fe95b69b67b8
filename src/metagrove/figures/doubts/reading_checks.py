"""Checks of a whole reading: its scales, the number and names of its arms, its numbers at risk, its kind."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import numpy as np

from metagrove.figures.doubts.check import Check
from metagrove.figures.findings import Finding
from metagrove.figures.hints import Hints
from metagrove.figures.page import Word, colour_distance
from metagrove.figures.reading import ArmReading, FigureReading, RiskCell
from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.doubted_counts import allowed_by_curve, out_of_line, too_fine
from metagrove.figures.table.labels import title
from metagrove.figures.writing.words import phrases

__all__ = ["ARMS", "COUNTS", "KIND", "NUMBER", "SCALES", "TABLE", "Read"]

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
# survival at the end of a line that might as well be a grid line
_FALLEN = 0.995
# a curve is gone at once: below this survival at this share of its own time
_GONE, _AT_FIRST = 0.02, 0.01
# a name with a number behind it, as the second arm of one name bears it
_AGAIN = re.compile(r"(.+) \(\d\)$")
# how far below the plot, of its height, a heading of numbers at risk stands at most, and how many letters it has
_BELOW, _HEADING = 1.8, 40
# and how far above it
_OVER = 0.6
# points: programs for screens put tick marks on whole pixels
_ROUNDED = 0.55
# labels without tick marks: how many, in pixels how straight, and over how many
_MANY, _STRAIGHT, _WIDE = 5, 0.7, 300.0
_NOT_TIME = re.compile(r"\b(specificity|sensitivity|recall|(?:true|false)[ -]positives?)\b|positive rate")


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A whole reading with what stands round it on the page.

    `witnesses` are counts of arms found elsewhere on the page: legend entries, rows of numbers at risk.
    """

    reading: FigureReading
    witnesses: tuple[int, ...]
    hints: Hints
    words: tuple[Word, ...]


_FEW = "only {labels} labels of the {name} axis were read; at least 3 are needed"
_BENT = "the labels of the {name} axis are {off} pixels off a straight scale"
_NO_TICKS = "{missing} of {labels} labels of the {name} axis stand at no tick mark"
_UNEVEN = "the labels of the {name} axis are not evenly spaced"
_LEFT_OUT = "{left_out} numbers in line with the {name} axis do not fit its scale"


def _scales(read: Read) -> list[Finding]:
    """Doubts about axes that were not given: too few labels, a bent scale, labels away from tick marks, odd numbers."""
    reading, out = read.reading, []
    limit = _ROUNDED if reading.source == "vector" else 1.1
    for name, axis, hinted in (("x", reading.x, read.hints.x), ("y", reading.y, read.hints.y)):
        if hinted is not None:
            continue
        labels = len(axis.values)
        ends = {0.0, reading.scale}
        enough = labels >= 3 or (name == "y" and labels == 2 and axis.on_ticks == 2 and set(axis.values) & ends)
        if not enough:
            out.append(_FEW.format(labels=labels, name=name))
        if axis.residual > limit:
            out.append(_BENT.format(name=name, off=f"{axis.residual:.1f}"))
        missing = max(1, labels // 5) if reading.source == "raster" else 0
        if labels - axis.on_ticks > missing and not _well_spaced(axis):
            out.append(_NO_TICKS.format(missing=labels - axis.on_ticks, labels=labels, name=name))
        if not axis.even:
            out.append(_UNEVEN.format(name=name))
        if axis.left_out > (max(1, labels // 4) if labels > 2 else 0):
            out.append(_LEFT_OUT.format(left_out=axis.left_out, name=name))
    return [Finding(text) for text in out]


def _well_spaced(axis: Axis) -> bool:
    """Whether an axis that has no tick marks at all needs none: many even labels, straight, over so many pixels.

    The middles of labels are off by a pixel and a half at most, .005 of such an axis, if not all alike: labels set to one side of their places
    would not stand straight, since their widths differ.
    """
    straight = axis.even and not axis.log and axis.residual < _STRAIGHT
    span = max(axis.pixels) - min(axis.pixels)
    return axis.on_ticks == 0 and len(axis.values) >= _MANY and straight and span > _WIDE


_HINTED = "{count} curves were found where the hints name {named}"
_ALONE = "{count} curves, and neither legend nor numbers at risk to confirm that this is all"
_ONE_ALONE = "one curve, and neither legend nor numbers at risk to confirm that there is no other"
_OTHER_COUNT = "{count} curves, but {witness} in the legend or the numbers at risk"
_START = "'{arm}' starts at {level}, not at 1"
_FLAT = "'{arm}' never falls"
_AT_ONCE = "'{arm}' falls to 0 at once, as the side of a frame does"
_TWICE = "'{arm}' is read as the name of more than one curve"
_SAME = "'{arm}' and '{other}' are the same line"


def _number_of_arms(read: Read) -> list[Finding]:
    """Doubts whether all arms were found, from what hints, legend and numbers at risk count."""
    count, hinted = len(read.reading.arms), read.hints.arms
    if hinted:
        return [Finding(_HINTED.format(count=count, named=len(hinted)))] if len(hinted) != count else []
    if not read.witnesses:
        return [Finding(_ALONE.format(count=count) if count > 1 else _ONE_ALONE)]
    return [Finding(_OTHER_COUNT.format(count=count, witness=w)) for w in read.witnesses if w != count]


def _arms(read: Read) -> list[Finding]:
    """Doubts about arms that begin below 1, never fall, fall at once to 0, share a name or are one line."""
    arms = read.reading.arms
    out = [
        _START.format(arm=arm.name, level=f"{float(arm.survival[0]):.3f}")
        for arm in arms
        if abs(arm.survival[0] - 1) > max(0.004, 2 * float(arm.survival_error[0]))
    ]
    out += [_FLAT.format(arm=arm.name) for arm in arms if float(arm.survival[-1]) > _FALLEN]
    out += [_AT_ONCE.format(arm=arm.name) for arm in arms if float(arm.at(np.asarray(_AT_FIRST * arm.end))) < _GONE]
    names = {a.name for a in arms}
    again = (m[1] for m in map(_AGAIN.match, names) if m and m[1] in names and not read.hints.arms)
    out += [_TWICE.format(arm=name) for name in again]
    for a, b in itertools.combinations(arms, 2):
        grid = np.linspace(0, min(a.end, b.end), 200)
        if np.abs(a.at(grid) - b.at(grid)).max() < 1e-3 and colour_distance(a.colour, b.colour) < 30:
            out.append(_SAME.format(arm=a.name, other=b.name))
    return [Finding(text) for text in out]


_OUT_OF_LINE = "number at risk of '{arm}' at {time}: {n} is out of line with the next and with other arms"
_RISE = "the numbers at risk of '{arm}' rise"
_TOO_MANY = "the numbers at risk of '{arm}' fall less than its curve does"
_TOO_FINE = "'{arm}' drops at {time} to {until} by less than one of the {n} people at risk"
_NONE_SURE = "none of the numbers at risk of '{arm}' is sure"
_DISAGREE = "number at risk of '{arm}' at {time}: two readings disagree ('{text}')"


def _counts(read: Read) -> list[Finding]:
    """Doubts about numbers at risk that their rows, their curves or a second reading contradict."""
    reading = read.reading
    by_arm: dict[str, list[RiskCell]] = {}
    for cell in reading.cells:
        by_arm.setdefault(cell.arm, []).append(cell)
    known = {a.name for a in reading.arms}
    counted = [(cells, reading.arm(name)) for name, cells in by_arm.items() if name in known]
    out = [_OUT_OF_LINE.format(arm=c.arm, time=f"{c.time:g}", n=c.n) for c in out_of_line(counted)]
    for cells, arm in counted:
        out += [*_against_curve(cells, arm), *_unsure(cells, arm.name)]
    return [Finding(text) for text in out]


def _against_curve(cells: list[RiskCell], arm: ArmReading) -> list[str]:
    if any(a.n < b.n for a, b in itertools.pairwise(cells)):
        return [_RISE.format(arm=arm.name)]
    if not allowed_by_curve(cells, arm, slack=0.002 + 2 * float(np.median(arm.survival_error))):
        return [_TOO_MANY.format(arm=arm.name)]
    fine = too_fine(cells, arm)
    if fine is None:
        return []
    return [_TOO_FINE.format(arm=arm.name, time=f"{fine.time:g}", until=f"{fine.until:g}", n=fine.n)]


def _unsure(cells: list[RiskCell], name: str) -> list[str]:
    unsure = [c for c in cells if not c.sure]
    if len(unsure) == len(cells) > 2:
        return [_NONE_SURE.format(arm=name)]
    return [_DISAGREE.format(arm=name, time=f"{c.time:g}", text=c.text) for c in unsure]


_DIAGNOSTIC = "the words around the figure speak of a diagnostic curve, not of survival"
_RISING = "the curves rise, and no word says that this is a cumulative incidence"


def _kind(read: Read) -> list[Finding]:
    """Doubts whether the figure shows survival at all."""
    texts = [w.text.lower() for w in read.words]
    out = []
    if _NOT_TIME.search(" ".join(texts)):
        out.append(Finding(_DIAGNOSTIC))
    given = read.reading.direction != "incidence" or read.hints.direction is not None
    if not given and not any(s in t for t in texts for s in _INCIDENCE):
        out.append(Finding(_RISING))
    return out


SCALES = Check(
    "scales",
    "axes with few labels, labels off a straight scale or away from tick marks, numbers that do not fit",
    (_FEW, _BENT, _NO_TICKS, _UNEVEN, _LEFT_OUT),
    _scales,
)
NUMBER = Check(
    "number of arms",
    "curves that are more or fewer than legend, numbers at risk or hints say, or that nothing confirms",
    (_HINTED, _ALONE, _ONE_ALONE, _OTHER_COUNT),
    _number_of_arms,
)
ARMS = Check(
    "arms",
    "curves that do not begin at 1, never fall, fall at once to 0, share a name or are one line",
    (_START, _FLAT, _AT_ONCE, _TWICE, _SAME),
    _arms,
)
COUNTS = Check(
    "numbers at risk",
    "counts that rise, leap, fall less than their curve, are too few for its drops or were read in two ways",
    (_OUT_OF_LINE, _RISE, _TOO_MANY, _TOO_FINE, _NONE_SURE, _DISAGREE),
    _counts,
)
KIND = Check(
    "kind", "words of a diagnostic curve, or rising curves that no word explains", (_DIAGNOSTIC, _RISING), _kind
)


_NO_ROWS = "a table of numbers at risk is announced beside the plot, and none of its rows was read"


def _table(read: Read) -> list[Finding]:
    """A doubt where a heading of numbers at risk has no rows that were read: they were lost, not absent."""
    _, top, right, foot = read.reading.frame
    if read.reading.cells:
        return []
    tall = foot - top
    near = [
        w
        for w in read.words
        if (foot < w.cy < foot + _BELOW * tall or top - _OVER * tall < w.cy < top) and w.x0 < right
    ]
    heads = [p.text for p in phrases(near) if len(p.text) <= _HEADING and title(p.text) and "risk" in p.text.lower()]
    return [Finding(_NO_ROWS)] if heads else []


TABLE = Check("table", "a heading of numbers at risk without a row that was read", (_NO_ROWS,), _table)
