"""Whether the kind of rows is found, and what it is worth: `./run python -m benchmarks.reconstruction_kinds [seeds=8]`.

Simulated arms of 25, 80 and 200 patients; 20 to 60 places at random, evenly spaced or denser where the curve falls, both
corners, and clicks one per drop, all with the noise of a hand (0.2 % of the survival axis, 0.15 % of time).
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

import metagrove as mg

LEVELS = ("n", "n+events", "risk+events")
FORMS = ("places at random", "places evenly spaced", "places denser where it falls", "both corners", "one per drop")


def simulated(n, seed):
    """Times and events of one arm, censored evenly or at the end of the study."""
    rng = np.random.default_rng([seed, n])
    died = 10 * rng.weibull(1.2, n)
    left = rng.uniform(3, 25, n) if seed % 2 else rng.uniform(12, 24, n)
    return np.minimum(died, left), died <= left


def rows_of(form, time, event, seed):
    """The rows as a hand clicks them."""
    rng = np.random.default_rng([seed, 7])
    curve, end = mg.survival_curve(time, event), float(time.max())
    when = np.unique(time[event])
    level = np.asarray(curve.at(when))
    many = int(rng.choice([20, 40, 60]))
    if form == "one per drop":
        at, seen = np.append(when, end), np.append(level, level[-1])
    elif form == "both corners":
        at = np.append(np.repeat(when, 2), end)
        seen = np.append(np.column_stack((np.append(1, level[:-1]), level)).ravel(), level[-1])
    else:
        place = np.linspace(0, 1, many + 1)[1:] if "evenly" in form else np.append(np.sort(rng.random(many - 1)), 1)
        grid = np.linspace(0, end, 2001)
        weight = np.cumsum(np.append(0, -np.diff(curve.at(grid)) + 0.3 / 2000))
        at = np.interp(place * weight[-1], weight, grid) if "denser" in form else place * end
        seen = np.asarray(curve.at(at))
    at = np.clip(at + 0.0015 * end * rng.standard_normal(at.size), 0, None)
    rows = np.column_stack((at, np.clip(seen + 0.002 * rng.standard_normal(at.size), 0, 1)))
    return np.vstack(([0, 1], rows[np.argsort(rows[:, 0], kind="stable")]))


def known(level, time, event):
    """What the paper prints at a level of information."""
    ticks = np.arange(0, time.max(), 4)
    given = {"at_risk": [(t, int(np.sum(time >= t))) for t in ticks]} if "risk" in level else {"n": time.size}
    return given | ({"events": int(event.sum())} if "events" in level else {})


def scored(rebuilt, time, event):
    """Largest error (0.5 % of the axis forgiven), mean error, relative errors of median and restricted mean, contradictions."""
    true, ours = mg.survival_curve(time, event), mg.survival_curve(rebuilt.time, rebuilt.event)
    end, tau = float(time.max()), 0.8 * float(time.max())
    grid = np.linspace(0, 0.998 * end, 2000)
    a, b = np.asarray(true.at(grid)), np.asarray(ours.at(grid))
    shift = 0.005 * end
    low, high = np.asarray(ours.at(grid + shift)), np.asarray(ours.at(np.maximum(grid - shift, 0)))
    worst = float(np.maximum(0, np.maximum(low - a, a - high)).max())
    mean, half = float(a[grid < tau].mean()), (true.median, ours.median)
    return (
        worst,
        float(np.abs(a - b).mean()),
        abs(half[1] / half[0] - 1) if np.isfinite(half).all() else np.nan,
        abs(float(b[grid < tau].mean()) / mean - 1),
        float(bool(rebuilt.contradictions)),
    )


def main(words):
    """Print the table."""
    seeds = int(dict(w.split("=", 1) for w in words if "=" in w).get("seeds", 8))
    print("| rows | n | known | read as | largest error | mean error | median | restricted mean | contradictions |")
    print("|---|---|---|---|---|---|---|---|---|")
    for form in FORMS:
        for n in (25, 80, 200):
            for level in LEVELS:
                kinds, found = Counter(), []
                for seed in range(seeds):
                    time, event = simulated(n, seed)
                    rebuilt = mg.reconstruct(rows_of(form, time, event, seed), **known(level, time, event))
                    kinds[rebuilt.curve.kind] += 1
                    found.append(scored(rebuilt, time, event))
                read = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
                middle = np.nanmedian(np.array(found)[:, :4], axis=0)
                cells = " | ".join(f"{x:.4f}" for x in middle)
                print(f"| {form} | {n} | {level} | {read} | {cells} | {sum(f[4] for f in found):.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
