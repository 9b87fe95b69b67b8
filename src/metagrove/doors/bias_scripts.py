"""Code in R and Stata that repeats a test of bias or an adjustment: first the analysis it looks at, then the call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.results import Script
from metagrove.doors.linear_views import linear_model_of
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.trim_fill import TrimFill
from metagrove.pooling.regression.model import Regression
from metagrove.pooling.regression.scripts import r_text, r_vector
from metagrove.pooling.results import MetaResult

__all__ = ["after_meta", "after_model", "of_effects", "stata_after"]


def _value(value: Any) -> str:
    """A value in R."""
    if isinstance(value, (bool, np.bool_)):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return f'"{value}"'
    if np.ndim(value):
        items = ["NA" if item is None or item != item else f"{float(item):.17g}" for item in value]
        return f"c({', '.join(items)})"
    return f"{float(value):.17g}"


def _call(function: str, first: str, arguments: Mapping[str, Any]) -> str:
    told = [f"{name.replace('_', '.')} = {_value(value)}" for name, value in arguments.items() if value is not None]
    return f"result <- {function}({', '.join([first, *told])})"


def _effects(funnel: FunnelData) -> list[str]:
    lines = [f"yi <- {r_vector(funnel.y)}", f"vi <- {r_vector(funnel.v)}", f"slab <- {r_text(funnel.labels)}"]
    return lines if funnel.n is None else [*lines, f"ni <- {r_vector(funnel.n)}"]


def of_effects(funnel: FunnelData, function: str, arguments: Mapping[str, Any], library: str = "metafor") -> Script:
    """A call on effects and variances."""
    code = [f"library({library})", *_effects(funnel), _call(function, "yi, vi", arguments), "print(result)", ""]
    return Script("\n".join(code))


def after_model(
    x: Any, funnel: FunnelData, function: str, arguments: Mapping[str, Any], *, method: str = "REML", test: str = "z"
) -> Script:
    """A call on a linear model of metafor: the one that was asked, or the one of the same effects."""
    model: Any = x.fit if isinstance(x, TrimFill) else x
    if isinstance(model, MetaResult):
        try:
            model = linear_model_of(model)
        except MethodError:
            model = None
    if isinstance(model, Regression) and model.method == method:
        *lines, call = model.to_r().rstrip("\n").split("\n")
        lines = [*lines, f"ni <- {r_vector(funnel.n)}"] if funnel.n is not None else lines
        code = [*lines, f"model <- {call}"]
    else:
        control = ", control = list(threshold = 1e-12, maxiter = 1000)" if method in ("REML", "ML", "EB", "PM") else ""
        fit = f'model <- rma(yi, vi, slab = slab, method = "{method}", test = "{test}"{control})'
        code = ["library(metafor)", *_effects(funnel), fit]
    return Script("\n".join([*code, _call(function, "model", arguments), "print(result)", ""]))


def _meta(x: Any, funnel: FunnelData) -> list[str]:
    source = x.fit if isinstance(x, TrimFill) else x
    if isinstance(source, MetaResult) and source.settings.door != "trimfill":
        code = source.to_r().replace("library(meta)\n\n", "").replace("print(m)\n", "")
        return ["library(meta)", "", *code.rstrip("\n").split("\n")]
    how = "REML"
    if isinstance(source, Regression) and source.method != "EE":
        how = source.method
    return ["library(meta)", *_effects(funnel), f'm <- metagen(yi, sqrt(vi), studlab = slab, method.tau = "{how}")']


def after_meta(
    x: Any, funnel: FunnelData, function: str, arguments: Mapping[str, Any], *, library: str = "", stata: str = ""
) -> Script:
    """A call on an analysis of package meta: the one that was asked, or the one of the same effects."""
    head, *rest = _meta(x, funnel)
    loaded = [head, f"library({library})"] if library else [head]
    return Script("\n".join([*loaded, *rest, _call(function, "m", arguments), "print(result)", ""]), stata)


def stata_after(x: Any, funnel: FunnelData, line: str) -> str:
    """Stata code of the effects and one more command; "" where the analysis has none."""
    source = x.fit if isinstance(x, TrimFill) else x
    if isinstance(source, MetaResult) and source.settings.door != "trimfill":
        try:
            return f"{source.to_stata()}{line}\n"
        except MethodError:
            return ""
    rows = zip(funnel.labels, funnel.y, funnel.se, strict=True)
    body = "\n".join(f'`"{label}"\' {float(y)!r} {float(se)!r}' for label, y, se in rows)
    return f"clear\ninput str80 study es se\n{body}\nend\nmeta set es se, studylabel(study) random(reml)\n{line}\n"
