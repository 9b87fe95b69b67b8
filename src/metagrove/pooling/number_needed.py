"""The number needed to treat behind a pooled effect, at given risks without the treatment.

Altman DG. Confidence intervals for the number needed to treat. BMJ 1998;317:1309-12 (doi:10.1136/bmj.317.7168.1309);
from relative effects: Smeeth L, Haines A, Ebrahim S. BMJ 1999;318:1548-51 (doi:10.1136/bmj.318.7197.1548).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array

__all__ = ["NumberNeeded", "number_needed", "risk_difference"]

_ALTMAN = "Altman DG. BMJ 1998;317:1309-12. doi:10.1136/bmj.317.7168.1309"
_SMEETH = "Smeeth L, Haines A, Ebrahim S. BMJ 1999;318:1548-51. doi:10.1136/bmj.318.7197.1548"


def risk_difference(sm: str, effect: Array, baseline: Array) -> Array:
    """Risk differences that effects of `sm` (on the analysis scale) make at `baseline` risks; they broadcast.

    >>> round(float(risk_difference("RR", np.array(np.log(0.5)), np.array(0.2))), 3)
    -0.1
    """
    p = np.asarray(baseline, dtype=float)
    if sm == "RD":
        return np.asarray(effect + 0 * p)
    if sm in ("RR", "VE"):
        return np.asarray(p * np.exp(effect) - p)
    if sm in ("OR", "DOR"):
        odds = p / (1 - p) * np.exp(effect)
        return np.asarray(odds / (1 + odds) - p)
    if sm == "HR":
        return np.asarray(1 - (1 - p) ** np.exp(effect) - p)
    if sm == "ASD":
        return np.asarray(np.sin(np.clip(np.arcsin(np.sqrt(p)) + effect, 0, np.pi / 2)) ** 2 - p)
    raise MethodError(f"no number needed to treat follows from sm '{sm}'; known: RD, RR, VE, OR, DOR, HR, ASD")


@dataclass(frozen=True, slots=True, eq=False)
class NumberNeeded(Result):
    """Numbers needed to treat, arrays with one entry per model and baseline risk.

    `nnt` is above 0 where the treatment lowers the risk (a benefit of a harmful event) and below 0 where it raises it.
    `lower` and `upper` are the ends of its interval; where the interval of the risk difference holds 0 it runs through
    infinity, from `lower` over infinity to `upper` of the other sign, and `through_infinity` is true.
    """

    model: tuple[str, ...]
    baseline: Array
    difference: Array
    nnt: Array
    lower: Array
    upper: Array
    through_infinity: NDArray[np.bool_]
    sm: str

    def rows(self) -> list[dict[str, Any]]:
        """One dict per model and baseline risk."""
        return [
            {
                "model": name, "baseline": float(self.baseline[i]), "risk_difference": float(self.difference[i]),
                "nnt": float(self.nnt[i]), "lower": float(self.lower[i]), "upper": float(self.upper[i]),
                "through_infinity": bool(self.through_infinity[i]),
            }
            for i, name in enumerate(self.model)
        ]  # fmt: skip

    def summary(self) -> str:
        """The numbers as text."""
        lines = [f"Number needed to treat, from the pooled {self.sm}"]
        for row in self.rows():
            middle = "to infinity to" if row["through_infinity"] else "to"
            risk = f"{100 * row['baseline']:g}%"
            lines.append(
                f"{row['model']}, risk {risk}: {row['nnt']:.1f} ({row['lower']:.1f} {middle} {row['upper']:.1f})"
            )
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """How the numbers were made, with the papers."""
        text = "Numbers needed to treat were calculated from the pooled effect at stated risks without the treatment."
        return Explanation(text, (_ALTMAN, _SMEETH))


def _reciprocal(difference: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(-1 / difference)


def number_needed(
    sm: str, estimates: Sequence[tuple[str, float, float, float]], baseline: Sequence[float] | float
) -> NumberNeeded:
    """Numbers needed to treat of pooled effects, on the analysis scale, with their limits.

    Parameters
    ----------
    sm : "RD", "RR", "VE", "OR", "DOR", "HR" or "ASD".
    estimates : name, effect, lower and upper limit of each model.
    baseline : risks without the treatment, in (0, 1).

    Raises
    ------
    DataError : a risk outside (0, 1); MethodError : a measure from which none follows.
    """
    risks = np.atleast_1d(np.asarray(baseline, dtype=float))
    bad = ~((risks > 0) & (risks < 1))
    if bad.any():
        raise DataError(f"a baseline risk of {float(risks[bad][0]):g}; risks lie between 0 and 1")
    models = [name for name, *_ in estimates for _ in risks]
    points = np.repeat([value for _, value, _, _ in estimates], risks.size)
    low = np.repeat([value for _, _, value, _ in estimates], risks.size)
    high = np.repeat([value for _, _, _, value in estimates], risks.size)
    at = np.tile(risks, len(estimates))
    d, a, b = (risk_difference(sm, np.asarray(values, dtype=float), at) for values in (points, low, high))
    through = (np.minimum(a, b) < 0) & (np.maximum(a, b) > 0)
    # without a sign change the limits rise with the difference; through infinity both ends keep their signs
    ends = _reciprocal(np.minimum(a, b)), _reciprocal(np.maximum(a, b))
    return NumberNeeded(tuple(models), at, d, _reciprocal(d), ends[0], ends[1], through, sm)
