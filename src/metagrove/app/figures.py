"""Use-case: figures in files to curves in files, many at once, one bad file never stopping the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import metagrove
from metagrove.app.processes import in_parallel, processors
from metagrove.core.errors import DataError, MetagroveError, SpecError
from metagrove.figures.digitizing import Figure, figures_in
from metagrove.figures.hints import read_hints
from metagrove.figures.reading import FigureReading
from metagrove.review.figure_files import EMBEDDED, FigureProject, figure_document, parse_project, readable_json
from metagrove.review.storage import digest_of, write_atomically

__all__ = [
    "Outcome",
    "Readable",
    "digitize",
    "digitize_files",
    "figure_bytes",
    "hints_from_file",
    "read_documents",
    "reader",
    "replay",
]

LARGEST = 400_000_000
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one figure: the files written, its status (`ok`, `needs-review` or `failed`) and the reasons.

    `kept` is true where an earlier call had read this very file with these hints, and its files stand.
    """

    source: str
    stem: str
    status: str
    reasons: tuple[str, ...]
    files: tuple[str, ...] = ()
    arms: int = 0
    kept: bool = False


_Made: TypeAlias = list[tuple[Outcome, dict[str, bytes]]]


@lru_cache(maxsize=1)
def reader() -> str:
    """The identity of the reading program, so that a change in it is a change in what it reads."""
    root = Path(metagrove.__file__).parent
    files = [*sorted((root / "figures").rglob("*.py")), root / "review" / "figure_files.py", Path(__file__)]
    return digest_of(metagrove.__version__, *(path.read_bytes() for path in files))


def digitize(path: str | Path, hints: Mapping[str, Any] | None = None) -> FigureReading:
    """The reading of the Kaplan-Meier figure in a PDF, SVG or picture file.

    Parameters
    ----------
    path : the file.
    hints : what is known beforehand, e.g. `{"axes": {"x": [[pixel, value], …], "y": …}, "arms": [{"name": …,
        "color": "#rrggbb"}]}`; every part is optional and the rest is found.

    A file with several figures gives the first; `siblings` of the reading holds them all. Raises DataError, in one
    line, where the file cannot be read or shows no such figure.
    """
    figures = _read(figure_bytes(Path(path)), Path(path).name, hints, threads=2)
    readings = tuple(f.reading for f in figures)
    return replace(readings[0], siblings=readings)


def replay(project: str | Path) -> FigureReading:
    """The reading of a project file, made again from the figure and hints inside it; the numbers are the same.

    What a person changed in the file is in its `reading`, not here. Raises DataError where there is no figure inside.
    """
    file = Path(project)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", file=str(project)) from None
    kept = parse_project(content, file.name)
    if not kept.image:
        raise DataError("the figure was too large to be kept inside; digitize the figure's own file", file=file.name)
    if sha256(kept.image).hexdigest() != kept.digest:
        raise DataError("the figure inside is not the one that was read: its digest differs", file=file.name)
    readings = tuple(f.reading for f in figures_in(kept.image, read_hints(kept.hints)))
    return replace(readings[0], siblings=readings)


def figure_bytes(path: Path) -> bytes:
    """The bytes of a figure's file; raises DataError for what is missing, no ordinary file, or too large."""
    if path.is_dir():
        raise DataError("is a folder; name the figures in it, one by one", file=str(path))
    if not path.exists():
        raise DataError("there is no such file", file=str(path))
    if not path.is_file():
        raise DataError("is no ordinary file", file=str(path))
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise DataError(f"the file has {size / 1e6:.0f} MB; at most {LARGEST / 1e6:.0f} are read", file=path.name)
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or 'input error'})", file=str(path)) from None


def _read(content: bytes, name: str, hints: Mapping[str, Any] | None, *, threads: int) -> list[Figure]:
    try:
        return figures_in(content, read_hints(hints), threads=threads)
    except DataError as error:
        raise DataError(_kind(content) or str(error), file=name) from None


def _kind(content: bytes) -> str:
    """What a file is that surely is no figure, in words; empty where it may be one."""
    if content[:4] == b"PK\x03\x04":
        return "a Word, Excel or zip file; save the page with the figure as PDF, or the figure as PNG"
    if content[:4] == b"\xd0\xcf\x11\xe0":
        return "an old Office file; save the page with the figure as PDF, or the figure as PNG"
    if content[:4] == b"%!PS" or content[:4] == b"\xc5\xd0\xd3\xc6":
        return "a PostScript file; convert it to PDF first"
    return ""


