"""What a fitted linear model says of new studies, and of the true effects of the old ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from metagrove.core.errors import DataError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.pooling.regression.columns import ColumnResult
from metagrove.pooling.regression.linear_model import LinearFit, critical_value

__all__ = [
    "PREDICTION",
    "Predictions",
    "best_predictions",
    "new_rows",
    "prediction_width",
    "predictions",
    "random_effects",
    "transformed",
]

_RILEY = "Riley RD, Higgins JPT, Deeks JJ. BMJ 2011;342:d549. doi:10.1136/bmj.d549"
_ROBINSON = "Robinson GK. Stat Sci 1991;6:15-32. doi:10.1214/ss/1177011926"

#: Prediction intervals: (degrees of freedom from k - p and the test's own, whether the coefficients' error counts).
PREDICTION: Registry[tuple[Callable[[float, float], float], bool]] = Registry("prediction interval (predtype)")
PREDICTION.put("default", (lambda own, residual: own, True), title="with the test's own distribution", cite=_RILEY)
PREDICTION.put(
    "Riley", (lambda own, residual: residual - 1, True), title="t with k - p - 1 degrees of freedom", cite=_RILEY
)
PREDICTION.put("t", (lambda own, residual: residual, True), title="t with k - p degrees of freedom", cite=_RILEY)
PREDICTION.put(
    "simple",
    (lambda own, residual: own, False),
    title="from the between-study variance alone",
    cite="Hedges LV, Olkin I. Statistical Methods for Meta-Analysis. 1985. doi:10.1016/C2009-0-03396-0",
)


@dataclass(frozen=True, slots=True, eq=False)
class Predictions(ColumnResult):
    """Predicted values `pred` with standard errors, confidence limits and prediction limits; NaN where there is none.

    Parameters
    ----------
    labels : one per row.
    pred, se, ci_lb, ci_ub, pi_lb, pi_ub : shape (m,), on the analysis scale, or transformed (then `se` is NaN).
    X : the design rows, shape (m, p), where they were asked for.
    vcov : covariance of the predictions, shape (m, m), where it was asked for.
    """

    labels: tuple[str, ...]
    pred: Array
    se: Array
    ci_lb: Array
    ci_ub: Array
    pi_lb: Array
    pi_ub: Array
    X: Array | None = None
    vcov: Array | None = None

    COLUMNS: ClassVar[tuple[str, ...]] = ("pred", "se", "ci_lb", "ci_ub", "pi_lb", "pi_ub")
    TITLE: ClassVar[str] = "Predictions with confidence and prediction intervals"
    SENTENCE: ClassVar[str] = "Predicted effects were given confidence and prediction intervals."
    REFERENCES: ClassVar[tuple[str, ...]] = (_RILEY,)


def new_rows(newmods: Any, p: int, *, has_intercept: bool, intercept: bool | None = None) -> Array:
    """Design rows, shape (m, p), from moderator values given as numbers.

    A vector is one row per value where the model has one moderator, else a single row; rows of p values are taken as
    they are, rows of p - 1 get the intercept put before them.
    """
    values = np.asarray(newmods, dtype=float)
    free = p - 1 if has_intercept else p
    if values.ndim < 2:
        values = values.reshape(-1, 1) if free == 1 else values.reshape(1, -1)
    if values.shape[1] == p and not (has_intercept and p == 1 and free == 0):
        return values
    if has_intercept and values.shape[1] == free:
        return np.column_stack([np.full(values.shape[0], float(intercept is not False)), values])
    raise DataError(f"newmods has {values.shape[1]} values in a row; the model has {free} moderators")


def transformed(result: Predictions, transf: Callable[[Any], Any] | None) -> Predictions:
    """The same predictions through a monotone function; limits that come out reversed are put in order."""
    if transf is None:
        return result
    done = {name: np.asarray(transf(getattr(result, name)), dtype=float) for name in result.COLUMNS if name != "se"}
    low, high = np.fmin(done["ci_lb"], done["ci_ub"]), np.fmax(done["ci_lb"], done["ci_ub"])
    below, above = np.fmin(done["pi_lb"], done["pi_ub"]), np.fmax(done["pi_lb"], done["pi_ub"])
    return replace(
        result,
        pred=done["pred"],
        se=np.full(low.shape, np.nan),
        ci_lb=low,
        ci_ub=high,
        pi_lb=below,
        pi_ub=above,
        vcov=None,
    )


def prediction_width(se: Array, between: Array, *, own: Array, residual: float, level: float, predtype: str) -> Array:
    """Half the width of prediction intervals; NaN where no degrees of freedom are left.

    `se` are the standard errors of the means, `between` the variances of true effects around them, `own` the degrees of
    freedom of the coefficients' tests (infinite for normal ones) and `residual` effects less coefficients.
    """
    if predtype not in PREDICTION:
        raise UnknownName(PREDICTION.kind, predtype, PREDICTION)
    freedom, with_error = PREDICTION[predtype]
    ddf = np.broadcast_to([freedom(float(at), residual) for at in np.atleast_1d(own)], se.shape)
    some = ddf > 0
    crit = np.where(some, critical_value(level, np.where(some, ddf, 1.0)), np.nan)
    return np.asarray(crit * np.sqrt(np.broadcast_to(between, se.shape) + (se**2 if with_error else 0.0)))


def predictions(
    fit: LinearFit,
    rows: Array,
    *,
    level: float | None = None,
    predtype: str = "default",
    labels: tuple[str, ...] | None = None,
    tau2: Array | float | None = None,
) -> Predictions:
    """Predicted mean effects at design rows, shape (m, p), with prediction intervals for a new study's true effect.

    `tau2` replaces the fit's between-study variance where it differs from row to row.
    """
    PREDICTION.entry(predtype)  # refuses unknown codes for equal effects too
    chance = fit.settings.level if level is None else level
    pred = rows @ fit.b
    vcov = rows @ fit.vb @ rows.T
    se = np.sqrt(np.diag(vcov))
    crit = critical_value(chance, fit.ddf)
    none = np.full(pred.shape, np.nan)
    between = fit.tau2 if tau2 is None else tau2
    low, high = none, none
    if not fit.equal_effects:
        own, residual = np.asarray(fit.ddf), float(fit.k - fit.p)
        width = prediction_width(se, np.asarray(between), own=own, residual=residual, level=chance, predtype=predtype)
        low, high = pred - width, pred + width
    names = labels or tuple(str(i + 1) for i in range(pred.size))
    return Predictions(names, pred, se, pred - crit * se, pred + crit * se, low, high, rows, vcov)


def _shrinkage(fit: LinearFit) -> Array:
    return np.asarray(np.broadcast_to(fit.tau2 / fit.total, (fit.k,)))


def _limits(fit: LinearFit, pred: Array, se: Array, labels: tuple[str, ...], level: float | None) -> Predictions:
    crit = critical_value(fit.settings.level if level is None else level, fit.ddf)
    none = np.full(pred.shape, np.nan)
    return Predictions(labels, pred, se, none, none, pred - crit * se, pred + crit * se)


def best_predictions(fit: LinearFit, labels: tuple[str, ...], *, level: float | None = None) -> Predictions:
    """Best linear unbiased predictions of the studies' true effects, with prediction limits (Robinson 1991)."""
    share = _shrinkage(fit)
    fixed = np.einsum("ij,jk,ik->i", fit.X, fit.vb, fit.X)
    pred = share * fit.y + (1 - share) * (fit.X @ fit.b)
    return _limits(fit, pred, np.sqrt(share * fit.v + (1 - share) ** 2 * fixed), labels, level)


def random_effects(fit: LinearFit, labels: tuple[str, ...], *, level: float | None = None) -> Predictions:
    """Predicted deviations of the studies' true effects from the model, with prediction limits (Robinson 1991)."""
    share = _shrinkage(fit)
    fixed = np.einsum("ij,jk,ik->i", fit.X, fit.vb, fit.X)
    return _limits(fit, share * fit.residuals, np.sqrt(share * fit.v + share**2 * fixed), labels, level)
