"""The `metagrove` command."""

from __future__ import annotations

import sys

import typer

from metagrove.cli.figures import digitize
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


app.command("digitize")(digitize)


def main() -> None:
    """Run the command; a problem in the input is one line on stderr and exit code 1."""
    try:
        app()
    except MetagroveError as error:
        print(f"metagrove: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("metagrove: stopped; nothing was half written.", file=sys.stderr)
        raise SystemExit(1) from None
