"""A table as its log tells it, read without trusting the table's own short cuts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

from evidence.errors import InvalidItem, LakeBusy, LakeError, LakeRefused
from evidence.times import stamp
from storage.clocks import Landing, landed_rows, landing
from storage.commits import Add, Commit, log_versions, read_commit
from storage.delta import DISPOSAL
from storage.files import DataFile
from storage.log_packs import Packed, listed_versions
from storage.note import LogChain
from storage.opened import Opened
from storage.place import Place
from storage.schema import TABLES


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `kind` sorts them, `item_id` names the item if one is meant.

    `fatal` is False for a mere note: something is behind or untidy, nothing is wrong. `notes` are
    signed checkpoints that contradict one another: who holds them can prove it to anybody.
    """

    kind: str
    sentence: str
    item_id: str = ""
    fatal: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that the log says is part of the table: what was added, by which version.

    `sha256` is the digest of its bytes as landed, empty where the log names none.
    """

    added: Add
    version: int
    sha256: str

    @property
    def path(self) -> str:
        """Relative to the table."""
        return self.added.path


@dataclass(frozen=True, slots=True)
class Dropped:
    """A version that took `rows` out of a table, by which records of disposal."""

    version: int
    rows: int
    records: tuple[str, ...]


@dataclass(slots=True)
class Survey:
    """A table's files by its log, the log's chain after each version, and what gave itself away.

    `retired` are the files that others took the place of; they may still lie there for a while.
    `markers` is how far each follower or source came.
    """

    listed: dict[str, Listed] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    chains: dict[int, LogChain] = field(default_factory=dict)
    landings: list[Landing] = field(default_factory=list)
    rows: int = 0
    findings: list[Finding] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    markers: dict[str, int] = field(default_factory=dict)

    @property
    def files(self) -> list[Listed]:
        """The files in ledger order."""
        return list(self.listed.values())


def survey(place: Place, name: str) -> Survey:
    """What the log of a table says, entry by entry."""
    found = Survey()
    versions = log_versions(place)
    if not versions:
        found.findings.append(Finding("gone", f"everything is gone: the table {name} has no log"))
        return found
    if not listed_versions(place):
        told = f"the log of table {name} is gone; of it only packs up to {versions[-1]} are left"
        found.findings.append(Finding("gone", told))
    found.findings += _holes(name, versions)
    follow = _Follow(place, name, found)
    for version in versions:
        follow.take(version)
    try:
        shown = Opened(place, TABLES[name])
        for version in range(versions[-1] + 1, shown.version + 1):  # landed since it was listed
            if not follow.take(version):
                break
        found.findings += _other_view(name, found, shown)
    except (LakeBusy, LakeRefused):
        raise
    except LakeError as error:
        found.findings.append(Finding("log", str(error)))
    return found


@dataclass(slots=True)
class _Follow:
    """Takes the entries of a log one by one into what was found."""

    place: Place
    name: str
    found: Survey
    chain: LogChain | None = field(init=False)
    packed: Packed = field(init=False)

    def __post_init__(self) -> None:
        self.chain, self.packed = LogChain(table=self.name), Packed(self.place)

    def take(self, version: int) -> bool:
        """Whether the entry is there and whole.

        A hole or a damaged entry ends the chain: nothing after it can be shown to be as sealed.
        """
        commit = _read(self.place, self.name, version, self.packed, self.found)
        self.chain = _linked(self.chain, commit)
        if self.chain:
            self.found.chains[version] = self.chain
        return commit is not None


def _holes(name: str, versions: list[int]) -> list[Finding]:
    gone = [(last + 1, after - 1) for last, after in pairwise([-1, *versions]) if after - last > 1]
    return [
        Finding("log", f"log entry {first} of table {name} is gone" if first == last else
                f"log entries {first} to {last} of table {name} are gone, with the pack of them")
        for first, last in gone
    ]  # fmt: skip


def runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last of each run of consecutive numbers, which are ascending."""
    for _, run in groupby(enumerate(numbers), lambda placed: placed[1] - placed[0]):
        members = [number for _, number in run]
        yield members[0], members[-1]


