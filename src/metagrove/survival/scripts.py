"""Code in R and Stata that repeats the comparison of groups of patients, patients included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.results import Script

__all__ = ["cox_script", "log_rank_script", "restricted_mean_script"]


def _number(value: Any) -> str:
    """A number as both languages read it; the noise of centring and rounding is cut off."""
    return f"{float(value):.12g}"


def _text(value: Any) -> str:
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _r_data(columns: Mapping[str, Any]) -> str:
    """`library(survival)` and a data frame called patients."""
    parts = []
    for name, values in columns.items():
        quoted = _text if np.asarray(values).dtype.kind in "USO" else _number
        parts.append(f"  {name} = c({', '.join(quoted(v) for v in values)})")
    return "library(survival)\n\npatients <- data.frame(\n" + ",\n".join(parts) + "\n)\n\n"


def _stata_data(columns: Mapping[str, Any]) -> str:
    """The patients typed in, and declared as survival times."""
    kinds, cells = [], []
    for name, values in columns.items():
        words = np.asarray(values).dtype.kind in "USO"
        kinds.append(f"str80 {name}" if words else f"double {name}")
        cells.append(['"' + str(v).replace('"', "'") + '"' if words else _number(v) for v in values])
    lines = [" ".join(line) for line in zip(*cells, strict=True)]
    zero = (
        ["* Stata leaves out patients whose time is 0."]
        if (np.asarray(columns["time"], dtype=float) == 0).any()
        else []
    )
    return "\n".join(["clear", f"input {' '.join(kinds)}", *lines, "end", *zero, "stset time, failure(event)", ""])


def cox_script(
    columns: Mapping[str, Any], *, covariates: int, ties: str, level: float, strata: bool, cluster: bool, robust: bool
) -> Script:
    """Cox's model of `columns`: time, event, x1 to xp, and stratum and cluster where they are used."""
    names = [f"x{j + 1}" for j in range(covariates)]
    terms = [*names, *(["strata(stratum)"] if strata else [])]
    more = ", cluster = cluster" if cluster else ", robust = TRUE" if robust else ""
    r = (
        f"{_r_data(columns)}fit <- coxph(Surv(time, event) ~ {' + '.join(terms)}, data = patients, "
        f'ties = "{ties}"{more})\nprint(summary(fit, conf.int = {level:g}))\n'
    )
    options = [ties, f"level({100 * level:g})", *(["strata(stratum)"] if strata else [])]
    options += ["vce(cluster cluster)"] if cluster else ["vce(robust)"] if robust else []
    return Script(r, f"{_stata_data(columns)}stcox {' '.join(names)}, {' '.join(options)}\n")


def log_rank_script(columns: Mapping[str, Any], *, rho: float, gamma: float, strata: bool) -> Script:
    """The log-rank test of `columns`: time, event, group, and stratum where it is used."""
    if gamma:
        raise MethodError("R's survdiff has weights S^rho only, not (1 - S)^gamma; there is no code for this test")
    term = " + strata(stratum)" if strata else ""
    r = f"{_r_data(columns)}print(survdiff(Surv(time, event) ~ group{term}, data = patients, rho = {rho:g}))\n"
    kind = f"fh({rho:g} 0)" if rho else "logrank"
    return Script(r, f"{_stata_data(columns)}sts test group, {kind}{' strata(stratum)' if strata else ''}\n")


def restricted_mean_script(columns: Mapping[str, Any], *, tau: float, level: float) -> Script:
    """Restricted means to `tau` of `columns`: time, event, group of 0 and 1."""
    r = f"""{_r_data(columns)}curves <- survfit(Surv(time, event) ~ group, data = patients)
means <- summary(curves, rmean = {tau:.12g})$table
mean <- means[, grep("^[*]?rmean", colnames(means))]
se <- sqrt(sum(means[, grep("^[*]?se[(]rmean", colnames(means))]^2))
difference <- unname(mean[2] - mean[1])
half <- qnorm(1 - (1 - {level:g}) / 2) * se
print(c(difference = difference, lower = difference - half, upper = difference + half,
        p = 2 * pnorm(-abs(difference / se))), digits = 10)
"""
    wide = "" if level == 0.95 else f" level({100 * level:g})"
    stata = f"* ssc install strmst2\n{_stata_data(columns)}strmst2 group, tau({tau:.12g}){wide}\n"
    return Script(r, stata)
