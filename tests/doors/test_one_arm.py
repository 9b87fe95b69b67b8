"""Single-arm doors against the stored numbers of R meta."""

import numpy as np
import pytest

import meta_reference as ref
import metagrove as mg

SEEDS = ["seed_atc_orr", "seed_atc_dcr", "seed_atc_orr_table1_n"]
GRIDS = {
    "prop_pritz1997": ("study", "xi", "ni"),
    "prop_rare_crisafulli2020": ("study", "cases", "total"),
    "prop_hannum2020": ("study", "xi", "ni"),
}
INTERVALS = ["CP", "WS", "WSCC", "AC", "SA", "SACC", "NAsm"]
PROPORTION_BLOCKS = [f"{sm}_{tau}" for sm in ("PRAW", "PLN", "PLOGIT", "PAS", "PFT") for tau in ("REML", "DL")]


def columns(case):
    loaded = ref.expected(case)
    labels, event, n = GRIDS.get(case, ("study", "event", "n"))
    d = loaded["data"]
    return loaded["expected"], {"event": d[event], "n": d[n], "studlab": [str(s) for s in d[labels]]}, d


def alternatives(case):
    blocks, args, _ = columns(case)
    return blocks.get("alternatives", blocks), args


def settings(block):
    sm, *rest = block.split("_")
    return {"sm": sm, "method": "Inverse", "method_tau": "DL" if "DL" in rest else "REML"} | (
        {"method_random_ci": "HK"} if "HK" in rest else {}
    )


@pytest.mark.parametrize("block", [*PROPORTION_BLOCKS, "PLOGIT_HK"])
@pytest.mark.parametrize("case", [*SEEDS, *GRIDS])
def test_transformations_and_estimators(case, block):
    blocks, args = alternatives(case)
    result = mg.metaprop(**args, **settings(block))
    assert ref.compare(result, blocks[block], case=case, block=block) == []


@pytest.mark.parametrize("ci", INTERVALS)
@pytest.mark.parametrize("case", [*SEEDS, *GRIDS])
def test_study_intervals(case, ci):
    blocks, args = alternatives(case)
    wanted = blocks[f"study_ci_{ci}"]
    sm = "PLOGIT" if wanted["scale"] == "logit" else "PRAW"
    result = mg.metaprop(**args, sm=sm, method="Inverse", method_ci=ci)
    assert ref.compare(result, wanted, case=case, block=ci, tol=ref.CLOSED) == []


@pytest.mark.parametrize("case", SEEDS)
@pytest.mark.parametrize("block", ["paper_settings", "tau_common", "HK"])
def test_the_papers_own_settings(case, block):
    blocks, args, d = columns(case)
    more = {"tau_common": {"tau_common": True}, "HK": {"method_random_ci": "HK"}}.get(block, {})
    result = mg.metaprop(**args, sm="PFT", method="Inverse", subgroup=d["drug"], **more)
    wanted = dict(blocks[block])
    assert_paper_extras(result, wanted)
    assert ref.compare(result, wanted, case=case, block=block) == []


def assert_paper_extras(result, wanted):
    """Blocks inside `paper_settings` that are not attributes by name."""
    exact = wanted.pop("study_ci_clopper_pearson", None)
    wanted.pop("proportion", None)
    for key in [key for key in wanted if key.startswith("subgroup_backtransformed")]:
        part = wanted.pop(key)
        back = result.back
        for name, found in (
            ("harmonic_mean", result.n_harmonic_mean_w),
            ("estimate", back.TE_random_w),
            ("lower", back.lower_random_w),
            ("upper", back.upper_random_w),
        ):
            assert ref.differences((key, name), found, part[name], ref.ITERATED) == []
    if exact:
        for side in ("lower", "upper"):
            assert ref.differences(("exact", side), getattr(result.back, side), exact[side], 1e-9) == []
    if "backtransformed_harmonic_mean" in wanted:
        wanted["backtransformed"] = wanted.pop("backtransformed_harmonic_mean")


@pytest.mark.parametrize("case", SEEDS)
def test_the_papers_leave_one_out(case):
    blocks, args, _ = columns(case)
    found = mg.metaprop(**args, sm="PFT", method="Inverse").leave_one_out()
    assert ref.compare(found, blocks["leave_one_out"], case=case, tol=ref.ITERATED) == []


