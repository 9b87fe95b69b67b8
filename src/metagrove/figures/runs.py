"""Stretches of a row or a column in which something holds throughout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["runs_of"]


def runs_of(there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where each stretch begins, and the place after its end.

    >>> runs_of(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    change = np.diff(np.concatenate([[0], there.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True))
