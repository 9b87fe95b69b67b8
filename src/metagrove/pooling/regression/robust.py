"""Cluster-robust tests of a fitted model: sandwich covariances CR0, CR1 and CR2 with small-sample degrees of freedom.

Case: `mv_konstantopoulos2011`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.results import Explanation
from metagrove.core.values import Array
from metagrove.pooling.regression.coefficients import CoefficientResult, Coefficients, view
from metagrove.pooling.regression.columns import text_table
from metagrove.pooling.regression.linear_model import omnibus

__all__ = ["SANDWICHES", "Origin", "Robust", "WorkingModel", "clusters", "robust_inference"]

_LIANG = "Liang KY, Zeger SL. Biometrika 1986;73:13-22. doi:10.1093/biomet/73.1.13"
_HEDGES = "Hedges LV, Tipton E, Johnson MC. Res Synth Methods 2010;1:39-65. doi:10.1002/jrsm.5"
_PUSTEJOVSKY = "Pustejovsky JE, Tipton E. J Bus Econ Stat 2018;36:672-683. doi:10.1080/07350015.2016.1247004"

#: The table a model's effects came from (or None), the rows used, and how many rows it had.
Origin: TypeAlias = tuple[Any, NDArray[np.intp], int]

SANDWICHES: Registry[str] = Registry("cluster-robust covariance")
SANDWICHES.put("CR0", "CR0", title="without correction", cite=_LIANG)
SANDWICHES.put("CR1", "CR1", title="multiplied by n / (n - p), n clusters", cite=_HEDGES)
SANDWICHES.put("CR2", "CR2", title="bias-reduced, with Satterthwaite degrees of freedom", cite=_PUSTEJOVSKY)


@dataclass(frozen=True, slots=True, eq=False)
class WorkingModel:
    """What the sandwich needs: effects (k,), design (k, p), working covariance M and weights W (k, k), b (p,)."""

    y: Array
    X: Array
    M: Array
    W: Array
    b: Array
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Robust(CoefficientResult):
    """Coefficients with cluster-robust tests, under metafor's names.

    `b`, `se`, `stat`, `pval`, `ci_lb`, `ci_ub`, `dfs`: shape (p,); `vb` (p, p); `QM` with `QM_df` (m, ddf) and `QM_p`,
    NaN where the clusters are too few to test the coefficients together. `source_model` is the fitted model that is
    tested and `cluster` the cluster of each of its k effects.
    """

    table: Coefficients
    QM: float
    QM_df: Array
    QM_p: float
    n_clusters: int
    k: int
    kind: str
    confidence: float
    source_model: Any = None
    cluster: NDArray[Any] | None = None

    TITLE: ClassVar[str] = "Cluster-robust tests"

    @property
    def coefficients(self) -> Coefficients:
        """Coefficients with their cluster-robust covariance and degrees of freedom."""
        return self.table

    @property
    def level(self) -> float:
        """Confidence level, a proportion."""
        return self.confidence

    @property
    def QMp(self) -> float:
        """The p-value of QM."""
        return self.QM_p

    @property
    def QMdf(self) -> Array:
        """Degrees of freedom of QM, shape (2,)."""
        return self.QM_df

    @property
    def n(self) -> int:
        """Number of clusters."""
        return self.n_clusters

    def summary(self) -> str:
        """The tests as text."""
        head = f"{self.TITLE} ({self.kind}; {self.k} effects in {self.n_clusters} clusters)"
        note = (
            ""
            if np.isfinite(self.QM)
            else f"\nNote: {self.n_clusters} clusters cannot test these coefficients together."
        )
        return f"{head}\n{text_table(self.rows())}{note}"

    def explain(self) -> Explanation:
        """The methods sentence of the model, where it is known, and of these tests."""
        entry = SANDWICHES.entry(self.kind)
        own = Explanation(
            f"Dependence within clusters was allowed for by a sandwich covariance ({self.kind}: {entry.title}).",
            (entry.cite,),
        )
        return own if self.source_model is None else self.source_model.explain() + own

    def __getattr__(self, name: str) -> Any:
        """A view of the result by its name: forest, funnel."""
        return view(self, name)

    def to_r(self) -> str:
        """R code that repeats the model with metafor, and these tests (CR2 with clubSandwich)."""
        if self.source_model is None or self.cluster is None:
            raise MethodError("these robust tests do not know their model; make them with robust(model, cluster)")
        *lines, call = self.source_model.to_r().rstrip("\n").split("\n")
        asked = "clubSandwich = TRUE" if self.kind == "CR2" else f"adjust = {str(self.kind == 'CR1').upper()}"
        tests = f"robust(model, cluster = cluster, {asked})"
        return "\n".join([*lines, f"model <- {call}", f"cluster <- {_r_labels(self.cluster)}", tests, ""])

    def to_stata(self) -> str:
        """Stata's meta commands have no cluster-robust tests of their own: MethodError."""
        raise MethodError(
            "Stata's meta commands take no clusters (vce(cluster) is not among their options); use to_r()"
        )


