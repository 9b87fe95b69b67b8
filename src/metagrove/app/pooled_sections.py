"""What sections of pooled analyses share: lines of sensitivity, tests for small-study effects, printed quantities, files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metagrove.app.numbers import p_value, percent, plain_number
from metagrove.core.errors import DataError, MetagroveError
from metagrove.core.results import plain
from metagrove.report.document import Cell, Column, Table

__all__ = [
    "Shown",
    "bias_table",
    "drawn_files",
    "failed_line",
    "first_statistic",
    "quantity_of",
    "result_file",
    "scale_numbers",
    "sensitivity_line",
    "sensitivity_table",
    "subgroup_quantity",
]


@dataclass(frozen=True, slots=True)
class Shown:
    """How a pooled value is shown: of which model ("random" or "common"), and its text and that of its limits."""

    value: Callable[[float], str]
    limits: Callable[[float, float], str]
    model: str = "random"

    def of(self, source: Any, name: str, tail: str = "") -> Any:
        """The number called `name` of the shown model: `of(back, "lower")` is `back.lower_random`."""
        return getattr(source, f"{name}_{self.model}{tail}")


def first_statistic(value: Any) -> float:
    """A statistic; the first (Wald) where a GLMM gives Wald and likelihood-ratio forms."""
    first: float = float(value[0]) if hasattr(value, "__len__") else float(value)
    return first


def sensitivity_line(name: str, pooled: Any, k: int, shown: Shown) -> tuple[Cell, ...]:
    """One line of the sensitivity table."""
    back = pooled.back
    prediction = shown.limits(back.lower_predict, back.upper_predict) if k > 2 and shown.model == "random" else "–"
    return (
        Cell(name),
        Cell(str(k)),
        Cell(shown.value(shown.of(back, "TE"))),
        Cell(shown.limits(shown.of(back, "lower"), shown.of(back, "upper"))),
        Cell(prediction),
        Cell(percent(pooled.I2, 0)),
        Cell(plain_number(pooled.tau2)),
        Cell(p_value(first_statistic(pooled.pval_Q))),
    )


def failed_line(name: str, reason: str) -> tuple[Cell, ...]:
    """The line of an analysis that could not be done, with the reason."""
    return (Cell(f"{name}: {reason}"), Cell(""), *(Cell("–") for _ in range(6)))


def sensitivity_table(rows: Sequence[tuple[Cell, ...]], level: float) -> Table:
    """The table of `sensitivity_line`s."""
    columns = (
        Column("Analysis"), Column("Studies", "right"), Column("Pooled", "right"), Column(f"{level:.0%} CI", "right"),
        Column("Prediction interval", "right"), Column("I²", "right"), Column("τ²", "right"), Column("p (Q)", "right"),
    )  # fmt: skip
    return Table("How much the pooled value depends on the choices", columns, tuple(rows))


def bias_table(pooled: Any, names: Sequence[str], note: str) -> tuple[Table | None, tuple[str, ...]]:
    """Small-study tests with their caution: below ten studies they cannot tell bias from chance."""
    k = int(pooled.k)
    if k < 3:
        return None, (f"Small-study effects cannot be tested with {k} {'study' if k == 1 else 'studies'}.",)
    rows = []
    for name in names:
        try:
            test = pooled.metabias("Harbord2009" if name == "Harbord" else name, k_min=3)
        except MetagroveError as error:
            rows.append((Cell(name), Cell("–"), Cell("–"), Cell(str(error))))
            continue
        few = f"k = {k} below 10: too few studies to tell bias from chance" if k < 10 else ""
        statistic = f"{float(test.statistic):.2f}"
        rows.append((Cell(name), Cell(statistic), Cell(p_value(float(test.pval))), Cell(few)))
    columns = (Column("Test"), Column("Statistic", "right"), Column("p", "right"), Column("Caution"))
    table = Table("Tests for small-study effects", columns, tuple(rows), (note,))
    if k >= 10:
        return table, ()
    said = f"With {k} studies (fewer than 10), tests for publication bias have little power; none of them shows its absence."
    return table, (said,)


def _sum_of(pooled: Any, name: str, members: Iterable[int]) -> float:
    """The sum of a column over `members`; NaN where the studies did not come with it."""
    column = pooled.studies.columns.get({"events": "event"}.get(name, name))
    return math.nan if column is None else float(sum(column[j] for j in members))


def subgroup_quantity(pooled: Any, subgroup: str, quantity: str, *, shown: Shown, sums: Sequence[str]) -> float:
    """Our number for a quantity of one subgroup; `sums` names the columns whose sums are quantities too.

    Raises
    ------
    DataError
        No such subgroup, or no such quantity.
    """
    levels = [str(level).lower() for level in pooled.subgroup_levels]
    if subgroup.lower() not in levels:
        raise DataError(f"no subgroup '{subgroup}'; known: {', '.join(map(str, pooled.subgroup_levels))}")
    i = levels.index(subgroup.lower())
    one = int(pooled.k_w[i]) == 1
    members = [j for j, name in enumerate(pooled.subgroup) if str(name).lower() == subgroup.lower()]
    member = next((j for j in members if pooled.studies.pooled[j]), members[0])
    back = pooled.back
    values = {
        "estimate": shown.of(back, "TE", "_w")[i],
        # A subgroup of one study is that study, with the study's own interval.
        "ci_low": back.lower[member] if one else shown.of(back, "lower", "_w")[i],
        "ci_high": back.upper[member] if one else shown.of(back, "upper", "_w")[i],
        "I2": pooled.I2_w[i],
        "tau2": pooled.tau2_w[i],
        "p_heterogeneity": pooled.pval_Q_w[i],
        "k": pooled.k_w[i],
    }
    values |= {name: _sum_of(pooled, name, members) for name in sums}
    if quantity not in values:
        raise DataError(f"'{quantity}' is no quantity of a subgroup; known: {', '.join(values)}")
    return float(values[quantity])


def quantity_of(
    pooled: Any, quantity: str, subgroup: str, *, shown: Shown, sums: Sequence[str], split: bool, what: str
) -> tuple[float | None, str]:
    """Our number for a quantity of published.csv, or None and the reason; `what` names the kind of analysis.

    Raises
    ------
    DataError
        No such subgroup, or no such quantity.
    """
    if subgroup:
        levels = [str(level).lower() for level in pooled.subgroup_levels] if split else []
        if subgroup.lower() not in levels:
            return None, "no such subgroup here"
        value = subgroup_quantity(pooled, subgroup, quantity, shown=shown, sums=sums)
        return (value, "") if math.isfinite(value) else (None, "does not exist")
    back, model = pooled.back, shown.model
    makers: Mapping[str, Any] = {
        "estimate": lambda: shown.of(back, "TE"),
        "ci_low": lambda: shown.of(back, "lower"),
        "ci_high": lambda: shown.of(back, "upper"),
        "predict_low": lambda: back.lower_predict,
        "predict_high": lambda: back.upper_predict,
        "I2": lambda: pooled.I2,
        "tau2": lambda: pooled.tau2,
        "Q": lambda: first_statistic(pooled.Q),
        "p_heterogeneity": lambda: first_statistic(pooled.pval_Q),
        "Q_between": lambda: getattr(pooled, f"Q_b_{model}") if split else math.nan,
        "df_between": lambda: getattr(pooled, f"df_Q_b_{model}") if split else math.nan,
        "p_between": lambda: getattr(pooled, f"pval_Q_b_{model}") if split else math.nan,
        "k": lambda: pooled.k,
    }
    if quantity in sums:
        value = _sum_of(pooled, quantity, range(len(pooled.studies.studlab)))
    elif quantity == "p_effect" and what == "comparison":
        value = float(shown.of(pooled, "pval"))
    elif quantity in makers:
        value = float(makers[quantity]())
    else:
        known = [*makers, *sums, *(["p_effect"] if what == "comparison" else [])]
        raise DataError(f"'{quantity}' is no quantity of a {what} analysis; known: {', '.join(known)}")
    return (value, "") if math.isfinite(value) else (None, "does not exist")


def scale_numbers(pooled: Any) -> dict[str, Any]:
    """The pooled numbers for other programs, on the analysis scale and on the reporting scale."""
    names = (
        "TE_common", "seTE_common", "lower_common", "upper_common", "TE_random", "seTE_random", "lower_random",
        "upper_random", "lower_predict", "upper_predict",
    )  # fmt: skip
    shared = ("k", "tau2", "lower_tau2", "upper_tau2", "Q", "df_Q", "pval_Q", "I2", "lower_I2", "upper_I2", "H")
    found: dict[str, Any] = {"analysis_scale": {key: getattr(pooled, key) for key in names}}
    found["reporting_scale"] = {key: getattr(pooled.back, key) for key in names if not key.startswith("seTE")}
    return found | {key: getattr(pooled, key) for key in shared}


def result_file(numbers: Mapping[str, Any]) -> bytes:
    """The numbers as a JSON file."""
    return (json.dumps(plain(numbers), indent=2, ensure_ascii=False) + "\n").encode()


def drawn_files(drawings: Mapping[str, Any]) -> dict[str, bytes]:
    """Each drawing as SVG, PDF and PNG under `figures/`."""
    return {
        f"figures/{figure}.{ending}": getattr(drawing, ending)()
        for figure, drawing in drawings.items()
        for ending in ("svg", "pdf", "png")
    }