@pytest.mark.parametrize("sm", ["PLOGIT", "PFT", "PAS"])
@pytest.mark.parametrize("tau", ["", "_tau_common"])
def test_subgroups_of_35_studies(sm, tau):
    blocks, args, d = columns("prop_hannum2020")
    result = mg.metaprop(**args, sm=sm, method="Inverse", subgroup=d["group"], tau_common=bool(tau))
    assert ref.compare(result, blocks[f"subgroup_{sm}{tau}"], case="prop_hannum2020", block=sm + tau) == []


@pytest.mark.parametrize("ci", INTERVALS[:-1])
def test_intervals_of_one_proportion(ci):
    loaded = ref.expected("prop_ci_grid")
    result = mg.metaprop(loaded["data"]["x"], loaded["data"]["n"], sm="PRAW", method_ci=ci)
    assert ref.compare(result, loaded["expected"][ci], tol=ref.CLOSED) == []


@pytest.mark.parametrize("sm", ["PRAW", "PLN", "PLOGIT", "PAS", "PFT"])
def test_effects_at_the_corners(sm):
    loaded = ref.expected("prop_ci_grid")
    result = mg.metaprop(loaded["data"]["x"], loaded["data"]["n"], sm=sm, method="Inverse")
    assert ref.compare(result, loaded["expected"][f"TE_{sm}"], tol=ref.CLOSED) == []


@pytest.mark.parametrize("block", [f"{sm}_{tau}" for sm in ("IR", "IRLN", "IRS", "IRFT") for tau in ("REML", "DL")])
def test_rates(block):
    loaded = ref.expected("rate_smoking")
    d = loaded["data"]
    result = mg.metarate(d["event"], d["time"], d["study"], **settings(block))
    assert ref.compare(result, loaded["expected"][block], case="rate_smoking", block=block) == []


def test_rates_back_and_exact_limits():
    loaded = ref.expected("rate_smoking")
    d, blocks = loaded["data"], loaded["expected"]
    result = mg.metarate(d["event"], d["time"], sm="IRFT")
    assert ref.compare_back(result, blocks["IRFT_REML_backtransformed"], ("rate_smoking", "back"), None) == []
    exact = mg.metarate(d["event"], d["time"], method_ci="Poisson")
    assert ref.compare(exact, blocks["study_ci_Poisson"], tol=1e-9) == []


@pytest.mark.parametrize("block", ["MRAW_REML", "MRAW_DL", "MLN_REML", "MLN_DL", "MRAW_HK"])
def test_means(block):
    loaded = ref.expected("mean_furukawa2003")
    d = loaded["data"]
    chosen = settings(block)
    del chosen["method"]
    result = mg.metamean(d["n"], d["mean"], d["sd"], d["study"], **chosen)
    assert ref.compare(result, loaded["expected"][block], case="mean_furukawa2003", block=block) == []


def test_means_with_t_limits():
    loaded = ref.expected("mean_furukawa2003")
    d = loaded["data"]
    result = mg.metamean(d["n"], d["mean"], d["sd"], method_ci="t")
    assert ref.compare(result, loaded["expected"]["MRAW_study_t_ci"], tol=ref.CLOSED) == []


@pytest.mark.parametrize("block", ["ZCOR_REML", "ZCOR_DL", "COR_REML", "COR_DL"])
def test_correlations(block):
    loaded = ref.expected("cor_molloy2014")
    d = loaded["data"]
    chosen = settings(block)
    del chosen["method"]
    result = mg.metacor(d["ri"], d["ni"], d["study"], **chosen)
    assert ref.compare(result, loaded["expected"][block], case="cor_molloy2014", block=block) == []


@pytest.mark.parametrize("sm", ["COR", "UCOR", "ZCOR"])
def test_correlation_effects(sm):
    loaded = ref.expected("cor_molloy2014")
    d, wanted = loaded["data"], loaded["expected"][f"escalc_{sm}"]
    result = mg.metacor(d["ri"], d["ni"], sm=sm)
    names = {"yi": "TE", "vi": lambda r: r.seTE**2}
    assert ref.compare(result, wanted, tol=ref.CLOSED, names=names) == []


def test_events_above_n_are_refused_by_study():
    with pytest.raises(mg.DataError, match="Lee: 9 events among 8"):
        mg.metaprop([2, 9], [8, 8], ["Ha", "Lee"])


def test_unknown_options_list_the_known():
    with pytest.raises(mg.MethodError, match="PLOGIT, PAS, PFT"):
        mg.metaprop([2, 3], [8, 9], sm="PLO")
    with pytest.raises(mg.UnknownName, match="REML"):
        mg.metaprop([2, 3], [8, 9], sm="PFT", method_tau="REM")


