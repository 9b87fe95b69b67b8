"""Every defensible analysis of one table or of one analysis of a review."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metagrove.app.inputs import proportion_table
from metagrove.app.products import csv_bytes
from metagrove.app.proportions import arms_of_analysis
from metagrove.core.errors import SpecError, UnknownName
from metagrove.core.results import plain
from metagrove.review.checks import row_faults
from metagrove.review.folder import open_review
from metagrove.review.spec import ProportionAnalysis
from metagrove.review.storage import write_folder

__all__ = ["run_multiverse"]


def _of_table(table: Path) -> tuple[list[int], list[int], list[str], str]:
    rows = proportion_table(table).rows
    labels = [row.text("study") for row in rows]
    return [row["events"] for row in rows], [row["n"] for row in rows], labels, "PLOGIT"


def _of_review(folder: Path, name: str) -> tuple[list[int], list[int], list[str], str]:
    review = open_review(folder)
    for fault in row_faults(review):
        raise fault
    known = {a.name: a for a in review.spec.analysis if isinstance(a, ProportionAnalysis)}
    if not known:
        raise SpecError("review.toml has no analysis of kind 'proportion'; a multiverse needs one")
    if name and name not in known:
        raise UnknownName("analysis of kind 'proportion'", name, known)
    analysis = known[name] if name else next(iter(known.values()))
    arms = arms_of_analysis(review, analysis)
    return [arm.events for arm in arms], [arm.n for arm in arms], [arm.label for arm in arms], analysis.sm


def run_multiverse(source: Path, out: Path, *, analysis: str = "", reference: float | None = None) -> dict[str, Any]:
    """The sentence and the counts, after analyses.csv, curve.svg and multiverse.json stand in `out`.

    `source` is a review folder or a table `study,event,n`; `analysis` names one of the folder's analyses, by default its
    first of proportions; `reference` is the proportion that decides the conclusion, such as a response of no interest.
    """
    events, n, labels, sm = _of_review(source, analysis) if source.is_dir() else _of_table(source)
    from metagrove.doors.multiverse import multiverse
    from metagrove.doors.one_arm import metaprop
    from metagrove.plots.canvas import draw

    main = metaprop(events, n, studlab=labels, sm=sm, method="Inverse")
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
