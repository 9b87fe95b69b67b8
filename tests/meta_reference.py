"""Every number of a reference case against a result: `mismatches(case, block, result)` is empty when all agree.

Keys of the reference are R's names; with `.` as `_` they are attributes of the result. A block `backtransformed` is
compared with `result.back`. Values that cannot be matched are listed in `unmatched_values`, one by one, with the reason.
"""

import math

import numpy as np

from known import reference_json
from unmatched_values import UNMATCHED

CLOSED, ITERATED, QUADRATIC_FORM, GLMM_TAU2, GLMM = 1e-10, 1e-7, 1e-5, 1e-3, 1e-4
ABSOLUTE = 1e-16  # for zeros that rounding has moved

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
        if key == "scale" or where in UNMATCHED:
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
