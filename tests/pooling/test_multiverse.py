"""The multiverse against the doors themselves: every analysis in it is one that a door gives."""

import numpy as np
import pytest

import metagrove as mg

EVENT, N = [2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42]
LABELS = ["Ha", "Bible", "Savvides", "Tahara", "Wirth", "Higashiyama"]


@pytest.fixture(scope="module")
def seed():
    return mg.multiverse(mg.metaprop(EVENT, N, LABELS, sm="PFT"))


def by_the_door(spec):
    sm, correction, model, interval, name = spec.options
    keep = [i for i, label in enumerate(LABELS) if name != f"without {label}"]
    incr, way = (0.5, "only0") if correction == "–" else correction.split()
    kind, _, adhoc = interval.partition("-")
    # increments are decided by the whole table, so the study that is left out is excluded, not dropped
    return mg.metaprop(
        EVENT, N, LABELS, sm=sm, method="GLMM" if model == "GLMM" else "Inverse", incr=float(incr), method_incr=way,
        method_tau=None if model in ("CE", "GLMM") else model, method_random_ci=kind, adhoc_hakn_ci=adhoc,
        exclude=[i not in keep for i in range(6)],
    )  # fmt: skip


def test_every_analysis_is_one_a_door_gives(seed):
    for spec in seed.specifications[::17]:
        m = by_the_door(spec)
        which = "common" if spec.options[2] == "CE" else "random"
        found = [getattr(m.back, f"{part}_{which}") for part in ("TE", "lower", "upper")]
        assert [spec.estimate, spec.lower, spec.upper] == pytest.approx(found, rel=1e-9), spec
        assert spec.k == m.k


def test_no_analysis_is_counted_twice_and_the_main_one_is_in(seed):
    options = [spec.options for spec in seed.specifications]
    assert len(set(options)) == len(options)
    assert sum(spec.main for spec in seed.specifications) == 1
    assert seed.main.options == ("PFT", "–", "REML", "classic", "all")
    # without the study of no events no correction is used, whatever was asked for
    assert all(o[1] in ("–", "0.5 all") for o in options if o[4] == "without Bible")
    assert all(o[1] == "–" for o in options if o[2] == "GLMM" or o[0] in ("PFT", "PAS"))
    # an interval of a common effect has one form
    assert {o[3] for o in options if o[2] == "CE"} == {"classic"}


def test_the_sentence_counts(seed):
    assert f"holds in {seed.holding} of {len(seed.specifications)} analyses" in seed.sentence
    low, high = seed.main.lower, seed.main.upper
    assert seed.holding == sum(low <= spec.estimate <= high for spec in seed.specifications)
    assert "transformation is the choice that moves them most" in seed.sentence
    rows = seed.rows()
    assert [row["estimate"] for row in rows] == sorted(row["estimate"] for row in rows)
    assert all(option in seed.summary() for option in ("PLOGIT", "without Ha", "HK-se"))
    assert all(0 <= share <= 1 for share in seed.importance.values())


@pytest.mark.parametrize(("reference", "verdict"), [(0.01, "above"), (0.3, "below"), (0.1, "may be above or below")])
def test_a_reference_decides_the_conclusion(reference, verdict):
    found = mg.multiverse(EVENT, N, LABELS, sm="PFT", reference=reference, leave_one_out=False)
    assert verdict in found.conclusion
    assert found.main.holds
    for spec in found.specifications:
        sides = {"above": spec.lower > reference, "below": spec.upper < reference}
        assert spec.holds == (sides[verdict] if verdict in sides else not any(sides.values()))


def test_ratios_are_compared_with_one():
    m = mg.metagen([-0.9, -1.6, -1.3, 0.2], [0.57, 0.44, 0.64, 0.5], sm="OR")
    found = mg.multiverse(m, inclusions={"randomised": [True, True, False, False]})
    assert found.reference == 1 and found.logarithmic
    assert "randomised" in {spec.options[4] for spec in found.specifications}
    assert found.main.estimate == pytest.approx(m.back.TE_random)


@pytest.mark.parametrize("door", ["metarate", "metamean", "metacor"])
def test_other_single_arms(door):
    arrays = {
        "metarate": ([3, 9, 0, 4], [100.0, 220.0, 60.0, 90.0]),
        "metamean": ([12, 20, 31], [3.0, 4.1, 2.2], [1.0, 1.2, 0.9]),
        "metacor": ([0.2, 0.5, 0.1], [30, 44, 51]),
    }[door]
    found = mg.multiverse(getattr(mg, door)(*arrays))
    assert len({spec.options[0] for spec in found.specifications}) >= 2
    assert found.explain().references


def test_refusals_are_listed_or_named():
    found = mg.multiverse([1, 3], [9, 12], inclusions={"one": [True, False]})
    assert any(options[4] == "one" and "one study" in why for options, why in found.left_out)
    with pytest.raises(mg.MethodError, match="does not measure the same"):
        mg.multiverse(EVENT, N, transformations=["IRLN"])
    with pytest.raises(mg.DataError, match="leaves no study"):
        mg.multiverse(EVENT, N, inclusions={"none": [False] * 6})
    with pytest.raises(mg.DataError, match="needs event and n"):
        mg.multiverse(EVENT)


def test_all_zero_gives_numbers_or_reasons():
    found = mg.multiverse([0, 0, 0], [5, 8, 12], leave_one_out=False, sm="PFT")
    assert all(np.isfinite([s.estimate, s.lower, s.upper]).all() for s in found.specifications)
    assert all(why for _, why in found.left_out)
