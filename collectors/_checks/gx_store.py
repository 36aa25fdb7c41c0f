"""Where a Great Expectations project keeps its files, and which of them changed since last time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from collectors._checks.json_files import listing
from collectors._disk import reading
from evidence.errors import SourceBroken, SourceRefused
from evidence.model import Cursor

CONFIG = "great_expectations.yml"
_ON_DISK = "TupleFilesystemStoreBackend"


@dataclass(frozen=True, slots=True)
class Store:
    """The folders that a project writes; `suites` is None for a bare folder of results."""

    results: Path
    suites: Path | None


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
