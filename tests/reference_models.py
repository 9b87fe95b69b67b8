"""Results for the blocks of cases with effects and standard errors: models, structure, sensitivity and bias."""

import numpy as np

import metagrove as mg
from metagrove.effects import reported
from reference_claims import (
    CLOSED,
    FORM,
    ITERATED,
    ITERATIVE,
    METAFOR,
    MULTILEVEL,
    OF_THE_DATA,
    SELECTION,
    Claim,
    asymmetry_claim,
    by_meta,
    by_multilevel,
    column,
    loaded,
    meta_claim,
)

# effects and standard errors


def generic(case):
    return column(case, "yi", "vi")


ESTIMATOR_BLOCKS = {"FE": "EE"}


def of_tau2(case):
    y, v = generic(case)
    for block in loaded(case)["expected"]:
        if block == "REML_ranef":
            model = mg.rma(y, v)
            names = {
                "blup": lambda r: r.blup().pred,
                "blup_se": lambda r: r.blup().se,
                "blup_pi_lb": lambda r: r.blup().pi_lb,
                "blup_pi_ub": lambda r: r.blup().pi_ub,
                "weights_pct": lambda r: r.weights(),
            }
            yield Claim((block,), model, ITERATED, names)
        else:
            yield Claim((block,), mg.rma(y, v, method=block), ITERATED if block in ITERATIVE else CLOSED, METAFOR)


#: how metafor prints the names of the rows
METAFOR_ROWS = {"tau2": "tau^2", "I2": "I^2(%)", "H2": "H^2"}


def of_tau2_limits(case):
    y, v = generic(case)
    for block in loaded(case)["expected"]:
        if block.startswith("metafor_confint"):
            kind, tau = block.split("_")[2:]
            found = mg.rma(y, v, method=tau).confint(type=kind)
            limits = FORM if kind == "GENQ" else ITERATED

            def rule(key, tight=CLOSED if tau == "DL" else ITERATED, limits=limits):
                return limits if key in ("ci_lb", "ci_ub") else tight

            rows = {"rows": lambda r: [METAFOR_ROWS.get(label, label) for label in r.labels]}
            yield Claim((block,), found, rule, rows)
        else:
            tau, kind = block.split("_")
            result = mg.metagen(y, np.sqrt(v), method_tau=tau, method_tau_ci=kind)
            yield meta_claim((block,), result)


def hk_options(block):
    tau, kind, *adhoc = block.split("_")
    if tau == "PI":
        return {"method_predict": kind, "adhoc_hakn_pi": "se" if adhoc else ""}
    return {"method_tau": tau, "method_random_ci": kind, "adhoc_hakn_ci": adhoc[0] if adhoc else ""}


def of_intervals(case):
    y, v = generic(case)
    for block in loaded(case)["expected"]:
        if block == "metafor_pi_riley":
            yield Claim((block,), mg.rma(y, v).predict(predtype="Riley"), ITERATED)
        elif block.startswith("metafor_"):
            yield Claim((block,), mg.rma(y, v, test=block[8:]), ITERATED, METAFOR)
        else:
            yield meta_claim((block,), mg.metagen(y, np.sqrt(v), **hk_options(block)))


def of_subgroups(case):
    y, v = generic(case)
    alloc = loaded(case)["data"]["alloc"]
    for block in loaded(case)["expected"]:
        tau = block.rpartition("_")[2] if block.startswith("rma_") else block.split("_")[0]
        if block.startswith("rma_"):
            table = {"yi": y, "vi": v, "g": np.array(alloc)}
            result = mg.rma("yi", "vi", mods="~ factor(g)", method=tau, data=table)
            yield Claim((block,), result, ITERATED if tau in ITERATIVE else CLOSED, METAFOR)
            continue
        ci = "HK" if "HK" in block else "classic"
        options = {"method_tau": tau, "tau_common": "common" in block, "method_random_ci": ci}
        yield meta_claim((block,), mg.metagen(y, np.sqrt(v), sm="RR", subgroup=alloc, **options))


def of_influence(case):
    y, v = generic(case)
    refits = {"ci.lb": "ci_lb", "ci.ub": "ci_ub", "I2": lambda r: 100 * np.asarray(r["I2"])}
    for block in loaded(case)["expected"]:
        kind, tau = block.split("_")
        model = mg.rma(y, v, method="REML" if tau == "common" else tau)
        tolerance = CLOSED if tau in ("DL", "common") else ITERATED
        if kind == "baujat":
            yield Claim((block,), mg.baujat(y, vi=v), tolerance)
        elif kind in ("influence", "rstandard"):
            yield Claim((block,), getattr(model, kind)(), tolerance)
        else:
            table = model.leave_one_out() if kind == "leave1out" else model.cumulative()
            yield Claim((block,), table, tolerance, refits)