def test_columns_by_name_with_the_nearest_in_the_error():
    import pandas as pd

    table = pd.DataFrame({"study": ["a", "b", "c"], "cases": [1, 2, None], "total": [8, 9, 10]})
    result = mg.metaprop("cases", "total", "study", data=table, sm="PFT")
    assert result.k == 2 and result.k_all == 3
    assert result.excluded == (("c", "a value is missing"),)
    with pytest.raises(mg.DataError, match="nearest: 'cases'"):
        mg.metaprop("case", "total", data=table, sm="PFT")


def test_null_of_a_double_arcsine_is_at_the_reported_sample_size():
    event, n = [2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42]
    plain = mg.metaprop(event, n, sm="PFT")
    against = mg.metaprop(event, n, sm="PFT", null_effect=plain.back.TE_random)
    assert np.isnan(plain.pval_random)
    assert against.pval_random > 0.9


def test_double_arcsine_back_at_other_sample_sizes():
    m = mg.metaprop([2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42], sm="PFT", subgroup=list("aabbbb"))
    n = m.n
    for rule, size in (
        ("harmonic", 1 / np.mean(1 / n)),
        ("arithmetic", np.mean(n)),
        ("geometric", np.prod(n) ** (1 / 6)),
        ("variance", 1 / (4 * m.seTE_random**2)),
    ):
        assert m.back_at(rule).TE_random == pytest.approx(m.back.at(m.TE_random, size), rel=1e-12)
    assert m.back_at("harmonic").lower_random == m.back.lower_random
    groups = m.back_at("arithmetic").TE_random_w
    assert groups[1] == pytest.approx(m.back.at(m.TE_random_w[1], n[2:].mean()), rel=1e-12)
    with pytest.raises(mg.UnknownName, match="harmonic"):
        m.back_at("median")


def test_barendregts_back_transform_inverts_a_single_study():
    # with one study the variance is 1/(4n + 2): the size is n + 1/2, so the proportion comes back up to that half
    m = mg.metaprop([30], [100], sm="PFT")
    assert m.back_at("variance").TE_common == pytest.approx(0.3, abs=2e-3)


@pytest.mark.parametrize("sd", ["Shi", "Wan"])
def test_means_from_quantiles(sd):
    loaded = ref.expected("conv_fivenum")
    d = {name: [np.nan if x is None else x for x in values] for name, values in loaded["data"].items()}
    result = mg.metamean(d["n"], median=d["median"], q1=d["q1"], q3=d["q3"], min=d["min"], max=d["max"], method_sd=sd)
    assert ref.compare(result, loaded["expected"][f"metamean_Luo_{sd}"], tol=1e-10) == []
    mixed = mg.metamean([25, 30], [6.0, np.nan], [2.0, np.nan], median=[5, 7], q1=[3, 6], q3=[9, 9])
    assert mixed.mean[0] == 6.0 and mixed.k == 2


def test_clusters_of_proportions():
    event, n, site = [2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42], list("aabbcc")
    m = mg.metaprop(event, n, sm="PFT", cluster=site)
    same = mg.metagen(m.TE, m.seTE, cluster=site)
    assert m.TE_random == same.TE_random and m.k_study == 3
    assert "three-level" in m.explain().sentence
    with pytest.raises(mg.MethodError, match="needs method 'Inverse'"):
        mg.metaprop(event, n, cluster=site)


def test_exact_p_values_of_single_studies():
    loaded = ref.expected("prop_ci_grid")
    wanted = loaded["expected"]["binom_test_p"]
    for sm in ("PRAW", "PFT", "PLOGIT"):
        result = mg.metaprop(loaded["data"]["x"], loaded["data"]["n"], sm=sm, method="Inverse", null_effect=0.2)
        assert ref.differences(("prop_ci_grid", "binom_test_p"), result.pval, wanted, 1e-7) == []
    assert np.isnan(mg.metaprop([1, 2], [5, 6], sm="PFT").pval).all()
    huge = mg.metaprop([2700, 2400], [10_000_000, 12_000_000], sm="PRAW", null_effect=0.00025)
    assert ((huge.pval > 0) & (huge.pval < 1)).all()


def test_subgroups_have_their_own_limits():
    event, n, drug = [2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42], list("aabbbb")
    m = mg.metaprop(event, n, sm="PFT", subgroup=drug)
    alone = mg.metaprop(event[2:], n[2:], sm="PFT")
    assert m.lower_tau2_w[1] == alone.lower_tau2 and m.upper_tau2_w[1] == alone.upper_tau2
    assert m.Rb_w[1] == alone.Rb and m.upper_Rb_w[1] == alone.upper_Rb
