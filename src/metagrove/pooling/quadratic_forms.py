"""The distribution of a positive quadratic form in normal variables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array

__all__ = ["chi_square_mixture_cdf"]

_DIGITS = 38.0  # exp(-38) is below double precision
_DENSITY = 6.0  # nodes per standard deviation of the integrand at the saddle; 6 leaves an error below exp(-2 pi 6)


@dataclass(frozen=True, slots=True)
class _Determinant:
    """log det(1 + 2 s A): sum log(1 + 2 s w), plus log sum p/(1 + 2 s w) where shares p take a direction out."""

    w: Array
    shares: Array | None

    def log(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """The value at complex s, shape (n,)."""
        factors = 1 + 2 * s[:, None] * self.w
        found: NDArray[np.complex128] = np.log(factors).sum(axis=1)
        return found if self.shares is None else found + np.log((self.shares / factors).sum(axis=1))

    def slopes(self, s: float) -> tuple[float, float]:
        """First and second derivative at real s."""
        factors = 1 + 2 * s * self.w
        ratio = 2 * self.w / factors
        first, second = float(ratio.sum()), -float(ratio @ ratio)
        if self.shares is None:
            return first, second
        part = self.shares / factors
        total, bend = float(part.sum()), -float(part @ ratio)
        return first + bend / total, second + 2 * float(part @ ratio**2) / total - (bend / total) ** 2


def _saddle(x: float, form: _Determinant) -> float:
    """The point s > 0 where x = 1/s + (log det)'/2; Newton steps inside the bracket (0, (k/2 + 1)/x)."""
    low, high, s = 0.0, (form.w.size / 2 + 1) / x, 1.0 / x
    for _ in range(100):
        first, second = form.slopes(s)
        gap = x - 0.5 * first - 1 / s
        low, high = (s, high) if gap < 0 else (low, s)
        new = s - gap / (1 / s**2 - 0.5 * second)
        new = new if low < new < high else 0.5 * (low + high)
        if abs(new - s) < 1e-6 * s:
            return new
        s = new
    return s


def chi_square_mixture_cdf(x: float, weights: Array, shares: Array | None = None) -> float:
    """P(z'Az <= x) for standard normal z, absolute error near 1e-14.

    Parameters
    ----------
    x : a real number; 0 is returned below 0.
    weights : shape (k,), >= 0, not all 0: the eigenvalues of A, or with `shares` the diagonal D of
        A = D^(1/2) (1 - pp') D^(1/2), where p holds the roots of the shares.
    shares : shape (k,), above 0, summing to 1, such as the weights of a mean that is taken out; or None.

    The Laplace transform det(1 + 2 s A)^(-1/2) / s is inverted by the trapezoidal rule on a parabola through its
    saddle point, which opens to the left around the singularities on the negative real axis, so that the rule
    converges geometrically (Trefethen LN, Weideman JAC. SIAM Review 2014;56:385-458. doi:10.1137/130932132). With
    shares no eigenvalues are needed: the determinant is prod(1 + 2 s w) * sum(p/(1 + 2 s w)), and as its zeros lie
    between those of the factors, the principal logarithms hold all the way.
    """
    if x <= 0:
        return 0.0
    # Chernoff's bound on the other tail, at half of the largest eigenvalue's own limit; far out the contour would be long.
    if x / (4 * float(weights.max())) > _DIGITS + 0.5 * weights.size * np.log(2):
        return 1.0
    form = _Determinant(weights[weights > 0] if shares is None else weights, shares)
    s0 = _saddle(x, form)
    ratio = form.w / (1 + 2 * s0 * form.w)
    bend = 2 * float((ratio**3).sum()) / (3 * float(ratio @ ratio))
    step = 1 / (_DENSITY * (1 / s0**2 - 0.5 * form.slopes(s0)[1]) ** 0.5)
    count = int(np.ceil((_DIGITS / (bend * x)) ** 0.5 / step)) + 1
    u = step * np.arange(count + 1)
    s = s0 + 1j * u - bend * u**2
    integrand = (np.exp(s * x - 0.5 * form.log(s)) / s * (1j - 2 * bend * u)).imag
    total = (2 * float(integrand.sum()) - float(integrand[0])) * step / (2 * np.pi)
    return float(min(max(total, 0.0), 1.0))
