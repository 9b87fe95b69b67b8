"""Numbers as the report prints them."""

from __future__ import annotations

import math

__all__ = ["effect", "effect_interval", "interval", "p_value", "percent", "percent_interval", "plain_number"]


def percent(value: float, digits: int = 1) -> str:
    """A fraction in per cent.

    >>> percent(0.0873), percent(float("nan"))
    ('8.7%', '–')
    """
    return f"{100 * value:.{digits}f}%" if math.isfinite(value) else "–"


def percent_interval(low: float, high: float, digits: int = 1) -> str:
    """Limits in per cent, without repeating the sign.

    >>> percent_interval(0.0248, 0.1739)
    '2.5 to 17.4'
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "–"
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f}"


def interval(low: float, high: float, digits: int = 1) -> str:
    """Limits of a time.

    >>> interval(2.8, float("nan"))
    '2.8 to not reached'
    """
    if not math.isfinite(low) and not math.isfinite(high):
        return "–"
    first = f"{low:.{digits}f}" if math.isfinite(low) else "not reached"
    second = f"{high:.{digits}f}" if math.isfinite(high) else "not reached"
    return f"{first} to {second}"


def plain_number(value: float, digits: int = 4) -> str:
    """A number with so many significant digits, without an exponent where that can be helped.

    >>> plain_number(0.0091676), plain_number(4.0)
    ('0.009168', '4')
    """
    return f"{value:.{digits}g}" if math.isfinite(value) else "–"


def p_value(value: float) -> str:
    """A p-value as journals print it.

    >>> p_value(0.0994), p_value(1e-9)
    ('0.099', '< 0.001')
    """
    if not math.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def effect(value: float, digits: int = 2) -> str:
    """An effect as journals print it: two decimals, two significant digits where those would show next to nothing.

    >>> effect(0.4893), effect(0.00421), effect(-12.3456), effect(float("nan"))
    ('0.49', '0.0042', '-12.35', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value and abs(value) < 0.095:
        return f"{value:.2g}" if abs(value) >= 1e-4 else f"{value:.1e}"
    return f"{value:.{digits}f}" if abs(value) < 1e5 else f"{value:.3g}"


def effect_interval(low: float, high: float) -> str:
    """Limits of an effect.

    >>> effect_interval(0.34, 0.701)
    '0.34 to 0.70'
    """
    return f"{effect(low)} to {effect(high)}" if math.isfinite(low) and math.isfinite(high) else "–"
