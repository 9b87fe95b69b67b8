"""The error with which a curve was read, estimated from the paths that may lie behind it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from metagrove.survival.evidence.click_noise import Disorder
from metagrove.survival.evidence.reading_error import ERRORS, RATIO, Shown, error_mode
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.paths.censoring import Shape
from metagrove.survival.paths.draws import Known, Sample, sample_of, scaled
from metagrove.survival.paths.search import Beam, run_of

__all__ = ["Noise", "likely_noise"]

#: How many times its usual size the error is tried at while no path comes through.
FARTHER = 2.0
#: Passes made at most.
PASSES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """The reading error after its likelihood.

    Parameters
    ----------
    sigma : standard error of a click in survival. left : the share of it that is left once clicks are brought to order.
    spread : standard deviation of the logarithm of `sigma`.
    tried : the error under which paths were last drawn. reading : the readings with that error, in order. sample : the paths.
    """

    sigma: float
    left: float
    spread: float
    tried: float
    reading: Reading
    sample: Sample


def likely_noise(
    known: Known, belief: Shape, disorder: Disorder | None, beam: Beam, count: int, rng: np.random.Generator
) -> Noise | None:
    """Reading error of clicks: the mode of its likelihood, summed over all paths, and a prior from careful clicks.

    Clicks in order lie closer to any curve than they were set; what their order as set tells is part of the likelihood. The
    prior is that of `PRIOR_READINGS` readings with the usual error. None where no path comes through.

    Parameters
    ----------
    beam, count : of the passes and the number of paths that are drawn from each.
    """
    plan, reading, facts = known
    usual, sigma = reading.usual_error, reading.sigma_s
    found: Noise | None = None

    @cache
    def shown(error: float) -> tuple[float, float]:
        return disorder.shown(error) if disorder else (0.0, 1.0)

    for _ in range(PASSES):
        left = shown(sigma)[1]
        tried = scaled(reading, left * sigma / usual)
        run = run_of(plan, tried, facts, belief, beam)
        if not np.isfinite(run.evidence):
            # No path lies as near as that; far beyond the usual error, what is printed contradicts the curve instead.
            if found is not None or RATIO * sigma > min(FARTHER * reading.sigma_s, ERRORS[1]):
                return found
            sigma *= RATIO
            continue
        sample = sample_of(run, count, rng)
        del run
        found = _mode(_Slope(sample, left * sigma, reading.level.size), shown, sigma, (tried, sample))
        if abs(np.log(found.sigma / sigma)) < np.log(RATIO):
            break
        sigma = found.sigma
    return found


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


def _mode(slope: _Slope, shown: Shown, base: float, drawn: tuple[Reading, Sample]) -> Noise:
    """The likeliest error near `base`, for which paths were drawn."""
    sigma, left, spread = error_mode(slope.at, shown, base)
    return Noise(sigma, left, spread, base, *drawn)
