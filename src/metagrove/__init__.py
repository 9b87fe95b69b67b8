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
    "bayes": "metagrove.pooling.bayes",
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
_VIEWS: dict[str, str] = {}

for _name, _target in _VIEWS.items():
    _plug(_name, _target)

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> _Any:
    if name in _HOME:
        return getattr(_import_module(_HOME[name]), name)
    raise AttributeError(f"module 'metagrove' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
