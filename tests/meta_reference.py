"""Every number of a reference case against a result: `mismatches(case, block, result)` is empty when all agree.

Keys of the reference are R's names; with `.` as `_` they are attributes of the result. A block `backtransformed` is
compared with `result.back`. Values that cannot be matched are listed in UNMATCHED, one by one, with the reason.
"""

import math

import numpy as np

from known import reference_json

CLOSED, ITERATED, QUADRATIC_FORM, GLMM_TAU2, GLMM = 1e-10, 1e-7, 1e-5, 1e-3, 1e-4
ABSOLUTE = 1e-15  # for zeros that rounding has moved

ITERATIVE = {"REML", "ML", "PM", "PMM", "EB"}
ALWAYS_CLOSED = {
    "k",
    "k_study",
    "TE",
    "seTE",
    "lower",
    "upper",
    "Q",
    "df_Q",
    "pval_Q",
    "I2",
    "H",
    "lower_I2",
    "upper_I2",
}
IGNORED = {
    # R's `se.tau2`-free blocks carry these as text or under another roof
    "scale",
}
ROOT = "R's root finder for BJ and J stops within 1.2e-4; ours solves the equation (test_listed_limits_are_roots)"
EARLY = "the peer's optimiser stops at 1e-7 of its deviance; ours is the higher likelihood (test_listed_glmm_is_higher)"
SSW = "the peer's standard error is NA where it has left studies out (test_sample_size_weights_over_pooled_studies)"
NEAR_NULL = "the limit is 1e-5 of its standard error from 0: 1e-11 apart in absolute terms (test_limit_near_the_null)"
PEAK = "the peer's scoring stops at a score of 3828, ours at 0 (test_listed_peak_is_one)"
ZERO = "the peer stops within 1e-11 of the boundary; ours is 0, the higher likelihood (test_listed_zeros_are_zero)"
#: (case, block, key ...) -> why the peer's number is not matched; one line each
UNMATCHED = {
    tuple(line.split()): reason
    for reason, lines in {
        ROOT: """
    bin_bcg OR_Inverse_DL lower.tau2
    bin_bcg RR_Inverse_DL lower.tau2
    bin_bcg RR_Inverse_DL upper.tau2
    bin_bcg RD_Inverse_DL lower.tau2
    bin_bcg RD_Inverse_DL upper.tau2
    bin_bcg ASD_Inverse_DL lower.tau2
    bin_bcg ASD_Inverse_DL upper.tau2
    bin_bcg OR_Peto lower.tau2
    bin_cisapride OR_Inverse_DL lower.tau2
    bin_cisapride RR_Inverse_DL lower.tau2
    bin_cisapride RD_Inverse_DL lower.tau2
    bin_cisapride RD_Inverse_DL upper.tau2
    bin_cisapride ASD_Inverse_DL lower.tau2
    bin_cisapride ASD_Inverse_DL upper.tau2
    bin_cisapride OR_Peto lower.tau2
    cont_normand1999 ROM_DL lower.tau2
    irr_nielweise2008 IRD_MH upper.tau2
    cor_molloy2014 COR_DL lower.tau2
    cor_molloy2014 COR_DL upper.tau2
    cor_molloy2014 ZCOR_DL lower.tau2
    cor_molloy2014 ZCOR_DL upper.tau2
    prop_hannum2020 PAS_DL lower.tau2
    prop_hannum2020 PFT_DL lower.tau2
    prop_hannum2020 PFT_DL upper.tau2
    prop_hannum2020 PLN_DL lower.tau2
    prop_hannum2020 PLOGIT_DL lower.tau2
    prop_hannum2020 PRAW_DL lower.tau2
    prop_pritz1997 PAS_DL lower.tau2
    prop_pritz1997 PFT_DL lower.tau2
    prop_pritz1997 PFT_DL upper.tau2
    prop_pritz1997 PLN_DL lower.tau2
    prop_pritz1997 PLN_DL upper.tau2
    prop_pritz1997 PRAW_DL lower.tau2
    prop_pritz1997 PRAW_DL upper.tau2
    prop_rare_crisafulli2020 PAS_DL upper.tau2
    prop_rare_crisafulli2020 PFT_DL upper.tau2
    prop_rare_crisafulli2020 PLN_DL upper.tau2
    prop_rare_crisafulli2020 PLOGIT_DL upper.tau2
    prop_rare_crisafulli2020 PRAW_DL upper.tau2
    rate_smoking IRFT_DL lower.tau2
    rate_smoking IRFT_DL upper.tau2
    rate_smoking IRLN_DL lower.tau2
    rate_smoking IRS_DL lower.tau2
    rate_smoking IRS_DL upper.tau2
    rate_smoking IR_DL lower.tau2
    rate_smoking IR_DL upper.tau2
    seed_atc_dcr PAS_DL lower.tau2
    seed_atc_dcr PAS_DL upper.tau2
    seed_atc_dcr PFT_DL lower.tau2
    seed_atc_dcr PLN_DL lower.tau2
    seed_atc_dcr PLOGIT_DL lower.tau2
    seed_atc_dcr PRAW_DL lower.tau2
    seed_atc_orr PAS_DL upper.tau2
    seed_atc_orr PRAW_DL upper.tau2
    seed_atc_orr_table1_n PAS_DL upper.tau2
    seed_atc_orr_table1_n PFT_DL upper.tau2
    seed_atc_orr_table1_n PRAW_DL upper.tau2
    subgroup_bcg DL_tau_common lower.tau2
    subgroup_bcg DL_tau_common upper.tau2
    subgroup_bcg DL_tau_separate lower.tau2
    subgroup_bcg DL_tau_separate upper.tau2
    tau2_ci_bcg DL_J lower_tau
    tau2_ci_bcg DL_J lower_tau2
    tau2_ci_bcg DL_J upper_tau2
    tau2_ci_bcg PM_J lower_tau
    tau2_ci_bcg PM_J lower_tau2
    tau2_ci_bcg PM_J upper_tau2
    tau2_ci_bcg REML_J lower_tau
    tau2_ci_bcg REML_J lower_tau2
    tau2_ci_bcg REML_J upper_tau2
    tau2_ci_raudenbush1985 DL_BJ lower_tau
    tau2_ci_raudenbush1985 DL_BJ lower_tau2
    tau2_ci_raudenbush1985 DL_J lower_tau
    tau2_ci_raudenbush1985 DL_J lower_tau2
    tau2_ci_raudenbush1985 GENQ_DL ci_lb
    tau2_ci_raudenbush1985 PM_BJ lower_tau
    tau2_ci_raudenbush1985 PM_BJ lower_tau2
    tau2_ci_raudenbush1985 PM_J lower_tau
    tau2_ci_raudenbush1985 PM_J lower_tau2
    tau2_ci_raudenbush1985 REML_BJ lower_tau
    tau2_ci_raudenbush1985 REML_BJ lower_tau2
    tau2_ci_raudenbush1985 REML_J lower_tau
    tau2_ci_raudenbush1985 REML_J lower_tau2
""",
        PEAK: """
    prop_rare_crisafulli2020 PRAW_REML Rb
    prop_rare_crisafulli2020 PRAW_REML backtransformed lower.predict
    prop_rare_crisafulli2020 PRAW_REML lower.predict
    prop_rare_crisafulli2020 PRAW_REML se.tau2
    prop_rare_crisafulli2020 PRAW_REML seTE.predict
    prop_rare_crisafulli2020 PRAW_REML seTE.random
    prop_rare_crisafulli2020 PRAW_REML tau2
    prop_rare_crisafulli2020 PRAW_REML upper.Rb
    prop_rare_crisafulli2020 PRAW_REML w.random
""",
        EARLY: """
    prop_hannum2020 GLMM TE.random
    prop_hannum2020 GLMM_HK TE.random
    prop_hannum2020 subgroup_GLMM TE.random
""",
        SSW: """
    bin_sparse_nissen2007 OR_SSW seTE.common
    bin_sparse_nissen2007 OR_SSW lower.common
    bin_sparse_nissen2007 OR_SSW upper.common
    bin_sparse_nissen2007 OR_SSW statistic.common
    bin_sparse_nissen2007 OR_SSW pval.common
    bin_sparse_nissen2007 OR_SSW seTE.random
    bin_sparse_nissen2007 OR_SSW lower.random
    bin_sparse_nissen2007 OR_SSW upper.random
    bin_sparse_nissen2007 OR_SSW statistic.random
    bin_sparse_nissen2007 OR_SSW pval.random
""",
        NEAR_NULL: """
    irr_nielweise2008 IRD_Inverse_REML upper.random
""",
        ZERO: """
    cont_amlodipine SMD_Glass_sd_exp tau2
    cont_amlodipine SMD_Glass_sd_exp Rb
    influence_raudenbush1985 cumul_REML I2
    influence_raudenbush1985 cumul_REML tau2
    seed_atc_orr_table1_n PLOGIT_HK Rb
    seed_atc_orr_table1_n PLOGIT_HK tau2
    seed_atc_orr_table1_n PLOGIT_REML Rb
    seed_atc_orr_table1_n PLOGIT_REML tau2
""",
    }.items()
    for line in lines.strip().splitlines()
}


