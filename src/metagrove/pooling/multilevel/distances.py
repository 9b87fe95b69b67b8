"""Distances between the places of effects, and the correlations that fall with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.pooling.multilevel.structures import Box, Parts, Structure

__all__ = ["DISTANCES", "SPATIAL", "spatial_structure"]

Complex = NDArray[np.complex128]
_CRESSIE = "Cressie NAC. Statistics for Spatial Data. 1993. doi:10.1002/9781119115151"
_PINHEIRO = "Pinheiro JC, Bates DM. Mixed-Effects Models in S and S-PLUS. 2000. doi:10.1007/b98882"

#: Distances between rows of coordinates (J, d), as a matrix (J, J).
DISTANCES: Registry[Callable[[Array], Array]] = Registry("distance (dist)")


def _gaps(places: Array) -> Array:
    return np.asarray(np.abs(places[:, None, :] - places[None, :, :]))


@DISTANCES.add("euclidean", title="straight-line distance", cite=_CRESSIE)
def euclidean(places: Array) -> Array:
    """Straight-line distances."""
    return np.asarray(np.sqrt((_gaps(places) ** 2).sum(axis=2)))


@DISTANCES.add("manhattan", title="sum of the distances along each axis", cite=_CRESSIE)
def manhattan(places: Array) -> Array:
    """Sums of absolute differences."""
    return np.asarray(_gaps(places).sum(axis=2))


@DISTANCES.add("maximum", title="largest distance along an axis", cite=_CRESSIE)
def maximum(places: Array) -> Array:
    """Largest absolute differences."""
    return np.asarray(_gaps(places).max(axis=2))


@DISTANCES.add(
    "gcd",
    title="great-circle distance on the WGS84 ellipsoid",
    cite="Lambert WD. The distance between two widely separated points on the surface of the earth. "
    "J Wash Acad Sci 1942;32:125-30",
)
def great_circle(places: Array) -> Array:
    """Great-circle distances in kilometres from longitudes and latitudes in degrees, by Lambert's formula (WGS84)."""
    if places.shape[1] != 2:
        raise DataError(f"great-circle distances need longitude and latitude; there are {places.shape[1]} columns")
    flattening, radius = 1 / 298.257223563, 6378.137
    longitude = np.radians(places[:, 0])
    reduced = np.arctan((1 - flattening) * np.tan(np.radians(places[:, 1])))
    one, other = reduced[:, None], reduced[None, :]
    half = np.sin((one - other) / 2) ** 2
    turn = np.sin((longitude[:, None] - longitude[None, :]) / 2) ** 2
    angle = 2 * np.arcsin(np.sqrt(np.clip(half + np.cos(one) * np.cos(other) * turn, 0.0, 1.0)))
    middle, apart = (one + other) / 2, (other - one) / 2
    safe = np.where(angle > 0, angle, 1.0)
    x = (safe - np.sin(safe)) * (np.sin(middle) * np.cos(apart) / np.cos(safe / 2)) ** 2
    y = (safe + np.sin(safe)) * (np.cos(middle) * np.sin(apart) / np.sin(safe / 2)) ** 2
    return np.asarray(np.where(angle > 0, radius * (angle - flattening / 2 * (x + y)), 0.0))


def _exponential(d: Array, rho: complex) -> Complex:
    return np.asarray(np.exp(-d / rho), dtype=complex)


def _gaussian(d: Array, rho: complex) -> Complex:
    return np.asarray(np.exp(-((d / rho) ** 2)), dtype=complex)


def _linear(d: Array, rho: complex) -> Complex:
    return np.where(d < rho.real, 1 - d / rho, 0.0)


def _rational(d: Array, rho: complex) -> Complex:
    return np.asarray(1 / (1 + (d / rho) ** 2), dtype=complex)


def _spherical(d: Array, rho: complex) -> Complex:
    return np.where(d < rho.real, 1 - 1.5 * d / rho + 0.5 * (d / rho) ** 3, 0.0)


#: Correlation at distance d with range rho, by the structure's code.
SPATIAL: Registry[Callable[[Array, complex], Complex]] = Registry("spatial structure of random effects")
SPATIAL.put("SPEXP", _exponential, title="exponential spatial correlation", cite=_PINHEIRO)
SPATIAL.put("SPGAU", _gaussian, title="Gaussian spatial correlation", cite=_PINHEIRO)
SPATIAL.put("SPLIN", _linear, title="linear spatial correlation", cite=_PINHEIRO)
SPATIAL.put("SPRAT", _rational, title="rational quadratic spatial correlation", cite=_PINHEIRO)
SPATIAL.put("SPSPH", _spherical, title="spherical spatial correlation", cite=_PINHEIRO)


def spatial_structure(code: str, distances: Array) -> Structure:
    """The structure `code` over places with these `distances` (J, J): one variance and the range rho.

    The range lies between a thousandth of the smallest distance and a thousand times the largest, where correlations
    are 0 and 1 for all that the data can tell.

    Raises
    ------
    DataError where all places are one.
    """
    apart = distances[distances > 0]
    if apart.size == 0:
        raise DataError("all effects are at one place; a spatial correlation needs distances")
    correlation = SPATIAL[code]
    low, high, typical = 1e-3 * float(apart.min()), 1e3 * float(apart.max()), float(np.median(apart))
    starts = {0.5: typical, 0.0: 0.2 * typical, -0.4: 4.0 * typical}

    def start(total: float, J: int, rho: float) -> Array:
        return np.array([total, starts.get(rho, typical)])

    return Structure(
        box=lambda J: Box(np.array([0.0, low]), np.array([np.inf, high]), ("variance", "rho")),
        matrix=lambda theta, times: theta[0] * correlation(distances, complex(theta[1])),
        parts=lambda theta, J: Parts(theta[:1], theta[1:]),
        start=start,
    )
