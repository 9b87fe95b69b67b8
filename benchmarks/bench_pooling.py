"""Pooling against R metafor, statsmodels and PyMARE: single core, both sides in turn in one run, the best of each."""

import os
import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

import metagrove as mg
from metagrove.pooling.tau2 import tau2_estimate

# R meta's own times, stored beside a metafor fit of six studies (3.6 ms) on one machine, in ms
STORED = {"rma REML k=6": 3.6, "metaprop with subgroups": 160.0, "GLMM": 66.0}
EVENT, N = [2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42]
CONTROL, N_CONTROL = [1, 2, 3, 1, 2, 3], [9, 14, 22, 16, 30, 45]
DRUG = ["Imatinib", "Pazopanib", "Sorafenib", "Lenvatinib", "Lenvatinib", "Lenvatinib"]
ROUNDS = 7

R_SCRIPT = r"""
suppressPackageStartupMessages(library(metafor))
y6 <- c(%s); v6 <- c(%s); y <- c(%s); v <- c(%s)
e <- c(%s); n <- c(%s); ec <- c(%s); nc <- c(%s)
two <- function(m) function() suppressWarnings(rma.glmm(measure = "OR", ai = e, n1i = n, ci = ec, n2i = nc, model = m))
fits <- list(
  six = function() rma(y6, v6), thousand = function() rma(y, v), refit = function() rma(y6 + 0.001, v6),
  effects = function() rma(measure = "PFT", xi = e, ni = n),
  PLO = function() rma.glmm(measure = "PLO", xi = e, ni = n),
  IRLN = function() rma.glmm(measure = "IRLN", xi = e, ti = n),
  UM.FS = two("UM.FS"), UM.RS = two("UM.RS"), CM.AL = two("CM.AL"),
  IRR = function() rma.glmm(measure = "IRR", x1i = e, t1i = n, x2i = ec, t2i = nc, model = "CM.EL")
)
for (fit in fits) fit()
input <- file("stdin", "r")
while (length(line <- readLines(input, 1))) {
  asked <- strsplit(line, " ")[[1]]
  fit <- fits[[asked[1]]]
  once <- function(i) { start <- Sys.time(); fit(); as.numeric(difftime(Sys.time(), start, units = "secs")) }
  cat(1000 * min(sapply(seq_len(as.integer(asked[2])), once)), "\n", sep = "")
  flush(stdout())
}
"""


def studies(k):
    rng = np.random.default_rng(3)
    v = rng.uniform(0.01, 0.2, k)
    return rng.normal(0.2, np.sqrt(v + 0.05)), v


