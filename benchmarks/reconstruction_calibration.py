"""How often draws cover the truth, and how wide they are: `./run python -m benchmarks.reconstruction_calibration`.

Simulated pairs of arms over sizes, shapes of survival, patterns of censoring, units of time, spacing of the numbers at
risk and size of the reading error. Options: pairs=…, first=… (seed), level=…, input=…, worst=… (number of misses listed).
"""

from __future__ import annotations

import pickle
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numba import njit

LEVELS = ("risk+events", "risk", "n+events", "n", "n+marks", "risk+events+marks")
ALSO = ("risk+events+printed", "risk+printed", "n+events+printed", "n+printed", "n+marks+printed")
INPUTS = ("exact", "clicks", "trace")
LATTICES = {"continuous": 0.0, "days": 1 / 30.4375, "weeks": 7 / 30.4375, "months": 1.0}


@dataclass
class Pair:
    """Two simulated arms and what is told of them; `design` holds the factors in words."""

    design: dict
    axis: float
    people: list = field(default_factory=list)
    curves: list = field(default_factory=list)
    risk: list = field(default_factory=list)
    marks: list = field(default_factory=list)


def survival_times(rng, n, kind, scale):
    """Times to death of one arm."""
    if kind.startswith("weibull"):
        return scale * rng.weibull(float(kind.split()[1]), n)
    if kind == "cure":
        return np.where(rng.random(n) < 0.35, np.inf, scale * 0.6 * rng.exponential(size=n))
    first = rng.exponential(scale * 0.6, n)
    return np.where(first < scale * 0.5, first, scale * 0.5 + rng.exponential(2 * scale, n))


def leaving_times(rng, n, kind, follow_up):
    """Times of censoring of one arm."""
    if kind == "none":
        return np.full(n, np.inf)
    if kind == "dropout":
        return rng.exponential(follow_up, n)
    if kind == "administrative":
        return follow_up * (1 - rng.uniform(0, 0.6, n))
    if kind == "late":
        return follow_up * (1 - rng.uniform(0, 0.15, n))
    if kind == "uniform":
        return rng.uniform(0.02, 1, n) * follow_up
    if kind == "heavy":
        return np.minimum(rng.exponential(0.35 * follow_up, n), follow_up)
    if kind == "early":
        return np.where(rng.random(n) < 0.5, 0.3 * follow_up * rng.random(n) ** 2, follow_up * rng.uniform(0.6, 1, n))
    if kind == "front":
        return np.where(rng.random(n) < 0.35, rng.uniform(0.01, 0.25, n), rng.uniform(0.7, 1, n)) * follow_up
    return np.minimum(rng.exponential(2.5 * follow_up, n), follow_up * (1 - rng.uniform(0, 0.5, n)))


def pair_of(seed):
    """One simulated pair."""
    rng = np.random.default_rng([seed, 20261120])
    n = int(np.exp(rng.uniform(np.log(20), np.log(600))))
    design = {
        "seed": seed,
        "n": n,
        "survival": str(rng.choice(["weibull 0.8", "weibull 1", "weibull 1.5", "cure", "piecewise"])),
        "censoring": str(
            rng.choice(
                [
                    "none",
                    "dropout",
                    "administrative",
                    "late",
                    "uniform",
                    "front",
                    "heavy",
                    "early",
                    "dropout+administrative",
                ]
            )
        ),
        "lattice": str(rng.choice(list(LATTICES), p=[0.4, 0.3, 0.2, 0.1])),
        "noise": float(rng.choice([0.5, 1, 1, 1, 2])),
        "ticks": int(rng.integers(4, 11)),
    }
    hazard_ratio = float(np.exp(rng.uniform(np.log(0.4), np.log(1.6))))
    median = float(np.exp(rng.uniform(np.log(5), np.log(30))))
    follow_up = median * rng.uniform(1.2, 3.5)
    unit = LATTICES[design["lattice"]]
    pair = Pair(design, 0.0)
    for arm in range(2):
        size = n if arm == 0 else max(8, int(n * rng.choice([1.0, 1.0, 0.5])))
        died = survival_times(rng, size, design["survival"], median / np.log(2) / (hazard_ratio if arm else 1))
        left = leaving_times(rng, size, design["censoring"], follow_up)
        limit = follow_up if design["censoring"] != "none" else 40 * median
        seen = np.maximum(np.minimum(np.minimum(died, left), limit), 1e-3)
        event = died <= np.minimum(left, limit)
        seen = np.maximum(np.ceil(seen / unit), 1) * unit if unit else np.round(seen, 4) + 1e-4
        if not event.any():
            event[0] = True
        order = np.lexsort((~event, seen))
        pair.people.append((seen[order], event[order]))
    pair.axis = 1.02 * max(float(time.max()) for time, _ in pair.people)
    spacing = pair.axis / design["ticks"]
    for seen, event in pair.people:
        ticks = np.arange(0, seen.max(), spacing)
        pair.risk.append(np.array([(t, np.sum(seen >= t)) for t in ticks]))
        pair.curves.append(drawn(rng, seen, event, pair.axis, design["noise"]))
        pair.marks.append(marks_of(rng, seen, event, pair.axis))
    return pair


