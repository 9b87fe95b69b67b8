"""`meta_reference.compare` for blocks that hold blocks (fit_ML, fit_REML)."""

import numpy as np

import meta_reference


def compare(result, wanted, *, tol, case="", block=""):
    flat = {key: value for key, value in wanted.items() if not isinstance(value, dict)}
    for key in ("I2", "I2_total", "I2_by_level"):
        if flat.get(key) is not None:  # a percentage in metafor, a fraction here
            flat[key] = (np.asarray(flat[key], dtype=float) / 100).tolist()
    bad = meta_reference.compare(result, flat, case=case, block=block, tol=tol)
    for key, value in wanted.items():
        if isinstance(value, dict):
            bad += meta_reference.compare(getattr(result, key), value, case=case, block=f"{block} {key}", tol=tol)
    return bad
