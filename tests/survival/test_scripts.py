"""Code in R and Stata for compared groups; run in R 4.2.2 with survival 3.5 it gave our numbers to the digits it prints."""

import re

import numpy as np
import pytest

import metagrove as mg
from metagrove.core.errors import MethodError

TIME, EVENT, GROUP = [5, 6, 7, 9, 1, 2.5, 3, 8], [1, 1, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1]


def column(code, name):
    """A column of the data frame in the code."""
    return re.search(rf"  {name} = c\((.*)\)", code).group(1).split(", ")


def test_cox_in_r_holds_the_patients_and_the_model():
    code = mg.cox(TIME, EVENT, GROUP, ties="breslow", level=0.9).to_r()
    rows = sorted(zip(*(map(float, column(code, name)) for name in ("time", "event", "x1")), strict=True))
    assert rows == sorted(zip(map(float, TIME), EVENT, GROUP, strict=True))
    assert 'coxph(Surv(time, event) ~ x1, data = patients, ties = "breslow")' in code and "conf.int = 0.9" in code


def test_cox_keeps_strata_and_clusters_with_their_patients():
    stratum, cluster = list("abababab"), [1, 1, 2, 2, 3, 3, 4, 4]
    x = np.column_stack((GROUP, [0.1, 0.7, 0.2, 0.9, 0.4, 0.3, 0.8, 0.6]))
    fit = mg.cox(TIME, EVENT, x[:, 1], strata=stratum, cluster=cluster)
    code = fit.to_r()
    assert "~ x1 + strata(stratum), data = patients" in code and "cluster = cluster" in code
    found = {
        time: (layer, member, value)
        for time, layer, member, value in zip(
            *(column(code, n) for n in ("time", "stratum", "cluster", "x1")), strict=True
        )
    }
    for time, layer, member, value in zip(TIME, stratum, cluster, x[:, 1], strict=True):
        assert found[f"{time:g}"] == (str("ab".index(layer) + 1), str(member), f"{value:g}")
    assert fit.to_stata().endswith("stcox x1, efron level(95) strata(stratum) vce(cluster cluster)\n")
    assert "robust = TRUE" in mg.cox(TIME, EVENT, x[:, 1], robust=True).to_r()


def test_log_rank_in_r_and_stata():
    names = np.where(GROUP, 'the "new" drug', "none")
    test = mg.log_rank(TIME, EVENT, names, strata=[1, 2] * 4, rho=1)
    assert "survdiff(Surv(time, event) ~ group + strata(stratum), data = patients, rho = 1)" in test.to_r()
    assert column(test.to_r(), "group")[-1] == r'"the \"new\" drug"'
    assert test.to_stata().endswith("sts test group, fh(1 0) strata(stratum)\n")
    assert (
        mg.log_rank([0, *TIME], [0, *EVENT], [0, *GROUP])
        .to_stata()
        .endswith("* Stata leaves out patients whose time is 0.\nstset time, failure(event)\nsts test group, logrank\n")
    )
    with pytest.raises(MethodError, match=r"no code for this test"):
        mg.log_rank(TIME, EVENT, GROUP, gamma=1).to_r()


def test_restricted_means_in_r_hold_the_patients():
    code = mg.restricted_mean_difference(TIME, EVENT, GROUP, tau=7.5).to_r()
    rows = sorted(zip(*(map(float, column(code, name)) for name in ("time", "event", "group")), strict=True))
    assert rows == sorted(zip(map(float, TIME), EVENT, GROUP, strict=True))
    assert "rmean = 7.5" in code
