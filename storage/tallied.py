"""What was counted for the last board, kept beside the lake: the next counts only what came since.

It is a copy that can be made again at any time and may be deleted. It is believed for a day at
most, only as this very code, engine and mapping made it and the ledger's key signed it, only over
the log that it was made from, and only as long as nothing landed by which an item that was counted
counts otherwise: a correction, a person's word on a proposal, a tag that came late, rows taken out.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from evidence.errors import HeadwaterError, LakeError, VerificationFailed
from evidence.own import CORRECTION_KIND, SUGGESTION_KIND
from evidence.times import parse, stamp
from storage.board_copy import WHAT, of_this_log
from storage.claims import CONTEXT, TWICE
from storage.code import code_version
from storage.engine import Connection, ample
from storage.few import FEW
from storage.keys import Signer
from storage.lake import Lake
from storage.note import VerifierKey, check_signature
from storage.pages import BARE, CONTROLS, KINDS, NEWEST
from storage.place_local import LocalPlace
from storage.tally import Tally, counted, merge, table_of, tally_of
from storage.views import connect_files

NAME = "tallies"
FORM = 1
BELIEVED = timedelta(days=1)
TALLIES = (BARE, CONTEXT, CONTROLS, KINDS, NEWEST, TWICE)
FOLLOWED = ("evidence", "tags")
RELATION = "lake_few"
MOST = 200_000
"""Items of the few kinds that are held in memory."""
WORTH = 50_000
"""Items from which on it is kept: fewer are counted as quickly."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a connection shows: the versions of evidence and tags that it reads, as of when, by
    which mapping; whether that is all there is at these versions, tagged to the last; when all of
    it was counted last, the beginning of what is only added to; and what is kept of just this."""

    versions: tuple[int, int]
    at: datetime
    mapping: str
    whole: bool
    begun: datetime
    kept: frozenset[str] = frozenset()


def versions_of(lake: Lake) -> tuple[int, int]:
    """Of evidence and tags, as of now. Raises LakeError."""
    return lake.table("evidence").version, lake.table("tags").version


Also = Callable[[Connection, Connection, Mapping[str, pa.Table]], Mapping[str, pa.Table]]
"""What a board keeps besides: from the whole, what came since and the tables of before, the tables
of now; none where they cannot be made of these."""


def take_up(
    connection: Connection, lake: Lake, shown: Shown, key: VerifierKey, aside: Sequence[str],
    also: Also,
) -> Shown | None:  # fmt: skip
    """Give the connection what was counted before, with what came since; what it shows then.

    None, and nothing is given, where there is nothing to believe or any doubt. `aside` belongs to
    the mapping.
    """
    try:
        return _taken(connection, lake, shown, key, aside, also)
    except (HeadwaterError, OSError, ValueError, KeyError, TypeError, pa.ArrowException,
            duckdb.Error):  # fmt: skip
        return None


def _taken(
    connection: Connection, lake: Lake, shown: Shown, key: VerifierKey, aside: Sequence[str],
    also: Also,
) -> Shown | None:  # fmt: skip
    folder = LocalPlace(lake.place.derived(WHAT))
    told = _told(folder, key)
    if told is None or not _holds(told, shown):
        return None
    came = {name: _came(lake, name, told[name], version)
            for name, version in zip(FOLLOWED, shown.versions, strict=True)}  # fmt: skip
    before = dict(_tables(folder, told))
    with connect_files(
        {name: came.get(name, []) for name in lake.tables}, as_of=shown.at,
        mapping_digest=shown.mapping, limits=ample(), aside=aside,
    ) as new:  # fmt: skip
        if _stirs(new, shown.mapping):
            return None
        parts = {tally.name: merge(tally, [before[tally.name], tally_of(new, tally)])
                 for tally in TALLIES}  # fmt: skip
        came_few = _few(new)
        if came_few.num_rows > MOST:  # it was cut there
            return None
        few = pa.concat_tables([before[RELATION], came_few.cast(before[RELATION].schema)])
        connection.instead(RELATION, few)
        connection.tallies.update(parts)
        with suppress(HeadwaterError, duckdb.Error):  # then that alone is made of the whole
            connection.tallies.update(also(connection, new, before))
        whole = shown.whole and _all_shown(new)
    kept = frozenset() if any(came.values()) else frozenset(before)
    return replace(shown, whole=whole, begun=parse(told["begun"]), kept=kept)


def _told(folder: LocalPlace, key: VerifierKey) -> Mapping[str, Any] | None:
    """What the signed note says; None if there is none that is the key's."""
    own = VerifierKey(f"{key.origin}/{NAME}", key.public)
    with suppress(ValueError, VerificationFailed):
        signed, _, signatures = (folder.read(NAME) or b"").decode().rpartition("\n\n")
        check_signature(f"{signed}\n", signatures, own, NAME)
        name, text = signed.split("\n")
        found: Mapping[str, Any] = json.loads(text)
        return found if name == own.origin else None
    return None


def _holds(told: Mapping[str, Any], shown: Shown) -> bool:
    made = (told["form"], told["engine"], told["code"], told["mapping"])
    known = parse(told["at"]) <= shown.at < parse(told["begun"]) + BELIEVED
    return known and made == (*_makers(), shown.mapping)