def hints_from_file(path: str | Path) -> dict[str, Any]:
    """Hints from a JSON file; raises SpecError with the line where it is broken."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{path}: hints cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path}: hints are JSON text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise SpecError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    if not isinstance(found, dict):
        raise SpecError(f'{path}: hints are an object such as {{"axes": {{…}}, "arms": […]}}')
    read_hints(found)
    return found


def digitize_files(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    hints: Mapping[str, Any] | None = None,
    jobs: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Outcome]:
    """The figures of many files written into the folder `out`, in the order given; what fails is reported, not raised.

    Each figure gives `<stem>.csv`, `<stem>.json`, `<stem>.overlay.png` and, where the figure shows them,
    `<stem>.risk.csv` and `<stem>.marks.csv`; each file gives `<stem>.project.json`. `jobs` figures are read at a time,
    as many as there are processors if 0. `progress` is called with done, total and the file's name.

    Files appear only when whole, each figure's as soon as it is read, so that an interruption costs the figures in
    work only: a second call keeps what the first one finished. Nothing is written where no figure can be read.
    """
    read_hints(hints)
    given = dict(hints) if hints else None
    stems = _stems(paths)
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise DataError("is a file; --out names a folder", file=str(out))
    work = [
        _Job(str(path), stem, given, tuple(s for s in stems if s != stem))
        for path, stem in zip(paths, stems, strict=True)
    ]
    done: dict[int, list[Outcome]] = {}

    def finish(index: int, results: _Made) -> None:
        for _, files in results:
            _write(folder, files)
        done[index] = [outcome for outcome, _ in results]
        if progress is not None:
            progress(len(done), len(work), Path(work[index].path).name)

    left: list[int] = []
    for index, job in enumerate(work):
        kept = _kept(job, folder)
        if kept:
            finish(index, [(outcome, {}) for outcome in kept])
        else:
            left.append(index)
    in_parallel(_one, [(i, work[i]) for i in left], jobs or processors(), finish=finish, lost=_cut_off)
    return [outcome for i in range(len(work)) for outcome in done[i]]


@dataclass(frozen=True, slots=True)
class _Job:
    """One file to read: its path, the stem of its output, the hints, and the stems of the other files."""

    path: str
    stem: str
    hints: Mapping[str, Any] | None
    others: tuple[str, ...]


def _cut_off(job: _Job) -> _Made:
    reason = f"{Path(job.path).name}: the reading was cut off; the machine ran out of memory"
    return [(Outcome(job.path, job.stem, FAILED, (reason,)), {})]


@dataclass(frozen=True, slots=True)
class Readable:
    """A figure's file and the hints to read it with."""

    path: str
    hints: Mapping[str, Any]


def read_documents(wanted: Readable, threads: int) -> dict[str, Any]:
    """`{"read": [one document a figure], "overlays": [PNG, …], "problem": ""}`; `problem` says why there is none."""
    name = Path(wanted.path).name
    try:
        figures = _read(figure_bytes(Path(wanted.path)), name, wanted.hints, threads=threads)
    except MetagroveError as error:
        return {"read": [], "overlays": [], "problem": str(error)}
    return {
        "read": [figure_document(f.reading) for f in figures],
        "overlays": [f.overlay() for f in figures],
        "problem": "",
    }


def _stems(paths: Sequence[str | Path]) -> list[str]:
    """A name for each file's output: its stem, with its suffix where two files share one."""
    stems = [Path(p).stem for p in paths]
    out: list[str] = []
    for path, stem in zip(paths, stems, strict=True):
        name = stem if stems.count(stem) == 1 else f"{stem}_{Path(path).suffix.lstrip('.')}"
        while name in out:
            name += "_"
        out.append(name)
    return out


def _made_from(content: bytes, hints: Mapping[str, Any] | None) -> str:
    return digest_of(reader(), sha256(content).hexdigest(), hints)


