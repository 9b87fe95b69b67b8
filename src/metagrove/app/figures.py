"""Use-case: figures in files to curves in files, many at once, one bad file never stopping the rest."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metagrove.core.errors import DataError, MetagroveError, SpecError
from metagrove.core.results import plain
from metagrove.figures.digitizing import Figure, figures_in
from metagrove.figures.hints import read_hints
from metagrove.figures.reading import FigureReading

__all__ = ["Outcome", "digitize", "digitize_files", "hints_from_file", "replay"]

LARGEST = 400_000_000
EMBEDDED = 30_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one figure: the files written, its status (`ok`, `needs-review` or `failed`) and the reasons."""

    source: str
    stem: str
    status: str
    reasons: tuple[str, ...]
    files: tuple[str, ...] = ()
    arms: int = 0


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
    figures = _read(Path(path), hints, threads=2)
    readings = tuple(f.reading for f in figures)
    return replace(readings[0], siblings=readings)


def replay(project: str | Path) -> FigureReading:
    """The reading of a project file, made again from the figure and hints inside it; the numbers are the same."""
    try:
        kept = json.loads(Path(project).read_text(encoding="utf-8"))
        content = base64.b64decode(kept["image"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError("not a project file of a digitized figure", file=str(project)) from None
    readings = tuple(f.reading for f in figures_in(content, read_hints(kept.get("hints"))))
    if readings[0].digest != kept.get("digest"):
        raise DataError("the figure inside is not the one that was read: its digest differs", file=str(project))
    return replace(readings[0], siblings=readings)


def _read(path: Path, hints: Mapping[str, Any] | None, *, threads: int) -> list[Figure]:
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"the file has {path.stat().st_size / 1e6:.0f} MB; at most {LARGEST / 1e6:.0f} are read")
        content = path.read_bytes()
        return figures_in(content, read_hints(hints), threads=threads)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or 'input error'})", file=path.name) from None
    except DataError as error:
        raise DataError(str(error), file=path.name) from None


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
    jobs: int = 2,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Outcome]:
    """The figures of many files written into the folder `out`, in the order given; what fails is reported, not raised.

    Each figure gives `<stem>.csv`, `<stem>.json`, `<stem>.overlay.png`, `<stem>.project.json` and, where the figure
    shows them, `<stem>.risk.csv` and `<stem>.marks.csv`. `progress` is called with done, total and the file's name.
    Files appear only when whole.
    """
    read_hints(hints)
    names = _stems(paths)
    given = dict(hints) if hints else None
    work = [(str(path), stem, given) for path, stem in zip(paths, names, strict=True)]
    done: dict[int, list[tuple[Outcome, dict[str, bytes]]]] = {}
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"the output folder cannot be made ({error.strerror})", file=str(out)) from None

    def finish(index: int, results: list[tuple[Outcome, dict[str, bytes]]]) -> None:
        for _, files in results:
            for name, content in files.items():
                _write(folder / name, content)
        done[index] = results
        if progress is not None:
            progress(len(done), len(work), Path(work[index][0]).name)

    if jobs > 1 and len(work) > 1:
        with ProcessPoolExecutor(max_workers=min(jobs, len(work))) as pool:
            waiting = {pool.submit(_one, *item, 1): i for i, item in enumerate(work)}
            for future in as_completed(waiting):
                finish(waiting[future], _settled(future.result, work[waiting[future]]))
    else:
        for i, item in enumerate(work):
            finish(i, _one(*item, 2))
    return [outcome for i in range(len(work)) for outcome, _ in done[i]]


def _settled(
    result: Callable[[], list[tuple[Outcome, dict[str, bytes]]]], item: tuple[str, str, Any]
) -> list[tuple[Outcome, dict[str, bytes]]]:
    """A worker's answer; a worker that died (memory) counts as a failed figure."""
    try:
        return result()
    except Exception:  # noqa: BLE001  a broken pool raises what it likes; the rest must go on
        return [(Outcome(item[0], item[1], "failed", ("the reading was cut off; the machine ran out of memory",)), {})]


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


def _one(path: str, stem: str, hints: Mapping[str, Any] | None, threads: int) -> list[tuple[Outcome, dict[str, bytes]]]:
    try:
        figures = _read(Path(path), hints, threads=threads)
    except MetagroveError as error:
        return [(Outcome(path, stem, "failed", (str(error),)), {})]
    except (MemoryError, RecursionError, ArithmeticError, ValueError, IndexError, KeyError, TypeError) as error:
        reason = f"{Path(path).name}: could not be read ({type(error).__name__}); give axes and arms in hints"
        return [(Outcome(path, stem, "failed", (reason,)), {})]
    results = []
    for place, figure in enumerate(figures, 1):
        name = stem if len(figures) == 1 else f"{stem}-{place}"
        files = _files(Path(path), name, figure, hints)
        reading = figure.reading
        results.append((Outcome(path, name, reading.status, reading.reasons, tuple(files), len(reading.arms)), files))
    return results


def _files(path: Path, stem: str, figure: Figure, hints: Mapping[str, Any] | None) -> dict[str, bytes]:
    reading = figure.reading
    files = {f"{stem}.csv": _csv("arm,time,survival", [(r["arm"], r["time"], r["survival"]) for r in reading.rows()])}
    if reading.cells:
        counted = any(c.censored is not None for c in reading.cells)
        rows = [(c.arm, c.time, c.n, *((c.censored,) if counted else ())) for c in reading.cells]
        files[f"{stem}.risk.csv"] = _csv("arm,time,n,censored" if counted else "arm,time,n", rows)
    marks = [(arm.name, round(float(t), 6)) for arm in reading.arms for t in arm.marks]
    if marks:
        files[f"{stem}.marks.csv"] = _csv("arm,time", marks)
    document = {"figure": path.name, **reading.document(), "hints": hints}
    files[f"{stem}.json"] = _json(document)
    files[f"{stem}.overlay.png"] = figure.overlay()
    if path.stat().st_size <= EMBEDDED:
        image = base64.b64encode(path.read_bytes()).decode("ascii")
        project = {"format": "metagrove figure 1", "name": path.name, "digest": reading.digest, "hints": hints}
        files[f"{stem}.project.json"] = _json({**project, "reading": document, "image": image})
    return files


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(plain(document), indent=1, ensure_ascii=False) + "\n").encode()


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


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
