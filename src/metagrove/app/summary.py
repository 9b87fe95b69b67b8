"""A table of survival at common times, pooled into one summary curve."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from metagrove.app.inputs import grid_table
from metagrove.app.products import csv_bytes
from metagrove.core.errors import DataError, SpecError, UnknownName
from metagrove.core.results import plain
from metagrove.review.storage import write_folder

__all__ = ["parse_correction", "pool_curves"]

_MODELS: Mapping[str, Literal["random", "fixed"]] = {"random": "random", "fixed": "fixed"}
_COMPATIBLE: Mapping[str, Literal["msurv"] | None] = {"": None, "msurv": "msurv"}


def parse_correction(text: str) -> tuple[float, float] | None:
    """The continuity correction from `0.25,0.5`, or None from `none`.

    >>> parse_correction("0.25,0.5"), parse_correction("none")
    ((0.25, 0.5), None)
    """
    if text.strip().lower() in ("none", ""):
        return None
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        raise SpecError(f"--correction '{text}': write two numbers such as 0.25,0.5, or none") from None
    return first, second


def _plainly(value: float | bool) -> float | bool:
    return int(value) if not isinstance(value, bool) and value == int(value) else value


def pool_curves(table: Path, out: Path, *, model: str, correction: str, compat: str) -> dict[str, Any]:
    """The pooled curve's numbers and its text, after summary.csv, summary.json and curve.svg stand in `out`.

    Raises
    ------
    DataError
        A row that cannot be meant; names file, row and column.
    UnknownName
        A model or compatibility that is not known.
    """
    if model not in _MODELS:
        raise UnknownName("model", model, _MODELS)
    if compat not in _COMPATIBLE:
        raise UnknownName("compatibility", compat, ("msurv",))
    wanted = parse_correction(correction)
    rows = grid_table(table)
    from metagrove.plots.canvas import draw
    from metagrove.plots.curve_source import pooled_panel
    from metagrove.pooling.curves.summary import summary_curve

    try:
        pooled = summary_curve(
            rows["study"], rows["time"], rows["n_risk"], rows["survival"],
            model=_MODELS[model], correction=wanted, compat=_COMPATIBLE[compat],
        )  # fmt: skip
    except DataError as error:
        raise error.within(table.name) from None
    names = ("time", "survival", "lower", "upper", "n_risk", "studies", "sparse")
    lines = [[_plainly(row[name]) for name in names] for row in pooled.rows()]
    numbers = (
        "median", "median_lower", "median_upper", "median_reason", "mean", "mean_lower", "mean_upper",
        "Q", "df_Q", "pval_Q", "H2", "I2", "model",
    )  # fmt: skip
    result = {name: plain(getattr(pooled, name)) for name in numbers}
    result |= {"correction": wanted, "compat": compat or None, "studies": len(set(rows["study"]))}
    files = {
        "summary.csv": csv_bytes(names, lines),
        "summary.json": (json.dumps(plain(result), indent=2, ensure_ascii=False) + "\n").encode(),
        "curve.svg": draw(pooled_panel(pooled)).svg(),
    }
    write_folder(out, files)
    return {"result": result, "summary": pooled.summary(), "files": sorted(files)}
