"""What a result shows: rows, text, code, names, and that it survives copying."""

import copy
import json
import pickle

import numpy as np
import pytest

import metagrove as mg
from metagrove.core.scales import SCALES
from metagrove.pooling import r_names

EVENT, N = [2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42]
LABELS = ["Ha", "Bible", "Savvides", "Tahara", "Wirth", 'Higashi"yama']
DRUG = ["Imatinib", "Pazopanib", "Sorafenib", "Lenvatinib", "Lenvatinib", "Lenvatinib"]


@pytest.fixture
def m():
    return mg.metaprop(
        EVENT, N, LABELS, sm="PLOGIT", method="Inverse", subgroup=DRUG, subgroup_name="drug", prediction=True,
        exclude=[False] * 5 + [True],
    )  # fmt: skip


def test_rows_share_their_keys_and_hold_every_line(m):
    rows = m.rows()
    assert len({tuple(row) for row in rows}) == 1
    kinds = [row["kind"] for row in rows]
    assert kinds == ["study"] * 6 + ["subgroup common", "subgroup random"] * 4 + ["common", "random", "prediction"]
    assert rows[5]["reason"] == "excluded by the user" and rows[5]["weight_random"] == 0
    assert sum(row["weight_random"] for row in rows[:6]) == pytest.approx(100)
    total = next(row for row in rows if row["kind"] == "random")
    assert total["estimate"] == m.back.TE_random and total["I2_fraction"] == m.I2
    assert json.loads(m.to_json())[1]["lower"] is not None
    assert list(m.to_frame()["event"][:6]) == EVENT


def test_summary_names_everything_a_reader_needs(m):
    text = m.summary()
    for part in ("Studies: 5 pooled of 6", "Prediction interval", "Test for subgroup differences", "is not pooled",
                 "Increments were added to the counts of Bible", "One study alone makes up", "logit"):  # fmt: skip
        assert part in text


def test_explanation_cites_each_method_once(m):
    found = m.explain()
    assert len(set(found.references)) == len(found.references) >= 5
    assert all("doi:" in reference for reference in found.references)
    for part in ("logit proportion", "restricted maximum-likelihood", "Q-profile", "Subgroups (drug)", "k - 1"):
        assert part in found.sentence


def test_r_code_carries_the_data_and_every_setting(m):
    code = m.to_r()
    for part in (
        "library(meta)", "m <- metaprop(", "event = c(2.0, 0.0, 2.0, 4.0, 1.0, 5.0)", 'sm = "PLOGIT"', "tau.common = FALSE",
        'method.tau = "REML"', '"Higashi\\"yama"', "exclude = c(FALSE, FALSE, FALSE, FALSE, FALSE, TRUE)",
        "subgroup = subgroup", "incr = 0.5",
    ):  # fmt: skip
        assert part in code, part
    assert code.count("(") == code.count(")")


def test_stata_code_carries_the_pooled_effects_to_the_last_digit(m):
    lines = m.to_stata().splitlines()
    data = lines[lines.index(next(line for line in lines if line.startswith("input"))) + 1 : lines.index("end")]
    assert len(data) == 5
    assert [float(line.split("\"'")[1].split()[0]) for line in data] == list(m.TE[:5])
    assert "meta set es se, studylabel(study) random(reml)" in lines
    khartung = mg.metagen([0.1, 0.4], [0.1, 0.2], method_random_ci="HK", adhoc_hakn_ci="se", method_tau="HSk")
    assert "se(khartung, truncated)" in khartung.to_stata() and "no counterpart" in khartung.to_stata()


def test_every_name_of_r_has_a_value(m):
    for name in r_names.NAMES:
        if name not in ("t_harmonic_mean", "Q_CMH"):  # of rates and of 2x2 tables
            assert getattr(m, name) is not None, name
            assert name in dir(m)
    for name in r_names.LOCATIONS:
        assert getattr(m.back, name) is not None


def test_unknown_names_are_refused_with_near_ones(m):
    with pytest.raises(AttributeError, match="TE_random"):
        m.TE_radnom  # noqa: B018
    with pytest.raises(AttributeError, match="another scale"):
        m.back.seTE_random  # noqa: B018
    assert not hasattr(m, "nothing")


def test_results_are_frozen_and_survive_copying(m):
    with pytest.raises(AttributeError):
        m.settings.sm = "PFT"
    with pytest.raises(ValueError, match="read-only"):
        m.studies.TE[0] = 1.0
    with pytest.raises(TypeError):
        m.studies.columns["event"] = np.zeros(6)
    for twin in (pickle.loads(pickle.dumps(m)), copy.deepcopy(m)):
        assert twin.TE_random == m.TE_random
        assert twin.summary() == m.summary()
    clustered = mg.metagen([0.1, 0.4, 0.3, 0.9], [0.1, 0.2, 0.1, 0.2], cluster=["a", "a", "b", "b"])
    assert pickle.loads(pickle.dumps(clustered)).TE_random == clustered.TE_random


@pytest.mark.parametrize("sm", [code for code in SCALES if code not in ("PFT", "IRFT")])
def test_scales_rise_or_fall_and_stay_in_their_bounds(sm):
    scale = SCALES[sm]
    back = scale.back(np.linspace(-3, 3, 41), np.full(41, 20.0))
    steps = np.diff(back)
    assert (steps >= 0).all() or (steps <= 0).all()
    assert scale.bounds[0] <= back.min() and back.max() <= scale.bounds[1]


def test_vaccine_efficacy_swaps_its_limits():
    m = mg.metagen(np.log([0.3, 0.5]), [0.2, 0.3], sm="VE")
    assert m.back.lower_random < m.back.TE_random < m.back.upper_random < 100


def test_influence_and_baujat_show_themselves(m):
    found = m.influence()
    assert len(found.rows()) == 5 and "rstudent" in found.summary()
    assert m.baujat().explain().references
    assert "Omitting Ha" in m.leave_one_out().summary()
    assert m.cumulative(order=np.array([5, 4, 3, 2, 1])).studlab[0] == "Adding Wirth"
    with pytest.raises(mg.MethodError, match="at least three"):
        mg.metagen([0.1, 0.2], [0.1, 0.1]).influence()
    with pytest.raises(mg.MethodError, match="known: common, random"):
        m.leave_one_out("fixed")