def of_trim_and_fill(case):
    y, v = generic(case)
    for block in loaded(case)["expected"]:
        method, _, estimator = block.partition("_")
        if method == "meta":
            filled = mg.metagen(y, np.sqrt(v)).trimfill(type=block.rpartition("_")[2])
            yield Claim((block,), filled, by_meta("REML", form=False))
            continue
        filled = mg.rma(y, v, method=method).trimfill(estimator=estimator)
        names = METAFOR | {"p_k0": lambda f: getattr(f, "p_k0", None)}
        yield Claim((block,), filled, ITERATED if method == "REML" else CLOSED, names)


# hazard ratios


def of_hr_pignon(case):
    excess, variance = column(case, "OmE", "V")
    y, v = excess / variance, 1 / variance
    for block in loaded(case)["expected"]:
        if block in ("yi", "vi"):
            found = [reported.from_excess(*pair) for pair in zip(excess, variance, strict=True)]
            yield Claim((block,), [one.log_hr if block == "yi" else one.v for one in found], CLOSED)
        elif block == "subgroups":
            group = loaded(case)["data"]["grp"]
            yield meta_claim((block,), mg.metagen(y, np.sqrt(v), sm="HR", subgroup=group, method_tau="DL"))
        else:
            yield Claim((block,), mg.rma(y, v, method=block), ITERATED if block == "REML" else CLOSED, METAFOR)


def of_hr_steurer(case):
    hr, low, high, y, se = column(case, "HR", "lowHR", "uppHR", "lnHR", "selnHR")
    p = np.array(loaded(case)["expected"]["HR_and_p"]["p_given"])
    ways = {
        "TE_se": {"TE": y, "seTE": se},
        "HR_and_CI": {"TE": hr, "lower": low, "upper": high, "transf": False},
        "CI_only": {"lower": low, "upper": high, "transf": False},
        "HR_and_p": {"TE": hr, "pval": p, "transf": False},
    }
    for block, given in ways.items():
        yield meta_claim((block,), mg.metagen(**given, sm="HR"), {"p_given": lambda _: p})


# regression and structure

FORMULAS = {
    "ablat": "~ ablat",
    "year_ablat": "~ ablat + year",
    "alloc": "~ factor(alloc)",
    "full": "~ ablat + year + factor(alloc)",
    "interaction": "~ ablat * year",
    "no_intercept": "~ 0 + factor(alloc)",
}


def of_regression(case):
    data, expected = loaded(case)["data"], loaded(case)["expected"]

    def fit(mods, **options):
        return mg.rma("yi", "vi", mods=mods, data=data, **options)

    for block in expected:
        for method in ("REML", "DL", "ML"):
            name, sep, test = block.partition(f"_{method}_")
            if sep:
                result = fit(FORMULAS[name], method=method, test=test)
                yield Claim((block,), result, CLOSED if method == "DL" else ITERATED, METAFOR)
    yield Claim(("FE_ablat",), fit("~ ablat", method="FE"), CLOSED, METAFOR)
    yield Claim(("predict_ablat_10_30_50",), fit("~ ablat").predict([10, 30, 50]), ITERATED)
    both = fit("~ ablat + year")
    yield Claim(("vif_ablat_year",), mg.vif(both), ITERATED)
    yield Claim(("hat_full",), mg.hatvalues(both), ITERATED)
    ml = [fit(mods, method="ML") for mods in ("~ ablat + factor(alloc)", "~ ablat")]
    yield Claim(("lrt_ml_alloc",), mg.anova(*ml), ITERATED)
    yield Claim(("location_scale",), fit("~ ablat", scale="~ ablat"), by_multilevel)


def of_schools(case):
    data, expected = loaded(case)["data"], loaded(case)["expected"]

    def fit(**options):
        return mg.rma_mv("yi", "vi", random="~ 1 | district/school", data=data, **options)

    model = fit()
    yield Claim(("REML",), model, by_multilevel)
    yield Claim(("ML",), fit(method="ML"), by_multilevel)
    yield Claim(("mods_year",), fit(mods="~ I(year - mean(year))"), by_multilevel)
    yield Claim(("t_test",), fit(test="t", dfs="contain"), by_multilevel)
    yield Claim(("robust_CR1",), mg.robust(model, "district"), by_multilevel)
    yield Claim(("robust_CR2_Satterthwaite",), mg.robust(model, "district", clubSandwich=True), by_multilevel)
    simple = mg.robust(mg.rma("yi", "vi", data=data), data["district"])
    yield Claim(("rma_uni_robust_CR1",), simple, by_multilevel)
    limits = model.confint()
    yield Claim(("profile_ci_rows",), ["sigma2", "sigma"], CLOSED)
    rows = [[limits[f"{name}.{i}"] for name in ("sigma2", "sigma")] for i in (1, 2)]
    yield Claim(("profile_ci",), rows, MULTILEVEL)
    yield Claim(("I2_total",), 100 * model.I2_total, MULTILEVEL)
    yield Claim(("I2_by_level",), 100 * np.asarray(model.I2_by_level), MULTILEVEL)
    nested = mg.metagen(data["yi"], np.sqrt(data["vi"]), cluster=data["district"])
    yield Claim(("meta_cluster",), nested, lambda key: CLOSED if key in OF_THE_DATA else MULTILEVEL)
    assert "mods_year" in expected