def expected(case):
    return reference_json(f"meta/{case}.json")


def tolerance(key, result):
    name = key.replace(".", "_")
    if getattr(result, "method", None) == "GLMM":
        return GLMM_TAU2 if "tau2" in name or "predict" in name else GLMM
    if name in ("lower_tau2", "upper_tau2", "lower_tau", "upper_tau"):
        return QUADRATIC_FORM if result.method_tau_ci in ("J", "BJ") else ITERATED
    if name in ALWAYS_CLOSED or "common" in name:
        return CLOSED
    return ITERATED if result.method_tau in ITERATIVE else CLOSED


def flat(value):
    if value is None:
        return [math.nan]
    if isinstance(value, (str, bool)):
        return [value]
    if np.ndim(value) == 0:
        return [value]
    return [x for item in value for x in flat(item)]


def near(found, wanted, tol):
    if isinstance(wanted, str) or isinstance(found, str):
        return str(found) == str(wanted)
    found, wanted = float(found), float(wanted)
    if math.isnan(wanted):  # null: not available, or infinite
        return not math.isfinite(found)
    return abs(found - wanted) <= tol * abs(wanted) + ABSOLUTE


def compare(result, wanted, *, case="", block="", tol=None, names=None):
    """Lines that say what differs; `tol` a number or None for the README's, `names` maps keys to attributes."""
    bad = []
    for key, value in wanted.items():
        where = (case, block, key)
        if key in IGNORED or where in UNMATCHED:
            continue
        if key == "backtransformed":
            bad += compare_back(result, value, where, tol)
            continue
        name = (names or {}).get(key, key.replace(".", "_"))
        try:
            found = name(result) if callable(name) else getattr(result, name)
        except AttributeError as error:
            bad.append(f"{where}: {error}")
            continue
        bad += differences(where, found, value, tol or tolerance(key, result))
    return bad


def compare_back(result, wanted, where, tol):
    bad = []
    for key, value in wanted.items():
        if (*where, key) in UNMATCHED:
            continue
        if key.endswith("harmonic_mean"):
            bad += differences((*where, key), result.n_harmonic_mean, value, CLOSED)
        else:
            found = getattr(result.back, key.replace(".", "_"))
            bad += differences((*where, key), found, value, tol or tolerance(key, result))
    return bad


def differences(where, found, value, tol):
    if tuple(where) in UNMATCHED:
        return []
    left, right = flat(found), flat(value)
    if len(left) != len(right):
        return [f"{where}: {len(left)} values for {len(right)}"]
    return [
        f"{where}[{i}]: found {a!r}, expected {b!r}"
        for i, (a, b) in enumerate(zip(left, right, strict=True))
        if not near(a, b, tol)
    ]