class Metafor:
    """One R process that times a fit when asked, so that both sides meet the same machine; absent where R is."""

    def __init__(self, *columns):
        self.process = None
        if shutil.which("Rscript") is None:
            return
        self.folder = tempfile.TemporaryDirectory()
        script = Path(self.folder.name) / "fits.R"
        script.write_text(R_SCRIPT % tuple(", ".join(repr(float(x)) for x in column) for column in columns))
        self.process = subprocess.Popen(
            ["Rscript", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        if self.ask("six", 1) is None:
            self.process = None

    def ask(self, name, number):
        """Milliseconds of the fastest of `number` fits, or None."""
        if self.process is None:
            return None
        try:
            self.process.stdin.write(f"{name} {number}\n")
            self.process.stdin.flush()
            return float(self.process.stdout.readline())
        except (BrokenPipeError, ValueError):
            return None

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(timeout=60)


def milliseconds(f, number):
    """Milliseconds of the fastest of `number` calls."""
    fastest = float("inf")
    for _ in range(number):
        start = time.perf_counter()
        f()
        fastest = min(fastest, time.perf_counter() - start)
    return 1000 * fastest


def best(ours, number, peer=None, rounds=ROUNDS):
    """The best times of both sides, in turn; the peer's is None where it is absent."""
    ours()
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(milliseconds(ours, number))
        theirs.append(None if peer is None else peer())
    return min(mine), None if None in theirs else min(theirs)


def full(m):
    """What rma() computes at once: here some is made on demand, so ask for it."""
    return m.I2, m.pval_Q, m.se_tau2, m.TE_random, m.lower_random


def full_rma(m):
    return m.b, m.se, m.pval, m.ci_lb, m.ci_ub, m.I2, m.QE, m.QEp, m.se_tau2


def line(name, ours, peer, aim=None):
    if peer is None:
        print(f"{name:<50}{ours:10.4f} ms")
        return
    ratio = peer / ours
    wanted = "" if aim is None else f"   aim {aim}x: {'met' if ratio >= aim else 'MISSED'}"
    print(f"{name:<50}{ours:10.4f} ms {peer:10.3f} ms{ratio:10.0f}x{wanted}")


def against(r, name, ours, number, case, cases, aim, times=1.0):
    """One line: ours, metafor's fit of that case (`times` so many), the ratio and the aim."""
    mine, theirs = best(ours, number, lambda: r.ask(case, cases))
    line(name, mine, None if theirs is None else theirs * times, aim)
    return mine, theirs


def main():
    small, large = studies(6), studies(1000)
    y, v = small
    r = Metafor(*small, *large, EVENT, N, CONTROL, N_CONTROL)
    if r.process is None:
        print("R with metafor is not here (Debian: r-cran-metafor): its side is skipped")
    print(f"{'':<50}{'metagrove':>10}    {'peer':>10}")
    core, door, six = singles(r, y, v, "plain arithmetic")
    big_se = np.sqrt(large[1])
    against(r, "REML k=1000, metagen", lambda: full(mg.metagen(large[0], big_se)), 30, "thousand", 1, 1000)
    stored(r, six)
    mixed(r)
    many(r, y, v)
    fast = singles(r, y, v, "compiled kernels loaded")
    statsmodels_line(y, v)
    pymare_line(y, v)
    floor(y, v, (core, door), fast[:2])
    r.close()


def singles(r, y, v, how):
    """Single fits of six studies: tau2 alone and through metagen in ms, and metafor's time."""
    se = np.sqrt(v)
    print(f"-- {how}")
    core, _ = against(r, "REML k=6, tau2 and its error alone", lambda: tau2_estimate(y, v), 300, "six", 15, 40)
    door, six = against(
        r, "REML k=6, metagen (both models, tau2, Q, I2)", lambda: full(mg.metagen(y, se)), 300, "six", 15, 40
    )
    against(r, "REML k=6, rma (coefficients, tests, Q, I2)", lambda: full_rma(mg.rma(y, v)), 200, "six", 15, 40)
    against(
        r, "PFT k=6, metaprop (peer: escalc and rma)",
        lambda: full(mg.metaprop(EVENT, N, sm="PFT", method="Inverse")), 150, "effects", 10, 40,
    )  # fmt: skip
    print("--")
    return core, door, six


def stored(r, six):
    """R meta's stored times, scaled by metafor's time now against its time then."""
    slower = None if six is None else six / STORED["rma REML k=6"]

    def proportions():
        m = mg.metaprop(EVENT, N, sm="PFT", method="Inverse", subgroup=DRUG)
        return m.TE_random_w, m.lower_tau2, m.I2, m.Q_b_random, m.lower_predict, m.back.TE_random

    for name, ours, number, key, aim in (
        ("metaprop with subgroups (R meta: stored, scaled)", proportions, 50, "metaprop with subgroups", 50),
        ("GLMM k=6, metaprop (R meta: stored, scaled)", lambda: full(mg.metaprop(EVENT, N)), 20, "GLMM", 30),
    ):
        line(name, best(ours, number)[0], None if slower is None else STORED[key] * slower, aim)


def mixed(r):
    """GLMMs against metafor's, which fits with lme4 and optimisers of its own."""
    two = {"ai": EVENT, "n1i": N, "ci": CONTROL, "n2i": N_CONTROL}
    times = {"x1i": EVENT, "t1i": N, "x2i": CONTROL, "t2i": N_CONTROL}
    one = {"xi": EVENT}
    for case, ours in (
        ("PLO", lambda: mg.rma_glmm(measure="PLO", **one, ni=N)),
        ("IRLN", lambda: mg.rma_glmm(measure="IRLN", **one, ti=N)),
        ("UM.FS", lambda: mg.rma_glmm(measure="OR", **two, model="UM.FS")),
        ("UM.RS", lambda: mg.rma_glmm(measure="OR", **two, model="UM.RS")),
        ("CM.AL", lambda: mg.rma_glmm(measure="OR", **two, model="CM.AL")),
        ("IRR", lambda: mg.rma_glmm(measure="IRR", **times, model="CM.EL")),
    ):
        against(r, f"GLMM k=6, rma_glmm {case} (peer: rma.glmm)", ours, 20, case, 2, 30)
    exact, _ = best(lambda: mg.rma_glmm(measure="OR", **two, model="CM.EL"), 10)
    line("GLMM k=6, rma_glmm CM.EL (metafor needs BiasedUrn)", exact, None)


def many(r, y, v):
    shifted = y + np.arange(1000)[:, None] / 1000
    spread = np.broadcast_to(v, shifted.shape)
    _, refit = against(
        r, "1000 refits k=6, pool_many", lambda: mg.pool_many(shifted, spread), 20, "refit", 15, 300, times=1000
    )
    rng = np.random.default_rng(1)
    vs = rng.uniform(0.01, 0.2, (10**6, 6))
    ys = rng.normal(0, np.sqrt(vs + 0.05))
    million, _ = best(lambda: mg.pool_many(ys, vs), 1, rounds=3)
    line("10^6 REML k=6, pool_many (peer: 1000 fits)", million, None if refit is None else 1000 * refit, 1)


def statsmodels_line(y, v):
    try:
        from statsmodels.stats.meta_analysis import combine_effects
    except ImportError:
        print("statsmodels is not here: skipped")
        return
    se = np.sqrt(v)

    def theirs():
        found = combine_effects(y, v, method_re="dl")
        return found.summary_frame()

    line(
        "DL k=6, metagen and its frame (peer: statsmodels)",
        *best(lambda: mg.metagen(y, se, method_tau="DL").to_frame(), 20, lambda: milliseconds(theirs, 20)),
    )
    line(
        "DL k=6, metagen (peer: statsmodels, no limits)",
        *best(
            lambda: mg.metagen(y, se, method_tau="DL"),
            200,
            lambda: milliseconds(lambda: combine_effects(y, v, method_re="dl"), 50),
        ),
    )


def pymare_line(y, v):
    try:
        from pymare import Dataset
        from pymare.estimators import VarianceBasedLikelihoodEstimator
    except ImportError:
        print("PyMARE is not here: skipped")
        return
    table, se = Dataset(y[:, None], v[:, None]), np.sqrt(v)

    def theirs():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return VarianceBasedLikelihoodEstimator(method="REML").fit_dataset(table).summary()

    line("REML k=6, metagen (peer: PyMARE)", *best(lambda: mg.metagen(y, se), 200, lambda: milliseconds(theirs, 10)))


def floor(y, v, plain, fast):
    """Where the time of one small fit goes: tau2, the rest, and the same work in compiled code as the floor."""
    rows, spread = np.tile(y, (1000, 1)), np.tile(v, (1000, 1))
    compiled = best(lambda: mg.pool_many(rows, spread), 20)[0] / 1000
    for how, (core, door) in (("plain", plain), ("with kernels loaded", fast)):
        share = 100 * (door - compiled) / door
        print(f"one REML fit of six, {how}: {1000 * door:.0f} µs, {1000 * core:.0f} for tau2 and its error,", end=" ")
        print(f"{1000 * (door - core):.0f} for checks, labels, the other estimates; {share:.0f}% is overhead")
    print(f"  over the compiled floor of {1000 * compiled:.2f} µs, which pool_many reaches")


if __name__ == "__main__":
    main()
