"""How much single studies matter: leave-one-out, cumulative analysis, influence diagnostics, Baujat."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.heterogeneity import heterogeneity, tau2_share
from metagrove.pooling.intervals import Limits
from metagrove.pooling.model import Fit, Model
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies

__all__ = ["Baujat", "Influence", "Refits", "baujat", "cumulative", "influence", "leave_one_out"]

_NAN = float("nan")
_VIECHTBAUER = "Viechtbauer W, Cheung MWL. Res Synth Methods 2010;1:112-25. doi:10.1002/jrsm.11"
_BAUJAT = "Baujat B, et al. Stat Med 2002;21:2641-52. doi:10.1002/sim.1221"
_LAU = "Lau J, et al. N Engl J Med 1992;327:248-54. doi:10.1056/NEJM199207233270406"


class _Table(Result):
    """A result whose fields are columns: labels first, arrays of the same length after."""

    __slots__ = ()
    _cite = _VIECHTBAUER
    _sentence = ""

    def _columns(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def rows(self) -> list[dict[str, Any]]:
        """One dict per line."""
        columns = {name: list(column) for name, column in self._columns().items() if not isinstance(column, str)}
        return [dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)]

    def summary(self) -> str:
        """The table as text."""
        rows = self.rows()
        names = list(rows[0]) if rows else []
        cells = [names] + [[_cell(row[name]) for name in names] for row in rows]
        widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True)])
            for line in cells
        )

    def explain(self) -> Explanation:
        """What was done, with its reference."""
        return Explanation(self._sentence, (self._cite,))


def _cell(value: Any) -> str:
    if isinstance(value, (str, bool, np.bool_)):
        return str(value)
    return "–" if not np.isfinite(value) else f"{value:.4g}"


@dataclass(frozen=True, slots=True, eq=False)
class Refits(_Table):
    """The estimate for a sequence of study sets, on the analysis scale; arrays with one entry per set.

    `TE`, `seTE`, `lower`, `upper`, `statistic`, `pval` of the estimate; `Q`, `pval_Q`, `tau2`; `I2` from Q (a
    fraction) and `I2_tau2`, `H2_tau2` from tau2. NaN where a set of one study has none. `sets` are positions among the
    pooled studies, `pooled` says which estimate it is ("random", "common"), `source` is the whole analysis.
    """

    studlab: tuple[str, ...]
    TE: Array
    seTE: Array
    lower: Array
    upper: Array
    statistic: Array
    pval: Array
    Q: Array
    pval_Q: Array
    tau2: Array
    I2: Array
    I2_tau2: Array
    H2_tau2: Array
    sets: tuple[NDArray[Any], ...] = ()
    pooled: str = "random"
    source: Any = None

    def _columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name not in ("sets", "pooled", "source")}

    def to_r(self) -> str:
        """Code in R: the analysis, then package meta's `metainf` or `metacum`."""
        if self.source is None:
            raise MethodError("these refits do not know their analysis; make them with leave_one_out() or cumulative()")
        code = self.source.to_r().removesuffix("print(m)\n")
        if not self.studlab[0].startswith("Adding"):
            return f'{code}print(metainf(m, pooled = "{self.pooled}"))\n'
        ranks = np.full(self.source.studies.pooled.size, np.nan)
        ranks[np.flatnonzero(self.source.studies.pooled)[self.sets[-1]]] = np.arange(1, self.sets[-1].size + 1)
        told = ", ".join("NA" if rank != rank else f"{rank:g}" for rank in ranks)
        return f'{code}print(metacum(m, pooled = "{self.pooled}", sortvar = c({told})))\n'

    def explain(self) -> Explanation:
        """What was done, with its reference."""
        if self.studlab and self.studlab[0].startswith("Omitting"):
            return Explanation("The analysis was repeated without each study in turn.", (_VIECHTBAUER,))
        return Explanation("Studies were added to the analysis one after the other.", (_LAU,))


def _estimate(fit: Fit, pooled: str) -> Any:
    if pooled not in ("common", "random"):
        raise MethodError(f"pooled is '{pooled}'; known: common, random")
    return fit.random if pooled == "random" else fit.common


def _refits(labels: list[str], fits: list[Fit], pooled: str, sets: list[NDArray[Any]]) -> Refits:
    estimates = [_estimate(fit, pooled) for fit in fits]
    shares = []
    for fit in fits:
        if fit.design is None or fit.design.k < 2:
            shares.append((0.0, 1.0) if fit.design is not None else (_NAN, _NAN))
            continue
        tau2 = fit.tau2.value if pooled == "random" else 0.0
        if pooled == "common":
            tau2_value = max(0.0, (fit.Q - fit.df_Q) / fit.design.at(1 / fit.design.v).trace())
            tau2 = tau2_value
        share = tau2_share(fit.design, tau2, Limits(_NAN, _NAN)).value
        shares.append((share, 1 / (1 - share) if share < 1 else float("inf")))
    tests = [heterogeneity(fit.Q, fit.df_Q) for fit in fits]
    return Refits(
        tuple(labels),
        np.array([e.TE for e in estimates]),
        np.array([e.seTE for e in estimates]),
        np.array([e.lower for e in estimates]),
        np.array([e.upper for e in estimates]),
        np.array([e.statistic for e in estimates]),
        np.array([e.pval for e in estimates]),
        np.array([fit.Q for fit in fits]),
        np.array([t.pval_Q for t in tests]),
        np.array([fit.tau2.value if pooled == "random" else _NAN for fit in fits]),
        np.array([t.I2 for t in tests]),
        np.array([s[0] for s in shares]),
        np.array([s[1] for s in shares]),
        tuple(sets),
        pooled,
    )


