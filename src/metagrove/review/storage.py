"""Bytes on disk: whole files or nothing, and a store of finished work addressed by what it was made from."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metagrove.core.errors import DataError
from metagrove.core.results import plain

__all__ = ["WorkStore", "digest_of", "write_atomically", "write_folder"]


def digest_of(*parts: Any) -> str:
    """SHA-256 over `parts`, each turned into canonical JSON (bytes are hashed as they are)."""
    seal = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else json.dumps(plain(part), sort_keys=True, ensure_ascii=False).encode()
        seal.update(len(raw).to_bytes(8, "big"))
        seal.update(raw)
    return seal.hexdigest()


def _beside(path: Path, content: bytes) -> Path:
    """A finished file next to `path`, ready to take its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(name).chmod(0o644)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def write_atomically(path: Path, content: bytes) -> None:
    """`content` at `path`, whole or not at all: a reader never sees half a file."""
    _beside(path, content).replace(path)


def _inside(folder: Path, name: object) -> Path | None:
    """The file `name` of `folder`; None for anything that is not a file strictly inside it."""
    if not isinstance(name, str) or not name:
        return None
    path = (folder / name).resolve()
    return path if folder.resolve() in path.parents else None


def write_folder(folder: Path, files: Mapping[str, bytes], *, owned: frozenset[object] = frozenset()) -> list[str]:
    """The names of the files that changed, after `folder` holds `files`; nothing changes unless all can be written.

    `owned` names files that an earlier write left there; those that are no longer wanted are removed. Files whose
    content is unchanged are not touched.

    Raises
    ------
    DataError
        Something stands in the way; names it.
    """
    changed = [name for name, content in files.items() if not _holds(folder / name, content)]
    ready: list[tuple[Path, Path]] = []
    try:
        for name in changed:
            path = folder / name
            if path.is_dir():
                raise DataError("is a folder where a file is to be written; nothing was changed", file=str(path))
            ready.append((_beside(path, files[name]), path))
    except OSError as error:
        _drop(ready)
        raise DataError(f"cannot be written: {error.strerror}; nothing was changed", file=str(folder)) from None
    except BaseException:
        _drop(ready)
        raise
    # Removed first: an interruption may leave too few files of one write, never files of two.
    for old in owned - files.keys():
        gone = _inside(folder, old)
        if gone is not None and gone.is_file():
            gone.unlink()
            changed.append(str(old))
    for temporary, path in ready:
        temporary.replace(path)
    return changed


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _drop(ready: list[tuple[Path, Path]]) -> None:
    for temporary, _ in ready:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class WorkStore:
    """Finished steps under `folder`, each in a file named after the digest of all that it was made from."""

    folder: Path

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def get(self, key: str) -> Any | None:
        """The step's product, or None where it has not been made (or its file is damaged)."""
        try:
            return json.loads(self._path(key).read_bytes())
        except (OSError, ValueError):
            return None

    def put(self, key: str, product: Any) -> None:
        """Keep a product (anything JSON can hold)."""
        guard = self.folder / ".gitignore"
        if not guard.exists():
            write_atomically(guard, b"*\n")
        write_atomically(self._path(key), json.dumps(plain(product), ensure_ascii=False).encode())

    def keep_only(self, keys: frozenset[str], *, generations: int = 400) -> None:
        """Forget the oldest products that are not among `keys` once more than `generations` files lie there."""
        files = sorted(self.folder.glob("??/*.json"), key=lambda path: path.stat().st_mtime)
        spare = [path for path in files if path.stem not in keys]
        for path in spare[: max(0, len(files) - generations)]:
            path.unlink(missing_ok=True)
