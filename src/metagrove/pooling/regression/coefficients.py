"""Estimated coefficients and what every model says of them: errors, tests, limits, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from metagrove.core.errors import UnknownName
from metagrove.core.results import Result
from metagrove.core.sockets import socket
from metagrove.core.values import Array
from metagrove.pooling.regression.columns import ColumnResult
from metagrove.pooling.regression.linear_model import critical_value, two_sided

__all__ = ["CoefficientResult", "Coefficients", "Intervals", "view"]


def view(result: Result, name: str) -> Callable[..., Any]:
    """The plugged-in view `name` of a result, ready to be called; AttributeError where there is none."""
    if not name.startswith("_"):
        try:
            return partial(socket(name), result)
        except UnknownName:
            pass
    raise AttributeError(f"a {type(result).__name__} has no '{name}'")


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """Estimates `b` (p,), covariance `vb` (p, p), degrees of freedom `ddf` (p,) (infinite: normal) and names.

    What follows from them is computed when first asked for and then kept, read-only.
    """

    b: Array
    vb: Array
    ddf: Array
    names: tuple[str, ...]
    has_intercept: bool
    _kept: dict[Any, Array] = field(default_factory=dict, repr=False)

    def _keep(self, key: Any, values: Array) -> Array:
        values.setflags(write=False)
        self._kept[key] = values
        return values

    @property
    def se(self) -> Array:
        """Standard errors, shape (p,)."""
        found = self._kept.get("se")
        return self._keep("se", np.sqrt(self.vb.diagonal())) if found is None else found

    @property
    def zval(self) -> Array:
        """Test statistics, z or t, shape (p,)."""
        found = self._kept.get("zval")
        return self._keep("zval", self.b / self.se) if found is None else found

    @property
    def pval(self) -> Array:
        """Two-sided p-values, shape (p,)."""
        found = self._kept.get("pval")
        return self._keep("pval", two_sided(self.zval, self.ddf)) if found is None else found

    def half_width(self, level: float) -> Array:
        """Half the length of the confidence intervals at `level`, shape (p,)."""
        found = self._kept.get(level)
        return self._keep(level, critical_value(level, self.ddf) * self.se) if found is None else found


class CoefficientResult(Result):
    """A result about coefficients; subclasses give `coefficients` and `level`. Arrays have shape (p,)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return self.summary()

    @property
    def coefficients(self) -> Coefficients:
        """Coefficients with their covariance and degrees of freedom."""
        raise NotImplementedError

    @property
    def level(self) -> float:
        """Confidence level, a proportion."""
        raise NotImplementedError

    @property
    def coef_names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.coefficients.names

    @property
    def b(self) -> Array:
        """Coefficients."""
        return self.coefficients.b

    @property
    def beta(self) -> Array:
        """Coefficients."""
        return self.coefficients.b

    @property
    def vb(self) -> Array:
        """Covariance of the coefficients, shape (p, p)."""
        return self.coefficients.vb

    @property
    def se(self) -> Array:
        """Standard errors."""
        return self.coefficients.se

    @property
    def zval(self) -> Array:
        """Test statistics, z or t."""
        return self.coefficients.zval

    stat = tval = zval

    @property
    def dfs(self) -> Array:
        """Degrees of freedom of each test, NaN where it is normal."""
        return np.where(np.isfinite(self.coefficients.ddf), self.coefficients.ddf, np.nan)

    @property
    def pval(self) -> Array:
        """Two-sided p-values."""
        return self.coefficients.pval

    @property
    def ci_lb(self) -> Array:
        """Lower confidence limits."""
        table = self.coefficients
        return table.b - table.half_width(self.level)

    @property
    def ci_ub(self) -> Array:
        """Upper confidence limits."""
        table = self.coefficients
        return table.b + table.half_width(self.level)

    def rows(self) -> list[dict[str, Any]]:
        """One row per coefficient."""
        columns = [self.b, self.se, self.zval, self.pval, self.ci_lb, self.ci_ub]
        keys = ["term", "estimate", "se", "statistic", "p", "lower", "upper"]
        if np.isfinite(self.dfs).any():
            keys.insert(4, "df")
            columns.insert(3, self.dfs)
        lines = zip(self.coef_names, *columns, strict=True)
        return [dict(zip(keys, (name, *map(float, values)), strict=True)) for name, *values in lines]


@dataclass(frozen=True, slots=True, eq=False)
class Intervals(ColumnResult):
    """Confidence intervals, one row per quantity: `estimate`, `ci_lb`, `ci_ub` (NaN where there is none).

    A row is read by its label: ``result["tau2"]`` gives the three numbers.
    """

    labels: tuple[str, ...]
    estimate: Array
    ci_lb: Array
    ci_ub: Array
    method: str = ""

    COLUMNS: ClassVar[tuple[str, ...]] = ("estimate", "ci_lb", "ci_ub")
    TITLE: ClassVar[str] = "Confidence intervals"
    SENTENCE: ClassVar[str] = "Confidence intervals were calculated for the coefficients and the heterogeneity."
    REFERENCES: ClassVar[tuple[str, ...]] = (
        "Viechtbauer W. Stat Med 2007;26:37-52. doi:10.1002/sim.2514",
        "Hardy RJ, Thompson SG. Stat Med 1996;15:619-29. "
        "doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A",
    )

    def __getitem__(self, label: str) -> tuple[float, float, float]:
        try:
            i = self.labels.index(label)
        except ValueError:
            raise UnknownName("interval", label, self.labels) from None
        return float(self.estimate[i]), float(self.ci_lb[i]), float(self.ci_ub[i])

    @property
    def random(self) -> Array:
        """The whole table, shape (rows, 3)."""
        return np.column_stack([self.estimate, self.ci_lb, self.ci_ub])
