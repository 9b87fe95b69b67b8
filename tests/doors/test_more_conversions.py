"""`conv_fivenum`, `conv_wald`, `conv_2x2`, `conv_delta` and `aggregate` with metafor's arguments."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from metagrove.core.errors import DataError, MethodError, UnknownName

LAW = settings(derandomize=True, deadline=None, max_examples=25)
NAN = float("nan")


@LAW
@given(*(st.integers(1, 400) for _ in range(4)))
def test_tables_come_back_from_margins_and_any_statistic(a, b, c, d):
    n, row, first = a + b + c + d, a + b, a + c
    spread = np.sqrt(row * (n - row) * first * (n - first))
    phi = (a * d - b * c) / spread
    plain = n * phi**2
    gap = abs(a * d - b * c)
    yates = n * max(gap - n / 2, 0.0) ** 2 / spread**2
    side = np.sign(phi)
    margins = {"ni": [n], "n1i": [row], "n2i": [first]}
    want = [a, b, c, d]
    assert mg.conv_2x2(ori=[a * d / (b * c)], **margins).iloc[0].tolist() == want
    assert mg.conv_2x2(ri=[phi], **margins).iloc[0].tolist() == want
    assert mg.conv_2x2(x2i=[side * plain], correct=False, **margins).iloc[0].tolist() == want
    if gap > n / 2:
        assert mg.conv_2x2(x2i=[side * yates], **margins).iloc[0].tolist() == want


def test_tables_keep_what_is_known_and_name_contradictions():
    data = pd.DataFrame({"ai": [1.0, NAN], "bi": [9.0, NAN], "ci": [3.0, NAN], "di": [7.0, NAN], "r": [-0.25, 0.54]})
    found = mg.conv_2x2(ri="r", ni=[20, 400], n1i=[10, 200], n2i=[4, 248], data=data)
    assert found["ai"].tolist() == [1.0, 176.0]
    with pytest.raises(DataError, match="study 1: the statistic asks for 61 people"):
        mg.conv_2x2(ri=[0.54], ni=[400], n1i=[200], n2i=[50])
    with pytest.raises(DataError, match="study 1: n2i is 0 of ni 400"):
        mg.conv_2x2(ri=[0.54], ni=[400], n1i=[200], n2i=[0])
    with pytest.raises(DataError, match="odds ratios lie above 0"):
        mg.conv_2x2(ori=[-2], ni=[400], n1i=[200], n2i=[50])


def test_delta_method_agrees_with_escalc():
    raw = mg.escalc("PR", xi=[5, 12], ni=[40, 80])
    want = mg.escalc("PLO", xi=[5, 12], ni=[40, 80])
    found = mg.conv_delta(data=raw, transf=lambda p: np.log(p / (1 - p)), replace="all")
    assert found["yi"].tolist() == pytest.approx(want.yi)
    assert found["vi"].tolist() == pytest.approx(want.vi, rel=1e-9)
    beside = mg.conv_delta(data=raw, transf=np.log, var_names=("log", "vlog"))
    assert beside["yi"].tolist() == pytest.approx(raw.yi) and "vlog" in beside
    biserial = mg.conv_delta(
        [0.5, 0.2], [0.04, 0.03], transf=lambda d, a, b: d / np.sqrt(d**2 + (a + b - 2) / a + (a + b - 2) / b),
        a=[20, 30], b=[25, 31],
    )  # fmt: skip
    assert biserial["yi"].iloc[0] == pytest.approx(0.5 / np.sqrt(0.25 + 43 / 20 + 43 / 25))
    with pytest.raises(DataError, match="study 2"):
        mg.conv_delta([1.0, -1.0], [0.1, 0.1], transf=np.log)


@LAW
@given(st.floats(-2, 2), st.floats(0.01, 1), st.sampled_from(["exp", "tanh", "square"]))
def test_numerical_slopes_are_those_of_calculus(y, v, name):
    function = {"exp": np.exp, "tanh": np.tanh, "square": np.square}[name]
    slope = {"exp": np.exp(y), "tanh": 1 / np.cosh(y) ** 2, "square": 2 * y}[name]
    found = mg.conv_delta([y], [v], transf=function)
    assert found["vi"].iloc[0] == pytest.approx(v * slope**2, rel=1e-8, abs=1e-14)


def test_wald_fills_the_gaps_of_an_escalc_table_and_names_odd_limits():
    raw = mg.escalc("OR", [23, NAN, 4], n1i=[194, 183, 46], ci=[38, NAN, 7], n2i=[201, 188, 44])
    found = mg.conv_wald(
        [NAN, 0.64, NAN], [NAN, 0.33, NAN], [NAN, 1.22, NAN], n=[395, 371, 90], data=raw, transf=np.log
    )
    # the worked example of metafor's documentation
    assert found["yi"].round(4).tolist() == [-0.55, -0.4463, -0.6864]
    assert found["vi"].round(4).tolist() == [0.0818, 0.1113, 0.4437]
    assert found["ni"].tolist() == [395, 371, 90] and found.attrs["notes"] == ()
    by_p = mg.conv_wald(out=[NAN, 0.64, NAN], pval=[NAN, 0.17, NAN], data=raw, transf=np.log)
    assert by_p["vi"].round(4).tolist() == [0.0818, 0.1058, 0.4437]
    odd = mg.conv_wald([0.5], [0.1], [2.0])
    assert odd.attrs["notes"] == ("study 1: the estimate is not half-way between its limits",)
    some = mg.conv_wald([0.5, 0.4], [0.1, 0.2], [0.9, 0.6], include=[True, False])
    assert np.isfinite(some["yi"]).tolist() == [True, False]
    with pytest.raises(MethodError, match="replace"):
        mg.conv_wald([0.5], [0.1], [0.9], replace="some")


# estmeansd 1.0.1, the example of its README: minimum 2, median 4, maximum 9, n = 100. "bc" and "mln" draw random
# numbers there, so that their digits are those of a sample.
@pytest.mark.parametrize(
    ("method", "mean", "sd", "close"),
    [("qe", 4.347284, 1.502171, 2e-5), ("bc", 4.210971, 1.337348, 0.01), ("mln", 4.195238, 1.294908, 0.06)],
)
def test_rules_for_skewed_data(method, mean, sd, close):
    found = mg.conv_fivenum(min=[2], median=[4], max=[9], n=[100], method=method)
    assert found["mean"].iloc[0] == pytest.approx(mean, rel=close)
    assert found["sd"].iloc[0] == pytest.approx(sd, rel=close)


@pytest.mark.parametrize("method", ["qe", "bc", "mln"])
def test_rules_for_skewed_data_find_a_log_normal(method):
    from scipy.special import ndtri

    n, mu, sigma = 400, 1.0, 0.5
    five = np.exp(mu + sigma * ndtri([0.625 / n, 0.25, 0.5, 0.75, 1 - 0.625 / n]))
    true = float(np.exp(mu + sigma**2 / 2))
    spread = true * float(np.sqrt(np.expm1(sigma**2)))
    names = ("min", "q1", "median", "q3", "max")
    for chosen, close in ((names, 0.12), (names[1:4], 0.05)):
        given_ = {name: [value] for name, value in zip(names, five, strict=True) if name in chosen}
        found = mg.conv_fivenum(**given_, n=[n], method=method)
        assert found["mean"].iloc[0] == pytest.approx(true, rel=0.02)
        assert found["sd"].iloc[0] == pytest.approx(spread, rel=close)


@LAW
@given(st.sampled_from(["qe", "bc", "mln"]), st.floats(0.01, 100), st.integers(20, 500))
def test_rules_for_skewed_data_follow_the_unit(method, unit, n):
    five = np.array([1.0, 2.5, 4.0, 6.5, 12.0])
    names = ("min", "q1", "median", "q3", "max")
    one = mg.conv_fivenum(**{k: [v] for k, v in zip(names, five, strict=True)}, n=[n], method=method)
    two = mg.conv_fivenum(**{k: [v] for k, v in zip(names, unit * five, strict=True)}, n=[n], method=method)
    # a beta distribution is tried where all values lie within 0 and 1
    if method != "qe" or unit * five[-1] > 1:
        assert two["mean"].iloc[0] == pytest.approx(unit * one["mean"].iloc[0], rel=1e-4)
        assert two["sd"].iloc[0] == pytest.approx(unit * one["sd"].iloc[0], rel=1e-3)


def test_rules_for_skewed_data_refuse_and_survive_edges():
    assert mg.conv_fivenum(q1=[3], median=[3], q3=[3], n=[30], method="mln")["sd"].iloc[0] == 0
    with pytest.raises(DataError, match="study 1: the Box-Cox method needs values above 0"):
        mg.conv_fivenum(q1=[-3], median=[3], q3=[5], n=[30], method="bc")
    assert np.isfinite(mg.conv_fivenum(q1=[-3], median=[3], q3=[5], n=[30], method="qe")["sd"].iloc[0])
    with pytest.raises(UnknownName, match="qe"):
        mg.conv_fivenum(q1=[3], median=[4], q3=[5], n=[30], method="lou")


def test_log_normal_data_and_the_test_of_skewness():
    five = {"min": [1, NAN, 2], "q1": [4, 5, NAN], "median": [6, 8, 9], "q3": [9, 12, NAN], "max": [15, NAN, 20]}
    n = [25, 40, 60]
    logs = mg.conv_fivenum(**five, n=n, dist="lnorm", transf=False)
    raw = mg.conv_fivenum(**five, n=n, dist="lnorm")
    # without small-sample terms the back-transform is exp(m + s²/2)
    rough = np.exp(logs["mean"] + logs["sd"] ** 2 / 2)
    assert raw["mean"].tolist() == pytest.approx(rough.tolist(), rel=0.02)
    assert (raw["mean"] < rough).all()
    taken = mg.conv_fivenum(q1=[5, 5], median=[8, 6], q3=[12, 20], n=[40, 40], test=True)
    assert np.isfinite(taken["mean"]).tolist() == [True, False]
    with pytest.raises(DataError, match="log-normal data lie above 0"):
        mg.conv_fivenum(q1=[-1], median=[8], q3=[12], n=[40], dist="lnorm")
    with pytest.raises(MethodError, match="lnorm"):
        mg.conv_fivenum(q1=[1], median=[8], q3=[12], n=[40], dist="gamma")


@pytest.mark.parametrize("case", ["range", "quartiles", "all"])
def test_skewness_is_found_in_five_of_a_hundred_normal_samples(case):
    from metagrove.effects.quantile_fits import Quantiles
    from metagrove.effects.skewness import skewness_test

    rng, n, draws = np.random.default_rng(8), 60, 2500
    five = np.quantile(rng.standard_normal((draws, n)), [0, 0.25, 0.5, 0.75, 1], axis=1).T
    keep = {"range": [0, 2, 4], "quartiles": [1, 2, 3], "all": [0, 1, 2, 3, 4]}[case]
    called = [
        skewness_test(Quantiles(tuple(row[keep]), n, case, lambda values, size, kind: (0.0, 1.0))).skewed
        for row in five
    ]
    assert np.mean(called) == pytest.approx(0.05, abs=0.015)


def test_log_normal_means_are_unbiased():
    rng, n, sigma = np.random.default_rng(4), 40, 0.6
    five = np.quantile(rng.lognormal(1.0, sigma, (1500, n)), [0, 0.25, 0.5, 0.75, 1], axis=1)
    names = ("min", "q1", "median", "q3", "max")
    found = mg.conv_fivenum(**dict(zip(names, five, strict=True)), n=np.full(1500, n), dist="lnorm")
    true = np.exp(1 + sigma**2 / 2)
    assert found["mean"].mean() == pytest.approx(true, rel=0.015)
    square = (found["sd"] ** 2).mean()
    assert square == pytest.approx(true**2 * np.expm1(sigma**2), rel=0.06)


ASSINK = {
    "study": [*[1] * 6, *[2] * 3, *[3] * 10, 4],
    "yi": [0.9066, 0.4295, 0.2679, 0.2078, 0.0526, -0.0507, 0.5117, 0.4738, 0.3544, 2.2844, 2.1771, 1.7777, 1.548,
           1.4855, 1.4836, 1.2777, 1.0311, 0.9409, 0.6263, -0.0447],
    "vi": [0.074, 0.0398, 0.0481, 0.0239, 0.0331, 0.0886, 0.0115, 0.0076, 0.0065, 0.3325, 0.3073, 0.2697, 0.4533,
           0.1167, 0.1706, 0.1538, 0.3132, 0.1487, 0.2139, 0.0331],
    "esid": [1, 2, 3, 4, 5, 6, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1],
}  # fmt: skip

# metafor 3.8: aggregate() of the first four studies of dat.assink2016
AGGREGATED = {
    "ID": ({}, [0.26843422016780, 0.43332115339163, 1.38869428628475], [0.00700435460063, 0.00268541715906, 0.02096391630437]),
    "CS": ({"rho": 0.6}, [0.1628769718864, 0.4060364167810, 1.0790033025829], [0.0196966727560, 0.0055723312934, 0.0831744770268]),
    "CAR": ({"phi": 0.7}, [0.25763095577695, 0.40532669562653, 1.38567114305241], [0.01972191681659, 0.00580107254858, 0.05865263877485]),
    "CS+CAR": ({"rho": 0.3, "phi": 0.7}, [0.22083610592741, 0.39285818653553, 1.37508714801482], [0.01957866662733, 0.00619933194416, 0.06266498339444]),
    "CS*CAR": ({"rho": 0.3, "phi": 0.7}, [0.26120966399742, 0.42300166318727, 1.37509382949054], [0.01478869210396, 0.00411738561867, 0.05139655011469]),
}  # fmt: skip


@pytest.mark.parametrize("struct", AGGREGATED)
def test_aggregated_effects_are_those_of_metafor(struct):
    options, y, v = AGGREGATED[struct]
    obs = [str(i % 2) for i in ASSINK["esid"]]
    found = mg.aggregate("yi", "study", vi="vi", time="esid", obs=obs, struct=struct, data=ASSINK, **options)
    assert found.slab == ("1", "2", "3", "4")
    assert list(found.yi[:3]) == pytest.approx(y, rel=1e-11) and found.yi[3] == -0.0447
    assert list(found.vi[:3]) == pytest.approx(v, rel=1e-11)


def test_aggregate_takes_known_covariances_plain_means_and_other_columns():
    V = mg.vcalc(ASSINK["vi"], ASSINK["study"], obs=list(range(20)), rho=0.6)
    one = mg.aggregate("yi", "study", vi="vi", V=V, data=ASSINK, addk=True)
    assert list(one.yi) == pytest.approx(list(mg.aggregate("yi", "study", vi="vi", rho=0.6, data=ASSINK).yi))
    assert one["ki"] == [6, 3, 10, 1] and one["esid"] == [3.5, 2.0, 5.5, 1.0]
    mean = mg.aggregate("yi", "study", vi="vi", rho=0.6, weighted=False, data=ASSINK)
    assert list(mean.vi[:3]) == pytest.approx([0.03267857306078, 0.00618086021821, 0.15269710735843], rel=1e-11)
    fit = mg.rma(mean)
    assert fit.k == 4 and fit.slab[0] == "1"
    with pytest.raises(DataError, match="cluster 1: struct 'CS' needs rho"):
        mg.aggregate("yi", "study", vi="vi", data=ASSINK)
    with pytest.raises(UnknownName, match=r"CS\*CAR"):
        mg.aggregate("yi", "study", vi="vi", struct="UN", data=ASSINK)
