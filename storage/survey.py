"""A table as its log tells it, read without trusting the table's own short cuts."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.errors import HeadwaterError, LakeError
from storage import delta
from storage.files import read_rows
from storage.merkle import leaf_hash
from storage.schema import EVIDENCE, TABLES, identity_of, leaf_data


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `kind` sorts them, `item_id` names the item if one is meant.

    `fatal` is False for a mere note: something is behind or untidy, nothing is wrong.
    """

    kind: str
    sentence: str
    item_id: str = ""
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that the log says is part of the table, and the version that added it."""

    path: str
    version: int
    partition: Mapping[str, str]
    rows: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row as found: the leaf it would make, and what is wrong with it by itself."""

    item_id: str
    version: int
    leaf: bytes
    problem: str = ""


def survey(root: Path, name: str) -> tuple[list[Listed], list[Finding]]:
    """The files of a table by its log, and what the log itself gives away."""
    versions = delta.log_versions(root)
    if not versions:
        return [], [Finding("gone", f"everything is gone: the table {name} has no log")]
    findings = _holes(name, versions)
    listed: dict[str, Listed] = {}
    for version in versions:
        try:
            commit = delta.read_commit(root, version)
        except LakeError as error:
            findings.append(Finding("log", str(error)))
            continue
        if commit is not None:
            findings += _apply(name, commit, listed)
    return list(listed.values()), findings + _other_view(root, name, set(listed))


def _holes(name: str, versions: list[int]) -> list[Finding]:
    gone = sorted(set(range(versions[-1] + 1)) - set(versions))
    return [Finding("log", f"log entry {version} of table {name} is gone") for version in gone]


def _apply(name: str, commit: delta.Commit, listed: dict[str, Listed]) -> list[Finding]:
    for path in commit.removes:
        listed.pop(path, None)
    for add in commit.adds:
        listed[add.path] = Listed(add.path, commit.version, add.partition, add.rows)
    if not commit.drops_data:
        return []
    return [Finding("log", f"version {commit.version} of table {name} took rows out")]


def _other_view(root: Path, name: str, listed: set[str]) -> list[Finding]:
    """Readers start from the table's checkpoints: these must tell the same as the log."""
    try:
        shown = delta.active_paths(root, TABLES[name])
    except LakeError as error:
        return [Finding("log", str(error))]
    findings = []
    if hidden := len(listed - shown):
        findings.append(
            Finding("log", f"readers of {name} are not shown {hidden} files of its log")
        )
    if foreign := len(shown - listed):
        findings.append(
            Finding("log", f"readers of {name} are shown {foreign} files of no version")
        )
    return findings


def missing_files(root: Path, name: str, listed: list[Listed]) -> list[Finding]:
    """Files and whole partitions that the log lists and the disk lacks; strays as a note."""
    partitions: dict[str, list[Listed]] = defaultdict(list)
    for file in listed:
        partitions[file.path.rpartition("/")[0]].append(file)
    findings = []
    for folder, files in sorted(partitions.items()):
        gone = [file for file in files if not (root / file.path).is_file()]
        if gone and len(gone) == len(files) and folder:
            rows = sum(file.rows for file in gone)
            findings.append(
                Finding("partition", f"the partition {name}/{folder} is gone: {rows} rows")
            )
        else:
            findings += [
                Finding("file", f"the file {name}/{f.path} is gone: {f.rows} rows") for f in gone
            ]
    return findings + _strays(root, name, listed)


def _strays(root: Path, name: str, listed: list[Listed]) -> list[Finding]:
    known = {file.path for file in listed}
    found = (path.relative_to(root) for path in root.rglob("*.parquet"))
    strays = [p for p in found if p.parts[0] != "_delta_log" and p.as_posix() not in known]
    if not strays:
        return []
    told = f"{len(strays)} files in {name} belong to no version (left by interrupted writes)"
    return [Finding("stray", told, fatal=False)]


def scan(root: Path, listed: list[Listed], findings: list[Finding]) -> Iterator[Row]:
    """Every row of the evidence in ledger order, recomputed; unreadable files become findings."""
    for file in listed:
        path = root / file.path
        if not path.is_file():
            continue
        try:
            table = read_rows(path, file.partition, EVIDENCE.names)
        except LakeError as error:
            findings.append(Finding("file", str(error)))
            continue
        if table.num_rows != file.rows:
            told = f"the file evidence/{file.path} holds {table.num_rows} rows, not {file.rows}"
            findings.append(Finding("file", told))
        for row in table.to_pylist():
            yield _row(row, file.version)


def _row(row: Mapping[str, Any], version: int) -> Row:
    item_id = str(row.get("item_id"))
    try:
        leaf = leaf_hash(leaf_data(row))
        if hashlib.sha256(row["payload"].encode()).hexdigest() != row["content_sha256"]:
            return Row(item_id, version, leaf, "its payload does not have the digest beside it")
        if hashlib.sha256(identity_of(row)).hexdigest() != item_id:
            return Row(item_id, version, leaf, "its id is not the digest of its content")
    except (KeyError, AttributeError, HeadwaterError, UnicodeEncodeError) as error:
        return Row(item_id, version, b"", f"it is no whole row any more ({error})")
    return Row(item_id, version, leaf)
