"""metagrove: published clinical papers in, pooled evidence out.

>>> import metagrove as mg
>>> mg.__version__
'0.1.0'
"""

from importlib import import_module as _import_module
from typing import Any as _Any

from metagrove.core.sockets import plug as _plug

__version__ = "0.1.0"

# Each public name and the module that holds it; imported when first asked for, so that `import metagrove` stays light.
_HOME = {
    "open_review": "metagrove.review.folder",
    "MetagroveError": "metagrove.core.errors",
    "DataError": "metagrove.core.errors",
    "SpecError": "metagrove.core.errors",
    "UnknownName": "metagrove.core.errors",
    "MethodError": "metagrove.core.errors",
    "ConvergenceError": "metagrove.core.errors",
    "bayes": "metagrove.pooling.bayes",
    "survival_curve": "metagrove.survival.kaplan_meier",
    "log_rank": "metagrove.survival.compare",
    "restricted_mean_difference": "metagrove.survival.compare",
    "cox": "metagrove.survival.cox",
    "parametric_survival": "metagrove.survival.parametric",
    "compare_families": "metagrove.survival.parametric",
    "shared_frailty": "metagrove.survival.frailty",
    "summary_curve": "metagrove.pooling.curves.summary",
    "grid_table": "metagrove.pooling.curves.grid",
    "reconstruct": "metagrove.survival.reconstruct",
    "reconstruct_arms": "metagrove.survival.two_arms",
    "reconstruct_summary": "metagrove.survival.summary_only",
    "conv_fivenum": "metagrove.doors.metafor_effects",
    "conv_wald": "metagrove.doors.metafor_effects",
    "escalc": "metagrove.doors.metafor_effects",
    "hazard_ratio": "metagrove.doors.reported",
    "metabin": "metagrove.doors.two_arm",
    "metacont": "metagrove.doors.two_arm",
    "metainc": "metagrove.doors.two_arm",
    "rma_glmm": "metagrove.doors.metafor_counts",
    "rma_mh": "metagrove.doors.metafor_counts",
    "rma_peto": "metagrove.doors.metafor_counts",
    "CurveSettings": "metagrove.pooling.curves.summary",
    "summary_curve_strata": "metagrove.pooling.curves.strata",
    "summary_curve_regression": "metagrove.pooling.curves.regression",
    "two_stage": "metagrove.pooling.curves.two_stage",
    "one_stage_curve": "metagrove.pooling.curves.one_stage",
    "one_stage_hazard_ratio": "metagrove.pooling.curves.one_stage",
    "frail_distribution": "metagrove.pooling.curves.one_stage",
    "multivariate_survival": "metagrove.pooling.curves.multivariate_survival",
    "combine_imputations": "metagrove.pooling.curves.imputation",
    "imputed_curve": "metagrove.pooling.curves.imputation",
    "digitizing_sensitivity": "metagrove.pooling.curves.reading",
    "imputed_estimate": "metagrove.pooling.curves.imputation",
    "metacor": "metagrove.doors.one_arm",
    "metagen": "metagrove.doors.generic",
    "metamean": "metagrove.doors.one_arm",
    "metaprop": "metagrove.doors.one_arm",
    "metarate": "metagrove.doors.one_arm",
    "multiverse": "metagrove.doors.multiverse",
    "pool_many": "metagrove.pooling.many",
    "rhodes_prior": "metagrove.pooling.tau_priors",
    "turner_prior": "metagrove.pooling.tau_priors",
    "anova": "metagrove.doors.extractors",
    "blup": "metagrove.doors.extractors",
    "coef": "metagrove.doors.extractors",
    "confint": "metagrove.doors.extractors",
    "cooks_distance": "metagrove.doors.extractors",
    "cumul": "metagrove.doors.extractors",
    "dfbetas": "metagrove.doors.extractors",
    "fitstats": "metagrove.doors.extractors",
    "fitted": "metagrove.doors.extractors",
    "hatvalues": "metagrove.doors.extractors",
    "influence": "metagrove.doors.extractors",
    "leave1out": "metagrove.doors.extractors",
    "model_matrix": "metagrove.doors.extractors",
    "permutest": "metagrove.doors.metafor",
    "predict": "metagrove.doors.extractors",
    "ranef": "metagrove.doors.extractors",
    "residuals": "metagrove.doors.extractors",
    "rma": "metagrove.doors.metafor",
    "rma_mv": "metagrove.doors.metafor",
    "robust": "metagrove.doors.metafor",
    "rstandard": "metagrove.doors.extractors",
    "rstudent": "metagrove.doors.extractors",
    "vcalc": "metagrove.doors.metafor",
    "vcov": "metagrove.doors.extractors",
    "vif": "metagrove.doors.extractors",
    "weights": "metagrove.doors.extractors",
    "baujat": "metagrove.doors.bias",
    "copas": "metagrove.doors.adjustment",
    "fsn": "metagrove.doors.bias",
    "gosh": "metagrove.doors.bias",
    "lfkindex": "metagrove.doors.bias",
    "limitmeta": "metagrove.doors.adjustment",
    "metabias": "metagrove.doors.bias",
    "outliers": "metagrove.doors.bias",
    "pcurve": "metagrove.doors.bias",
    "pet_peese": "metagrove.doors.adjustment",
    "ranktest": "metagrove.doors.bias",
    "regtest": "metagrove.doors.bias",
    "selmodel": "metagrove.doors.adjustment",
    "tes": "metagrove.doors.bias",
    "trimfill": "metagrove.doors.adjustment",
    "Style": "metagrove.plots.style",
    "bias_summary": "metagrove.plots.bias",
    "bias_table": "metagrove.plots.bias",
    "bubble": "metagrove.plots.regression",
    "cumulative_forest": "metagrove.plots.influence",
    "draw": "metagrove.plots.canvas",
    "flow": "metagrove.plots.flow",
    "harms_table": "metagrove.plots.harms",
    "leave_one_out_forest": "metagrove.plots.influence",
    "survival_plot": "metagrove.plots.curve_source",
    "traffic_light": "metagrove.plots.bias",
    "digitize": "metagrove.app.figures",
}

