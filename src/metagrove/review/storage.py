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


def write_atomically(path: Path, content: bytes) -> None:
    """`content` at `path`, whole or not at all: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_folder(folder: Path, files: Mapping[str, bytes], *, owned: frozenset[str] = frozenset()) -> list[str]:
    """The names of the files that changed, after `folder` holds `files`; every file is whole at every moment.

    `owned` names files that an earlier write left there; those that are no longer wanted are removed. Files whose
    content is unchanged are not touched.
    """
    changed = []
    for name, content in files.items():
        path = folder / name
        if path.is_file() and path.read_bytes() == content:
            continue
        write_atomically(path, content)
        changed.append(name)
    for name in owned - files.keys():
        (folder / name).unlink(missing_ok=True)
        changed.append(name)
    return changed


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
