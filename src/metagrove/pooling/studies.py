"""The studies of one analysis: their effects, what was counted, and why some are not pooled."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array

__all__ = ["Studies", "all_finite", "numbered", "sound", "studies_of"]


_FEW = 40  # up to here lists beat NumPy


@dataclass(frozen=True, slots=True, eq=False)
class Studies:
    """Studies in table order, pooled or not.

    Parameters
    ----------
    studlab : labels, length k.
    TE, seTE : effect and standard error on the analysis scale, shape (k,).
    limits : what gives the studies' lower and upper limits from TE and seTE; asked when first read.
    reasons : "" where the study is pooled, else why it is not.
    subgroup : the group of each study, or None.
    columns : what was observed, by R's name (`event`, `n`, `event_e`, ...), arrays of shape (k,).
    size : sample sizes or times at risk that the back-transform needs, or None.
    """

    studlab: tuple[str, ...]
    TE: Array
    seTE: Array
    limits: Callable[[Array, Array], tuple[Array, Array]] = field(repr=False)
    reasons: tuple[str, ...]
    subgroup: tuple[str, ...] | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    size: Array | None = None
    _kept: list[tuple[Array, Array]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.columns, MappingProxyType):
            object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))

    def __reduce__(self) -> tuple[Any, ...]:
        # a read-only mapping cannot be pickled as it is, nor can a rule
        other = {"columns": dict(self.columns), "limits": partial(_known_limits, *self._both)}
        return Studies, tuple(other.get(f.name, getattr(self, f.name)) for f in fields(self) if f.init)

    @property
    def _both(self) -> tuple[Array, Array]:
        if not self._kept:
            lower, upper = self.limits(self.TE, self.seTE)
            self._kept.append((_read_only(lower), _read_only(upper)))
        return self._kept[0]

    @property
    def lower(self) -> Array:
        """Lower limits of the studies on the analysis scale, shape (k,)."""
        return self._both[0]

    @property
    def upper(self) -> Array:
        """Upper limits of the studies on the analysis scale, shape (k,)."""
        return self._both[1]

    @property
    def pooled(self) -> NDArray[np.bool_]:
        """True where a study is pooled, shape (k,)."""
        return np.array([not reason for reason in self.reasons], dtype=bool)

    @property
    def excluded(self) -> tuple[tuple[str, str], ...]:
        """Label and reason of each study that is not pooled."""
        return tuple((lab, why) for lab, why in zip(self.studlab, self.reasons, strict=True) if why)

    def take(self, index: NDArray[Any]) -> Studies:
        """The studies at `index` (positions or a mask), in that order."""
        where = np.flatnonzero(index) if index.dtype == np.bool_ else index
        return Studies(
            tuple(self.studlab[i] for i in where),
            self.TE[where],
            self.seTE[where],
            lambda TE, seTE: (self.lower[where], self.upper[where]),
            tuple(self.reasons[i] for i in where),
            None if self.subgroup is None else tuple(self.subgroup[i] for i in where),
            {name: column[where] for name, column in self.columns.items()},
            None if self.size is None else self.size[where],
        )


@lru_cache(maxsize=64)
def numbered(k: int) -> tuple[str, ...]:
    """Labels of studies that have none: "1" to k."""
    return tuple(str(i) for i in range(1, k + 1))


def _known_limits(lower: Array, upper: Array, TE: Array, seTE: Array) -> tuple[Array, Array]:
    return lower, upper


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    copy = values.copy()
    copy.setflags(write=False)
    return copy


def studies_of(
    TE: Array,
    seTE: Array,
    *,
    limits: Callable[[Array, Array], tuple[Array, Array]],
    studlab: Sequence[str] | None = None,
    subgroup: Sequence[str] | None = None,
    reasons: Sequence[str] | None = None,
    columns: Mapping[str, NDArray[Any]] | None = None,
    size: Array | None = None,
) -> Studies:
    """Checked studies; those without a finite effect and a standard error above 0 are kept but not pooled.

    Arrays have shape (k,). `limits` gives the studies' lower and upper limits from TE and seTE. `reasons` gives what is
    known already ("" for a study to be pooled).
    """
    k = TE.size
    labels = numbered(k) if studlab is None else tuple(map(str, studlab))
    given = tuple(reasons) if reasons is not None else ("",) * k
    for name, column in (("studlab", labels), ("subgroup", subgroup)):
        if column is not None and len(column) != k:
            raise DataError(f"{len(column)} entries for {k} studies", column=name)
    why = given if sound(TE, seTE) else tuple(
        reason or ("" if np.isfinite(te) and 0 < se < np.inf else _flaw(te, se))
        for reason, te, se in zip(given, TE, seTE, strict=True)
    )  # fmt: skip
    return Studies(
        labels, _read_only(TE), _read_only(seTE), limits, why,
        None if subgroup is None else tuple(str(group) for group in subgroup),
        {name: _read_only(column) for name, column in (columns or {}).items()},
        None if size is None else _read_only(size),
    )  # fmt: skip


def sound(te: Array, se: Array) -> bool:
    """Whether all effects are finite and all standard errors (or variances) above 0 and finite."""
    return all_finite(te, se) and (min(se.tolist(), default=1.0) > 0 if se.size <= _FEW else bool((se > 0).all()))


def all_finite(*columns: Array) -> bool:
    """Whether no number is missing or infinite in any of the columns."""
    if columns[0].size > _FEW:
        return all(bool(np.isfinite(column).all()) for column in columns)
    return all(all(map(math.isfinite, column.tolist())) for column in columns)


def _flaw(te: float, se: float) -> str:
    if not np.isfinite(te):
        return "the effect does not exist on this scale"
    if np.isnan(se):
        return "the standard error is missing"
    return "the standard error is infinite" if np.isinf(se) else f"the standard error is {se:g}, not above 0"
