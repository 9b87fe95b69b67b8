"""Every defensible analysis of one table or of one analysis of a review."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metagrove.app.contrasts import compared_studies, pooled_contrast
from metagrove.app.inputs import proportion_table, read_table
from metagrove.app.products import csv_bytes
from metagrove.app.proportions import arms_of_analysis, pooled_arms
from metagrove.core.errors import DataError, SpecError, UnknownName
from metagrove.core.results import plain
from metagrove.review.checks import row_faults
from metagrove.review.columns import TABLES, TableLayout, column_mapping
from metagrove.review.folder import open_review
from metagrove.review.spec import ComparisonAnalysis, ProportionAnalysis
from metagrove.review.storage import write_folder
from metagrove.review.tables import Row, read_rows

__all__ = ["run_multiverse"]

_TWO_ARMS = TableLayout(
    "comparison",
    tuple(column for column in TABLES["comparisons"].columns if column.name != "outcome"),
    ("study", "subgroup"),
)
_COUNTS = ("event_e", "n_e", "event_c", "n_c")
_MEANS = ("n_e", "mean_e", "sd_e", "n_c", "mean_c", "sd_c")


def _two_armed(table: Path) -> bool:
    """Whether the table's headings are those of two arms."""
    if not table.is_file():
        return False
    header, _ = read_rows(table.read_bytes(), table.name)
    try:
        there = set(column_mapping(_TWO_ARMS, header, file=table.name).values())
    except DataError:
        return False
    return any(there.issuperset(form) for form in (_COUNTS, _MEANS, ("te", "se"), ("te", "lower", "upper")))


def _column(rows: tuple[Row, ...], name: str) -> list[Any]:
    for row in rows:
        if row[name] is None:
            raise row.error("is empty; every study of this table needs it", name)
    return [row[name].value if name == "te" else row[name] for row in rows]


def _of_two_arms(table: Path, sm: str) -> Any:
    """The main analysis of a table of two arms: counts, means, or effects with their errors on the analysis scale."""
    from metagrove.doors.generic import metagen
    from metagrove.doors.two_arm import metabin, metacont

    made = read_table(table, _TWO_ARMS)
    rows, there = made.rows, set(made.mapping.values())
    labels = [row.text("study") for row in rows]
    if there.issuperset(_COUNTS):
        event_e, n_e, event_c, n_c = (_column(rows, name) for name in _COUNTS)
        return metabin(event_e, n_e, event_c, n_c, studlab=labels, sm=sm or "RR", method="Inverse")
    if there.issuperset(_MEANS):
        n_e, mean_e, sd_e, n_c, mean_c, sd_c = (_column(rows, name) for name in _MEANS)
        return metacont(n_e, mean_e, sd_e, n_c, mean_c, sd_c, studlab=labels, sm=sm or "MD")
    if "se" not in there:
        raise DataError(
            "effects need their standard error here; intervals are read in a review folder", file=table.name
        )
    return metagen(_column(rows, "te"), _column(rows, "se"), studlab=labels, sm=sm)


def _of_table(table: Path, sm: str) -> Any:
    """The main analysis of a table: of two arms where its headings say so, else of proportions."""
    if _two_armed(table):
        return _of_two_arms(table, sm)
    from metagrove.doors.one_arm import metaprop

    rows = proportion_table(table).rows
    labels = [row.text("study") for row in rows]
    events, n = [row["events"] for row in rows], [row["n"] for row in rows]
    return metaprop(events, n, studlab=labels, sm=sm or "PLOGIT", method="Inverse")


def _of_review(folder: Path, name: str) -> Any:
    review = open_review(folder)
    for fault in row_faults(review):
        raise fault
    known = {a.name: a for a in review.spec.analysis if isinstance(a, ProportionAnalysis | ComparisonAnalysis)}
    if not known:
        raise SpecError("review.toml has no analysis of kind 'proportion' or 'comparison'; a multiverse needs one")
    if name and name not in known:
        raise UnknownName("analysis of kind 'proportion' or 'comparison'", name, known)
    analysis = known[name] if name else next(iter(known.values()))
    if isinstance(analysis, ProportionAnalysis):
        plain_way = analysis.model_copy(update={"method": "Inverse"})
        return pooled_arms(plain_way, arms_of_analysis(review, analysis), subgroups=False)
    settled, studies, _ = compared_studies(review, analysis.model_copy(update={"method": "Inverse"}))
    return pooled_contrast(settled, studies, subgroups=False)


def run_multiverse(
    source: Path, out: Path, *, analysis: str = "", reference: float | None = None, sm: str = ""
) -> dict[str, Any]:
    """The sentence and the counts, after analyses.csv, curve.svg and multiverse.json stand in `out`.

    Parameters
    ----------
    source : a review folder, or a table `study,event,n` or of two arms.
    analysis : one of the folder's analyses of proportions or of two arms; by default the first of them.
    reference : the value that decides the conclusion: a response of no interest, a ratio of 1 (the default of ratios).
    sm : the measure of a table; PLOGIT, RR or MD by default.
    """
    main = _of_review(source, analysis) if source.is_dir() else _of_table(source, sm)
    from metagrove.doors.multiverse import multiverse
    from metagrove.plots.canvas import draw

    found = multiverse(main, reference=reference)
    rows = found.rows()
    result = {
        "sentence": found.sentence,
        "conclusion": found.conclusion,
        "analyses": len(found.specifications),
        "holding": found.holding,
        "left_out": [{"options": options, "reason": reason} for options, reason in found.left_out],
    }
    files = {
        "analyses.csv": csv_bytes(list(rows[0]), [list(row.values()) for row in rows]),
        "curve.svg": draw(found).svg(),
        "multiverse.json": (json.dumps(plain(result), indent=2, ensure_ascii=False) + "\n").encode(),
    }
    write_folder(out, files)
    return {**result, "files": sorted(files)}
