"""Every option of meta's doors acts or is refused by name; none is accepted and left unused."""

import inspect

import numpy as np
import pytest

import metagrove as mg

EVENTS, SIZES, OTHER, OTHERS = (
    [4, 6, 0, 0, 12, 9], [23, 36, 31, 18, 40, 33], [11, 9, 11, 0, 9, 14], [29, 33, 20, 17, 45, 36],
)  # fmt: skip
TIMES, MEANS, SDS = [23.0, 36, 31, 18, 40, 33], [5.5, 7, 4, 6, 3, 9], [2, 3, 2.5, 2, 1, 4.0]
CORRELATIONS = [0.5, 0.2, 0.7, 0.1, 0.3, 0.6]
#: columns of each door, and options that the others are tried with
DOORS = {
    "metaprop": ({"event": EVENTS, "n": SIZES}, {"sm": "PLOGIT", "method": "Inverse"}),
    "metabin": ({"event_e": EVENTS, "n_e": SIZES, "event_c": OTHER, "n_c": OTHERS}, {"sm": "OR"}),
    "metainc": (
        {"event_e": EVENTS, "time_e": TIMES, "event_c": OTHER, "time_c": [29.0, 33, 20, 17, 45, 36]},
        {"method": "Inverse"},
    ),
    "metarate": ({"event": EVENTS, "time": TIMES}, {"method": "Inverse"}),
    "metacont": (
        {
            "n_e": SIZES, "mean_e": MEANS, "sd_e": SDS,
            "n_c": OTHERS, "mean_c": [4.1, 8, 4.4, 4, 3.5, 6], "sd_c": [2.2, 2, 2, 2.8, 1.3, 4.4],
        },
        {"sm": "SMD"},
    ),
    "metamean": ({"n": SIZES, "mean": MEANS, "sd": SDS}, {}),
    "metacor": ({"cor": CORRELATIONS, "n": SIZES}, {}),
    "metagen": ({"TE": CORRELATIONS, "seTE": [0.2, 0.1, 0.3, 0.2, 0.15, 0.25]}, {"sm": "OR"}),
}  # fmt: skip
EVERYWHERE = {
    "method_tau": "PM",
    "method_tau_ci": "J",
    "method_random_ci": "HK",
    "method_predict": "HTS",
    "method_I2": "tau2",
    "level": 0.9,
    "level_ma": 0.9,
    "level_predict": 0.8,
    "level_hetstat": 0.8,
    "null_effect": 0.1,
    "tau_preset": 0.3,
    "common": False,
    "random": False,
    "prediction": True,
    "subgroup": list("aabbcc"),
    "exclude": [False] * 5 + [True],
    "subset": [True] * 5 + [False],
    "studlab": list("uvwxyz"),
    "backtransf": False,
}
OF_ONE = {
    "metaprop": {"incr": 0.1, "method_incr": "all", "method_ci": "WS", "pscale": 100},
    "metabin": {"incr": 0.1, "method_incr": "all", "allstudies": True, "MH_exact": True},
    "metainc": {"incr": 0.1, "method_incr": "all"},
    "metarate": {"incr": 0.1, "method_incr": "all", "method_ci": "Poisson", "irscale": 100},
    "metacont": {"method_smd": "Cohen", "exact_smd": False},
    "metamean": {"method_ci": "t"},
}
#: options that act together with another
TOGETHER = [
    ("metabin", {"method_tau": "DL"}, {"Q_Cochrane": False}),
    ("metabin", {"sm": "RR", "method": "Inverse"}, {"RR_Cochrane": True}),
    ("metabin", {"method": "GLMM"}, {"model_glmm": "CM.AL"}),
    ("metainc", {"method": "GLMM"}, {"model_glmm": "CM.EL"}),
    ("metacont", {"method_smd": "Glass"}, {"sd_glass": "experimental"}),
    ("metacont", {"sm": "MD"}, {"pooledvar": True}),
    ("metacont", {"sm": "MD"}, {"method_ci": "t"}),
    ("metabin", {"sm": "RD"}, {"pscale": 100}),
    ("metainc", {"sm": "IRD"}, {"irscale": 100}),
    ("metarate", {"irscale": 100}, {"irunit": "person-months"}),
    ("metagen", {"subgroup": list("aabbcc")}, {"tau_common": True}),
    ("metagen", {"subgroup": list("aabbcc")}, {"subgroup_name": "drug"}),
    ("metagen", {"subgroup": list("abcabc"), "method_random_ci": "HK"}, {"adhoc_hakn_ci": "se"}),
    ("metagen", {"TE": [0.2, 0.21, 0.19, 0.2, 0.22, 0.2], "method_random_ci": "HK"}, {"adhoc_hakn_ci": "ci"}),
    ("metagen", {"TE": [0.2, 0.21, 0.19, 0.2, 0.22, 0.2], "method_random_ci": "HK"}, {"adhoc_hakn_ci": "IQWiG6"}),
    ("metagen", {"TE": [0.2, 0.21, 0.19, 0.2, 0.22, 0.2], "method_predict": "HK"}, {"adhoc_hakn_pi": "se"}),
    ("metagen", {"df": [5] * 6}, {"method_ci": "z"}),
    ("metagen", {"seTE": None, "lower": [0.1] * 6, "upper": [0.9] * 6}, {"level_ci": 0.9}),
    ("metagen", {}, {"transf": False}),
    ("metagen", {}, {"weights": [1, 2, 3, 4, 5, 6]}),
    ("metagen", {}, {"weights_common": [1, 2, 3, 4, 5, 6]}),
    ("metagen", {}, {"weights_random": [1, 2, 3, 4, 5, 6]}),
    ("metagen", {"method_tau": "DL"}, {"TE_tau": 0.1}),
    ("metagen", {"lower": [0.1] * 6, "upper": [0.9] * 6}, {"approx_TE": "ci"}),
    ("metagen", {"lower": [0.1] * 6, "upper": [0.9] * 6}, {"approx_seTE": "ci"}),
]
LABELS = {"label_e": "Sorafenib", "label_c": "Watchful", "label_left": "for the drug", "label_right": "for waiting"}
NUMBERS = """
    TE seTE lower upper pval TE_common lower_common upper_common pval_common TE_random lower_random upper_random pval_random
    df_random lower_predict upper_predict tau2 lower_tau2 upper_tau2 I2 lower_I2 Q Rb w_random w_common studlab
""".split()


