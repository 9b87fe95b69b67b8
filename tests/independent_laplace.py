"""Laplace approximations and quadrature of mixed models for counts, written apart from the package: plain Newton steps.

Linear predictors are eta (k, A) + loads (A, R) u with u standard normal; constants of the counts are left out.
"""

import numpy as np


def family(kind, x, size):
    """Log-likelihood and its first two derivatives in eta (k, A), for events among `size` or over time `size`."""
    if kind == "binomial":

        def parts(eta):
            p = 1 / (1 + np.exp(-eta))
            return x * eta - size * np.logaddexp(0, eta), x - size * p, -size * p * (1 - p)

    else:

        def parts(eta):
            mean = size * np.exp(eta)
            return x * eta - mean, x - mean, -mean

    return parts


def laplace(parts, eta, loads):
    """Log of each study's integral (k,), by Laplace's approximation."""
    u = modes(parts, eta, loads)
    value, _, second = parts(eta + u @ loads.T)
    curve = np.eye(loads.shape[1]) - np.einsum("ka,ai,aj->kij", second, loads, loads)
    return value.sum(axis=1) - 0.5 * (u * u).sum(axis=1) - 0.5 * np.linalg.slogdet(curve)[1]


def modes(parts, eta, loads):
    u = np.zeros((eta.shape[0], loads.shape[1]))

    def height(u):
        return parts(eta + u @ loads.T)[0].sum(axis=1) - 0.5 * (u * u).sum(axis=1)

    for _ in range(100):
        _, first, second = parts(eta + u @ loads.T)
        curve = np.eye(loads.shape[1]) - np.einsum("ka,ai,aj->kij", second, loads, loads)
        step = np.linalg.solve(curve, (first @ loads - u)[:, :, None])[:, :, 0]
        for _ in range(30):
            worse = height(u + step) < height(u) - 1e-12
            if not worse.any():
                break
            step[worse] /= 2
        u = u + step
        if np.abs(step).max() < 1e-13 * (1 + np.abs(u).max()):
            break
    return u


def adaptive(parts, eta, loads, nodes):
    """The same with `nodes` points of adaptive Gauss-Hermite quadrature; one random effect."""
    u = modes(parts, eta, loads)
    second = parts(eta + u @ loads.T)[2]
    s = 1 / np.sqrt(1 - second @ (loads[:, 0] ** 2))
    x, w = np.polynomial.hermite.hermgauss(nodes)
    z = u + np.sqrt(2) * s[:, None] * x
    logs = np.stack([parts(eta + z[:, [j]] @ loads.T)[0].sum(axis=1) for j in range(nodes)], axis=1)
    logs = logs - 0.5 * z * z + np.log(w) + x * x
    return np.logaddexp.reduce(logs, axis=1) + np.log(s)


def gradient(function, at, h=1e-3):
    """First derivatives by differences of the fourth order, shape (n, ...) for values of shape (...)."""
    at = np.asarray(at, dtype=float)
    steps = np.eye(at.size) * h
    near = [8 * (function(at + e) - function(at - e)) for e in steps]
    far = [function(at + 2 * e) - function(at - 2 * e) for e in steps]
    return np.array([(a - b) / (12 * h) for a, b in zip(near, far, strict=True)])


def hessian(function, at, h=2e-3):
    """Second derivatives by differences of the fourth order, shape (n, n, ...) for values of shape (...)."""
    at = np.asarray(at, dtype=float)
    n, offsets, weights = at.size, (-2, -1, 1, 2), (1 / 12, -2 / 3, 2 / 3, -1 / 12)
    out = np.empty((n, n, *np.shape(function(at))))
    for i in range(n):
        e = np.eye(n)[i] * h
        rows = [-function(at + 2 * e), 16 * function(at + e), -30 * function(at)]
        out[i, i] = (sum(rows) + 16 * function(at - e) - function(at - 2 * e)) / (12 * h * h)
        for j in range(i):
            f = np.eye(n)[j] * h
            total = sum(
                a * b * function(at + p * e + q * f)
                for p, a in zip(offsets, weights, strict=True)
                for q, b in zip(offsets, weights, strict=True)
            )
            out[i, j] = out[j, i] = total / (h * h)
    return out
