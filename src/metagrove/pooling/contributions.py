"""Baujat's plot for a linear model: what each study adds to heterogeneity, and how far it moves its own prediction."""

from __future__ import annotations

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.pooling.regression.linear_model import LinearFit
from metagrove.pooling.sensitivity import Baujat

__all__ = ["contributions"]


def contributions(fit: LinearFit, labels: tuple[str, ...]) -> Baujat:
    """Squared Pearson residuals against standardised squared changes of the fitted value, each of shape (k,).

    Raises MethodError where the model cannot be fitted without one of the studies.

    References
    ----------
    Baujat B, Mahé C, Pignon JP, Hill C (2002) A graphical method for exploring heterogeneity in meta-analyses.
    Statistics in Medicine 21:2641-2652. doi:10.1002/sim.1221
    """
    if fit.k <= fit.p + 1:
        raise MethodError(f"a Baujat plot refits the model without each study; {fit.k} studies are too few")
    everyone = np.arange(fit.k)
    y = np.empty(fit.k)
    for i in everyone:
        rest = fit.subset(np.delete(everyone, i))
        row = fit.X[i]
        y[i] = float(row @ (fit.b - rest.b)) ** 2 / float(row @ rest.vb @ row)
    return Baujat(labels, fit.residuals**2 / fit.total, y)
