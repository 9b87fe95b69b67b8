"""Effect sizes against metafor's, and the laws they obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from known import reference_json
from metagrove.effects import association
from metagrove.effects.arms import Tables
from metagrove.effects.measures import MEASURES

TIGHT = 1e-10
# metafor's tetrachoric correlation comes from an optimiser that stops at 1.2e-4; ours solves the equation it maximises.
TETRACHORIC = {"RTET", "ZTET"}


def close(found, expected, tolerance):
    expected = np.array(expected, dtype=float)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    both = ~np.isnan(expected)
    scale = np.abs(expected[both]) if tolerance < 1e-4 else 1
    assert np.all(np.abs(found[both] - expected[both]) <= tolerance * scale)


CASE = reference_json("meta/escalc_2x2.json")
SINGLE = reference_json("meta/escalc_single.json")


@pytest.mark.parametrize("measure", CASE["expected"])
def test_two_by_two(measure):
    d = CASE["data"]
    out = mg.escalc(measure, ai="tpos", bi="tneg", ci="cpos", di="cneg", data=d)
    tolerance = 1.2e-4 if measure in TETRACHORIC else TIGHT
    close(out.yi, CASE["expected"][measure]["yi"], tolerance)
    close(out.vi, CASE["expected"][measure]["vi"], tolerance)


def test_tetrachoric_solves_its_equation_better_than_the_peer():
    d, peer = CASE["data"], CASE["expected"]["RTET"]["yi"]
    tables = Tables(d["tpos"], d["tneg"], d["cpos"], d["cneg"])
    ours = association.tetrachoric(tables).y
    from scipy.special import ndtri
    from scipy.stats import multivariate_normal

    for i in range(tables.k):
        n = tables.n[i]
        h, k = ndtri(tables.n1[i] / n), ndtri((tables.a + tables.c)[i] / n)

        def miss(rho, point=(h, k), p=tables.a[i] / n):
            return abs(multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf(point) - p)

        assert miss(ours[i]) < 1e-7
        assert miss(ours[i]) <= miss(peer[i])


SINGLE_COLUMNS = {
    "proportions": {"xi": "xi", "ni": "ni"},
    "rates": {"xi": "events", "ti": "time"},
    "one mean": {"mi": "mean", "sdi": "sd", "ni": "n"},
    "changes": {"m1i": "mean", "m2i": "m2", "sd1i": "sd", "sd2i": "sd2", "ri": "rpp", "ni": "n"},
    "correlations": {"ri": "r", "ni": "n"},
    "reliabilities": {"ai": "alpha", "mi": "items", "ni": "n"},
}


@pytest.mark.parametrize("measure", SINGLE["expected"])
def test_one_group(measure):
    out = mg.escalc(measure, data=SINGLE["data"], **SINGLE_COLUMNS[MEASURES[measure].family])
    close(out.yi, SINGLE["expected"][measure]["yi"], TIGHT)
    close(out.vi, SINGLE["expected"][measure]["vi"], TIGHT)


@pytest.mark.parametrize("case", ["cont_normand1999", "cont_amlodipine"])
def test_two_means(case):
    known = reference_json(f"meta/{case}.json")
    seen = 0
    for key, expected in known["expected"].items():
        if not key.startswith("escalc_"):
            continue
        measure, _, vtype = key.removeprefix("escalc_").partition("_vtype_")
        columns = {name: name for name in ("n1i", "m1i", "sd1i", "n2i", "m2i", "sd2i")}
        out = mg.escalc(measure, data=known["data"], vtype=vtype or None, **columns)
        close(out.yi, expected["yi"], TIGHT)
        # The unbiased variance of amlodipine cancels to three digits before it is added up.
        close(out.vi, expected["vi"], TIGHT)
        seen += 1
    assert seen == 13


ZEROS = {"ai": [0, 3, 5, 0, 10, 0], "bi": [10, 7, 0, 10, 0, 12], "ci": [2, 0, 4, 0, 9, 0], "di": [8, 10, 1, 11, 0, 30]}
NAN = float("nan")


@pytest.mark.parametrize(
    ("measure", "to", "drop00", "yi"),
    [  # read off metafor 3.8 in R 4.2
        ("OR", "only0", False, [-1.820747, 2.282382, 1.299283, 0.09097178, 0.1000835, 0.891998]),
        ("OR", "all", True, [-1.820747, 2.282382, 1.299283, NAN, NAN, NAN]),
        ("OR", "none", False, [NAN] * 6),
        ("RR", "if0all", False, [-1.609438, 1.94591, 0.2006707, 0.08701138, 0.004773279, 0.8690378]),
        ("RD", "only0", True, [-0.1818182, 0.2727273, 0.1666667, NAN, NAN, NAN]),
        ("AS", "all", False, [-0.4636476, 0.5796397, 0.4636476, 0, 0, 0]),
        ("PETO", "none", False, [-2.111111, 2.235294, 2, NAN, NAN, NAN]),
        ("PETO", "only0", False, [-1.473684, 1.75, 1.1, 0.08712121, 0.09545455, 0.9826303]),
        ("MPOR", "only0", False, [1.845827, 1.504077, -1.609438, 3.004031, -2.900422, 2.892162]),
        ("MPRR", "none", False, [1.609438, 1.203973, -0.5877867, NAN, -0.6418539, NAN]),
        ("PBIT", "only0", False, [-0.942763, 1.217833, 0.7085044, 0.04104277, 0.045768, 0.3723731]),
    ],
)
def test_empty_cells(measure, to, drop00, yi):
    out = mg.escalc(measure, **ZEROS, to=to, drop00=drop00)
    close(out.yi, yi, 1e-6)
    assert all(bool(reason) == bool(np.isnan(y)) for reason, y in zip(out.reasons, out.yi, strict=True))


def test_what_was_added_is_said():
    out = mg.escalc("OR", ai=[0, 3], bi=[10, 7], ci=[2, 4], di=[8, 10])
    assert out.correction == "0.5 was added to each cell in 1 of 2 studies."
    assert out.correction in out.summary()
    assert mg.escalc("OR", ai=[1], bi=[10], ci=[2], di=[8]).correction == ""
    assert "doi" in str(out.explain())


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_is_cited_and_titled(measure):
    entry = MEASURES.entry(measure)
    assert entry.title and any(year in entry.cite for year in map(str, range(1912, 2026)))


COUNT = st.integers(0, 60)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(st.tuples(COUNT, COUNT, COUNT, COUNT), min_size=1, max_size=6))
def test_swapping_the_arms_flips_the_sign(rows):
    a, b, c, d = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    b, d = b + 1, d + 1
    for measure in ("OR", "RR", "RD", "AS", "PETO", "YUQ", "PBIT"):
        one = mg.escalc(measure, ai=a, bi=b, ci=c, di=d)
        other = mg.escalc(measure, ai=c, bi=d, ci=a, di=b)
        np.testing.assert_allclose(one.yi, -other.yi, atol=1e-12)
        np.testing.assert_allclose(one.vi, other.vi, rtol=1e-12)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    st.floats(0.1, 50),
    st.floats(0.1, 50),
    st.floats(0.1, 9),
    st.floats(0.1, 9),
    st.integers(3, 200),
    st.integers(3, 200),
    st.floats(0.01, 100),
)
def test_continuous_effects_scale_as_they_should(m1, m2, sd1, sd2, n1, n2, factor):
    def both(measure):
        return (
            mg.escalc(measure, n1i=n1, m1i=m1, sd1i=sd1, n2i=n2, m2i=m2, sd2i=sd2),
            mg.escalc(measure, n1i=n1, m1i=factor * m1, sd1i=factor * sd1, n2i=n2, m2i=factor * m2, sd2i=factor * sd2),
        )

    for measure in ("SMD", "SMDH", "SMD1", "ROM", "CVR", "VR"):
        here, there = both(measure)
        np.testing.assert_allclose(here.yi, there.yi, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(here.vi, there.vi, rtol=1e-8)
    here, there = both("MD")
    np.testing.assert_allclose(here.yi * factor, there.yi, rtol=1e-9, atol=1e-9)


def test_given_effects_subset_flip_and_frame():
    table = {"study": ["A", "B", "C"], "y": [0.1, 0.2, NAN], "se": [0.1, 0.2, 0.3]}
    out = mg.escalc("GEN", yi="y", sei="se", data=table, slab="study", subset=[True, False, True], flip=True)
    assert out.slab == ("A", "C") and out.yi[0] == -0.1 and out.reasons[1]
    frame = out.to_frame()
    assert list(frame["study"]) == ["A", "C"] and {"yi", "vi"} <= set(frame.columns)
    assert out.limits()[0]["ci_ub"] == pytest.approx(-0.1 + 1.959964 * 0.1, rel=1e-6)


def test_refusals_name_the_place():
    with pytest.raises(mg.UnknownName, match="nearest: SMD"):
        mg.escalc("SMDD", n1i=[1])
    with pytest.raises(mg.DataError, match="study 2"):
        mg.escalc("OR", ai=[1, 5], n1i=[3, 4], ci=[1, 1], n2i=[3, 3])
    with pytest.raises(mg.DataError, match="needs x1i"):
        mg.escalc("IRR", x1i=[1], t1i=[2], x2i=[3])
    with pytest.raises(mg.MethodError, match="vtype 'XX'"):
        mg.escalc("SMD", n1i=[5], m1i=[5], sd1i=[5], n2i=[5], m2i=[5], sd2i=[5], vtype="XX")
    with pytest.raises(mg.UnknownName, match="only0"):
        mg.escalc("OR", **ZEROS, to="only1")
    with pytest.raises(mg.DataError, match="no column 'tposs'"):
        mg.escalc("OR", ai="tposs", bi="tneg", ci="cpos", di="cneg", data=CASE["data"])


def test_point_biserial_and_its_relatives_as_metafor_gives_them():
    arms = {"n1i": [155, 31], "m1i": [55, 27], "sd1i": [47, 7], "n2i": [156, 32], "m2i": [75, 29], "sd2i": [64, 4]}
    close(mg.escalc("RPB", **arms).vi, [0.002992006, 0.01514499], 5e-7)
    close(mg.escalc("RPB", **arms, vtype="CS").vi, [0.002973066, 0.01467165], 5e-7)
    close(mg.escalc("RBIS", **arms).yi, [-0.2203456, -0.2208347], 5e-7)
    close(mg.escalc("RBIS", **arms).vi, [0.004683168, 0.02341084], 5e-7)
    close(mg.escalc("ROM", **arms, vtype="AV", correct=False).vi, [0.007111474, 0.03512853], 5e-7)
    close(mg.escalc("SMD", **arms, vtype="AV").vi, [0.01306329, 0.06450237], 5e-7)
    close(
        mg.escalc("UCOR", ri=[0.3, -0.5, 0.8], ni=[20, 30, 50], vtype="UB").vi,
        [0.04999389, 0.02047432, 0.0026119],
        2e-6,
    )


def test_a_model_takes_the_effects_or_the_counts_themselves():
    d = CASE["data"]
    counts = {"ai": "tpos", "bi": "tneg", "ci": "cpos", "di": "cneg"}
    effects = mg.escalc("RR", **counts, data=d, slab="trial")
    by_effects = mg.rma("yi", "vi", data=effects)
    by_counts = mg.rma(measure="RR", **counts, data=d)
    assert by_effects.tau2 == by_counts.tau2 == pytest.approx(0.313243258136481, rel=1e-7)
    with pytest.raises(mg.UnknownName, match="argument of rma"):
        mg.rma([1, 2], [1, 1], aii=[1, 2])


def test_variances_below_zero_leave_a_named_gap():
    found = mg.escalc("PHI", ai=[4, 4], n1i=[4, 8], ci=[0, 0], n2i=[8, 3])
    assert np.isnan(found.vi[0]) and "does not exist" in found.reasons[0] and "-" in found.summary()


def test_a_reported_difference_stands_in_for_means():
    arms = {"n1i": [20, 31], "m1i": [5.5, 27], "sd1i": [2.0, 7], "n2i": [22, 32], "m2i": [4.1, 29], "sd2i": [2.0, 7]}
    full = mg.escalc("SMD", **arms)
    d = [(5.5 - 4.1) / 2.0, (27 - 29) / 7]
    close(mg.escalc("SMD", di=d, n1i=arms["n1i"], n2i=arms["n2i"]).yi, full.yi, TIGHT)
    with pytest.raises(mg.MethodError, match="cannot start from"):
        mg.escalc("ROM", di=d, n1i=arms["n1i"], n2i=arms["n2i"])


def test_unbiased_correlations_of_large_samples():
    # metafor 3.8-1, escalc("UCOR", vtype="UB"): SciPy's hypergeometric function has no value at such sizes.
    ri, ni, yi = [0.05, 0.15, 0.15], [326, 1844, 100_000], [0.0500775043245, 0.1500398480645, 0.1500007331558]
    for vtype in ("LS", "UB"):
        out = mg.escalc("UCOR", ri=ri, ni=ni, vtype=vtype)
        close(out.yi, yi, 1e-9)
        assert np.isfinite(out.vi).all()
    assert out.vi[0] == pytest.approx((1 - 0.0025) ** 2 / 325, rel=0.01)


def test_unbiased_correlations_join_where_the_series_takes_over():
    out = mg.escalc("UCOR", ri=[0.3] * 5, ni=[40, 41, 42, 43, 44], vtype="UB")
    assert np.all(np.abs(np.diff(out.yi, 3)) < 1e-6) and np.all(np.abs(np.diff(out.vi, 3)) < 1e-5)


def test_biserial_correlations_beyond_one_take_the_variance_at_one():
    out = mg.escalc("RBIS", m1i=[9.0], sd1i=[1.0], n1i=[20], m2i=[0.0], sd2i=[1.0], n2i=[20])
    assert out.yi[0] > 1
    assert out.vi[0] == pytest.approx((np.pi / 2 - 2.5 + 1) / 39, rel=1e-9)


@pytest.mark.parametrize(
    "measure, given, plain",
    [
        ("AS", {"ai": [0, 3], "n1i": [10, 12], "ci": [2, 4], "n2i": [11, 9]}, None),
        ("PAS", {"xi": [0, 3], "ni": [10, 12]}, 0.0),
    ],
)
def test_an_addition_asked_for_is_made_in_every_measure(measure, given, plain):
    kept = mg.escalc(measure, to="all", **given)
    added = mg.escalc(measure, add=0.5, to="all", **given)
    more = {name: np.array(values) + (0.5 if name in ("ai", "ci", "xi") else 1) for name, values in given.items()}
    close(added.yi, mg.escalc(measure, **more).yi, TIGHT)
    assert not np.allclose(kept.yi, added.yi)
    assert plain is None or kept.yi[0] == plain


def test_average_variances_of_proportions_and_correlations_as_metafor_gives_them():
    """R metafor 3.8-1, vtype="AV": each study's variance at the value of all studies together."""
    counts = {"xi": [4, 6, 3, 62, 12], "ni": [23, 36, 31, 98, 40]}
    close(mg.escalc("PLN", **counts, vtype="AV").vi[:2], [0.0704647676161919, 0.0450191570881226], TIGHT)
    close(mg.escalc("PLO", **counts, vtype="AV").vi[:2], [0.184248301381224, 0.117714192549115], TIGHT)
    known = {"ri": [0.5, 0.7, -0.2, 0.1, 0.9], "ni": [20, 31, 12, 9, 50]}
    close(mg.escalc("UCOR", **known, vtype="AV").vi[:2], [0.0199298961307065, 0.0126222675494474], TIGHT)
