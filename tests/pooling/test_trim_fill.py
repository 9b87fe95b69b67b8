"""Trim and fill: the reference, laws and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from bias_reference import expected, mismatches
from metagrove.core.errors import MethodError, UnknownName
from metagrove.pooling.bias.funnel_data import funnel_data
from metagrove.pooling.bias.trim_fill import MISSING_STUDIES, filled_funnel

CASE = "trimfill_hackshaw1998"
BLOCKS = expected(CASE)["expected"]


def data():
    values = expected(CASE)["data"]
    return np.array(values["yi"]), np.array(values["vi"])


def common(y, v):
    return float((y / v).sum() / (1 / v).sum())


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.startswith("meta")])
def test_reference_after_rma(block):
    method, estimator = block.split("_")
    filled = mg.rma(*data(), method=method).trimfill(estimator=estimator)
    tolerance = 3e-6 if method == "REML" else 1e-9  # the peer's centre is off by 7e-9, which p-values magnify
    nested = {"fit_ML", "fit_REML", "predict", "I2"}
    assert filled.I2 == pytest.approx(BLOCKS[block]["I2"] / 100, rel=tolerance)  # a percentage there
    assert mismatches(CASE, block, filled, tolerance, skip=nested) == []
    for part in ("fit_ML", "fit_REML"):
        for key, value in BLOCKS[block][part].items():
            assert getattr(filled, part)[key] == pytest.approx(value, rel=1e-6)
    if method != "EE":
        predicted = filled.predict()
        for key, value in BLOCKS[block]["predict"].items():
            assert getattr(predicted, key) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("letter", ["L", "R"])
def test_reference_after_the_meta_doors(letter):
    y, v = data()
    filled = mg.metagen(y, np.sqrt(v)).trimfill(type=letter)
    assert mismatches(CASE, f"meta_trimfill_{letter}", filled, 1e-6) == []


def test_filled_studies_are_named_and_reported():
    y, v = data()
    filled = mg.metagen(y, np.sqrt(v), sm="OR").trimfill()
    assert filled.trimfill.sum() == filled.k0 == 7
    assert filled.studlab[-1].startswith("Filled: ")
    assert "7 studies added on the left" in filled.summary()
    assert "Duval" in str(filled.explain()) and "L0" in str(filled.explain())
    assert len(filled.rows()) >= 44
    assert filled.back.TE_random == pytest.approx(np.exp(filled.TE_random))
    with pytest.raises(AttributeError):
        filled.nonsense  # noqa: B018


def test_proportions_can_be_filled():
    result = mg.metaprop([1, 3, 8, 2, 12], [20, 25, 40, 30, 45], sm="PFT").trimfill()
    assert 0 <= result.back.TE_random <= 1


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.01, 2)), min_size=2, max_size=10),
    st.sampled_from(["L0", "R0", "Q0"]),
)
def test_symmetric_data_need_nothing(pairs, estimator):
    d, v = np.array(pairs).T
    d = d + 0.01 * np.arange(d.size)  # no two deviations alike
    y, v = np.concatenate((-d, d)), np.concatenate((v, v))
    for side in ("left", "right"):
        assert filled_funnel(funnel_data(y, v), common, estimator=estimator, side=side).k0 == 0


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0.01, 2)), min_size=5, max_size=20), st.randoms())
def test_mirror_and_order(pairs, random):
    y, v = np.array(pairs).T
    y = y + 0.003 * np.arange(y.size)
    funnel = funnel_data(y, v)
    one = filled_funnel(funnel, common, side="left")
    other = filled_funnel(funnel.mirrored(), common, side="right")
    assert one.k0 == other.k0
    assert one.y == pytest.approx(-other.y)
    order = list(range(y.size))
    random.shuffle(order)
    shuffled = filled_funnel(funnel_data(y[order], v[order]), common, side="left")
    assert sorted(shuffled.y) == pytest.approx(sorted(one.y))


def test_lopsided_data_are_completed():
    rng = np.random.default_rng(5)
    se = rng.uniform(0.05, 0.6, 60)
    y = rng.normal(0.3, se)
    seen = (se < 0.25) | (y > 0.3)
    result = mg.metagen(y[seen], se[seen])
    filled = result.trimfill()
    assert filled.side == "left" and filled.k0 > 3
    assert abs(filled.TE_common - 0.3) < abs(result.TE_common - 0.3)
    random_centre = result.trimfill(ma_common=False)
    assert random_centre.k0 >= 0


def test_refusals():
    y, v = data()
    with pytest.raises(MethodError, match="at least 3"):
        mg.trimfill(y[:2], v[:2])
    with pytest.raises(UnknownName, match="L0, Q0, R0"):
        mg.trimfill(y, v, estimator="L1")
    with pytest.raises(UnknownName, match="type of trim and fill"):
        mg.metagen(y, np.sqrt(v)).trimfill(type="X")
    with pytest.raises(UnknownName, match="left, right"):
        mg.trimfill(y, v, side="up")
    with pytest.raises(MethodError, match="without moderators"):
        mg.rma(y, v, mods=np.arange(37.0)).trimfill()
    with pytest.raises(MethodError, match="filled already"):
        mg.trimfill(mg.trimfill(y, v))


def test_extremes():
    flat = mg.trimfill(np.full(6, 0.2), [0.1, 0.2, 0.3, 0.1, 0.2, 0.3])
    assert flat.k0 == 0
    # the last digit of a number is rounding on some machines and not on others
    nearly = np.where([True, False, True, False, False, True], np.nextafter(0.2, 1), np.nextafter(0.2, 0))
    assert mg.trimfill(nearly, [0.1, 0.2, 0.3, 0.1, 0.2, 0.3]).k0 == 0
    giant = mg.trimfill([0.1, 0.5, 0.9, 0.4], [1e-12, 1, 1, 1], side="left")
    assert np.isfinite(giant.TE_random)
    assert all("doi:" in MISSING_STUDIES.entry(name).cite for name in MISSING_STUDIES)
