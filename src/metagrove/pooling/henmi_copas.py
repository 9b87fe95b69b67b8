"""An interval that leans little on small studies: the common-effect estimate with room for heterogeneity.

Henmi M, Copas JB. Confidence intervals for random effects meta-analysis and robustness to publication bias. Stat Med
2010;29:2969-83 (doi:10.1002/sim.4029). Small studies, which are the ones that go missing, keep the small weights of the
common-effect model, while the interval allows for heterogeneity and for its having been estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gammainc, ndtri

from metagrove.core.errors import ConvergenceError, DataError, MethodError
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array

__all__ = ["HenmiCopas", "henmi_copas"]

_HENMI = "Henmi M, Copas JB. Stat Med 2010;29:2969-83. doi:10.1002/sim.4029"


@dataclass(frozen=True, slots=True, eq=False)
class HenmiCopas(Result):
    """The estimate of the common-effect model with limits that allow for heterogeneity, on the analysis scale.

    `se` is the standard error under heterogeneity `tau2` (DerSimonian-Laird); the limits are `quantile` standard errors
    away.
    """

    estimate: float
    se: float
    lower: float
    upper: float
    tau2: float
    quantile: float
    k: int
    level: float
    script: Script | None = None

    def rows(self) -> list[dict[str, Any]]:
        """One row: the estimate and its interval."""
        return [
            {
                "method": "Henmi-Copas", "k": self.k, "TE": self.estimate, "seTE": self.se, "lower": self.lower,
                "upper": self.upper, "tau2": self.tau2, "quantile": self.quantile, "level": self.level,
            }
        ]  # fmt: skip

    def summary(self) -> str:
        """The estimate with its interval, as text."""
        return (
            f"Henmi-Copas, k = {self.k}: {self.estimate:.4f} (SE {self.se:.4f}), "
            f"{self.level:.0%} CI {self.lower:.4f} to {self.upper:.4f}; tau² {self.tau2:.4f}"
        )

    def explain(self) -> Explanation:
        """How it was made, with the paper."""
        text = (
            "As an analysis that gives small studies, and so missing ones, little weight, the common-effect estimate was "
            "given with the interval of Henmi and Copas, which allows for heterogeneity (DerSimonian-Laird)."
        )
        return Explanation(text, (_HENMI,))


def henmi_copas(y: Array, v: Array, *, level: float = 0.95) -> HenmiCopas:
    """The Henmi-Copas interval of effects `y` with sampling variances `v`, both of shape (k,), k >= 2.

    The limits are where the studentised common-effect estimate has probability `level`, with tau² at its
    DerSimonian-Laird value: given the estimate, Cochran's Q is taken for a gamma variable of its mean and variance.

    Raises
    ------
    DataError : fewer than 2 studies; MethodError : a level outside (0, 1).

    >>> found = henmi_copas(np.array([0.1, 0.3, 0.9]), np.array([0.01, 0.02, 0.05]))
    >>> [round(value, 3) for value in (found.estimate, found.lower, found.upper)]
    [0.253, -0.514, 1.02]
    """
    if not 0 < level < 1:
        raise MethodError(f"level is {level:g}; a confidence level lies between 0 and 1")
    k = y.size
    if k < 2:
        raise DataError(f"{k} study; the Henmi-Copas interval needs at least 2")
    w = 1 / v
    share = w / w.sum()
    estimate = float(share @ y)
    q = float(w @ (y - estimate) ** 2)
    room = float(w.sum() - share @ w)
    tau2 = max(0.0, (q - (k - 1)) / room)
    se = float(np.sqrt(share**2 @ (v + tau2)))
    quantile = _quantile(w, tau2, level)
    lower, upper = estimate - quantile * se, estimate + quantile * se
    return HenmiCopas(estimate, se, lower, upper, tau2, quantile, k, level)


def _quantile(w: Array, tau2: float, level: float) -> float:
    """The distance, in standard errors, beyond which the studentised estimate lies with probability 1 - `level`."""
    k, total = w.size, float(w.sum())
    spread = float(w @ w) / total
    mean, variance, lean, bend = _moments(w, tau2)

    def exceeding(t: float) -> float:
        def density(r: float) -> float:
            most = k - 1 + (total - spread) * ((r / t) ** 2 * (1 + spread * tau2) - 1) / spread
            m, s2 = mean + lean * (r * r - 1), variance + bend * r * r
            return float(gammainc(m * m / s2, most * m / s2) * np.exp(-r * r / 2))

        start = t / np.sqrt(1 + spread * tau2)
        near = quad(density, start, start + 4, epsabs=1e-13, epsrel=1e-11, limit=200)[0]
        far = quad(density, start + 4, np.inf, epsabs=1e-13, epsrel=1e-11, limit=200)[0]
        return float(2 * (near + far) / np.sqrt(2 * np.pi) - (1 - level))

    low = high = float(ndtri((1 + level) / 2))
    while exceeding(low) < 0:
        low /= 2
    while exceeding(high) > 0 and high < 1e6:
        high *= 2
    if high >= 1e6:
        raise ConvergenceError("the Henmi-Copas interval has no finite limits for these variances")
    return float(brentq(exceeding, low, high, xtol=1e-12)) if low < high else low


def _moments(w: Array, tau2: float) -> tuple[float, float, float, float]:
    """Mean and variance of Q given the studentised estimate r: mean + lean (r² - 1) and variance + bend r²."""
    total, spread = float(w.sum()), 1 / w + tau2
    share = w / total
    v_estimate = float(share**2 @ spread)
    slope = share * spread / v_estimate
    form = np.diag(w) - np.outer(w, share)
    left = np.diag(spread) - np.outer(slope, slope) * v_estimate
    product = form @ left
    turned = form @ slope * np.sqrt(v_estimate)
    lean = float(slope @ turned * np.sqrt(v_estimate))
    mean = float(np.trace(product)) + lean
    return mean, float(2 * np.sum(product * product.T)), lean, float(4 * turned @ left @ turned)