def _r_labels(values: NDArray[Any]) -> str:
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "c(" + ", ".join(f'"{value}"' for value in quoted) + ")"


def clusters(cluster: Any, k: int, origin: Origin | None) -> NDArray[Any]:
    """The cluster of each of the k effects in a model.

    `cluster` is one value per effect, one per row of the table the effects came from, or the name of a column of it.
    """
    if isinstance(cluster, str):
        columns = [] if origin is None or origin[0] is None else [str(name) for name in origin[0]]
        if origin is None or cluster not in columns:
            raise UnknownName("column (cluster)", cluster, columns)
        cluster = origin[0][cluster]
    values = np.asarray(cluster).ravel()
    if origin is not None and values.size == origin[2]:
        values = values[origin[1]]
    return values


def _groups(cluster: NDArray[Any], k: int) -> list[NDArray[np.intp]]:
    if cluster.shape != (k,):
        raise DataError(f"cluster has {cluster.size} values for {k} effects")
    labels = [str(value) for value in cluster]
    missing = [i for i, value in enumerate(cluster) if value is None or value != value]
    if missing:
        raise DataError(f"cluster is missing for effect {missing[0] + 1}")
    where: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        where.setdefault(label, []).append(i)
    return [np.array(rows) for rows in where.values()]


def _inverse_root(B: Array) -> Array:
    """Symmetric inverse square root, zero on the null space."""
    values, vectors = np.linalg.eigh(B)
    keep = values > 1e-10 * max(float(values[-1]), 1e-300)
    inverse = np.where(keep, 1 / np.sqrt(np.where(keep, values, 1.0)), 0.0)
    return np.asarray((vectors * inverse) @ vectors.T)


def _adjustments(model: WorkingModel, groups: Sequence[NDArray[np.intp]], bread: Array) -> list[Array]:
    """CR2's adjustment matrix of each cluster (Pustejovsky and Tipton 2018, equation 6 with the working model M)."""
    k = model.y.size
    residual = np.eye(k) - model.X @ bread @ model.X.T @ model.W
    spread = residual @ model.M @ residual.T
    found = []
    for rows in groups:
        root = np.linalg.cholesky(model.M[np.ix_(rows, rows)]).T
        inner = root @ spread[np.ix_(rows, rows)] @ root.T
        found.append(root.T @ _inverse_root(inner) @ root)
    return found


def _crossed(M: Array, groups: Sequence[NDArray[np.intp]]) -> bool:
    """Whether the working model lets effects of different clusters depend on one another."""
    number = np.empty(M.shape[0], dtype=int)
    for j, rows in enumerate(groups):
        number[rows] = j
    return bool((np.abs(M[number[:, None] != number[None, :]]) > 0).any())


def robust_inference(
    model: WorkingModel, cluster: NDArray[Any], *, kind: str = "CR1", btt: Sequence[int] = (), level: float = 0.95
) -> Robust:
    """Cluster-robust tests of a working model's coefficients.

    CR0 and CR1 use t with n - p degrees of freedom, n clusters; CR2 uses Satterthwaite degrees of freedom and, for
    several coefficients at once, Hotelling's T² approximation (HTZ).

    Raises
    ------
    MethodError where there are not more clusters than coefficients, where one cluster alone decides a coefficient, or
    where CR2 meets effects that the model lets depend on one another across clusters.
    """
    if kind not in SANDWICHES:
        raise UnknownName(SANDWICHES.kind, kind, SANDWICHES)
    k, p = model.X.shape
    groups = _groups(cluster, k)
    n = len(groups)
    if n <= p:
        raise MethodError(
            f"{n} clusters for {p} coefficients; cluster-robust tests need more clusters than coefficients"
        )
    xw = model.X.T @ model.W
    bread = np.asarray(np.linalg.inv(xw @ model.X), dtype=float)
    left = bread @ xw
    tested = list(btt) or list(range(p))
    if kind == "CR2":
        return _bias_reduced(model, groups, bread, tested, level)
    residual = model.y - model.X @ model.b
    scores = np.array([left[:, rows] @ residual[rows] for rows in groups])
    vb = scores.T @ scores * (n / (n - p) if kind == "CR1" else 1.0)
    _spread(model, vb, left)
    block = vb[np.ix_(tested, tested)]
    regular = _regular(block)
    qm, df, pm = omnibus(model.b[tested], block, float(n - p)) if regular else _untested(len(tested), n - p)
    return Robust(_coefficients(model, vb, np.full(p, float(n - p))), qm, df, pm, n, k, kind, level)


