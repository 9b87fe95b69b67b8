"""Traced plots made by hand: pixels, the paths along them and the arms they were read as, for checks that look at these."""

import numpy as np

from metagrove.figures.doubts.traced_plot import TracedPlot
from metagrove.figures.lines.evidence import canvas, coverage
from metagrove.figures.lines.tracing import Trace


def seen_lines(page, looks, paths, arms, inks=None):
    """The traced plot of a page whose strokes hide nothing of each other."""
    field = canvas(page, list(inks or [look.colour for look in looks]))
    nothing = np.zeros(page.shape[:2], bool)
    trace = Trace(tuple(paths), (), (), (), ())
    own = tuple(coverage(field, look) for look in looks)
    hidden = tuple(nothing for _ in looks)
    return TracedPlot(None, field, trace, tuple(looks), tuple(arms), own, hidden, nothing, page)