def steps(seen, event):
    """Times of the drops and the levels after them."""
    when, deaths = np.unique(seen[event], return_counts=True)
    return when, np.cumprod(1 - deaths / (seen.size - np.searchsorted(seen, when)))


def drawn(rng, seen, event, axis, noise):
    """The curve as corners, clicks and trace, in a plot of 900 x 600 pixels."""
    when, level = steps(seen, event)
    end = seen.max()
    before = np.concatenate(([1.0], level[:-1]))
    corners = [(0.0, 1.0)]
    for t, a, b in zip(when, before, level, strict=True):
        corners += [(t, a), (t, b)]
    exact = np.array([*corners, (end, level[-1])])
    kept, last = [], 1.0
    for i, b in enumerate(level):
        if (last - b) * 600 >= 1.5 or i == level.size - 1:
            kept.append(i)
            last = b
    t = when[kept] + noise * 0.0015 * axis * rng.standard_normal(len(kept))
    s = level[kept] + noise * 0.002 * rng.standard_normal(len(kept))
    rows = [(0.0, 1.0), *zip(t, s, strict=True), (end + noise * 0.0015 * axis * rng.standard_normal(), level[-1])]
    clicks = np.clip(np.array(rows), 0, None)
    clicks[:, 1] = np.minimum(
        clicks[:, 1] + noise * 0.002 * rng.standard_normal() * (np.arange(len(rows)) == len(rows) - 1), 1
    )
    columns = np.arange(0, 900, 2) * axis / 900
    columns = columns[columns < end]
    s = np.concatenate(([1.0], level))[np.searchsorted(when, columns, side="right")]
    rowed = np.round(600 * s + 0.5 * noise * rng.standard_normal(s.size)) / 600
    trace = np.column_stack((np.append(columns, end), np.clip(np.append(rowed, np.round(600 * level[-1]) / 600), 0, 1)))
    return {
        "exact": np.round(exact, 8),
        "clicks": np.round(clicks[np.argsort(clicks[:, 0], kind="stable")], 6),
        "trace": np.round(trace, 6),
    }


def marks_of(rng, seen, event, axis):
    """Censor marks, exact and as clicked; marks closer than two pixels are one."""
    kept, last = [], -np.inf
    for t in np.sort(seen[~event]):
        if t - last >= 2 * axis / 900:
            kept.append(t)
            last = t
    noisy = np.clip(np.array(kept) + 0.0015 * axis * rng.standard_normal(len(kept)), 0, seen.max())
    return {"exact": np.array(kept), "clicks": noisy, "trace": noisy}


def known(pair, arm, level, source):
    """The arguments that a level of information allows."""
    seen, event = pair.people[arm]
    given = {"axis": pair.axis}
    if "risk" in level:
        given["at_risk"] = pair.risk[arm]
    else:
        given["n"] = seen.size
    if "events" in level:
        given["events"] = int(event.sum())
    if "marks" in level:
        given["marks"] = pair.marks[arm][source]
    if "printed" in level:
        given |= printed(seen, event, pair.axis)
    return given


def printed(seen, event, axis):
    """Median and two rates with their log-log limits, rounded as papers round them."""
    when, level = steps(seen, event)
    risk = seen.size - np.searchsorted(seen, when)
    deaths = np.unique(seen[event], return_counts=True)[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.cumsum(deaths / (risk * (risk - deaths)))) / -np.log(level)
        low, high = level ** np.exp(1.96 * error), level ** np.exp(-1.96 * error)

    def half(values):
        below = np.flatnonzero(values <= 0.5)
        return round(float(when[below[0]]), 1) if below.size else None

    given = {"rates": {}}
    for t in (axis / 3, 2 * axis / 3):
        i = np.searchsorted(when, t, side="right") - 1
        if t < seen.max() and i >= 0 and 0 < level[i] < 1:
            given["rates"][round(t, 4)] = tuple(round(float(x[i]), 3) for x in (level, low, high))
    if half(level) is not None:
        given["median"] = (half(level), half(low), half(high))
    return given


