"""What single studies do to a fitted linear model: leverages, residuals, deletion diagnostics.

Viechtbauer W, Cheung MWL. Outlier and influence diagnostics for meta-analysis. Res Synth Methods 2010;1:112-125.
doi:10.1002/jrsm.11. Cases: `influence_bcg`, `influence_raudenbush1985`, `metareg_bcg`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metagrove.core.errors import ConvergenceError, DataError, MethodError, UnknownName
from metagrove.core.values import Array
from metagrove.pooling.regression.columns import ColumnResult
from metagrove.pooling.regression.linear_model import LinearFit, critical_value, two_sided

__all__ = [
    "Influence",
    "RefitTable",
    "Residuals",
    "deleted_residuals",
    "hat_matrix",
    "influence",
    "refits",
    "standardised_residuals",
    "weight_matrix",
    "weights",
]

_VIECHTBAUER = "Viechtbauer W, Cheung MWL. Res Synth Methods 2010;1:112-125. doi:10.1002/jrsm.11"


def hat_matrix(fit: LinearFit) -> Array:
    """H with fitted values Hy, shape (k, k)."""
    root = np.sqrt(fit.A)
    q, r = np.linalg.qr(fit.X * root[:, None])
    return np.asarray(fit.X @ np.linalg.inv(r) @ (q * root[:, None]).T)


def weights(fit: LinearFit) -> Array:
    """Weights of the studies in percent, shape (k,)."""
    a = fit.A
    return np.asarray(100 * a / a.sum())


def weight_matrix(fit: LinearFit) -> Array:
    """The weight matrix whose diagonal scales the studies, shape (k, k)."""
    return np.asarray(np.diag(fit.A))


@dataclass(frozen=True, slots=True, eq=False)
class Residuals(ColumnResult):
    """Residuals `resid`, their standard errors `se` and ratios `z`, shape (k,).

    `reasons` says of each study without a standardised or deleted residual (NaN) why it has none.
    """

    labels: tuple[str, ...]
    resid: Array
    se: Array
    z: Array
    reasons: tuple[str, ...] = ()

    COLUMNS: ClassVar[tuple[str, ...]] = ("resid", "se", "z")
    TITLE: ClassVar[str] = "Residuals"
    SENTENCE: ClassVar[str] = "Outliers were sought by standardised residuals."
    REFERENCES: ClassVar[tuple[str, ...]] = (_VIECHTBAUER,)


def standardised_residuals(fit: LinearFit, labels: tuple[str, ...]) -> Residuals:
    """Internally standardised residuals."""
    rest = np.eye(fit.k) - hat_matrix(fit)
    se = np.sqrt(np.maximum((rest**2) @ fit.total, 0.0))
    resid = fit.residuals
    resid = np.where(np.abs(resid) < 100 * np.finfo(float).eps, 0.0, resid)
    some = se > 1e-12
    reasons = tuple(f"{labels[i]}: fitted exactly, as a coefficient rests on it alone" for i in np.flatnonzero(~some))
    return Residuals(labels, resid, se, np.where(some, resid / np.where(some, se, 1.0), np.nan), reasons)


@dataclass(frozen=True, slots=True, eq=False)
class _Deletions:
    """The refits without each study (None where the rest cannot carry the model) and the reasons."""

    fits: tuple[LinearFit | None, ...]
    reasons: tuple[str, ...]


def _deletions(fit: LinearFit, labels: tuple[str, ...]) -> _Deletions:
    everyone = np.arange(fit.k)
    fits: list[LinearFit | None] = []
    reasons: list[str] = []
    for i in range(fit.k):
        keep = np.delete(everyone, i)
        X = fit.X[keep]
        if keep.size <= fit.p or np.linalg.matrix_rank(X) < fit.p:
            fits.append(None)
            reasons.append(f"{labels[i]}: without it the other studies do not determine the coefficients")
            continue
        try:
            fits.append(fit.subset(keep))
        except (ConvergenceError, MethodError, DataError) as error:
            fits.append(None)
            reasons.append(f"{labels[i]}: {error}")
    return _Deletions(tuple(fits), tuple(reasons))


def _deleted_residuals(fit: LinearFit, labels: tuple[str, ...], left: _Deletions) -> Residuals:
    resid, se = np.full(fit.k, np.nan), np.full(fit.k, np.nan)
    for i, other in enumerate(left.fits):
        if other is not None:
            x = fit.X[i]
            resid[i] = fit.y[i] - x @ other.b
            plain = x @ (other.vb / other.s2w) @ x
            se[i] = np.sqrt(other.s2w * (fit.v[i] + other.tau2 + plain))
    return Residuals(labels, resid, se, resid / se, left.reasons)


def deleted_residuals(fit: LinearFit, labels: tuple[str, ...]) -> Residuals:
    """Externally standardised residuals: each study against the model of the others."""
    return _deleted_residuals(fit, labels, _deletions(fit, labels))


@dataclass(frozen=True, slots=True, eq=False)
class Influence(ColumnResult):
    """Case diagnostics of each study; shape (k,) but for `dfbs`, which is (k, p), one column per coefficient.

    Studentised deleted residual `rstudent`, `dffits`, Cook's distance `cook_d`, covariance ratio `cov_r`, tau2 and Q
    without the study (`tau2_del`, `QE_del`), leverage `hat`, `weight` in percent; `is_infl` marks studies past the
    usual limits.
    """

    labels: tuple[str, ...]
    coef_names: tuple[str, ...]
    rstudent: Array
    dffits: Array
    cook_d: Array
    cov_r: Array
    tau2_del: Array
    QE_del: Array
    hat: Array
    weight: Array
    dfbs: Array
    is_infl: NDArray[np.bool_]
    reasons: tuple[str, ...] = ()

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "rstudent",
        "dffits",
        "cook_d",
        "cov_r",
        "tau2_del",
        "QE_del",
        "hat",
        "weight",
        "is_infl",
    )
    TITLE: ClassVar[str] = "Influence of single studies"
    SENTENCE: ClassVar[str] = (
        "A study was called influential where |DFFITS| > 3 sqrt(p / (k - p)), the lower tail of a chi-squared with p "
        "degrees of freedom cut off by Cook's distance exceeded 50%, its hat value exceeded 3 p / k, "
        "or any |DFBETAS| > 1."
    )
    REFERENCES: ClassVar[tuple[str, ...]] = (_VIECHTBAUER,)

    def __getitem__(self, key: str) -> Array:
        return np.asarray(getattr(self, key.replace(".", "_")))


def _cochran_q(y: Array, v: Array, X: Array) -> float:
    root = 1 / np.sqrt(v)
    q = np.linalg.qr(X * root[:, None])[0]
    e = root * y - q @ (q.T @ (root * y))
    return float(e @ e)


def _cochran_trace(v: Array, X: Array) -> float:
    """tr(P) for weights 1/v."""
    root = 1 / np.sqrt(v)
    q = np.linalg.qr(X * root[:, None])[0]
    return float(((1 - (q**2).sum(axis=1)) / v).sum())


def influence(fit: LinearFit, labels: tuple[str, ...], names: tuple[str, ...]) -> Influence:
    """Case deletion diagnostics of every study."""
    k, p = fit.k, fit.p
    if k <= p:
        raise MethodError(f"influence diagnostics need more studies than coefficients; there are {k} and {p}")
    left = _deletions(fit, labels)
    dffits, cook, cov_r, tau2_del, q_del = (np.full(k, np.nan) for _ in range(5))
    dfbs = np.full((k, p), np.nan)
    hat = np.diag(hat_matrix(fit))
    inverse, logdet = np.linalg.inv(fit.vb), np.linalg.slogdet(fit.vb)[1]
    for i, other in enumerate(left.fits):
        if other is None:
            continue
        shift = fit.b - other.b
        spread = other.s2w * _covariance_with(fit, other.tau2)
        # with inverse-variance weights the paper scales by the full model's leverage
        own = other.s2w * hat[i] * (other.tau2 + fit.v[i]) if fit.default_weights else fit.X[i] @ spread @ fit.X[i]
        dffits[i] = fit.X[i] @ shift / np.sqrt(own)
        cook[i] = shift @ inverse @ shift
        cov_r[i] = np.exp(np.linalg.slogdet(other.vb)[1] - logdet)
        tau2_del[i] = other.tau2
        q_del[i] = _cochran_q(other.y, other.v, other.X)
        dfbs[i] = shift / np.sqrt(np.diag(spread))
    with np.errstate(invalid="ignore"):
        marks = (
            (np.abs(dffits) > 3 * np.sqrt(p / (k - p)))
            | (special.chdtr(p, np.nan_to_num(cook)) > 0.5)
            | (hat > 3 * p / k)
            | (np.abs(dfbs) > 1).any(axis=1)
        )
    external = _deleted_residuals(fit, labels, left)
    return Influence(
        labels, names, external.z, dffits, cook, cov_r, tau2_del, q_del, hat, weights(fit), dfbs, marks, left.reasons
    )


def _covariance_with(fit: LinearFit, tau2: float) -> Array:
    """Covariance of the coefficients of all studies at another between-study variance, shape (p, p)."""
    total = fit.v + tau2
    a = 1 / total if fit.default_weights else fit.A
    root = np.sqrt(a)
    q, r = np.linalg.qr(fit.X * root[:, None])
    inverse = np.linalg.inv(r)
    return np.asarray(inverse @ (q.T @ (q * (a * total)[:, None])) @ inverse.T)


@dataclass(frozen=True, slots=True, eq=False)
class RefitTable(ColumnResult):
    """The pooled estimate of several subsets, one row each, under the names `leave1out` and `cumul` give them.

    `estimate`, `se`, `zval`, `pval`, `ci_lb`, `ci_ub`, `Q`, `Qp`, `tau2`, `I2` (a fraction), `H2`: shape (m,).
    `whole` is the estimate from all studies with its limits at `level`.
    """

    labels: tuple[str, ...]
    estimate: Array
    se: Array
    zval: Array
    pval: Array
    ci_lb: Array
    ci_ub: Array
    Q: Array
    Qp: Array
    tau2: Array
    I2: Array
    H2: Array
    whole: tuple[float, float, float] = (float("nan"), float("nan"), float("nan"))
    level: float = 0.95
    measure: str = ""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "estimate",
        "se",
        "zval",
        "pval",
        "ci_lb",
        "ci_ub",
        "Q",
        "Qp",
        "tau2",
        "I2",
        "H2",
    )
    SENTENCE: ClassVar[str] = "The pooled estimate was recalculated for subsets of the studies."
    REFERENCES: ClassVar[tuple[str, ...]] = (_VIECHTBAUER,)

    def __getitem__(self, key: str) -> Array:
        return np.asarray(getattr(self, key.replace(".", "_")))


def heterogeneity(fit: LinearFit) -> dict[str, float]:
    """Residual heterogeneity: QE, its df and p-value, I2 as a fraction, H2 and the typical sampling variance vt."""
    sums = fit.mean.sums(0.0) if fit.mean is not None and fit.mean.scalar else None
    qe, df = _cochran_q(fit.y, fit.v, fit.X) if sums is None else sums.q, fit.k - fit.p
    if df == 0:
        return {"QE": 0.0, "df": 0, "QEp": 1.0, "I2": 0.0, "H2": 1.0, "vt": float(fit.v[0])}
    p = float(special.chdtrc(df, qe))
    if fit.equal_effects:
        h2 = qe / df
        return {
            "QE": qe,
            "df": df,
            "QEp": p,
            "I2": max(0.0, 1 - 1 / h2) if h2 > 0 else 0.0,
            "H2": h2,
            "vt": np.nan,
        }
    vt = df / (_cochran_trace(fit.v, fit.X) if sums is None else sums.trace)
    total = fit.tau2 + vt
    return {"QE": qe, "df": df, "QEp": p, "I2": fit.tau2 / total, "H2": total / vt, "vt": vt}


def refits(fit: LinearFit, subsets: Iterable[NDArray[np.intp]], labels: tuple[str, ...]) -> RefitTable:
    """The intercept-only model refitted to each subset (arrays of study indices)."""
    if fit.p != 1:
        raise MethodError("leave-one-out and cumulative tables are for models without moderators; use influence()")
    rows = []
    for keep in subsets:
        other = fit.subset(keep)
        het = heterogeneity(other)
        estimate, se = float(other.b[0]), float(np.sqrt(other.vb[0, 0]))
        crit = float(critical_value(fit.settings.level, other.ddf))
        z = estimate / se
        p = float(two_sided(np.array(z), other.ddf))
        limits = (estimate - crit * se, estimate + crit * se)
        rows.append((estimate, se, z, p, *limits, het["QE"], het["QEp"], other.tau2, het["I2"], het["H2"]))
    half = float(critical_value(fit.settings.level, fit.ddf)) * float(np.sqrt(fit.vb[0, 0]))
    middle = float(fit.b[0])
    found = RefitTable(labels, *np.array(rows).T)
    return replace(found, whole=(middle, middle - half, middle + half), level=fit.settings.level)


def order_of(order: object, k: int) -> NDArray[np.intp]:
    """Study indices in the order of `order`: values to sort by, shape (k,), or None for the given order."""
    if order is None:
        return np.arange(k)
    values = np.asarray(order)
    if values.shape != (k,):
        raise UnknownName("order", order, [f"{k} values to sort by"])
    return np.argsort(values, kind="stable")
