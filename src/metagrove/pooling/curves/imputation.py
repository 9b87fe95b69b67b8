"""Draws of reconstructed patients as multiple imputations: the interval includes what reconstruction cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array, PatientTimes
from metagrove.pooling.curves.fit import (
    ArcsineFit,
    arcsine_cells,
    arcsine_fit,
    between_covariance,
    cochran_q,
    inconsistency,
)
from metagrove.pooling.curves.grid import CurveGrid, LastInterval, StudyCurve, automatic_step, curve_grid, grid_rows
from metagrove.pooling.curves.intervals import arcsine_survival, area, crossing, crossings, log_covariance
from metagrove.pooling.curves.summary import CurveSettings, PooledCurve, chi_square_tail, curve_of_fit

__all__ = ["Imputed", "ImputedCurve", "combine_imputations", "drawn_sets", "imputed_curve", "imputed_estimate"]

_RUBIN = "Rubin DB. Multiple Imputation for Nonresponse in Surveys. Wiley 1987. doi:10.1002/9780470316696"


@dataclass(frozen=True, slots=True)
class Imputed(Result):
    """An estimate combined over draws by Rubin's rules.

    Parameters
    ----------
    estimate, se : the mean over draws and its total standard error.
    within, between : variance by sampling of patients, and by reconstruction, (1 + 1/m) times that among draws.
    df : degrees of freedom; infinite when draws agree.
    draws : m.
    """

    estimate: float
    se: float
    within: float
    between: float
    df: float
    draws: int
    level: float = 0.95

    @property
    def share(self) -> float:
        """Share of the variance that is due to reconstruction, 0 to 1."""
        total = self.within + self.between
        return self.between / total if total > 0 else 0.0

    @property
    def ci(self) -> tuple[float, float]:
        """Limits from the t distribution with `df` degrees of freedom."""
        from scipy.special import ndtri, stdtrit

        tail = 0.5 + self.level / 2
        half = self.se * float(ndtri(tail) if math.isinf(self.df) else stdtrit(self.df, tail))
        return self.estimate - half, self.estimate + half

    def rows(self) -> list[dict[str, Any]]:
        """One line."""
        lower, upper = self.ci
        return [
            {
                "estimate": self.estimate,
                "se": self.se,
                "lower": lower,
                "upper": upper,
                "share": self.share,
                "df": self.df,
            }
        ]

    def summary(self) -> str:
        """The estimate with its interval and the share due to reconstruction."""
        lower, upper = self.ci
        return (
            f"{self.estimate:.4g} ({self.level:.0%} CI {lower:.4g} to {upper:.4g}); {self.share:.0%} of the variance "
            f"is due to reconstruction ({self.draws} draws)"
        )

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return _explained(self.draws)


def _explained(draws: int) -> Explanation:
    return Explanation(
        f"{draws} draws of reconstructed patients were analysed one by one and combined by Rubin's rules, so that "
        "intervals include the uncertainty of reconstruction.",
        (_RUBIN,),
    )


def combine_imputations(estimates: Any, variances: Any, *, level: float = 0.95) -> Imputed:
    """Rubin's combination of the estimates of m draws with their variances, both of shape (m,), m at least 2.

    Rubin (1987), doi:10.1002/9780470316696, chapter 3.

    >>> combined = combine_imputations([1.0, 1.2, 0.8], [0.04, 0.04, 0.04])
    >>> round(combined.estimate, 3), round(combined.se, 4), round(combined.share, 3)
    (1.0, 0.3055, 0.571)
    """
    q, u = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    if q.ndim != 1 or q.shape != u.shape or q.size < 2:
        raise DataError(f"{q.size} estimates and {u.size} variances; one of each for at least 2 draws is needed")
    if not (np.isfinite(q).all() and np.isfinite(u).all() and (u >= 0).all()):
        raise DataError(
            f"draw {int(np.argmin(np.isfinite(q) & np.isfinite(u) & (u >= 0))) + 1} has no estimate or variance"
        )
    m = q.size
    within, between = float(u.mean()), (1 + 1 / m) * float(q.var(ddof=1))
    df = (m - 1) * (1 + within / between) ** 2 if between > 0 else math.inf
    return Imputed(float(q.mean()), math.sqrt(within + between), within, between, df, m, level)


def _split(name: str, given: Any) -> list[PatientTimes]:
    """The draws of one study; a table without a `draw` column is one draw that holds for all."""
    try:
        time, event = np.asarray(given["time"], dtype=float), np.asarray(given["event"])
        draw = np.asarray(given["draw"]) if "draw" in given else np.zeros(time.size)
    except (KeyError, TypeError, ValueError) as problem:
        raise DataError(f"{name}: draws are a table of draw, time and event ({problem})") from None
    if not time.size:
        raise DataError(f"{name}: no patients")
    order = np.argsort(draw, kind="stable")
    edges = np.flatnonzero(np.diff(np.unique(draw, return_inverse=True)[1][order])) + 1
    try:
        pieces = zip(np.split(time[order], edges), np.split(event[order], edges), strict=True)
        return [PatientTimes(t, e) for t, e in pieces]
    except DataError as problem:
        raise DataError(f"{name}: {problem}") from None


def _draws(studies: Mapping[str, Any]) -> Iterator[dict[str, PatientTimes]]:
    """One set of studies for each draw; studies with fewer draws are used in turn."""
    if not studies:
        raise DataError("no study; at least one table of draws is needed")
    pieces = {str(name): _split(str(name), given) for name, given in studies.items()}
    count = max(len(piece) for piece in pieces.values())
    if count < 2:
        raise MethodError("one draw; a combination needs at least 2 draws of a study (a column 'draw')")
    for i in range(count):
        yield {name: piece[i % len(piece)] for name, piece in pieces.items()}


def drawn_sets(studies: Mapping[str, Any]) -> list[dict[str, PatientTimes]]:
    """One set of studies for each draw, for tables of `draw, time, event` as `imputed_curve` takes them."""
    return list(_draws(studies))


def imputed_estimate(
    studies: Mapping[str, Any],
    estimate: Callable[[dict[str, PatientTimes]], tuple[float, float]],
    *,
    level: float = 0.95,
) -> Imputed:
    """Any estimate from the patients of all studies, combined over draws.

    Parameters
    ----------
    studies : for each study a frame of `draw, time, event`; a frame without `draw` holds in every draw.
    estimate : the studies of one draw to an estimate and its standard error, on a scale where it is about normal.
    """
    found = [estimate(one) for one in _draws(studies)]
    return combine_imputations([q for q, _ in found], [se**2 for _, se in found], level=level)


@dataclass(frozen=True, slots=True, eq=False)
class ImputedCurve(Result):
    """A summary curve combined over draws of reconstructed patients.

    Parameters
    ----------
    curve : the combined curve; its limits, simulated curves and median hold the whole uncertainty. Q, H2 and I2 are
        means over draws (p from the mean Q); studies' curves and numbers at risk are means over draws.
    share : shape (J,), share of the variance of log survival that is due to reconstruction.
    share_median, share_mean : the same for the median (NaN where a draw has none) and for the area to the last time.
    medians : shape (m,), the median of each draw.
    draws : m.
    """

    curve: PooledCurve
    share: Array
    share_median: float
    share_mean: float
    medians: Array = field(repr=False)
    draws: int

    def rows(self) -> list[dict[str, Any]]:
        """The curve's lines with the share due to reconstruction."""
        return [line | {"share": float(s)} for line, s in zip(self.curve.rows(), self.share, strict=True)]

    def summary(self) -> str:
        """The curve and the shares as text."""
        median = "" if math.isnan(self.share_median) else f" of the median's variance {self.share_median:.0%},"
        return (
            f"{self.curve.summary()}\ndue to reconstruction ({self.draws} draws):{median} "
            f"of the mean's variance {self.share_mean:.0%}"
        )

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return self.curve.explain() + _explained(self.draws)


