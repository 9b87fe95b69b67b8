"""Speed of reconstruction beside IPDfromKM 0.1.10, whose seconds were measured on a two-core machine (R 4.2.2).

`./run bench reconstruct`; run it alone on an idle machine. The peer's seconds hold where R's `coxph` on 100,000 patients
takes 0.26 s; scale them for another machine.
"""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.reconstruction_table import cases, known

#: Case, arm, input and the peer's seconds for preprocess + getIPD.
JOBS = (
    ("OMEGA_3B", "cap", "clicks_s1", 0.031),
    ("Checkmate017_1", "d1", "clicks_s1", 0.045),
    ("RECOURSE_2A", "placebo", "clicks_s1", 0.054),
    ("OMEGA_3B", "cap", "trace_s1", 0.058),
    ("RECOURSE_2A", "placebo", "trace_s1", 0.070),
)


def best(function, times=7):
    """The shortest of several runs, in seconds."""
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        spent.append(time.perf_counter() - started)
    return min(spent)


def main():
    """Print milliseconds and ratios per job, and what a cold start costs."""
    import metagrove as mg

    print("| arm | input | known | point, ms | 100 draws, ms | IPDfromKM / point |\n|---|---|---|---|---|---|")
    for name, arm, source, peer in JOBS:
        case = next(c for c in cases(name) if c["arm"] == arm)
        for level in ("risk+events", "n"):
            curve, given = case["curves"][source], known(case, level, source)
            point = best(lambda c=curve, g=given: mg.reconstruct(c, **g))
            draws = best(lambda c=curve, g=given: mg.reconstruct(c, **g, draws=100), 4)
            print(
                f"| {name} {arm}, n = {case['time'].size} | {source[:6]} | {level} | {1e3 * point:.1f} "
                f"| {1e3 * draws:.1f} | {peer / point:.1f} |"
            )
    code = "import metagrove as mg; mg.reconstruct([[0, 1], [2, .8], [5, .6], [9, .4]], n=20)"
    cold = best(lambda: subprocess.run([sys.executable, "-c", code], check=True), 3)
    bare = best(lambda: subprocess.run([sys.executable, "-c", "import metagrove, numpy"], check=True), 3)
    print(f"\na new process with one reconstruction: {cold:.2f} s, of which Python and numpy {bare:.2f} s")


if __name__ == "__main__":
    main()
