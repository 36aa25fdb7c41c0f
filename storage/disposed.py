"""What was disposed of, by the signed records in the lake: they alone excuse a missing item."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.canonical import digest
from evidence.errors import HeadwaterError, InvalidItem, LakeError, VerificationFailed
from evidence.model import EvidenceItem
from evidence.own import DISPOSAL_KIND, OWN_SOURCE
from evidence.times import parse
from storage.commits import Commit
from storage.delta import DISPOSAL, Table
from storage.engine import Connection
from storage.files import read_rows
from storage.keys import Signer
from storage.merkle import leaf_hash
from storage.note import VerifierKey, check_signature
from storage.rows import leaf_data
from storage.run import Keys, keys_of
from storage.schema import month_of

FORM = "headwater.disposal/1"


@dataclass(frozen=True, slots=True)
class Gone:
    """One disposed item: its id, its place in the ledger, and its content's digest."""

    item_id: str
    leaf_index: int
    content_sha256: str


@dataclass(frozen=True, slots=True)
class Disposal:
    """A record whose signature holds; `item_id` and `leaf` are those of its own row.

    `holds` are the acts of hold that it heeded. It excuses nothing unless that leaf is sealed.
    """

    item_id: str
    leaf: bytes
    retention: str
    by: str
    reason: str
    at: str
    holds: tuple[str, ...]
    items: tuple[Gone, ...]


def signed_text(key: Signer | VerifierKey, sealed: str) -> str:
    """What is signed for a record: no checkpoint can ever have this text."""
    return f"{key.origin}/disposal\n{FORM} {sealed}\n"


def read_disposals(
    paths: Iterable[Path], key: VerifierKey
) -> tuple[list[Disposal], list[tuple[str, str]]]:
    """The records in these files of evidence; and those that do not hold, by id, with why not.

    A file that cannot be read holds none: who verifies says so of the file.
    """
    good: list[Disposal] = []
    bad: list[tuple[str, str]] = []
    for path in paths:
        for row in rows_of_kind(path, DISPOSAL_KIND):
            item_id = str(row["item_id"])
            try:
                good.append(_opened(row, key))
            except VerificationFailed as error:
                bad.append((item_id, error.findings[0]))
            except (HeadwaterError, KeyError, TypeError, ValueError, RecursionError) as error:
                bad.append((item_id, f"it is no whole record ({error})"))
    return good, bad


def rows_of_kind(path: Path, kind: str) -> Iterator[Mapping[str, Any]]:
    """The rows of one kind in a file; none if it cannot be read."""
    try:
        kinds = pq.read_table(path, columns=["kind"], partitioning=None)["kind"]
        # Not indices_nonzero: it ends the process on a column of no chunks (pyarrow 25).
        wanted = pc.equal(kinds, pa.scalar(kind))
        if not pc.any(wanted).as_py():
            return
        rows = read_rows(path, _month(path)).filter(wanted)
    except (OSError, pa.ArrowException, HeadwaterError):
        return
    yield from rows.to_pylist()


def _month(path: Path) -> dict[str, str]:
    name, _, value = path.parent.name.partition("=")
    return {name: value}


def _opened(row: Mapping[str, Any], key: VerifierKey) -> Disposal:
    told = json.loads(row["payload"])
    body = {name: told[name] for name in told if name not in {"digest", "signature"}}
    if row["source"] != OWN_SOURCE or body["form"] != FORM or digest(body) != told["digest"]:
        raise ValueError("its digest is another")
    check_signature(signed_text(key, told["digest"]), str(told["signature"]), key, "it")
    items = tuple(
        Gone(str(item["item_id"]), int(item["leaf_index"]), str(item["content_sha256"]))
        for item in body["items"]
    )
    return Disposal(
        row["item_id"], leaf_hash(leaf_data(row)), body["class"], body["by"], body["reason"],
        body["at"], tuple(body["holds"]), items,
    )  # fmt: skip


def told(record: Disposal, number: int) -> str:
    """What a verification says of the items that a record excuses."""
    return (
        f"{number} items were disposed of on {record.at[:10]} under class {record.retention} by "
        f"{record.by}: {record.reason} (record {record.item_id})"
    )


