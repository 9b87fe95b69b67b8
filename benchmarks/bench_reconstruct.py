"""Speed of reconstruction beside IPDfromKM 0.1.10, whose seconds were measured on a two-core machine (R 4.2.2).

`./run bench reconstruct`; run it alone on an idle machine. `./run python -m benchmarks.bench_reconstruct quick` leaves out the
large simulated arms. The peer's seconds hold where R's `coxph` on 100,000 patients takes 0.26 s; where R is there they are
scaled by what it takes now. Ours are seconds of processor time. Aims: a point at least 10 times as fast, 100 draws in less
than ten points, a call under 0.5 s and with 100 draws under 3 s.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks.bench_survival import COXPH_THERE, r_seconds
from benchmarks.reconstruction_table import SURVIVAL, cases, known, read

#: Case, arm, input and the peer's seconds for preprocess + getIPD (measured with numbers at risk and events).
JOBS = (
    ("OMEGA_3B", "cap", "clicks_s1", 0.031),
    ("Checkmate017_1", "d1", "clicks_s1", 0.045),
    ("RECOURSE_2A", "placebo", "clicks_s1", 0.054),
    ("OMEGA_3B", "cap", "trace_s1", 0.058),
    ("RECOURSE_2A", "placebo", "trace_s1", 0.070),
)
LEVELS = ("risk+events", "n+events", "n", "n+marks")
AIM = 10
#: Arms for the ratios over many, evenly spread over the sizes of the public ones.
ARMS = 12


def best(function, times=7, clock=time.process_time):
    """The shortest of several runs, in seconds."""
    spent = []
    for _ in range(times):
        started = clock()
        function()
        spent.append(clock() - started)
    return min(spent)


def simulated(n, seed=0):
    """Clicks on the drops that 600 pixels show of n simulated patients, numbers at risk and events."""
    rng = np.random.default_rng(seed)
    died, end = 12 * rng.weibull(1.1, n), rng.uniform(6, 30, n)
    time_, event = np.minimum(died, end), died <= end
    drops = np.sort(time_[event])
    level = np.cumprod([1 - 1 / np.sum(time_ >= t) for t in drops])
    seen, last = [], 1.0
    for t, s in zip(drops, level, strict=True):
        if last - s >= 1.5 / 600:
            seen.append((t, s))
            last = s
    clicks = np.array([*seen, (time_.max(), level[-1])])
    clicks[:-1, 0] += 0.0015 * time_.max() * rng.standard_normal(len(seen))
    clicks[:, 1] += 0.002 * rng.standard_normal(len(clicks))
    clicks = np.vstack(([0, 1], np.clip(clicks, [1e-3, 0], [np.inf, 1])))
    ticks = np.arange(0, time_.max(), 6)
    return clicks, np.array([(t, np.sum(time_ >= t)) for t in ticks]), int(event.sum())


def line(name, source, level, curve, given, peer=None):
    """One row of the table."""
    import metagrove as mg

    point = best(lambda: mg.reconstruct(curve, **given))
    draws = best(lambda: mg.reconstruct(curve, **given, draws=100), 3)
    ratio = f"{peer / point:.1f}" if peer else "-"
    if peer and level == "risk+events":  # what the peer's seconds were measured with
        ratio += f" (aim {AIM}: {'met' if peer >= AIM * point else 'MISSED'})"
    print(f"| {name} | {source} | {level} | {1e3 * point:.1f} | {1e3 * draws:.1f} | {draws / point:.1f} | {ratio} |")


def recorded():
    """The peer's seconds by case, arm, input and level, as idle seconds.

    Those of all public arms were recorded on a busy machine; the jobs above, measured both ways, say how busy.
    """
    rows = [row for row in read(SURVIVAL / "peer_recon_arms.csv") if row["peer"] == "IPDfromKM"]
    found = {(r["case"], r["arm"], r["input"], r["info"]): float(r["seconds"]) for r in rows if r["status"] == "ok"}
    busy = np.median([found[(*job[:3], "risk+events")] / job[3] for job in JOBS])
    return {key: seconds / busy for key, seconds in found.items()}


def many(scale):
    """Median and worst ratio over arms of various size, one line for each level and input."""
    import metagrove as mg

    arms = sorted(cases(), key=lambda c: c["time"].size)
    arms = [arms[i] for i in np.linspace(0, len(arms) - 1, ARMS).astype(int)]
    peer = recorded()
    sizes = ", ".join(str(c["time"].size) for c in arms)
    print(f"\n{ARMS} public arms (n = {sizes}); the peer's seconds there are known to a factor of about 1.3")
    print("| known | input | IPDfromKM / point: median | worst | draws / point: median | worst |\n|" + "---|" * 6)
    for level in ("risk+events", "risk", "n+events", "n"):
        for source in ("clicks_s1", "trace_s1"):
            ratios, more = [], []
            for case in arms:
                curve, given = case["curves"][source], known(case, level, source)
                point = best(lambda curve=curve, given=given: mg.reconstruct(curve, **given), 5)
                draws = best(lambda curve=curve, given=given: mg.reconstruct(curve, **given, draws=100), 2)
                ratios.append(scale * peer[case["case"], case["arm"], source, level] / point)
                more.append(draws / point)
            shown = f"{np.median(ratios):.1f} | {min(ratios):.1f} | {np.median(more):.1f} | {max(more):.1f}"
            print(f"| {level} | {source[:6]} | {shown} |")


def cold(fresh):
    """Seconds of processor time of a new process with one reconstruction; `fresh`: with nothing compiled yet."""
    code = "import metagrove as mg; mg.reconstruct([[0, 1], [2, .8], [5, .6], [9, .4]], n=20)"
    with tempfile.TemporaryDirectory() as folder:
        where = {**os.environ, **({"NUMBA_CACHE_DIR": folder} if fresh else {})}
        before = os.times().children_user
        subprocess.run([sys.executable, "-c", code], check=True, env=where)
        return os.times().children_user - before


def main():
    """Print milliseconds and ratios per job, and what a cold start costs."""
    # Processor time on both sides, so that other work on the machine counts for neither.
    r = r_seconds("user.self")
    scale = r[0] / COXPH_THERE if r else 1.0
    print(f"coxph on 100,000 patients: {r[0]:.2f} s; the peer's seconds are taken {scale:.2f} times" if r else "no R")
    print("| arm | input | known | point, ms | 100 draws, ms | draws / point | IPDfromKM / point |\n|" + "---|" * 7)
    for name, arm, source, peer in JOBS:
        case = next(c for c in cases(name) if c["arm"] == arm)
        for level in LEVELS:
            label = f"{name} {arm}, n = {case['time'].size}"
            line(label, source[:6], level, case["curves"][source], known(case, level, source), scale * peer)
    for n in () if "quick" in sys.argv else (600, 2000):
        curve, risk, events = simulated(n)
        line(f"simulated, n = {n}", "clicks", "risk+events", curve, {"at_risk": risk, "events": events})
        line(f"simulated, n = {n}", "clicks", "n", curve, {"n": n})
    many(scale)
    print(f"\na new process with one reconstruction, processor time: {cold(fresh=False):.2f} s")
    print(f"the very first, which compiles: {cold(fresh=True):.2f} s")


if __name__ == "__main__":
    main()
