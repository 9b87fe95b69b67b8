"""Arguments of the doors of the reconstruction, as what they must be or one line that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError

__all__ = ["arm_arguments", "draws_wanted", "random_generator", "real_number"]

#: What `reconstruct` takes for one arm.
OF_AN_ARM = (
    "curve", "at_risk", "n", "events", "marks", "median", "rates", "axis", "time_error", "kind", "method", "draws", "rng"
)  # fmt: skip


def random_generator(rng: Any) -> np.random.Generator:
    """The generator itself, or one from a seed; seed 1 by default. MethodError for anything else."""
    if isinstance(rng, np.random.Generator):
        return rng
    try:
        return np.random.default_rng(1 if rng is None else rng)
    except (TypeError, ValueError):
        raise MethodError(f"rng is {rng!r}; a generator or a seed, a whole number of 0 or more, is needed") from None


def draws_wanted(draws: Any) -> int:
    """A number of draws, 0 or more; MethodError for anything else."""
    if isinstance(draws, int | float | np.number) and np.isfinite(draws) and draws == int(draws) and draws >= 0:
        return int(draws)
    raise MethodError(f"draws is {draws!r}; it is a whole number, 0 or more")


def real_number(value: Any, name: str, *, low: float = -np.inf, what: str = "a number is needed") -> float:
    """A finite number above `low`; DataError that says `what` it is for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DataError(f"{name} is {value!r}; {what}") from None
    if not (np.isfinite(number) and number > low):
        raise DataError(f"{name} is {number:g}; {what}")
    return number


def arm_arguments(given: Any, name: str) -> Mapping[str, Any]:
    """The arguments of `reconstruct` for one of two arms; DataError where they are no mapping, or not of its arguments."""
    if not isinstance(given, Mapping) or "curve" not in given:
        raise DataError(f"{name} has no curve; the arguments of reconstruct are needed, as a mapping with 'curve'")
    strange = next((key for key in given if key not in OF_AN_ARM), None)
    if strange is not None:
        raise DataError(f"{name} has {strange!r}; known: {', '.join(OF_AN_ARM)}")
    return given
