"""That files hold the same rows as others: nothing wrong is carried over into new files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from evidence.errors import LakeError
from storage.delta import Table
from storage.engine import Connection, literal, relation
from storage.files import DataFile, Written, has_bytes
from storage.rescan import Row, rows_as_leaves
from storage.schema import TableSpec

MEMORY_MB = 512
_STEP_ROWS = 20_000
_NO_FILE = "SELECT NULL::VARCHAR AS item_id, NULL::VARCHAR AS leaf_hash WHERE false"


def open_spilling(folder: Path) -> Connection:
    """An engine for our own work, which spills what does not fit into memory to `folder`."""
    engine = duckdb.connect(
        ":memory:",
        config={
            "python_enable_replacements": False, "autoinstall_known_extensions": False,
            "autoload_known_extensions": False, "threads": 2,
            "memory_limit": f"{MEMORY_MB}MB", "temp_directory": str(folder),
        },
    )  # fmt: skip
    engine.execute("SET timezone = 'UTC'")
    return Connection(engine)


def selected(spec: TableSpec, files: Sequence[Path], columns: Sequence[str] = ()) -> str:
    """SQL for the rows of these files, partition columns left out."""
    named = ", ".join(f'"{name}"' for name in columns or spec.file_schema.names)
    return f"SELECT {named} FROM {relation(spec, files, 'hive_partitioning = false')}"  # noqa: S608


def check_bytes(table: Table, files: Sequence[DataFile]) -> None:
    """Each file has the bytes that its log entry names. Raises LakeError naming the first."""
    digests = landed_digests(table, files)
    for file in files:
        name = file.name
        try:
            with table.place.fresh(name) as path:
                same = has_bytes(path, digests.get(name, ""), file.size)
        except OSError as error:
            raise LakeError(f"{table.spec.name}/{name} cannot be read: {error}") from error
        if not same:
            raise LakeError(
                f"{table.spec.name}/{name} does not have the bytes that landed; it is left as it "
                "is: run `headwater verify`"
            )


def landed_digests(table: Table, files: Sequence[DataFile]) -> dict[str, str]:
    """Path relative to the table → SHA-256 as its log entry says, looked for from the head."""
    wanted = {file.name for file in files}
    found: dict[str, str] = {}
    for commit in table.backwards():
        digests = commit.metadata.get("files", {})
        found |= {path: str(digests[path]) for path in wanted & digests.keys()}
        if len(found) == len(wanted):
            break
    return found


def check_rows(
    table: Table, leaves: Table, old: Sequence[DataFile], new: Sequence[Written]
) -> None:
    """The new files hold every row of the old ones and no other. Raises LakeError if they do not.

    Rows of `evidence` are recomputed: id, payload digest, and the leaf that was sealed of them.
    """
    evidence = table.spec.name == "evidence"
    # A leaf covers the columns of its form; what was added to the table later it does not.
    columns = ["item_id", *table.spec.added] if evidence else table.spec.file_schema.names
    before = selected(table.spec, table.place.locals(file.name for file in old), columns)
    after = selected(table.spec, table.place.locals(file.relative for file in new), columns)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="headwater-") as folder,
            open_spilling(Path(folder)) as engine,
        ):
            if evidence:
                _check_leaves(engine, table, leaves, new, Path(folder) / "found.parquet")
            different = engine.execute(
                f"({before} EXCEPT ALL {after}) UNION ALL ({after} EXCEPT ALL {before}) LIMIT 1"
            ).fetchone()
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise LakeError(f"table {table.spec.name} cannot be compared: {error}") from error
    if different is not None:
        raise LakeError(
            f"table {table.spec.name}: the rewritten files would not hold the same rows "
            f"({different[0]}); nothing was changed"
        )


def _check_leaves(
    engine: Connection, table: Table, leaves: Table, new: Sequence[Written], scratch: Path
) -> None:
    schema = pa.schema([("item_id", pa.string()), ("leaf_hash", pa.string())])
    with pq.ParquetWriter(scratch, schema) as writer:
        for file in new:
            for rows in _recomputed(table, file):
                found = [{"item_id": row.item_id, "leaf_hash": row.leaf.hex()} for row in rows]
                writer.write_table(pa.Table.from_pylist(found, schema=schema))
    paths = leaves.place.locals(file.name for file in leaves.files())
    sealed = selected(leaves.spec, paths, ["item_id", "leaf_hash"]) if paths else _NO_FILE
    stranger = engine.execute(
        f"SELECT item_id FROM read_parquet({literal(str(scratch))}) "  # noqa: S608  our own paths
        f"ANTI JOIN ({sealed}) sealed USING (item_id, leaf_hash) LIMIT 1"
    ).fetchone()
    if stranger is not None:
        raise LakeError(
            f"item {stranger[0]} is not as it was sealed; its files are left as they are: run "
            "`headwater verify`"
        )


def _recomputed(table: Table, file: Written) -> Iterator[list[Row]]:
    """The rows of one file as the leaves they make, in steps. Raises LakeError for a wrong one."""
    with pq.ParquetFile(table.place.local(file.relative)) as parquet:
        for batch in parquet.iter_batches(_STEP_ROWS):
            rows = pa.Table.from_batches([batch])
            for name, value in file.partition.items():
                rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
            found = list(rows_as_leaves(rows))
            for row in found:
                if row.problem:
                    raise LakeError(
                        f"item {row.item_id}: {row.problem}; its files are left as they are: "
                        "run `headwater verify`"
                    )
            yield found
