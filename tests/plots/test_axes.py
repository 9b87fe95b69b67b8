from itertools import pairwise
from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.core.errors import DataError
from metagrove.plots.axes import Axis, fitting_ticks, limits_for, tick_texts
from metagrove.plots.marks import fold, text_width

LAW = settings(derandomize=True, deadline=None, max_examples=150)


@LAW
@given(st.floats(-1e6, 1e6), st.floats(1e-4, 1e6), st.floats(60, 500), st.booleans())
def test_ticks_lie_on_the_axis_and_their_labels_apart(low, span, length, logarithmic):
    low = abs(low) / 1e6 + 1e-3 if logarithmic else low
    high = low * (1 + span) if logarithmic else low + span
    axis = Axis(low, high, 10, length, logarithmic)

    def texts(ticks):
        return tick_texts(ticks, logarithmic=logarithmic)

    ticks = fitting_ticks(axis, 8, texts=texts)
    assert 1 <= len(ticks) <= 7
    places = [axis.at(t) for t in ticks]
    assert all(10 - 0.01 * length <= x <= 10 + 1.01 * length for x in places)
    words = texts(ticks)
    for (a, b), (u, v) in zip(pairwise(places), pairwise(words), strict=True):
        assert b - a > (text_width(u, 8) + text_width(v, 8)) / 2
    if len(ticks) > 2:
        assert len(set(words)) == len(words)
        read = [float(w.replace("−", "-")) for w in words]
        assert read == pytest.approx(ticks, rel=1e-5, abs=1e-9)


def test_familiar_axes_have_familiar_ticks():
    assert fitting_ticks(Axis(0, 1, 0, 200), 8, texts=tick_texts) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    wide = fitting_ticks(Axis(0.08, 12, 0, 250, True), 8, texts=lambda t: tick_texts(t, logarithmic=True))
    assert wide == [0.1, 0.2, 0.5, 1, 2, 5, 10]
    narrow = fitting_ticks(Axis(0.9, 1.2, 0, 200, True), 8, texts=lambda t: tick_texts(t, logarithmic=True))
    assert len(narrow) >= 3 and 1.0 in narrow


@LAW
@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=12),
    st.floats(0.01, 5),
    st.one_of(st.just(0.0), st.floats(1, 1e9)),
)
def test_limits_show_every_estimate_and_bound_long_intervals(estimates, half, extra):
    ends = [(e - half, e + half) for e in estimates]
    ends[0] = (ends[0][0] - extra, ends[0][1])
    low, high = limits_for(estimates, ends, logarithmic=False)
    assert isfinite(low) and isfinite(high)
    assert low <= min(estimates) and high >= max(estimates)
    span = max(max(estimates) - min(estimates), 3 * half)
    if len(estimates) > 2:
        assert min(estimates) - low <= 1.2 * span + 1e-6


def test_an_axis_needs_two_ends():
    with pytest.raises(DataError, match="the second is higher"):
        Axis(1, 1, 0, 100)
    with pytest.raises(DataError, match="starts above 0"):
        Axis(0, 1, 0, 100, logarithmic=True)


@LAW
@given(st.text("abc ümW.-\u00a0", max_size=60), st.floats(8, 300))
def test_folding_keeps_every_letter_and_the_width(text, width):
    lines = fold(text, 8, width)
    assert "".join(lines).replace(" ", "") == text.replace("\u00a0", "").replace(" ", "")
    assert all(text_width(line, 8) <= width or len(line) == 1 for line in lines)
