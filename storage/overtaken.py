"""Events that come to be known late, folded into what is kept: what they bear on is asked anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.errors import LakeError
from evidence.gaps import Cover
from storage.arrivals import Asked
from storage.covers import Aging, Covered
from storage.engine import Connection
from storage.keeping import until
from storage.kept import Kept, told
from storage.schema import EVIDENCE
from storage.seen import ask_seen, in_parts
from storage.sightings import Key


def late_events(connection: Connection, kept: Kept) -> dict[str, str]:
    """Id → name of each event that happened before the state was made, and came only since.

    What was left out may have been overtaken by it. Raises LakeError.
    """
    sql = """SELECT item_id, substr(control, 7) FROM lake_claims JOIN evidence USING (item_id)
        WHERE starts_with(control, 'event:') AND observed_from <= $at"""
    try:
        rows = connection.execute(sql, {"at": kept.at}).to_arrow_table()
    except duckdb.Error as error:
        raise LakeError(f"the kept state cannot be read: {error}") from error
    if not rows.num_rows:
        return {}
    # By what is in the state, not by when it landed: a landing may end after one that began later.
    known = _ids(kept.files([], [])["evidence"])["item_id"].combine_chunks()
    late = rows.filter(pc.invert(pc.is_in(rows["item_id"], value_set=known)))
    told = zip(*(column.to_pylist() for column in late.columns), strict=True)
    return {item_id: name for item_id, name in told if item_id not in kept.heeded}


def heed(
    connection: Connection, kept: Kept, late: Mapping[str, str], files: Sequence[Path],
    now: datetime, asked: Sequence[Asked], ages: Sequence[Aging],
) -> Kept:  # fmt: skip
    """The state with these late events in it. `connection` shows the whole lake, `files` are those
    of its evidence that are not left out.

    Raises LakeError.
    """
    names = set(late.values())
    touched = {(one.control, one.evidence) for one in ages if names & set(one.stale_on)}
    again = [one for one in ages if (one.control, one.evidence) in touched]
    covered = {key: many for key, many in kept.covers.items() if key[:2] not in touched}
    return replace(
        kept, heeded=kept.heeded | late.keys(),
        covers=covered | (_left_out(connection, kept, files, now, again) if again else {}),
        # By ages that nobody asks for now nothing was asked anew.
        asked=kept.asked & {*map(told, asked), *map(told, ages)},
    )  # fmt: skip


def _left_out(
    connection: Connection, kept: Kept, files: Sequence[Path], now: datetime,
    ages: Sequence[Aging],
) -> dict[Key, tuple[Cover, ...]]:  # fmt: skip
    """What the items cover that are in none of these files, until the state was made."""
    found = Covered(connection, now, ages)

    def look() -> None:
        sql = """CREATE OR REPLACE TEMP TABLE left_out AS WITH {seen}
            SELECT item_id FROM seen ANTI JOIN here USING (item_id)"""
        ask_seen(connection, sql, now, {})
        found.take(only="left_out")

    connection.register("here", _ids(files))
    try:
        in_parts(connection, now, look)
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be judged: {error}") from error
    finally:
        connection.unregister("here")
    return {key: until(many, kept.at) for key, many in found.told.items()}


def _ids(files: Sequence[Path]) -> pa.Table:
    """The ids of the items in these files, as the engine takes them: there may be millions."""
    none = EVIDENCE.empty_table().select(["item_id"])
    return pa.concat_tables([none, *(pq.ParquetFile(path).read(["item_id"]) for path in files)])
