"""The figures of a review folder, read where that is due: project files are the program's, what stands in them a person's."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from metagrove.core.errors import DataError, MetagroveError, SpecError
from metagrove.review.figure_files import EMBEDDED, FigureProject, parse_project
from metagrove.review.figure_rows import effective_hints, missing_figure
from metagrove.review.folder import Review
from metagrove.review.spec import FigureSource
from metagrove.review.storage import WorkStore, digest_of, write_atomically

__all__ = ["FiguresRead", "read_figures"]


@dataclass(frozen=True, slots=True)
class FiguresRead:
    """What became of the figures: steps made again and steps that were fresh, their keys, and files for `out/`.

    `changed` says that a project file was written, so that the folder is to be opened again.
    """

    redone: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()
    files: Mapping[str, bytes] = field(default_factory=dict)
    changed: bool = False


@dataclass(frozen=True, slots=True)
class _Due:
    """One figure file: its bytes' digest, its project as it stands, the hints, and the key of its reading."""

    source: FigureSource
    path: Path
    digest: str
    project: FigureProject | None
    hints: dict[str, Any]
    key: str

    @property
    def name(self) -> str:
        return f"figure {self.source.file}"


def read_figures(
    review: Review, store: WorkStore, *, progress: Callable[[str, int, int], None] | None = None
) -> FiguresRead:
    """Every figure of the protocol read that is new, or changed, or was read by another version of the program.

    A reading that a person has signed or edited is read again only where the picture, the hints or its axes changed;
    names and numbers at risk that a person corrected are then carried over and the signature is dropped. A figure that
    cannot be read stays in the folder with the reason; the rest goes on.

    Raises
    ------
    DataError
        A figure that is not in the folder, or a project file that cannot be meant.
    SpecError
        Hints that cannot be meant.
    """
    for state in review.figures:
        if state.status == "missing":
            raise missing_figure(state)
    sources = {source.file: source for source in review.spec.figure}
    due = [_due(review.path, source) for source in sources.values()]
    made: dict[str, dict[str, Any]] = {}
    fresh: list[str] = []
    waiting: list[_Due] = []
    for one in due:
        kept = store.get(one.key)
        if _whole(kept):
            made[one.source.file] = kept
            fresh.append(one.name)
        elif one.project is not None and _settled(one):
            fresh.append(one.name)
        else:
            waiting.append(one)
    _read(waiting, made, store, progress)
    changed = [_written(review.path, one, made.get(one.source.file)) for one in due]
    return FiguresRead(
        tuple(one.name for one in waiting),
        tuple(fresh),
        frozenset(one.key for one in due),
        _overlays(made),
        any(changed),
    )


def _whole(kept: Any) -> TypeGuard[dict[str, Any]]:
    """Whether the store gave back what was put there; a damaged file counts as not made."""
    return (
        isinstance(kept, dict)
        and isinstance(kept.get("read"), list)
        and isinstance(kept.get("overlays"), list)
        and isinstance(kept.get("problem"), str)
    )


def _due(folder: Path, source: FigureSource) -> _Due:
    from metagrove.app.figures import figure_bytes, reader
    from metagrove.figures.hints import read_hints

    digest = hashlib.sha256(figure_bytes(folder / source.file)).hexdigest()
    path = folder / source.project
    project = parse_project(path.read_bytes(), source.project) if path.is_file() else None
    if project is not None and project.moved_axes:
        if len(project.reading) > 1:
            raise DataError(
                "axes of a file with several figures are given in hints, with the region of one", file=source.project
            )
        project = replace(project, edits=(*project.edits, *project.moved_axes))
    hints = effective_hints(source, project)
    try:
        read_hints(hints)
    except MetagroveError as error:
        raise SpecError(f"{source.file}: {error}") from None
    return _Due(source, folder / source.file, digest, project, hints, digest_of("figure", reader(), digest, hints))


def _settled(due: _Due) -> bool:
    """Whether a person's word keeps a reading although this version of the program has not made it."""
    project = due.project
    if project is None or project.digest != due.digest or (project.hints or {}) != due.hints or project.moved_axes:
        return False
    return bool(project.confirmed.get("by")) or bool(project.all_edits)


def _read(
    waiting: list[_Due],
    made: dict[str, dict[str, Any]],
    store: WorkStore,
    progress: Callable[[str, int, int], None] | None,
) -> None:
    from metagrove.app.figures import Readable, read_documents
    from metagrove.app.processes import in_parallel, processors

    def finish(index: int, documents: dict[str, Any]) -> None:
        one = waiting[index]
        documents["overlays"] = [base64.b64encode(png).decode() for png in documents["overlays"]]
        made[one.source.file] = documents
        if not documents["problem"]:
            store.put(one.key, documents)
        if progress:
            progress(one.name, len(made), len(waiting))

    def lost(_: Readable) -> dict[str, Any]:
        return {"read": [], "overlays": [], "problem": "the reading was cut off; the machine ran out of memory"}

    work = [(i, Readable(str(one.path), one.hints)) for i, one in enumerate(waiting)]
    in_parallel(read_documents, work, processors(), finish=finish, lost=lost)


def _written(folder: Path, due: _Due, documents: Mapping[str, Any] | None) -> bool:
    """Whether the project file had to be written; one of another picture that a person worked on is kept aside."""
    path, project = folder / due.source.project, due.project
    before = path.read_bytes() if path.is_file() else b""
    if project is not None and project.digest != due.digest:
        if project.confirmed or project.all_edits:
            write_atomically(path.with_name(f"{path.stem}.{project.digest[:8]}.json"), before)
        project = None
    if documents is None:
        assert project is not None
        now = project
    elif project is None:
        content = due.path.read_bytes()
        read = tuple(documents["read"])
        now = FigureProject(
            due.path.name,
            due.digest,
            content if len(content) <= EMBEDDED else b"",
            due.hints or None,
            read,
            read,
            {},
            problem=documents["problem"],
        )
    elif documents["problem"]:
        same = bool(project.read) and (project.hints or {}) == due.hints
        # what was read before is still the reading of this very picture
        now = project if same else replace(project, problem=documents["problem"], hints=due.hints or None)
    elif list(project.read) != documents["read"] or (project.hints or {}) != due.hints or project.moved_axes:
        now = project.read_again(documents["read"], due.hints, ())
    else:
        now = project
    content = now.stamped().content()
    if content != before:
        write_atomically(path, content)
    return content != before


def _overlays(made: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    files = {}
    for file, documents in made.items():
        name, several = PurePosixPath(file).stem, len(documents["overlays"]) > 1
        for place, png in enumerate(documents["overlays"], 1):
            files[f"digitized/{name}{f'-{place}' if several else ''}.png"] = base64.b64decode(png)
    return files
