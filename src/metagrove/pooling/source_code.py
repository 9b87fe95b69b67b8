"""The same analysis as code for R and Stata: an audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies

__all__ = ["r_code", "stata_code"]

_ARGUMENTS = {
    "metaprop": ("event", "n"),
    "metarate": ("event", "time"),
    "metamean": ("n", "mean", "sd"),
    "metacor": ("cor", "n"),
    "metagen": ("TE", "seTE"),
    "metabin": ("event_e", "n_e", "event_c", "n_c"),
    "metacont": ("n_e", "mean_e", "sd_e", "n_c", "mean_c", "sd_c"),
    "metainc": ("event_e", "time_e", "event_c", "time_c"),
}
_STATA_TAU2 = {
    "DL": "dlaird", "REML": "reml", "ML": "mle", "EB": "ebayes", "PM": "ebayes", "HE": "hedges", "SJ": "sjonkman",
    "HS": "hschmidt",
}  # fmt: skip


def _r_value(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return "NA"
    if isinstance(value, (float, np.floating)) and np.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return repr(value.item() if hasattr(value, "item") else value)


def _r_vector(values: Sequence[Any]) -> str:
    return f"c({', '.join(_r_value(value) for value in values)})"


def r_code(studies: Studies, settings: Settings) -> str:
    """A script for R with package meta: the data, the call and a print."""
    names = _ARGUMENTS.get(settings.door, ("TE", "seTE"))
    columns: dict[str, Any] = {"studlab": studies.studlab}
    for name in names:
        columns[name.replace("_", ".")] = studies.columns[name] if name in studies.columns else getattr(studies, name)
    if studies.subgroup is not None:
        columns["subgroup"] = studies.subgroup
    weights = [name for name in ("weights_common", "weights_random") if name in studies.columns]
    columns |= {name.replace("_", "."): studies.columns[name] for name in weights}
    left_out = not studies.pooled.all()
    if left_out:
        columns["exclude"] = ["exclu" in reason for reason in studies.reasons]
    table = ",\n  ".join(f"{name} = {_r_vector(values)}" for name, values in columns.items())
    arguments = [name.replace("_", ".") for name in names] + ["studlab", "data = studies"]
    arguments += [f"{name.replace('_', '.')} = {name.replace('_', '.')}" for name in weights]
    if left_out:
        arguments.append("exclude = exclude")
    if studies.subgroup is not None:
        arguments.append("subgroup = subgroup")
    arguments += [f"{name.replace('_', '.')} = {_r_value(value)}" for name, value in _r_settings(settings)]
    call = ",\n  ".join(arguments)
    return f"library(meta)\n\nstudies <- data.frame(\n  {table}\n)\n\nm <- {settings.door}(\n  {call}\n)\nprint(m)\n"


def _r_settings(s: Settings) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = [("sm", s.sm)]
    if s.door != "metagen":
        found.append(("method", s.method))
    names = [
        "method_tau", "method_tau_ci", "method_random_ci", "adhoc_hakn_ci", "method_predict", "adhoc_hakn_pi",
        "method_I2", "level", "level_ma", "level_predict", "common", "random", "prediction", "tau_common",
    ]  # fmt: skip
    if s.method in ("GLMM", "LRP"):
        names = [name for name in names if name not in ("method_tau", "method_tau_ci")]
    found += [(name, getattr(s, name)) for name in names]
    if s.tau_preset is not None:
        found.append(("tau_preset", s.tau_preset))
    if not np.isnan(s.null_effect):
        found.append(("null_effect", s.null_effect))
    return found + [(name, value) for name, value in s.options if value is not None and np.ndim(value) == 0]  # type: ignore[arg-type]


def stata_code(studies: Studies, settings: Settings) -> str:
    """A do-file for Stata 16 or later: effects and standard errors on the analysis scale, then `meta`.

    Raises MethodError for what Stata has not (penalised logistic regression, user weights). Stata has no Paule-Mandel estimator; its empirical Bayes estimator solves the same equation. Settings without a
    counterpart are named in comments.
    """
    own = {"weights_common", "weights_random"} & set(studies.columns)
    centred = dict(settings.options).get("TE_tau") is not None
    if settings.method == "LRP" or own or centred:
        what = "penalised logistic regression" if settings.method == "LRP" else "user weights" if own else "TE_tau"
        raise MethodError(f"Stata's meta commands have no {what}; use to_r()")
    keep = np.flatnonzero(studies.pooled)
    lines = ["clear", f"input str80 study es se{' str80 group' if studies.subgroup is not None else ''}"]
    for i in keep:
        group = f" {_stata_text(studies.subgroup[i])}" if studies.subgroup is not None else ""
        lines.append(f"{_stata_text(studies.studlab[i])} {float(studies.TE[i])!r} {float(studies.seTE[i])!r}{group}")
    lines.append("end")
    model = f"random({_STATA_TAU2.get(settings.method_tau, 'reml')})" if settings.random else "common"
    lines.append(f"meta set es se, studylabel(study) {model}")
    if settings.method_tau not in _STATA_TAU2:
        lines.append(f"* Stata has no counterpart of the tau2 estimator {settings.method_tau}; REML is used here")
    options = [f"level({100 * settings.level_ma:g})"]
    if settings.method_random_ci == "HK":
        options.append("se(khartung, truncated)" if settings.adhoc_hakn_ci == "se" else "se(khartung)")
    if settings.prediction:
        options.append(f"predinterval({100 * settings.level_predict:g})")
    lines.append(f"meta summarize, {' '.join(options)}")
    if studies.subgroup is not None:
        lines.append("meta summarize, subgroup(group)")
    return "\n".join(lines) + "\n"


def _stata_text(text: str) -> str:
    return f'`"{text}"\''
