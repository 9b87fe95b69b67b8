"""The order of reading: all that is left, likely includes first, the search's order where nothing is known."""

import pytest

from metagrove.core.errors import MethodError
from metagrove.review.records.reading import Record
from metagrove.review.screening_order import ordered_records, recall_effort

RECORDS = [
    Record(
        str(i),
        "f",
        i,
        i,
        title=("Sorafenib trial in thyroid cancer" if i % 5 == 0 else "Cell culture of mouse liver") + f" {i}",
    )
    for i in range(60)
]
INCLUDES = frozenset(r.record_id for r in RECORDS if "trial" in r.title)


def test_nothing_is_dropped_and_nothing_learned_without_both_sides():
    assert ordered_records(RECORDS, {"1": False}) == [r.record_id for r in RECORDS if r.record_id != "1"]


def test_includes_come_first_and_nobody_is_excluded():
    pytest.importorskip("sklearn")
    decided = {"0": True, "1": False, "2": False}
    order = ordered_records(RECORDS, decided)
    assert sorted(order) == sorted(r.record_id for r in RECORDS if r.record_id not in decided)
    effort = recall_effort(order, INCLUDES - {"0"})
    assert effort.read_for(1.0) == len(INCLUDES) - 1
    assert order == ordered_records(RECORDS, decided)


def test_recall_counts_includes():
    effort = recall_effort(["a", "b", "c"], frozenset("ac"))
    assert (effort.recall, effort.read_for(0.5), effort.read_for(1.0)) == ((0.5, 0.5, 1.0), 1, 3)
    assert recall_effort(["a"], frozenset("ab")).read_for(1.0) is None
    with pytest.raises(MethodError):
        recall_effort([], frozenset())
