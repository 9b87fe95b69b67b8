"""`metagen` against the stored numbers of R meta and metafor."""

import numpy as np
import pytest

import meta_reference as ref
import metagrove as mg

METAFOR = {
    "b": "TE_random",
    "se": "seTE_random",
    "stat": "statistic_random",
    "pval": "pval_random",
    "ci_lb": "lower_random",
    "ci_ub": "upper_random",
    "QE": "Q",
    "QE_df": "df_Q",
    "QE_p": "pval_Q",
    "I2": lambda m: 100 * m.I2_tau2,
    "H2": lambda m: 1 / (1 - m.I2_tau2),
    "ddf": "df_random",
}
RMA_ONLY = {"coef_names", "QM", "QM_df", "QM_p", "fit_ML", "fit_REML", "predict"}


def effects(case):
    loaded = ref.expected(case)
    d = loaded["data"]
    return loaded["expected"], {"TE": d["yi"], "seTE": np.sqrt(d["vi"]), "studlab": d["study"]}, d


@pytest.mark.parametrize("tau", ["DL", "PM", "REML", "ML", "HS", "HSk", "SJ", "HE", "EB", "PMM"])
@pytest.mark.parametrize("case", ["tau2_raudenbush1985", "tau2_hackshaw1998"])
def test_estimators_of_tau2(case, tau):
    blocks, args, _ = effects(case)
    wanted = {key: value for key, value in blocks[tau].items() if key not in RMA_ONLY}
    result = mg.metagen(**args, method_tau=tau, method_predict="S")
    assert ref.compare(result, wanted, case=case, block=tau, names=METAFOR) == []
    assert ref.compare(result, blocks[tau]["predict"], tol=ref.ITERATED, names={
        "pred": "TE_random", "pi_lb": "lower_predict", "pi_ub": "upper_predict"
    }) == []  # fmt: skip


def tau2_interval_blocks():
    return [f"{tau}_{ci}" for tau in ("REML", "DL", "PM") for ci in ("QP", "BJ", "J")]


@pytest.mark.parametrize("block", tau2_interval_blocks())
@pytest.mark.parametrize("case", ["tau2_ci_raudenbush1985", "tau2_ci_bcg"])
def test_limits_of_tau2(case, block):
    blocks, args, _ = effects(case)
    tau, ci = block.split("_")
    result = mg.metagen(**args, method_tau=tau, method_tau_ci=ci)
    assert ref.compare(result, blocks[block], case=case, block=block) == []


@pytest.mark.parametrize("block", ["QP_REML", "PL_REML", "PL_ML", "GENQ_DL"])
@pytest.mark.parametrize("case", ["tau2_ci_raudenbush1985", "tau2_ci_bcg"])
def test_limits_of_tau2_and_of_i2_as_metafor_gives_them(case, block):
    blocks, args, _ = effects(case)
    wanted = blocks[f"metafor_confint_{block}"]
    ci, tau = block.replace("GENQ", "BJ").split("_")
    m = mg.metagen(**args, method_tau=tau, method_tau_ci=ci, method_I2="tau2")
    tol = ref.QUADRATIC_FORM if ci == "BJ" else ref.ITERATED
    for column, side in (("estimate", ""), ("ci_lb", "lower_"), ("ci_ub", "upper_")):
        tau2, h = getattr(m, f"{side}tau2"), getattr(m, f"{side}H")
        found = [tau2, np.sqrt(tau2), 100 * getattr(m, f"{side}I2"), h**2]
        where = (case, f"metafor_confint_{block}", column)
        assert ref.differences(where, found, wanted[column], tol) == []


def hk_settings(block):
    tau, kind, *adhoc = block.split("_")
    if tau == "PI":
        return {"method_predict": kind, "adhoc_hakn_pi": "se" if adhoc else ""}
    return {"method_tau": tau, "method_random_ci": kind, "adhoc_hakn_ci": adhoc[0] if adhoc else ""}


HK = [f"{tau}_{ci}" for tau in ("REML", "DL", "PM") for ci in ("classic", "HK", "HK_se", "HK_ci", "HK_IQWiG6")]
PREDICTION = ["PI_V", "PI_HTS", "PI_HK", "PI_KR", "PI_S", "PI_HK_adhoc_se"]


