"""Expected values of the bias cases against results: every key compared but those listed in `unmatched_values`."""

import numpy as np

from known import reference_json
from unmatched_values import UNMATCHED


def expected(case):
    return reference_json(f"meta/{case}.json")


def listed(case, block):
    """The keys of a block whose value is not the peer's."""
    return [path[2] for path in UNMATCHED if path[:2] == (case, block)]


def numbers(value):
    if value is None or (isinstance(value, (list, tuple)) and not value):
        return np.array([np.nan])
    items = np.atleast_1d(np.asarray(value, dtype=object))
    found = np.array([np.nan if item is None else float(item) for item in items])
    return np.where(np.isinf(found), np.nan, found)  # the reference writes infinite degrees of freedom as null


def differs(found, wanted, tolerance):
    """Whether a number or array is not the wanted one to a relative `tolerance`; NaN and None are one."""
    a, b = numbers(found), numbers(wanted)
    if a.shape != b.shape:
        return True
    return not np.allclose(a, b, rtol=tolerance, atol=1e-14, equal_nan=True)


def mismatches(case, block, result, tolerance, *, names=None, skip=()):
    """Keys of `block` whose value `result` does not have, with both values."""
    wanted = expected(case)["expected"][block]
    known = listed(case, block)
    found = []
    for key, value in wanted.items():
        if key in skip:
            continue
        name = (names or {}).get(key, key.replace(".", "_"))
        got = getattr(result, name)
        if isinstance(value, str) or (isinstance(value, list) and value and isinstance(value[0], str)):
            wrong = got != value and tuple(got) != ((value,) if isinstance(value, str) else tuple(value))
        else:
            wrong = differs(got, value, tolerance)
        if wrong and key not in known:
            found.append((key, got, value))
    return found
