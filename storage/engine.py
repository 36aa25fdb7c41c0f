"""DuckDB connections that can read the lake's own data files and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from evidence.errors import LakeError
from storage.schema import TableSpec


class Connection:
    """An engine whose relations are made once a question names them.

    To plan every view of a lake takes longer than most questions, which name two or three of them.
    """

    __slots__ = (
        "_awaited", "_done", "_engine", "_order", "little", "memory_mb", "shown", "tallies",
    )  # fmt: skip

    def __init__(
        self, engine: duckdb.DuckDBPyConnection, *, little: bool = False, memory_mb: int = 1024
    ) -> None:
        self._engine = engine
        self.little = little
        """Whether memory holds with ease all that can be read here."""
        self.memory_mb = memory_mb
        """What the engine may use."""
        self.shown = ""
        """What the judge is shown of it now, in SQL; empty: all (`storage/seen.py`)."""
        self._done: set[str] = set()
        self._awaited: dict[str, str | Callable[[], str]] = {}
        self._order: dict[str, int] = {}
        self.tallies: dict[str, pa.Table] = {}
        """What was counted of all that is shown, by the name of the tally."""

    def later(self, name: str, sql: str | Callable[[], str]) -> None:
        """Make the relation `name` by these statements when it is first named.

        They may name those that were announced before it; a function gives them when it is time.
        """
        self._order[name] = len(self._order)
        self._awaited[name] = sql

    def make(self) -> None:
        """Make every relation: what comes next may find them by other ways than their names.

        Raises duckdb.Error, LakeError.
        """
        for name in self._order:
            self._make(name)

    def lock(self, files: Iterable[Path]) -> None:
        """From here on no other file, no network, no setting can be reached."""
        self._engine.execute(f"SET allowed_paths = {_texts(files)}")
        self._engine.execute("SET enable_external_access = false")
        self._engine.execute("SET lock_configuration = true")

    def execute(self, sql: str, values: object = None) -> duckdb.DuckDBPyConnection:
        """Ask or do one thing. Raises duckdb.Error; LakeError if a relation cannot be made."""
        if self._awaited:
            self._make_named(sql, len(self._order))
        return self._engine.execute(sql, values)

    def once(self, what: str, work: Callable[[], object]) -> None:
        """Do some work that lasts as long as the connection, unless it was done."""
        if what not in self._done:
            work()
            self._done.add(what)

    def register(self, name: str, table: pa.Table) -> None:
        """Show an Arrow table under a name."""
        self._engine.register(name, table)

    def instead(self, name: str, table: pa.Table) -> None:
        """Show an Arrow table under a name that was announced and that nobody has asked for yet."""
        del self._awaited[name]
        self._engine.register(name, table)

    def unregister(self, name: str) -> None:
        """Show it no longer."""
        self._engine.unregister(name)

    def interrupt(self) -> None:
        """End what is being asked; any thread may."""
        self._engine.interrupt()

    def close(self) -> None:
        """Let go of the engine and its memory."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def _make_named(self, sql: str, before: int) -> None:
        # A word that is a column there, and no relation, makes one too many: that does no harm.
        for word in set(_WORD.findall(sql.lower())) & self._awaited.keys():
            if self._order[word] < before:
                self._make(word)

    def _make(self, name: str) -> None:
        awaited = self._awaited.get(name)
        if awaited is None:
            return
        sql = awaited if isinstance(awaited, str) else awaited()
        self._make_named(sql, self._order[name])
        try:
            self._engine.execute(sql)
        except duckdb.InterruptException:
            raise
        except duckdb.OutOfMemoryException:
            if not sql.startswith("CREATE TABLE"):
                raise
            # Few bytes may hold endless rows: those are read again for each question.
            self._engine.execute(sql.replace("CREATE TABLE", "CREATE VIEW", 1))
        except duckdb.Error as error:
            raise unreadable(error) from error
        del self._awaited[name]


_WORD = re.compile(r"[a-z_]+")


def unreadable(error: duckdb.Error) -> LakeError:
    """What is said where the files of a lake cannot be read."""
    told = f"the lake's files cannot be read: {sentence(error)}; run `headwater verify`"
    return LakeError(told)


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
    return replace(limits, threads=1) if _within(files, 64, 4 * 1024 * 1024) else limits


def little(files: Sequence[Path]) -> bool:
    """Whether the rows of these files are held in memory with ease: every question reads them again
    and again, however many files they lie in."""
    return _within(files, 1024, 8 * 1024 * 1024)


def _within(files: Sequence[Path], most: int, size: int) -> bool:
    return len(files) <= most and sum(_size(path) for path in files) <= size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def open_engine(limits: Limits, *, little: bool = False) -> Connection:
    """An in-memory engine in UTC that neither spills to disk nor looks at Python variables."""
    engine = duckdb.connect(
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
    engine.execute("SET timezone = 'UTC'; SET parquet_metadata_cache = true")
    # In a process that was spawned the library believes itself at a prompt, and draws amid output.
    engine.execute("SET enable_progress_bar = false")
    # Where it guesses that few rows are looked up, it would compare every row with every other.
    engine.execute("SET asof_loop_join_threshold = 0")
    return Connection(engine, little=little, memory_mb=limits.memory_mb)


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
