"""Results for the blocks of cases with counts, person-time, means, correlations and quantiles."""

import numpy as np

import metagrove as mg
from reference_claims import (
    CLOSED,
    ITERATED,
    METAFOR,
    Back,
    Claim,
    asymmetry_claim,
    by_glmm,
    column,
    loaded,
    meta_claim,
)

# one arm

PROPORTIONS = {
    "prop_pritz1997": ("xi", "ni"),
    "prop_rare_crisafulli2020": ("cases", "total"),
    "prop_hannum2020": ("xi", "ni"),
    "seed_atc_orr": ("event", "n"),
    "seed_atc_dcr": ("event", "n"),
    "seed_atc_orr_table1_n": ("event", "n"),
}
RMA_GLMM = {"I2": lambda r: 100 * r.I2}


def one_arm_options(block):
    sm, *rest = block.split("_")
    options = {"sm": sm, "method": "Inverse", "method_tau": "DL" if "DL" in rest else "REML"}
    return options | ({"method_random_ci": "HK"} if "HK" in rest else {})


def proportion_claim(prefix, block, event, n):
    path = (*prefix, block)
    if block.startswith("GLMM"):
        ci = "HK" if block.endswith("HK") else "classic"
        result = mg.metaprop(event, n, method="GLMM", method_random_ci=ci)
        return Claim(path, result, by_glmm, {"backtransformed": Back})
    if block.startswith("rma_glmm"):
        result = mg.rma_glmm(xi=event, ni=n, measure="PLO", nAGQ=int(block.rpartition("nAGQ")[2]))
        return Claim(path, result, by_glmm, RMA_GLMM)
    if block.startswith("study_ci"):
        ci = block.rpartition("_")[2]
        result = mg.metaprop(event, n, sm="PLOGIT" if ci == "NAsm" else "PRAW", method="Inverse", method_ci=ci)
        scale = {"scale": lambda r: "logit" if r.sm == "PLOGIT" else "proportion"}
        return Claim(path, result, CLOSED, scale)
    return meta_claim(path, mg.metaprop(event, n, **one_arm_options(block)))


def of_proportions(case):
    event, n = column(case, *PROPORTIONS[case])
    blocks = loaded(case)["expected"]
    plain = [b for b in blocks.get("alternatives", blocks) if not b.startswith(("subgroup", "metareg"))]
    prefix = ("alternatives",) if "alternatives" in blocks else ()
    for block in plain:
        yield proportion_claim(prefix, block, event, n)
    if prefix:
        yield from of_the_paper(case, event, n)
    else:
        yield from of_groups(case, event, n)


def of_groups(case, event, n):
    for block in loaded(case)["expected"]:
        if block.startswith("subgroup_"):
            sm = block.split("_")[1]
            options = {"sm": "PLOGIT", "method": "GLMM"} if sm == "GLMM" else {"sm": sm, "method": "Inverse"}
            result = mg.metaprop(
                event, n, **options, subgroup=loaded(case)["data"]["group"], tau_common=block.endswith("common")
            )
            yield Claim((block,), result, by_glmm) if sm == "GLMM" else meta_claim((block,), result)
        if block.startswith("metareg"):
            table = {"xi": event, "ni": n, "objectivity": np.array(loaded(case)["data"]["group"])}
            result = mg.rma(measure="PLO", xi="xi", ni="ni", mods="~ objectivity", data=table)
            yield Claim((block,), result, ITERATED, METAFOR | {"coef_names": coefficient_names})


def coefficient_names(result):
    """The column's name with the table it stood in there."""
    return [name.replace("objectivity", "d$objectivity") for name in result.coef_names]


