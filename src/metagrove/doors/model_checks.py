"""metafor's checks of a fitted model: `profile` and `simulate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.doors.linear_views import linear_model_of
from metagrove.pooling.bias.trim_fill import TrimFill
from metagrove.pooling.multilevel.models import MixedModel
from metagrove.pooling.profile_likelihood import ProfileLikelihood, profile_likelihood
from metagrove.pooling.regression.location_scale import LocationScale
from metagrove.pooling.regression.model import Regression
from metagrove.pooling.results import MetaResult

__all__ = ["profile", "simulate"]


def profile(x: Any, *, steps: int = 31, level: float = 95, components: Sequence[str] | str = ()) -> ProfileLikelihood:
    """The profile likelihoods of a model's variances and correlations; `plot()` draws them.

    Parameters
    ----------
    x : of `rma` or `rma_mv`, or of a meta door that pools by inverse variance, fitted by REML or ML.
    steps : values tried for each.
    level : of the limits, 95 or 0.95.
    components : of a multilevel model: "sigma2.1", "tau2", "rho" ...; all where empty.

    >>> import metagrove as mg
    >>> fit = mg.rma([0.2, 0.5, 0.9, 1.1], [0.04, 0.03, 0.05, 0.04])
    >>> found = profile(fit)
    >>> found["tau2"].peaks, bool(found["tau2"].ll.max() <= fit.loglik + 1e-9)
    (1, True)
    """
    model = _model(x)
    if not isinstance(model, Regression | MixedModel):
        raise MethodError(f"a {type(model).__name__} has no profile likelihood")
    share = level / 100 if level > 1 else level
    names = (components,) if isinstance(components, str) else tuple(components)
    return profile_likelihood(model, steps=steps, level=share, components=names)


def _model(x: Any) -> Any:
    if isinstance(x, TrimFill):
        return x.fit
    return linear_model_of(x) if isinstance(x, MetaResult) else x


def simulate(x: Any, nsim: int = 1, *, rng: np.random.Generator | int) -> Array:
    """Effects drawn from a fitted model, shape (k, nsim): its fitted values with new random effects and errors.

    Parameters
    ----------
    x : of `rma`, a location-scale model, `rma_mv`, or a meta door that pools by inverse variance.
    nsim : how many data sets.
    rng : a numpy Generator, or a seed.

    >>> import metagrove as mg
    >>> simulate(mg.rma([0.2, 0.5, 0.9], [0.04, 0.03, 0.05]), 2, rng=1).shape
    (3, 2)
    """
    generator = rng if isinstance(rng, np.random.Generator) else np.random.default_rng(rng)
    if int(nsim) != nsim or nsim < 1:
        raise MethodError(f"nsim is {nsim}; a number of data sets is whole and above 0")
    model = _model(x)
    if isinstance(model, MixedModel):
        root = np.linalg.cholesky(model.M)
        return np.asarray(model.fitted[:, None] + root @ generator.standard_normal((model.k, int(nsim))))
    if not isinstance(model, Regression | LocationScale):
        raise MethodError(f"a {type(model).__name__} has no model of effects to draw from")
    between = np.asarray(model.tau2, dtype=float)
    spread = np.sqrt(model.vi + (between if np.isfinite(between).all() else 0.0))
    middle = model.X @ model.b
    return np.asarray(middle[:, None] + spread[:, None] * generator.standard_normal((model.k, int(nsim))))