@pytest.mark.parametrize("block", [*HK, "REML_KR", *PREDICTION])
@pytest.mark.parametrize("case", ["hk_pi_raudenbush1985", "hk_pi_fleiss1993"])
def test_intervals_and_prediction(case, block):
    blocks, args, _ = effects(case)
    result = mg.metagen(**args, **hk_settings(block))
    assert ref.compare(result, blocks[block], case=case, block=block) == []


@pytest.mark.parametrize("block", ["metafor_z", "metafor_knha", "metafor_adhoc"])
@pytest.mark.parametrize("case", ["hk_pi_raudenbush1985", "hk_pi_fleiss1993"])
def test_intervals_under_metafors_names(case, block):
    blocks, args, _ = effects(case)
    more = {
        "metafor_z": {"method_predict": "S"},
        "metafor_knha": {"method_random_ci": "HK", "method_predict": "HK"},
        "metafor_adhoc": {
            "method_random_ci": "HK", "adhoc_hakn_ci": "se", "method_predict": "HK", "adhoc_hakn_pi": "se",
        },
    }[block]  # fmt: skip
    result = mg.metagen(**args, **more)
    wanted = {key: value for key, value in blocks[block].items() if key not in RMA_ONLY}
    assert ref.compare(result, wanted, case=case, block=block, names=METAFOR) == []
    limits = {"pred": "TE_random", "pi_lb": "lower_predict", "pi_ub": "upper_predict"}
    assert ref.compare(result, blocks[block]["predict"], case=case, block=block, names=limits) == []


@pytest.mark.parametrize("case", ["hk_pi_raudenbush1985", "hk_pi_fleiss1993"])
def test_rileys_prediction_interval(case):
    blocks, args, _ = effects(case)
    names = {"pi_lb": "lower_predict", "pi_ub": "upper_predict"}
    result = mg.metagen(**args, method_predict="HTS")
    assert ref.compare(result, blocks["metafor_pi_riley"], names=names) == []


SUBGROUPS = ["REML_tau_separate", "REML_tau_common", "DL_tau_separate", "DL_tau_common", "REML_HK_tau_separate"]


@pytest.mark.parametrize("block", SUBGROUPS)
def test_subgroups(block):
    blocks, args, d = effects("subgroup_bcg")
    result = mg.metagen(
        **args,
        sm="RR",
        subgroup=d[next(key for key in d if key not in ("study", "yi", "vi"))],
        method_tau=block.split("_")[0],
        tau_common="common" in block,
        method_random_ci="HK" if "HK" in block else "classic",
    )
    assert ref.compare(result, blocks[block], case="subgroup_bcg", block=block) == []


REFIT_NAMES = {
    "estimate": "TE", "se": "seTE", "zval": "statistic", "ci.lb": "lower", "ci.ub": "upper", "Qp": "pval_Q",
    "I2": lambda t: 100 * t.I2_tau2, "H2": "H2_tau2",
}  # fmt: skip


@pytest.mark.parametrize("block", ["leave1out_REML", "cumul_REML", "cumul_DL"])
@pytest.mark.parametrize("case", ["influence_raudenbush1985", "influence_bcg"])
def test_leaving_out_and_adding(case, block):
    blocks, args, _ = effects(case)
    result = mg.metagen(**args, method_tau=block.split("_")[1])
    table = result.leave_one_out() if block.startswith("leave") else result.cumulative()
    wanted = dict(blocks[block])
    if block.startswith("cumul"):  # metafor calls the tau2 of a single study 0 and its Q test 1
        for key, value in (("tau2", 0.0), ("Qp", 1.0)):
            if key in wanted:
                assert wanted[key][0] == value
                wanted[key] = [None, *wanted[key][1:]]
    assert ref.compare(table, wanted, case=case, block=block, tol=ref.ITERATED, names=REFIT_NAMES) == []


@pytest.mark.parametrize("case", ["influence_raudenbush1985", "influence_bcg"])
def test_influence_and_baujat(case):
    blocks, args, _ = effects(case)
    result = mg.metagen(**args)
    wanted = dict(blocks["influence_REML"])
    assert ref.compare(result.influence(), wanted, case=case, block="influence", tol=ref.ITERATED) == []
    assert ref.compare(result.baujat(), blocks["baujat_common"], case=case, block="baujat", tol=ref.CLOSED) == []


