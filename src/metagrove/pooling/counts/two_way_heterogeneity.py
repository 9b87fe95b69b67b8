"""Heterogeneity of treatment effects where study levels are random: one effect per study against one for all."""

from __future__ import annotations

import numpy as np

from metagrove.core.values import Array
from metagrove.pooling.counts.maximum import Differences, Evaluations, maximum
from metagrove.pooling.counts.mixed_model import MarginalBatch, MixedFit, Saturated
from metagrove.pooling.counts.quadrature import Integrand, Likelihood

__all__ = ["random_level_heterogeneity"]


def random_level_heterogeneity(
    likelihood: Likelihood, first: Saturated, common: MixedFit, nodes: int, x: Array
) -> tuple[float, float, float]:
    """Wald and likelihood-ratio statistics of heterogeneity, and the log-likelihood with one effect per study.

    Parameters
    ----------
    likelihood : of both arms of k studies.
    first : the first arm of each study fitted by itself; a study's own effect is infinite where that arm is.
    common : the fit with random levels and one effect for all; its first coefficient is the level.
    nodes : quadrature points.
    x : design of the effects, shape (k, P).
    """
    k = first.y.size
    level = np.ones((k, 2, 1))
    # Each study's own effect acts in the first arm. Where it is infinite the first arm fits perfectly as it runs off;
    # 30 on the logit or log scale is as good as infinity.
    integrand = Integrand(likelihood, level, np.ones(2), np.array([1.0, 0.0]), nodes)
    finite = np.isfinite(first.y)
    frozen = np.where(first.y > 0, 30.0, -30.0)
    within = MarginalBatch(integrand)

    def batch(shared: Array, own: Array | None) -> Evaluations:
        if own is None:
            raise AssertionError
        effects = np.where(finite, own, frozen)
        # A quadratic pull keeps the frozen effects where they are without touching the others.
        away = np.where(finite, 0.0, own - frozen)
        found = within(shared, effects)
        if found.own is None:
            raise AssertionError
        values = found.values - 0.5 * (away * away).sum(axis=1)
        return Evaluations(values, found.shared, np.asarray(np.where(finite, found.own, -away)))

    start_effects = np.where(finite, np.where(finite, first.y, 0.0) - common.beta[0], frozen)
    start = np.array([common.beta[0], max(np.sqrt(common.tau2), 0.1)])
    found = maximum(Differences(batch, within.small), start, start_effects)
    own, info, cross = found.own, found.own_information, found.cross
    if own is None or info is None or cross is None:
        raise AssertionError
    bent = found.information
    scaled = cross / info[:, None]
    covariance = np.diag(1 / info) + scaled @ np.linalg.solve(bent, scaled.T)
    lrt = max(0.0, 2 * (found.value - common.log_likelihood))
    return _contrast(own[finite], covariance[np.ix_(finite, finite)], x[finite]), lrt, found.value


def _contrast(y: Array, covariance: Array, x: Array) -> float:
    """Wald statistic that all effects follow the design."""
    if y.size <= x.shape[1]:
        return 0.0
    weight = np.linalg.inv(covariance)
    beta = np.linalg.solve(x.T @ weight @ x, x.T @ weight @ y)
    rest = y - x @ beta
    return float(rest @ weight @ rest)
