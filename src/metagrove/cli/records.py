"""Verbs on search records: search, dedupe, screen, flow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from metagrove.cli.console import FLAGGED, errors_as_one_line, print_json

__all__ = ["dedupe", "flow", "screen", "search"]

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


def screen(
    folder: Annotated[Path, typer.Argument(help="The review folder.", show_default=False)],
    decisions: Annotated[
        Path | None,
        typer.Option("--import", help="CSV with record_id, stage, reviewer, decision, reason.", show_default=False),
    ] = None,
    counts: Annotated[
        Path | None,
        typer.Option(
            "--counts",
            help="CSV with stage, decision, n (reason, source, document, locator): records known by their number alone.",
            show_default=False,
        ),
    ] = None,
    reviewer: Annotated[
        str | None, typer.Option("--reviewer", help="Whose queue to show, or who says so.", show_default=False)
    ] = None,
    reviewers: Annotated[
        int | None,
        typer.Option("--reviewers", min=1, max=9, help="How many must decide on each record.", show_default=False),
    ] = None,
    duplicate: Annotated[
        tuple[str, str] | None, typer.Option("--duplicate", help="Two records are one work.", show_default=False)
    ] = None,
    distinct: Annotated[
        tuple[str, str] | None, typer.Option("--distinct", help="Two records are two works.", show_default=False)
    ] = None,
    study: Annotated[
        tuple[str, str] | None, typer.Option("--study", help="Two works report one study.", show_default=False)
    ] = None,
    order: Annotated[
        bool,
        typer.Option("--order", help="The queue of --reviewer with the likeliest includes first; none is left out."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Take decisions into the screening log, or show the state of screening; exit 3 where conflicts or questions are open.

    Example: metagrove screen my-review --import decisions.csv
    """
    if order and reviewer is None:
        raise typer.BadParameter("needs --reviewer: it orders that person's queue", param_hint="--order")
    with errors_as_one_line(as_json=as_json):
        from metagrove.app import screening

        at = _now()
        added = 0
        if reviewers is not None:
            added += screening.set_reviewers(folder, reviewers, at=at)
        for pair, link in ((duplicate, "duplicate"), (distinct, "distinct"), (study, "study")):
            if pair is not None:
                added += screening.pair_records(folder, *pair, link, reviewer=reviewer or "", at=at)
        if decisions is not None:
            added += screening.import_decisions(folder, decisions, at=at)
        if counts is not None:
            added += screening.import_tallies(folder, counts, at=at)
        state = screening.screening_report(screening.screening_of(folder), reviewer=reviewer, order=order)
    state = {"added": added, **state}
    if as_json:
        print_json(state)
    else:
        _print_state(state)
    open_ = state["questions"] or state["adrift"] or any(s["conflict"] for s in state["stages"].values())
    raise SystemExit(FLAGGED if open_ else 0)


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_state(state: dict[str, Any]) -> None:
    print(f"{state['records']} records, {state['works']} works; {state['added']} entries added to the log.")
    names = {"title_abstract": "title and abstract", "retrieval": "retrieval", "full_text": "full text"}
    for stage, shown in names.items():
        counts = state["stages"][stage]
        parts = [
            f"{counts[name]} {name.replace('_', ' ')}"
            for name in ("include", "exclude", "not_retrieved", "pending", "conflict")
            if counts[name]
        ]
        print(f"{shown:<20}{', '.join(parts) or 'nothing yet'} (decisions per record: {counts['reviewers_needed']})")
        for kappa in counts["kappa"]:
            one, other = kappa["reviewers"]
            if kappa["kappa"] is None:
                print(f"  {one} and {other}: {kappa['agreed']:.0%} agreed on {kappa['n']}; no kappa, {kappa['why']}")
            else:
                print(
                    f"  {one} and {other}: kappa {kappa['kappa']:.2f} ({kappa['lower']:.2f} to {kappa['upper']:.2f}) on {kappa['n']} records"
                )
        for conflict in counts["conflicts"][:20]:
            said = "; ".join(
                f"{d['reviewer']}: {d['decision']}{' (' + d['reason'] + ')' if d['reason'] else ''}"
                for d in conflict["decisions"]
            )
            print(f"  conflict {conflict['record_id']}: {said}")
        queue = counts.get("queue", [])
        if queue:
            more = f" and {len(queue) - 10} more" if len(queue) > 10 else ""
            print(f"  next: {', '.join(queue[:10])}{more}")
    for tally in state["counted_only"]:
        why = f", {tally['reason']}" if tally["reason"] else ""
        print(
            f"counted only: {tally['n']} at {tally['stage'].replace('_', ' ')}: {tally['decision'].replace('_', ' ')}{why}"
        )
    for question in state["questions"][:20]:
        print(f"duplicate? {question['record_a']} and {question['record_b']}: {question['why']}")
    for record in state["adrift"][:20]:
        print(f"adrift: the log names {record}, which is not in the search any more or says something else")


def flow(
    folder: Annotated[Path, typer.Argument(help="The review folder.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="Draw the diagram to this svg, pdf or png.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the PRISMA 2020 flow, computed from the decisions; refused with the records named where it does not close.

    Exit 3 where a person must look: an export changed, duplicates are in question, or flow.csv says otherwise.

    Example: metagrove flow my-review --out flow.svg
    """
    with errors_as_one_line(as_json=as_json):
        from metagrove.app import flow as flows

        made = flows.flow_of_folder(folder)
        flows.drawn_flow(made, "svg")
        if out is not None:
            flows.write_flow(made, out)
    for remark in made.remarks:
        print(f"note: {remark}", file=sys.stderr)
    if as_json:
        print_json(made.boxes)
    else:
        print(flows.flow_table(made), end="")
        if out is not None:
            print(f"wrote {out}")
    raise SystemExit(FLAGGED if made.remarks else 0)


def search(
    folder: Annotated[Path, typer.Argument(help="The review folder.", show_default=False)],
    database: Annotated[
        str, typer.Option("--database", help="One database; those of review.toml if empty.", show_default=False)
    ] = "",
    live: Annotated[
        str, typer.Option("--live", help="Search pubmed, europepmc or clinicaltrials now and keep what it finds.")
    ] = "",
    address: Annotated[
        str, typer.Option("--address", help="Another address of that service, such as a mirror.", show_default=False)
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite an earlier export of the service.")] = False,
    as_json: Json = False,
) -> None:
    """Write the search of review.toml in the syntax of each database, or put it to one over the network (--live).

    A key for PubMed is read from NCBI_API_KEY, an address for its operators from NCBI_EMAIL.

    Example: metagrove search my-review --database Embase
    """
    with errors_as_one_line(as_json=as_json):
        from metagrove.app import searching

        if live:
            found = searching.searched_live(folder, live, at=_now(), address=address, replace=replace)
            texts = {}
        else:
            texts = searching.strategies(folder, database)
    if live:
        if as_json:
            print_json(found)
        else:
            print(f"{found['total']} records from {found['service']} in {found['file']}")
        return
    if as_json:
        print_json(texts)
        return
    for name, text in texts.items():
        print(f"{name}\n{text}\n")
