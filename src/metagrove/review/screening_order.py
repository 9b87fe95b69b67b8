"""The order in which to read what is left: likely includes first. It orders and never excludes.

Term frequencies with a linear classifier, the recipe that ASReview ships as its default (van de Schoot R et al., Nat Mach
Intell 2021;3:125-133, doi:10.1038/s42256-020-00287-7). On small or hard reviews it saves nothing: no stopping rule is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metagrove.core.errors import MethodError
from metagrove.review.records.reading import Record

__all__ = ["Effort", "ordered_records", "recall_effort"]


@dataclass(frozen=True, slots=True)
class Effort:
    """Recall against effort: after `read[i]` records in this order, `recall[i]` of the known includes were met."""

    read: tuple[int, ...]
    recall: tuple[float, ...]

    def read_for(self, recall: float) -> int | None:
        """How many records had to be read to meet this share of the includes; None where it was never met."""
        return next((n for n, r in zip(self.read, self.recall, strict=True) if r >= recall - 1e-12), None)


def _text(record: Record) -> str:
    return " ".join((record.title, record.abstract, " ".join(record.keywords)))


def ordered_records(records: Sequence[Record], decided: Mapping[str, bool]) -> list[str]:
    """The ids of the records that are not decided yet, the likeliest include first; every one of them is there.

    Parameters
    ----------
    records : one for each work.
    decided : by record id, whether it was included at title and abstract. With no include or no exclude yet nothing can
        be learned, and the order stays that of the search.

    Raises
    ------
    MethodError
        scikit-learn (the extra `screening`) is not installed.
    """
    left = [record for record in records if record.record_id not in decided]
    known = [record for record in records if record.record_id in decided]
    if len({decided[record.record_id] for record in known}) < 2 or not left:
        return [record.record_id for record in left]
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.svm import LinearSVC
    except ImportError:
        raise MethodError("ordering needs scikit-learn: pip install 'metagrove[screening]'") from None
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_df=0.95, min_df=1)
    table = words.fit_transform([_text(record) or "untitled" for record in (*known, *left)])
    labels = [decided[record.record_id] for record in known]
    model = LinearSVC(loss="squared_hinge", C=0.11, class_weight={True: 9.8, False: 1.0}, random_state=0)
    model.fit(table[: len(known)], labels)
    scores = model.decision_function(table[len(known) :])
    order = sorted(range(len(left)), key=lambda index: (-float(scores[index]), index))
    return [left[index].record_id for index in order]


def recall_effort(order: Sequence[str], includes: frozenset[str]) -> Effort:
    """Recall against effort of an order whose includes are known, as after screening or in a simulation."""
    if not includes:
        raise MethodError("recall needs at least one include")
    met, recall = 0, []
    for name in order:
        met += name in includes
        recall.append(met / len(includes))
    return Effort(tuple(range(1, len(order) + 1)), tuple(recall))
