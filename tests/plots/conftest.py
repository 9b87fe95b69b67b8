"""The law of all plots: no text touches another, leaves the canvas, or lies across a line or the edge of a shape."""

from itertools import pairwise

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text as Letters

from metagrove.plots.marks import Disc, Line, Shape, Text

SLACK = 0.4  # points; hinting and rounding move ink by less


def boxes(drawing, width_mm):
    """Ink boxes of all text as matplotlib's own renderer measures them: (left, bottom, right, top) in points."""
    with matplotlib.rc_context({"text.hinting": "none"}):
        return _boxes(drawing.figure(width_mm, dpi=288))


def _boxes(figure):
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [artist for artist in figure.get_children() if isinstance(artist, Letters) and artist.get_text()]
    found = []
    for artist in sorted(texts, key=lambda artist: artist.get_zorder()):
        e = artist.get_window_extent(renderer)
        found.append((artist.get_text(), e.x0 / 4, e.y0 / 4, e.x1 / 4, e.y1 / 4))
    return found, figure.get_figwidth() * 72, figure.get_figheight() * 72


def meets(a, b, slack=SLACK):
    return a[0] < b[2] - slack and b[0] < a[2] - slack and a[1] < b[3] - slack and b[1] < a[3] - slack


def crosses(box, p, q):
    """Whether the segment from p to q passes through the box (Liang and Barsky)."""
    near, far = 0.0, 1.0
    for low, high, start, step in ((box[0], box[2], p[0], q[0] - p[0]), (box[1], box[3], p[1], q[1] - p[1])):
        if abs(step) < 1e-9:
            if not low < start < high:
                return False
            continue
        a, b = sorted(((low - start) / step, (high - start) / step))
        near, far = max(near, a), min(far, b)
    return near < far


def corners(mark):
    if isinstance(mark, Disc):
        r = mark.r
        return [(mark.x - r, mark.y - r), (mark.x + r, mark.y - r), (mark.x + r, mark.y + r), (mark.x - r, mark.y + r)]
    return list(mark.points)


def touching(box, mark):
    """Whether text in `box` (y down) lies across a line, or partly on a shape; wholly inside a rectangle is fine."""
    points = corners(mark)
    edges = list(pairwise(points))
    if not isinstance(mark, Line):
        edges.append((points[-1], points[0]))
    if any(crosses(box, p, q) for p, q in edges):
        return True
    inside = all(box[0] <= x <= box[2] and box[1] <= y <= box[3] for x, y in points)
    return inside or (isinstance(mark, Shape) and len(points) > 4 and _within(box, points))


def _within(box, points):
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    odd = False
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            odd = not odd
    return odd


def assert_lawful(drawing, width_mm=None):
    found, wide, high = boxes(drawing, width_mm)
    page = drawing.page(width_mm)
    texts = [mark for mark in page.marks if isinstance(mark, Text) and mark.text]
    assert [len(t.text) for t in texts] == [len(f[0]) for f in found]
    for text, x0, y0, x1, y1 in found:
        assert x0 >= -SLACK and y0 >= -SLACK, f"{text!r} leaves the page at the left or the foot"
        assert x1 <= wide + SLACK and y1 <= high + SLACK, f"{text!r} leaves the page at the right or the top"
    flat = sorted(((f[1:], f[0]) for f in found), key=lambda item: item[0][0])
    for i, (a, first) in enumerate(flat):
        for b, second in flat[i + 1 :]:
            if b[0] >= a[2]:
                break
            assert not meets(a, b), f"{first!r} and {second!r} overlap"
    others = [mark for mark in page.marks if not isinstance(mark, Text)]
    for mark, (text, x0, y0, x1, y1) in zip(texts, found, strict=True):
        if mark.over:
            continue
        box = (x0 + SLACK, high - y1 + SLACK, x1 - SLACK, high - y0 - SLACK)
        for other in others:
            assert not touching(box, other), f"{text!r} is struck by {other}"


@pytest.fixture(name="lawful", scope="session")
def lawful_():
    return assert_lawful
