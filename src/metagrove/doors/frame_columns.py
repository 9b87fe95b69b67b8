"""Arguments of the doors: arrays as they are, names as columns of the table that came with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array

__all__ = ["Frame", "labels", "numbers"]

#: A pandas DataFrame, or a mapping from names to columns.
Frame = Any


def column(value: Any, data: Frame | None, name: str) -> Any:
    """`value` itself, or the column of `data` it names; DataError lists the nearest column otherwise."""
    if not isinstance(value, str):
        return value
    if data is None:
        raise DataError(f"{name} is '{value}', a column name, but no table came with it (data=)")
    if value not in data:
        near = get_close_matches(value, [str(c) for c in data], n=1)
        hint = f"; nearest: {near[0]}" if near else ""
        raise DataError(f"the table has no column '{value}' for {name}{hint}")
    return data[value]


def numbers(value: Any, data: Frame | None, name: str) -> Array | None:
    """A float array of shape (k,), NaN for missing; None stays None. DataError names the row of what is no number."""
    found = column(value, data, name)
    if found is None:
        return None
    if hasattr(found, "to_numpy"):
        found = found.to_numpy()
    try:
        return np.atleast_1d(np.asarray(found, dtype=float))
    except (TypeError, ValueError):
        cells = [found] if isinstance(found, (str, bytes)) or not np.iterable(found) else list(found)
        return np.array([_number(cell, i, name) for i, cell in enumerate(cells)])


def _number(cell: Any, i: int, name: str) -> float:
    if cell is None or cell is getattr(cell, "NA", None) or str(cell).strip() in ("", "NA", "nan", "<NA>"):
        return float("nan")
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise DataError(f"study {i + 1}: '{cell}' is not a number", column=name) from None


def labels(value: Any, data: Frame | None, name: str) -> tuple[str, ...] | None:
    """Labels as text, None if absent."""
    found = column(value, data, name)
    return None if found is None else tuple(str(cell) for cell in found)


def table_columns(data: Frame | None, keep: Sequence[bool] | Array | None = None) -> Mapping[str, list[Any]] | None:
    """The columns of the table as lists, rows where `keep` is true only."""
    if data is None:
        return None
    flags = None if keep is None else [bool(k) for k in keep]
    out = {}
    for name in data:
        cells = list(data[name])
        out[str(name)] = cells if flags is None else [c for c, k in zip(cells, flags, strict=True) if k]
    return out
