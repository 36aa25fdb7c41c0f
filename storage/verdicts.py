"""What was judged: verdicts and standings as rows, and what was said last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from evidence.errors import LakeError
from evidence.freshness import ControlStanding, Verdict
from evidence.times import utc
from storage.lake import Lake
from storage.schema import STANDINGS, VERDICTS
from storage.views import Connection, connect


def append_verdicts(
    lake: Lake, verdicts: Sequence[Verdict], standings: Sequence[ControlStanding], at: datetime
) -> None:
    """Append verdicts and standings as judged at `at`. Raises LakeError."""
    lake.append("verdicts", verdict_rows(verdicts))
    lake.append("standings", standing_rows(standings, at))


def verdict_rows(verdicts: Sequence[Verdict]) -> pa.Table:
    """The rows of `verdicts`."""
    rows = [{f.name: getattr(v, f.name) for f in VERDICTS} for v in verdicts]
    plain = [row | {"state": row["state"].value} for row in rows]
    return pa.Table.from_pylist(plain, schema=VERDICTS)


def standing_rows(standings: Sequence[ControlStanding], at: datetime) -> pa.Table:
    """The rows of `standings`."""
    rows = [
        {
            "control": s.control, "standing": s.standing.value, "why": s.why, "in_date": s.in_date,
            "expected": s.expected, "due": s.due, "judged_at": utc(at),
        }
        for s in standings
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=STANDINGS)


Said = tuple[str, bool, str, str]
Stood = tuple[str, str, int, int]


def last_judged(lake: Lake) -> tuple[dict[tuple[str, str, str], Said], dict[str, Stood]]:
    """What was said last: (control, evidence, system) → (state, failed, item_id, why), and
    control → (standing, why, in_date, expected). Raises LakeError."""
    with connect(lake) as connection:
        said = _rows(
            connection,
            "SELECT control, evidence, system, state, failed, item_id, why FROM verdicts",
        )
        stood = _rows(connection, "SELECT control, standing, why, in_date, expected FROM standings")
    return (
        {(r[0], r[1], r[2]): (r[3], r[4], r[5], r[6]) for r in said},
        {r[0]: (r[1], r[2], r[3], r[4]) for r in stood},
    )


def _rows(connection: Connection, sql: str) -> list[Any]:
    try:
        return connection.execute(sql).fetchall()
    except duckdb.Error as error:
        raise LakeError(f"the last judgement cannot be read: {error}") from error
