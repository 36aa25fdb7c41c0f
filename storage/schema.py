"""The columns of every table, and how its files are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from evidence.times import stamp

TIME: pa.DataType = pa.timestamp("us", tz="UTC")


def _schema(columns: list[tuple[str, pa.DataType]]) -> pa.Schema:
    return pa.schema(columns)


EVIDENCE = _schema(
    [
        ("form", pa.string()),
        ("item_id", pa.string()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("nature", pa.string()),
        ("system", pa.string()),
        ("subject", pa.string()),
        ("title", pa.string()),
        ("observed_from", TIME),
        ("observed_to", TIME),
        ("collected_at", TIME),
        ("landed_at", TIME),
        ("change", pa.string()),
        ("outcome", pa.string()),
        ("actor", pa.string()),
        ("locator", pa.string()),
        ("payload", pa.string()),
        ("content_sha256", pa.string()),
        ("pull_id", pa.string()),
        ("month", pa.string()),
    ]
)
TAGS = _schema(
    [
        ("item_id", pa.string()),
        ("control", pa.string()),
        ("evidence", pa.string()),
        ("rule", pa.string()),
        ("strength", pa.string()),
        ("rationale", pa.string()),
        ("mapping_digest", pa.string()),
        ("tagged_at", TIME),
    ]
)
LEAVES = _schema(
    [
        ("leaf_index", pa.int64()),
        ("item_id", pa.string()),
        ("leaf_hash", pa.string()),
        ("evidence_version", pa.int64()),
    ]
)
VERDICTS = _schema(
    [
        ("control", pa.string()),
        ("evidence", pa.string()),
        ("system", pa.string()),
        ("state", pa.string()),
        ("failed", pa.bool_()),
        ("why", pa.string()),
        ("fresh_until", TIME),
        ("newest", TIME),
        ("item_id", pa.string()),
        ("source", pa.string()),
        ("count", pa.int64()),
        ("judged_at", TIME),
    ]
)
STANDINGS = _schema(
    [
        ("control", pa.string()),
        ("standing", pa.string()),
        ("why", pa.string()),
        ("in_date", pa.int64()),
        ("expected", pa.int64()),
        ("due", pa.int64()),
        ("judged_at", TIME),
    ]
)


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table: its columns, and how its files are written.

    `added` are the columns that came after the first version: null in rows older than them.
    `clock` is the column that says when a row became durable (empty: the table has none);
    `dictionary`, `bloom` and `stats` list the columns that get that treatment in each file.
    """

    name: str
    schema: pa.Schema
    clock: str = ""
    partition: tuple[str, ...] = ()
    dictionary: tuple[str, ...] = ()
    bloom: tuple[str, ...] = ()
    stats: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    @property
    def file_schema(self) -> pa.Schema:
        """The columns that data files hold: Delta keeps partition values in the log."""
        return pa.schema([field for field in self.schema if field.name not in self.partition])


TABLES: Mapping[str, TableSpec] = {
    spec.name: spec
    for spec in (
        TableSpec(
            "evidence",
            EVIDENCE,
            clock="landed_at",
            partition=("month",),
            dictionary=(
                "form", "source", "kind", "nature", "system", "change", "outcome", "actor",
                "pull_id",
            ),
            bloom=("item_id",),
            stats=(
                "item_id", "source", "kind", "system", "observed_to", "collected_at", "landed_at",
            ),
        ),
        TableSpec(
            "tags",
            TAGS,
            clock="tagged_at",
            dictionary=("control", "evidence", "rule", "strength", "rationale", "mapping_digest"),
            bloom=("item_id",),
            stats=("mapping_digest", "tagged_at"),
        ),
        TableSpec(
            "leaves", LEAVES, bloom=("item_id",), stats=("leaf_index", "evidence_version"),
        ),
        TableSpec(
            "verdicts",
            VERDICTS,
            clock="judged_at",
            dictionary=("control", "evidence", "system", "state", "source"),
            stats=("judged_at",),
        ),
        TableSpec(
            "standings",
            STANDINGS,
            clock="judged_at",
            dictionary=("control", "standing"),
            stats=("judged_at",),
        ),
    )
}  # fmt: skip


TYPES: Mapping[str, pa.DataType] = {
    field.name: field.type for spec in TABLES.values() for field in spec.schema
}
"""Of a column of this name, in whichever table."""


def month_of(moment: datetime) -> str:
    """The partition of an item observed until `moment`: its month in UTC, `YYYY-MM`."""
    return stamp(moment)[:7]
