"""Means from medians, and effects from printed intervals."""

import numpy as np
import pytest

import metagrove as mg
from known import reference_json
from metagrove.effects.conversions import MEAN_RULES, SD_RULES, moments_from_quantiles

CASE = reference_json("meta/conv_fivenum.json")
QUANTILES = tuple(np.array(CASE["data"][name], dtype=float) for name in ("min", "q1", "median", "q3", "max"))
N = np.array(CASE["data"]["n"], dtype=float)


@pytest.mark.parametrize("method", ["default", "luo/wan/shi", ("luo", "shi")])
def test_five_numbers_as_metafor(method):
    frame = mg.conv_fivenum("min", "q1", "median", "q3", "max", "n", data=CASE["data"], method=method)
    expected = CASE["expected"]["conv_default"]
    np.testing.assert_allclose(frame["mean"], expected["mean"], rtol=1e-12)
    np.testing.assert_allclose(frame["sd"], expected["sd"], rtol=1e-12)
    assert list(frame["n"]) == CASE["data"]["n"]


@pytest.mark.parametrize(("key", "rule"), [("metamean_Luo_Shi", "Shi tables"), ("metamean_Luo_Wan", "Wan tables")])
def test_five_numbers_as_meta_with_the_printed_tables(key, rule):
    moments = moments_from_quantiles(QUANTILES, N, mean_rule="Luo", sd_rule=rule)
    np.testing.assert_allclose(moments.mean, CASE["expected"][key]["mean"], rtol=1e-12)
    np.testing.assert_allclose(moments.sd, CASE["expected"][key]["sd"], rtol=1e-12)


def test_rules_recover_a_large_normal_sample():
    from scipy.stats import norm

    n = 400.0
    p = np.array([0.625 / (n + 0.25), 0.25, 0.5, 0.75, 1 - 0.625 / (n + 0.25)])
    q = 10 + 3 * norm.ppf(p)
    for name in MEAN_RULES:
        assert moments_from_quantiles(tuple(q), n, mean_rule=name).mean[0] == pytest.approx(10, abs=1e-9)
    for name in ("Shi", "Wan", "Wan tables", "Shi tables", "Cochrane"):
        assert moments_from_quantiles(tuple(q), n, sd_rule=name).sd[0] == pytest.approx(3, rel=0.02)
    assert moments_from_quantiles(tuple(q), n, sd_rule="Hozo").sd[0] == pytest.approx(3, rel=0.05)
    assert moments_from_quantiles((0, 1, 2, 3, 4), 30, sd_rule="Bland").sd[0] == pytest.approx(np.sqrt(1.25))
    assert {"Shi", "Wan", "Wan tables", "Shi tables", "Cochrane", "Hozo", "Bland"} == set(SD_RULES)


def test_too_little_gives_a_gap_and_nonsense_is_refused():
    frame = mg.conv_fivenum(median=[5, 6], q1=[np.nan, 4], q3=[8, 9], n=[20, 20])
    assert np.isnan(frame["mean"][0]) and np.isfinite(frame["mean"][1])
    with pytest.raises(mg.DataError, match=r"study 1: quantiles 9, 5, 4 fall"):
        mg.conv_fivenum(q1=[9], median=[5], q3=[4], n=[20])
    with pytest.raises(mg.UnknownName, match="luo"):
        mg.conv_fivenum(median=[5], q1=[4], q3=[9], n=[20], method="lou")


def test_wald_intervals():
    frame = mg.conv_wald([0.5, 0.8, np.nan], [0.29, 0.52, 0.5], [0.86, 1.24, 1.1], transf=np.log)
    np.testing.assert_allclose(frame["yi"][:2], np.log([0.5, 0.8]))
    assert np.isnan(frame["yi"][2]) and np.isfinite(frame["vi"]).all()
    frame = mg.conv_wald([0.7], pval=[0.03], level=90)
    from scipy.special import ndtr

    assert 2 * ndtr(-0.7 / np.sqrt(frame["vi"][0])) == pytest.approx(0.03)
    with pytest.raises(mg.DataError, match="upper limit"):
        mg.conv_wald([0.5], [0.9], [0.2])
