"""Doubts about dashed lines of drawings: dashes that were not put together to a line, and drops that none of them shows."""

from __future__ import annotations

from metagrove.figures.doubts.check import Check
from metagrove.figures.doubts.reading_checks import Read
from metagrove.figures.findings import Finding

__all__ = ["LINES", "UNPLACED_DROP", "UNREAD_DASHES"]

# the names of what a reading measured of them
UNREAD_DASHES, UNPLACED_DROP = "dashes_not_read", "unplaced_drop"
# survival: a deeper drop that stands somewhere between two dashes is for a person to place
_DEEP = 0.05
_NOT_READ = "a dashed line is drawn as {count} filled pieces, and was not read"
_BETWEEN = "a drop of {drop} stands somewhere between two dashes"


def _lines(read: Read) -> list[Finding]:
    """Doubts about dashes left over, and about deep drops between two dashes."""
    measured = dict(read.reading.checks)
    out = []
    if measured.get(UNREAD_DASHES, 0.0):
        out.append(Finding(_NOT_READ.format(count=round(measured[UNREAD_DASHES]))))
    if measured.get(UNPLACED_DROP, 0.0) > _DEEP:
        out.append(Finding(_BETWEEN.format(drop=f"{measured[UNPLACED_DROP]:.2f}")))
    return out


LINES = Check(
    "lines", "dashes of a drawing that are no line, and deep drops between two dashes", (_NOT_READ, _BETWEEN), _lines
)
