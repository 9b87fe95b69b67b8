"""Mixed models told in R (metafor) and Stata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.pooling.multilevel.fit import MixedFit
from metagrove.pooling.multilevel.marginal_likelihood import Component
from metagrove.pooling.regression.design import Design
from metagrove.pooling.regression.scripts import r_matrix, r_text, r_vector

__all__ = ["mixed_r_script", "mixed_stata_script"]


def _r_column(values: Any) -> str:
    array = np.asarray(values)
    return r_vector(array) if array.dtype.kind in "iuf" else r_text(array)


def _independent(fit: MixedFit) -> bool:
    V = fit.like.V
    return not (V - np.diag(np.diag(V))).any()


def _r_square(values: Array, names: Sequence[str]) -> str:
    """A square matrix in R with the same row and column names."""
    inner = f"matrix({r_vector(values.ravel(order='F'))}, nrow = {values.shape[0]}"
    return f"{inner}, dimnames = list({r_text(names)}, {r_text(names)}))"


def _weights(fit: MixedFit) -> list[str]:
    return [] if fit.weights is None else [f"W <- {r_matrix(fit.weights)}"]


def _distances(c: Component) -> str:
    return '"euclidean"' if c.distances is None else _r_square(c.distances, c.levels)


def _told(fit: MixedFit, random: Sequence[str], struct: Sequence[str], lines: list[str]) -> list[str]:
    """The random terms in R; places become one named column, so that any distances can be given as a matrix."""
    told, inner = [], iter(fit.inner)
    for text, code in zip(random, struct, strict=True):
        component = next(inner) if code else None
        if component is None or component.distances is None:
            told.append(text)
            continue
        column = f"place{len(told) + 1}"
        at = [component.levels[i] for i in component.Z.argmax(axis=1)]
        lines.append(f"d${column} <- {r_text(at)}")
        told.append(f"~ {column} | {text.split('|')[1].strip()}")
    return told


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
    lines, arguments = [*lines, *_weights(fit)], [*arguments, *(["W = W"] if fit.weights is not None else [])]
    if random:
        named = ", ".join(f"{name} = {_r_column(values)}" for name, values in columns.items())
        lines.append(f"d <- data.frame({named})")
        told = _told(fit, random, struct, lines)
        arguments.append(f"random = list({', '.join(told)}), data = d")
    known = [f"`{c.name}` = {_r_square(c.known, c.groups)}" for c in fit.plain if c.known is not None]
    if known:
        arguments.append(f"R = list({', '.join(known)})")
    if any(c.distances is not None for c in fit.inner):
        arguments.append("dist = list(" + ", ".join(_distances(c) for c in fit.inner) + ")")
    codes = [code for code in struct if code]
    if codes:
        arguments.append(f"struct = {r_text(codes)}")
    return "\n".join([*lines, f"rma.mv({', '.join([*arguments, options])})", ""])


def mixed_stata_script(fit: MixedFit, design: Design) -> str:
    """Stata 18 code for nested random intercepts with independent sampling errors; else MethodError."""
    plain = fit.inner or not fit.plain or not _independent(fit) or design.p > 1
    if plain or fit.weights is not None or any(c.known is not None for c in fit.plain):
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
