"""Claims: what a block of a reference file is compared with, at the tolerances of the reference's README.

A block is followed key by key: R's name with `.` as `_` is the attribute. `Claim.names` says where a key is called
otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from known import reference_json

CLOSED, ITERATED, FORM, MULTILEVEL, COEFFICIENT, GLMM_TAU2, GLMM, SELECTION = (
    1e-10, 1e-7, 1e-5, 1e-4, 1e-6, 1e-3, 1e-4, 1e-3,
)  # fmt: skip

ITERATIVE = {"REML", "ML", "PM", "PMM", "EB"}
#: quantities of a meta result that no estimate of tau² enters
OF_THE_DATA = set(
    "k k.study TE seTE lower upper statistic pval Q df.Q pval.Q I2 H lower.I2 upper.I2 lower.H upper.H Q.CMH".split()
)
FORM_LIMITS = {"lower.tau2", "upper.tau2", "lower_tau2", "upper_tau2", "lower_tau", "upper_tau"}

Rule = Callable[[str], float]


@dataclass(frozen=True)
class Claim:
    """What one block of a reference file is compared with."""

    path: tuple[str, ...]
    result: Any
    tolerance: Rule | float
    names: dict[str, Any] = field(default_factory=dict)


def percent(result):
    return 100 * np.asarray(result.I2)


#: metafor's keys that hold blocks, or percentages
METAFOR = {"predict": lambda r: r.predict(), "I2": percent}


def by_meta(method_tau, *, form=True):
    """The README's tolerance of each key of a meta result: closed forms, converged estimates, quadratic forms."""

    def rule(key):
        if form and key in FORM_LIMITS:
            return FORM
        if key in OF_THE_DATA or "common" in key or method_tau not in ITERATIVE:
            return CLOSED
        return ITERATED

    return rule


def by_glmm(key):
    return GLMM_TAU2 if any(word in key for word in ("tau2", "sigma2", "predict")) else GLMM


def by_multilevel(key):
    return COEFFICIENT if key in {"b", "QE", "QE_df", "QE_p", "k", "coef_names"} else MULTILEVEL


def meta_claim(path, result, more=None):
    tau = result.method_tau
    form = getattr(result, "method_tau_ci", "") in ("J", "BJ")
    return Claim(path, result, by_meta(tau, form=form), {"backtransformed": Back} | (more or {}))


class Back:
    """A result on the reporting scale, with the sample size its double arcsine is taken back at."""

    def __init__(self, result):
        self.result = result

    def __getattr__(self, name):
        if name == "n_harmonic_mean":
            return self.result.n_harmonic_mean
        if name == "t_harmonic_mean":
            return self.result.t_harmonic_mean
        return getattr(self.result.back, name)


@cache
def loaded(case):
    return reference_json(f"meta/{case}.json")


def column(case, *names):
    data = loaded(case)["data"]
    return [np.array([np.nan if x is None else x for x in data[name]]) for name in names]


def asymmetry_claim(path, test, tolerance):
    names = {"tau2": lambda t: [] if t.method in ("Begg", "Schwarzer") else t.tau2}
    return Claim(path, test, tolerance, names)
