"""The Henmi-Copas interval: metafor's numbers, its moments by simulation, and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from metagrove.core.errors import DataError, MethodError
from metagrove.pooling.henmi_copas import henmi_copas

# metafor 3.8, hc(rma(yi, vi, method="DL"), control=list(tol=1e-13))
KNOWN = [
    ([0.1, 0.3, 0.9], [0.01, 0.02, 0.05], (0.252941176471, -0.513714493589, 1.019596846530)),
    ([0.1, 0.1], [0.01, 0.02], (0.1, -0.0499583117047, 0.2499583117047)),
    ([0.1, 0.1, 0.1], [1e-3, 1e2, 1.0], (0.1, 0.0444955940846, 0.1555044059154)),
    ([0.1, 0.5, 0.4, 0.9, 1.2, -3], [1e-3, 0.2, 1, 0.04, 0.01, 5], (0.216407355021, -3.334959712273, 3.767774422316)),
]


@pytest.mark.parametrize(("y", "v", "known"), KNOWN)
def test_reference_intervals(y, v, known):
    found = henmi_copas(np.array(y), np.array(v))
    assert (found.estimate, found.lower, found.upper) == pytest.approx(known, rel=1e-7)


def test_bcg_through_the_door():
    vaccinated, controls = (
        [4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27],
        [11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29],
    )
    n1 = [123, 306, 231, 13598, 5069, 1541, 2545, 88391, 7499, 1716, 50634, 2498, 16913]
    n2 = [139, 303, 220, 12867, 5808, 1451, 629, 88391, 7277, 1665, 27338, 2341, 17854]
    result = mg.metabin(vaccinated, n1, controls, n2, sm="RR", method="Inverse")
    found = mg.hc(result)
    assert (found.estimate, found.lower, found.upper) == pytest.approx(
        (-0.430285163654, -1.155548761932, 0.294978434624), rel=1e-7
    )
    assert found.estimate == pytest.approx(result.TE_common)
    assert "hc(" in found.to_r()
    assert "Henmi" in str(found.explain())
    assert mg.hc(result, level=90).upper < found.upper


def test_it_covers_under_heterogeneity():
    """Coverage near 95 %, where the plain interval of the common-effect model has far less."""
    rng = np.random.default_rng(5)
    v = np.array([0.01, 0.02, 0.03, 0.05, 0.05, 0.1, 0.1, 0.2, 0.2, 0.3])
    hits = plain = 0
    for _ in range(400):
        y = rng.normal(0.0, np.sqrt(v + 0.08))
        found = henmi_copas(y, v)
        hits += found.lower <= 0 <= found.upper
        plain += abs(found.estimate) <= 1.96 / np.sqrt((1 / v).sum())
    assert 0.92 <= hits / 400 <= 0.985
    assert plain / 400 < 0.8


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-4, 4)), min_size=2, max_size=12),
    st.floats(-5, 5),
    st.floats(0.1, 10),
)
def test_shift_scale_and_order(pairs, shift, factor):
    y, v = np.array([a for a, _ in pairs]), 10.0 ** np.array([b for _, b in pairs])
    found = henmi_copas(y, v)
    moved = henmi_copas((y * factor + shift)[::-1], (v * factor**2)[::-1])
    assert found.lower < found.estimate < found.upper
    assert moved.estimate == pytest.approx(found.estimate * factor + shift, abs=1e-6)
    assert moved.quantile == pytest.approx(found.quantile, rel=1e-6)


def test_what_cannot_be_done_is_refused():
    with pytest.raises(DataError, match="at least 2"):
        henmi_copas(np.array([0.1]), np.array([0.1]))
    with pytest.raises(MethodError, match="between 0 and 1"):
        henmi_copas(np.array([0.1, 0.2]), np.array([0.1, 0.2]), level=1.0)
    with pytest.raises(MethodError, match="without moderators"):
        mg.hc(mg.rma([0.1, 0.2, 0.4, 0.3], [0.1] * 4, mods=[1.0, 2.0, 3.0, 5.0]))
