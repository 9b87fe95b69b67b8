"""Covariance structures of correlated random effects: a matrix G over the inner factor's levels, by few parameters.

Each structure is a smooth map from parameters inside a box to G, so that bounds (a variance of 0, a correlation of ±1)
can be reached and recognised. The maps accept complex parameters; derivatives are taken by complex steps, which are
exact to rounding (Squire W, Trapp G. SIAM Rev 1998;40:110-112. doi:10.1137/S003614459631241X).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.registry import Registry
from metagrove.core.values import Array

__all__ = ["STRUCTURES", "Box", "Parts", "Structure", "angles_of", "slopes"]

Complex = NDArray[np.complex128]
_HALF_PI = float(np.pi / 2)


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """Bounds of parameters, shape (n,) each, and the kind of each: "variance", "sd", "rho" or "angle"."""

    lower: Array
    upper: Array
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Variances `tau2` and correlations `rho` of a structure, as metafor lists them (lower triangle by columns)."""

    tau2: Array
    rho: Array


@dataclass(frozen=True, slots=True)
class Structure:
    """A covariance structure over J levels whose positions are `times` (J,).

    Parameters
    ----------
    box : J to the parameters' bounds.
    matrix : parameters and times to G, shape (J, J).
    parts : parameters and J to what is reported.
    start : a total variance, J and a correlation to starting parameters.
    ordered : whether the levels' order matters.
    """

    box: Callable[[int], Box]
    matrix: Callable[[Complex, Array], Complex]
    parts: Callable[[Array, int], Parts]
    start: Callable[[float, int, float], Array]
    ordered: bool = False


STRUCTURES: Registry[Structure] = Registry("structure of random effects (struct)")
_HARVILLE = "Harville DA. J Am Stat Assoc 1977;72:320-338. doi:10.1080/01621459.1977.10480998"
_JENNRICH = "Jennrich RI, Schluchter MD. Biometrics 1986;42:805-820. doi:10.2307/2530695"
_PINHEIRO = "Pinheiro JC, Bates DM. Stat Comput 1996;6:289-296. doi:10.1007/BF00140873"


def _box(*groups: tuple[str, int, float, float]) -> Box:
    kinds = tuple(kind for kind, n, _, _ in groups for _ in range(n))
    lower = np.array([low for _, n, low, _ in groups for _ in range(n)])
    upper = np.array([high for _, n, _, high in groups for _ in range(n)])
    return Box(lower, upper, kinds)


def _lowest(J: int) -> float:
    """The least common correlation of J variables, -1/(J - 1)."""
    return -1.0 / (J - 1) if J > 1 else 0.0


def _correlated(rho: Complex, J: int) -> Complex:
    full = np.full((J, J), rho, dtype=complex)
    np.fill_diagonal(full, 1.0)
    return full


def _power(rho: Complex, times: Array) -> Complex:
    """rho^|t_i - t_j|; 0^0 is 1."""
    gap = np.abs(times[:, None] - times[None, :])
    if rho == 0:
        # the derivative at 0 survives in gaps of 1 alone
        return np.where(gap == 0, 1.0, np.where(gap == 1, rho, 0.0)).astype(complex)
    whole = bool(np.all(gap == np.round(gap)))
    return np.asarray(rho ** (gap.astype(int) if whole else gap), dtype=complex)


def _angles_to_factor(theta: Complex, J: int) -> Complex:
    """The Cholesky factor of a correlation matrix from angles in ±π/2, row by row; rho_21 is the first's sine."""
    factor = np.zeros((J, J), dtype=complex)
    factor[0, 0] = 1.0
    position = 0
    for i in range(1, J):
        rest: complex = 1.0 + 0j
        for j in range(i):
            factor[i, j] = rest * np.sin(theta[position])
            rest = rest * np.cos(theta[position])
            position += 1
        factor[i, i] = rest
    return factor


def _unstructured(theta: Complex, times: Array) -> Complex:
    J = times.size
    rows = theta[:J, None] * _angles_to_factor(theta[J:], J)
    return np.asarray(rows @ rows.T)


def _unstructured_parts(theta: Array, J: int) -> Parts:
    factor = _angles_to_factor(theta[J:].astype(complex), J).real
    corr = factor @ factor.T
    return Parts(theta[:J] ** 2, corr.T[np.triu_indices(J, 1)])


def _flat_angles(J: int, rho: float) -> Array:
    """Angles of the matrix with all correlations `rho`."""
    corr = np.full((J, J), max(rho, 0.9 * _lowest(J)))
    np.fill_diagonal(corr, 1.0)
    return angles_of(corr)


def angles_of(corr: Array) -> Array:
    """Angles of a positive definite correlation matrix, the inverse of the spherical parametrisation; row by row."""
    J = corr.shape[0]
    factor = np.linalg.cholesky(corr)
    angles = []
    for i in range(1, J):
        rest = 1.0
        for j in range(i):
            angles.append(float(np.arcsin(np.clip(factor[i, j] / rest, -1, 1))))
            rest *= float(np.cos(angles[-1]))
    return np.array(angles)


