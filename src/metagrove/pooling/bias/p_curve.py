"""The p-curve: whether significant p-values are bunched near zero, as true effects make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import bdtr, bdtrc, ndtr, ndtri

from metagrove.core.errors import MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.bias.funnel_data import FunnelData

__all__ = ["PCurve", "expected_shares", "p_curve"]

SIMONSOHN = (
    "Simonsohn U, Nelson LD, Simmons JP (2014) P-curve: a key to the file-drawer. Journal of Experimental Psychology: "
    "General 143:534-547. doi:10.1037/a0033242"
)
SIMONSOHN_BETTER = (
    "Simonsohn U, Simmons JP, Nelson LD (2015) Better p-curves. Journal of Experimental Psychology: General "
    "144:1146-1152. doi:10.1037/xge0000104"
)
SIMONSOHN_EFFECT = (
    "Simonsohn U, Nelson LD, Simmons JP (2014) p-curve and effect size: correcting for publication bias using only "
    "significant results. Perspectives on Psychological Science 9:666-681. doi:10.1177/1745691614553988"
)
_LEVEL, _HALF = 0.05, 0.025
#: Probabilities are kept this far from 0 and 1, where a normal score would be infinite.
_EDGE = 2.2e-16


@dataclass(frozen=True, slots=True)
class CurveTest:
    """Three tests of one hypothesis about the curve: by its full and half Stouffer scores and by counts.

    `z_half` and `p_half` are None where no p-value is below 0.025.
    """

    z_full: float
    p_full: float
    z_half: float | None
    p_half: float | None
    p_binomial: float

    @property
    def combined(self) -> bool:
        """Whether the half curve shows it at 5 %, or the half and the full curve at 10 %."""
        if self.p_half is None:
            return self.p_full < _LEVEL
        return self.p_half < _LEVEL or (self.p_half < 0.1 and self.p_full < 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class PCurve(Result):
    """A p-curve of the studies significant at the two-sided level of 0.05.

    `right_skew` tests for evidential value, `flatness` whether the curve is flatter than studies of 33 % power would
    make it; `power` is the power that fits the curve best, with its 90 % confidence limits.
    """

    k: int
    k_significant: int
    k_half: int
    labels: tuple[str, ...]
    pvalues: Array
    right_skew: CurveTest
    flatness: CurveTest
    power: float
    power_lower: float
    power_upper: float

    @property
    def evidential_value(self) -> bool:
        """Whether the curve is right-skewed enough to speak of evidential value."""
        return self.right_skew.combined

    @property
    def inadequate(self) -> bool:
        """Whether the curve is so flat that evidential value is absent or inadequate."""
        test = self.flatness
        both = test.p_half is not None and test.p_half < 0.1 and test.p_binomial < 0.1
        return test.p_full < _LEVEL or both

    def rows(self) -> list[dict[str, Any]]:
        """One row per test."""
        return [
            {
                "test": name,
                "z_full": test.z_full,
                "p_full": test.p_full,
                "z_half": test.z_half,
                "p_half": test.p_half,
                "p_binomial": test.p_binomial,
            }
            for name, test in (("right skew", self.right_skew), ("flatness", self.flatness))
        ]

    def summary(self) -> str:
        """Both tests, the power and the verdict."""
        lines = [f"P-curve of {self.k_significant} significant studies among {self.k} ({self.k_half} with p < 0.025)"]
        for row in self.rows():
            half = "none" if row["p_half"] is None else f"z = {row['z_half']:.3f}, p = {row['p_half']:.4f}"
            lines.append(f"{row['test']:10s} full: z = {row['z_full']:.3f}, p = {row['p_full']:.4f}; half: {half}")
        lines.append(f"Power {self.power:.0%} [{self.power_lower:.0%}; {self.power_upper:.0%}]")
        verdict = "present" if self.evidential_value else "absent or inadequate" if self.inadequate else "undecided"
        return "\n".join([*lines, f"Evidential value: {verdict}"])

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            "Evidential value of the significant studies was examined by a p-curve analysis.",
            (SIMONSOHN, SIMONSOHN_BETTER, SIMONSOHN_EFFECT),
        )


def _beyond(z: Array, shift: float) -> Array:
    """The chance that a normal score with mean `shift` is further from 0 than `z` >= 0."""
    return np.asarray(ndtr(shift - z) + ndtr(-shift - z), dtype=np.float64)


def _shift_of_power(power: float) -> float:
    """The mean of the normal score that is significant with chance `power` (0.05 < power < 1)."""
    critical = np.array([-float(ndtri(_LEVEL / 2))])
    return float(brentq(lambda shift: float(_beyond(critical, shift)[0]) - power, 0.0, 12.0, xtol=1e-12))


def _stouffer(pp: Array) -> float:
    return float(ndtri(np.clip(pp, _EDGE, 1 - _EDGE)).sum() / np.sqrt(pp.size))


def _conditional(z: Array, shift: float, level: float) -> Array:
    """The chance of a score beyond `z` among those significant at `level`, under a mean of `shift`."""
    critical = np.array([-float(ndtri(level / 2))])
    return _beyond(z, shift) / _beyond(critical, shift)


def expected_shares(power: float, edges: Array) -> Array:
    """The shares of significant p-values expected between `edges` (rising, 0 to 0.05) in studies with this `power`."""
    shift = 0.0 if power <= _LEVEL else _shift_of_power(power)
    z = -ndtri(np.maximum(np.asarray(edges, dtype=float), 1e-300) / 2)
    return np.diff(_conditional(z, shift, _LEVEL))


def p_curve(funnel: FunnelData) -> PCurve:
    """The p-curve of the studies with two-sided p < 0.05; MethodError where there is none.

    References
    ----------
    Simonsohn U, Nelson LD, Simmons JP (2014) J Exp Psychol Gen 143:534-547. doi:10.1037/a0033242
    Simonsohn U, Simmons JP, Nelson LD (2015) J Exp Psychol Gen 144:1146-1152. doi:10.1037/xge0000104
    """
    z = np.abs(funnel.y / funnel.se)
    p = 2 * ndtr(-z)
    chosen = p < _LEVEL
    if not chosen.any():
        raise MethodError(f"none of the {funnel.k} studies is significant at 0.05; a p-curve needs significant studies")
    z, p = z[chosen], np.asarray(p[chosen], dtype=np.float64)
    half = p < _HALF
    k, low = p.size, int(half.sum())
    shift = _shift_of_power(1 / 3)
    share = float(_beyond(np.array([-float(ndtri(_HALF / 2))]), shift)[0]) * 3
    skew = CurveTest(
        *_tails(p / _LEVEL, p[half] / _HALF, lower=True),
        p_binomial=float(bdtrc(low - 1, k, 0.5)) if low else 1.0,
    )
    flat = CurveTest(
        *_tails(_conditional(z, shift, _LEVEL), _conditional(z[half], shift, _HALF), lower=False),
        p_binomial=float(bdtr(low, k, share)),
    )
    lower, best, upper = (_power_at(z, target) for target in (-1.6448536269514722, 0.0, 1.6448536269514722))
    return PCurve(
        k=funnel.k,
        k_significant=k,
        k_half=low,
        labels=tuple(name for name, here in zip(funnel.labels, chosen, strict=True) if here),
        pvalues=p,
        right_skew=skew,
        flatness=flat,
        power=best,
        power_lower=lower,
        power_upper=upper,
    )


def _tails(full: Array, half: Array, *, lower: bool) -> tuple[float, float, float | None, float | None]:
    """Stouffer's scores of the full and half curve, and their tail probabilities."""
    sign = 1.0 if lower else -1.0
    z_full = _stouffer(full)
    z_half = _stouffer(half) if half.size else None
    p_half = None if z_half is None else float(ndtr(sign * z_half))
    return z_full, float(ndtr(sign * z_full)), z_half, p_half


def _power_at(z: NDArray[np.float64], target: float) -> float:
    """The power under which the curve's Stouffer score is `target`, between 0.05 and 0.99."""

    def score(power: float) -> float:
        return _stouffer(_conditional(z, _shift_of_power(power), _LEVEL)) - target

    low, high = 0.0501, 0.99
    if score(low) > 0:
        return 0.05
    return high if score(high) < 0 else float(brentq(score, low, high, xtol=1e-10))