def told(door, options):
    columns, base = DOORS[door]
    given = {**columns, **base, **options}
    result = getattr(mg, door)(**given)
    return [str(np.asarray(getattr(result, name))) for name in NUMBERS], result.summary()


def acting():
    for door in DOORS:
        for option, value in {**EVERYWHERE, **OF_ONE.get(door, {})}.items():
            yield door, option, value


@pytest.mark.parametrize(("door", "option", "value"), list(acting()))
def test_every_option_acts(door, option, value):
    if option == "backtransf" and door in ("metacont", "metamean"):
        pytest.skip("differences and means are reported as they are analysed")
    if option in ("common", "random", "prediction", "subgroup", "backtransf", "pscale", "irscale"):
        assert told(door, {option: value})[1] != told(door, {})[1]
    else:
        assert told(door, {option: value})[0] != told(door, {})[0]


@pytest.mark.parametrize(("door", "before", "option"), TOGETHER)
def test_options_that_need_another_act_with_it(door, before, option):
    assert told(door, {**before, **option}) != told(door, before)


CODES = {
    "method_tau", "method_tau_ci", "method_random_ci", "adhoc_hakn_ci", "method_predict", "adhoc_hakn_pi", "method_I2", "method_ci",
    "method_incr", "method", "sm", "model_glmm", "method_smd", "sd_glass", "method_mean", "method_sd",
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_unknown_codes_are_refused_whatever_else_is_asked(door):
    parameters = set(inspect.signature(getattr(mg, door)).parameters)
    tried = (CODES & parameters) - ({"sm"} if door == "metagen" else set())
    assert {"method_tau", "method_predict"} <= tried
    for option in sorted(tried):
        with pytest.raises(mg.MetagroveError, match=r"QQ"):
            told(door, {option: "QQ"})


@pytest.mark.parametrize("door", DOORS)
def test_levels_and_presets_out_of_range_are_refused(door):
    for option, value in (("level", 1.5), ("level_ma", 0.0), ("level_predict", -1.0), ("tau_preset", -0.1)):
        with pytest.raises(mg.MethodError, match=option):
            told(door, {option: value})


@pytest.mark.parametrize("door", ["metaprop", "metabin", "metainc", "metarate"])
def test_increments_below_zero_are_refused(door):
    with pytest.raises(mg.DataError, match="increment is 0 or above"):
        told(door, {"incr": -0.5})


@pytest.mark.parametrize("door", ["metabin", "metacont", "metainc", "metagen"])
def test_names_of_arms_and_sides_are_in_the_forest_plot(door):
    columns, base = DOORS[door]
    given = {**columns, **base} if door != "metagen" else {**columns, **base, "n_e": SIZES, "n_c": OTHERS}
    drawing = getattr(mg, door)(**given, **LABELS).forest()
    shown = " ".join(getattr(mark, "text", "") for mark in drawing.page().marks)
    sides = ["label_left", "label_right"]
    for label in LABELS if door != "metagen" else sides:
        assert LABELS[label] in shown, label


def test_every_option_is_known_here():
    """An option that is added to a door is to be added to this file."""
    inputs = set("data cluster transf df lower upper pval level_ci n_e n_c n median q1 q3 min max time".split())
    inputs |= {f"{part}_{arm}" for part in ("median", "q1", "q3", "min", "max") for arm in "ec"}
    for door, (columns, base) in DOORS.items():
        seen = set(columns) | set(base) | set(EVERYWHERE) | set(OF_ONE.get(door, {})) | CODES | inputs
        seen |= set(LABELS)
        seen |= {option for _, before, last in TOGETHER for option in {**before, **last}}
        assert set(inspect.signature(getattr(mg, door)).parameters) <= seen, door