def of_the_paper(case, event, n):
    drug = loaded(case)["data"]["drug"]
    more = {
        "proportion": lambda r: r.event / r.n,
        "study_ci_clopper_pearson": lambda r: r.back,
        "backtransformed_harmonic_mean": Back,
        "subgroup_backtransformed": GroupsBack,
    }
    for block, options in {
        "paper_settings": {},
        "tau_common": {"tau_common": True},
        "HK": {"method_random_ci": "HK"},
    }.items():
        result = mg.metaprop(event, n, sm="PFT", method="Inverse", subgroup=drug, **options)
        yield meta_claim((block,), result, more)
    whole = mg.metaprop(event, n, sm="PFT", method="Inverse")
    yield Claim(("leave_one_out",), whole.leave_one_out(), ITERATED)
    for block in ("egger", "begg", "thompson"):
        yield asymmetry_claim((block,), whole.metabias(block, k_min=3), ITERATED if block == "thompson" else CLOSED)


class GroupsBack:
    """Subgroups on the reporting scale, by the names of the reference."""

    def __init__(self, result):
        self.levels = result.subgroup_levels
        self.harmonic_mean = result.n_harmonic_mean_w
        self.estimate = result.back.TE_random_w
        self.lower, self.upper = result.back.lower_random_w, result.back.upper_random_w


GRID_CODES = {"PRAW": "PR", "PLN": "PLN", "PLOGIT": "PLO", "PAS": "PAS", "PFT": "PFT"}


def of_prop_ci_grid(case):
    x, n = column(case, "x", "n")
    for block in loaded(case)["expected"]:
        if block.startswith("TE_"):
            yield Claim((block,), mg.metaprop(x, n, sm=block[3:], method="Inverse"), CLOSED)
        elif block.startswith("escalc_"):
            yield Claim((block,), mg.escalc(block[7:], xi=x, ni=n), CLOSED)
        elif block == "binom_test_p":
            yield Claim((block,), mg.metaprop(x, n, sm="PRAW", method="Inverse", null_effect=0.2).pval, CLOSED)
        else:
            yield Claim((block,), mg.metaprop(x, n, sm="PRAW", method_ci=block), CLOSED)


def of_rates(case):
    event, time = column(case, "event", "time")
    for block in loaded(case)["expected"]:
        if block == "GLMM":
            yield Claim((block,), mg.metarate(event, time, method="GLMM"), by_glmm)
        elif block == "study_ci_Poisson":
            yield Claim((block,), mg.metarate(event, time, method_ci="Poisson"), CLOSED)
        elif block == "IRFT_REML_backtransformed":
            yield Claim((block,), Back(mg.metarate(event, time, sm="IRFT")), ITERATED)
        else:
            yield meta_claim((block,), mg.metarate(event, time, **one_arm_options(block)))


def of_means(case):
    n, mean, sd = column(case, "n", "mean", "sd")
    for block in loaded(case)["expected"]:
        if block == "MRAW_study_t_ci":
            yield Claim((block,), mg.metamean(n, mean, sd, method_ci="t"), CLOSED)
            continue
        options = one_arm_options(block)
        del options["method"]
        yield meta_claim((block,), mg.metamean(n, mean, sd, **options))


def of_correlations(case):
    r, n = column(case, "ri", "ni")
    for block in loaded(case)["expected"]:
        if block.startswith("escalc_"):
            yield Claim((block,), mg.escalc(block[7:], ri=r, ni=n), CLOSED)
        elif block == "HS_COR":
            effects = mg.escalc("COR", ri=r, ni=n, vtype="AV")
            yield Claim((block,), mg.rma(effects, weights=n, method="HS"), CLOSED, METAFOR)
        else:
            options = one_arm_options(block)
            del options["method"]
            yield meta_claim((block,), mg.metacor(r, n, **options))


# two arms


def binary_options(block):
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


def of_tables(case):
    a, n1, c, n2 = column(case, "event.e", "n.e", "event.c", "n.c")
    cells = {"ai": a, "n1i": n1, "ci": c, "n2i": n2}
    for block in loaded(case)["expected"]:
        if block.startswith("rma_mh"):
            yield Claim((block,), mg.rma_mh(**cells, measure=block[7:]), CLOSED, METAFOR)
        elif block == "rma_peto":
            yield Claim((block,), mg.rma_peto(**cells), CLOSED, METAFOR)
        elif block.startswith("GLMM"):
            yield Claim((block,), mg.rma_glmm(**cells, measure="OR", model=block[5:]), by_glmm)
        else:
            yield meta_claim((block,), mg.metabin(a, n1, c, n2, **binary_options(block)))


