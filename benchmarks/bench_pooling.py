"""Pooling against R metafor, statsmodels and PyMARE, both timed here and now, single core."""

import os
import shutil
import subprocess
import timeit
import warnings

import numpy as np

import metagrove as mg
from metagrove.pooling.tau2 import tau2_estimate

# R meta's own times, stored beside a metafor fit of six studies (3.6 ms) on one machine, in ms
STORED = {"rma REML k=6": 3.6, "metaprop with subgroups": 160.0, "GLMM": 66.0}
EVENT, N = [2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42]
DRUG = ["Imatinib", "Pazopanib", "Sorafenib", "Lenvatinib", "Lenvatinib", "Lenvatinib"]

R_SCRIPT = r"""
suppressPackageStartupMessages(library(metafor))
best <- function(f, n, rounds) {
  f()
  round1 <- function(i) { t <- proc.time()[[3]]; for (j in seq_len(n)) f(); (proc.time()[[3]] - t) / n }
  1000 * min(sapply(seq_len(rounds), round1))
}
y6 <- c(%s); v6 <- c(%s); y <- c(%s); v <- c(%s)
cat(best(function() rma(y6, v6), 200, 5), best(function() rma(y, v), 2, 2),
    best(function() for (i in 1:100) rma(y6 + i / 1000, v6), 1, 3) * 10, "\n")
"""


def milliseconds(f, number, repeat=5):
    f()
    return 1000 * min(timeit.repeat(f, number=number, repeat=repeat)) / number


def studies(k):
    rng = np.random.default_rng(3)
    v = rng.uniform(0.01, 0.2, k)
    return rng.normal(0.2, np.sqrt(v + 0.05)), v


def metafor_times(small, large):
    """Milliseconds of rma() for few studies, for many, and for 1000 refits; None where R or metafor is absent."""
    if shutil.which("Rscript") is None:
        return None
    numbers = [", ".join(repr(float(x)) for x in values) for values in (*small, *large)]
    run = subprocess.run(
        ["Rscript", "-"],  # on standard input: as an argument the script would be too long
        input=R_SCRIPT % tuple(numbers),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return [float(x) for x in run.stdout.splitlines()[-1].split()] if run.returncode == 0 else None


def full(m):
    """What rma() computes at once: here the rest is made on demand, so ask for it."""
    return m.I2, m.pval_Q, m.se_tau2, m.TE_random


def line(name, ours, peer, aim=None):
    ratio = "" if peer is None else f"{peer / ours:10.0f}x"
    wanted = "" if aim is None or peer is None else f"   aim {aim}x: {'met' if peer / ours >= aim else 'missed'}"
    theirs = "         –" if peer is None else f"{peer:10.3f}"
    print(f"{name:<46}{ours:10.4f} ms {theirs} ms{ratio}{wanted}")


def main():
    small, large = studies(6), studies(1000)
    y, v, se = small[0], small[1], np.sqrt(small[1])
    big_se = np.sqrt(large[1])
    r = metafor_times(small, large)
    if r is None:
        print("R with metafor is not here (Debian: r-cran-metafor): peers skipped")
    one, thousand, refits = r or (None, None, None)
    slower = None if one is None else one / STORED["rma REML k=6"]
    door = milliseconds(lambda: full(mg.metagen(y, se)), 500)
    core = milliseconds(lambda: tau2_estimate(y, v), 500)
    print(f"{'':<46}{'metagrove':>10}    {'peer':>10}")
    line("REML k=6, tau2 alone", core, one, 40)
    line("REML k=6, metagen (tau2, Q, I2, both models)", door, one, 40)
    line("REML k=1000, metagen", milliseconds(lambda: full(mg.metagen(large[0], big_se)), 50), thousand, 1000)

    def proportions():
        m = mg.metaprop(EVENT, N, sm="PFT", method="Inverse", subgroup=DRUG)
        return m.TE_random_w, m.lower_tau2, m.I2, m.Q_b_random, m.lower_predict, m.back.TE_random

    stored = None if slower is None else STORED["metaprop with subgroups"] * slower
    line("metaprop with subgroups (R meta: stored, scaled)", milliseconds(proportions, 100), stored, 50)
    glmm = None if slower is None else STORED["GLMM"] * slower
    line("GLMM of six (R meta: stored, scaled)", milliseconds(lambda: mg.metaprop(EVENT, N).TE_random, 20), glmm, 30)
    shifted = y + np.arange(1000)[:, None] / 1000
    spread = np.broadcast_to(v, shifted.shape)
    line("1000 refits k=6, pool_many", milliseconds(lambda: mg.pool_many(shifted, spread), 20), refits, 300)
    rng = np.random.default_rng(1)
    vs = rng.uniform(0.01, 0.2, (10**6, 6))
    ys = rng.normal(0, np.sqrt(vs + 0.05))
    million = milliseconds(lambda: mg.pool_many(ys, vs), 1, 2)
    line("10^6 REML k=6, pool_many (peer: 1000 fits)", million, refits, 1)
    statsmodels_line(y, v)
    pymare_line(y, v)
    floor(y, v, core, door)


def statsmodels_line(y, v):
    try:
        from statsmodels.stats.meta_analysis import combine_effects
    except ImportError:
        print("statsmodels is not here: skipped")
        return
    theirs = milliseconds(lambda: combine_effects(y, v, method_re="dl"), 50)
    line(
        "DL k=6, metagen (peer: statsmodels)",
        milliseconds(lambda: mg.metagen(y, np.sqrt(v), method_tau="DL"), 300),
        theirs,
    )


def pymare_line(y, v):
    try:
        from pymare import Dataset
        from pymare.estimators import VarianceBasedLikelihoodEstimator
    except ImportError:
        print("PyMARE is not here: skipped")
        return
    table = Dataset(y[:, None], v[:, None])

    def theirs():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return VarianceBasedLikelihoodEstimator(method="REML").fit_dataset(table).summary()

    line(
        "REML k=6, metagen (peer: PyMARE)",
        milliseconds(lambda: mg.metagen(y, np.sqrt(v)), 300),
        milliseconds(theirs, 10),
    )


def floor(y, v, core, door):
    """Where the time of one small fit goes: tau2, the rest, and the same work in compiled code as the floor."""
    many = milliseconds(lambda: mg.pool_many(np.tile(y, (1000, 1)), np.tile(v, (1000, 1))), 20) / 1000
    print(
        f"one REML fit of six takes {1000 * door:.0f} µs: {1000 * core:.0f} for tau2 and its standard error,", end=" "
    )
    print(f"{1000 * (door - core):.0f} for checking, labels and the other estimates;")
    share = 100 * (door - many) / door
    print(f"  compiled, all of it takes {1000 * many:.2f} µs: {share:.1f}% is NumPy's and Python's overhead")


if __name__ == "__main__":
    main()
