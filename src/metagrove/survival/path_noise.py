"""The error with which a curve was read, estimated from the paths that may lie behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.survival.censoring import Shape
from metagrove.survival.click_noise import Disorder
from metagrove.survival.path_draws import Known, Sample, sample_of, scaled
from metagrove.survival.path_search import MANY, NARROW, QUICK, run_of
from metagrove.survival.steps import CLICK_S

__all__ = ["Noise", "likely_noise"]

#: Readings that the usual error of a click counts for, beside those at hand.
PRIOR_READINGS = 6.0
#: Smallest and largest standard error of a click that is considered.
ERRORS = (1e-4, 0.02)
#: Steps between the errors tried.
RATIO = 1.4
#: Paths drawn to tell how the likelihood changes with the error, and passes made for it at most.
PATHS, PASSES = 100, 8
#: Uncertainty of the logarithm of the error at most.
WIDEST = 0.4


@dataclass(frozen=True, slots=True)
class Noise:
    """The reading error after its likelihood.

    Parameters
    ----------
    sigma : standard error of a click in survival. left : the share of it that is left once clicks are brought to order.
    spread : standard deviation of the logarithm of `sigma`.
    """

    sigma: float
    left: float
    spread: float


def likely_noise(known: Known, belief: Shape, disorder: Disorder | None, rng: np.random.Generator) -> Noise | None:
    """Reading error of clicks: the mode of its likelihood, summed over all paths, and a prior from careful clicks.

    Clicks in order lie closer to any curve than they were set; what their order as set tells is part of the likelihood. The
    prior is that of `PRIOR_READINGS` readings with the usual error. None where no path comes through.
    """
    plan, reading, facts = known
    base, usual = reading.sigma_s, float(np.median(reading.error))
    sigma = base
    found: Noise | None = None
    for _ in range(PASSES):
        left = disorder.shown(sigma)[1] if disorder else 1.0
        error = left * sigma
        sample = _passed((plan, scaled(reading, error / usual), facts), belief, rng)
        if sample is None and (found is not None or RATIO * sigma > ERRORS[1]):
            return found
        if sample is None:  # no path lies as near as that
            sigma *= RATIO
            continue
        before = sigma
        found = _mode(_Slope(sample, error, reading.level.size), disorder, sigma)
        sigma = found.sigma
        if abs(np.log(sigma / before)) < np.log(RATIO):
            break
    return found


def _passed(known: Known, belief: Shape, rng: np.random.Generator) -> Sample | None:
    """Paths drawn under one belief in a quick beam, None where none comes through."""
    for beam in (QUICK, NARROW) if known[1].level.size > MANY else (NARROW,):
        run = run_of(*known, belief, beam)
        if np.isfinite(run.evidence):
            return sample_of(run, PATHS, rng)
    return None


class _Slope:
    """Log likelihood of the readings against their error, from paths drawn at one error.

    The readings given a path are normal about it, with the sum of squares Q in units of the error. Fisher's and Louis's
    identities give the slope E Q - m and the curvature var Q - 2 E Q of the log likelihood in the logarithm of the error
    (Louis TA. Finding the observed information matrix when using the EM algorithm. J R Stat Soc B 1982;44:226-233.
    doi:10.1111/j.2517-6161.1982.tb01203.x). Away from there the likelihood is taken for that of a sum of squares, which
    has the same slope and curvature.
    """

    def __init__(self, sample: Sample, error: float, readings: int) -> None:
        total = 2 * sample.misfit
        mean, scatter = float(total.mean()), float(total.var())
        self.error, self.readings = error, readings
        self.squares = max(mean - scatter / 2, 0.1 * mean)
        self.free = self.squares - mean

    def at(self, error: float) -> float:
        """Log likelihood at an error, but for a constant."""
        step = float(np.log(error / self.error))
        return -(self.free + self.readings) * step - 0.5 * self.squares * float(np.expm1(-2 * step))


def _mode(slope: _Slope, disorder: Disorder | None, base: float) -> Noise:
    """The likeliest error near `base`."""
    known: dict[int, float] = {}

    def score(i: int) -> float:
        if i not in known:
            sigma = base * RATIO**i
            known[i] = -np.inf
            if ERRORS[0] <= sigma <= ERRORS[1]:
                order, left = disorder.shown(sigma) if disorder else (0.0, 1.0)
                prior = -PRIOR_READINGS * (np.log(sigma) + 0.5 * (CLICK_S / sigma) ** 2)
                known[i] = slope.at(left * sigma) + order + prior
        return known[i]

    best = 0
    for step in (1, -1):
        while score(best + step) > score(best):
            best += step
    low, mid, high = score(best - 1), score(best), score(best + 1)
    if not np.isfinite(low + mid + high):
        sigma = base * RATIO**best
        return Noise(sigma, disorder.shown(sigma)[1] if disorder else 1.0, float(np.log(RATIO)) / 2)
    bend = max(2 * mid - low - high, 1e-3)
    sigma = base * RATIO ** (best + float(np.clip((high - low) / (2 * bend), -0.5, 0.5)))
    spread = min(float(np.log(RATIO) / np.sqrt(bend)), WIDEST)
    return Noise(sigma, disorder.shown(sigma)[1] if disorder else 1.0, spread)