def of_person_time(case):
    x1, t1, x2, t2 = column(case, "x1i", "t1i", "x2i", "t2i")
    times = {"x1i": x1, "t1i": t1, "x2i": x2, "t2i": t2}
    for block in loaded(case)["expected"]:
        if block == "rma_mh_IRR":
            yield Claim((block,), mg.rma_mh(**times, measure="IRR"), CLOSED)
        elif block.startswith("GLMM"):
            yield Claim((block,), mg.rma_glmm(**times, measure="IRR", model=block[5:]), by_glmm)
        else:
            sm, method, *tau = block.split("_")
            options = {"sm": sm, "method": method, "method_tau": tau[0] if tau else "DL"}
            yield meta_claim((block,), mg.metainc(x1, t1, x2, t2, **options))


MEANS = ("n1i", "m1i", "sd1i", "n2i", "m2i", "sd2i")


def of_two_means(case):
    arms = column(case, *MEANS)
    for block in loaded(case)["expected"]:
        if block.startswith("escalc_"):
            measure, _, vtype = block[7:].partition("_vtype_")
            yield Claim(
                (block,), mg.escalc(measure, **dict(zip(MEANS, arms, strict=True)), vtype=vtype or None), CLOSED
            )
            continue
        sm, *parts = block.split("_")
        options = {"method_tau": "DL" if "DL" in parts else "REML", "pooledvar": "pooledvar" in parts}
        if sm == "SMD":
            whose = "experimental" if "exp" in parts else "control"
            options |= {"method_smd": parts[0], "exact_smd": "exact" in parts, "sd_glass": whose}
        yield meta_claim((block,), mg.metacont(*arms, sm=sm, **options))


def of_escalc_2x2(case):
    cells = dict(zip(("ai", "bi", "ci", "di"), column(case, "tpos", "tneg", "cpos", "cneg"), strict=True))
    for block in loaded(case)["expected"]:
        yield Claim((block,), mg.escalc(block, **cells), CLOSED)


SINGLE = {
    "proportions": {"xi": "xi", "ni": "ni"},
    "rates": {"xi": "events", "ti": "time"},
    "one mean": {"mi": "mean", "sdi": "sd", "ni": "n"},
    "changes": {"m1i": "mean", "m2i": "m2", "sd1i": "sd", "sd2i": "sd2", "ri": "rpp", "ni": "n"},
    "correlations": {"ri": "r", "ni": "n"},
    "reliabilities": {"ai": "alpha", "mi": "items", "ni": "n"},
}


def of_escalc_single(case):
    from metagrove.effects.measures import MEASURES

    for block in loaded(case)["expected"]:
        columns = SINGLE[MEASURES[block].family]
        yield Claim((block,), mg.escalc(block, **columns, data=loaded(case)["data"]), CLOSED)


def of_five_numbers(case):
    names = ("min", "q1", "median", "q3", "max")
    numbers = dict(zip(names, column(case, *names), strict=True))
    n = np.array(loaded(case)["data"]["n"])
    for block in loaded(case)["expected"]:
        if block.startswith("metamean"):
            yield Claim((block,), mg.metamean(n, **numbers, method_sd=block.rpartition("_")[2]), CLOSED)
        elif block == "conv_wald":
            yield Claim((block,), mg.conv_wald(*WALD, transf=np.log), CLOSED)
        else:
            method = "default" if block == "conv_default" else "luo/wan/shi"
            yield Claim((block,), mg.conv_fivenum(**numbers, n=n, method=method), CLOSED)


#: The inputs of conv_wald are not in the file: the limits' ratios are exp(2 z sqrt(vi)) = 3, 2.4 and 25/11, and the
#: estimates exp(yi) = 0.5 and 0.8; these ratios with their limits are the roundest that give them.
WALD = ([0.5, 0.8, np.nan], [0.3, 0.5, 1.1], [0.9, 1.2, 2.5])
