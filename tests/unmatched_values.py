"""Expected values of `shared/reference/meta` that are not matched, one by one, each with the reason.

Paths are `case block: key ...`; what the key holds (a number or a list) counts as one line. A line leaves this list when
its values agree: `doors/test_every_value.py` fails on lines that are too many as on values that are too far.
"""

ROOT = (
    "the peer's root finder for the limits by J and BJ stops within 1.3e-4; ours solve the equation "
    "(test_limits_are_roots)"
)
PEAK = (
    "the peer's REML stops 1e-11 to 1e-5 of tau2 short of its peak, and what follows from tau2 with it; ours is "
    "at the peak (test_peaks)"
)
ZERO = "the peer stops within 1e-10 of the boundary; ours is 0, where the likelihood is the higher (test_zeros)"
EARLY_GLMM = (
    "lme4's inner iterations stop at 1e-7 of the deviance; ours has the higher likelihood (test_glmm_is_higher) "
    "and is lme4 once they converge (test_converged_lme4)"
)
LAPLACE_HESSIAN = (
    "lme4's Hessian by differences carries the noise of its inner iterations; ours is that of an independent "
    "Laplace approximation (test_laplace_errors)"
)
NEAR_ZERO = (
    "the limit lies next to 0: the difference is within the README's tolerance of estimate and standard error "
    "(test_limits_next_to_zero)"
)
SSW = (
    "the peer has no standard error where studies are left out; ours is that of the studies pooled "
    "(test_sample_size_weights)"
)
ROUNDED_ZERO = (
    "the effect is 0 by construction; the peer's logarithms leave 2e-16, ours less or up to 9e-16 "
    "(test_zero_by_construction)"
)
TETRACHORIC = (
    "the peer's optimiser stops at 1.2e-4; ours solves the equation it maximises "
    "(test_tetrachoric_solves_its_equation_better_than_the_peer)"
)
ROUNDING = (
    "the peer's normal equations lose digits to the calendar years; ours agree with exact fractions to 1e-11 "
    "(test_exact_fractions)"
)
NO_LIMIT = "the peer's search found no upper limit; ours lies on the profile (test_profile_limits_lie_on_the_profile)"
LOOSE_PROFILE = (
    "meta's lower limits stop 5e-4 short; metafor's, tightened, stand in the same file and are ours "
    "(test_tightened_profile_limits)"
)
POWER_ROOT = "the peer's root finder stops within 2e-6; ours solves the equation (test_excess_limit_is_a_root)"
TREND = "the peer's fits with a trend stopped early: our likelihood is higher (test_trend_fits_reach_higher)"
HESSIAN = "the peer's numerical Hessian is off; ours agrees with independent quadrature (test_half_normal_errors)"
EARLY_SELECTION = "the peer stopped early: our likelihood is higher (test_likelihoods_are_at_least_the_peers)"
QUADRATURE = (
    "the peer's integrals are off by 2.5e-4 in the log-likelihood; ours agree with independent quadrature "
    "(test_likelihood_is_that_of_independent_quadrature)"
)

