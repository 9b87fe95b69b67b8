"""Screening as a fold over its log: reviewers, blinding, conflicts, arbiters, late duplicates; kappa against statsmodels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from metagrove.core.errors import DataError
from metagrove.review.agreement import cohen_kappa
from metagrove.review.log import Decision, Export, Pairing, Setting, append_log, read_log
from metagrove.review.records.reading import Record
from metagrove.review.screened_flow import screened_flow
from metagrove.review.screening import fold_screening, record_seal

TITLES = (
    "Sorafenib in thyroid carcinoma",
    "Imatinib and its pharmacology in mice",
    "Radiotherapy of the larynx in adults",
)
RECORDS = tuple(
    Record(f"pubmed.nbib:{i}", "pubmed.nbib", i, i, title=t, year=2000 + 3 * i) for i, t in enumerate(TITLES, 1)
)
ONE, TWO, THREE = (record.record_id for record in RECORDS)


def say(record, reviewer, decision, stage="title_abstract", reason=""):
    return Decision("2026-01-01T00:00:00Z", record, stage, reviewer, decision, reason)


def verdicts(entries, stage="title_abstract", records=RECORDS):
    return {work: outcome.verdict for work, outcome in fold_screening(records, entries).outcomes[stage].items()}


DUAL = Setting("t", "title_abstract", 2)


def test_one_of_two_reviewers_is_pending_and_shows_nothing():
    state = fold_screening(RECORDS, [DUAL, say(ONE, "A", "exclude")])
    outcome = state.outcomes["title_abstract"][ONE]
    assert (outcome.verdict, outcome.missing, outcome.by) == ("pending", 1, ())
    assert state.queue("title_abstract", "a") == [TWO, THREE]
    assert state.queue("title_abstract", "B") == [ONE, TWO, THREE]


def test_conflict_is_settled_by_an_arbiter_or_a_third_reviewer():
    torn = [DUAL, say(ONE, "A", "include"), say(ONE, "B", "exclude")]
    assert verdicts(torn)[ONE] == "conflict"
    assert verdicts([*torn, say(ONE, "C", "exclude")])[ONE] == "exclude"
    assert verdicts([*torn, say(ONE, "consensus", "include")])[ONE] == "include"
    assert verdicts([*torn, say(ONE, "B", "include")])[ONE] == "include"


def test_two_reviewers_of_one_record_make_it_double_screening():
    entries = [say(ONE, "A", "exclude"), say(ONE, "B", "exclude"), say(TWO, "A", "exclude")]
    assert verdicts(entries) == {ONE: "exclude", TWO: "pending", THREE: "pending"}
    assert verdicts([say(ONE, "A", "exclude"), say(TWO, "B", "exclude")])[ONE] == "exclude"


def test_unsure_goes_on_and_reasons_must_agree_at_full_text():
    assert verdicts([DUAL, say(ONE, "A", "maybe"), say(ONE, "B", "include")])[ONE] == "include"
    full = [Setting("t", "full_text", 2), say(ONE, "A", "exclude", "full_text", "case report; no data")]
    assert verdicts([*full, say(ONE, "B", "exclude", "full_text", "Case report")], "full_text")[ONE] == "exclude"
    assert verdicts([*full, say(ONE, "B", "exclude", "full_text", "review")], "full_text")[ONE] == "conflict"


def test_a_late_duplicate_carries_its_decisions_over():
    late = replace(RECORDS[0], record_id="embase.ris:1", file="embase.ris")
    records = (*RECORDS, late)
    entries = [say(record, "A", "exclude") for record in (ONE, TWO, THREE)]
    assert verdicts(entries, records=records) == {ONE: "exclude", TWO: "exclude", THREE: "exclude"}
    told = [*entries, Pairing("t", ONE, "embase.ris:1", "A", "distinct")]
    assert verdicts(told, records=records)["embase.ris:1"] == "pending"
    merged = [*entries, Pairing("t", ONE, TWO, "A", "duplicate")]
    flow = screened_flow(fold_screening(RECORDS, merged))
    assert (flow["removed_before"], flow["screened"], flow["excluded"]) == ({"Duplicate records": 1}, 2, 2)


def test_one_reviewer_who_judged_two_copies_differently_is_a_conflict():
    entries = [say(ONE, "A", "exclude"), say(TWO, "A", "include"), Pairing("t", ONE, TWO, "A", "duplicate")]
    assert verdicts(entries)[ONE] == "conflict"


def test_two_reports_of_one_study():
    entries = [say(ONE, "A", "include", "full_text"), say(TWO, "A", "include", "full_text"), say(THREE, "A", "exclude")]
    assert screened_flow(fold_screening(RECORDS, entries))["included"] == {"studies": 2, "reports": 2}
    entries.append(Pairing("t", ONE, TWO, "A", "study"))
    assert screened_flow(fold_screening(RECORDS, entries))["included"] == {"studies": 1, "reports": 2}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([say(ONE, "A", "exclude")], "2 records lack a decision at title and abstract: pubmed.nbib:2, pubmed.nbib:3"),
        (
            [say(TWO, "A", "exclude"), say(THREE, "A", "exclude"), say(ONE, "A", "include")],
            "1 record lacks a decision at full text: pubmed.nbib:1",
        ),
        (
            [say(r, p, "exclude") for r in (TWO, THREE) for p in "AB"]
            + [say(ONE, "A", "include"), say(ONE, "B", "exclude")],
            "1 conflicts at title and abstract are not resolved: pubmed.nbib:1",
        ),
    ],
)
def test_a_flow_that_does_not_close_is_refused_with_its_records(entries, message):
    with pytest.raises(DataError, match=message):
        screened_flow(fold_screening(RECORDS, entries))


def test_not_retrieved_leaves_before_assessment():
    entries = [
        say(ONE, "A", "not_retrieved", "retrieval"),
        say(TWO, "A", "exclude"),
        say(THREE, "A", "include", "full_text"),
    ]
    flow = screened_flow(fold_screening(RECORDS, entries))
    assert (flow["sought"], flow["not_retrieved"], flow["assessed"], flow["included"]["reports"]) == (2, 1, 1, 1)


def test_a_decision_follows_its_record_and_is_adrift_without_it():
    sealed = [replace(say(r.record_id, "A", "exclude"), seal=record_seal(r)) for r in RECORDS]
    moved = tuple(replace(r, record_id=f"pubmed.nbib:{i}") for i, r in enumerate(reversed(RECORDS), 1))
    assert set(verdicts(sealed, records=moved).values()) == {"exclude"}
    other = (replace(RECORDS[0], title="Something else"), *RECORDS[1:])
    state = fold_screening(other, sealed)
    assert [entry.record for entry in state.adrift] == [ONE]
    with pytest.raises(DataError, match="1 entries of the log fit no record"):
        screened_flow(state)


def test_log_is_appended_and_read_back(tmp_path):
    first = [say(ONE, "A", "exclude"), DUAL]
    second = [Pairing("t", ONE, TWO, "A", "duplicate"), Export("t", "search/pubmed.nbib", "ab")]
    append_log(tmp_path, first)
    before = (tmp_path / "screening.jsonl").read_bytes()
    append_log(tmp_path, second)
    assert (tmp_path / "screening.jsonl").read_bytes().startswith(before)
    assert read_log(tmp_path) == [*first, *second]
    with (tmp_path / "screening.jsonl").open("a") as stream:
        stream.write('{"at": "t", "rec')
    with pytest.raises(DataError, match=r"screening.jsonl, row 5: this line is not JSON"):
        read_log(tmp_path)


@given(table=st.lists(st.integers(1, 30), min_size=4, max_size=4))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_kappa_is_that_of_statsmodels(table):
    a, b, c, d = table
    first = ["i"] * (a + b) + ["x"] * (c + d)
    second = ["i"] * a + ["x"] * b + ["i"] * c + ["x"] * d
    got = cohen_kappa(first, second)
    want = cohens_kappa(np.array([[a, b], [c, d]], dtype=float))
    assert got.kappa == pytest.approx(want.kappa, abs=1e-12)
    if want.kappa_low > -1 and want.kappa_upp < 1:
        assert (got.lower, got.upper) == pytest.approx((want.kappa_low, want.kappa_upp), abs=1e-9)


def test_kappa_without_variation_says_why():
    assert cohen_kappa(["i"] * 5, ["i"] * 5).why == "both gave one and the same judgement throughout"
    assert cohen_kappa([], []).why == "no record was judged by both"
