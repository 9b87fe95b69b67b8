"""The highest of several peaks of the likelihood of tau2.

With moderators the (restricted) likelihood of the between-study variance can have a peak at 0 and another inside; an
iteration finds the one it started near. Here the whole range is looked over. Case: `metareg_bcg` (full_ML), where the
peak at 0 is lower by 0.29.
"""

from __future__ import annotations

import numpy as np

from metagrove.core.values import Array
from metagrove.pooling.roots import bracketed_root
from metagrove.pooling.tau2 import Design

__all__ = ["highest_peak"]

_POINTS = 32


def _profile(y: Array, v: Array, X: Array, grid: Array, restricted: bool) -> Array:
    """The log-likelihood at each variance of `grid`, up to a constant; shape of `grid`.

    By normal equations on scaled columns and residuals, which is precise enough to compare and needs one product for
    the whole grid.
    """
    k, p = X.shape
    total = v[None, :] + grid[:, None]
    w = 1 / total
    scaled = X / np.linalg.norm(X, axis=0)
    r = y - scaled @ np.linalg.lstsq(scaled, y, rcond=None)[0]
    xwx = (w @ (scaled[:, :, None] * scaled[:, None, :]).reshape(k, p * p)).reshape(-1, p, p)
    xwr = w @ (scaled * r[:, None])
    gain = np.einsum("gp,gp->g", xwr, np.linalg.solve(xwx, xwr[:, :, None])[:, :, 0])
    ll = -0.5 * (np.log(total).sum(axis=1) + w @ r**2 - gain)
    return np.asarray(ll - 0.5 * np.linalg.slogdet(xwx)[1] if restricted else ll)


def _score(design: Design, t: float, restricted: bool) -> float:
    pr = design.at(1 / (design.v + t))
    py = pr.py
    return float(py @ py) - (pr.trace() if restricted else float(pr.w.sum()))


def highest_peak(y: Array, v: Array, X: Array, found: float, *, restricted: bool) -> float:
    """The variance of highest likelihood, given the peak `found` by iteration.

    Effects and variances have shape (k,), the design (k, p). A coarse grid over the plausible range is compared with
    `found`; where a point of it is higher, the peak next to that point is solved for.
    """
    spread = float(np.ptp(y)) ** 2 + float(v.max())
    grid = np.concatenate([[0.0], np.geomspace(1e-3 * float(v.min()), spread, _POINTS)])
    try:
        ll = _profile(y, v, X, np.append(grid, found), restricted)
    except np.linalg.LinAlgError:
        return found  # variances so far apart that the scan has no digits; the iteration keeps its own
    best = int(np.argmax(ll[:-1]))
    if not ll[best] > ll[-1] + 1e-9 * abs(ll[-1]):
        return found
    if best == 0:
        return 0.0
    design = Design(y, v, X)
    low, high = float(grid[best - 1]), float(grid[min(best + 1, grid.size - 1)])
    if not _score(design, low, restricted) > 0 > _score(design, high, restricted):
        return float(grid[best])
    return bracketed_root(lambda t: _score(design, t, restricted), low, high)
