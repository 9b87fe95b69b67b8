"""The `metagrove` command."""

from __future__ import annotations

import io
import sys

import typer

from metagrove.cli import figures, records, review, tables
from metagrove.core.errors import MetagroveError

__all__ = ["app", "main"]

app = typer.Typer(
    name="metagrove",
    help="Published clinical papers in, pooled evidence out.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _metagrove() -> None:
    """Published clinical papers in, pooled evidence out."""


app.command("new")(review.new)
app.command("check")(review.check)
app.command("run")(review.run)
app.command("report")(review.report)
app.command("pool")(tables.pool)
app.command("reconstruct")(tables.reconstruct)
app.command("summary-curve")(tables.summary_curve)
app.command("multiverse")(tables.multiverse)
app.command("search")(records.search)
app.command("dedupe")(records.dedupe)
app.command("screen")(records.screen)
app.command("flow")(records.flow)
app.command("digitize")(figures.digitize)


def main() -> None:
    """Run the command; a problem in the input is one line on stderr and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except MetagroveError as error:
        print(f"metagrove: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("metagrove: stopped; nothing was half written.", file=sys.stderr)
        raise SystemExit(1) from None
