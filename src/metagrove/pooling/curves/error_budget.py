"""Where the uncertainty of a pooled survival curve comes from, step by step from the figure to the pooled number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.pooling.curves.fit import ArcsineCells, ArcsineFit, arcsine_cells, arcsine_fit, between_covariance
from metagrove.pooling.curves.grid import CurveGrid, curve_grid, grid_table
from metagrove.pooling.curves.intervals import arcsine_survival, crossing, crossings, simulated_curves
from metagrove.pooling.curves.summary import CurveSettings, PooledCurve

__all__ = ["BudgetLine", "RebuiltArm", "error_budget"]

SHIFTS = 60
SIMULATED = 4000
#: A 2.5 % point of n simulated normal values is off by sqrt(0.025 * 0.975 / n) / 0.0584 standard deviations.
_DENSITY = 0.058445


@dataclass(frozen=True, slots=True, eq=False)
class RebuiltArm:
    """One study's patients, their draws, and how far its axes may be off.

    Parameters
    ----------
    time, event : shape (n,). draws : plausible sets of (time, event), or empty.
    time_error, survival_error : half-widths of what a whole curve may be shifted by; 0 where nobody knows.
    """

    time: Array
    event: NDArray[np.bool_]
    draws: tuple[tuple[Array, NDArray[np.bool_]], ...] = ()
    time_error: float = 0.0
    survival_error: float = 0.0


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """The parts of the uncertainty of one pooled quantity, each a standard error in its unit.

    `digitizing` is what shifted axes do (pixel, line width, calibration), `reconstruction` what the figure leaves open
    about its patients (reading errors of single points among it; NaN without draws), `sampling` the number of patients,
    `between` the difference between studies, `monte_carlo` the finite number of draws and of simulated curves.
    """

    quantity: str
    time: float | None
    estimate: float
    digitizing: float
    reconstruction: float
    sampling: float
    between: float
    monte_carlo: float

    @property
    def figure(self) -> float:
        """What was lost between the patients and the figure's reader: digitizing and reconstruction together."""
        return math.hypot(self.digitizing, 0.0 if math.isnan(self.reconstruction) else self.reconstruction)

    @property
    def total(self) -> float:
        """All parts together, taken as independent."""
        return math.hypot(self.figure, self.sampling, self.between, self.monte_carlo)

    def row(self) -> dict[str, float | str | None]:
        """The line as a dict, with the total."""
        parts = ("digitizing", "reconstruction", "sampling", "between", "monte_carlo", "total")
        known = {name: None if math.isnan(getattr(self, name)) else float(getattr(self, name)) for name in parts}
        return {"quantity": self.quantity, "time": self.time, "estimate": self.estimate, **known}


def error_budget(
    arms: Mapping[str, RebuiltArm],
    pooled: PooledCurve,
    times: Sequence[float],
    *,
    step: float,
    rng: np.random.Generator,
) -> list[BudgetLine]:
    """The budget of the pooled median and of pooled survival at `times`; the median is left out where there is none.

    Parameters
    ----------
    arms : every study's rebuilt patients. pooled : the curve they gave; its settings and times are used.
    times : within the pooled curve. step : of the grid. rng : for the shifts and the simulated curves.

    Raises
    ------
    DataError : a time beyond the pooled curve.

    Notes
    -----
    Digitizing: each study's curve is shifted as a whole, 60 times, by errors of its axes drawn uniformly within their
    half-widths at both ends of the axis, independently between studies, and pooled again. Reconstruction: each draw is
    pooled; the variance among draws times 1 + 1/m (Rubin 1987, doi:10.1002/9780470316696). Sampling and between: the
    covariance of the generalised least-squares vector split into the part that its weights make of the sampling
    variances and the part they make of the covariance between studies, carried to the quantity by simulated curves.
    The split and the shifts are ours; the parts are taken as independent.
    """
    late = [t for t in times if not 0 < t <= pooled.time[-1] * (1 + 1e-9)]
    if late:
        raise DataError(f"the pooled curve reaches {pooled.time[-1]:g}; {late[0]:g} was asked for")
    asked = _Asked(tuple(times), pooled)
    digitizing = _spread([asked.of(_shifted(arms, pooled, step, rng)) for _ in range(SHIFTS)])
    draws = max((len(arm.draws) for arm in arms.values()), default=0)
    redrawn = [asked.of(_curve(_drawn(arms, i), pooled, step)) for i in range(draws)]
    reconstruction = _spread(redrawn) * math.sqrt(1 + 1 / max(draws, 1)) if draws > 1 else asked.unknown
    within, between = (
        _simulated(asked, pooled.fit.b, cov, pooled.time, rng) for cov in _split(pooled.cells, pooled.fit)
    )
    lines = []
    for i, (name, time) in enumerate(asked.names):
        estimate = float(asked.of((pooled.time, pooled.survival))[i])
        if not math.isfinite(estimate):
            continue
        parts = float(digitizing[i]), float(reconstruction[i]), float(within[i]), float(between[i])
        known = [0.0 if math.isnan(p) else p for p in parts]
        drawing = known[1] / math.sqrt(max(draws, 1))
        limits = math.sqrt(0.025 * 0.975 / pooled.settings.draws) / _DENSITY * math.hypot(*known)
        lines.append(
            BudgetLine(name, time, estimate, parts[0], parts[1], parts[2], parts[3], math.hypot(drawing, limits))
        )
    return lines


