"""The test of excess significance: more significant studies than their power allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import bdtr, bdtrc, chdtrc, ndtr, ndtri

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.pooling.bias.funnel_data import FunnelData

__all__ = ["ExcessSignificance", "excess_significance", "poisson_binomial"]

IOANNIDIS = (
    "Ioannidis JPA, Trikalinos TA (2007) An exploratory test for an excess of significant findings. Clinical Trials "
    "4:245-253. doi:10.1177/1740774507079441"
)
FRANCIS = (
    "Francis G (2013) Replication, statistical consistency, and publication bias. Journal of Mathematical Psychology "
    "57:153-169. doi:10.1016/j.jmp.2013.02.003"
)
_SIDES = ("two.sided", "greater", "less")
_TESTS = ("exact", "chi2", "binom")
#: The exact test is the default up to this many terms in its sum, as in metafor; beyond it is chi-squared.
_MOST_TERMS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class ExcessSignificance(Result):
    """A test of excess significance under metafor's names.

    `O` studies of `k` are significant where `E` are expected; `power` and `sig` have shape (k,). `theta_lim` is the
    effect at which the test would give p = `tes_alpha` (two values for a two-sided test), None where none does. `X2` is
    None unless the test is chi-squared.
    """

    k: int
    O: int
    E: float
    OEratio: float
    test: str
    X2: float | None
    pval: float
    theta: float
    tau2: float
    power: Array
    sig: NDArray[np.bool_]
    theta_lim: float | tuple[float | None, float | None] | None
    alpha: float
    tes_alpha: float
    labels: tuple[str, ...]
    script: Script | None = None

    def rows(self) -> list[dict[str, Any]]:
        """One row per study: its power and whether it is significant."""
        triples = zip(self.labels, self.power, self.sig, strict=True)
        return [{"study": name, "power": float(power), "significant": bool(sig)} for name, power, sig in triples]

    def summary(self) -> str:
        """Observed against expected significance."""
        lines = [
            f"Test of excess significance ({self.test}), k = {self.k}",
            f"Significant: {self.O} observed, {self.E:.4f} expected, ratio {self.OEratio:.4f}; p = {self.pval:.4f}",
            f"Assumed effect {self.theta:.4f}, tau² {self.tau2:.4f}",
        ]
        if isinstance(self.theta_lim, float):
            lines.append(f"Limit estimate (p = {self.tes_alpha:g}): {self.theta_lim:.4f}")
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            "Whether more studies were significant than their power allows was examined by the test of excess "
            f"significance ({self.test}).",
            (IOANNIDIS, FRANCIS) if self.test == "exact" else (IOANNIDIS,),
        )


def poisson_binomial(chance: Array) -> Array:
    """The distribution of the number of successes, shape (k + 1,), of trials with chances of shape (k,)."""
    pmf = np.ones(1)
    for p in chance:
        pmf = np.append(pmf * (1 - p), 0.0) + np.append(0.0, pmf * p)
    return pmf


def _powers(funnel: FunnelData, theta: float, tau2: float, h0: float, rule: tuple[str, float]) -> Array:
    """The chance of significance of each study, averaged over true effects N(theta, tau2)."""
    alternative, alpha = rule
    z = float(ndtri(1 - (alpha / 2 if alternative == "two.sided" else alpha)))
    spread = np.sqrt(funnel.v + tau2)
    above = ndtr((theta - h0 - z * funnel.se) / spread)
    below = ndtr((h0 - theta - z * funnel.se) / spread)
    chances = {"greater": above, "less": below, "two.sided": above + below}
    return np.minimum(chances[alternative], 1.0)


def _p_value(observed: int, power: Array, test: str, side: str) -> float:
    k, expected = power.size, float(power.sum())
    if test == "chi2":
        x2 = _chi2(observed, expected, k)
        two = float(chdtrc(1, x2))
        tail = {"greater": observed > expected, "less": observed < expected}
        return two if side == "two.sided" else (two / 2 if tail[side] else 1 - two / 2)
    if test == "binom":
        mean = min(1.0, expected / k)
        upper = float(bdtrc(observed - 1, k, mean)) if observed else 1.0
        lower = float(bdtr(observed, k, mean))
    else:
        pmf = poisson_binomial(power)
        upper, lower = float(pmf[observed:].sum()), float(pmf[: observed + 1].sum())
    return {"greater": upper, "less": lower, "two.sided": min(1.0, 2 * min(upper, lower))}[side]


def _chi2(observed: int, expected: float, k: int) -> float:
    rest = k - expected
    return (observed - expected) ** 2 / expected + ((observed - expected) ** 2 / rest if rest > 0 else 0.0)


def _default_test(k: int, observed: int, side: str) -> str:
    many = {
        "greater": range(observed, k + 1),
        "less": range(observed + 1),
        "two.sided": range(k + 1),
    }
    return "exact" if sum(comb(k, j) for j in many[side]) <= _MOST_TERMS else "chi2"


def excess_significance(
    funnel: FunnelData,
    *,
    h0: float = 0.0,
    alternative: str = "two.sided",
    alpha: float = 0.05,
    theta: float | None = None,
    tau2: float = 0.0,
    test: str | None = None,
    tes_alternative: str = "greater",
    tes_alpha: float = 0.10,
) -> ExcessSignificance:
    """The test whether significant studies are more numerous than their power lets expect.

    Parameters
    ----------
    h0, alternative, alpha : how the studies themselves are tested.
    theta, tau2 : the true effect (by default the inverse-variance mean) and its heterogeneity.
    test : "exact", "chi2" or "binom"; by default exact unless its sum has over a million terms.
    tes_alternative, tes_alpha : side and level of the test of excess.

    References
    ----------
    Ioannidis JPA, Trikalinos TA (2007) Clinical Trials 4:245-253. doi:10.1177/1740774507079441
    """
    for name, value, known in (
        ("alternative", alternative, _SIDES),
        ("alternative of the test of excess", tes_alternative, _SIDES),
        ("test of excess significance", test or "exact", _TESTS),
    ):
        if value not in known:
            raise UnknownName(name, value, known)
    if not (0 < alpha < 1 and 0 < tes_alpha < 1):
        raise MethodError(f"alpha {alpha:g} and tes_alpha {tes_alpha:g} are levels between 0 and 1")
    w = 1 / funnel.v
    effect = float(w @ funnel.y) / float(w.sum()) if theta is None else float(theta)
    z = (funnel.y - h0) / funnel.se
    p = {"two.sided": 2 * ndtr(-np.abs(z)), "greater": ndtr(-z), "less": ndtr(z)}[alternative]
    significant = p <= alpha
    observed = int(significant.sum())
    rule = (alternative, alpha)
    power = _powers(funnel, effect, tau2, h0, rule)
    kind = test or _default_test(funnel.k, observed, tes_alternative)

    def excess_at(there: float) -> float:
        return _p_value(observed, _powers(funnel, there, tau2, h0, rule), kind, tes_alternative) - tes_alpha

    expected = float(power.sum())
    return ExcessSignificance(
        k=funnel.k,
        O=observed,
        E=expected,
        OEratio=observed / expected,
        test=kind,
        X2=_chi2(observed, expected, funnel.k) if kind == "chi2" else None,
        pval=excess_at(effect) + tes_alpha,
        theta=effect,
        tau2=tau2,
        power=power,
        sig=significant,
        theta_lim=_limit(excess_at, effect, h0, funnel, tes_alternative),
        alpha=alpha,
        tes_alpha=tes_alpha,
        labels=funnel.labels,
    )


def _limit(
    excess_at: Callable[[float], float], effect: float, h0: float, funnel: FunnelData, side: str
) -> float | tuple[float | None, float | None] | None:
    """Where the p-value crosses its level, on the side of h0 on which the effect lies."""
    sign = 1.0 if effect >= h0 else -1.0
    reach = float(np.abs(funnel.y - h0).max()) + 10 * float(funnel.se.max())
    grid = h0 + sign * reach * np.linspace(0.0, 1.0, 401) ** 2
    excess = np.array([excess_at(float(there)) for there in grid])
    roots = [
        float(brentq(excess_at, grid[i], grid[i + 1], xtol=1e-12)) for i in np.flatnonzero(excess[:-1] * excess[1:] < 0)
    ]
    if side == "two.sided":
        return (roots[0], roots[-1]) if len(roots) > 1 else ((roots[0], None) if roots else None)
    return roots[0] if roots else None
