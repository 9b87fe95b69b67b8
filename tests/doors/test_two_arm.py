"""Two-arm doors against the stored numbers of R meta, their laws and their refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import meta_reference as ref
import metagrove as mg

BINARY = ["bin_bcg", "bin_sparse_nissen2007", "bin_cisapride"]
BLOCKS = [name for name in ref.expected("bin_bcg")["expected"] if not name.startswith(("rma_", "GLMM"))]
CONTINUOUS = ["cont_normand1999", "cont_amlodipine"]
ARMS = ("n1i", "m1i", "sd1i", "n2i", "m2i", "sd2i")


def binary_settings(block):
    sm, *parts = block.split("_")
    if parts[0] == "MH":
        more = {"method_tau": "DL", "MH_exact": "exact" in parts, "RR_Cochrane": "Cochrane" in parts}
        return {"sm": sm, "method": "MH"} | more
    if parts[0] in ("Peto", "SSW"):
        return {"sm": sm, "method": parts[0], "method_tau": "DL" if parts[0] == "Peto" else "REML"}
    found = {"sm": sm, "method": "Inverse", "method_tau": "DL" if "DL" in parts else "REML"}
    found |= {"method_incr": parts[2]} if "incr" in parts else {}
    found |= {"incr": "TACC"} if "TACC" in parts else {}
    return found | {"allstudies": "allstudies" in parts}


def binary(case, **chosen):
    d = ref.expected(case)["data"]
    return mg.metabin(d["event.e"], d["n.e"], d["event.c"], d["n.c"], **chosen)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("case", BINARY)
def test_binary(case, block):
    result = binary(case, **binary_settings(block))
    assert ref.compare(result, ref.expected(case)["expected"][block], case=case, block=block) == []


def continuous_blocks():
    for case in CONTINUOUS:
        for block in ref.expected(case)["expected"]:
            if not block.startswith("escalc"):
                yield case, block


@pytest.mark.parametrize(("case", "block"), list(continuous_blocks()))
def test_continuous(case, block):
    sm, *parts = block.split("_")
    chosen = {"method_tau": "DL" if "DL" in parts else "REML", "pooledvar": "pooledvar" in parts}
    if sm == "SMD":
        whose = "experimental" if "exp" in parts else "control"
        chosen |= {"method_smd": parts[0], "exact_smd": "exact" in parts, "sd_glass": whose}
    d = ref.expected(case)["data"]
    result = mg.metacont(*(d[name] for name in ARMS), sm=sm, **chosen)
    assert ref.compare(result, ref.expected(case)["expected"][block], case=case, block=block) == []


@pytest.mark.parametrize(
    "block", ["IRR_Inverse_REML", "IRD_Inverse_REML", "IRSD_Inverse_REML", "IRR_MH", "IRD_MH", "IRR_Cochran"]
)
def test_person_time(block):
    loaded = ref.expected("irr_nielweise2008")
    sm, method, *tau = block.split("_")
    d = loaded["data"]
    result = mg.metainc(
        d["x1i"], d["t1i"], d["x2i"], d["t2i"], sm=sm, method=method, method_tau=tau[0] if tau else "DL"
    )
    assert ref.compare(result, loaded["expected"][block], case="irr_nielweise2008", block=block) == []


def test_limit_near_the_null():
    loaded = ref.expected("irr_nielweise2008")
    d, wanted = loaded["data"], loaded["expected"]["IRD_Inverse_REML"]
    result = mg.metainc(d["x1i"], d["t1i"], d["x2i"], d["t2i"], sm="IRD", method="Inverse")
    assert abs(result.upper_random - wanted["upper.random"]) < 1e-7 * result.seTE_random
    assert result.tau2 == pytest.approx(wanted["tau2"], rel=1e-7)


def test_sample_size_weights_over_pooled_studies():
    found = binary("bin_sparse_nissen2007", sm="OR", method="SSW")
    keep = found.studies.pooled
    w = found.n_e[keep] * found.n_c[keep] / (found.n_e[keep] + found.n_c[keep])
    assert found.TE_common == pytest.approx(ref.expected("bin_sparse_nissen2007")["expected"]["OR_SSW"]["TE.common"])
    assert found.seTE_common == pytest.approx(np.sqrt(w**2 @ found.seTE[keep] ** 2) / w.sum())


@pytest.mark.parametrize("model", ["UM.FS", "UM.RS", "CM.AL"])
def test_glmm_of_odds_ratios_as_metafor(model):
    wanted = ref.expected("bin_bcg")["expected"][f"GLMM_{model}"]
    found = binary("bin_bcg", method="GLMM", model_glmm=model)
    assert found.sm == "OR" and found.method_tau == "ML"
    tol = 1e-4 if model != "UM.RS" else 1e-3
    assert found.TE_random == pytest.approx(wanted["b"][0], rel=tol)
    assert found.tau2 == pytest.approx(wanted["tau2"], rel=1e-3)
    assert found.lower_random == pytest.approx(wanted["ci_lb"], abs=2e-3)


def test_defaults_are_those_of_r():
    found = binary("bin_bcg")
    assert (found.sm, found.method, found.method_tau) == ("RR", "MH", "REML")
    assert binary("bin_bcg", method="Peto").sm == "OR"
    assert mg.metacont([9, 9], [1, 2], [1, 1], [9, 9], [2, 2], [1, 1]).sm == "MD"
    assert mg.metainc([9, 9], [10, 20], [9, 5], [20, 20]).method == "MH"


COUNTS = st.tuples(st.integers(0, 12), st.integers(13, 60), st.integers(0, 12), st.integers(13, 60))


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.lists(COUNTS, min_size=2, max_size=6), st.sampled_from(["MH", "Inverse", "Peto"]))
def test_swapping_arms_flips_and_order_does_not_matter(rows, method):
    rows = [(1, 20, 2, 20), (3, 25, 1, 30), *rows]
    e, n1, c, n2 = (np.array(column) for column in zip(*rows, strict=True))
    for sm in ("OR",) if method == "Peto" else ("OR", "RR", "RD"):
        one = mg.metabin(e, n1, c, n2, sm=sm, method=method)
        other = mg.metabin(c, n2, e, n1, sm=sm, method=method)
        back = mg.metabin(e[::-1], n1[::-1], c[::-1], n2[::-1], sm=sm, method=method)
        for name in ("TE_common", "TE_random"):
            assert getattr(one, name) == pytest.approx(-getattr(other, name), abs=1e-9)
            assert getattr(one, name) == pytest.approx(getattr(back, name), abs=1e-9)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.lists(COUNTS, min_size=1, max_size=5), st.integers(1, 4))
def test_mantel_haenszel_of_repeated_tables(rows, times):
    """Repeating every table leaves the estimate, and divides its variance by how often."""
    rows = [(1, 20, 2, 20), (3, 25, 1, 30), *rows]
    e, n1, c, n2 = (np.array(column) for column in zip(*rows, strict=True))
    for sm in ("OR", "RR", "RD"):
        once = mg.metabin(e, n1, c, n2, sm=sm, MH_exact=True)
        many = mg.metabin(*(np.tile(v, times) for v in (e, n1, c, n2)), sm=sm, MH_exact=True)
        assert many.TE_common == pytest.approx(once.TE_common, abs=1e-10)
        assert many.seTE_common == pytest.approx(once.seTE_common / np.sqrt(times))


@pytest.mark.parametrize(
    ("sm", "method"),
    [(sm, how) for sm in ("OR", "RR", "RD", "ASD") for how in ("MH", "Inverse") if (sm, how) != ("ASD", "MH")],
)
@pytest.mark.parametrize("incr", [0.5, 0.1, "TACC"])
def test_extreme_tables_give_numbers_or_a_named_gap(sm, method, incr):
    tables = ([0, 5, 0, 5, 1, 3], [5, 5, 1, 5, 1, 9], [0, 5, 1, 0, 0, 2], [5, 5, 1, 5, 1, 8])
    found = mg.metabin(*tables, sm=sm, method=method, incr=incr, studlab=list("abcdef"))
    assert np.isfinite([found.TE_common, found.seTE_common, found.TE_random, found.lower_random]).all()
    quiet = dict(found.excluded)
    assert set(quiet) == ({"a", "b"} if sm in ("OR", "RR") else set())
    assert all("had the event" in why for why in quiet.values())
    kept = mg.metabin(*tables, sm=sm, method=method, incr=incr, allstudies=True)
    assert kept.k == 6 and np.isfinite(kept.TE_random)


def test_no_events_anywhere_is_refused_by_name():
    with pytest.raises(mg.DataError, match="nobody had the event in either arm"):
        mg.metabin([0, 0], [9, 9], [0, 0], [8, 8])
    with pytest.raises(mg.MethodError, match="no maximum: one arm"):
        mg.metabin([0, 0], [9, 9], [1, 2], [8, 8], method="GLMM")


def test_one_study():
    found = mg.metabin([3], [20], [6], [22], ["only"])
    assert found.k == 1 and np.isnan(found.tau2) and found.TE_common == pytest.approx(found.TE[0])
    found = mg.metabin([3], [20], [6], [22], method="GLMM")
    assert found.TE_random == pytest.approx(np.log(3 * 16 / (17 * 6)), abs=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mg.metabin([9], [8], [1], [9], ["Lee"]), "Lee: event_e is 9 among n_e 8"),
        (lambda: mg.metabin([1], [8], [0], [0], ["Lee"]), "Lee: n_c is 0"),
        (lambda: mg.metabin([1.5], [8], [1], [9]), "a count is a whole number"),
        (lambda: mg.metabin([1], [8], [1], [9], sm="MD"), "does not pool sm 'MD'"),
        (lambda: mg.metabin([1], [8], [1], [9], method="Inverse", sm="HR"), "sm 'HR' is not a measure of two risks"),
        (lambda: mg.metabin([1], [8], [1], [9], method="mh"), "method is 'mh'"),
        (lambda: mg.metabin([1], [8], [1], [9], incr=-1), "increment is 0 or above"),
        (lambda: mg.metabin([1], [8], [1], [9], method_incr="only1"), "only0"),
        (lambda: mg.metabin([1, 2], [8, 9], [1, 1], [9, 9], method="GLMM", model_glmm="UM"), "UM.FS"),
        (lambda: mg.metainc([1], [0], [1], [9], ["Lee"]), "Lee: time_e is 0"),
        (lambda: mg.metainc([1], [3], [1], [9], sm="IRD", method="Cochran"), "does not pool"),
        (lambda: mg.metacont([9], [1], [-1], [9], [1], [1], ["Lee"]), "Lee: sd_e is -1"),
        (lambda: mg.metacont([9], None, None, [9], [1], [1]), "mean_e is missing"),
        (lambda: mg.metacont([9], [1], [1], [9], [1], [1], method_smd="Hedge", sm="SMD"), "nearest: Hedges"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(mg.MetagroveError, match=message.replace("(", r"\(")):
        call()


def test_columns_by_name_gaps_and_subgroups():
    import pandas as pd

    table = pd.DataFrame(
        {"who": list("abcd"), "e": [1, 4, None, 6], "n": [20, 30, 25, 31], "c": [3, 5, 6, 9], "m": [19, 30, 24, 30],
         "drug": ["x", "x", "y", "y"]}
    )  # fmt: skip
    found = mg.metabin("e", "n", "c", "m", "who", data=table, subgroup="drug", sm="OR", method="MH")
    assert found.k == 3 and found.excluded == (("c", "a value is missing"),)
    assert found.subgroup_levels == ("x", "y") and found.TE_common_w.size == 2
    assert "Mantel-Haenszel" in str(found.explain()) and "metabin" in found.to_r()
    assert found.to_frame()["event_e"].notna().sum() == 3


def test_medians_stand_in_for_means():
    found = mg.metacont(
        [25, 40], [np.nan, 8.1], [np.nan, 5.0], [30, 38], [7, 8], [4, 5],
        median_e=[6, np.nan], q1_e=[4, np.nan], q3_e=[9, np.nan], min_e=[1, np.nan], max_e=[15, np.nan],
    )  # fmt: skip
    wanted = ref.expected("conv_fivenum")["expected"]["metamean_Luo_Shi"]
    assert found.mean_e[0] == pytest.approx(wanted["mean"][0]) and found.sd_e[0] == pytest.approx(wanted["sd"][0])
    assert found.mean_e[1] == 8.1


@pytest.mark.parametrize("method_sd", ["Shi", "Wan"])
def test_single_means_from_quantiles_as_meta(method_sd):
    loaded = ref.expected("conv_fivenum")
    names = ("min", "q1", "median", "q3", "max")
    quantiles = {name: np.array(loaded["data"][name], dtype=float) for name in names}
    found = mg.metamean(loaded["data"]["n"], **quantiles, method_sd=method_sd)
    wanted = loaded["expected"][f"metamean_Luo_{method_sd}"]
    assert ref.differences(("mean",), found.mean, wanted["mean"], 1e-12) == []
    assert ref.differences(("sd",), found.sd, wanted["sd"], 1e-12) == []


def test_what_was_done_is_said():
    exact = binary("bin_sparse_nissen2007", sm="OR", method="GLMM", model_glmm="UM.RS")
    text = str(exact.explain())
    assert "random study effects" in text and "sim.7588" in text and "was added" not in text
    mh = binary("bin_sparse_nissen2007", sm="OR")
    assert "0.5 was added" in str(mh.explain()) and "10.1093/jnci/22.4.719" in str(mh.explain())
    assert "was added" not in str(binary("bin_bcg", sm="OR").explain())
    assert any("Increments were added" in note for note in mh.notes)


def test_random_study_levels_hold_no_tau2():
    with pytest.raises(mg.MethodError, match=r"UM\.RS"):
        binary("bin_bcg", method="GLMM", model_glmm="UM.RS", tau_preset=0.3)
    held = binary("bin_bcg", method="GLMM", tau_preset=0.3)
    assert held.tau2 == pytest.approx(0.09) and held.seTE_random < binary("bin_bcg", method="GLMM").seTE_random
    groups = binary("bin_bcg", method="GLMM", subgroup=list("aabbccaabbcca"), tau_common=True)
    assert np.ptp(groups.tau2_w) == 0 and groups.tau2_w[0] > 0


def test_measures_without_a_mantel_haenszel_form_and_vaccine_efficacy():
    arms = ([4, 6, 3], [123, 306, 231], [11, 29, 11], [139, 303, 220])
    assert mg.metabin(*arms, sm="ASD").method == "Inverse"
    efficacy, ratio = mg.metainc(*arms, sm="VE"), mg.metainc(*arms, sm="IRR")
    assert efficacy.TE_common == ratio.TE_common
