"""A plot with everything that was traced on it: what each check of a trace looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.curve import curve_of
from metagrove.figures.doubts.furniture import dotted_grid, furniture, shaded
from metagrove.figures.doubts.hatching import hatched
from metagrove.figures.files.image import Pixels
from metagrove.figures.legend.arms import ArmSpec
from metagrove.figures.lines.evidence import ArmLook, Canvas, coverage
from metagrove.figures.lines.readout import snapped_by
from metagrove.figures.lines.redrawing import redrawn
from metagrove.figures.lines.tracing import Trace
from metagrove.figures.plot import Plot
from metagrove.figures.reading import ArmReading

__all__ = ["TracedPlot", "traced_plot"]

# how far the colour of an area is from paper, of 441, and from grey, of 255, above which it is that of a line
_STRONG, _COLOURED = 170.0, 130.0
# the share of the time axis that the longest curve takes at least, and of the ink in the plot that the curves explain
_LEAST_LONG, _LEAST_INK = 0.02, 0.05


@dataclass(frozen=True, slots=True, eq=False)
class TracedPlot:
    """A plot, its pixels made ready, the traces and the arms read from them, in one order.

    `own[i]` is the share of each pixel that arm i's ink covers where no other stroke lies, `foreign[i]` where strokes of
    others lie, `prose` where words and their arrows stand, `furniture` where ticks, frames and landmarks do, `bands` where
    areas in tints of the curves do; all of the shape (rows, columns) of the cut. `picture` is the whole picture.
    """

    plot: Plot
    field: Canvas
    trace: Trace
    looks: tuple[ArmLook, ...]
    arms: tuple[ArmReading, ...]
    own: tuple[NDArray[np.float32], ...]
    foreign: tuple[NDArray[np.bool_], ...]
    prose: NDArray[np.bool_]
    furniture: NDArray[np.bool_]
    bands: NDArray[np.bool_]
    picture: Pixels

    @property
    def told(self) -> NDArray[np.bool_]:
        """Where something stands that is known to be no curve."""
        return np.asarray(self.prose | self.furniture | self.bands)

    @property
    def inked(self) -> NDArray[np.bool_]:
        """Where ink stands that a curve should explain."""
        return np.asarray(self.ink & ~self.told)

    @property
    def ink(self) -> NDArray[np.bool_]:
        """Where ink stands, of curves or not.

        Lines of a small plot may be so thick that their full colour passes for paper; bands and panels are paler.
        """
        away = self.field.paper - self.field.main
        strong = (np.linalg.norm(away, axis=1) > _STRONG) & (np.ptp(self.field.paper, axis=1) > _COLOURED)
        ink = (self.field.e_paper > 70.0**2) | strong[self.field.nearest]
        return np.asarray(ink & ~self.field.blank)

    @property
    def curveless(self) -> bool:
        """Whether no curve was there to be followed: every trace ends where it begins, or they explain hardly any ink."""
        wide, inked = self.plot.columns[1] - self.plot.columns[0], self.inked
        short = all(len(p.leave) < _LEAST_LONG * wide for p in self.trace.paths)
        return short or bool((inked & self.covered).sum() < _LEAST_INK * inked.sum())

    @property
    def core(self) -> NDArray[np.bool_]:
        """Where the strokes of the traced curves lie."""
        return np.asarray(np.any([c == 2 for c in self.trace.covers], axis=0))

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Where the strokes of the traced curves and their soft edges lie."""
        return np.asarray(np.any([c > 0 for c in self.trace.covers], axis=0))

    def named(self, arms: Sequence[ArmReading], prose: NDArray[np.bool_]) -> TracedPlot:
        """The same plot with its arms under their names, its words, and the furniture that is left besides them."""
        known = furniture(self.field, self.trace, prose)
        loose = (self.field.e_paper > 70.0**2) & ~self.covered & ~self.field.blank & ~prose
        known = known | dotted_grid(loose, *self._labels())
        bands = shaded(self.field, self.looks, self.trace)
        bands = bands | hatched(loose & ~known & ~bands)
        return replace(self, arms=tuple(arms), prose=prose, furniture=known, bands=bands)

    def _labels(self) -> tuple[list[float], list[float]]:
        """The rows and the columns of the cut at which the labels of the two axes stand."""
        plot = self.plot
        rows = [plot.rows[1] - p if plot.rising else p - plot.rows[0] for p in plot.scales.y.pixels]
        return rows, [p - plot.columns[0] for p in plot.scales.x.pixels]


def traced_plot(plot: Plot, specs: Sequence[ArmSpec], field: Canvas, trace: Trace, picture: Pixels) -> TracedPlot:
    """The plot with a curve read from each trace, words and furniture not yet known."""
    looks = tuple(s.look for s in specs)
    foreign = tuple(trace.foreign(i) for i in range(len(looks)))
    own = tuple(np.where(hidden, 0, coverage(field, look)) for hidden, look in zip(foreign, looks, strict=True))
    trace = redrawn(field, looks, trace, plot.start)
    snaps = snapped_by(trace.steps)
    if _lossless(field):
        # other lines stand where they should, while tick marks may have been fitted to the grid
        snaps = [0.0 if snap is None else snap for snap in snaps]
    arms = tuple(curve_of(plot, own[i], spec, trace, i, snaps[i]) for i, spec in enumerate(specs))
    nothing = np.zeros_like(field.blank)
    return TracedPlot(plot, field, trace, looks, arms, own, foreign, nothing, nothing, nothing, picture)


def _lossless(field: Canvas) -> bool:
    """Whether paper near lines is as clean as elsewhere: strong JPEG compression leaves ripples there."""
    import cv2

    ink = (field.e_paper > 900).astype(np.uint8)
    near = cv2.dilate(ink, np.ones((15, 15), np.uint8)) > 0
    ring = near & (cv2.dilate(ink, np.ones((7, 7), np.uint8)) == 0)
    return bool(ring.any() and (field.e_paper[ring] < 2).mean() > 0.9)
