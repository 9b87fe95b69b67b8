"""Verbs on a review folder: new, check, run, report, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metagrove.cli.console import FLAGGED, errors_as_one_line, print_json, progress_bar

__all__ = ["check", "export", "new", "report", "run"]

Folder = Annotated[Path, typer.Argument(help="The review folder.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")]


def new(
    folder: Annotated[Path, typer.Argument(help="The folder to make.", show_default=False)],
    source: Annotated[
        Path | None, typer.Option("--from", help="A table to start from: csv, xlsx or RevMan rm5.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a review folder, empty or from a table.

    Example: metagrove new my-review --from extraction.xlsx
    """
    with errors_as_one_line(as_json=as_json):
        from metagrove.app.starting import new_review

        made = new_review(folder, source)
    if as_json:
        print_json(made)
        return
    for file in made["files"]:
        print(f"wrote {file}")
    for line in made["mapping"]:
        print(line)
    print(f"Next: metagrove check {folder}")


def check(folder: Folder, as_json: Json = False) -> None:
    """List problems and contradictions in a review folder; exit 0 none, 3 some, 1 where it cannot be read.

    Example: metagrove check examples/atc-tki
    """
    with errors_as_one_line(as_json=as_json):
        from metagrove.app.workflow import check_review

        findings = check_review(folder)
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            print(f"{finding['severity']:<8} {finding['rule']:<26} {finding['where']}\n         {finding['message']}")
        print(f"{len(findings)} found." if findings else "Nothing found.")
    raise SystemExit(FLAGGED if findings else 0)


def run(folder: Folder, as_json: Json = False) -> None:
    """Redo what is stale, print what was redone, and the report's path.

    Example: metagrove run examples/atc-tki
    """
    with errors_as_one_line(as_json=as_json), progress_bar("reading", quiet=as_json) as progress:
        from metagrove.app.workflow import rebuild

        made = rebuild(folder, progress=progress)
    if as_json:
        print_json(
            {
                "redone": made.redone,
                "fresh": made.fresh,
                "written": made.written,
                "report": str(made.report),
                "findings": made.findings,
                "doubtful": made.doubtful,
                "error_budget": dict(made.budgets),
            }
        )
        raise SystemExit(FLAGGED if made.doubtful else 0)
    print(made.summary())
    if made.findings:
        print(
            f"{made.findings} problems found in the input; the report lists them, and so does 'metagrove check {folder}'."
        )
    for name, lines in made.budgets if made.redone else ():
        for line in lines:
            print(f"{name}: {line}")
    for line in made.doubtful:
        print(f"left out until a person has looked: {line}")
    print(made.report)
    raise SystemExit(FLAGGED if made.doubtful else 0)


def report(
    folder: Folder,
    formats: Annotated[str, typer.Option("--format", help="html, docx, pdf, or several with commas.")] = "html",
    as_json: Json = False,
) -> None:
    """Write the report of a review folder, redoing what is stale first; prints the path of each file.

    Example: metagrove report examples/atc-tki --format html,docx
    """
    unknown = [name for name in formats.split(",") if name.strip() not in ("html", "docx", "pdf")]
    if unknown:
        raise typer.BadParameter(f"'{unknown[0]}' is none of html, docx, pdf", param_hint="--format")
    with errors_as_one_line(as_json=as_json), progress_bar("reading", quiet=as_json) as progress:
        from metagrove.app.reporting import write_reports

        paths = write_reports(folder, formats.split(","), progress=progress)
    if as_json:
        print_json({"reports": [str(path) for path in paths]})
        return
    for path in paths:
        print(path)


def export(
    folder: Folder,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="r, stata, revman, zip, or for records ris, csv, bibtex, zotero, covidence, endnote, rayyan; several with commas.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write; DIR/out/export if empty.", show_default=False)
    ] = None,
    records: Annotated[
        str,
        typer.Option("--records", help="Which works a records export holds: all, open, full-text, included, excluded."),
    ] = "all",
    as_json: Json = False,
) -> None:
    """Export a review for other programs, redoing what is stale first; prints the path of each file.

    Example: metagrove export examples/atc-tki --to r,stata,revman,zip
    """
    with errors_as_one_line(as_json=as_json), progress_bar("reading", quiet=as_json) as progress:
        from metagrove.app.exporting import FORMS, WHICH, export_review

        unknown = [name for name in to.split(",") if name.strip().lower() not in FORMS]
        if unknown:
            raise typer.BadParameter(f"'{unknown[0]}' is none of {', '.join(FORMS)}", param_hint="--to")
        if records not in WHICH:
            raise typer.BadParameter(f"'{records}' is none of {', '.join(WHICH)}", param_hint="--records")
        made = export_review(folder, to.split(","), out=out, which=records, progress=progress)
    if as_json:
        print_json({"files": [str(path.resolve()) for path in made]})
        return
    for path in made:
        print(path)
