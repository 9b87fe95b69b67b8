"""Rows of comparisons.csv: column names, impossible rows, and effects on their analysis scale."""

import math
import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.core.errors import DataError
from metagrove.review.columns import TABLES, column_mapping
from metagrove.review.comparison_rows import comparison_faults, effect_of, form_of, has_numbers
from metagrove.review.tables import parse_table

COMPARISONS = TABLES["comparisons"]


def rows_of(text):
    table = parse_table(COMPARISONS, text.encode())
    for fault in table.faults:
        raise fault
    return table.rows


def only(header, line):
    (row,) = rows_of(f"outcome,study,{header}\nX,Lee,{line}\n")
    return row


@pytest.mark.parametrize(
    "header",
    [
        "event_e,n_e,event_c,n_c",
        "event.e,n.e,event.c,n.c",
        "events_t,total_t,events_c,total_c",
        "treat_events,treat_n,control_events,control_n",
        "Experimental events,Experimental total,Control events,Control total",
        "Events (treatment),N (treatment),Events (placebo),N (placebo)",
        "EVENTS_1,TOTAL_1,EVENTS_2,TOTAL_2",
        "intervention_deaths,intervention_patients,comparator_deaths,comparator_patients",
    ],
)
def test_counts_under_the_names_that_people_use(header):
    row = only(header, "4,20,7,21")
    assert [row[name] for name in ("event_e", "n_e", "event_c", "n_c")] == [4, 20, 7, 21]
    assert form_of(row, "OR") == "counts"


@pytest.mark.parametrize(
    "header",
    ["mean_e,sd_e,n_e,mean_c,sd_c,n_c", "mean_t,sd_t,n_t,mean_ctrl,sd_ctrl,n_ctrl", "m1i,sd1i,n1i,m2i,sd2i,n2i"],
)
def test_means_under_the_names_that_people_use(header):
    row = only(header, "4.5,1.2,20,5,1.3,21")
    found = [row[name] for name in ("mean_e", "sd_e", "n_e", "mean_c", "sd_c", "n_c")]
    assert found == [4.5, 1.2, 20, 5, 1.3, 21]
    assert form_of(row, "MD") == "means"
    assert form_of(row, "OR") == ""


def test_no_name_belongs_to_two_columns():
    spelled = {c.name: {re.sub("[^a-z0-9]", "", s.lower()) for s in (c.name, *c.also)} for c in COMPARISONS.columns}
    shared = {(a, b): spelled[a] & spelled[b] for a, b in combinations(spelled, 2)}
    assert {pair: names for pair, names in shared.items() if names} == {}


def test_events_may_carry_their_total():
    row = only("event_e,event_c", "4/20,7 of 21")
    assert [row[name] for name in ("event_e", "n_e", "event_c", "n_c")] == [4, 20, 7, 21]


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("event_e,n_e,event_c,n_c", "21,20,7,21", "row 2, column 'event_e': 21 events among 20"),
        ("event_e,n_e,event_c,n_c", "2,20,27,21", "row 2, column 'event_c': 27 events among 21"),
        ("event_e,n_e,event_c,n_c", "-2,20,7,21", "row 2, column 'event_e': '-2' is negative"),
        ("event_e,n_e,event_c,n_c", "2.5,20,7,21", "row 2, column 'event_e': '2.5' is a fraction"),
        ("event_e,n_e,event_c,n_c", "2,20.5,7,21", "row 2, column 'n_e': '20.5' is a fraction"),
        ("mean_e,sd_e,n_e,mean_c,sd_c,n_c", "high,1,20,5,1,21", "row 2, column 'mean_e': 'high' is not a number"),
    ],
)
def test_a_cell_that_cannot_be_is_named(header, line, message):
    with pytest.raises(DataError) as error:
        only(header, line)
    assert f"comparisons.csv, {message}" in str(error.value)


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("event_e,n_e,event_c,n_c", "0,0,7,21", "column 'n_e': is 0; an arm has at least one patient"),
        ("event_e,n_e,event_c,n_c", "4,20,7,", "column 'n_c': is missing; a comparison of counts needs"),
        ("event_e,n_e,event_c,n_c", "4,20,,21", "column 'event_c': is missing"),
        ("mean_e,sd_e,n_e,mean_c,sd_c,n_c", "4,,20,5,1,21", "column 'sd_e': is missing; a comparison of means needs"),
        (
            "mean_e,sd_e,n_e,mean_c,sd_c,n_c",
            "4,-1,20,5,1,21",
            "column 'sd_e': is -1; a standard deviation is 0 or more",
        ),
        ("te,se", "0.4,", "column 'se': is missing; an effect needs"),
        ("te,se", ",0.4", "column 'te': is missing"),
        ("te,se", "0.4,0", "column 'se': is 0; a standard error is above 0"),
        ("te,lower,upper", "0.8,0.6,", "column 'upper': is missing; an interval has two limits"),
        ("te,lower,upper", "0.8,1.1,0.6", "column 'lower': the lower limit 1.1 is not below the upper 0.6"),
        ("te,lower,upper", "8,0.6,1.1", "column 'te': Lee: the interval 0.6 to 1.1 does not contain its estimate 8"),
        ("te,lower,upper,level", "0.8,0.6,1.1,5", "column 'level': is 5; a level lies between"),
    ],
)
def test_a_row_that_cannot_be_meant_is_named(header, line, message):
    (fault,) = comparison_faults([only(header, line)])
    assert str(fault).startswith("comparisons.csv, row 2, ")
    assert message in str(fault)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("event_e,n_e,event_c,n_c", ",20,,21"),
        ("event_e,n_e,event_c,n_c", "NR,20,NR,21"),
        ("event_e,n_e,event_c,n_c,te,lower,upper", "4,20,,21,0.8,0.6,1.1"),
        ("te,lower,upper", "0.8 (0.6-1.1),,"),
    ],
)
def test_silence_and_a_second_form_are_no_faults(header, line):
    row = only(header, line)
    assert comparison_faults([row]) == []
    assert has_numbers(row) == (row["te"] is not None)