def test_back_transform_of_a_ratio():
    m = mg.metagen([-0.9, -1.6, -1.3], [0.57, 0.44, 0.64], sm="OR")
    assert m.back.TE_random == pytest.approx(np.exp(m.TE_random), rel=1e-15)
    assert m.back.lower_random < m.back.TE_random < m.back.upper_random


def test_limits_give_the_standard_error():
    direct = mg.metagen(np.log([0.6, 0.8]), [0.2, 0.1], sm="HR")
    z = 1.959963984540054
    low, high = np.exp(direct.TE - z * direct.seTE), np.exp(direct.TE + z * direct.seTE)
    printed = mg.metagen([0.6, 0.8], lower=low, upper=high, sm="HR", transf=False)
    assert printed.seTE == pytest.approx(direct.seTE, rel=1e-12)
    assert pytest.approx(direct.TE, rel=1e-12) == printed.TE


def test_no_study_to_pool_is_refused_with_reasons():
    with pytest.raises(mg.DataError, match="Lee: the standard error is 0, not above 0"):
        mg.metagen([0.1], [0.0], ["Lee"])


def test_three_levels():
    loaded = ref.expected("mv_konstantopoulos2011")
    d, wanted = loaded["data"], loaded["expected"]["meta_cluster"]
    result = mg.metagen(d["yi"], np.sqrt(d["vi"]), cluster=d["district"])
    tol = {"tau2": 1e-6, "upper.tau2": 1e-4}
    # meta's own lower limits stop 3e-4 and 5e-4 short; metafor's, tightened, stand in the same file
    tightened = [limits[0][1] for limits in loaded["expected"]["profile_ci"]]
    assert result.lower_tau2 == pytest.approx(tightened, rel=1e-7)
    for key, value in wanted.items():
        if key == "lower.tau2":
            assert result.lower_tau2 == pytest.approx(value, rel=1e-3)
            continue
        found = getattr(result, key.replace(".", "_"))
        assert ref.differences(("meta_cluster", key), found, value, tol.get(key, 1e-6)) == []
    assert "between clusters" in result.summary()
    few = mg.metagen(d["yi"][:9], np.sqrt(d["vi"][:9]), cluster=d["district"][:9])
    assert few.leave_one_out().TE.size == 9


def test_three_levels_by_t_and_without_shared_clusters():
    loaded = ref.expected("mv_konstantopoulos2011")
    d, wanted = loaded["data"], loaded["expected"]["t_test"]
    result = mg.metagen(d["yi"], np.sqrt(d["vi"]), cluster=d["district"], method_random_ci="HK")
    assert result.df_random == wanted["ddf"]
    assert [result.lower_random, result.upper_random] == pytest.approx([wanted["ci_lb"], wanted["ci_ub"]], rel=1e-6)
    alone = mg.metagen([0.1, 0.5, 0.3], [0.2, 0.1, 0.2], cluster=["a", "b", "c"])
    assert alone.tau2 == mg.metagen([0.1, 0.5, 0.3], [0.2, 0.1, 0.2]).tau2
    with pytest.raises(mg.MethodError, match="all effects belong to cluster 'a'"):
        mg.metagen([0.1, 0.5], [0.2, 0.1], cluster=["a", "a"])
    with pytest.raises(mg.MethodError, match="'REML' or 'ML'"):
        mg.metagen([0.1, 0.5, 0.2], [0.2, 0.1, 0.2], cluster=["a", "a", "b"], method_tau="DL")


def test_quantiles_give_effect_and_standard_error():
    n, median, q1, q3 = [40, 18, 60], [8.0, 5.0, 9.0], [5.0, 3.0, 6.0], [12.0, 8.0, 14.0]
    found = mg.metagen(median=median, q1=q1, q3=q3, n_e=[20, 9, 30], n_c=[20, 9, 30])
    wanted = mg.metamean(n, median=median, q1=q1, q3=q3)
    assert pytest.approx(wanted.TE, rel=1e-12) == found.TE and found.seTE == pytest.approx(wanted.seTE, rel=1e-12)
    part = mg.metagen([1.0, np.nan, 2.0], [0.5, np.nan, 0.4], median=median, q1=q1, q3=q3, n_e=n)
    assert part.TE[0] == 1.0 and part.TE[1] == pytest.approx(wanted.TE[1])
    with pytest.raises(mg.DataError, match="n_e, n_c or both"):
        mg.metagen(median=median, q1=q1, q3=q3)