_LINES = {
    ROOT: """
prop_pritz1997 PRAW_DL: lower.tau2 upper.tau2
prop_pritz1997 PLN_DL: lower.tau2 upper.tau2
prop_pritz1997 PAS_DL: lower.tau2
prop_pritz1997 PFT_DL: lower.tau2 upper.tau2
prop_rare_crisafulli2020 PRAW_DL: upper.tau2
prop_rare_crisafulli2020 PLN_DL: upper.tau2
prop_rare_crisafulli2020 PLOGIT_DL: upper.tau2
prop_rare_crisafulli2020 PAS_DL: upper.tau2
prop_rare_crisafulli2020 PFT_DL: upper.tau2
prop_hannum2020 PRAW_DL: lower.tau2
prop_hannum2020 PLN_DL: lower.tau2
prop_hannum2020 PLOGIT_DL: lower.tau2
prop_hannum2020 PAS_DL: lower.tau2
prop_hannum2020 PFT_DL: lower.tau2 upper.tau2
seed_atc_orr PRAW_DL: upper.tau2
seed_atc_orr PAS_DL: upper.tau2
seed_atc_dcr PRAW_DL: lower.tau2
seed_atc_dcr PLN_DL: lower.tau2
seed_atc_dcr PLOGIT_DL: lower.tau2
seed_atc_dcr PAS_DL: lower.tau2 upper.tau2
seed_atc_dcr PFT_DL: lower.tau2
seed_atc_orr_table1_n PRAW_DL: upper.tau2
seed_atc_orr_table1_n PAS_DL: upper.tau2
seed_atc_orr_table1_n PFT_DL: upper.tau2
rate_smoking IR_DL: lower.tau2 upper.tau2
rate_smoking IRLN_DL: lower.tau2
rate_smoking IRS_DL: lower.tau2 upper.tau2
rate_smoking IRFT_DL: lower.tau2 upper.tau2
cor_molloy2014 ZCOR_DL: lower.tau2 upper.tau2
cor_molloy2014 COR_DL: lower.tau2 upper.tau2
bin_bcg OR_Inverse_DL: lower.tau2
bin_bcg RR_Inverse_DL: lower.tau2 upper.tau2
bin_bcg RD_Inverse_DL: lower.tau2 upper.tau2
bin_bcg ASD_Inverse_DL: lower.tau2 upper.tau2
bin_bcg OR_Peto: lower.tau2
bin_cisapride OR_Inverse_DL: lower.tau2
bin_cisapride RR_Inverse_DL: lower.tau2
bin_cisapride RD_Inverse_DL: lower.tau2 upper.tau2
bin_cisapride ASD_Inverse_DL: lower.tau2 upper.tau2
bin_cisapride OR_Peto: lower.tau2
irr_nielweise2008 IRD_MH: upper.tau2
cont_normand1999 ROM_DL: lower.tau2
tau2_ci_raudenbush1985 REML_BJ: lower_tau2 lower_tau
tau2_ci_raudenbush1985 REML_J: lower_tau2 lower_tau
tau2_ci_raudenbush1985 DL_BJ: lower_tau2 lower_tau
tau2_ci_raudenbush1985 DL_J: lower_tau2 lower_tau
tau2_ci_raudenbush1985 PM_BJ: lower_tau2 lower_tau
tau2_ci_raudenbush1985 PM_J: lower_tau2 lower_tau
tau2_ci_raudenbush1985 metafor_confint_GENQ_DL: ci_lb
tau2_ci_bcg REML_J: lower_tau2 upper_tau2 lower_tau
tau2_ci_bcg DL_J: lower_tau2 upper_tau2 lower_tau
tau2_ci_bcg PM_J: lower_tau2 upper_tau2 lower_tau
subgroup_bcg DL_tau_separate: lower.tau2 upper.tau2
subgroup_bcg DL_tau_common: lower.tau2 upper.tau2
hr_pignon2000 subgroups: lower.tau2 upper.tau2
""",
    PEAK: """
prop_rare_crisafulli2020 PRAW_REML: w.random seTE.random seTE.predict lower.predict tau2 se.tau2 Rb upper.Rb backtransformed/lower.predict
seed_atc_orr thompson: estimate statistic pval intercept se_intercept tau2
seed_atc_dcr thompson: estimate statistic se_intercept tau2
seed_atc_orr_table1_n thompson: estimate statistic pval intercept se_intercept tau2
trimfill_hackshaw1998 REML_L0: se stat pval ci_lb tau2 se_tau2 I2 H2 QM QM_p predict/pi_lb predict/pi_ub
trimfill_hackshaw1998 REML_R0: se stat pval ci_lb tau2 se_tau2 I2 H2 QM QM_p predict/pi_lb predict/pi_ub
trimfill_hackshaw1998 REML_Q0: se stat pval ci_lb tau2 se_tau2 I2 H2 QM QM_p predict/pi_lb predict/pi_ub
bias_egger2001 fsn: General/est General/pval General/meanes
""",
    ZERO: """
seed_atc_orr_table1_n PLOGIT_REML: tau2 Rb
seed_atc_orr_table1_n PLOGIT_HK: tau2 Rb
cont_amlodipine SMD_Glass_sd_exp: tau2 Rb
influence_raudenbush1985 cumul_REML: tau2 I2
hr_steurer2006 TE_se: tau2 Rb
hr_steurer2006 HR_and_CI: tau2 Rb
hr_steurer2006 CI_only: tau2 Rb
hr_steurer2006 HR_and_p: tau2 Rb
metareg_bcg interaction_ML_z: tau2 I2
metareg_bcg interaction_ML_knha: tau2 I2
mv_berkey1998 CHE_rho06: sigma2
""",
    EARLY_GLMM: """
prop_pritz1997 rma_glmm_nAGQ1: b se ci_lb ci_ub tau2 I2 H2 fit_ML/ll fit_ML/dev fit_ML/AIC fit_ML/BIC fit_ML/AICc
prop_hannum2020 GLMM: TE.random
prop_hannum2020 GLMM_HK: TE.random
prop_hannum2020 rma_glmm_nAGQ7: b
prop_hannum2020 subgroup_GLMM: TE.random
irr_nielweise2008 GLMM_UM.RS: b se ci_lb ci_ub tau2 QE_Wld
""",
    LAPLACE_HESSIAN: """
prop_rare_crisafulli2020 rma_glmm_nAGQ1: se
prop_hannum2020 rma_glmm_nAGQ1: se ci_lb ci_ub
seed_atc_dcr rma_glmm_nAGQ1: se ci_lb ci_ub
bin_bcg GLMM_UM.RS: se ci_lb ci_ub QE_Wld
""",
    NEAR_ZERO: """
irr_nielweise2008 IRD_Inverse_REML: upper.random
irr_nielweise2008 GLMM_UM.FS: ci_ub
irr_nielweise2008 GLMM_CM.EL: ci_ub
trimfill_hackshaw1998 meta_trimfill_L: lower.Rb
trimfill_hackshaw1998 meta_trimfill_R: lower.Rb
""",
    SSW: """
bin_sparse_nissen2007 OR_SSW: seTE.common lower.common upper.common statistic.common pval.common seTE.random lower.random upper.random statistic.random pval.random
""",
    ROUNDED_ZERO: """
bin_sparse_nissen2007 RR_Inverse_TACC_allstudies: TE
""",
    TETRACHORIC: """
escalc_2x2 RTET: yi vi
escalc_2x2 ZTET: yi vi
""",
    ROUNDING: """
metareg_bcg year_ablat_DL_z: b stat pval QE_p QM_p
metareg_bcg year_ablat_DL_knha: b stat ci_ub QE_p
metareg_bcg full_DL_z: b stat pval ci_ub tau2 H2 R2 QE QE_p QM QM_p vb
metareg_bcg full_DL_knha: b stat pval ci_ub tau2 H2 R2 QE QE_p
metareg_bcg interaction_DL_z: b stat ci_lb ci_ub tau2 se_tau2 H2 R2 QE QE_p QM QM_p vb
metareg_bcg interaction_DL_knha: b stat tau2 se_tau2 H2 R2 QE QE_p QM QM_p
""",
    NO_LIMIT: """
mv_konstantopoulos2011 profile_ci:
""",
    LOOSE_PROFILE: """
mv_konstantopoulos2011 meta_cluster: lower.tau2
""",
    POWER_ROOT: """
bias_egger2001 tes: theta_lim
""",
    TREND: """
limit_copas_moore1998 copas: pval.rsb
""",
    HESSIAN: """
selmodel_hackshaw1998 halfnorm: se ci_lb ci_ub pval se_tau2 se_delta
""",
    EARLY_SELECTION: """
selmodel_hackshaw1998 power: b se ci_lb pval tau2 se_tau2 delta se_delta
""",
    QUADRATURE: """
selmodel_hackshaw1998 beta: se ci_lb ci_ub pval se_tau2 se_delta
""",
}


def _parsed():
    for reason, lines in _LINES.items():
        for line in lines.strip().splitlines():
            where, _, keys = line.partition(":")
            for key in keys.split() or [""]:
                yield (*where.split(), *filter(None, key.split("/"))), reason


#: (case, block, key, ...) -> why the peer's value is not ours
UNMATCHED = dict(_parsed())


def listed(reason):
    """The paths of one reason."""
    return [path for path, why in UNMATCHED.items() if why == reason]
