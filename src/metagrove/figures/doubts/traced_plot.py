"""A plot with everything that was traced on it: what each check of a trace looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.files.image import Pixels
from metagrove.figures.lines.evidence import ArmLook, Canvas
from metagrove.figures.lines.tracing import Trace
from metagrove.figures.plot import Plot
from metagrove.figures.reading import ArmReading

__all__ = ["TracedPlot"]


@dataclass(frozen=True, slots=True, eq=False)
class TracedPlot:
    """A plot, its pixels made ready, the traces and the arms read from them, in one order.

    `own[i]` is the share of each pixel that arm i's ink covers where no other stroke lies, `foreign[i]` where strokes of
    others lie, `prose` where words, ticks, frames and landmarks stand, which no curve need explain; all of the shape
    (rows, columns) of the cut. `picture` is the whole picture.
    """

    plot: Plot
    field: Canvas
    trace: Trace
    looks: tuple[ArmLook, ...]
    arms: tuple[ArmReading, ...]
    own: tuple[NDArray[np.float32], ...]
    foreign: tuple[NDArray[np.bool_], ...]
    prose: NDArray[np.bool_]
    picture: Pixels

    @property
    def inked(self) -> NDArray[np.bool_]:
        """Where ink stands that a curve should explain."""
        return np.asarray((self.field.e_paper > 70.0**2) & ~self.field.blank & ~self.prose)

    @property
    def core(self) -> NDArray[np.bool_]:
        """Where the strokes of the traced curves lie."""
        return np.asarray(np.any([c == 2 for c in self.trace.covers], axis=0))

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Where the strokes of the traced curves and their soft edges lie."""
        return np.asarray(np.any([c > 0 for c in self.trace.covers], axis=0))
