"""What a relative effect means in patients: risks without and with the treatment, for a summary of findings.

Guyatt GH, Oxman AD, Santesso N, et al. GRADE guidelines: 12. Preparing summary of findings tables, binary outcomes. J Clin
Epidemiol 2013;66:158-172 (doi:10.1016/j.jclinepi.2012.01.012).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from metagrove.app.contrasts import Compared
from metagrove.app.numbers import effect, effect_interval
from metagrove.review.spec import ComparisonAnalysis

__all__ = ["risk_with", "summary_line"]


def risk_with(measure: str, value: float, without: float) -> float:
    """The risk with treatment where the risk without it is `without` and the effect is `value`; NaN for other measures.

    >>> round(risk_with("OR", 0.5, 0.2), 4), risk_with("RR", 0.5, 0.2), round(risk_with("HR", 0.5, 0.2), 4)
    (0.1111, 0.1, 0.1056)
    """
    if measure == "RR":
        found = without * value
    elif measure == "OR":
        found = value * without / (1 - without + value * without)
    elif measure == "RD":
        found = without + value
    elif measure == "HR":
        found = 1 - (1 - without) ** value
    else:
        return math.nan
    return min(max(found, 0.0), 1.0)


def _participants(studies: Sequence[Compared]) -> str:
    k = len({study.study for study in studies})
    told = f"({k} {'study' if k == 1 else 'studies'})"
    numbers = [study.row[name] for study in studies for name in ("n_e", "n_c")]
    return f"{sum(numbers)} {told}" if all(n is not None for n in numbers) else f"not stated {told}"


def _control_risk(studies: Sequence[Compared]) -> float:
    """Events among all control patients; NaN where some study does not tell."""
    pairs = [(study.row["event_c"], study.row["n_c"]) for study in studies]
    if not pairs or any(events is None or not n for events, n in pairs):
        return math.nan
    return float(sum(events for events, _ in pairs) / sum(n for _, n in pairs))


def summary_line(pooled: Any, analysis: ComparisonAnalysis, studies: Sequence[Compared]) -> dict[str, str]:
    """Participants, relative effect, and risks without and with treatment per 1000, as far as the studies tell them.

    The risk without treatment is that of all control patients together.
    """
    model = "random" if analysis.random else "common"
    value, low, high = (float(getattr(pooled.back, f"{name}_{model}")) for name in ("TE", "lower", "upper"))
    line = {"participants": _participants(studies)}
    told = f"{effect(value)} ({effect_interval(low, high)})"
    if analysis.sm not in ("OR", "RR", "HR", "RD"):
        return line | {
            "relative": "not applicable",
            "without": "not applicable",
            "with": f"{pooled.scale.label} {told}",
        }
    line |= {"relative": "not applicable" if analysis.sm == "RD" else f"{analysis.sm} {told}"}
    without = _control_risk(studies)
    if not math.isfinite(without):
        return line | {
            "without": "not estimable",
            "with": f"{pooled.scale.label} {told}" if analysis.sm == "RD" else "not estimable",
        }
    shown = [1000 * risk_with(analysis.sm, x, without) for x in (value, low, high)]
    return line | {
        "without": f"{1000 * without:.0f} per 1000",
        "with": f"{shown[0]:.0f} per 1000 ({shown[1]:.0f} to {shown[2]:.0f})",
    }
