"""Verbs on search records: dedupe, screen, flow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metagrove.cli.console import FLAGGED, errors_as_one_line, print_json

__all__ = ["dedupe"]

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")]


def dedupe(
    files: Annotated[list[Path], typer.Argument(help="Search exports of any format.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The folder to write.", show_default=False)],
    answers: Annotated[
        Path | None,
        typer.Option("--answers", help="questions.csv with a column 'same' filled in: yes or no.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the works among the records of search exports; exit 3 where a person must look at questions or refusals.

    Example: metagrove dedupe pubmed.nbib embase.ris wos.ciw --out records
    """
    with errors_as_one_line(as_json=as_json):
        from metagrove.app.records import dedupe_files

        made = dedupe_files(files, out, answers=answers)
    counts = made.counts()
    if as_json:
        report = made.imported.report()
        questions = [{"record_a": q.record_a, "record_b": q.record_b, "why": q.why} for q in made.duplicates.questions]
        print_json({**counts, "questions": questions, "refused": report["refused"], "warnings": report["warnings"]})
    else:
        print(f"{counts['records']} records read, {counts['duplicates']} duplicates, {counts['works']} works.")
        for refusal in made.imported.refused:
            print(f"refused  {refusal.file}, line {refusal.line}: {refusal.reason}")
        if counts["warnings"]:
            print(f"{counts['warnings']} warnings are in import.json.")
        if counts["questions"]:
            print(
                f"{counts['questions']} pairs to decide are in questions.csv; answer in a column 'same' and give --answers."
            )
        print(f"wrote {', '.join(made.files)} in {out}")
    raise SystemExit(FLAGGED if made.flagged else 0)
