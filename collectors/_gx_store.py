"""Where a Great Expectations project keeps its files, and which of them changed since last time."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from collectors._disk import passing, reading, shown
from collectors._gx_results import Unreadable
from evidence.errors import SourceBroken, SourceRefused
from evidence.model import Cursor
from evidence.runs import Gap

CONFIG = "great_expectations.yml"
LARGEST = 64 * 1024 * 1024
_ON_DISK = "TupleFilesystemStoreBackend"


@dataclass(frozen=True, slots=True)
class Store:
    """The folders that a project writes; `suites` is None for a bare folder of results."""

    results: Path
    suites: Path | None


@dataclass(frozen=True, slots=True)
class Listing:
    """Regular `*.json` files below a folder, and what else was met there.

    `prints` maps the path relative to the folder to a fingerprint of its directory entry.
    """

    prints: Mapping[str, str]
    gaps: tuple[Gap, ...]


def open_store(folder: Path) -> Store:
    """The stores of a project, of the folder around its `gx/`, or a folder of results.

    Raises SourceRefused when there is none of these, SourceBusy when the folder does not answer.
    """
    for root in (folder, folder / "gx"):
        with reading(root / CONFIG):
            if os.path.lexists(root / CONFIG):
                return _configured(root, (root / CONFIG).read_bytes())
    with reading(folder):
        os.listdir(folder)
    if listing(folder).prints:
        return Store(results=folder, suites=None)
    raise SourceRefused(f"{folder}: neither {CONFIG} nor a *.json below it; give the gx folder")


def _configured(root: Path, raw: bytes) -> Store:
    try:
        config = yaml.safe_load(raw)
    except (yaml.YAMLError, RecursionError) as error:
        raise SourceBroken(f"{root / CONFIG} is not YAML: {error}") from error
    config = config if isinstance(config, Mapping) else {}
    results = config.get("validation_results_store_name") or config.get("validations_store_name")
    suites = config.get("expectations_store_name") or "expectations_store"
    return Store(
        root / _base(config, results or "validation_results_store", "uncommitted/validations"),
        root / _base(config, suites, "expectations"),
    )


def _base(config: Mapping[str, Any], name: object, default: str) -> str:
    node: Any = config
    for key in ("stores", name, "store_backend"):
        node = node.get(key) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping):
        return default
    folder = node.get("base_directory", default)
    if node.get("class_name", _ON_DISK) != _ON_DISK:
        raise SourceRefused(f"store {name} is no folder ({node['class_name']}); give a copy of it")
    if not isinstance(folder, str) or "$" in folder:
        raise SourceRefused(f"store {name}: base_directory {folder!r} is no plain path")
    return folder


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
        raw = (folder / path).read_bytes()
        return json.loads(raw), hashlib.sha256(raw).hexdigest()
    except OSError as error:
        if passing(error):
            with reading(folder / path):
                raise
        raise Unreadable(f"could not be read: {error.strerror}") from error
    except Unreadable:
        raise
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not whole JSON ({error}); half-written?") from error


@dataclass(frozen=True, slots=True)
class Shelves:
    """What was read before, in at most 256 digests: files lie on shelves by the hash of their path.

    A shelf is remembered by its count and one digest over its fingerprints, so that a late, a
    replaced and a deleted file each show, and the bookmark does not grow with the store. A shelf
    with an unreadable file has no digest and is read again.
    """

    seen: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor | None) -> Shelves:
        """From a cursor that holds `files`. Raises SourceBroken."""
        if cursor is None:
            return cls()
        try:
            files = json.loads(cursor.value)["files"]
            return cls({str(k): (int(v[0]), str(v[1])) for k, v in files.items()})
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise SourceBroken(f"the cursor was not written by this collector: {error}") from error

    def changed(self, now: Mapping[str, Shelf]) -> list[Shelf]:
        """The shelves that are not as they were."""
        return [s for s in now.values() if self.seen.get(s.key) != (len(s.paths), s.digest)]

    def lost(self, now: Mapping[str, Shelf]) -> int:
        """At least how many files are there no more."""
        counts = {key: len(shelf.paths) for key, shelf in now.items()}
        return sum(max(0, count - counts.get(key, 0)) for key, (count, _) in self.seen.items())


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files whose paths share the first byte of their hash."""

    key: str
    paths: tuple[str, ...]
    digest: str


def shelve(prints: Mapping[str, str], salt: str) -> dict[str, Shelf]:
    """All files on their shelves; `salt` stands for the settings that change what is read."""
    sorted_out: dict[str, list[str]] = {}
    for path in sorted(prints):
        key = hashlib.sha256(os.fsencode(path)).hexdigest()[:2]
        sorted_out.setdefault(key, []).append(path)
    return {
        key: Shelf(key, tuple(paths), _print([salt, *(f"{p}\0{prints[p]}" for p in paths)]))
        for key, paths in sorted_out.items()
    }


def _print(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]
