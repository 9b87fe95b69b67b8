from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.page import Stroke
from metagrove.figures.strokes.dash_chains import with_lines
from metagrove.figures.strokes.outlines import centre_line, piece_of
from metagrove.figures.strokes.staircases import ragged_lines, staircases

PEN, HALF = 1.5, 0.75
INK = (0, 0, 0)


def staircase(rng, steps, *, rising=False):
    across, down = rng.exponential(260 / steps, steps) + 0.05, rng.exponential(180 / steps, steps) + 0.05
    x, y = np.append(0, np.cumsum(across)), np.append(0, np.cumsum(down))
    points = np.column_stack([np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]])
    points = np.vstack([[0.0, 0.0], points, [x[-1] + 4, y[-1]]])
    return (points[1:] if (points[0] == points[1]).all() else points) * [1, -1 if rising else 1] + [60, 200]


def touching(line, half=HALF):
    """The outline of a line as Skia draws it: mitred outside, there and back to each corner inside."""
    sides = ([], [])
    ways = np.sign(np.diff(line, axis=0)) * (np.abs(np.diff(line, axis=0)) > 1e-9)
    normals = ways[:, ::-1] * [1, -1]
    for side, sign in zip(sides, (1, -1), strict=True):
        side.append(line[0] + sign * half * normals[0])
        for corner, a, b, way in zip(line[1:-1], normals[:-1], normals[1:], ways[:-1], strict=True):
            outer = (sign * b * way).sum() > 0
            near = [corner + sign * half * (a + b)]
            side += near if outer else [corner + sign * half * a, corner, corner + sign * half * b]
        side.append(line[-1] + sign * half * normals[-1])
    return np.array([*sides[0], *sides[1][::-1], sides[0][0]])


def mitred(line, half=HALF):
    """The outline of a line as drawing programs leave it: its two edges, meeting at corners."""
    ways = np.diff(line, axis=0)
    normals = np.sign(ways)[:, ::-1] * [1, -1] * (np.abs(ways[:, ::-1]) > 1e-9)
    shift = np.vstack([normals[:1], normals[:-1] + normals[1:], normals[-1:]])
    return np.vstack([line + half * shift, (line - half * shift)[::-1], line[:1] + half * shift[:1]])


def dashed(line, on, off):
    """The dashes of a line, each as corners."""
    steps = np.abs(np.diff(line, axis=0)).sum(axis=1)
    reach = np.concatenate([[0], np.cumsum(steps)])

    def place(s):
        k = min(np.searchsorted(reach, s, side="right") - 1, len(steps) - 1)
        return line[k] + (line[k + 1] - line[k]) * (s - reach[k]) / steps[k]

    for begin in np.arange(0, reach[-1] - 1e-9, on + off):
        end = min(begin + on, reach[-1])
        inner = line[(reach > begin + 1e-9) & (reach < end - 1e-9)]
        yield np.vstack([place(begin), inner, place(end)])


def areas(outlines, path=7):
    return [Stroke(points, None, 1.0, (), INK, True, path) for points in outlines]


@pytest.mark.parametrize("rising", [False, True])
def test_an_outlined_step_line_gives_its_line_back(rising):
    line = np.array([[10.0, 20], [40, 20], [40, 60], [75, 60], [75, 95], [140, 95]])
    line = line * [1, -1] if rising else line
    found, width = centre_line(mitred(line))
    assert width == pytest.approx(PEN)
    np.testing.assert_allclose(found, line, atol=1e-9)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.booleans(), st.integers(2, 25))
def test_every_dash_gives_its_own_length_back(seed, rising, steps):
    line = staircase(np.random.default_rng(seed), steps, rising=rising)
    for dash in dashed(line, 5.0, 3.0):
        piece = piece_of(touching(dash), PEN)
        assert piece is not None
        length = np.abs(np.diff(piece.line, axis=0)).sum()
        assert length == pytest.approx(np.abs(np.diff(dash, axis=0)).sum(), abs=0.02)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([(5.0, 3.0), (1.5, 2.25), (8.0, 2.0)]))
