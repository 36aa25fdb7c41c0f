"""JSON files below a folder that others write: listed, read whole, and whose they are."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from collectors._disk import passing, reading, shown
from evidence.runs import Gap

LARGEST = 64 * 1024 * 1024


class Unreadable(ValueError):
    """A file that holds no evidence as it is; the text says why, and becomes a Gap."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose file it is: the collector's name, its globs, when it was read."""

    source: str
    systems: Mapping[str, str]
    collected_at: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """Regular `*.json` files below a folder, and what else was met there.

    `prints` maps the path relative to the folder to a fingerprint of its directory entry.
    """

    prints: Mapping[str, str]
    gaps: tuple[Gap, ...]


def listing(folder: Path) -> Listing:
    """Every `*.json` below a folder, hidden files aside. Raises SourceBusy."""
    prints: dict[str, str] = {}
    gaps: list[Gap] = []

    def unlisted(error: OSError) -> None:
        if passing(error):
            with reading(Path(error.filename)):
                raise error
        gaps.append(Gap(shown(str(error.filename)), f"could not be listed: {error.strerror}"))

    for parent, folders, files in os.walk(folder, onerror=unlisted):
        for name in sorted(folders + [f for f in files if f.endswith(".json")]):
            path = os.path.relpath(os.path.join(parent, name), folder)
            if not name.startswith("."):
                _note(folder, path, prints, gaps)
    return Listing(prints, tuple(gaps))


def _note(folder: Path, path: str, prints: dict[str, str], gaps: list[Gap]) -> None:
    try:
        found = (folder / path).lstat()
    except FileNotFoundError:
        gaps.append(Gap(shown(path), "vanished while the folder was listed"))
        return
    if stat.S_ISREG(found.st_mode):
        # ctime moves even where a copy keeps size and mtime of the file that it replaces
        prints[path] = f"{found.st_size}.{found.st_mtime_ns}.{found.st_ctime_ns}"
    elif not stat.S_ISDIR(found.st_mode):
        gaps.append(Gap(shown(path), "is a link or no regular file: not followed"))


def load(folder: Path, path: str) -> tuple[Any, str]:
    """The JSON value of a file and the SHA-256 of its bytes. Raises Unreadable, SourceBusy."""
    try:
        if (folder / path).stat(follow_symlinks=False).st_size > LARGEST:
            raise Unreadable(f"is larger than {LARGEST // 2**20} MiB")
        return parsed((folder / path).read_bytes())
    except OSError as error:
        if passing(error):
            with reading(folder / path):
                raise
        raise Unreadable(f"could not be read: {error.strerror}") from error


def parsed(raw: bytes) -> tuple[Any, str]:
    """The JSON value of a document and the SHA-256 of its bytes. Raises Unreadable."""
    try:
        return json.loads(raw), hashlib.sha256(raw).hexdigest()
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not whole JSON ({error}); half-written?") from error
