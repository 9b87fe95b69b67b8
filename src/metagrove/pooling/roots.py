"""The root of a continuous function between two points of opposite sign."""

from __future__ import annotations

from collections.abc import Callable

from metagrove.core.errors import ConvergenceError

__all__ = ["bracketed_root", "rising_bracket"]


def bracketed_root(f: Callable[[float], float], low: float, high: float, *, close: float = 1e-13) -> float:
    """The point where `f` crosses zero in [low, high], to a relative width of `close`.

    Inverse quadratic steps where they are safe, bisection elsewhere: Chandrupatla TR. Adv Eng Softw 1997;28:145-9.
    doi:10.1016/S0965-9978(96)00051-8. Raises ConvergenceError if f has one sign at both ends.
    """
    a, b, fa, fb = high, low, f(high), f(low)
    if fa == 0 or fb == 0:
        return a if fa == 0 else b
    if (fa > 0) == (fb > 0):
        raise ConvergenceError(f"no sign change between {low:g} ({fb:g}) and {high:g} ({fa:g})")
    share = 0.5
    for _ in range(200):
        x = a + share * (b - a)
        fx = f(x)
        if (fx > 0) == (fa > 0):
            c, fc = a, fa
        else:
            c, fc, b, fb = b, fb, a, fa
        a, fa = x, fx
        best = a if abs(fa) < abs(fb) else b
        width = abs(b - a)
        if fa == 0 or width <= 2 * close * max(abs(best), 1e-300):
            return best
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        if phi**2 < xi and (1 - phi) ** 2 < 1 - xi:
            share = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        else:
            share = 0.5
        floor = close * abs(best) / width
        share = min(max(share, floor), 1 - floor)
    return best


def rising_bracket(f: Callable[[float], float], start: float) -> float:
    """A point at or above `start` (> 0) where `f`, positive at the left, is no longer positive; doubles its way up."""
    x = start
    for _ in range(200):
        if f(x) <= 0:
            return x
        x *= 2
    raise ConvergenceError(f"no upper limit below {x:g}")
