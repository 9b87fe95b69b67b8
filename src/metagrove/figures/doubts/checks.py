"""The checks that a reading must pass before a figure is called ok without a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from metagrove.figures.doubts.check import Check
from metagrove.figures.doubts.crowds import CROWDS
from metagrove.figures.doubts.dashes import LINES
from metagrove.figures.doubts.ends import ENDS
from metagrove.figures.doubts.identity import COLOURS, DASHES, EDGES
from metagrove.figures.doubts.ink import DROPS, OWN_INK, UNEXPLAINED
from metagrove.figures.doubts.reading_checks import ARMS, COUNTS, KIND, NUMBER, SCALES, TABLE, Read
from metagrove.figures.doubts.slopes import STEPS
from metagrove.figures.doubts.symbols import SYMBOLS
from metagrove.figures.doubts.traced_plot import TracedPlot
from metagrove.figures.findings import Finding
from metagrove.figures.hints import Hints
from metagrove.figures.page import Word
from metagrove.figures.reading import OK, REVIEW, FigureReading

__all__ = ["READING_CHECKS", "TRACE_CHECKS", "judged", "trace_doubts"]

#: What is asked of the traces on a picture.
TRACE_CHECKS: tuple[Check[TracedPlot], ...] = (
    UNEXPLAINED,
    OWN_INK,
    DASHES,
    SYMBOLS,
    COLOURS,
    EDGES,
    DROPS,
    CROWDS,
    ENDS,
)
#: What is asked of every reading, from pictures and drawings.
READING_CHECKS: tuple[Check[Read], ...] = (SCALES, NUMBER, ARMS, COUNTS, TABLE, KIND, STEPS, LINES)


def trace_doubts(seen: TracedPlot) -> list[Finding]:
    """What the checks of traces doubt about a plot."""
    return [finding for check in TRACE_CHECKS for finding in check.find(seen)]


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
    read = Read(reading, tuple(witnesses), hints, tuple(words))
    doubts = [*findings, *(finding for check in READING_CHECKS for finding in check.find(read))]
    reasons = tuple(dict.fromkeys(d.message for d in doubts if d.grave))
    return replace(reading, status=REVIEW if reasons else OK, reasons=reasons)