STRUCTURES.put(
    "UN",
    Structure(
        box=lambda J: _box(("sd", J, 0.0, np.inf), ("angle", J * (J - 1) // 2, -_HALF_PI, _HALF_PI)),
        matrix=_unstructured,
        parts=_unstructured_parts,
        start=lambda s, J, rho: np.concatenate([np.full(J, np.sqrt(s)), _flat_angles(J, rho)]),
    ),
    title="unstructured",
    cite=_PINHEIRO,
)
STRUCTURES.put(
    "CS",
    Structure(
        box=lambda J: _box(("variance", 1, 0.0, np.inf), ("rho", 1, _lowest(J), 1.0)),
        matrix=lambda theta, times: theta[0] * _correlated(theta[1], times.size),
        parts=lambda theta, J: Parts(theta[:1], theta[1:]),
        start=lambda s, J, rho: np.array([s, max(rho, 0.9 * _lowest(J))]),
    ),
    title="compound symmetry",
    cite=_JENNRICH,
)
STRUCTURES.put(
    "HCS",
    Structure(
        box=lambda J: _box(("sd", J, 0.0, np.inf), ("rho", 1, _lowest(J), 1.0)),
        matrix=lambda theta, times: np.outer(theta[:-1], theta[:-1]) * _correlated(theta[-1], times.size),
        parts=lambda theta, J: Parts(theta[:-1] ** 2, theta[-1:]),
        start=lambda s, J, rho: np.append(np.full(J, np.sqrt(s)), max(rho, 0.9 * _lowest(J))),
    ),
    title="heteroscedastic compound symmetry",
    cite=_JENNRICH,
)
STRUCTURES.put(
    "DIAG",
    Structure(
        box=lambda J: _box(("variance", J, 0.0, np.inf)),
        matrix=lambda theta, times: np.diag(theta),
        parts=lambda theta, J: Parts(theta, np.zeros(1)),
        start=lambda s, J, rho: np.full(J, s),
    ),
    title="diagonal",
    cite=_HARVILLE,
)
STRUCTURES.put(
    "ID",
    Structure(
        box=lambda J: _box(("variance", 1, 0.0, np.inf)),
        matrix=lambda theta, times: theta[0] * np.eye(times.size),
        parts=lambda theta, J: Parts(theta, np.zeros(1)),
        start=lambda s, J, rho: np.array([s]),
    ),
    title="one variance, no correlation",
    cite=_HARVILLE,
)
STRUCTURES.put(
    "AR",
    Structure(
        box=lambda J: _box(("variance", 1, 0.0, np.inf), ("rho", 1, -1.0, 1.0)),
        matrix=lambda theta, times: theta[0] * _power(theta[1], np.arange(times.size, dtype=float)),
        parts=lambda theta, J: Parts(theta[:1], theta[1:]),
        start=lambda s, J, rho: np.array([s, rho]),
        ordered=True,
    ),
    title="autoregressive over ordered levels",
    cite=_JENNRICH,
)
STRUCTURES.put(
    "HAR",
    Structure(
        box=lambda J: _box(("sd", J, 0.0, np.inf), ("rho", 1, -1.0, 1.0)),
        matrix=lambda theta, times: (
            np.outer(theta[:-1], theta[:-1]) * _power(theta[-1], np.arange(times.size, dtype=float))
        ),
        parts=lambda theta, J: Parts(theta[:-1] ** 2, theta[-1:]),
        start=lambda s, J, rho: np.append(np.full(J, np.sqrt(s)), rho),
        ordered=True,
    ),
    title="heteroscedastic autoregressive",
    cite=_JENNRICH,
)
STRUCTURES.put(
    "CAR",
    Structure(
        box=lambda J: _box(("variance", 1, 0.0, np.inf), ("rho", 1, 0.0, 1.0)),
        matrix=lambda theta, times: theta[0] * _power(theta[1], times),
        parts=lambda theta, J: Parts(theta[:1], theta[1:]),
        start=lambda s, J, rho: np.array([s, max(rho, 0.1)]),
        ordered=True,
    ),
    title="autoregressive in continuous time",
    cite="Jones RH, Boadi-Boateng F. Biometrics 1991;47:161-175. doi:10.2307/2532504",
)
#: Random intercepts and slopes: G over the columns of the inner design, full or diagonal.
STRUCTURES.put("GEN", STRUCTURES["UN"], title="random intercepts and slopes, correlated", cite=_PINHEIRO)
STRUCTURES.put("GDIAG", STRUCTURES["DIAG"], title="random intercepts and slopes, uncorrelated", cite=_HARVILLE)


def slopes(struct: str) -> bool:
    """Whether the inner part is a design (GEN, GDIAG) rather than a factor."""
    return struct in ("GEN", "GDIAG")
