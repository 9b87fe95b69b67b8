"""Profile likelihoods of the variances and correlations of a model, to see whether the data tell them.

A flat or many-peaked profile says that a component cannot be told from the data. Viechtbauer W. J Stat Softw
2010;36(3):1-48 (doi:10.18637/jss.v036.i03); Hardy RJ, Thompson SG. Stat Med 1996;15:619-29
(doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metagrove.core.errors import MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.multilevel.models import MixedModel
from metagrove.pooling.multilevel.profile_limits import profile_limits, profile_values
from metagrove.pooling.regression.model import Regression
from metagrove.pooling.tau2 import Design, log_likelihood

__all__ = ["Profile", "ProfileLikelihood", "profile_likelihood"]

_HARDY = (
    "Hardy RJ, Thompson SG. Stat Med 1996;15:619-29. "
    "doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A"
)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One profile: `values` tried (m,), their log-likelihoods `ll` (m,), the estimate, its limits and its likelihood."""

    name: str
    values: Array
    ll: Array
    estimate: float
    lower: float
    upper: float
    highest: float

    @property
    def peaks(self) -> int:
        """Number of peaks of the curve, those at its ends included."""
        known = self.ll[np.isfinite(self.ll)]
        if known.size < 2:
            return int(known.size)
        rise = np.diff(known) > 1e-9 * (1 + np.abs(known[1:]))
        fall = np.diff(known) < -1e-9 * (1 + np.abs(known[1:]))
        inner = int(sum(a and b for a, b in zip(rise[:-1], fall[1:], strict=True)))
        return inner + int(fall[0]) + int(rise[-1])


@dataclass(frozen=True, slots=True, eq=False)
class ProfileLikelihood(Result):
    """Profile likelihoods of a model's components, one Profile each, with limits at `level`."""

    profiles: tuple[Profile, ...]
    level: float
    restricted: bool

    def __getitem__(self, name: str) -> Profile:
        for profile in self.profiles:
            if profile.name == name:
                return profile
        raise KeyError(name)

    def rows(self) -> list[dict[str, Any]]:
        """One dict per value tried."""
        return [
            {"component": p.name, "value": float(x), "log_likelihood": float(ll)}
            for p in self.profiles
            for x, ll in zip(p.values, p.ll, strict=True)
        ]

    def summary(self) -> str:
        """Estimates, limits and numbers of peaks as text."""
        kind = "restricted " if self.restricted else ""
        lines = [f"Profiles of the {kind}likelihood ({100 * self.level:g}% limits)"]
        lines += [
            f"{p.name}: {p.estimate:.4f} [{p.lower:.4f}; {p.upper:.4f}], {p.peaks} peak{'' if p.peaks == 1 else 's'}"
            for p in self.profiles
        ]
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """What was looked at, and the paper."""
        return Explanation("Profile likelihoods showed whether the variance components are identified.", (_HARDY,))


def _grid(estimate: float, lower: float, upper: float, steps: int, floor: float, ceiling: float) -> Array:
    """Evenly spaced values somewhat beyond the limits, with the estimate among them."""
    low = lower if np.isfinite(lower) else floor
    high = upper if np.isfinite(upper) else max(4 * abs(estimate), abs(estimate) + 1.0)
    pad = 0.2 * max(high - low, 1e-12)
    points = np.linspace(max(floor, low - pad), min(ceiling, high + pad), steps)
    return np.unique(np.append(points, estimate))


def _of_regression(x: Regression, steps: int, level: float) -> ProfileLikelihood:
    restricted = x.method != "ML"
    if x.method not in ("REML", "ML"):
        raise MethodError(f"a profile likelihood needs method 'REML' or 'ML'; this model was fitted by '{x.method}'")
    design = Design(x.yi, x.vi, x.X)

    def at(t: float) -> float:
        return log_likelihood(design, t, restricted=restricted)

    estimate = float(x.tau2)
    _, lower, upper = x.confint(type="PL", level=level)["tau2"]
    grid = _grid(estimate, float(lower), float(upper), steps, 0.0, np.inf)
    ll = np.array([at(float(t)) for t in grid])
    one = Profile("tau2", grid, ll, estimate, float(lower), float(upper), at(estimate))
    return ProfileLikelihood((one,), level, restricted)


def _components(x: MixedModel) -> list[tuple[str, int, str]]:
    """Name, parameter and kind of each component that was estimated; angles only where they are one correlation."""
    fit, several = x.fit, len(x.fit.plain) > 1
    found = [
        (f"sigma2.{c + 1}" if several else "sigma2", fit.like.cuts[c].start, "variance") for c in range(len(fit.plain))
    ]
    for number, (c, names) in enumerate(
        zip(range(len(fit.plain), len(fit.like.components)), (("tau2", "rho"), ("gamma2", "phi")), strict=False)
    ):
        component = fit.inner[number]
        kinds = component.structure.box(component.J).kinds
        variances = [i for i, kind in enumerate(kinds) if kind in ("variance", "sd")]
        for i, kind in enumerate(kinds):
            if kind in ("variance", "sd"):
                name = f"{names[0]}.{variances.index(i) + 1}" if len(variances) > 1 else names[0]
            elif kind == "angle" and component.J > 2:
                continue
            else:
                name = names[1]
            found.append((name, fit.like.cuts[c].start + i, kind))
    return [item for item in found if fit.lower[item[1]] < fit.upper[item[1]]]


def _told(kind: str, value: Any) -> Any:
    """A parameter as it is reported."""
    if kind == "sd":
        return np.square(value)
    return np.sin(value) if kind == "angle" else value


def _of_mixed(x: MixedModel, steps: int, level: float, names: Sequence[str]) -> ProfileLikelihood:
    found = []
    for name, j, kind in _components(x):
        if names and name not in names:
            continue
        low, high = profile_limits(x.fit, j, level=level)
        estimate = float(x.fit.theta[j])
        floor, ceiling = float(x.fit.lower[j]), float(x.fit.upper[j])
        grid = _grid(estimate, low, high, steps, floor, ceiling)
        ll = profile_values(x.fit, j, grid)
        middle, first, last = (float(_told(kind, v)) for v in (estimate, low, high))
        found.append(Profile(name, np.asarray(_told(kind, grid)), ll, middle, first, last, x.fit.at.ll))
    if not found:
        raise MethodError("the model has no such estimated variance or correlation")
    return ProfileLikelihood(tuple(found), level, x.method == "REML")


def profile_likelihood(
    x: Regression | MixedModel, *, steps: int = 31, level: float = 0.95, components: Sequence[str] = ()
) -> ProfileLikelihood:
    """The profile likelihoods of the heterogeneity of a linear model, or of the components of a multilevel one.

    Parameters
    ----------
    steps : values tried for each component, somewhat beyond its limits.
    level : of the limits, a proportion.
    components : of a multilevel model: which ones ("sigma2.1", "rho"); all where empty.

    Raises
    ------
    MethodError : a model not fitted by REML or ML, or without such components.
    """
    if steps < 5:
        raise MethodError(f"{steps} steps; a profile needs five at least")
    if not 0 < level < 1:
        raise MethodError(f"level is {level}; a level lies between 0 and 1, such as 0.95")
    if isinstance(x, Regression):
        return _of_regression(x, steps, level)
    if x.method not in ("REML", "ML"):
        raise MethodError(f"a profile likelihood needs method 'REML' or 'ML'; this model was fitted by '{x.method}'")
    return _of_mixed(x, steps, level, components)


def deviance_cut(level: float) -> float:
    """How far below its maximum the log-likelihood lies at the limits."""
    return 0.5 * float(special.chdtri(1, 1 - level))
