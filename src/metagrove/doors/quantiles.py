"""Means and SDs of a door's arm, with gaps filled from medians, quartiles and ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.doors.columns import Columns
from metagrove.effects.conversions import moment_rules, moments_from_quantiles

__all__ = ["moments", "table_rule"]


def moments(
    source: Columns,
    n: Array,
    mean: Any,
    sd: Any,
    quantiles: tuple[Any, Any, Any, Any, Any],
    *,
    rules: tuple[str, str] = ("Luo", "Shi"),
    arm: str = "",
) -> tuple[Array, Array]:
    """Means and SDs of shape (k,); where one was not reported it comes from the quantiles.

    Parameters
    ----------
    n : people, shape (k,).
    quantiles : minimum, first quartile, median, third quartile, maximum; each an argument of the door or None.
    rules : R meta's `method_mean` and `method_sd`.
    arm : what the arguments' names end in.
    """
    k, gap = n.size, np.full(n.size, np.nan)
    names = ("min", "q1", "median", "q3", "max")
    given = [source.optional(value, f"{name}{arm}", k) for name, value in zip(names, quantiles, strict=True)]
    m, s = source.optional(mean, f"mean{arm}", k), source.optional(sd, f"sd{arm}", k)
    names_of_rules = _SKEWED.get(rules[0], rules[0]), table_rule(rules[1])
    moment_rules(*names_of_rules)
    if all(value is None for value in given):
        for name, value in ((f"mean{arm}", m), (f"sd{arm}", s)):
            if value is None:
                raise DataError(f"{name} is missing (or give median{arm} with quartiles or a range)")
        if m is not None and s is not None:
            return m, s
    m, s = gap if m is None else m, gap if s is None else s
    q = [gap if value is None else value for value in given]
    wanted = np.where(np.isnan(m) | np.isnan(s), n, np.nan)
    found = moments_from_quantiles(
        (q[0], q[1], q[2], q[3], q[4]),
        wanted,
        mean_rule=names_of_rules[0],
        sd_rule=names_of_rules[1],
    )
    return np.where(np.isnan(m), found.mean, m), np.where(np.isnan(s), found.sd, s)


#: R meta's names of the rules for skewed data.
_SKEWED = {"QE-McGrath": "QE", "BC-McGrath": "BC", "Cai": "MLN"}


def table_rule(method_sd: str) -> str:
    """R meta's name of a rule for the SD as ours: it divides by the printed tables, metafor by the formulas."""
    return {"Shi": "Shi tables", "Wan": "Wan tables", **_SKEWED}.get(method_sd, method_sd)