@dataclass(frozen=True, slots=True)
class _Asked:
    """The quantities: the median, then survival at each time."""

    times: tuple[float, ...]
    pooled: PooledCurve

    @property
    def names(self) -> list[tuple[str, float | None]]:
        return [("median", None), *(("survival", t) for t in self.times)]

    @property
    def unknown(self) -> Array:
        return np.full(len(self.times) + 1, np.nan)

    def of(self, curve: tuple[Array, Array]) -> Array:
        """The quantities of a curve, its last level held beyond its end; NaN where the median is not reached."""
        time, survival = curve
        levels = np.interp(self.times, np.append(0.0, time), np.append(1.0, survival))
        return np.append(crossing(time, survival), levels)


def _spread(found: Sequence[Array]) -> Array:
    """The standard deviation of each quantity; NaN where fewer than half have it."""
    table = np.array(found)
    there = np.isfinite(table)
    enough = there.sum(axis=0) >= max(2, len(table) / 2)
    centre = np.where(there, table, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    squares = np.where(there, table - centre, 0.0) ** 2
    return np.where(enough, np.sqrt(squares.sum(axis=0) / np.maximum(there.sum(axis=0) - 1, 1)), np.nan)


def _drawn(arms: Mapping[str, RebuiltArm], i: int) -> dict[str, tuple[Array, NDArray[np.bool_]]]:
    return {name: arm.draws[i % len(arm.draws)] if arm.draws else (arm.time, arm.event) for name, arm in arms.items()}


def _table(
    patients: Mapping[str, tuple[Array, NDArray[np.bool_]]], pooled: PooledCurve, step: float
) -> dict[str, Array]:
    found = grid_table(patients, step, horizon=float(pooled.time[-1]))
    return {name: np.asarray(found[name]) for name in ("study", "time", "n_risk", "survival")}


def _fitted(table: Mapping[str, Array], pooled: PooledCurve) -> tuple[Array, Array]:
    """Times and survival of the table pooled as `pooled` was."""
    how: CurveSettings = pooled.settings
    grid: CurveGrid = curve_grid(table["study"], table["time"], table["n_risk"], table["survival"])
    cells = arcsine_cells(grid, how.correction, msurv=how.compat == "msurv")
    return grid.time, arcsine_survival(
        arcsine_fit(cells, None if how.model == "fixed" else between_covariance(cells)).b
    )


def _curve(
    patients: Mapping[str, tuple[Array, NDArray[np.bool_]]], pooled: PooledCurve, step: float
) -> tuple[Array, Array]:
    return _fitted(_table(patients, pooled, step), pooled)


def _shifted(
    arms: Mapping[str, RebuiltArm], pooled: PooledCurve, step: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The pooled curve after an error of every study's axes: at both ends of time, and of survival at its foot."""
    moved, tilts = {}, {}
    for name, arm in arms.items():
        first, last, tilt = rng.uniform(-1.0, 1.0, 3)
        share = arm.time / max(float(arm.time.max()), 1e-12)
        time = arm.time + arm.time_error * (first * (1 - share) + last * share)
        moved[name] = np.maximum(time, 1e-6 * step), arm.event
        tilts[name] = tilt * arm.survival_error
    table = _table(moved, pooled, step)
    off = np.array([tilts[str(study)] for study in table["study"]])
    table["survival"] = _falling(table, table["survival"] + off * (1 - table["survival"]) * (table["survival"] > 0))
    return _fitted(table, pooled)


def _falling(table: Mapping[str, Array], survival: Array) -> Array:
    """Survival within 0 and 1 that never rises within a study, nor falls where nobody is at risk."""
    out = np.clip(survival, 0.0, 1.0)
    for study in np.unique(table["study"]):
        own = table["study"] == study
        out[own] = np.minimum.accumulate(out[own])
    return out


def _split(cells: ArcsineCells, fit: ArcsineFit) -> Iterator[Array]:
    """The covariance of the pooled vector that is due to sampling, and that due to the differences between studies."""
    size = fit.b.size
    if not fit.tau2.any():
        yield fit.cov
        yield np.zeros((size, size))
        return
    within, between = np.zeros((size, size)), np.zeros((size, size))
    for v in cells.v:
        weight = fit.cov @ np.linalg.inv(fit.tau2 + np.diag(v))
        # a cell that the study does not have weighs nothing; its nominal variance must not come back
        here = np.where(v < 1e9, v, 0.0)
        within += (weight * here) @ weight.T
        between += weight @ fit.tau2 @ weight.T
    yield within
    yield between


def _simulated(asked: _Asked, b: Array, cov: Array, time: Array, rng: np.random.Generator) -> Array:
    """Half the width of the middle two thirds of each quantity over curves simulated with one covariance."""
    if not cov.any():
        return np.zeros(len(asked.times) + 1)
    curves = simulated_curves(b, cov, rng, draws=SIMULATED)
    medians = np.minimum(crossings(time, curves), 2 * time[-1])
    whole = np.vstack([np.ones(curves.shape[1]), curves])
    places = np.searchsorted(time, np.asarray(asked.times) * (1 - 1e-12))
    ends = np.append(0.0, time)
    share = (np.asarray(asked.times) - ends[places]) / (ends[places + 1] - ends[places])
    levels = whole[places] * (1 - share)[:, None] + whole[places + 1] * share[:, None]
    low, high = np.quantile(np.vstack([medians, levels]), [0.1587, 0.8413], axis=1)
    return np.asarray((high - low) / 2)
