"""Fail-safe numbers: how many unseen null studies would overturn a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array

__all__ = ["FAIL_SAFE", "FailSafe", "fail_safe_number", "known_type"]

#: The methods, each with its question.
FAIL_SAFE: Registry[str] = Registry("fail-safe number")
FAIL_SAFE.put(
    "Rosenthal",
    "until Stouffer's combined one-sided p-value exceeds alpha",
    title="Rosenthal's fail-safe N",
    cite="Rosenthal R (1979) The file drawer problem and tolerance for null results. Psychological Bulletin "
    "86:638-641. doi:10.1037/0033-2909.86.3.638",
)
FAIL_SAFE.put(
    "Orwin",
    "until the mean effect falls to the target",
    title="Orwin's fail-safe N",
    cite="Orwin RG (1983) A fail-safe N for effect size in meta-analysis. Journal of Educational Statistics 8:157-159. "
    "doi:10.3102/10769986008002157",
)
FAIL_SAFE.put(
    "Rosenberg",
    "until the equal-effects p-value exceeds alpha",
    title="Rosenberg's fail-safe N",
    cite="Rosenberg MS (2005) The file-drawer problem revisited: a general weighted method for calculating fail-safe "
    "numbers in meta-analysis. Evolution 59:464-468. doi:10.1111/j.0014-3820.2005.tb01004.x",
)
FAIL_SAFE.put(
    "General",
    "until the random-effects p-value exceeds alpha, or the estimate falls to the target",
    title="the general fail-safe N",
    cite="Viechtbauer W (2010) Conducting meta-analyses in R with the metafor package. Journal of Statistical Software "
    "36(3):1-48. doi:10.18637/jss.v036.i03",
)


@dataclass(frozen=True, slots=True)
class FailSafe(Result):
    """A fail-safe number under metafor's names; None where a quantity does not belong to the method.

    `fsnum` studies averaging zero would have to be added; 0 where the finding does not hold as it is. `est`, `tau2` and
    `pval` are those of the observed studies, `est_fsn` and `pval_fsn` those after adding.
    """

    type: str
    k: int
    fsnum: int
    alpha: float
    target: float | None
    est: float | None
    tau2: float | None
    pval: float | None
    meanes: float | None
    est_fsn: float | None
    pval_fsn: float | None
    script: Script | None = None

    def rows(self) -> list[dict[str, Any]]:
        """One row: the number and what it rests on."""
        names = ("type", "k", "fsnum", "alpha", "target", "est", "tau2", "pval", "est_fsn", "pval_fsn")
        return [{name: getattr(self, name) for name in names}]

    def summary(self) -> str:
        """The number in a sentence."""
        title = FAIL_SAFE.entry(self.type).title
        observed = "" if self.pval is None else f" Observed p = {self.pval:.4g}."
        return f"{title[0].upper()}{title[1:]}: {self.fsnum} studies, {FAIL_SAFE[self.type]}.{observed}"

    def explain(self) -> Explanation:
        """The methods sentence and its reference."""
        entry = FAIL_SAFE.entry(self.type)
        return Explanation(f"Robustness to unpublished null results was expressed by {entry.title}.", (entry.cite,))


def fail_safe_number(
    y: Array,
    v: Array | None,
    *,
    type_: str = "Rosenthal",
    alpha: float = 0.05,
    target: float | None = None,
    tau2: float = 0.0,
) -> FailSafe:
    """The number of studies with zero effect on average that would overturn the finding of `y`, shape (k,).

    Parameters
    ----------
    v : sampling variances, shape (k,); None is allowed for Orwin's unweighted mean.
    alpha : level that the p-value must exceed.
    target : mean effect to fall to, for Orwin (by default half the observed) and General.
    tau2 : heterogeneity of the observed studies, for General; the added studies share it, and have the harmonic mean of
        the sampling variances.

    References
    ----------
    Rosenthal R (1979) Psychological Bulletin 86:638-641. doi:10.1037/0033-2909.86.3.638
    """
    FAIL_SAFE.entry(type_)
    if y.size == 0:
        raise MethodError("a fail-safe number needs at least one study")
    if not 0 < alpha < 1:
        raise MethodError(f"alpha is {alpha:g}; a level lies between 0 and 1")
    if type_ == "Orwin":
        return _orwin(y, v, alpha, target)
    if v is None:
        raise MethodError(f"{FAIL_SAFE.entry(type_).title} needs sampling variances")
    if type_ == "Rosenthal":
        return _rosenthal(y, v, alpha)
    if type_ == "Rosenberg":
        return _weighted("Rosenberg", y, v, (alpha, None, 0.0))
    return _weighted("General", y, v, (alpha, target, tau2))


def _whole(number: float) -> int:
    """The next whole number up, forgiving rounding in the last digits."""
    return max(0, int(np.ceil(number - 1e-8 * max(1.0, abs(number)))))


def _rosenthal(y: Array, v: Array, alpha: float) -> FailSafe:
    z = float((y / np.sqrt(v)).sum())
    k = y.size
    pval = float(ndtr(-abs(z) / np.sqrt(k)))
    fsnum = _whole((z / float(ndtri(1 - alpha))) ** 2 - k) if pval < alpha else 0
    return FailSafe(
        "Rosenthal",
        k,
        fsnum,
        alpha,
        target=None,
        est=None,
        tau2=None,
        pval=pval,
        meanes=None,
        est_fsn=None,
        pval_fsn=float(ndtr(-abs(z) / np.sqrt(k + fsnum))),
    )


def _aimed(target: float | None, mean: float) -> float:
    aim = mean / 2 if target is None else float(np.copysign(target, mean))
    if aim == 0:
        raise MethodError("no number of null studies brings the mean to 0; the target must differ from 0")
    return aim


def _orwin(y: Array, v: Array | None, alpha: float, target: float | None) -> FailSafe:
    w = np.ones(y.size) if v is None else 1 / v
    mean = float(w @ y) / float(w.sum())
    if mean == 0:
        raise MethodError("the mean effect is exactly 0; Orwin's fail-safe N has nothing to overturn")
    aim = _aimed(target, mean)
    fsnum = _whole(y.size * (mean - aim) / aim) if abs(mean) > abs(aim) else 0
    after = mean * y.size / (y.size + fsnum)
    return FailSafe(
        "Orwin",
        y.size,
        fsnum,
        alpha,
        target=aim,
        est=mean,
        tau2=None,
        pval=None,
        meanes=mean,
        est_fsn=after,
        pval_fsn=None,
    )


def _weighted(type_: str, y: Array, v: Array, aims: tuple[float, float | None, float]) -> FailSafe:
    """Rosenberg's number, and the general one with heterogeneity `tau2` kept as observed."""
    alpha, target, tau2 = aims
    w = 1 / (v + tau2)
    added = 1 / (1 / float((1 / v).mean()) + tau2)
    total, weight = float(w @ y), float(w.sum())
    mean = total / weight
    pval = float(2 * ndtr(-abs(total) / np.sqrt(weight)))
    if target is not None:
        aim = _aimed(target, mean) if mean else target
        number = (abs(total / aim) - weight) / added if abs(mean) > abs(aim) else 0.0
    else:
        aim = None
        number = ((total / float(ndtri(1 - alpha / 2))) ** 2 - weight) / added if pval < alpha else 0.0
    fsnum = _whole(number)
    after = weight + fsnum * added
    return FailSafe(
        type_,
        y.size,
        fsnum,
        alpha,
        target=aim,
        est=mean,
        tau2=tau2 if type_ == "General" else None,
        pval=pval,
        meanes=mean,
        est_fsn=total / after,
        pval_fsn=float(2 * ndtr(-abs(total) / np.sqrt(after))),
    )


def known_type(name: str) -> str:
    """The registered name of a fail-safe number, from any capitals or abbreviation of it."""
    matches = [key for key in FAIL_SAFE if key.lower().startswith(name.lower())]
    if len(matches) != 1 and not (matches and name.lower() in (key.lower() for key in matches)):
        raise UnknownName("fail-safe number", name, FAIL_SAFE)
    return matches[0]
