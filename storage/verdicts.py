"""What was judged: verdicts and standings as rows, and what was said last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from evidence.freshness import ControlStanding, Verdict
from evidence.times import utc
from storage.engine import Limits
from storage.lake import Lake
from storage.schema import STANDINGS, VERDICTS
from storage.views import ask, connect

_ALL = Limits(rows=1_000_000, result_mb=512)


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


def last_verdicts(lake: Lake) -> dict[tuple[str, str, str], tuple[str, bool, str, str]]:
    """(control, evidence, system) → (state, failed, item_id, why) as judged last."""
    with connect(lake) as connection:
        found = ask(
            connection,
            "SELECT control, evidence, system, state, failed, item_id, why FROM verdicts",
            limits=_ALL,
        )
    return {(r[0], r[1], r[2]): (r[3], r[4], r[5], r[6]) for r in found.rows}


def last_standings(lake: Lake) -> dict[str, tuple[str, str, int, int]]:
    """Control → (standing, why, in_date, expected) as judged last."""
    with connect(lake) as connection:
        sql = "SELECT control, standing, why, in_date, expected FROM standings"
        found = ask(connection, sql, limits=_ALL)
    return {r[0]: (r[1], r[2], r[3], r[4]) for r in found.rows}