def test_duplicates_and_unknown_studies():
    text = "outcome,study,event_e,n_e,event_c,n_c\nX,Lee,1,9,2,9\nx,lee,1,9,2,9\nX,Kimm,1,9,2,9\nY,Lee,1,9,2,9\n"
    first, second = parse_table(COMPARISONS, text.encode(), known_studies=["Lee", "Kim"]).faults
    assert str(first) == "comparisons.csv, row 3, column 'outcome': 'x, lee' stands in row 2 already; one row each"
    assert "row 4, column 'study': 'Kimm' is not in studies.csv; nearest: 'Kim'" in str(second)


def test_a_study_may_have_a_row_in_each_subgroup():
    text = "outcome,study,subgroup,event_e,n_e,event_c,n_c\nX,Lee,men,1,9,2,9\nX,Lee,women,1,9,2,9\n"
    assert parse_table(COMPARISONS, text.encode()).faults == ()


def test_a_printed_ratio_with_limits():
    te, se = effect_of(only("te,lower,upper", "0.75,0.60,0.94"), "HR")
    assert te == pytest.approx(math.log(0.75))
    assert se == pytest.approx(math.log(0.94 / 0.60) / (2 * 1.959964), rel=1e-6)
    _, wide = effect_of(only("te,lower,upper,level", "0.75,0.60,0.94,90"), "HR")
    assert wide == pytest.approx(math.log(0.94 / 0.60) / (2 * 1.644854), rel=1e-6)


def test_limits_alone_give_the_middle_on_the_analysis_scale():
    te, _ = effect_of(only("lower,upper", "0.5,2"), "OR")
    assert te == pytest.approx(0, abs=1e-12)
    te, _ = effect_of(only("lower,upper", "1,3"), "MD")
    assert te == pytest.approx(2)


def test_a_standard_error_means_logarithms_unless_the_heading_says_ratio():
    row = only("te,se", "0.75,0.1")
    assert effect_of(row, "HR") == (0.75, 0.1)
    assert effect_of(row, "HR", given="printed") == (pytest.approx(math.log(0.75)), 0.1)
    assert effect_of(row, "HR", ratios=True) == (pytest.approx(math.log(0.75)), 0.1)
    assert effect_of(row, "MD", ratios=True) == (0.75, 0.1)


def test_where_all_is_printed_the_scale_that_agrees_is_taken():
    logs = only("te,se,lower,upper", "0.3,0.1,0.104,0.496")
    assert effect_of(logs, "OR") == (0.3, 0.1)
    ratios = only("te,se,lower,upper", f"1.35,0.1,{1.35 * math.exp(-0.196):.4f},{1.35 * math.exp(0.196):.4f}")
    te, se = effect_of(ratios, "OR")
    assert te == pytest.approx(math.log(1.35))
    assert se == pytest.approx(0.1, rel=1e-3)


def test_a_ratio_below_zero_is_refused_with_the_way_out():
    row = only("te,lower,upper", "-0.3,-0.5,-0.1")
    with pytest.raises(
        DataError, match=r"comparisons.csv, row 2, column 'te': Lee: HR is -0.3; a printed ratio.*scale"
    ):
        effect_of(row, "HR")
    te, se = effect_of(row, "HR", given="log")
    assert (te, se) == (-0.3, pytest.approx(0.4 / (2 * 1.959964), rel=1e-6))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.floats(-2, 2), st.floats(0.02, 1.5), st.sampled_from(["HR", "OR", "RR", "IRR", "ROM"]))
def test_a_printed_ratio_comes_back(te, se, sm):
    z = 1.959963984540054
    low, mid, high = (repr(math.exp(te + k * se)) for k in (-z, 0, z))
    found = effect_of(only("te,lower,upper", f"{mid},{low},{high}"), sm)
    assert found == (pytest.approx(te, abs=1e-9), pytest.approx(se, rel=1e-9))


def test_columns_that_mean_nothing_stay():
    mapping = column_mapping(COMPARISONS, ["outcome", "study", "te", "se", "dose"])
    assert "dose" not in mapping
