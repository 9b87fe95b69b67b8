"""The scale on which effects of a linear model or of counts are shown: ratios, proportions, or as they were analysed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np

from metagrove.core.scales import SCALES, scale

__all__ = ["Shown", "shown_scale"]

#: Codes of `escalc` and their twins among the scales.
_TWINS = {"PLO": "PLOGIT", "PR": "PRAW", "PETO": "OR", "AS": "ASD", "MN": "MRAW", "MNLN": "MLN", "SMDH": "SMD"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A reporting scale: the name of the effect, the way from the analysis scale, whether it is a ratio, no effect."""

    name: str
    back: Callable[[float], float]
    ratio: bool = False
    reference: float | None = 0.0


def _exponential(value: float) -> float:
    return exp(min(max(float(value), -700.0), 700.0))


def shown_scale(result: Any, ratio: bool | None = None, effect: str = "") -> Shown:
    """How the effects of `result` are shown: by its measure where it has one, and `ratio` where that is given.

    With `ratio` False a measure stays on its analysis scale.
    """
    code = str(getattr(result, "measure", "") or "")
    code = _TWINS.get(code, code)
    known = scale(code) if code in SCALES else None
    if known is None or not code or code == "GEN":
        asked = bool(ratio)
        name = effect or ("Ratio" if asked else "Effect")
        return Shown(name, _exponential if asked else float, asked, 1.0 if asked else 0.0)
    title = SCALES.entry(code).title
    if ratio is False or (known.needs_n and not ratio):
        reference = 0.0 if known.ratio or not known.transformed else None
        return Shown(effect or title[0].upper() + title[1:], float, False, reference)
    if ratio or known.ratio:
        return Shown(effect or known.label, _exponential, True, 1.0)
    one_arm = known.label in ("Proportion", "Incidence rate", "Mean")

    def back(value: float) -> float:
        return float(known.back(np.array([float(value)]), np.array([np.nan]))[0])

    return Shown(effect or known.label, back, False, None if one_arm else back(0.0))
