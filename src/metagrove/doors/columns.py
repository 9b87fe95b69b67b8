"""Arguments of the doors: columns by name, arrays, masks and labels, checked and named in errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array
from metagrove.pooling.settings import Settings

__all__ = ["Columns", "named_arms", "one_of", "settings_of"]

_kept = lru_cache(maxsize=256)(Settings)


def settings_of(**asked: Any) -> Settings:
    """The settings with these values, made and checked once for all calls that ask for the same."""
    try:
        return _kept(**asked)
    except TypeError:  # a value that no dict can hold
        return Settings(**asked)


def one_of(name: str, value: object, known: Sequence[object]) -> None:
    """Refuse a `value` that is not among the `known`."""
    if value not in known:
        raise MethodError(f"{name} is {value!r}; known: {', '.join(repr(item) for item in known)}")


def named_arms(label_e: str, label_c: str, label_left: str, label_right: str) -> tuple[tuple[str, object], ...]:
    """Options of an analysis that name its arms and the sides of no effect, those that were given."""
    asked = (("label_e", label_e), ("label_c", label_c), ("label_left", label_left), ("label_right", label_right))
    return tuple((name, words) for name, words in asked if words)


@dataclass(frozen=True, slots=True)
class Columns:
    """Reads arguments: a string names a column of `data` where there is one, anything else is taken as values.

    Parameters
    ----------
    data : a DataFrame or a mapping of columns, or None.
    subset : which rows to use: a mask or positions (or a column name), or None for all.
    """

    data: Any = None
    subset: Any = None

    def raw(self, value: Any, name: str) -> Any:
        """The values behind an argument, all rows; None stays None."""
        if value is None or self.data is None or not isinstance(value, str):
            return value
        known = [str(column) for column in self.data]
        if value not in known:
            near = get_close_matches(value, known, n=1)
            hint = f"; nearest: '{near[0]}'" if near else ""
            raise DataError(f"no column '{value}' for {name}{hint}. Columns: {', '.join(known)}.")
        return self.data[value]

    def _chosen(self, values: NDArray[Any]) -> NDArray[Any]:
        if self.subset is None:
            return values
        rows = np.asarray(self.raw(self.subset, "subset"))
        if rows.dtype == np.bool_ and rows.size != values.size:
            raise DataError(f"subset has {rows.size} entries for {values.size} rows", column="subset")
        chosen: NDArray[Any] = values[rows]
        return chosen

    def numbers(self, value: Any, name: str, k: int | None = None) -> Array:
        """Numbers of an argument, shape (k,); None, empty text and NA are NaN; a single number is repeated k times."""
        raw = self.raw(value, name)
        if raw is None:
            raise DataError(f"{name} is missing")
        try:
            found = np.asarray(raw, dtype=float)
        except (TypeError, ValueError):
            found = np.array([_number(item, name, row) for row, item in enumerate(_items(raw), 2)])
        if found.ndim == 0:
            return np.full(1 if k is None else k, float(found))
        if found.ndim != 1:
            raise DataError(f"{name} has {found.ndim} dimensions; a column has one")
        found = self._chosen(found)
        if k is not None and found.size != k:
            raise DataError(f"{found.size} values for {k} studies", column=name)
        return found

    def optional(self, value: Any, name: str, k: int) -> Array | None:
        """Numbers of an argument that may be absent."""
        return None if value is None else self.numbers(value, name, k)

    def counts(self, value: Any, name: str, k: int | None = None) -> Array:
        """Whole numbers of 0 or above; NaN is allowed and leaves the study out."""
        found = self.numbers(value, name, k)
        if all(item >= 0 and item.is_integer() for item in found.tolist()):
            return found
        with np.errstate(invalid="ignore"):
            bad = np.flatnonzero((found < 0) | (found != np.floor(found)) & np.isfinite(found) | np.isinf(found))
        if bad.size:
            i = int(bad[0])
            raise DataError(f"{found[i]:g}; a count is a whole number of 0 or above", row=i + 2, column=name)
        return found

    def texts(self, value: Any, name: str, k: int) -> tuple[str, ...] | None:
        """Labels of an argument, or None."""
        raw = self.raw(value, name)
        if raw is None:
            return None
        if isinstance(raw, str):
            raise DataError(f"{name} is the text '{raw}'; give one label per study, or a column name with data=")
        items = self._chosen(np.array(list(raw), dtype=object))
        if len(items) != k:
            raise DataError(f"{len(items)} labels for {k} studies", column=name)
        for row, item in enumerate(items, 2):
            if item is None or (isinstance(item, float) and np.isnan(item)):
                raise DataError("a label is missing", row=row, column=name)
        return tuple(_text(item) for item in items)

    def excluded(self, value: Any, k: int) -> tuple[str, ...]:
        """Reasons: "excluded by the user" where `exclude` is true."""
        raw = self.raw(value, "exclude")
        if raw is None:
            return ("",) * k
        mask = self._chosen(np.asarray(raw))
        if mask.dtype != np.bool_:
            mask = np.isin(np.arange(k), mask)
        if mask.size != k:
            raise DataError(f"{mask.size} entries for {k} studies", column="exclude")
        return tuple("excluded by the user" if out else "" for out in mask)

    def name_of(self, value: Any) -> str:
        """What a column is called: the name in `data`, or of a pandas Series; else empty."""
        if isinstance(value, str):
            return value if self.data is not None else ""
        name = getattr(value, "name", None)
        return "" if name is None else str(name)


def _text(item: Any) -> str:
    if isinstance(item, (float, np.floating)) and float(item).is_integer():
        return str(int(item))
    return str(item)


def _items(raw: Any) -> list[Any]:
    if isinstance(raw, (str, Mapping)):
        raise DataError(f"{raw!r} is not a column; give numbers, or a column name with data=")
    return list(raw)


def _number(item: Any, name: str, row: int) -> float:
    if item is None or (isinstance(item, str) and item.strip() in ("", "NA", "NR", "nan")):
        return float("nan")
    try:
        return float(item)
    except (TypeError, ValueError):
        raise DataError(f"'{item}' is not a number", row=row, column=name) from None