def test_outlined_dashes_become_the_dashed_line(seed, rising, pattern):
    line = staircase(np.random.default_rng(seed), 12, rising=rising)
    drawn = with_lines(areas([touching(d) for d in dashed(line, *pattern)]))
    assert len(drawn) == 1
    stroke = drawn[0]
    assert stroke.colour == INK and stroke.dash == pytest.approx(pattern, abs=0.02) and not stroke.closed
    assert stroke.width == pytest.approx(PEN, abs=0.01)
    (found,) = staircases(drawn)
    (true,) = staircases([Stroke(line, INK, PEN)])
    x = np.linspace(line[0, 0], found.points[-1, 0], 900)[1:-1]
    # a corner that a gap hides beside another may be taken for one
    dashes = list(dashed(line, *pattern))
    gaps = [(a[-1, 0] - 0.8, b[0, 0] + 0.8) for a, b in pairwise(dashes)]
    unplaced = np.any([(x >= a) & (x <= b) for a, b in gaps], axis=0)
    assert all(any(a <= h[0] and h[1] <= b for a, b in gaps) for h in found.hidden)
    beside = np.abs(x[:, None] - line[:, 0]).min(axis=1) < 0.05
    np.testing.assert_allclose(found.height(x)[~unplaced & ~beside], true.height(x)[~unplaced & ~beside], atol=0.03)
    assert found.points[-1, 1] == pytest.approx(true.points[-1, 1], abs=pattern[1] + 0.1)


def test_single_dashes_become_the_dashed_line():
    line = staircase(np.random.default_rng(3), 9)
    pieces = [Stroke(d, INK, 1.0, (), None, False, k) for k, d in enumerate(dashed(line, 6.0, 3.0))]
    (stroke,) = with_lines(pieces)
    assert stroke.dash == pytest.approx((6.0, 3.0), abs=0.02)
    assert len(staircases([stroke])) == 1


def test_a_missing_dash_leaves_the_line_unread():
    line = staircase(np.random.default_rng(5), 9)
    outlines = [touching(d) for d in dashed(line, 5.0, 3.0)]
    kept = [*outlines[:9], *outlines[18:]]
    assert not any(s.dash for s in with_lines(areas(kept)))


def test_a_sample_of_outlined_dashes_is_as_long_as_the_others():
    line = staircase(np.random.default_rng(4), 9)
    curve = areas([touching(d) for d in dashed(line, 5.0, 3.0)], path=1)
    level = np.array([[300.0, 50], [316, 50]])
    sample = areas([touching(d) for d in dashed(level, 5.0, 3.0)], path=2)
    solid = Stroke(np.array([[300.0, 40], [316, 40]]), INK, PEN, path=3)
    drawn = with_lines([*curve, *sample, solid])
    lengths = [s.box[2] - s.box[0] for s in drawn if s.box[3] - s.box[1] < 1]
    assert lengths == pytest.approx([16.0, 16.0])
    assert len({s.dash for s in drawn if s.dash}) == 1
    assert not ragged_lines([s for s in drawn if s.box[3] - s.box[1] < 1])


@pytest.mark.parametrize(
    "points",
    [
        [[0, 0], [100, 0], [100, 40], [0, 40], [0, 0]],
        [[0, 0], [60, 0], [60, 20], [120, 20], [120, 70], [60, 70], [60, 30], [0, 30], [0, 0]],
        [[0, 0], [50, 10], [100, 40], [90, 60], [0, 0]],
    ],
)
def test_areas_stay_areas(points):
    assert centre_line(np.array(points, dtype=float)) is None
    stroke = Stroke(np.array(points, dtype=float), None, 1.0, (), (200, 200, 250), True, 1)
    assert with_lines([stroke]) == (stroke,)


def test_tick_marks_in_a_row_are_no_dashed_line():
    ticks = [Stroke(np.array([[x, 300.0], [x, 304.0]]), INK, 1.0, (), None, False, int(x)) for x in range(60, 400, 30)]
    assert with_lines(ticks) == tuple(ticks)
