"""Fits told in other languages: R with metafor, Stata, and the sentence of a Methods section."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.results import Explanation
from metagrove.core.values import Array
from metagrove.pooling.regression.linear_model import TESTS, LinearFit
from metagrove.pooling.tau2 import TAU2

__all__ = ["methods_sentence", "r_matrix", "r_script", "r_text", "r_vector", "stata_script"]

_SOFTWARE = "Viechtbauer W. J Stat Softw 2010;36(3):1-48. doi:10.18637/jss.v036.i03"
_THOMPSON = "Thompson SG, Higgins JPT. Stat Med 2002;21:1559-1573. doi:10.1002/sim.1187"
_STATA = {
    "REML": "random(reml)",
    "ML": "random(mle)",
    "EB": "random(ebayes)",
    "PM": "random(ebayes)",
    "DL": "random(dlaird)",
    "SJ": "random(sjonkman)",
    "HE": "random(hedges)",
    "HS": "random(hschmidt)",
    "EE": "common",
}


def r_vector(values: Iterable[float]) -> str:
    """A numeric vector in R, every digit kept."""
    return "c(" + ", ".join(f"{float(value):.17g}" for value in values) + ")"


def r_text(values: Iterable[str]) -> str:
    """A vector of texts in R."""
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "c(" + ", ".join(f'"{value}"' for value in quoted) + ")"


def r_matrix(values: Array, names: Sequence[str] | None = None) -> str:
    """A numeric matrix in R."""
    inner = f"matrix({r_vector(values.ravel(order='F'))}, nrow = {values.shape[0]}"
    return f"{inner}, dimnames = list(NULL, {r_text(names)}))" if names is not None else f"{inner})"


def r_script(fit: LinearFit, slab: Sequence[str], names: Sequence[str], intercept: bool) -> str:
    """R code that refits `fit` with metafor."""
    s = fit.settings
    first = 1 if intercept else 0
    lines = ["library(metafor)", f"yi <- {r_vector(fit.y)}", f"vi <- {r_vector(fit.v)}", f"slab <- {r_text(slab)}"]
    arguments = ["yi, vi", "slab = slab", f'method = "{s.method}"', f'test = "{s.test}"', f"level = {100 * s.level:g}"]
    if fit.p > first:
        lines.append(f"X <- {r_matrix(fit.X[:, first:], names[first:])}")
        arguments.insert(1, "mods = X" if intercept else "mods = X, intercept = FALSE")
    if s.tau2 is not None:
        arguments.append(f"tau2 = {s.tau2:.17g}")
    if s.weights is not None:
        arguments.append(f"weights = {r_vector(s.weights)}")
    if not s.weighted:
        arguments.append("weighted = FALSE")
    if s.method in ("REML", "ML", "PM", "EB", "PMM"):
        arguments.append("control = list(threshold = 1e-12, maxiter = 1000)")
    return "\n".join([*lines, f"rma({', '.join(arguments)})", ""])


def _stata_names(names: Sequence[str]) -> list[str]:
    """Legal, distinct Stata names."""
    legal: list[str] = []
    for i, name in enumerate(names):
        word = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)[:24]
        word = word if word and not word[0].isdigit() else f"x{word}"
        legal.append(word if word not in legal else f"{word}_{i}")
    return legal


def stata_script(fit: LinearFit, names: Sequence[str], intercept: bool) -> str:
    """Stata 16 code that refits `fit`; MethodError where Stata has no such model."""
    s = fit.settings
    if s.method not in _STATA or s.weights is not None or not s.weighted or s.tau2 is not None:
        asked = "user weights or a fixed tau2" if s.method in _STATA else f"the estimator {s.method}"
        raise MethodError(f"Stata's meta commands do not offer {asked}; use to_r()")
    first = 1 if intercept else 0
    columns = _stata_names(names[first:])
    table = np.column_stack([fit.y, np.sqrt(fit.v), fit.X[:, first:]])
    body = "\n".join(" ".join(f"{value:.17g}" for value in row) for row in table)
    tests = {"z": "", "t": " tdistribution", "knha": " se(khartung)", "adhoc": " se(khartung, truncated)"}
    options = f"{_STATA[s.method]}{tests[s.test]} level({100 * s.level:g})"
    lines = ["clear", f"input double(yi sei {' '.join(columns)})".replace(" )", ")"), body, "end", "meta set yi sei"]
    if columns:
        constant = "" if intercept else " noconstant"
        lines.append(f"meta regress {' '.join(columns)}, {options}{constant}")
    else:
        lines.append(f"meta summarize, {options}")
    return "\n".join([*lines, ""])


def methods_sentence(method: str, test: str, moderators: Sequence[str], level: float) -> Explanation:
    """The sentence of a Methods section for a linear model, with its references."""
    references: list[str] = []
    if method == "EE":
        model, by = "an equal-effects model", "inverse-variance weights"
        references.append("Rice K, Higgins JPT, Lumley T. J R Stat Soc A 2018;181:205-227. doi:10.1111/rssa.12275")
    else:
        entry = TAU2.entry(method)
        model = "a mixed-effects meta-regression" if moderators else "a random-effects model"
        by = f"the {entry.title} estimator of the between-study variance"
        references.append(entry.cite)
    asked = TESTS.entry(test)
    tests = "Wald-type" if test == "z" else asked.title
    what = f" on {', '.join(moderators)}" if moderators else ""
    if moderators:
        references.insert(0, _THOMPSON)
    limits = f"tests and {100 * level:g}% confidence intervals were {tests}"
    sentence = f"Effects were pooled by {model}{what}, with {by}; {limits}."
    return Explanation(sentence, (*references, asked.cite) if test != "z" else (*references, _SOFTWARE))
