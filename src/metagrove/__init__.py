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
    "MetagroveError": "metagrove.core.errors",
    "DataError": "metagrove.core.errors",
    "SpecError": "metagrove.core.errors",
    "UnknownName": "metagrove.core.errors",
    "MethodError": "metagrove.core.errors",
    "ConvergenceError": "metagrove.core.errors",
    "survival_curve": "metagrove.survival.kaplan_meier",
    "log_rank": "metagrove.survival.compare",
    "restricted_mean_difference": "metagrove.survival.compare",
    "cox": "metagrove.survival.cox",
    "parametric_survival": "metagrove.survival.parametric",
    "compare_families": "metagrove.survival.parametric",
    "shared_frailty": "metagrove.survival.frailty",
    "summary_curve": "metagrove.pooling.curves",
    "grid_table": "metagrove.pooling.curve_grid",
    "bayes": "metagrove.pooling.bayes",
    "CurveSettings": "metagrove.pooling.curves",
    "summary_curve_strata": "metagrove.pooling.curve_strata",
    "summary_curve_regression": "metagrove.pooling.curve_regression",
    "two_stage": "metagrove.pooling.two_stage",
    "one_stage_curve": "metagrove.pooling.one_stage",
    "one_stage_hazard_ratio": "metagrove.pooling.one_stage",
    "frail_distribution": "metagrove.pooling.one_stage",
    "multivariate_survival": "metagrove.pooling.multivariate_survival",
    "combine_imputations": "metagrove.pooling.imputation",
    "imputed_curve": "metagrove.pooling.imputation",
    "imputed_estimate": "metagrove.pooling.imputation",
    "metacor": "metagrove.doors.one_arm",
    "metagen": "metagrove.doors.generic",
    "metamean": "metagrove.doors.one_arm",
    "metaprop": "metagrove.doors.one_arm",
    "metarate": "metagrove.doors.one_arm",
    "pool_many": "metagrove.pooling.many",
    "rhodes_prior": "metagrove.pooling.tau_priors",
    "turner_prior": "metagrove.pooling.tau_priors",
}

# Views that results ask for by name; see metagrove.core.sockets.
_VIEWS: dict[str, str] = {
    "plot": "metagrove.plots.canvas:draw",
    "forest": "metagrove.plots.forest_source:forest",
    "funnel": "metagrove.plots.funnel:funnel",
    "leave_one_out_curve": "metagrove.pooling.curve_influence:leave_one_out",
}

for _name, _target in _VIEWS.items():
    _plug(_name, _target)

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> _Any:
    if name in _HOME:
        return getattr(_import_module(_HOME[name]), name)
    raise AttributeError(f"module 'metagrove' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