@njit(cache=True)
def _cox(time, event, group, order):
    """Efron's log hazard ratio and its standard error for a 0/1 group; rows sorted by time with `order`."""
    n = order.size
    beta = 0.0
    info = 0.0
    for _ in range(40):
        score, info = 0.0, 0.0
        r0, r1 = 0.0, 0.0
        hr = np.exp(beta)
        i = n - 1
        while i >= 0:
            t = time[order[i]]
            d0, d1 = 0, 0
            while i >= 0 and time[order[i]] == t:
                k = order[i]
                if group[k]:
                    r1 += 1
                    d1 += event[k]
                else:
                    r0 += 1
                    d0 += event[k]
                i -= 1
            d = d0 + d1
            for j in range(d):
                f = j / d
                a = hr * (r1 - f * d1)
                p = a / (a + r0 - f * d0)
                score -= p
                info += p * (1 - p)
            score += d1
        if info <= 1e-10:
            break
        step = score / info
        step = min(max(step, -1.0), 1.0)
        beta += step
        if abs(step) < 1e-9:
            break
    return beta, 1 / np.sqrt(max(info, 1e-10))


def cox(arms):
    """Log hazard ratio and standard error of two arms (time, event)."""
    seen = np.concatenate([a[0] for a in arms])
    event = np.concatenate([a[1] for a in arms]).astype(np.int64)
    group = np.repeat([0, 1], [a[0].size for a in arms])
    return _cox(seen, event, group, np.argsort(seen, kind="stable"))


def median_of(seen, event):
    """First time at which survival is at most one half."""
    when, level = steps(seen, event)
    below = np.flatnonzero(level <= 0.5 + 1e-9)
    return float(when[below[0]]) if below.size else np.inf


def restricted_mean(seen, event, tau):
    """Area under the curve up to `tau`."""
    when, level = steps(seen, event)
    edges = np.concatenate(([0.0], np.minimum(when, tau), [tau]))
    return float(np.sum(np.diff(edges) * np.concatenate(([1.0], level))))


def distance(true, ours, axis):
    """Largest difference of two curves, a shift of 0.5 % of the axis forgiven; mean absolute difference."""
    a, b = steps(*true), steps(*ours)
    end, shift = true[0].max(), 0.005 * axis

    def at(s, t):
        return np.concatenate(([1.0], s[1]))[np.searchsorted(s[0], t, side="right")]

    g = np.unique(np.concatenate(([0.0, end], a[0][a[0] < end], b[0][b[0] < end])))
    mid = np.concatenate((g, (g[1:] + g[:-1]) / 2))
    early = np.where(mid >= shift, at(a, mid - shift), 1.0)
    worst = max(0.0, float(np.max(at(b, mid) - early)), float(np.max(at(a, mid + shift) - at(b, mid))))
    return worst, float(np.sum(np.abs(at(a, g[:-1]) - at(b, g[:-1])) * np.diff(g)) / end)


def scored_arm(pair, arm, found):
    """Errors of the point and, for median and restricted mean, whether the draws cover the truth and how wide they are."""
    true = pair.people[arm]
    tau = min(float(p[0].max()) for p in pair.people)
    follow_up = float(true[0].max())
    worst, mean = distance(true, (found.time, found.event), pair.axis)
    deaths = int(true[1].sum())
    row = {"curve": worst, "iae": mean, "events": abs(found.events - deaths) / deaths}
    drawn_ = found.sampled
    for name, function in (("median", median_of), ("rmst", lambda t, e: restricted_mean(t, e, tau))):
        truth = function(*true)
        values = np.array([function(t, e) for t, e in zip(drawn_.time, drawn_.event, strict=True)])
        low, high = np.quantile(values, (0.025, 0.975), method="inverted_cdf")
        slack = 1e-6 * follow_up
        if np.isfinite(truth):
            row[f"{name} covered"] = float(low - slack <= truth <= high + slack)
            if np.isfinite(high):
                row[f"{name} width"] = (high - low) / follow_up
    counts = drawn_.event.sum(axis=1)
    low, high = np.quantile(counts, (0.025, 0.975), method="inverted_cdf")
    row["events covered"] = float(low <= deaths <= high)
    return row


