"""What a funnel plot shows: effects with their variances, and the counts behind them where a test needs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array

__all__ = ["FunnelData", "funnel_data"]

_Maybe: TypeAlias = "Array | None"


@dataclass(frozen=True, slots=True, eq=False)
class FunnelData:
    """Study effects `y` with sampling variances `v`, both of shape (k,), and what else is known of each study.

    Parameters
    ----------
    y : effects on the analysis scale (log odds ratios, mean differences, ...), finite.
    v : sampling variances, above 0.
    n : total sample sizes, where known.
    event_e, n_e, event_c, n_c : counts of two-arm studies (or `event_e`, `n_e` alone for one arm), where known.
    measure : R's code of the measure ("OR", "SMD", "PFT", ...), empty where unknown.
    labels : one name per study, for messages.
    method_tau : estimator of tau² in the analysis that the funnel belongs to, which the Thompson-Sharp test uses.
    """

    y: Array
    v: Array
    n: Array | None = None
    event_e: Array | None = None
    n_e: Array | None = None
    event_c: Array | None = None
    n_c: Array | None = None
    measure: str = ""
    labels: tuple[str, ...] = ()
    method_tau: str = "REML"

    def __post_init__(self) -> None:
        if not self.labels:
            object.__setattr__(self, "labels", tuple(str(i + 1) for i in range(self.y.size)))
        if self.y.ndim != 1 or self.y.shape != self.v.shape or len(self.labels) != self.y.size:
            raise DataError(f"{self.y.size} effects, {self.v.size} variances and {len(self.labels)} study labels")
        bad = ~(np.isfinite(self.y) & np.isfinite(self.v) & (self.v > 0))
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"study {self.labels[i]}: effect {self.y[i]:g} with variance {self.v[i]:g}; "
                "an effect is finite and its variance above 0"
            )

    @property
    def k(self) -> int:
        """The number of studies."""
        return self.y.size

    @property
    def se(self) -> Array:
        """Standard errors, shape (k,)."""
        return np.sqrt(self.v)

    def mirrored(self) -> FunnelData:
        """The same studies with every effect's sign turned and, where counts are known, the arms exchanged."""
        return replace(self, y=-self.y, event_e=self.event_c, n_e=self.n_c, event_c=self.event_e, n_c=self.n_e)

    def totals(self, test: str) -> Array:
        """Total sample sizes, shape (k,); MethodError where they are not known."""
        if self.n is not None:
            return self.n
        if self.n_e is not None:
            return self.n_e if self.n_c is None else self.n_e + self.n_c
        raise MethodError(f"{test} needs the sample size of each study, and these effects came without it")

    def arms(self, test: str) -> tuple[Array, Array]:
        """Sizes of the two arms, each of shape (k,); MethodError where they are not known."""
        if self.n_e is None or self.n_c is None:
            raise MethodError(f"{test} needs the sizes of both arms; these effects came without them")
        return self.n_e, self.n_c

    def tables(self, test: str) -> tuple[Array, Array, Array, Array]:
        """The 2x2 counts `event_e, n_e, event_c, n_c`, each of shape (k,); MethodError where they are not known."""
        if self.event_e is None or self.n_e is None or self.event_c is None or self.n_c is None:
            what = f"measure {self.measure}" if self.measure else "effects without counts"
            raise MethodError(f"{test} is made for 2x2 tables of two arms; it does not suit {what}")
        return self.event_e, self.n_e, self.event_c, self.n_c


def _read_only(values: ArrayLike) -> Array:
    array = np.array(values, dtype=np.float64, ndmin=1, copy=True)
    array.setflags(write=False)
    return array


def funnel_data(
    y: ArrayLike,
    v: ArrayLike,
    *,
    n: ArrayLike | None = None,
    tables: tuple[_Maybe, _Maybe, _Maybe, _Maybe] = (None, None, None, None),
    measure: str = "",
    labels: tuple[str, ...] = (),
    method_tau: str = "REML",
) -> FunnelData:
    """Effects and variances as read-only arrays; studies without a finite effect and variance above 0 are left out.

    Parameters
    ----------
    y, v : effects and sampling variances, shape (k,); a study where either is missing (NaN) does not enter.
    n : total sample sizes, shape (k,).
    tables : `event_e, n_e, event_c, n_c`, each of shape (k,) or None.
    """
    effects, variances = _read_only(y), _read_only(v)
    if effects.shape != variances.shape:
        raise DataError(f"{effects.size} effects for {variances.size} variances")
    keep = np.isfinite(effects) & ~np.isnan(variances) & ~np.isposinf(variances)
    names = labels or tuple(str(i + 1) for i in range(effects.size))

    def kept(values: ArrayLike | None) -> Array | None:
        return None if values is None else _read_only(_read_only(values)[keep])

    event_e, n_e, event_c, n_c = (kept(column) for column in tables)
    return FunnelData(
        _read_only(effects[keep]),
        _read_only(variances[keep]),
        n=kept(n),
        event_e=event_e,
        n_e=n_e,
        event_c=event_c,
        n_c=n_c,
        measure=measure,
        labels=tuple(name for name, here in zip(names, keep, strict=True) if here),
        method_tau=method_tau,
    )
