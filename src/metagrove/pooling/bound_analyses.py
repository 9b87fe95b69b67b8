"""Several meta-analyses of one measure side by side, as R meta's `metabind` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.results import MetaResult

__all__ = ["BoundAnalyses", "bound_analyses"]


@dataclass(frozen=True, slots=True, eq=False)
class BoundAnalyses(Result):
    """Pooled estimates of several analyses, arrays with one entry per line.

    Parameters
    ----------
    names, analysis : each line's name and the analysis it belongs to (its subgroups are lines of their own).
    TE, lower, upper : on the analysis scale; `shown` the same on the reporting scale, shape (lines, 3).
    k, tau2, I2 : studies pooled, between-study variance, I² as a fraction.
    pval : of the hypothesis of no effect, NaN where there is none.
    sources : the analyses.
    pooled : "random" or "common".
    """

    names: tuple[str, ...]
    analysis: tuple[str, ...]
    TE: Array
    lower: Array
    upper: Array
    shown: Array
    pval: Array
    k: Array
    tau2: Array
    I2: Array
    sources: tuple[MetaResult, ...]
    pooled: str

    @property
    def sm(self) -> str:
        """The effect measure."""
        return self.sources[0].settings.sm

    def rows(self) -> list[dict[str, Any]]:
        """One dict per line; `estimate`, `lower`, `upper` on the reporting scale."""
        return [
            {
                "analysis": self.analysis[i], "name": name, "k": int(self.k[i]), "estimate": float(self.shown[i, 0]),
                "lower": float(self.shown[i, 1]), "upper": float(self.shown[i, 2]), "TE": float(self.TE[i]),
                "pval": float(self.pval[i]), "tau2": float(self.tau2[i]), "I2_fraction": float(self.I2[i]),
            }
            for i, name in enumerate(self.names)
        ]  # fmt: skip

    def summary(self) -> str:
        """The lines as text."""
        wide = max(len(name) for name in self.names)
        return "\n".join(
            f"{row['name']:<{wide}}  k = {row['k']:>3}  {row['estimate']:.4f} [{row['lower']:.4f}; {row['upper']:.4f}]"
            for row in self.rows()
        )

    def explain(self) -> Explanation:
        """The methods of the analyses, said once where they are the same."""
        told = [source.explain() for source in self.sources]
        whole = told[0]
        for other in told[1:]:
            if other.sentence not in whole.sentence:
                whole = whole + other
        return whole

    def to_r(self) -> str:
        """R code that repeats the analyses and binds them."""
        parts, called = [], []
        for i, source in enumerate(self.sources, 1):
            code = source.to_r().replace("library(meta)\n\n", "").replace("print(m)\n", "")
            parts.append(code.replace("\nm <- ", f"\nm{i} <- ").replace("studies", f"studies{i}"))
            called.append(f"m{i}")
        names = ", ".join(f'"{name}"' for name in dict.fromkeys(self.analysis))
        call = f'metabind({", ".join(called)}, name = c({names}), pooled = "{self.pooled}")'
        return "\n".join(["library(meta)", "", *parts, f"b <- {call}", "print(b)", ""])

    def to_stata(self) -> str:
        """Stata code of the analyses, one after the other."""
        return "\n".join(source.to_stata() for source in self.sources)


def _line(source: MetaResult, pooled: str) -> tuple[float, ...]:
    fit, back = getattr(source.fit, pooled), source.back
    shown = (getattr(back, f"{part}_{pooled}") for part in ("TE", "lower", "upper"))
    tau2 = source.fit.tau2.value if pooled == "random" else float("nan")
    return (fit.TE, fit.lower, fit.upper, *map(float, shown), fit.pval, source.k, tau2, source.heterogeneity.I2)


def _group_lines(source: MetaResult, pooled: str) -> list[tuple[str, tuple[float, ...]]]:
    groups, back = source.groups, source.back
    shown = [np.atleast_1d(getattr(back, f"{part}_{pooled}_w")) for part in ("TE", "lower", "upper")]
    found = []
    for g, level in enumerate(groups.levels):
        fit = getattr(groups.fits[g], pooled)
        tau2 = groups.fits[g].tau2.value if pooled == "random" else float("nan")
        told = tuple(float(column[g]) for column in shown)
        line = (fit.TE, fit.lower, fit.upper, *told, fit.pval, groups.k[g], tau2, groups.heterogeneities[g].I2)
        found.append((level, line))
    return found


def bound_analyses(
    sources: Sequence[MetaResult], names: Sequence[str] | None = None, *, pooled: str = "random", groups: bool = True
) -> BoundAnalyses:
    """The pooled estimates of `sources` (and of their subgroups) in one table.

    Raises
    ------
    DataError : no analysis, or another number of names; MethodError : analyses of different measures.
    """
    if not sources:
        raise DataError("there is no analysis to bind")
    if pooled not in ("random", "common"):
        raise MethodError(f"pooled is '{pooled}'; known: common, random")
    for source in sources:
        if not isinstance(source, MetaResult):
            raise MethodError(f"a {type(source).__name__} cannot be bound; give results of the meta doors")
    measures = {source.settings.sm for source in sources}
    if len(measures) > 1:
        raise MethodError(f"analyses of different measures cannot stand in one plot: {', '.join(sorted(measures))}")
    called = [f"meta{i}" for i in range(1, len(sources) + 1)] if names is None else [str(name) for name in names]
    if len(called) != len(sources):
        raise DataError(f"{len(called)} names for {len(sources)} analyses")
    lines: list[tuple[str, str, tuple[float, ...]]] = []
    for name, source in zip(called, sources, strict=True):
        if groups and source.studies.subgroup is not None:
            lines += [(name, level, line) for level, line in _group_lines(source, pooled)]
        lines.append((name, name, _line(source, pooled)))
    table = np.array([line for *_, line in lines], dtype=float)
    return BoundAnalyses(
        tuple(name for _, name, _ in lines), tuple(home for home, *_ in lines),
        table[:, 0], table[:, 1], table[:, 2], table[:, 3:6], table[:, 6], table[:, 7], table[:, 8], table[:, 9],
        tuple(sources), pooled,
    )  # fmt: skip
