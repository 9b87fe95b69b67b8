"""`metagrove digitize`: Kaplan-Meier figures to curves."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from metagrove.cli.console import FLAGGED, errors_as_one_line, print_json

__all__ = ["digitize"]


def digitize(
    figures: Annotated[list[Path], typer.Argument(help="PDF, SVG, PNG, JPEG or TIFF files.", metavar="FIGURE...")],
    out: Annotated[Path, typer.Option("--out", help="The folder for the curves.")],
    hints: Annotated[Path | None, typer.Option("--hints", help="A JSON file with axes and arms, where known.")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=0, help="Figures read at the same time; 0 for one on each processor.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Read Kaplan-Meier figures: curves, censor marks and numbers at risk.

    Each figure gives STEM.csv (arm,time,survival), STEM.risk.csv and STEM.marks.csv where shown, STEM.json (status,
    reasons, axes, uncertainty) and STEM.overlay.png (the reading drawn over the figure). Figures that an earlier call
    has read with the same hints are kept.

    Example: metagrove digitize figure2.png paper.pdf --out curves
    """
    with errors_as_one_line(as_json=as_json):
        from metagrove.app.figures import digitize_files, hints_from_file

        given = hints_from_file(hints) if hints is not None else None
        show = _progress if sys.stderr.isatty() and not as_json else None
        outcomes = digitize_files(figures, out, hints=given, jobs=jobs, progress=show)
    if as_json:
        print_json([_entry(o) for o in outcomes])
    for outcome in outcomes:
        if outcome.status == "failed":
            print(f"metagrove: {'; '.join(outcome.reasons)}", file=sys.stderr)
        elif not as_json:
            print(_line(outcome, out))
    states: set[str] = {o.status for o in outcomes}
    raise typer.Exit(1 if "failed" in states else FLAGGED if "needs-review" in states else 0)


def _progress(done: int, total: int, name: str) -> None:
    sys.stderr.write(f"\r{done}/{total} {name[:60]:60}" + ("\n" if done == total else ""))
    sys.stderr.flush()


def _entry(outcome: object) -> dict[str, object]:
    names = ("source", "stem", "status", "reasons", "files", "arms", "kept")
    return {name: getattr(outcome, name) for name in names}


def _line(outcome: object, out: Path) -> str:
    entry = _entry(outcome)
    reasons = "; ".join(map(str, entry["reasons"] if isinstance(entry["reasons"], tuple) else ()))
    where = os.path.join(str(out), f"{entry['stem']}.csv")  # noqa: PTH118
    arms = f"{entry['arms']} arm{'' if entry['arms'] == 1 else 's'}" + (", kept" if entry["kept"] else "")
    return f"{entry['status']:13} {where} ({arms})" + (f": {reasons}" if reasons else "")
