"""Arms named by an arrow that leads from their name to their curve, and how many arms such arrows count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.legend.pointers import pointers
from metagrove.figures.lines.evidence import ArmLook, Canvas
from metagrove.figures.lines.tracing import Trace
from metagrove.figures.page import Word, number
from metagrove.figures.reading import ArmReading
from metagrove.figures.table.rows import RiskRow, towards_plot
from metagrove.figures.writing.naming import named_like

__all__ = ["Arrow", "arrows_from", "counted_by_arrows", "names_with_arrows", "pointed_at"]

# how near pixels are to a colour, of 441, from where on it is one, and the share of a box that words printed in it take
_OWN, _COLOURED, _PRINTED = 60.0, 60.0, 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Arrow:
    """A name, the index of the curve that its arrow ends at (None where two are as near), and the arrow's pixels."""

    name: str
    curve: int | None
    ink: NDArray[np.bool_]


def names_with_arrows(names: Sequence[Word], rows: Sequence[RiskRow]) -> list[Word]:
    """The phrases from which an arrow may lead to a curve: those that head rows of numbers at risk, else any of three letters."""
    labels = [r.label for r in rows if r.label]
    words = [w for w in names if sum(c.isalpha() for c in w.text) > 2 and number(w.text) is None]
    if not labels:
        return [w for w in words if w.score > 0.8 and not any(c.isdigit() for c in w.text)]
    return [w for w in towards_plot(words, rows) if named_like(w.text, labels) is not None]


def arrows_from(names: Sequence[Word], field: Canvas, trace: Trace, looks: Sequence[ArmLook]) -> list[Arrow]:
    """The arrows from names, in rows and columns of the plot, to its curves; marks in a colour that no name is printed in are none."""
    import cv2

    if not names:
        return []
    tall, wide = field.blank.shape
    known = [w for w in names if 0 < w.cx < wide and 0 < w.cy < tall]
    curves = [c == 2 for c in trace.covers]
    inked = (field.e_paper > 70.0**2) & ~field.blank
    near = cv2.dilate(np.any(curves, axis=0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    loose = inked & ~near
    for look in looks:
        own = np.linalg.norm(field.rgb - np.array(look.colour, dtype=np.float32), axis=2) < _OWN
        boxes = (own[max(int(w.y0), 0) : int(w.y1) + 1, max(int(w.x0), 0) : int(w.x1) + 1] for w in names)
        if np.ptp(look.colour) > _COLOURED and not any(box.size and box.mean() > _PRINTED for box in boxes):
            loose &= ~own
    return [Arrow(known[p.name].text, p.curve, p.ink) for p in pointers(loose, inked, curves, known)]


def counted_by_arrows(arms: Sequence[ArmReading], arrows: Sequence[Arrow], witnesses: list[int]) -> list[int]:
    """How many arms legend and table count; a legend of one is none where an arrow from its own name ends at every arm."""
    named = {a.curve: a.name for a in arrows}
    whole = len(arrows) == len(named) == len(set(named.values())) == len(arms) > 1
    if whole and witnesses in ([], [1]) and all(arm.name == named[i] for i, arm in enumerate(arms)):
        return [len(arms)]
    return witnesses


def pointed_at(arms: Sequence[ArmReading], arrows: Sequence[Arrow]) -> list[ArmReading]:
    """The arms without a name under that of the one arrow that ends at them."""
    out = list(arms)
    for i, arm in enumerate(arms):
        names = [a.name for a in arrows if a.curve == i]
        if not arm.name and len(names) == 1:
            out[i] = replace(arm, name=names[0])
    return out