def _read(place: Place, name: str, version: int, packed: Packed, found: Survey) -> Commit | None:
    try:
        commit = read_commit(place, version, packed)
    except (LakeBusy, LakeRefused):
        raise
    except LakeError as error:
        if (finding := Finding("log", str(error))) not in found.findings[-1:]:
            found.findings.append(finding)
        return None
    if commit is None:
        told = f"log entry {version} of table {name} is not in the pack that should hold it"
        found.findings.append(Finding("log", told))
    else:
        _apply(name, commit, found)
        try:
            found.landings += filter(None, [landing(commit, found.rows)])
        except InvalidItem as error:
            told = f"log entry {version} of table {name} names a time that is none: {error}"
            found.findings.append(Finding("log", told))
        found.rows += landed_rows(commit)
    return commit


def _linked(chain: LogChain | None, commit: Commit | None) -> LogChain | None:
    if chain is None or commit is None or commit.version != chain.version + 1:
        return None
    return chain.then(commit.version, commit.digest)


def _apply(name: str, commit: Commit, found: Survey) -> None:
    before = sum(file.added.rows for file in found.listed.values()) if commit.drops_data else 0
    for path in commit.removes:
        found.listed.pop(path, None)
        found.retired.add(path)
    found.markers |= commit.transactions
    digests = commit.metadata.get("files", {})
    for add in commit.adds:
        found.listed[add.path] = Listed(add, commit.version, digests.get(add.path, ""))
    if not commit.drops_data:
        return
    after = sum(file.added.rows for file in found.listed.values())
    if name == "evidence" and (records := _records(commit)):
        found.dropped.append(Dropped(commit.version, before - after, records))
    else:
        told = f"version {commit.version} of table {name} took rows out"
        found.findings.append(Finding("log", told))


def _records(commit: Commit) -> tuple[str, ...]:
    """The records of disposal that an entry names; none if it was written by another hand."""
    try:
        return tuple(str(record["item_id"]) for record in commit.metadata[DISPOSAL])
    except (KeyError, TypeError):
        return ()


def _other_view(name: str, found: Survey, view: Opened) -> list[Finding]:
    """Readers start from the table's checkpoints: these must tell the same as the log."""
    listed, shown = found.listed, {file.name: file for file in view.files()}
    findings = [
        Finding("log", f"readers of {name} are told otherwise of {app!r} than its log tells")
        for app, marker in found.markers.items()
        if view.marker(app) != marker
    ]
    if hidden := len(listed.keys() - shown.keys()):
        told = f"readers of {name} are not shown {hidden} files of its log"
        findings.append(Finding("log", told))
    if foreign := len(shown.keys() - listed.keys()):
        told = f"readers of {name} are shown {foreign} files of no version"
        findings.append(Finding("log", told))
    for path in sorted(listed.keys() & shown.keys()):
        if not _same(listed[path].added, shown[path]):
            told = f"readers of {name} are told otherwise of {path} than its log tells"
            findings.append(Finding("log", told))
    return findings


def _same(added: Add, shown: DataFile) -> bool:
    return (
        added.rows == shown.rows
        and dict(added.partition) == dict(shown.partition)
        and dict(added.least) == _plain(shown.least)
        and dict(added.greatest) == _plain(shown.greatest)
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: stamp(v) if isinstance(v, datetime) else v for k, v in values.items()}


def missing_files(place: Place, name: str, found: Survey) -> list[Finding]:
    """Files and whole partitions that the log lists and the place lacks; strays as a note."""
    listed = found.files
    there = {file for file in place.names() if file.endswith(".parquet")}
    partitions: dict[str, list[Listed]] = defaultdict(list)
    for file in listed:
        partitions[file.path.rpartition("/")[0]].append(file)
    findings = []
    for folder, files in sorted(partitions.items()):
        gone = [file for file in files if file.path not in there]
        if gone and len(gone) == len(files) and folder:
            rows = sum(file.added.rows for file in gone)
            findings.append(
                Finding("partition", f"the partition {name}/{folder} is gone: {rows} rows")
            )
        else:
            told = [f"the file {name}/{f.path} is gone: {f.added.rows} rows" for f in gone]
            findings += [Finding("file", sentence) for sentence in told]
    return findings + _strays(there, name, found)


def _strays(there: set[str], name: str, found: Survey) -> list[Finding]:
    known = found.listed.keys() | found.retired
    strays = [file for file in there - known if not file.startswith("_")]
    if not strays:
        return []
    told = f"{len(strays)} files in {name} belong to no version (left by interrupted writes)"
    return [Finding("stray", told, fatal=False)]