def _coefficients(model: WorkingModel, vb: Array, dfs: Array) -> Coefficients:
    return Coefficients(model.b, vb, dfs, model.names, model.names[0] == "intrcpt")


def _spread(model: WorkingModel, vb: Array, left: Array) -> None:
    """MethodError for a coefficient that one cluster alone decides: its residuals leave no trace in the scores."""
    plain = np.einsum("ck,kl,cl->c", left, model.M, left)
    for name, robust, usual in zip(model.names, np.diag(vb), plain, strict=True):
        if robust <= 1e-20 * usual:
            raise MethodError(
                f"the cluster-robust covariance is singular: '{name}' rests on one cluster, which it fits exactly; "
                "leave the moderator out or join its levels"
            )


def _regular(vb: Array) -> bool:
    """Whether coefficients can be tested together; no more of them than clusters that vary."""
    scale = np.sqrt(np.diag(vb))
    return bool(np.linalg.matrix_rank(vb / np.outer(scale, scale), hermitian=True) == vb.shape[0])


def _untested(q: int, ddf: float) -> tuple[float, Array, float]:
    return float("nan"), np.array([q, ddf], dtype=float), float("nan")


def _bias_reduced(
    model: WorkingModel, groups: list[NDArray[np.intp]], bread: Array, tested: list[int], level: float
) -> Robust:
    if _crossed(model.M, groups):
        raise MethodError(
            "effects of different clusters share random effects or sampling errors; cluster at the outermost level"
        )
    k, p = model.X.shape
    n = len(groups)
    adjust = _adjustments(model, groups, bread)
    left = bread @ (model.X.T @ model.W)
    residual = model.y - model.X @ model.b
    lifted = [left[:, rows] @ a for rows, a in zip(groups, adjust, strict=True)]
    scores = np.array([one @ residual[rows] for one, rows in zip(lifted, groups, strict=True)])
    vb = scores.T @ scores
    # score j is linear in the errors: score_j = L_j (I - H)_j e, so its moments under M follow
    rest = np.eye(k) - model.X @ left
    maps = np.array([one @ rest[rows] for one, rows in zip(lifted, groups, strict=True)])
    plain = np.array([left[:, rows] @ residual[rows] for rows in groups])
    _spread(model, plain.T @ plain, left)
    dfs = np.array([_satterthwaite(maps[:, [c], :], model.M) for c in range(p)])
    block = vb[np.ix_(tested, tested)]
    regular = _regular(block)
    qm, df, pm = (
        _hotelling(model.b[tested], block, maps[:, tested, :], model.M) if regular else _untested(len(tested), n - p)
    )
    return Robust(_coefficients(model, vb, dfs), qm, df, pm, n, k, "CR2", level)


def _satterthwaite(maps: Array, M: Array) -> float:
    gram = np.einsum("ick,kl,jcl->ij", maps, M, maps, optimize=True)
    return float(np.trace(gram) ** 2 / (gram**2).sum())


def _hotelling(b: Array, vb: Array, maps: Array, M: Array) -> tuple[float, Array, float]:
    """The HTZ test (Pustejovsky and Tipton 2018, section 3.2): F, its degrees of freedom and p-value."""
    q = b.size
    expected = np.einsum("isk,kl,itl->st", maps, M, maps, optimize=True)
    root = _inverse_root(expected)
    whitened = np.einsum("st,itk->isk", root, maps)
    gram = np.einsum("isk,kl,jtl->isjt", whitened, M, whitened, optimize=True)
    same = np.einsum("isjs,itjt->", gram, gram, optimize=True)
    mixed = np.einsum("isjt,itjs->", gram, gram, optimize=True)
    eta = q * (q + 1) / float(same + mixed)
    scale = np.sqrt(np.diag(vb))
    z = b / scale
    wald = float(z @ np.linalg.solve(vb / np.outer(scale, scale), z))
    if eta <= q - 1:
        return _untested(q, eta - q + 1)
    ddf = eta - q + 1
    f = ddf / (eta * q) * wald
    return f, np.array([q, ddf]), float(special.fdtrc(q, ddf, f))
