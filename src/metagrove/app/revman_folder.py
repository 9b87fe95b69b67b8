"""A review folder from a RevMan 5 file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metagrove.app.products import csv_bytes
from metagrove.app.protocols import comparison_block, protocol_text, slugs
from metagrove.review.revman import RevManOutcome, RevManReview, read_revman

__all__ = ["revman_files"]

_COLUMNS = (
    "event_e", "n_e", "event_c", "n_c", "mean_e", "sd_e", "mean_c", "sd_c", "te", "se",
)  # fmt: skip


def _block(name: str, outcome: RevManOutcome) -> str:
    """The analysis as RevMan did it: its measure, method and model, with its conventions."""
    keys: list[tuple[str, str | bool | float, str]] = [("sm", outcome.measure, "")] if outcome.measure else []
    keys += [
        ("method", outcome.method or "Inverse", ""),
        ("common", not outcome.random, ""),
        ("random", outcome.random, ""),
        ("method_tau", "DL", "as RevMan 5; REML is the better default"),
        ("compat", "RevMan5", "its conventions for empty cells and small samples"),
    ]
    keys += [("prediction", False, "")] if not outcome.random else []
    keys += [("level", outcome.level, "")] if outcome.level != 0.95 else []
    keys += [("subgroup", "subgroup", "")] if outcome.subgroups else []
    return comparison_block(name, outcome.name, keys, labels=outcome.labels)


def _comparisons(review: RevManReview, file: str) -> bytes:
    rows = [(outcome, row) for outcome in review.outcomes for row in outcome.rows]
    columns = [name for name in _COLUMNS if any(row.get(name) for _, row in rows)]
    subgroups = any(row["subgroup"] for _, row in rows)
    notes = any(row["note"] for _, row in rows)
    header = ["outcome", "study", *(["subgroup"] if subgroups else []), *columns, "document", "locator"]
    body = []
    for outcome, row in rows:
        cells = [outcome.name, row["study"], *([row["subgroup"]] if subgroups else [])]
        cells += [row.get(name, "") for name in columns]
        body.append([*cells, file, outcome.comparison, *([row["note"]] if notes else [])])
    return csv_bytes([*header, *(["note"] if notes else [])], body)


def _bias(review: RevManReview) -> bytes:
    """Judgements, one row a study and one column a domain."""
    domains = list(dict.fromkeys(domain for _, domain in review.bias))
    rows = [[study, *(review.bias.get((study, domain), "") for domain in domains)] for study, _ in review.studies]
    return csv_bytes(["study", *domains], [row for row in rows if any(row[1:])])


def _published(review: RevManReview, names: Sequence[str], file: str) -> bytes:
    rows = [
        [name, "", quantity, text, file, outcome.comparison]
        for name, outcome in zip(names, review.outcomes, strict=True)
        for quantity, text in outcome.printed.items()
    ]
    return csv_bytes(["analysis", "subgroup", "quantity", "printed", "document", "locator"], rows)


def revman_files(folder: Path, source: Path) -> tuple[dict[str, bytes], list[str]]:
    """The files of the new folder, and what is to be told of the reading.

    Raises
    ------
    DataError
        The file is not a RevMan 5 review with data of two arms.
    """
    review = read_revman(source.read_bytes(), source.name)
    names = slugs([outcome.name for outcome in review.outcomes])
    blocks = [_block(name, outcome) for name, outcome in zip(names, review.outcomes, strict=True)]
    printed = any(outcome.printed for outcome in review.outcomes)
    made = {
        "review.toml": protocol_text(folder, blocks, title=review.title, published=source.name if printed else ""),
        "studies.csv": csv_bytes(["study", "year"], review.studies),
        "comparisons.csv": _comparisons(review, source.name),
    }
    if printed:
        made["published.csv"] = _published(review, names, source.name)
    if review.bias:
        made["risk_of_bias.csv"] = _bias(review)
    rows = sum(len(outcome.rows) for outcome in review.outcomes)
    told = [f"{source.name}: {len(review.studies)} studies, {len(review.outcomes)} outcomes, {rows} rows of data"]
    return made, told + [f"{source.name}: {line}" for line in review.told]
