"""What is counted over all of a lake, in parts that make one: of before, and of what came since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from evidence.errors import LakeError
from storage.engine import Connection, Limits, open_engine

Table = pa.Table
"""What is counted, or kept beside it."""


@dataclass(frozen=True, slots=True)
class Tally:
    """`ask` counts all that a connection shows; `merged` is the SELECT that makes one such table of
    several, over the relation `parts`. No item may be in two of them."""

    name: str
    ask: Callable[[Connection], pa.Table]
    merged: str


def asked(sql: str) -> Callable[[Connection], pa.Table]:
    """What one SELECT counts."""
    return lambda connection: table_of(connection, sql)


def table_of(connection: Connection, sql: str) -> pa.Table:
    """The answer as a table. Raises LakeError."""
    try:
        return connection.execute(sql).to_arrow_table()
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be read: {error}") from error


def tally_of(connection: Connection, tally: Tally) -> pa.Table:
    """What it counts, once a connection. Raises LakeError."""
    known = connection.tallies.get(tally.name)
    if known is None:
        known = connection.tallies[tally.name] = tally.ask(connection)
    return known


def counted(connection: Connection, tally: Tally) -> list[dict[str, Any]]:
    """The rows of `tally_of`, in any order. Raises LakeError."""
    return tally_of(connection, tally).to_pylist()


def merge(tally: Tally, parts: Sequence[pa.Table]) -> pa.Table:
    """One table of several, columns as in the first. Raises LakeError."""
    first = parts[0].schema
    try:
        whole = pa.concat_tables([part.cast(first) for part in parts])
        with open_engine(Limits(threads=1)) as engine:
            engine.register("parts", whole)
            return engine.execute(tally.merged).to_arrow_table().select(first.names).cast(first)
    except (duckdb.Error, pa.ArrowException) as error:
        raise LakeError(f"what was counted of {tally.name} cannot be put together: {error}") from (
            error
        )


def table_of_texts(texts: Iterable[bytes]) -> Table:
    """What somebody else wrote, a row each, to keep it beside what is counted."""
    return pa.table({"text": pa.array(list(texts), pa.large_binary())})


def texts_of(table: Table) -> list[bytes]:
    """The rows of `table_of_texts`."""
    return [text for text in table["text"].to_pylist() if text is not None]


def both(first: Table, second: Table) -> Table:
    """The rows of two tables with the same columns."""
    return pa.concat_tables([first, second])
