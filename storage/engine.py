"""DuckDB connections that can read the lake's own data files and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa

from storage.schema import TableSpec

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may use (memory, threads) and a question (seconds, rows, result size)."""

    memory_mb: int = 1024
    threads: int = 2
    seconds: float = 30.0
    rows: int = 10_000
    result_mb: int = 64


@cache
def ample() -> Limits:
    """For our own questions over all of a lake: half of the memory that the engine would take.

    It knows the bounds of the machine and of a container. Strangers' questions get a fixed share.
    """
    with duckdb.connect(":memory:") as engine:
        row = engine.execute("SELECT current_setting('memory_limit')").fetchone()
    number, unit = str(row[0] if row else "0 MiB").split()
    mebibytes = float(number) * _MEBIBYTES.get(unit, 0)
    return Limits(memory_mb=max(Limits().memory_mb, int(mebibytes / 2)))


_MEBIBYTES: Mapping[str, float] = {"MiB": 1, "GiB": 1024, "TiB": 1024**2}


def enough(limits: Limits, files: Sequence[Path]) -> Limits:
    """One thread where there is little to read: handing work to another costs more than doing it.

    A file that is not there counts for nothing: who reads it says so.
    """
    if len(files) > _FEW or sum(_size(path) for path in files) > _LITTLE:
        return limits
    return replace(limits, threads=1)


_FEW, _LITTLE = 64, 4 * 1024 * 1024


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def open_engine(limits: Limits) -> Connection:
    """An in-memory engine in UTC that neither spills to disk nor looks at Python variables."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "threads": limits.threads,
            "memory_limit": f"{limits.memory_mb}MB",
            "temp_directory": "",
        },
    )
    connection.execute("SET timezone = 'UTC'; SET parquet_metadata_cache = true")
    # In a process that was spawned the library believes itself at a prompt, and draws amid output.
    connection.execute("SET enable_progress_bar = false")
    return connection


def lock(connection: Connection, files: Iterable[Path]) -> None:
    """From here on no other file, no network, no setting can be reached."""
    connection.execute(f"SET allowed_paths = {_texts(files)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def rows_of(spec: TableSpec, files: Sequence[Path]) -> str:
    """SQL for all rows of these files, with the table's columns; no files give no rows."""
    columns = ", ".join(f'"{name}"' for name in spec.schema.names)
    if not files:
        nothing = ", ".join(f'NULL::{_sql_type(f.type)} AS "{f.name}"' for f in spec.schema)
        return f"SELECT {nothing} WHERE false"
    hive = "hive_partitioning = true, hive_types_autocast = false"
    source = relation(spec, files, hive if spec.partition else "hive_partitioning = false")
    return f"SELECT {columns} FROM {source}"  # noqa: S608  names and paths are ours


def relation(spec: TableSpec, files: Sequence[Path], hive: str) -> str:
    """SQL to select from: these files' columns by name, null where an older file lacks one."""
    if not spec.added:
        return f"read_parquet({_texts(files)}, {hive})"
    fields = [spec.schema.field(name) for name in spec.added]
    added = ", ".join(f'NULL::{_sql_type(field.type)} AS "{field.name}"' for field in fields)
    source = f"read_parquet({_texts(files)}, {hive}, union_by_name = true)"
    return f"(SELECT {added} WHERE false UNION ALL BY NAME SELECT * FROM {source})"  # noqa: S608


def load_table(connection: Connection, name: str, table: pa.Table) -> None:
    """Copy an Arrow table into the engine under a name, before it is locked."""
    connection.register("_incoming", table)
    connection.execute(f"CREATE TABLE {quote(name)} AS SELECT * FROM _incoming")  # noqa: S608
    connection.unregister("_incoming")


def sentence(error: Exception) -> str:
    """What the engine says, as one line, without our SQL."""
    return " ".join(str(error).split("\n\n")[0].split())


def quote(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _texts(files: Iterable[Path]) -> str:
    return "[" + ", ".join(literal(str(path)) for path in files) + "]::VARCHAR[]"


_SQL_TYPES: Mapping[str, str] = {"string": "VARCHAR", "int64": "BIGINT", "bool": "BOOLEAN"}


def _sql_type(kind: pa.DataType) -> str:
    return _SQL_TYPES.get(str(kind), "TIMESTAMPTZ")
