"""Mixed models told in R (metafor) and Stata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.pooling.multilevel.fit import MixedFit
from metagrove.pooling.regression.design import Design
from metagrove.pooling.regression.scripts import r_matrix, r_text, r_vector

__all__ = ["mixed_r_script", "mixed_stata_script"]


def _r_column(values: Any) -> str:
    array = np.asarray(values)
    return r_vector(array) if array.dtype.kind in "iuf" else r_text(array)


def _independent(fit: MixedFit) -> bool:
    V = fit.like.V
    return not (V - np.diag(np.diag(V))).any()


def mixed_r_script(
    fit: MixedFit,
    design: Design,
    random: Sequence[str],
    struct: Sequence[str],
    columns: Mapping[str, Any],
    options: str,
) -> str:
    """R code that refits `fit` with metafor's rma.mv; `options` ends the call."""
    V = fit.like.V
    lines = ["library(metafor)", f"yi <- {r_vector(fit.like.y)}"]
    lines.append(f"V <- {r_vector(np.diag(V)) if _independent(fit) else r_matrix(V)}")
    first = int(design.intercept)
    arguments = ["yi, V"]
    if design.p > first:
        lines.append(f"X <- {r_matrix(design.X[:, first:], design.names[first:])}")
        arguments.append("mods = X" + ("" if first else ", intercept = FALSE"))
    if random:
        named = ", ".join(f"{name} = {_r_column(values)}" for name, values in columns.items())
        lines.append(f"d <- data.frame({named})")
        arguments.append(f"random = list({', '.join(random)}), data = d")
    codes = [code for code in struct if code]
    if codes:
        arguments.append(f"struct = {r_text(codes)}")
    return "\n".join([*lines, f"rma.mv({', '.join([*arguments, options])})", ""])


def mixed_stata_script(fit: MixedFit, design: Design) -> str:
    """Stata 18 code for nested random intercepts with independent sampling errors; else MethodError."""
    if fit.inner or not fit.plain or not _independent(fit) or design.p > 1:
        raise MethodError("Stata's meta multilevel takes nested random intercepts and independent errors; use to_r()")
    names = [c.name.split("/")[-1] for c in fit.plain]
    codes = np.column_stack([c.outer + 1 for c in fit.plain])
    table = np.column_stack([fit.like.y, np.sqrt(np.diag(fit.like.V))])
    body = "\n".join(
        " ".join([*(f"{value:.17g}" for value in row), *(str(int(c)) for c in code)])
        for row, code in zip(table, codes, strict=True)
    )
    head = f"clear\ninput double(yi sei) long({' '.join(names)})\n{body}\nend\n"
    how = "reml" if fit.method == "REML" else "mle"
    return f"{head}meta multilevel yi, relevels({' '.join(names)}) essevariable(sei) {how}\n"
