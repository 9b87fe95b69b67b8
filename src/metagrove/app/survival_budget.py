"""The error budget of one survival analysis: as numbers, as a table, and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metagrove.report.document import Cell, Column, Table
from metagrove.review.folder import Review
from metagrove.review.spec import SurvivalAnalysis

if TYPE_CHECKING:
    from metagrove.pooling.curves.error_budget import BudgetLine
    from metagrove.pooling.curves.reading import DigitizingSensitivity
    from metagrove.pooling.curves.summary import PooledCurve

__all__ = ["budget_lines", "budget_table", "budget_words", "doubtful_times", "milestones", "reading_table"]

_PARTS = (
    ("digitizing", "digitizing"),
    ("reconstruction", "reconstruction"),
    ("sampling", "number of patients"),
    ("between", "between studies"),
    ("monte_carlo", "Monte Carlo"),
)


def milestones(pooled: PooledCurve, every: float, unit: str) -> list[float]:
    """The times whose rates are told apart: 6, 12 and 24 months, else a quarter, a half and the whole of the axis."""
    last = float(pooled.time[-1])
    asked = [6.0, 12.0, 24.0] if unit == "months" else [every * round(part * last / every) for part in (0.25, 0.5, 1)]
    return [t for t in dict.fromkeys(asked) if 0 < t <= last * (1 + 1e-9)]


def budget_lines(
    review: Review, analysis: SurvivalAnalysis, pooled: PooledCurve, arms: Mapping[str, Mapping[str, Any]]
) -> list[BudgetLine]:
    """The parts of the uncertainty of the pooled median and of survival at the milestones."""
    import numpy as np

    from metagrove.pooling.curves.error_budget import RebuiltArm, error_budget

    rebuilt = {
        review.label(study): RebuiltArm(
            np.asarray(arm["time"], dtype=float),
            np.asarray(arm["event"], dtype=bool),
            tuple((np.asarray(t, dtype=float), np.asarray(e, dtype=bool)) for t, e in arm.get("draws", ())),
            arm["time_error"] or 0.0,
            arm["survival_error"] or 0.0,
        )
        for study, arm in arms.items()
    }
    times = milestones(pooled, analysis.rates_every, review.spec.time_unit)
    rng = np.random.default_rng([analysis.seed, 6])
    return error_budget(rebuilt, pooled, times, step=analysis.step, rng=rng)


def _name(line: BudgetLine, unit: str) -> str:
    return f"Median, {unit}" if line.time is None else f"Survival at {line.time:g}, %"


def _shown(line: BudgetLine, value: float) -> str:
    if math.isnan(value):
        return "not drawn"
    return f"{value:.3f}" if line.time is None else f"{100 * value:.2f}"


def budget_table(lines: Sequence[BudgetLine], unit: str) -> Table:
    """One row for each quantity, one column for each part, each a standard error."""
    rows = tuple(
        (
            Cell(_name(line, unit)),
            Cell(f"{line.estimate:.2f}" if line.time is None else f"{100 * line.estimate:.1f}"),
            *(Cell(_shown(line, getattr(line, part))) for part, _ in _PARTS),
            Cell(_shown(line, line.total)),
        )
        for line in lines
    )
    heads = ("Quantity", "Estimate", *(label[0].upper() + label[1:] for _, label in _PARTS), "Together")
    columns = tuple(Column(head, "left" if i == 0 else "right") for i, head in enumerate(heads))
    notes = (
        "Standard errors. Digitizing: what the axes may be off (pixel, line width, calibration). Reconstruction: what the "
        "figures leave open about the patients. The parts are taken as independent.",
    )
    return Table("Where the uncertainty comes from, step by step", columns, rows, notes)


def budget_words(lines: Sequence[BudgetLine], unit: str) -> list[str]:
    """One line of text for each quantity."""
    out = []
    for line in lines:
        whole = line.time is None
        scale, ending = (1.0, f" {unit}") if whole else (100.0, " %")
        parts = [f"{label} {_shown(line, getattr(line, part))}" for part, label in _PARTS]
        what = "median" if whole else f"survival at {line.time:g}"
        digits = 2 if whole else 1
        value, error = scale * line.estimate, scale * line.total
        out.append(f"{what} {value:.{digits}f} ± {error:.{digits}f}{ending} (standard errors: {', '.join(parts)})")
    return out


def reading_table(reading: DigitizingSensitivity, unit: str) -> Table:
    """One row for each study: how far the pooled curve moves with what its figure leaves open; the largest share first."""

    def span(low: float, high: float) -> str:
        return (
            "not reached"
            if math.isnan(low)
            else f"{low:.2f} to {high:.2f}"
            if math.isfinite(high)
            else f"from {low:.2f}"
        )

    rows = tuple(
        (
            Cell(row["study"]),
            Cell(span(row["median_low"], row["median_high"])),
            Cell(span(row["mean_low"], row["mean_high"])),
            Cell(f"{100 * row['largest_shift']:.2f}"),
            Cell(f"{100 * row['share']:.0f}"),
        )
        for row in sorted(reading.rows(), key=lambda row: -row["share"])
    )
    heads = (
        "Study",
        f"Pooled median, {unit}",
        f"Pooled mean to {reading.horizon:g}, {unit}",
        "Largest shift of survival, %",
        "Share, %",
    )
    columns = tuple(Column(head, "left" if i == 0 else "right") for i, head in enumerate(heads))
    notes = (
        f"The range over {reading.draws} sets of plausible patients of the study, the other studies held at one set. Share: of "
        "the variance of the pooled mean that comes from reading figures; a large one says which figure to read again.",
    )
    return Table("Whose figure matters", columns, rows, notes)


def doubtful_times(
    review: Review, analysis: SurvivalAnalysis, pooled: PooledCurve, arms: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """A caution for each reported time at which events within the reading error would move pooled survival by 1 %.

    Times that were seen to be rounded have been put back onto their lattice and leave no such doubt.
    """
    import numpy as np

    from metagrove.pooling.curves.grid import curve_grid, grid_table
    from metagrove.pooling.curves.summary import pooled_curve

    every, last = analysis.rates_every, float(pooled.time[-1])
    found = []
    for t in np.arange(every, last + 1e-9, every).tolist():
        moved: dict[str, Any] = {}
        who = []
        for study, arm in arms.items():
            time, event = np.array(arm["time"], dtype=float), np.asarray(arm["event"], dtype=bool)
            near = event & (np.abs(time - t) <= (arm["time_error"] or 0.0)) & (arm["lattice"] is None)
            if near.any():
                who.append(f"{review.label(study)} at {time[near][0]:.2f}")
                time[near] = np.where(time[near] > t, t, t + 2 * (arm["time_error"] or 0.0))
            moved[review.label(study)] = time, event
        if not who:
            continue
        table = grid_table(moved, analysis.step, horizon=last)
        grid = curve_grid(table["study"], table["time"], table["n_risk"], table["survival"])
        other = pooled_curve(grid, pooled.settings)
        if t > other.time[-1] or abs(float(other.at(t)) - float(pooled.at(t))) < 0.01:
            continue
        found.append(
            f"Survival at {t:g} is {100 * float(pooled.at(t)):.1f} %, or {100 * float(other.at(t)):.1f} % if what was read "
            f"within its error of that time ({', '.join(who)}) fell on its other side."
        )
    return found