def of_berkey(case):
    data, expected = loaded(case)["data"], loaded(case)["expected"]
    V = np.array([values for name, values in data.items() if name.startswith("V_matrix")], dtype=float)
    for block in expected:
        struct, _, method = block.partition("_")
        if struct != "CHE":
            options = {"mods": "~ outcome - 1", "random": "~ outcome | trial", "struct": struct, "method": method}
            yield Claim((block,), mg.rma_mv("yi", V, data=data, **options), by_multilevel)
    imputed = mg.vcalc("vi", "trial", obs="outcome", rho=0.6, data=data)
    model = mg.rma_mv("yi", imputed, random="~ 1 | trial/outcome", data=data)
    yield Claim(("CHE_rho06",), model, by_multilevel, {"V": lambda _: imputed})


# sensitivity and bias


def of_egger2001(case):
    a, n1, c, n2 = column(case, "event.e", "n.e", "event.c", "n.c")
    table = {"ai": a, "n1i": n1, "ci": c, "n2i": n2}
    effects = mg.escalc("OR", ai="ai", n1i="n1i", ci="ci", n2i="n2i", data=table)
    model = mg.rma("yi", "vi", data=effects)
    for block, wanted in loaded(case)["expected"].items():
        kind, _, rest = block.partition("_")
        if kind in ("OR", "RR"):
            yield asymmetry_claim((block,), mg.metabin(a, n1, c, n2, sm=kind, method_tau="DL").metabias(rest), CLOSED)
        elif block.startswith("metafor_regtest_rma"):
            yield Claim((block,), model.regtest(predictor=block.rpartition("_")[2]), ITERATED)
        elif block == "metafor_regtest_lm_sei":
            yield Claim((block,), model.regtest(model="lm"), CLOSED)
        elif block == "metafor_ranktest":
            yield Claim((block,), model.ranktest(), CLOSED)
        elif block == "lfk_index_OR":
            yield Claim((block,), mg.lfkindex(effects.yi, np.sqrt(effects.vi)), CLOSED)
        elif block == "tes":
            yield Claim((block,), mg.tes(effects.yi, effects.vi), lambda key: ITERATED if "lim" in key else CLOSED)
        else:
            for name in wanted:
                tolerance = ITERATED if name == "General" else CLOSED
                yield Claim((block, name), mg.fsn(effects.yi, effects.vi, type=name), tolerance)


def of_furukawa_bias(case):
    arms = column(case, "Ne", "Me", "Se", "Nc", "Mc", "Sc")
    for block in loaded(case)["expected"]:
        sm, method = block.split("_")
        yield asymmetry_claim((block,), mg.metacont(*arms, sm=sm, method_tau="DL").metabias(method), CLOSED)


def of_limits_and_copas(case):
    y, se = column(case, "yi", "sei")
    held = mg.metagen(y, se, tau_preset=loaded(case)["expected"]["copas"]["tau"])
    yield Claim(("limitmeta",), held.limitmeta(), ITERATED)
    yield Claim(("copas",), held.copas(), SELECTION)


STEPS = {
    "step_025": 0.025,
    "step_025_05_50": (0.025, 0.1, 0.5),
    "step_fixed_delta": (0.005, 0.01, 0.05, 0.1, 0.25, 0.35, 0.5, 0.65, 0.75, 0.9, 0.95, 0.99, 0.995, 1),
}


def of_selection(case):
    y, v = generic(case)
    model = mg.rma(y, v, method="ML")
    for block, wanted in loaded(case)["expected"].items():
        if block == "ML_unadjusted":
            yield Claim((block,), model, ITERATED, METAFOR)
        elif block in STEPS:
            delta = wanted["delta"] if block == "step_fixed_delta" else None
            yield Claim((block,), mg.selmodel(model, "stepfun", steps=STEPS[block], delta=delta), SELECTION)
        else:
            yield Claim((block,), mg.selmodel(model, block), SELECTION)