def _makers() -> tuple[int, str, str]:
    return FORM, duckdb.__version__, code_version()


def _came(lake: Lake, name: str, told: Sequence[Any], until: int) -> list[Path]:
    """The files that a table got since. Raises LakeError where its log is another, rows were taken
    out or a file was tidied away."""
    table, (version, entry) = lake.table(name), told
    if table.version != until or version > until or table.entry_digest(version) != entry:
        raise LakeError(f"{name} is not what was counted")
    commits = list(table.commits(version))
    names = [add.path for commit in commits for add in commit.adds if add.data_change]
    if any(commit.drops_data for commit in commits) or not all(map(table.place.has, names)):
        raise LakeError(f"{name} lost rows or files since it was counted")
    return table.place.locals(names)


def _tables(folder: LocalPlace, told: Mapping[str, Any]) -> Iterator[tuple[str, pa.Table]]:
    for name in told["files"]:
        content = folder.read(f"{told['folder']}/{name}.parquet") or b""
        if hashlib.sha256(content).hexdigest() != told["files"][name]:
            raise LakeError(f"{name} is not what was written")
        yield name, pq.read_table(pa.BufferReader(content))


_STIRS = """SELECT (SELECT count(*) FROM lake_evidence WHERE kind IN ($correction, $suggestion)),
    (SELECT count(*) FROM lake_tags ANTI JOIN lake_evidence USING (item_id)
        WHERE mapping_digest = $mapping)"""


def _stirs(new: Connection, mapping: str) -> bool:
    """Whether what came may make an item that was counted before count otherwise."""
    words = {"correction": CORRECTION_KIND, "suggestion": SUGGESTION_KIND, "mapping": mapping}
    return new.execute(_STIRS, words).fetchone() != (0, 0)


def _all_shown(connection: Connection) -> bool:
    """Whether nothing that landed has a time yet to come."""
    rows = connection.execute(
        "SELECT (SELECT count(*) FROM lake_evidence), (SELECT count(*) FROM evidence)"
    ).fetchone()
    return rows is not None and rows[0] == rows[1]


def _few(connection: Connection) -> pa.Table:
    return table_of(connection, f"SELECT * FROM evidence WHERE {FEW} LIMIT {MOST + 1}")  # noqa: S608


def worth_it(connection: Connection) -> bool:
    """Whether the connection shows all that landed, and that is worth keeping."""
    rows = sum(row["items"] for row in counted(connection, KINDS))
    return rows >= WORTH and _all_shown(connection)


_FEW_ROWS = f"""SELECT count(*), bit_xor(hash(few))
    FROM (SELECT * FROM {RELATION} WHERE {FEW}) few"""  # noqa: S608  ours


def differ(one: Connection, other: Connection) -> bool:
    """Whether two connections count otherwise, or show other items of the few kinds.

    Raises LakeError, duckdb.Error.
    """
    if any(_plain(one, tally) != _plain(other, tally) for tally in TALLIES):
        return True
    return one.execute(_FEW_ROWS).fetchone() != other.execute(_FEW_ROWS).fetchone()


def _plain(connection: Connection, tally: Tally) -> list[str]:
    """What is counted, however it was put together."""
    rows = counted(connection, tally)
    return sorted(repr({name: sorted(value) if isinstance(value, list) else value
                        for name, value in row.items()}) for row in rows)  # fmt: skip


def keep_tallies(connection: Connection, lake: Lake, shown: Shown, signer: Signer) -> None:
    """Keep what was counted on a connection that shows all there is, instead of what was kept.

    Raises LakeError, OSError.
    """
    few = table_of(connection, f"SELECT * FROM {RELATION} WHERE {FEW} LIMIT {MOST + 1}")  # noqa: S608
    if few.num_rows > MOST:
        return
    for tally in TALLIES:
        tally_of(connection, tally)
    tables = {**connection.tallies, RELATION: few}
    entries = {
        name: (version, lake.table(name).entry_digest(version))
        for name, version in zip(FOLLOWED, shown.versions, strict=True)
    }
    if not of_this_log(lake, *entries["evidence"]):  # it may hold what had to go
        return
    place, folder = LocalPlace(lake.place.derived(WHAT)), uuid.uuid4().hex
    files = {name: _written(place, f"{folder}/{name}.parquet", table)
             for name, table in tables.items()}  # fmt: skip
    form, engine, code = _makers()
    told = {"form": form, "engine": engine, "code": code, "mapping": shown.mapping,
            "at": stamp(shown.at), "begun": stamp(shown.begun), "folder": folder, "files": files,
            **entries}  # fmt: skip
    place.replace(NAME, signer.attest(NAME, f"{json.dumps(told)}\n").encode())
    for old in place.path.iterdir():
        if old.is_dir() and old.name != folder:
            shutil.rmtree(old, ignore_errors=True)


def _written(place: LocalPlace, name: str, table: pa.Table) -> str:
    """Write it; its digest."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content = sink.getvalue().to_pybytes()
    place.replace(name, content)
    return hashlib.sha256(content).hexdigest()