def scored_pair(pair, found):
    """Error, coverage and width of the log hazard ratio."""
    truth, error = cox(pair.people)
    point = cox([(f.time, f.event) for f in found])[0]
    values = np.array(
        [cox([(f.sampled.time[i], f.sampled.event[i]) for f in found])[0] for i in range(len(found[0].sampled.time))]
    )
    low, high = np.quantile(values, (0.025, 0.975))
    return {
        "dloghr": abs(point - truth),
        "mid dloghr": abs(float(np.median(values)) - truth),
        "loghr covered": float(low - 1e-9 <= truth <= high + 1e-9),
        "loghr width": high - low,
        "loghr share": (high - low) / (2 * 1.96 * error),
        "loghr z": (truth - values.mean()) / max(values.std(), 1e-9),
    }


def run(seeds, levels=LEVELS, inputs=INPUTS, draws=100):
    """Rows of scores by (level, input), and failures."""
    import metagrove as mg

    table, failures, seconds = defaultdict(list), [], defaultdict(float)
    for seed in seeds:
        pair = pair_of(seed)
        for level in levels:
            for source in inputs:
                try:
                    began = time.process_time()
                    found = [
                        mg.reconstruct(
                            pair.curves[a][source], **known(pair, a, level, source), draws=draws, rng=seed + a
                        )
                        for a in range(2)
                    ]
                    seconds[level, source] += time.process_time() - began
                except (ValueError, ArithmeticError, AssertionError, IndexError) as error:
                    failures.append((pair.design, level, source, repr(error)))
                    continue
                for arm in range(2):
                    seen, event = pair.people[arm]
                    given = known(pair, arm, level, source)
                    wrong = found[arm].n != seen.size or found[arm].sampled.time.shape[1] != seen.size
                    if "events" in given:
                        wrong |= found[arm].events != event.sum() or bool(
                            np.any(found[arm].sampled.event.sum(axis=1) != event.sum())
                        )
                    if wrong:
                        failures.append((pair.design, level, source, "n or events"))
                    said = [c.message for c in found[arm].contradictions]
                    table[level, source].append(scored_arm(pair, arm, found[arm]) | {"said": float(bool(said))})
                table[level, source, "pair"].append(scored_pair(pair, found) | {"design": pair.design})
    return table, failures, seconds


def lines(table):
    """The table as text."""
    out = [
        "| information | input | curve | iae | events off | events cov | abs dlogHR | median cov, width % | RMST cov, width % | log HR cov | width | share | sd z | said |",
        "|" + "---|" * 14,
    ]

    def spread(rows, name):
        values = [r[name] for r in rows if name in r]
        return f"{np.median(values):.4f} / {np.quantile(values, 0.9):.4f}"

    def mean(rows, name):
        values = [r[name] for r in rows if name in r]
        return f"{100 * np.mean(values):.1f}"

    def width(rows, name):
        values = [r[name] for r in rows if name in r]
        return f"{100 * np.median(values):.2f}"

    for level in LEVELS + ALSO:
        for source in INPUTS:
            arms, pairs = table.get((level, source)), table.get((level, source, "pair"))
            if not arms:
                continue
            z = np.array([p["loghr z"] for p in pairs])
            out.append(
                f"| {level} | {source} | {spread(arms, 'curve')} | {spread(arms, 'iae')} | {spread(arms, 'events')} "
                f"| {mean(arms, 'events covered')} | {spread(pairs, 'dloghr')} | {mean(arms, 'median covered')}, {width(arms, 'median width')} "
                f"| {mean(arms, 'rmst covered')}, {width(arms, 'rmst width')} | {mean(pairs, 'loghr covered')} "
                f"| {np.median([p['loghr width'] for p in pairs]):.4f} | {np.median([p['loghr share'] for p in pairs]):.3f} "
                f"| {np.sqrt(np.mean(np.clip(z, -6, 6) ** 2)):.2f} | {mean(arms, 'said')} |"
            )
    return out


def main(words):
    """Print the table."""
    options = dict(w.split("=", 1) for w in words if "=" in w)
    first, pairs = int(options.get("first", 0)), int(options.get("pairs", 100))
    levels = options["level"].split(",") if "level" in options else LEVELS
    inputs = options["input"].split(",") if "input" in options else INPUTS
    table, failures, seconds = run(range(first, first + pairs), levels, inputs)
    print("\n".join(lines(table)))
    for failure in failures[:10]:
        print("FAILED", *failure)
    print(f"{pairs} pairs, {len(failures)} failures, {sum(seconds.values()):.0f} s")
    if "save" in options:
        Path(options["save"]).write_bytes(pickle.dumps(dict(table)))
    return table


if __name__ == "__main__":
    main(sys.argv[1:])
