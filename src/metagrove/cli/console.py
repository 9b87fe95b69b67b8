"""What commands share: errors as one line, JSON alone on stdout, progress on stderr and only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from metagrove.core.errors import MetagroveError

__all__ = ["FLAGGED", "errors_as_one_line", "print_json", "progress_bar"]

#: Exit code: done, but a person must look.
FLAGGED = 3


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    from metagrove.core.results import plain

    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


@contextmanager
def errors_as_one_line(*, as_json: bool = False) -> Iterator[None]:
    """A refused input becomes one line on stderr (and `{"error": …}` on stdout with JSON) and exit code 1."""
    try:
        yield
    except MetagroveError as error:
        line = " ".join(str(error).split())
        if as_json:
            print_json({"error": line})
        print(f"metagrove: {line}", file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        line = f"{where}{error.strerror or error}"
        if as_json:
            print_json({"error": line})
        print(f"metagrove: {line}", file=sys.stderr)
        raise SystemExit(1) from None


@contextmanager
def progress_bar(label: str, *, quiet: bool = False) -> Iterator[Callable[[str, int, int], None] | None]:
    """A function to tell of progress (name, done, total); None where stderr is no terminal or `quiet`."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def tell(name: str, done: int, total: int) -> None:
            bar.update(task, description=name, completed=done, total=total)

        yield tell
