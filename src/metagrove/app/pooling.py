"""A table of proportions pooled without a review folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from metagrove.app.inputs import proportion_table
from metagrove.app.products import csv_bytes
from metagrove.core.results import plain
from metagrove.review.storage import write_folder

__all__ = ["PoolSettings", "pool_table"]

_NUMBERS = (
    "TE_common", "seTE_common", "lower_common", "upper_common", "TE_random", "seTE_random", "lower_random", "upper_random",
    "pval_random", "lower_predict", "upper_predict", "tau2", "se_tau2", "lower_tau2", "upper_tau2", "Q", "df_Q", "pval_Q",
    "I2", "lower_I2", "upper_I2", "H", "lower_H", "upper_H", "k",
)  # fmt: skip
_BACK = (
    "TE_common",
    "lower_common",
    "upper_common",
    "TE_random",
    "lower_random",
    "upper_random",
    "lower_predict",
    "upper_predict",
)
_GROUPS = (
    "subgroup_levels",
    "k_w",
    "TE_random_w",
    "lower_random_w",
    "upper_random_w",
    "tau2_w",
    "I2_w",
    "Q_w",
    "pval_Q_w",
)
_BETWEEN = ("Q_b_common", "pval_Q_b_common", "Q_b_random", "df_Q_b_random", "pval_Q_b_random")


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The choices of one pooling, in the field's codes."""

    measure: str = "PFT"
    method: str = "Inverse"
    method_tau: str = "REML"
    method_random_ci: str = "classic"
    method_ci: str = "CP"
    tau_common: bool = False
    level: float = 0.95


def pool_table(table: Path, out: Path, settings: PoolSettings) -> dict[str, Any]:
    """The pooled numbers and their text, after result.json, studies.csv, forest.svg stand in `out`.

    Raises
    ------
    DataError
        A row that cannot be meant; names file, row and column.
    UnknownName
        A measure, estimator or interval that is not known; lists the known.
    """
    rows = proportion_table(table).rows
    from metagrove.doors.one_arm import metaprop

    split = any(row.text("subgroup") for row in rows)
    pooled = metaprop(
        [row["events"] for row in rows],
        [row["n"] for row in rows],
        studlab=[row.text("study") for row in rows],
        subgroup=[row.text("subgroup") or "not stated" for row in rows] if split else None,
        sm=settings.measure,
        method=settings.method,
        method_tau="ML" if settings.method == "GLMM" else settings.method_tau,
        method_random_ci=settings.method_random_ci,
        method_ci=settings.method_ci,
        tau_common=settings.tau_common,
        prediction=len(rows) > 2,
        level=settings.level,
        level_ma=settings.level,
    )
    back = pooled.back
    result: dict[str, Any] = {"measure": settings.measure, "settings": asdict(settings)}
    result |= {name: plain(getattr(pooled, name)) for name in _NUMBERS}
    result["back"] = {name: plain(getattr(back, name)) for name in _BACK}
    if split:
        result |= {name: plain(getattr(pooled, name)) for name in (*_GROUPS, *_BETWEEN)}
        result["back"] |= {
            name: plain(getattr(back, name)) for name in ("TE_random_w", "lower_random_w", "upper_random_w")
        }
    explanation = pooled.explain()
    result["explain"] = {"sentence": explanation.sentence, "references": explanation.references}
    frame = pooled.to_frame()
    drawing = pooled.forest()
    files = {
        "result.json": (json.dumps(plain(result), indent=2, ensure_ascii=False) + "\n").encode(),
        "studies.csv": csv_bytes([str(name) for name in frame.columns], frame.to_numpy().tolist()),
        "forest.svg": drawing.svg(),
    }
    write_folder(out, files)
    return {"result": result, "summary": pooled.summary(), "files": sorted(files)}
