"""One auditor's question: a single SELECT that can neither write, read files, nor run for ever."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Timer
from typing import Any

import duckdb
import pyarrow as pa

from evidence.errors import LakeError
from storage.engine import Connection, Limits, sentence

# Anything else that is called like a table acts on the engine itself (enable_logging kills it).
_TABLE_FUNCTIONS = {"unnest", "range", "generate_series", "json_each", "json_tree"}
_SIDE_EFFECTS = {"write_log", "nextval", "currval", "sleep_ms", "pg_sleep"}
# What tells of this machine instead of the lake: settings, and paths in the text of views.
_SETTINGS = {"current_setting", "getvariable", "pg_get_viewdef", "json_serialize_plan"}
_INSIDES = {
    "duckdb_views", "duckdb_databases", "duckdb_settings", "duckdb_secrets", "pg_views",
    "pg_settings", "sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema",
    "pragma_database_list", "information_schema.views",
}  # fmt: skip
# One call of these can fill the machine's memory before the engine looks at its limits again.
_GROWTH = {
    "repeat", "lpad", "rpad", "list_resize", "array_resize", "bitstring", "format", "printf",
    "range", "generate_series",
}  # fmt: skip
_LONGEST = 100_000
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?", re.IGNORECASE)
_ONLY = "only one SELECT, WITH or EXPLAIN SELECT statement is answered here"
_SLICE = 2048


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of an answer; `truncated` when there were more than the limits allow."""

    arrow: pa.Table
    truncated: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order; SQL allows equal ones."""
        return tuple(self.arrow.column_names)

    @property
    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """The rows as Python values, times in UTC."""
        return tuple(zip(*(column.to_pylist() for column in self.arrow.columns), strict=True))


def ask(
    connection: Connection,
    sql: str,
    params: Sequence[object] | Mapping[str, object] = (),
    *,
    limits: Limits | None = None,
) -> Answer:
    """Answer one question on a connection from `connect`.

    `params` fill `?` or `$1` in order, or `$name` by name. Raises LakeError, one sentence, if the
    question is not one SELECT, does not fit the columns, or needs more time or memory than
    `limits` give.
    """
    bounds = limits or Limits()
    check(sql)
    timer = Timer(bounds.seconds, connection.interrupt)
    timer.start()
    try:
        connection.make()
        values = dict(params) if isinstance(params, Mapping) else list(params)
        reader = connection.execute(sql, values).to_arrow_reader(_SLICE)
        return _take(reader, bounds)
    except duckdb.InterruptException as error:
        raise LakeError(f"the answer took longer than {bounds.seconds:g} s; narrow it") from error
    except duckdb.OutOfMemoryException as error:
        raise LakeError(f"the answer needs more than {bounds.memory_mb} MB; narrow it") from error
    except (duckdb.Error, pa.ArrowException) as error:
        if isinstance(error, pa.ArrowException) and "nterrupt" in str(error):
            raise LakeError(f"the answer took longer than {bounds.seconds:g} s") from error
        raise LakeError(f"the question cannot be answered: {sentence(error)}") from error
    finally:
        timer.cancel()


def _take(reader: pa.RecordBatchReader, limits: Limits) -> Answer:
    batches: list[pa.RecordBatch] = []
    rows, size = limits.rows, limits.result_mb * 1_000_000
    for batch in reader:
        fit = batch.num_rows * size // max(batch.nbytes, 1)
        most = min(rows, fit, batch.num_rows)
        batches.append(batch.slice(0, most))
        if most < batch.num_rows:
            return Answer(pa.Table.from_batches(batches, reader.schema), truncated=True)
        rows, size = rows - most, size - batch.nbytes
    return Answer(pa.Table.from_batches(batches, reader.schema), truncated=False)


def check(sql: str) -> None:
    """Raise LakeError unless `sql` is one statement that only reads the views."""
    if len(sql) > _LONGEST:
        raise LakeError(f"the question is longer than {_LONGEST} characters")
    explained = _EXPLAIN.match(sql)
    if explained and explained[1]:
        raise LakeError("EXPLAIN ANALYZE tells of this machine's files; EXPLAIN shows the plan")
    inner = sql[explained.end() :] if explained else sql
    with duckdb.connect(":memory:") as parser:
        try:
            kinds = [statement.type for statement in parser.extract_statements(inner)]
        except duckdb.Error as error:
            raise LakeError(f"this is no SQL: {sentence(error)}") from error
        if kinds != [duckdb.StatementType.SELECT]:
            raise LakeError(f"{_ONLY}{_hint(sql)}")
        tree = parser.execute("SELECT json_serialize_sql(?)", [inner]).fetchone()
    parsed = _parsed(str(tree[0]) if tree else "")
    _refuse_calls(parsed)
    _refuse_insides(parsed)


def _parsed(tree: str) -> Any:
    try:
        parsed = json.loads(tree)
    except (ValueError, RecursionError) as error:
        raise LakeError("the question is nested too deeply to be examined") from error
    if parsed["error"]:
        raise LakeError(f"{_ONLY}: {parsed.get('error_message', 'this one cannot be examined')}")
    return parsed


def _hint(sql: str) -> str:
    return " (for PIVOT, list the values: ON column IN (…))" if "pivot" in sql.lower() else ""


def _refuse_insides(parsed: Any) -> None:
    for node in _nodes(parsed):
        if node.get("type") != "BASE_TABLE":
            continue
        name = str(node["table_name"]).lower()
        if "/" in name:  # files of the lake could be opened so, past the moment asked about
            raise LakeError(f"{name} is a file, not a table; ask the views instead")
        if _INSIDES & {name, f"{str(node['schema_name']).lower()}.{name}"}:
            raise LakeError(f"{name} tells of this machine, not of the lake; ask the views instead")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _refuse_calls(parsed: Any) -> None:
    for name, as_table in _calls(parsed):
        if as_table and name not in _TABLE_FUNCTIONS:
            raise LakeError(f"{name}() is not among the tables here; ask the views instead")
        if name in _SIDE_EFFECTS:
            raise LakeError(f"{_ONLY}: {name}() does more than read")
        if name in _SETTINGS:
            raise LakeError(f"{name}() tells of this machine, not of the lake")
        if name in _GROWTH and not as_table:
            raise LakeError(f"{name}() may make values of any size; it is not allowed here")


def _calls(tree: Any) -> Iterator[tuple[str, bool]]:
    """The name of every function called, and whether it stands where a table stands."""
    stack = [(tree, False)]
    while stack:
        node, as_table = stack.pop()
        if isinstance(node, dict):
            if "function_name" in node:
                yield str(node["function_name"]).lower(), as_table
            table = node.get("type") == "TABLE_FUNCTION"
            stack.extend((value, table and key == "function") for key, value in node.items())
        elif isinstance(node, list):
            stack.extend((value, False) for value in node)