def _kept(job: _Job, folder: Path) -> list[Outcome]:
    """The outcomes of an earlier call that read the same bytes with the same hints and program, its files untouched."""
    first = next((p for p in (folder / f"{job.stem}.json", folder / f"{job.stem}-1.json") if p.is_file()), None)
    if first is None:
        return []
    try:
        names = json.loads(first.read_bytes())["written"]["documents"]
        documents = [json.loads((folder / name).read_bytes()) for name in names]
        key = _made_from(figure_bytes(Path(job.path)), job.hints)
        whole = all(d["written"]["from"] == key for d in documents) and all(
            sha256((folder / name).read_bytes()).hexdigest() == digest
            for d in documents
            for name, digest in d["written"]["files"].items()
        )
        if not whole:
            return []
        return [
            Outcome(job.path, Path(name).stem, d["status"], tuple(d["reasons"]), (*d["written"]["files"], name), len(d["arms"]), kept=True)
            for name, d in zip(names, documents, strict=True)
        ]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _one(job: _Job, threads: int) -> _Made:
    name = Path(job.path).name
    try:
        content = figure_bytes(Path(job.path))
        figures = _read(content, name, job.hints, threads=threads)
        return _outputs(job, content, figures)
    except MetagroveError as error:
        return [(Outcome(job.path, job.stem, FAILED, (str(error),)), {})]
    except Exception as error:  # noqa: BLE001  one bad figure never stops the rest
        reason = f"{name}: could not be read ({type(error).__name__}); give axes and arms in hints"
        return [(Outcome(job.path, job.stem, FAILED, (reason,)), {})]


def _outputs(job: _Job, content: bytes, figures: Sequence[Figure]) -> _Made:
    """Every figure's files; the document, which says what belongs to it, comes last."""
    name = Path(job.path).name
    stems = [job.stem]
    if len(figures) > 1:
        stems = [f"{job.stem}-{place}" for place in range(1, len(figures) + 1)]
        if set(stems) & set(job.others):
            stems = [f"{job.stem}_{Path(job.path).suffix.lstrip('.')}-{i}" for i in range(1, len(figures) + 1)]
    documents = [f"{stem}.json" for stem in stems]
    read = tuple(figure_document(f.reading) for f in figures)
    digest = figures[0].reading.digest
    image = content if len(content) <= EMBEDDED else b""
    project = FigureProject(name, digest, image, job.hints, read, read, {})
    made: _Made = []
    for stem, figure in zip(stems, figures, strict=True):
        reading = figure.reading
        files = _tables(stem, reading)
        files[f"{stem}.overlay.png"] = figure.overlay()
        if not made:
            files[f"{job.stem}.project.json"] = project.content()
        written = {
            "from": _made_from(content, job.hints),
            "documents": documents,
            "files": {file: sha256(body).hexdigest() for file, body in files.items()},
        }
        document = {"figure": name, **reading.document(), "hints": job.hints, "written": written}
        files[f"{stem}.json"] = readable_json(document)
        made.append((Outcome(job.path, stem, reading.status, reading.reasons, tuple(files), len(reading.arms)), files))
    return made


def _tables(stem: str, reading: FigureReading) -> dict[str, bytes]:
    files = {f"{stem}.csv": _csv("arm,time,survival", [(r["arm"], r["time"], r["survival"]) for r in reading.rows()])}
    if reading.cells:
        counted = any(c.censored is not None for c in reading.cells)
        rows = [(c.arm, c.time, c.n, *((c.censored,) if counted else ())) for c in reading.cells]
        files[f"{stem}.risk.csv"] = _csv("arm,time,n,censored" if counted else "arm,time,n", rows)
    marks = [(arm.name, round(float(t), 6)) for arm in reading.arms for t in arm.marks]
    if marks:
        files[f"{stem}.marks.csv"] = _csv("arm,time", marks)
    return files


def _csv(header: str, rows: Sequence[tuple[Any, ...]]) -> bytes:
    return ("\n".join([header, *(",".join(_cell(v) for v in row) for row in rows)]) + "\n").encode()


def _cell(value: Any) -> str:
    """A CSV cell that a spreadsheet takes for text or number, never for a formula."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) >= 1 else f"{value:.6f}".rstrip("0").rstrip(".")
    text = str(value)
    if text[:1] in tuple("=+-@\t\r") and not isinstance(value, int):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """A figure's files; what an earlier reading left under the same stem and this one does not make is removed."""
    if not files:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomically(folder / name, content)
        stem = next(iter(files)).removesuffix(".csv")
        for ending in (".risk.csv", ".marks.csv"):
            if f"{stem}{ending}" not in files:
                (folder / f"{stem}{ending}").unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot be written ({error.strerror}); figures done before are kept", file=str(folder)
        ) from None
