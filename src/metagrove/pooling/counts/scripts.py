"""Analyses of counts told in R (metafor) and Stata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.effects.arms import Columns
from metagrove.effects.corrections import Correction
from metagrove.pooling.regression.scripts import r_matrix, r_text, r_vector

__all__ = ["Counted", "r_call", "stata_binomial_model", "stata_esize"]

_STATA_ESIZE = {"OR": "lnoratio", "RR": "lnrratio", "RD": "rdiff", "PETO": "lnorpeto"}


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts behind a result as they were given, and what was added: for the single effects, then for pooling.

    `extra` holds further arguments of the R call as text, by R's names.
    """

    counts: Columns
    rules: tuple[Correction, ...]
    extra: tuple[tuple[str, str], ...] = ()

    def named(self) -> dict[str, Array]:
        """The columns under metafor's names (`ai`, `bi`, `x1i`, `ni` …)."""
        return {f"{name}i": values for name, values in self.counts.columns().items()}


def _rules(rules: Sequence[Correction]) -> dict[str, str]:
    if len(rules) == 1:
        rule = rules[0]
        return {"add": f"{rule.add:g}", "to": f'"{rule.to}"', "drop00": str(rule.drop00).upper()}
    return {
        "add": r_vector([rule.add for rule in rules]),
        "to": r_text([rule.to for rule in rules]),
        "drop00": "c(" + ", ".join(str(rule.drop00).upper() for rule in rules) + ")",
    }


def r_call(
    function: str, source: Counted, slab: Sequence[str], *, more: Mapping[str, str], mods: Array | None = None
) -> str:
    """R code that repeats an analysis of counts with metafor's `function`."""
    columns = source.named()
    lines = ["library(metafor)", *(f"{name} <- {r_vector(values)}" for name, values in columns.items())]
    arguments = [f"{name} = {name}" for name in columns]
    if len(slab) == len(next(iter(columns.values()))):
        lines.append(f"slab <- {r_text(slab)}")
        arguments.append("slab = slab")
    if mods is not None:
        lines.append(f"X <- {r_matrix(mods)}")
        arguments.append("mods = X, intercept = FALSE")
    named = {**more, **dict(source.extra), **_rules(source.rules)}
    arguments += [f"{name} = {text}" for name, text in named.items()]
    return "\n".join([*lines, f"result <- {function}({', '.join(arguments)})", "print(result)", ""])


def _input(columns: Mapping[str, Array], slab: Sequence[str]) -> list[str]:
    names = list(columns)
    rows = zip(slab, *columns.values(), strict=True)
    body = ["  " + " ".join([f'"{label}"', *(f"{float(value):.17g}" for value in values)]) for label, *values in rows]
    return ["clear", f"input str80 study {' '.join(f'double {name}' for name in names)}", *body, "end"]


def stata_esize(source: Counted, slab: Sequence[str], measure: str, method: str, level: float) -> str:
    """Stata code that repeats a Mantel-Haenszel or Peto analysis of 2x2 tables.

    Raises
    ------
    MethodError
        Stata's `meta` has no such effect (rate ratios and differences), or something was added before pooling.
    """
    if measure not in _STATA_ESIZE:
        raise MethodError(f"Stata's meta has no effect size '{measure}' from counts")
    if any(rule.add > 0 and rule.to != "none" for rule in source.rules[1:]):
        raise MethodError("Stata's meta adds nothing to the counts before Mantel-Haenszel or Peto pooling")
    columns = source.named()
    how = "common(mhaenszel)" if method == "MH" else "common(invvariance)"
    first = source.rules[0]
    cells = " ".join(columns)
    line = f"meta esize {cells}, esize({_STATA_ESIZE[measure]}) studylabel(study) {how}"
    if measure in ("OR", "RR") and first.to in ("only0", "all"):
        line += f" zerocells({first.add:g}, {first.to})"
    return "\n".join([*_input(columns, slab), line, f"meta summarize, level({100 * level:g})", ""])


def stata_binomial_model(source: Counted, slab: Sequence[str], measure: str, level: float) -> str:
    """Stata code that repeats the one-arm mixed model of proportions or rates.

    Raises
    ------
    MethodError
        A model of two arms, whose conditional and study-level forms Stata has no one command for.
    """
    columns = source.named()
    if measure == "PLO":
        model = "melogit xi || study_id:, binomial(ni) intpoints(7)"
    elif measure == "IRLN":
        model = "mepoisson xi, exposure(ti) || study_id:, intpoints(7)"
    else:
        raise MethodError(f"Stata has no one command for the two-arm mixed model of '{measure}'")
    lines = [*_input(columns, slab), "encode study, generate(study_id)", f"{model} level({100 * level:g})", ""]
    return "\n".join(lines)