def imputed_curve(
    studies: Mapping[str, Any],
    step: float | None = None,
    *,
    last: LastInterval = "observed",
    horizon: float | None = None,
    settings: CurveSettings | None = None,
    rng: np.random.Generator | None = None,
) -> ImputedCurve:
    """The summary curve of studies whose patients were reconstructed with draws.

    Parameters
    ----------
    studies : for each study a frame of `draw, time, event` (a frame without `draw` holds in every draw).
    step, last, horizon : of the grid, as for `grid_table`.
    settings, rng : of the curve, as for `summary_curve`.

    Raises
    ------
    MethodError : no study with two draws.

    Notes
    -----
    The pooled vectors on the arcsine scale are combined by Rubin's rules (1987, doi:10.1002/9780470316696): the mean
    over draws, with the mean covariance plus (1 + 1/m) times the covariance among draws. Times that some draw does not
    reach are left out.
    """
    how = settings or CurveSettings()
    sets = list(_draws(studies))
    if step is None:
        step = automatic_step(max(float(p.time.max()) for p in sets[0].values()))
    grids = [curve_grid(*grid_rows(one, step, last=last, horizon=horizon)) for one in sets]
    time = grids[int(np.argmin([grid.time.size for grid in grids]))].time
    fits, heterogeneity = [], []
    for grid in grids:
        short = _until(grid, time.size)
        cells = arcsine_cells(short, how.correction, msurv=how.compat == "msurv")
        fits.append(arcsine_fit(cells, None if how.model == "fixed" else between_covariance(cells)))
        heterogeneity.append(_heterogeneity(short, how))
    m = len(fits)
    b = np.array([fit.b for fit in fits])
    within = np.mean([fit.cov for fit in fits], axis=0)
    between = (1 + 1 / m) * np.cov(b, rowvar=False).reshape(time.size, time.size)
    tau2 = np.mean([fit.tau2 for fit in fits], axis=0)
    fit = ArcsineFit(b.mean(axis=0), within + between, tau2)
    mean_grid = _mean_grid([_until(grid, time.size) for grid in grids])
    mean_cells = arcsine_cells(mean_grid, how.correction, msurv=how.compat == "msurv")
    curve = curve_of_fit(mean_grid, mean_cells, fit, how, rng)
    q, h2, i2 = np.mean(heterogeneity, axis=0)
    curve = replace(curve, Q=float(q), pval_Q=chi_square_tail(float(q), curve.df_Q), H2=float(h2), I2=float(i2))
    curves = arcsine_survival(b.T)
    medians = crossings(time, curves)
    return ImputedCurve(
        curve,
        _share(log_covariance(ArcsineFit(fit.b, between, tau2)), log_covariance(fit)),
        _median_share(time, curve, medians),
        _ratio((1 + 1 / m) * float(area(time, curves).var(ddof=1)), float(area(time, curve.draws).var(ddof=1))),
        medians,
        m,
    )


