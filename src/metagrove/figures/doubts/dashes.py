"""Doubts about the lines of drawings: dashes that are no line, drops that no dash shows, lines behind a curve's end."""

from __future__ import annotations

from metagrove.figures.doubts.check import Check
from metagrove.figures.doubts.reading_checks import Read
from metagrove.figures.findings import Finding

__all__ = ["BEYOND_END", "LINES", "UNPLACED_DROP", "UNREAD_DASHES"]

# the names of what a reading measured of them
UNREAD_DASHES, UNPLACED_DROP, BEYOND_END = "dashes_not_read", "unplaced_drop", "beyond_end"
# survival: a deeper drop that stands somewhere between two dashes is for a person to place
_DEEP = 0.05
# of a curve's width: a shorter line behind its end is no part of it
_GOES_ON = 0.03
_NOT_READ = "a line is drawn as {count} filled pieces, and was not read"
_ON = "lines that look like a curve go on behind its end"
_BETWEEN = "a drop of {drop} stands somewhere between two dashes"


def _lines(read: Read) -> list[Finding]:
    """Doubts about dashes left over, deep drops between two dashes, and lines that go on behind a curve's end."""
    measured = dict(read.reading.checks)
    out = []
    if measured.get(UNREAD_DASHES, 0.0):
        out.append(Finding(_NOT_READ.format(count=round(measured[UNREAD_DASHES]))))
    if measured.get(UNPLACED_DROP, 0.0) > _DEEP:
        out.append(Finding(_BETWEEN.format(drop=f"{measured[UNPLACED_DROP]:.2f}")))
    if measured.get(BEYOND_END, 0.0) > _GOES_ON:
        out.append(Finding(_ON))
    return out


LINES = Check(
    "lines",
    "dashes of a drawing that are no line, deep drops between two dashes, lines that go on",
    (_NOT_READ, _BETWEEN, _ON),
    _lines,
)
