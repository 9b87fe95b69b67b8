"""Traced plots of lines drawn by hand, as the checks of readings see them."""

from itertools import pairwise

import numpy as np

from metagrove.figures.doubts.traced_plot import TracedPlot, traced_plot
from metagrove.figures.legend.arms import ArmSpec
from metagrove.figures.lines.evidence import ArmLook, canvas, coverage
from metagrove.figures.lines.tracing import Trace, traced
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.plot import Plot
from metagrove.figures.scales.axes import axis_through
from metagrove.figures.scales.calibration import Scales

#: Rows and columns of a plot whose survival 1 is row 20, 0 row 320; time 0 is column 0, 10 column 500.
TALL, WIDE, TOP, FOOT = 330, 520, 20, 320


def seen_lines(page, looks, paths, arms, inks=None):
    """The traced plot of a page whose strokes hide nothing of each other."""
    field = canvas(page, list(inks or [look.colour for look in looks]))
    nothing = np.zeros(page.shape[:2], bool)
    trace = Trace(tuple(paths), (), (), (), ())
    own = tuple(coverage(field, look) for look in looks)
    hidden = tuple(nothing for _ in looks)
    return TracedPlot(None, field, trace, tuple(looks), tuple(arms), own, hidden, nothing, nothing, nothing, page)


def blank_page():
    return np.full((TALL, WIDE, 3), 255, np.uint8)


def draw(page, steps, colour, width=3):
    """A step line through (column, row) corners, each row held until the next column."""
    for (column, row), (then, below) in pairwise(steps):
        page[row - 1 : row - 1 + width, column : then + 2] = colour
        page[min(row, below) - 1 : max(row, below) - 1 + width, then - 1 : then - 1 + width] = colour


def traced_lines(page, colours, *, width=3.0, prose=None, marks=None):
    """What tracing makes of a page whose arms have these colours, and with `marks` symbols in this order."""
    kinds = range(1, len(colours) + 1) if marks is not None else [0] * len(colours)
    looks = [ArmLook(c, width, Dash(), "solid", 0.0, kind) for c, kind in zip(colours, kinds, strict=True)]
    blank = np.zeros(page.shape[:2], bool)
    blank[FOOT + 2 :] = True
    field = canvas(page, list(colours), blank, marks)
    x = axis_through([0, 250, 500], [0, 5, 10], tolerance=2)
    y = axis_through([FOOT, 170, TOP], [0, 0.5, 1], tolerance=2)
    plot = Plot(Scales(x, y, 1.0, float(WIDE)), (0, TALL), (0, WIDE), float(TOP), rising=False)
    trace = traced(field, looks, start=float(TOP))
    specs = [ArmSpec(f"Arm {k + 1}", look) for k, look in enumerate(looks)]
    seen = traced_plot(plot, specs, field, trace, page)
    return seen.named(seen.arms, np.zeros(page.shape[:2], bool) if prose is None else prose)
