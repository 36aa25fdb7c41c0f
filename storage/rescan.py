"""Every row of the evidence read again and recomputed, in parts of bounded size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evidence.errors import HeadwaterError, LakeBusy, LakeError, LakeRefused
from evidence.own import DISPOSAL_KIND
from storage.ahead import ahead
from storage.canonical_rows import digests, told_of
from storage.files import gathered, has_bytes, read_parts
from storage.leaves import Hashes, hashes_of
from storage.merkle import LEAF_PREFIX, leaf_hash
from storage.place import Place
from storage.place_local import LocalPlace
from storage.processes import in_order
from storage.rows import identity_of, leaf_data
from storage.schema import EVIDENCE
from storage.survey import Finding, Listed

PART_ROWS = 10_000
JOB_ROWS = 100_000
"""Of so many rows or a little more is what a process is asked for at once."""
_FEW_JOBS = 4
"""To begin other processes takes longer than so many jobs."""
_MORE = 1000
"""What was put into a file is still to be named, but a file of endless rows not to be read."""
Versions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """One row as found: the leaf it would make, and what is wrong with it by itself."""

    item_id: str
    leaf: bytes
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows, recomputed: the id and the leaf of each.

    `single` holds, by their place, the rows that are not right in themselves; what `ids` and
    `leaves` say at these places means nothing. `versions` are those that landed the rows, 0 for
    rows that were moved since and so must be sealed. `records` are the files in which a record of
    disposal was seen.
    """

    versions: Versions
    ids: Hashes
    leaves: Hashes
    single: Mapping[int, Row] = field(default_factory=dict)
    records: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is hashed of some rows; None where they cannot be read as whole columns."""

    rows: pa.Table
    versions: Versions
    records: frozenset[str]
    told: tuple[Any, Any, Any] | None


@dataclass(frozen=True, slots=True)
class _From:
    """Where some rows come from: their file, and the version that landed them."""

    path: str
    version: int


def scan(
    place: Place, listed: Sequence[Listed], findings: list[Finding], processes: int = 1
) -> Iterator[Part]:
    """Every row of the evidence in the order of the log; unreadable files become findings.

    In a folder so many processes share the work, if there is enough of it. Of a bucket it reads
    the bytes that lie there now, never a copy on this machine. Raises LakeError if a process dies.
    """
    there = set(place.names())
    files = [file for file in listed if file.path in there]
    jobs = list(_jobs(files))
    found: list[Finding] = []
    if processes > 1 and len(jobs) > _FEW_JOBS and isinstance(place, LocalPlace):
        for parts, told in in_order(partial(_scanned, place), jobs, processes):
            yield from parts
            found += told
    else:
        yield from map(_hashed, ahead(_prepared(place, files, found)))
    findings += found


def _jobs(files: Sequence[Listed]) -> Iterator[list[Listed]]:
    job, count = list[Listed](), 0
    for file in files:
        job.append(file)
        count += file.added.rows
        if count >= JOB_ROWS:
            yield job
            job, count = [], 0
    if job:
        yield job


def _scanned(place: LocalPlace, files: Sequence[Listed]) -> tuple[list[Part], list[Finding]]:
    """What another process is asked for: the parts of some files, and what was found there."""
    found: list[Finding] = []
    return [_hashed(prepared) for prepared in _prepared(place, files, found)], found


def rows_as_leaves(rows: pa.Table) -> Iterator[Row]:
    """Some rows of the evidence, with all their columns, recomputed one by one."""
    part = _hashed(_alone((rows, _From("", 0))))
    for place in range(rows.num_rows):
        whole = Row(part.ids[place].tobytes().hex(), part.leaves[place].tobytes())
        yield part.single.get(place, whole)


def _prepared(
    place: Place, files: Sequence[Listed], findings: list[Finding]
) -> Iterator[_Prepared]:
    for group in gathered(_rows(place, files, findings), rows=PART_ROWS):
        together = _prepare(group)
        yield from [together] if together is not None else map(_alone, group)


def _rows(
    place: Place, files: Sequence[Listed], findings: list[Finding]
) -> Iterator[tuple[pa.Table, _From]]:
    for file in files:
        count = 0
        # What stands in place of older files was sealed before: none of its rows is merely new.
        version = file.version if file.added.data_change else 0
        try:
            with place.fresh(file.path) as path:
                landed = has_bytes(path, file.sha256, file.added.size)
                if not landed:
                    told = f"the file evidence/{file.path} does not have the bytes that landed"
                    findings.append(Finding("file", told))
                for rows in read_parts(
                    path, file.added.partition, EVIDENCE.names, rows=PART_ROWS,
                    most=file.added.rows + _MORE, landed=landed,
                ):  # fmt: skip
                    count += rows.num_rows
                    yield rows, _From(file.path, version)
        except (LakeBusy, LakeRefused):
            raise
        except LakeError as error:
            findings.append(Finding("file", str(error)))
            continue
        except OSError as error:
            told = f"the file evidence/{file.path} cannot be read: {error.strerror}"
            findings.append(Finding("file", told))
            continue
        if count != file.added.rows:
            told = f"the file evidence/{file.path} holds {count} rows, not {file.added.rows}"
            findings.append(Finding("file", told))


def _prepare(group: Sequence[tuple[pa.Table, _From]]) -> _Prepared | None:
    """What is hashed of the rows together; None if they are not all alike, or not whole."""
    try:
        rows = pa.concat_tables([part for part, _ in group])
        payload = rows["payload"].combine_chunks().cast(pa.large_binary())
        told = payload, *told_of(rows)
    except (KeyError, ValueError, LakeError, pa.ArrowException):
        return None
    counts = [part.num_rows for part, _ in group]
    versions = np.repeat([origin.version for _, origin in group], counts)
    return _Prepared(rows, versions, _records(group), told)


def _alone(part: tuple[pa.Table, _From]) -> _Prepared:
    rows, origin = part
    versions = np.full(rows.num_rows, origin.version)
    return _prepare([part]) or _Prepared(rows, versions, _records([part]), None)


def _records(group: Sequence[tuple[pa.Table, _From]]) -> frozenset[str]:
    return frozenset(origin.path for rows, origin in group if _holds_records(rows))


def _holds_records(rows: pa.Table) -> bool:
    if "kind" not in rows.column_names:
        return False
    return bool(pc.any(pc.equal(rows["kind"], pa.scalar(DISPOSAL_KIND))).as_py())


def _hashed(prepared: _Prepared) -> Part:
    """Whole columns at once; what does not hold, or cannot be read so, is looked at by the row."""
    rows, nothing = prepared.rows, np.zeros((prepared.rows.num_rows, 32), np.uint8)
    if prepared.told is None:
        single = dict(enumerate(map(_read, (rows.slice(at, 1) for at in range(rows.num_rows)))))
        return Part(prepared.versions, nothing, nothing, single, prepared.records)
    payload, identity, data = prepared.told
    ids, content = _array(digests(identity)), _array(digests(payload))
    wrong = _differ(rows["item_id"], ids) | _differ(rows["content_sha256"], content)
    single = {place: _read(rows.slice(place, 1)) for place in np.flatnonzero(wrong).tolist()}
    leaves = _array(digests(data, LEAF_PREFIX))
    return Part(prepared.versions, ids, leaves, single, prepared.records)


def _array(hashes: list[bytes]) -> Hashes:
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)


def _differ(column: Any, hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Which values of a column are not these hashes in lower-case hex."""
    try:
        differ: npt.NDArray[np.bool_] = (hashes_of(column) != hashes).any(axis=1)
    except ValueError:
        told = zip(column.to_pylist(), hashes, strict=True)
        return np.array([text != one.tobytes().hex() for text, one in told], np.bool_)
    return differ


def _read(row: pa.Table) -> Row:
    """A row by itself; a time may lie outside of the years that Python can hold."""
    try:
        return _row(row.to_pylist()[0])
    except (ValueError, OverflowError) as error:
        told = row["item_id"][0].as_py() if "item_id" in row.column_names else None
        return Row(str(told), b"", f"it is no whole row any more ({error})")


def _row(row: Mapping[str, Any]) -> Row:
    item_id = str(row.get("item_id"))
    try:
        leaf = leaf_hash(leaf_data(row))
        if hashlib.sha256(row["payload"].encode()).hexdigest() != row["content_sha256"]:
            return Row(item_id, leaf, "its payload does not have the digest beside it")
        if hashlib.sha256(identity_of(row)).hexdigest() != item_id:
            return Row(item_id, leaf, "its id is not the digest of its content")
    except (KeyError, AttributeError, HeadwaterError, UnicodeEncodeError) as error:
        return Row(item_id, b"", f"it is no whole row any more ({error})")
    return Row(item_id, leaf)
