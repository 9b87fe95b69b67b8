"""One result for each block of each reference case: `results(case)` pairs the path of a block with what we compute."""

from reference_arms import (
    PROPORTIONS,
    of_correlations,
    of_escalc_2x2,
    of_escalc_single,
    of_five_numbers,
    of_means,
    of_person_time,
    of_prop_ci_grid,
    of_proportions,
    of_rates,
    of_tables,
    of_two_means,
)
from reference_claims import Claim, column, loaded
from reference_models import (
    of_berkey,
    of_egger2001,
    of_furukawa_bias,
    of_hr_pignon,
    of_hr_steurer,
    of_influence,
    of_intervals,
    of_limits_and_copas,
    of_regression,
    of_schools,
    of_selection,
    of_subgroups,
    of_tau2,
    of_tau2_limits,
    of_trim_and_fill,
)

__all__ = ["CASES", "PROPORTIONS", "Claim", "column", "loaded", "results"]

CASES = {
    **dict.fromkeys(PROPORTIONS, of_proportions),
    "prop_ci_grid": of_prop_ci_grid,
    "rate_smoking": of_rates,
    "mean_furukawa2003": of_means,
    "cor_molloy2014": of_correlations,
    **dict.fromkeys(("bin_bcg", "bin_sparse_nissen2007", "bin_cisapride"), of_tables),
    "irr_nielweise2008": of_person_time,
    **dict.fromkeys(("cont_normand1999", "cont_amlodipine"), of_two_means),
    "escalc_2x2": of_escalc_2x2,
    "escalc_single": of_escalc_single,
    "conv_fivenum": of_five_numbers,
    **dict.fromkeys(("tau2_raudenbush1985", "tau2_hackshaw1998"), of_tau2),
    **dict.fromkeys(("tau2_ci_raudenbush1985", "tau2_ci_bcg"), of_tau2_limits),
    **dict.fromkeys(("hk_pi_raudenbush1985", "hk_pi_fleiss1993"), of_intervals),
    "subgroup_bcg": of_subgroups,
    **dict.fromkeys(("influence_bcg", "influence_raudenbush1985"), of_influence),
    "trimfill_hackshaw1998": of_trim_and_fill,
    "hr_pignon2000": of_hr_pignon,
    "hr_steurer2006": of_hr_steurer,
    "metareg_bcg": of_regression,
    "mv_konstantopoulos2011": of_schools,
    "mv_berkey1998": of_berkey,
    "bias_egger2001": of_egger2001,
    "bias_cont_furukawa2003": of_furukawa_bias,
    **dict.fromkeys(("limit_copas_moore1998", "limit_copas_fleiss1993"), of_limits_and_copas),
    "selmodel_hackshaw1998": of_selection,
}


def results(case):
    return list(CASES[case](case))
