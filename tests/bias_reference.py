"""Expected values of the bias cases against results: every key compared, every value that differs listed with why."""

import numpy as np

from known import reference_json

HESSIAN = (
    "the peer's numerical Hessian is off; ours agrees with one by independent quadrature (test_half_normal_errors)"
)
EARLY = "the peer stopped early: our log-likelihood is higher (test_likelihoods_are_at_least_the_peers)"
QUADRATURE = "the peer's integrals are off by 2.5e-4 in the log-likelihood; ours agree with an independent quadrature"
TREND = "the peer's fit with a trend stopped early: our log-likelihood is higher (test_trend_fits_reach_higher)"
SCORE = "the peer's score of the log risk ratio is not that of Harbord 2009 (off by 0.1 %); ours is"
REML = "the peer's REML inside metabias stopped at 1e-5 of tau²; ours is at its peak (test_thompson_tau2_is_the_peak)"

#: (case, block) -> (why, keys whose value is not the peer's)
UNMATCHED = {
    ("selmodel_hackshaw1998", "halfnorm"): (HESSIAN, "se ci_lb ci_ub pval se_tau2 se_delta"),
    ("selmodel_hackshaw1998", "power"): (EARLY, "b se ci_lb pval tau2 se_tau2 delta se_delta"),
    ("selmodel_hackshaw1998", "beta"): (QUADRATURE, "se ci_lb ci_ub pval se_tau2 se_delta"),
    ("limit_copas_moore1998", "copas"): (TREND, "pval.rsb"),
    ("seed_atc_orr", "thompson"): (REML, "estimate statistic pval intercept se_intercept tau2"),
    ("seed_atc_dcr", "thompson"): (REML, "estimate statistic pval intercept se_intercept tau2"),
    ("seed_atc_orr_table1_n", "thompson"): (REML, "estimate statistic pval intercept se_intercept tau2"),
    ("bias_egger2001", "RR_Harbord"): (SCORE, "estimate statistic pval intercept se_intercept tau2"),
}


def expected(case):
    return reference_json(f"meta/{case}.json")


def listed(case, block):
    return UNMATCHED.get((case, block), ("", ""))[1].split()


def numbers(value):
    if value is None or (isinstance(value, (list, tuple)) and not value):
        return np.array([np.nan])
    items = np.atleast_1d(np.asarray(value, dtype=object))
    found = np.array([np.nan if item is None else float(item) for item in items])
    return np.where(np.isinf(found), np.nan, found)  # the reference writes infinite degrees of freedom as null


def differs(found, wanted, tolerance):
    """Whether a number or array is not the wanted one to a relative `tolerance`; NaN and None are one."""
    a, b = numbers(found), numbers(wanted)
    if a.shape != b.shape:
        return True
    return not np.allclose(a, b, rtol=tolerance, atol=1e-14, equal_nan=True)


def mismatches(case, block, result, tolerance, *, names=None, skip=()):
    """Keys of `block` whose value `result` does not have, with both values; listed ones must differ."""
    wanted = expected(case)["expected"][block]
    known = listed(case, block)
    found = []
    for key, value in wanted.items():
        if key in skip:
            continue
        name = (names or {}).get(key, key.replace(".", "_"))
        got = getattr(result, name)
        if isinstance(value, str) or (isinstance(value, list) and value and isinstance(value[0], str)):
            wrong = got != value and tuple(got) != ((value,) if isinstance(value, str) else tuple(value))
        else:
            wrong = differs(got, value, tolerance)
        if wrong != (key in known):
            found.append((key, got, value) if wrong else (key, "is listed as unmatched but agrees"))
    return found
