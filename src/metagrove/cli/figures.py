"""`metagrove digitize`: Kaplan-Meier figures to curves."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["digitize"]


def digitize(
    figures: Annotated[list[Path], typer.Argument(help="PDF, SVG, PNG, JPEG or TIFF files.", metavar="FIGURE...")],
    out: Annotated[Path, typer.Option("--out", help="The folder for the curves.")],
    hints: Annotated[Path | None, typer.Option("--hints", help="A JSON file with axes and arms, where known.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Figures read at the same time.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Read Kaplan-Meier figures: curves, censor marks and numbers at risk.

    Each figure gives STEM.csv (arm,time,survival), STEM.risk.csv and STEM.marks.csv where shown, STEM.json (status,
    reasons, axes, uncertainty) and STEM.overlay.png (the reading drawn over the figure).

    Example: metagrove digitize figure2.png paper.pdf --out curves
    """
    from metagrove.app.figures import Outcome, digitize_files, hints_from_file

    given = hints_from_file(hints) if hints is not None else None

    def progress(done: int, total: int, name: str) -> None:
        sys.stderr.write(f"\r{done}/{total} {name[:60]:60}" + ("\n" if done == total else ""))
        sys.stderr.flush()

    show = sys.stderr.isatty() and not as_json
    outcomes = digitize_files(figures, out, hints=given, jobs=jobs, progress=progress if show else None)
    if as_json:
        print(json.dumps([_entry(o) for o in outcomes], indent=1, ensure_ascii=False))
    else:
        for outcome in outcomes:
            print(_line(outcome, out))
    states: set[str] = {o.status for o in outcomes if isinstance(o, Outcome)}
    raise typer.Exit(1 if "failed" in states else 3 if "needs-review" in states else 0)


def _entry(outcome: object) -> dict[str, object]:
    names = ("source", "stem", "status", "reasons", "files", "arms")
    return {name: getattr(outcome, name) for name in names}


def _line(outcome: object, out: Path) -> str:
    entry = _entry(outcome)
    reasons = "; ".join(map(str, entry["reasons"] if isinstance(entry["reasons"], tuple) else ()))
    if entry["status"] == "failed":
        return f"failed        {reasons}"
    where = os.path.join(str(out), f"{entry['stem']}.csv")  # noqa: PTH118
    arms = f"{entry['arms']} arm{'' if entry['arms'] == 1 else 's'}"
    return f"{entry['status']:13} {where} ({arms})" + (f": {reasons}" if reasons else "")
