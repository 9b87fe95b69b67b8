"""The listed differences from R are R's: ours solve the equations that define them, R's do not."""

import numpy as np
import pytest

import meta_reference as ref
import metagrove as mg
from metagrove.pooling.quadratic_forms import chi_square_mixture_cdf
from metagrove.pooling.tau2 import Design, log_likelihood

TABLES = {
    "cor_molloy2014": ("ri", "ni", "metacor"),
    "prop_hannum2020": ("xi", "ni", "metaprop"),
    "prop_pritz1997": ("xi", "ni", "metaprop"),
    "prop_rare_crisafulli2020": ("cases", "total", "metaprop"),
    "rate_smoking": ("event", "time", "metarate"),
    "seed_atc_orr": ("event", "n", "metaprop"),
    "seed_atc_dcr": ("event", "n", "metaprop"),
    "seed_atc_orr_table1_n": ("event", "n", "metaprop"),
}


def analysis(case, block):
    """The analysis of a listed block, and the method of its limits."""
    d = ref.expected(case)["data"]
    if case in TABLES:
        first, second, door = TABLES[case]
        sm, tau = block.split("_")[:2]
        more = {"method": "Inverse"} if door != "metacor" else {}
        return getattr(mg, door)(d[first], d[second], sm=sm, method_tau=tau.replace("HK", "REML"), **more)
    if case in ("bin_bcg", "bin_cisapride"):
        sm, method = block.split("_")[:2]
        counts = (d[name] for name in ("event.e", "n.e", "event.c", "n.c"))
        return mg.metabin(*counts, sm=sm, method=method, method_tau="DL")
    if case == "cont_normand1999":
        arms = (d[name] for name in ("n1i", "m1i", "sd1i", "n2i", "m2i", "sd2i"))
        return mg.metacont(*arms, sm="ROM", method_tau="DL")
    if case == "irr_nielweise2008":
        return mg.metainc(*(d[name] for name in ("x1i", "t1i", "x2i", "t2i")), sm="IRD", method="MH", method_tau="DL")
    tau, ci = ("DL", "BJ" if "GENQ" in block else "J") if "DL" in block and "_BJ" not in block else block.split("_")[:2]
    return mg.metagen(d["yi"], np.sqrt(d["vi"]), method_tau=tau, method_tau_ci=ci)


def share_below(design, t, ci):
    w = 1 / design.v if ci == "BJ" else design.v**-0.5
    a = np.diag(w) - np.outer(w, w) / w.sum()
    s = np.sqrt(design.v + t)
    eigenvalues = np.linalg.eigvalsh(s[:, None] * a * s)[1:]
    return chi_square_mixture_cdf(float(design.y @ a @ design.y), np.maximum(eigenvalues, 0))


LIMITS = sorted({(case, block) for (case, block, *_), why in ref.UNMATCHED.items() if why == ref.ROOT})


@pytest.mark.parametrize(("case", "block"), LIMITS)
def test_listed_limits_are_roots(case, block):
    result = analysis(case, block)
    for limit, share in ((result.lower_tau2, 0.975), (result.upper_tau2, 0.025)):
        found = share_below(result.fit.design, limit, result.method_tau_ci)
        assert found == pytest.approx(share, abs=1e-9) or (limit == 0 and found < share)


def peers_limits():
    for (case, block, key, *_), why in ref.UNMATCHED.items():
        if why == ref.ROOT and key in ("lower.tau2", "upper.tau2", "lower_tau2", "upper_tau2"):
            yield case, block, key


@pytest.mark.parametrize(("case", "block", "key"), list(peers_limits()))
def test_the_peers_limits_are_less_of_a_root(case, block, key):
    result = analysis(case, block)
    blocks = ref.expected(case)["expected"]
    theirs = blocks.get("alternatives", blocks)[block][key]
    ours = getattr(result, key.replace(".", "_"))
    assert abs(ours - theirs) < 1.3e-4 * max(1.0, ours)
    share = 0.975 if key.startswith("lower") else 0.025
    gaps = [abs(share_below(result.fit.design, t, result.method_tau_ci) - share) for t in (ours, theirs)]
    assert gaps[0] < gaps[1]


def test_listed_peak_is_one():
    result = analysis("prop_rare_crisafulli2020", "PRAW_REML")
    theirs = ref.expected("prop_rare_crisafulli2020")["expected"]["PRAW_REML"]["tau2"]
    design = result.fit.design

    def score(t):
        pr = design.at(1 / (design.v + t))
        return float(pr.py @ pr.py) - pr.trace()

    trace = design.at(1 / (design.v + result.tau2)).trace()
    assert abs(score(result.tau2)) < 1e-9 * trace < abs(score(theirs))


@pytest.mark.parametrize("case", ["seed_atc_orr_table1_n", "influence_raudenbush1985"])
def test_listed_zeros_are_zero(case):
    blocks, d = ref.expected(case)["expected"], ref.expected(case)["data"]
    if case.startswith("seed"):
        result = analysis(case, "PLOGIT_REML")
        design, ours, theirs = result.fit.design, result.tau2, blocks["alternatives"]["PLOGIT_REML"]["tau2"]
    else:
        y, v = np.array(d["yi"][:7]), np.array(d["vi"][:7])
        design, theirs = Design(y, v), blocks["cumul_REML"]["tau2"][6]
        ours = mg.metagen(y, np.sqrt(v)).tau2
    assert ours == 0 < theirs < 1e-10
    at = [log_likelihood(design, t, restricted=True) for t in (0.0, 1e-4)]
    assert at[0] > at[1]