def gone_among(items: Sequence[EvidenceItem], table: Table) -> frozenset[str]:
    """The ids of those items that were disposed of: they must not land a second time.

    The last version that took rows out names all records so far with their times, so only the
    files that hold them are read, and once a process. Raises LakeError.
    """
    marker = table.marker(DISPOSAL)
    if marker is None or not items:
        return frozenset()
    commit = table.find(DISPOSAL, marker, since=marker)
    keys = _seen.get(commit.digest)
    if keys is None:
        keys = _seen[commit.digest] = np.unique(keys_of(sorted(_named(table, commit))))
    # Keys are beginnings of ids: what looks disposed of is looked up in the records themselves.
    alike = np.isin(keys_of([item.item_id for item in items]), keys)
    return frozenset(_named(table, commit)) if alike.any() else frozenset()


_seen: dict[bytes, Keys] = {}
"""Digest of the version's log entry → keys of what was disposed of by then: 8 bytes an item."""


def _named(table: Table, commit: Commit) -> set[str]:
    found: set[str] = set()
    try:
        times = [parse(record["at"]) for record in commit.metadata[DISPOSAL]]
        spans = {month_of(at): (min(times), max(times)) for at in times}
        for path in table.place.locals(file.name for file in table.files(spans)):
            for row in rows_of_kind(path, DISPOSAL_KIND):
                found.update(str(item["item_id"]) for item in json.loads(row["payload"])["items"])
    except (InvalidItem, KeyError, TypeError, ValueError, RecursionError) as error:
        raise LakeError(
            f"what was disposed of by version {commit.version} of {table.spec.name} cannot be read "
            f"({error}): run `headwater verify`"
        ) from error
    return found


_NAMED = f"""SELECT item_id AS record, unnest(json_extract_string(payload, '$.items[*].item_id'))
    AS item_id FROM lake_evidence WHERE source = '{OWN_SOURCE}' AND kind = '{DISPOSAL_KIND}'"""  # noqa: S608


def absent(connection: Connection, size: int) -> tuple[int, int]:
    """Of the first `size` items of the ledger, how many a record of disposal names and how many
    are missing without one. Signatures are for `headwater verify` to check."""
    sql = f"""SELECT count(*) FILTER (WHERE item_id IN (SELECT item_id FROM ({_NAMED}))), count(*)
        FROM lake_leaves WHERE leaf_index < $1
        AND item_id NOT IN (SELECT item_id FROM lake_evidence)"""  # noqa: S608  ours
    ((named, gone),) = connection.execute(sql, [size]).fetchall()
    return int(named), int(gone) - int(named)


def went_of(connection: Connection, size: int) -> list[str]:
    """What records of disposal took of the first `size` items of the ledger, a sentence each."""
    sql = f"""SELECT count(*), e.payload->>'$.at', e.payload->>'$.class', e.actor,
            e.payload->>'$.reason', n.record
        FROM ({_NAMED}) n JOIN lake_evidence e ON e.item_id = n.record
        WHERE n.item_id IN (SELECT item_id FROM lake_leaves WHERE leaf_index < $1)
            AND n.item_id NOT IN (SELECT item_id FROM lake_evidence)
        GROUP BY ALL ORDER BY 2, 6"""  # noqa: S608  ours
    return [
        f"{row[0]} went on {row[1][:10]} under class {row[2]} by {row[3]}: {row[4]} "
        f"(record {row[5]})"
        for row in connection.execute(sql, [size]).fetchall()
    ]


def disposed(connection: Connection) -> int:
    """How many items went by the records that the views show: no count includes these any more."""
    named = _NAMED.replace("lake_evidence", "lake_few")
    sql = f"""WITH named AS MATERIALIZED (SELECT DISTINCT item_id FROM ({named}))
        SELECT count(*) FROM named
        ANTI JOIN (SELECT item_id FROM evidence SEMI JOIN named USING (item_id)) USING (item_id)
        WHERE item_id IS NOT NULL"""  # noqa: S608  ours
    ((number,),) = connection.execute(sql).fetchall()
    return int(number)


def disposal_of(connection: Connection, start: str) -> list[tuple[str, str]]:
    """The disposed items whose id begins with `start`, each with a sentence; at most three."""
    sql = f"""SELECT n.item_id, e.payload->>'$.at', e.payload->>'$.class', e.actor,
        e.payload->>'$.reason', n.record
        FROM ({_NAMED}) n JOIN lake_evidence e ON e.item_id = n.record
        WHERE starts_with(n.item_id, $1) ORDER BY 1 LIMIT 3"""  # noqa: S608  ours
    return [
        (row[0], f"was disposed of on {row[1][:10]} under class {row[2]} by {row[3]}: {row[4]} "
                 f"(record {row[5]})")
        for row in connection.execute(sql, [start]).fetchall()
    ]  # fmt: skip
