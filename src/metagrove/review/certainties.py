"""The certainty of each analysis of a review: from `[certainty]` in review.toml and from certainty.csv."""

from __future__ import annotations

from difflib import get_close_matches

from metagrove.core.errors import DataError, MetagroveError
from metagrove.review.certainty import DOWN, STARTS, UP, Certainty, Step, certainty
from metagrove.review.folder import Review
from metagrove.review.spec import Certain
from metagrove.review.tables import Row

__all__ = ["certainties", "certainty_faults"]

_KEYS = {
    "risk_of_bias": DOWN[0], "inconsistency": DOWN[1], "indirectness": DOWN[2], "imprecision": DOWN[3],
    "publication_bias": DOWN[4], "large_effect": UP[0], "dose_response": UP[1], "confounding": UP[2],
}  # fmt: skip


def _domain(row: Row) -> str:
    said = " ".join(row.text("domain").replace("_", " ").lower().split())
    known = {name.lower(): name for name in (*DOWN, *UP)} | {key.replace("_", " "): name for key, name in _KEYS.items()}
    if said in known:
        return known[said]
    near = get_close_matches(said, known, n=1, cutoff=0.5)
    hint = f"nearest: '{known[near[0]]}'" if near else f"known: {', '.join((*DOWN, *UP))}"
    raise row.error(f"'{row.text('domain')}' is no GRADE domain; {hint}", "domain", "certainty-unreadable")


def _of_spec(name: str, told: Certain) -> tuple[Certainty, str]:
    steps = [
        Step(domain, moved.steps, moved.why)
        for key, domain in _KEYS.items()
        if (moved := getattr(told, key)) is not None
    ]
    try:
        return certainty(told.studies, steps), told.comment
    except MetagroveError as error:
        raise DataError(f"certainty of '{name}': {error}", file="review.toml", rule="certainty-unreadable") from None


def _of_rows(rows: list[Row], started: str) -> tuple[Certainty, str]:
    start = next((row.text("studies").lower() for row in rows if row.text("studies")), started)
    known = {name.lower(): name for name in STARTS}
    if start.lower() not in known:
        said = f"'{start}'" if start else "nothing"
        message = f"{said} says what the studies are; one of {', '.join(STARTS)}"
        raise rows[0].error(message, "studies", "certainty-unreadable")
    steps = []
    for row in rows:
        if row["steps"] is None or row["steps"] != int(row["steps"]):
            raise row.error(
                f"'{row.text('steps')}' is no number of steps; -1, -2, 0 or 1", "steps", "certainty-unreadable"
            )
        steps.append(Step(_domain(row), int(row["steps"]), row.text("why")))
        try:
            certainty(known[start.lower()], steps[-1:])
        except MetagroveError as error:
            column = "why" if "footnote" in str(error) else "steps"
            raise row.error(str(error), column, "certainty-unreadable") from None
    try:
        held = certainty(known[start.lower()], steps)
    except MetagroveError as error:
        raise rows[-1].error(str(error), "domain", "certainty-unreadable") from None
    return held, next((row.text("comment") for row in rows if row.text("comment")), "")


def _read(review: Review) -> tuple[dict[str, tuple[Certainty, str]], list[DataError]]:
    found: dict[str, tuple[Certainty, str]] = {}
    faults: list[DataError] = []
    for name, told in review.spec.certainty.items():
        try:
            found[name] = _of_spec(name, told)
        except DataError as error:
            faults.append(error)
    names = {analysis.name.lower(): analysis.name for analysis in review.spec.analysis}
    by_name: dict[str, list[Row]] = {}
    for row in review.rows("certainty"):
        if row.text("analysis").lower() not in names:
            known = ", ".join(names.values())
            message = f"'{row.text('analysis')}' is no analysis of review.toml; known: {known}"
            faults.append(row.error(message, "analysis", "certainty-unreadable"))
            continue
        by_name.setdefault(names[row.text("analysis").lower()], []).append(row)
    for name, rows in by_name.items():
        if name in review.spec.certainty:
            message = f"'{name}' is judged in review.toml already; judge it in one place"
            faults.append(rows[0].error(message, "analysis", "certainty-unreadable"))
            continue
        try:
            found[name] = _of_rows(rows, "")
        except DataError as error:
            faults.append(error)
    if len(found) > 7:
        message = f"{len(found)} analyses are judged; a summary of findings has at most 7 outcomes"
        faults.append(DataError(message, file="review.toml", rule="certainty-unreadable"))
    return found, faults


def certainties(review: Review) -> dict[str, tuple[Certainty, str]]:
    """The certainty and the comment of each analysis that was judged, in the order of review.toml.

    Raises
    ------
    DataError
        A judgement that cannot be meant; names the row.
    """
    found, faults = _read(review)
    if faults:
        raise faults[0]
    return {a.name: found[a.name] for a in review.spec.analysis if a.name in found}


def certainty_faults(review: Review) -> list[DataError]:
    """The judgements of certainty that cannot be meant."""
    return _read(review)[1]
