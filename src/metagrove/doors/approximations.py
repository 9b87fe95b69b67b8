"""Effects and standard errors of `metagen` by the way each study's authors name (`approx_TE`, `approx_seTE`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array
from metagrove.doors.columns import Columns
from metagrove.doors.quantiles import moments

__all__ = ["Approximations"]

_EFFECTS = ("", "ci", "iqr.range", "iqr", "range")
_ERRORS = ("", "pval", "ci", "iqr.range", "iqr", "range")
_PARTS = {"iqr.range": (0, 1, 2, 3, 4), "iqr": (1, 2, 3), "range": (0, 2, 4)}


@dataclass(frozen=True, slots=True, eq=False)
class Approximations:
    """What effects and standard errors can be made from, each a column of shape (k,) or None.

    `quantiles` are the door's arguments (minimum to maximum), `people` the number of people; `error_of_limits` and
    `error_of_p` give standard errors from limits and from p-values.
    """

    source: Columns
    low: Array | None
    high: Array | None
    pval: Array | None
    quantiles: tuple[Any, Any, Any, Any, Any]
    people: Array | None
    rules: tuple[str, str]
    error_of_limits: Callable[[Array, Array], Array]
    error_of_p: Callable[[Array, Array], Array]

    def codes(self, asked: Any, name: str, k: int) -> tuple[str, ...]:
        """The way of each study; one text holds for all."""
        known = _EFFECTS if name == "approx_TE" else _ERRORS
        if isinstance(asked, str) and (self.source.data is None or asked in known):
            given: tuple[str, ...] = (asked,) * k
        else:
            given = self.source.texts(asked, name, k) or ("",) * k
        for code in given:
            if code not in known:
                raise MethodError(f"{name} is {code!r}; known: {', '.join(repr(item) for item in known)}")
        return given

    def _moments(self, code: str) -> tuple[Array, Array]:
        if self.people is None:
            raise DataError("quantiles need the number of people: n_e, n_c or both")
        some = tuple(value if i in _PARTS[code] else None for i, value in enumerate(self.quantiles))
        mean, sd = moments(self.source, self.people, None, None, some, rules=self.rules)  # type: ignore[arg-type]
        return mean, sd / np.sqrt(self.people)

    def effects(self, te: Array, asked: Any) -> Array:
        """The effects `te` with those replaced whose way is named."""
        found = te.copy()
        codes = np.array(self.codes(asked, "approx_TE", te.size))
        for code in dict.fromkeys(codes[codes != ""]):
            rows = codes == code
            if code == "ci":
                low, high = _there(self.low, "lower"), _there(self.high, "upper")
                found[rows] = (0.5 * (low + high))[rows]
            else:
                found[rows] = self._moments(str(code))[0][rows]
        return found

    def errors(self, te: Array, se: Array, asked: Any) -> Array:
        """The standard errors `se` with those replaced whose way is named."""
        found = se.copy()
        codes = np.array(self.codes(asked, "approx_seTE", se.size))
        for code in dict.fromkeys(codes[codes != ""]):
            rows = codes == code
            if code == "pval":
                found[rows] = self.error_of_p(te, _there(self.pval, "pval"))[rows]
            elif code == "ci":
                found[rows] = self.error_of_limits(_there(self.low, "lower"), _there(self.high, "upper"))[rows]
            else:
                found[rows] = self._moments(str(code))[1][rows]
        return found


def _there(values: Array | None, name: str) -> Array:
    if values is None:
        raise DataError(f"{name} is missing, which approx_TE or approx_seTE names")
    return values
