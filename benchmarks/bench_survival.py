"""Survival against lifelines, R survival and msurv, as ratios (above 1: we are faster).

R is timed where `Rscript` and the package survival are there. msurv itself is not run: its published time on a machine
where R's coxph takes 0.26 s is scaled by coxph's time here.
"""

import shutil
import subprocess
import time
import warnings

import numpy as np

import metagrove as mg

SIZE = 100_000
#: msurv, 27 studies x 20 times and 10000 draws, and coxph with two covariates on 100,000 patients, on one machine (s).
MSURV, COXPH_THERE = 0.18, 0.26

R_SCRIPT = """
suppressMessages(library(survival))
set.seed(1); n <- {size}
g <- rbinom(n, 1, .5); z <- rnorm(n); t <- rexp(n, exp(.5 * g + .3 * z)); c <- rexp(n, .5)
d <- data.frame(t = pmin(t, c), e = as.integer(t < c), g = g, z = z)
best <- function(f) min(replicate(5, system.time(f())[["{clock}"]]))
cat(best(function() coxph(Surv(t, e) ~ g + z, d)), best(function() survfit(Surv(t, e) ~ 1, d)),
    best(function() survdiff(Surv(t, e) ~ g, d)))
"""


def best(run, repeats=5):
    """The shortest of several timings, in seconds."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)


def patients(size, seed=1):
    rng = np.random.default_rng(seed)
    x = np.column_stack((rng.integers(0, 2, size), rng.standard_normal(size)))
    t, c = rng.exponential(np.exp(-x @ (0.5, 0.3))), rng.exponential(2, size)
    return np.minimum(t, c), (t < c).astype(int), x


def studies(count=27, times=20, seed=1):
    """Rows of a table as large as msurv's own example."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(count):
        alive, n = 60, 60
        for t in range(1, times + 1):
            after = rng.binomial(alive, 0.9)
            rows.append((f"S{i}", t, alive, after / n))
            if not after:
                break
            alive = after
    return tuple(zip(*rows, strict=True))


def r_seconds(clock="elapsed"):
    """Seconds of coxph, survfit and survdiff by a clock of R's system.time, or None without R."""
    if shutil.which("Rscript") is None:
        return None
    done = subprocess.run(
        ["Rscript", "-e", R_SCRIPT.format(size=SIZE, clock=clock)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return [float(word) for word in done.stdout.split()] if done.returncode == 0 else None


def main():
    """Print our seconds and the ratios."""
    import pandas as pd
    from lifelines import CoxPHFitter, KaplanMeierFitter
    from lifelines.statistics import logrank_test

    t, e, x = patients(SIZE)
    group = x[:, 0]
    ours = {
        "cox, 2 covariates": best(lambda: mg.cox(t, e, x)),
        "kaplan-meier": best(lambda: mg.survival_curve(t, e)),
        "log-rank": best(lambda: mg.log_rank(t, e, group)),
    }
    frame = pd.DataFrame({"t": t, "e": e, "g": group, "z": x[:, 1]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peers = [
            best(lambda: CoxPHFitter().fit(frame, "t", "e"), 1),
            best(lambda: KaplanMeierFitter().fit(t, e), 2),
            best(lambda: logrank_test(t[group == 1], t[group == 0], e[group == 1], e[group == 0]), 2),
        ]
    r = r_seconds() or [float("nan")] * 3
    print(f"{SIZE:,} patients       ours (s)   lifelines x   R survival x")
    for (name, seconds), peer, in_r in zip(ours.items(), peers, r, strict=True):
        print(f"{name:20s} {seconds:9.4f} {peer / seconds:12.1f} {in_r / seconds:13.1f}")
    columns = studies()
    pooled = best(lambda: mg.summary_curve(*columns), 20)
    scaled = MSURV * (r[0] / COXPH_THERE if np.isfinite(r[0]) else 1.0)
    print(f"summary curve, 27 studies x 20 times, 10,000 draws: {pooled:.4f} s, msurv {scaled / pooled:.0f} x")


if __name__ == "__main__":
    main()
