"""The log of a table, entry by entry: what each version said, read from its own bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from evidence.errors import HeadwaterError, LakeError
from evidence.times import from_ms, parse
from storage.log_packs import LOG, Packed, commit_name, entry, listed_versions, packs
from storage.place import Place, inside

OURS = "headwater"
"""Under this name a log entry holds what we say of it."""
_OURS: Mapping[str, type] = {
    "at": str, "commit": str, "files": dict, "cursor": str, "cursor_in": int, "line_cursor": str,
    "line_cursor_in": int, "size": int, "edge": list, "chain": str, "sealed_at": str,
    "disposal": list,
}  # fmt: skip
_CHECKPOINT = ".checkpoint.parquet"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Add:
    """One file of `size` bytes that a commit added; `path` is relative to the table."""

    path: str
    partition: Mapping[str, str]
    rows: int
    data_change: bool
    least: Mapping[str, Any]
    greatest: Mapping[str, Any]
    size: int


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of the log as written: files in their order, `txn` markers, our metadata.

    `removes` are the paths taken out; `drops_data` says whether that removed rows; `at` is when it
    was written, by the clock of who wrote it; `digest` is the SHA-256 of the log entry's bytes,
    which in turn name the digest of each file.
    """

    version: int
    adds: tuple[Add, ...]
    removes: tuple[str, ...]
    drops_data: bool
    transactions: Mapping[str, int]
    metadata: Mapping[str, Any]
    at: datetime
    digest: bytes
    written_at: datetime


def log_versions(place: Place) -> list[int]:
    """The versions whose log entries are there, in the log or in packs, ascending."""
    packed = (range(pack.first, pack.last + 1) for pack in packs(place))
    return sorted(set(listed_versions(place)).union(*packed))


def read_commit(place: Place, version: int, packed: Packed | None = None) -> Commit | None:
    """One log entry, also out of its pack; None if it is not there. Raises LakeError if damaged.

    Who reads many in a row gives a `packed` of their own.
    """
    content = _entry(place, version, packed)
    if content is None:
        return None
    try:
        actions = [orjson.loads(line) for line in content.splitlines() if line.strip()]
        return _commit(version, actions, hashlib.sha256(content).digest())
    except (ValueError, KeyError, TypeError, ArithmeticError, OSError, HeadwaterError) as error:
        where = place.shown(commit_name(version))
        raise LakeError(f"{where} is no log entry: {error}; restore it from a backup") from error


def _entry(place: Place, version: int, packed: Packed | None) -> bytes | None:
    content = place.read(commit_name(version))
    if content is not None:
        return content
    return packed.entry(version) if packed else entry(place, version)


def checkpoints(place: Place) -> list[int]:
    """The versions at which the log was folded into a checkpoint, ascending."""
    names = (name.removeprefix(f"{LOG}/") for name in place.names(LOG))
    stems = (name.split(".")[0] for name in names if name.endswith(_CHECKPOINT))
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def checkpoint_name(version: int) -> str:
    """Where the checkpoint of a version lies."""
    return f"{LOG}/{version:020}{_CHECKPOINT}"


def _commit(version: int, actions: Sequence[Mapping[str, Any]], digest: bytes) -> Commit:
    removes = [_made(action["remove"], dict) for action in actions if "remove" in action]
    infos = [_made(action["commitInfo"], dict) for action in actions if "commitInfo" in action]
    ours = _made(infos[0].get(OURS, {}), dict) if infos else {}
    for name in _OURS.keys() & ours.keys():
        if ours[name] is not None or "cursor" not in name:
            _made(ours[name], _OURS[name])
    marks = [_made(action["txn"], dict) for action in actions if "txn" in action]
    return Commit(
        version=version,
        adds=tuple(_add(_made(action["add"], dict)) for action in actions if "add" in action),
        removes=tuple(inside(_made(remove["path"], str)) for remove in removes),
        drops_data=any(remove.get("dataChange", True) for remove in removes),
        transactions={_made(m["appId"], str): _made(m["version"], int) for m in marks},
        metadata=ours,
        at=_time(ours.get("at"), infos),
        digest=digest,
        written_at=from_ms(infos[0].get("timestamp", 0) if infos else 0),
    )


def _add(action: Mapping[str, Any]) -> Add:
    stats = _made(orjson.loads(action["stats"]), dict) if action.get("stats") else {}
    partition = _made(action["partitionValues"], dict)
    return Add(
        path=inside(_made(action["path"], str)),
        partition={name: _made(value, str) for name, value in partition.items()},
        rows=_made(stats.get("numRecords", 0), int),
        data_change=_made(action["dataChange"], bool),
        least=_made(stats.get("minValues", {}), dict),
        greatest=_made(stats.get("maxValues", {}), dict),
        size=_made(action["size"], int),
    )


def _made(value: Any, kind: type[T]) -> T:
    """The value, if it is of this kind: another hand may have written the entry."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{str(value)[:60]!r} stands where a {kind.__name__} belongs")
    return value


def _time(ours: str | None, infos: Sequence[Mapping[str, Any]]) -> datetime:
    """Our own stamp, else that of the library that wrote the entry."""
    if ours is not None:
        return parse(ours)
    written = infos[0].get("timestamp", 0) if infos else 0
    return datetime.fromtimestamp(written / 1000, UTC)
