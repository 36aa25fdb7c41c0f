"""The files of a run, by digest: MLflow itself tells their size only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from collectors._mlflow import store
from collectors._mlflow.run import Run
from collectors._mlflow.store import Door, clean, whole
from evidence.errors import SourceBroken, SourceRefused

# A file above this is told by its size alone, and a run has no more files than this to be told.
MOST_BYTES, MOST_FILES = 2 * 2**30, 2000
STEP = 2**20


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of a run: its path, its size as listed, its digest (empty where it is too large)."""

    path: str
    size: int
    sha256: str

    def payload(self) -> dict[str, Any]:
        """What is kept."""
        return {"path": clean(self.path), "bytes": self.size, "sha256": self.sha256}


def artifacts(
    door: Door, run: Run, wanted: tuple[str, ...], heard: list[str]
) -> tuple[Artifact, ...]:
    """The run's files whose path one of the globs covers, by path.

    Raises SourceBusy, SourceRefused, Absent or SourceBroken: then nothing is known of any.
    """
    found = sorted(
        (path, size)
        for path, size in _listed(door, run, heard)
        if any(fnmatchcase(path, glob) for glob in wanted)
    )
    return tuple(Artifact(path, size, _sha256(door, run, path, size)) for path, size in found)


def _sha256(door: Door, run: Run, path: str, size: int) -> str:
    return door.sha256(run.run_id, path, MOST_BYTES) if size <= MOST_BYTES else ""


def _listed(door: Door, run: Run, heard: list[str]) -> Iterator[tuple[str, int]]:
    what, folders, count = f"run {run.run_id}: artifacts", [""], 0
    while folders:
        folder = folders.pop()
        asked = {"run_id": run.run_id} | ({"path": folder} if folder else {})
        answer = door.ask("artifacts/list", asked)
        heard.append(answer.sha256)
        for record in store.rows(answer, "files"):
            path = store.need(record, "path", what)
            count += 1
            if not path.startswith(f"{folder}/" if folder else "") or count > MOST_FILES:
                raise SourceBroken(
                    f"{what}: more than {MOST_FILES}, or {path!r} is no part", what=what
                )
            if record.get("is_dir"):
                folders.append(path)
            else:
                yield path, whole(record.get("file_size"), what) or 0


def local_root(uri: str) -> Path:
    """The folder of a run's artifacts, where that is of this machine. Raises SourceRefused."""
    parts = urlsplit(uri)
    if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
        raise SourceRefused(
            f"artifacts lie at {clean(uri)}: give the address of the tracking server that serves "
            "them, or leave `artifacts` out", what=clean(uri),
        )  # fmt: skip
    return Path(unquote(parts.path))


def local_files(root: Path, folder: str) -> Iterator[dict[str, Any]]:
    """What lies in a folder of the artifacts, as MLflow would list it; links are not followed."""
    if not root.is_dir():
        return
    with os.scandir(inside(root, folder)) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                yield {"path": path, "is_dir": True}
            elif entry.is_file(follow_symlinks=False):
                size = entry.stat(follow_symlinks=False).st_size
                yield {"path": path, "is_dir": False, "file_size": size}


def inside(root: Path, path: str) -> Path:
    """The path under the root. Raises SourceRefused if it leads out of it."""
    found = (root / path).resolve()
    if not found.is_relative_to(root.resolve()):
        raise SourceRefused(f"{path} leads out of {root}", what=path)
    return found


def digest_of(chunks: Iterable[bytes], most: int) -> str:
    """SHA-256 of all chunks together, empty if they have more than `most` bytes."""
    sha, read = hashlib.sha256(), 0
    for chunk in chunks:
        read += len(chunk)
        if read > most:
            return ""
        sha.update(chunk)
    return sha.hexdigest()
