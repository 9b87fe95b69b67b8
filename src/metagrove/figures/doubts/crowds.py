"""Curves that fall steeply through marks that have grown together: when they fall is not seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.doubts.check import Check
from metagrove.figures.doubts.traced_plot import TracedPlot
from metagrove.figures.findings import Finding
from metagrove.figures.lines.tracking import Path

__all__ = ["CROWDS"]

# the share of a pixel that counts as ink, pixels that a line's edge may be soft, and pen widths beside it that are looked at
_INKED, _SOFT, _BESIDE = 0.4, 2.0, 4.0
# survival, on average over the curve, that a shift by a pen's width costs where marks hide the line
_AT_STAKE = 0.004

_CROWDED = "'{arm}' falls steeply through marks that hide its line; its times are not seen"


def _crowds(seen: TracedPlot) -> list[Finding]:
    """Doubts about curves whose steep parts lie under marks of their own colour."""
    return [Finding(_CROWDED.format(arm=a.name)) for a, c in zip(seen.arms, costs(seen), strict=True) if c > _AT_STAKE]


def costs(seen: TracedPlot) -> list[float]:
    """What a shift by a pen's width costs each arm, in survival on average, where marks hide its line."""
    out = []
    for look, path, own, cover in zip(seen.looks, seen.trace.paths, seen.own, seen.trace.covers, strict=True):
        reach = max(round(look.width), 1)
        level = seen.plot.survival(np.asarray(path.leave, dtype=float))
        index = np.arange(len(level))
        ends = np.clip(index - reach, 0, None), np.clip(index + reach, None, len(level) - 1)
        cost = np.abs(level[ends[1]] - level[ends[0]]) / 2
        out.append(float((cost * _hidden((own > _INKED) & (cover == 0), path, look.width)).mean()))
    return out


def _hidden(loose: NDArray[np.bool_], path: Path, width: float) -> NDArray[np.bool_]:
    """In which columns of a path loose ink of its own, as high as its pen or more, stands close above or below it."""
    rows = np.arange(len(loose))[:, None]
    reach = (0.5 + _BESIDE) * width + _SOFT
    near = (rows > np.minimum(path.enter, path.leave) - reach) & (rows < np.maximum(path.enter, path.leave) + reach)
    columns = loose[:, path.first : path.first + len(path.leave)]
    return np.asarray((columns & near).sum(axis=0) > width)


CROWDS = Check("crowded marks", "a curve whose steep parts lie under marks of its own colour", (_CROWDED,), _crowds)
