"""`one_mean` as machine code: for many analyses always, for single ones where a process has loaded it already.

Loading takes as long as some twenty thousand single fits save by it, so no single fit asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import NamedTuple

from metagrove.core.values import Array
from metagrove.pooling import one_mean

__all__ = ["Kernels", "kernels", "loaded"]


class Kernels(NamedTuple):
    """Compiled functions of `one_mean`, under their names there."""

    pool_rows: Callable[..., int]
    peak_row: Callable[[Array, Array, bool, Array, Array], one_mean.Peak]


@cache
def kernels() -> Kernels:
    """The functions as machine code, kept on disk beside the source after the first compilation."""
    from numba import njit

    scope = dict(vars(one_mean))
    for kernel in one_mean.KERNELS:
        name = kernel.__name__
        scope[name] = njit(cache=True, error_model="numpy")(FunctionType(kernel.__code__, scope, name))
    return Kernels(scope["pool_rows"], scope["peak_row"])


def loaded() -> Kernels | None:
    """The compiled functions if they are in memory, else None; the numbers are the same, only the time is not."""
    return kernels() if kernels.cache_info().currsize else None
