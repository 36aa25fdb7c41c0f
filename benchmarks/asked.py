"""What is asked of a lake, beside a raw scan of the columns that the answer needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from benchmarks.growth import Growing
from benchmarks.measure import Took, best, now
from storage.engine import Connection
from storage.views import Limits, connect, sightings

LIMITS = Limits(memory_mb=12_288)
SCANS = {
    "item_id": ["SELECT max(item_id) FROM evidence"],
    "payload": ["SELECT sum(hash(payload)) FROM evidence"],
    "four": [
        "SELECT max(item_id), max(system), max(observed_to) FROM evidence",
        "SELECT max(item_id), max(control) FROM tags",
    ],
}
"""Reading whole columns and keeping nothing: the limit of the engine."""
POINT = "SELECT payload FROM evidence WHERE item_id = $id"
LATEST = """SELECT t.control, e.system, max(e.observed_to), arg_max(e.item_id, e.observed_to)
    FROM evidence e JOIN tags t USING (item_id) GROUP BY ALL"""
MONTH = """SELECT e.item_id, e.payload FROM evidence e JOIN tags t USING (item_id)
    WHERE t.control = 'iso42001:control-7' AND e.month = '2025-11'"""
COUNTS = "SELECT kind, month, count(*) FROM evidence GROUP BY ALL"


@dataclass(frozen=True, slots=True)
class Asked:
    """How long each scan and each question takes, the quickest of some tries."""

    scans: dict[str, Took]
    point: Took
    latest: Took
    sightings: Took
    month: Took
    counts: Took

    @property
    def questions(self) -> dict[str, Took]:
        """The questions by name."""
        return {
            "point": self.point, "latest": self.latest, "sightings": self.sightings,
            "control in a month": self.month, "counts": self.counts,
        }  # fmt: skip


def ask(growing: Growing) -> Asked:
    """Ask everything on one connection, warm."""
    with connect(growing.lake, mapping_digest="m", limits=LIMITS) as connection:
        rows = partial(_rows, connection)
        scans = {
            name: sum((best(partial(rows, sql), 3) for sql in parts), Took())
            for name, parts in SCANS.items()
        }
        found = rows(POINT, {"id": growing.some_id()})
        if len(found) != 1:
            raise SystemExit(f"{len(found)} rows for one id: nothing here is true")
        return Asked(
            scans,
            point=best(partial(rows, POINT, {"id": growing.some_id()})),
            latest=best(partial(rows, LATEST), 3),
            sightings=best(lambda: sightings(connection, now()), 2),
            month=best(partial(rows, MONTH), 3),
            counts=best(partial(rows, COUNTS), 3),
        )


def _rows(connection: Connection, sql: str, values: dict[str, str] | None = None) -> list[object]:
    return list(connection.execute(sql, values or {}).fetchall())