def leave_one_out(studies: Studies, settings: Settings, model: Model, *, pooled: str = "random") -> Refits:
    """The estimate without each of the k >= 2 pooled `studies` in turn."""
    k = len(studies.studlab)
    if k < 2:
        raise MethodError("leaving one study out needs at least two pooled studies")
    everyone = np.arange(k)
    sets = [np.delete(everyone, i) for i in range(k)]
    fits = [model.fit(studies.take(rest), settings) for rest in sets]
    return _refits([f"Omitting {lab}" for lab in studies.studlab], fits, pooled, sets)


def cumulative(
    studies: Studies,
    settings: Settings,
    model: Model,
    *,
    pooled: str = "random",
    order: NDArray[Any] | None = None,
) -> Refits:
    """The estimate from the first one, two, ... k of the pooled `studies`, sorted by `order` (shape (k,)) if given."""
    k = len(studies.studlab)
    if order is not None and len(order) != k:
        raise DataError(f"order has {len(order)} entries for {k} pooled studies")
    sequence = np.arange(k) if order is None else np.argsort(np.asarray(order), kind="stable")
    sets = [sequence[: i + 1] for i in range(k)]
    fits = [model.fit(studies.take(some), settings) for some in sets]
    return _refits([f"Adding {studies.studlab[i]}" for i in sequence], fits, pooled, sets)


@dataclass(frozen=True, slots=True, eq=False)
class Influence(_Table):
    """Case-deletion diagnostics of the random-effects mean, arrays of shape (k,), metafor's names.

    `rstudent` (deleted residual), `dffits`, `cook_d`, `cov_r` (ratio of variances), `tau2_del`, `QE_del`, `hat`,
    `weight` (percent), `dfbs`, and `is_infl`: |dffits| > 3 sqrt(1/(k-1)), Cook's chi-squared share above one half,
    hat > 3/k or |dfbs| > 1.
    """

    studlab: tuple[str, ...]
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
    _sentence = "Influence was judged by case-deletion diagnostics."


def influence(studies: Studies, settings: Settings, model: Model) -> Influence:
    """Case-deletion diagnostics of the pooled `studies` (k >= 3).

    Viechtbauer W, Cheung MWL. Res Synth Methods 2010;1:112-25. doi:10.1002/jrsm.11. Pinned by `influence_bcg`.
    """
    k = len(studies.studlab)
    if k < 3:
        raise MethodError(f"influence diagnostics need at least three pooled studies; there are {k}")
    fit = model.fit(studies, settings)
    if fit.design is None:
        raise MethodError("influence diagnostics need a model with study weights")
    if not fit.random.seTE > 0:
        raise MethodError(
            "the pooled effect's standard error is 0: all effects are equal; use method_random_ci='classic'"
        )
    y, v, tau2, mean = fit.design.y, fit.design.v, fit.tau2.value, fit.random.TE
    deleted = [model.fit(studies.take(np.delete(np.arange(k), i)), settings) for i in range(k)]
    te = np.array([f.random.TE for f in deleted])
    se = np.array([f.random.seTE for f in deleted])
    tau2_del = np.array([f.tau2.value for f in deleted])
    w = 1 / (v + tau2)
    hat = w / w.sum()
    rstudent = (y - te) / np.sqrt(v + tau2_del + se**2)
    dffits = (mean - te) / np.sqrt(hat * (v + tau2_del))
    cook = (mean - te) ** 2 / fit.random.seTE**2
    # the deleted tau2 with all weights: the spread a coefficient would have had without knowing this study
    spread = np.array([(1 / (v + t)).sum() ** -0.5 for t in tau2_del])
    dfbs = (mean - te) / spread
    flagged = (
        (np.abs(dffits) > 3 * np.sqrt(1 / (k - 1)))
        | (special.chdtr(1, cook) > 0.5)
        | (hat > 3 / k)
        | (np.abs(dfbs) > 1)
    )  # fmt: skip
    q_del = np.array([f.Q for f in deleted])
    return Influence(
        studies.studlab,
        rstudent,
        dffits,
        cook,
        se**2 / fit.random.seTE**2,
        tau2_del,
        q_del,
        hat,
        100 * hat,
        dfbs,
        flagged,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Baujat(_Table):
    """Where heterogeneity comes from: `x`, contribution to Q; `y`, squared standardised change of the estimate."""

    studlab: tuple[str, ...]
    x: Array
    y: Array
    _cite = _BAUJAT
    _sentence = "Contributions to heterogeneity and influence on the estimate were compared (Baujat)."


def baujat(studies: Studies, settings: Settings, model: Model, *, pooled: str = "common") -> Baujat:
    """Contribution of each of the k >= 2 pooled `studies` to Q, and the change in the estimate without it.

    Baujat B, et al. Stat Med 2002;21:2641-52. doi:10.1002/sim.1221
    """
    k = len(studies.studlab)
    if k < 2:
        raise MethodError("a Baujat plot needs at least two pooled studies")
    whole = _estimate(model.fit(studies, settings), pooled)
    fits = [model.fit(studies.take(np.delete(np.arange(k), i)), settings) for i in range(k)]
    without = [_estimate(fit, pooled) for fit in fits]
    tau2 = model.fit(studies, settings).tau2.value if pooled == "random" else 0.0
    x = (studies.TE - whole.TE) ** 2 / (studies.seTE**2 + tau2)
    change = np.array([e.TE for e in without]) - whole.TE
    return Baujat(studies.studlab, x, change**2 / np.array([e.seTE for e in without]) ** 2)
