"""Every expected value of a reference case against what we compute: `walked(case)` gives one line per value.

A value is *compared* when it is within the README's tolerance, *listed* when it is not and `unmatched_values.py` says
why, and *loose* otherwise.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reference_blocks import Claim, loaded, results

#: what rounding leaves of a zero, in units of the quantities' own scale
FLOOR = 1e-16


@dataclass(frozen=True)
class Value:
    """One expected number or word, what was found in its place, and whether the two are one."""

    path: tuple[str, ...]
    found: object
    wanted: object
    agrees: bool

    @property
    def key(self):
        """The path without positions in a list."""
        return tuple(part for part in self.path if not part.isdigit())


def leaves(path, wanted):
    """Each expected value with its path."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            yield from leaves((*path, key), value)
    elif isinstance(wanted, list):
        for i, value in enumerate(wanted):
            yield from leaves((*path, str(i)), value)
    else:
        yield path, wanted


def attribute(result, key, names):
    name = names.get(key, key.replace(".", "_"))
    if callable(name):
        return name(result)
    if isinstance(result, dict | pd.DataFrame):
        return result[name]
    return getattr(result, name)


def pairs(path, wanted, found, claim):
    """(path, found, wanted) down to single values; an absent attribute is the error it raises."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            try:
                part = attribute(found, key, claim.names)
            except (AttributeError, KeyError) as error:
                yield from ((place, error, leaf) for place, leaf in leaves((*path, key), value))
                continue
            yield from pairs((*path, key), value, part, claim)
    elif isinstance(wanted, list):
        items = list(np.ravel(found)) if np.ndim(wanted) == 1 and np.ndim(found) == 0 else list(found)
        if len(items) != len(wanted):
            error = ValueError(f"{len(items)} values for {len(wanted)}")
            yield from ((place, error, leaf) for place, leaf in leaves(path, wanted))
            return
        for i, (value, item) in enumerate(zip(wanted, items, strict=True)):
            yield from pairs((*path, str(i)), value, item, claim)
    else:
        yield path, found, wanted


def single(found):
    items = np.ravel(np.asarray(found, dtype=object))
    return items[0] if items.size == 1 else found


def agrees(found, wanted, tolerance):
    found = single(found)
    if isinstance(found, Exception):
        return False
    if isinstance(wanted, str | bool):
        return str(found) == str(wanted)
    if wanted is None:  # not available, or infinite
        return found is None or (np.ndim(found) == 0 and not math.isfinite(found)) or np.size(found) == 0
    if found is None or np.ndim(found):
        return False
    return abs(float(found) - wanted) <= tolerance * abs(wanted) + FLOOR


def compared(claim: Claim, wanted):
    """The values of one block."""
    for part in claim.path:
        wanted = wanted[part]
    for path, found, value in pairs(claim.path, wanted, claim.result, claim):
        key = [part for part in path[len(claim.path) :] if not part.isdigit()]
        rule = claim.tolerance
        tolerance = rule(key[-1] if key else claim.path[-1]) if callable(rule) else rule
        yield Value(path, found, value, agrees(found, value, tolerance))


def walked(case):
    """Every value of a case, in the file's order; a value that no block claims agrees with nothing."""
    expected = loaded(case)["expected"]
    found = {value.path: value for claim in results(case) for value in compared(claim, expected)}
    for path, wanted in leaves((), expected):
        yield found.get(path) or Value(path, None, wanted, agrees=False)