def _until(grid: CurveGrid, size: int) -> CurveGrid:
    """The first `size` times of a grid; all grids have the same step, so that they agree there."""
    return replace(grid, time=grid.time[:size], n_risk=grid.n_risk[:, :size], conditional=grid.conditional[:, :size])


def _mean_grid(grids: list[CurveGrid]) -> CurveGrid:
    """Cells that most draws have, at their means over the draws that have them."""
    conditional = np.array([grid.conditional for grid in grids])
    there = np.isfinite(conditional)
    often = there.mean(axis=0) >= 0.5
    often[:, ~often.any(axis=0)] = there.any(axis=0)[:, ~often.any(axis=0)]
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(often, np.where(there, conditional, 0.0).sum(axis=0) / count, np.nan)
    n_risk = np.where(often, np.where(there, [grid.n_risk for grid in grids], 0.0).sum(axis=0) / count, 0.0)
    first = grids[0]
    curves = []
    for i, name in enumerate(first.studies):
        here = np.flatnonzero(often[i])
        curves.append(StudyCurve(name, first.time[here], np.cumprod(mean[i, here], dtype=np.float64), n_risk[i, here]))
    notes = tuple(dict.fromkeys(note for grid in grids for note in grid.notes))
    return CurveGrid(first.studies, first.time, n_risk, mean, tuple(curves), notes)


def _heterogeneity(grid: CurveGrid, how: CurveSettings) -> tuple[float, float, float]:
    """Q, H² and I² of one draw."""
    cells = arcsine_cells(grid, how.correction, msurv=how.compat == "msurv")
    q = float(cochran_q(cells, arcsine_fit(cells, None).b).sum())
    return q, *inconsistency(cells, q)[:2]


def _share(part: Array, whole: Array) -> Array:
    top, bottom = np.diag(part), np.diag(whole)
    known = np.isfinite(top) & np.isfinite(bottom) & (bottom > 0)
    return np.where(known, np.where(known, top, 0.0) / np.where(known, bottom, 1.0), np.nan)


def _ratio(part: float, whole: float) -> float:
    return min(part / whole, 1.0) if whole > 0 else 0.0


def _median_share(time: Array, curve: PooledCurve, medians: Array) -> float:
    """Share of the median's variance due to draws; the whole from the middle two thirds, which outliers do not move."""
    if not np.isfinite(medians).all() or not math.isfinite(crossing(time, curve.survival)):
        return math.nan
    low, high = np.quantile(np.minimum(crossings(time, curve.draws), 2 * time[-1]), [0.1587, 0.8413])
    between = (1 + 1 / medians.size) * float(medians.var(ddof=1))
    return _ratio(between, ((float(high) - float(low)) / 2) ** 2)