# Views that results ask for by name; see metagrove.core.sockets.
_VIEWS: dict[str, str] = {
    "plot": "metagrove.plots.canvas:draw",
    "forest": "metagrove.plots.forest_source:forest",
    "funnel": "metagrove.plots.funnel:funnel",
    "leave_one_out_curve": "metagrove.pooling.curves.influence:leave_one_out",
    "blup": "metagrove.doors.extractors:blup",
    "confint": "metagrove.doors.extractors:confint",
    "hatvalues": "metagrove.doors.extractors:hatvalues",
    "predict": "metagrove.doors.extractors:predict",
    "ranef": "metagrove.doors.extractors:ranef",
    "rstandard": "metagrove.doors.extractors:rstandard",
    "rstudent": "metagrove.doors.extractors:rstudent",
    "weights": "metagrove.doors.extractors:weights",
    "robust": "metagrove.doors.metafor:robust",
    "baujat": "metagrove.doors.bias:baujat",
    "copas": "metagrove.doors.adjustment:copas",
    "fsn": "metagrove.doors.bias:fsn",
    "gosh": "metagrove.doors.bias:gosh",
    "lfkindex": "metagrove.doors.bias:lfkindex",
    "limitmeta": "metagrove.doors.adjustment:limitmeta",
    "metabias": "metagrove.doors.bias:metabias",
    "outliers": "metagrove.doors.bias:outliers",
    "pcurve": "metagrove.doors.bias:pcurve",
    "pet_peese": "metagrove.doors.adjustment:pet_peese",
    "ranktest": "metagrove.doors.bias:ranktest",
    "regtest": "metagrove.doors.bias:regtest",
    "selmodel": "metagrove.doors.adjustment:selmodel",
    "tes": "metagrove.doors.bias:tes",
    "trimfill": "metagrove.doors.adjustment:trimfill",
}

for _name, _target in _VIEWS.items():
    _plug(_name, _target)

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> _Any:
    if name in _HOME:
        found = globals()[name] = getattr(_import_module(_HOME[name]), name)
        return found
    raise AttributeError(f"module 'metagrove' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
