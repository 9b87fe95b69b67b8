"""Functions that ask a fitted model, under R's names: `predict(fit)` is `fit.predict()`."""

from __future__ import annotations

from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.doors.linear_views import linear_model_of
from metagrove.pooling.bias.trim_fill import TrimFill
from metagrove.pooling.regression.model import Regression
from metagrove.pooling.results import MetaResult

__all__ = [
    "anova",
    "blup",
    "coef",
    "confint",
    "cooks_distance",
    "cumul",
    "dfbetas",
    "fitstats",
    "fitted",
    "hatvalues",
    "influence",
    "leave1out",
    "model_matrix",
    "predict",
    "ranef",
    "residuals",
    "rstandard",
    "rstudent",
    "vcov",
    "vif",
    "weights",
]


def _asked(x: Any, *names: str) -> Any:
    """The first of the named attributes that a result's own type has, or the linear model behind a meta-analysis."""
    x = x.fit if isinstance(x, TrimFill) else x
    for name in names:
        if hasattr(type(x), name):
            return getattr(x, name)
    if isinstance(x, MetaResult) and any(hasattr(Regression, name) for name in names):
        return _asked(linear_model_of(x), *names)
    raise MethodError(f"a {type(x).__name__} has no {names[0]}()")


def anova(x: Any, *args: Any, **options: Any) -> Any:
    """Wald tests of coefficients (`btt`, `X`), or the likelihood-ratio test against a second model."""
    return _asked(x, "anova")(*args, **options)


def blup(x: Any, **options: Any) -> Any:
    """Best linear unbiased predictions of the true effects."""
    return _asked(x, "blup")(**options)


def coef(x: Any) -> Array:
    """Coefficients, shape (p,)."""
    found: Array = _asked(x, "b")
    return found


def confint(x: Any, **options: Any) -> Any:
    """Confidence intervals of variances (and, with `fixed`, of coefficients)."""
    return _asked(x, "confint")(**options)


def cooks_distance(x: Any, **options: Any) -> Any:
    """Cook's distances."""
    return _asked(x, "cooks_distance")(**options)


def cumul(x: Any, *args: Any, **options: Any) -> Any:
    """The pooled estimate as studies are added."""
    return _asked(x, "cumul", "cumulative")(*args, **options)


def dfbetas(x: Any, **options: Any) -> Any:
    """Standardised changes of the coefficients when a study is left out, shape (k, p)."""
    return _asked(x, "dfbetas")(**options)


def fitstats(x: Any) -> Any:
    """Log-likelihood, deviance and information criteria by the method's own likelihood."""
    return _asked(x, "fit_stats")


def fitted(x: Any) -> Array:
    """Fitted values, shape (k,)."""
    found: Array = _asked(x, "fitted")
    return found


def hatvalues(x: Any) -> Array:
    """Leverages, shape (k,)."""
    found: Array = _asked(x, "hatvalues")()
    return found


def influence(x: Any, **options: Any) -> Any:
    """Case deletion diagnostics."""
    return _asked(x, "influence")(**options)


def leave1out(x: Any, **options: Any) -> Any:
    """The pooled estimate without each study."""
    return _asked(x, "leave1out", "leave_one_out")(**options)


def model_matrix(x: Any) -> Array:
    """The design matrix, shape (k, p)."""
    found: Array = _asked(x, "X")
    return found


def predict(x: Any, *args: Any, **options: Any) -> Any:
    """Predicted effects with confidence and prediction intervals."""
    return _asked(x, "predict")(*args, **options)


def ranef(x: Any, **options: Any) -> Any:
    """Predicted random effects."""
    return _asked(x, "ranef")(**options)


def residuals(x: Any) -> Array:
    """Residuals, shape (k,)."""
    found: Array = _asked(x, "resid")
    return found


def rstandard(x: Any, **options: Any) -> Any:
    """Internally standardised residuals."""
    return _asked(x, "rstandard")(**options)


def rstudent(x: Any, **options: Any) -> Any:
    """Externally standardised (deleted) residuals."""
    return _asked(x, "rstudent")(**options)


def vcov(x: Any) -> Array:
    """Covariance of the coefficients, shape (p, p)."""
    found: Array = _asked(x, "vb")
    return found


def vif(x: Any, *args: Any, **options: Any) -> Any:
    """Variance inflation factors."""
    return _asked(x, "vif")(*args, **options)


def weights(x: Any, **options: Any) -> Array:
    """Weights of the studies in percent, shape (k,)."""
    found = _asked(x, "weights")
    return np.asarray(found(**options) if callable(found) else 100 * found / found.sum())
