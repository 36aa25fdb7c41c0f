"""An auditor's question can read the views and nothing else, and never for ever."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pyarrow as pa
import pytest

from evidence.errors import LakeError
from storage.engine import Limits
from storage.views import Connection, ask, connect
from tests.storage.makers import START, World, item


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("ask") / "lake")
    world.land(*(item(n) for n in range(30)), cursor="c1")
    return world


@pytest.fixture
def connection(world: World) -> Iterator[Connection]:
    controls = pa.table({"control": ["iso42001:A.6.2.4"], "title": ["Verification"]})
    with connect(world.lake, dimensions={"controls": controls}) as connection:
        yield connection


def _file(world: World) -> Path:
    return world.lake.files("evidence")[0].path


ATTACKS = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '/etc/passwd.csv'",
    "SELECT * FROM read_parquet('/etc/*.parquet')",
    "SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('{file}')",
    "COPY evidence TO '/tmp/stolen.csv'",
    "COPY (SELECT 1) TO '{file}'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'",
    "EXPLAIN COPY (SELECT 1) TO '{file}'",
    "explain analyze explain analyze copy (select 1) to '{file}'",
    "EXPORT DATABASE '/tmp/stolen'",
    "IMPORT DATABASE '/tmp/stolen'",
    "ATTACH '/tmp/other.db'",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "PRAGMA database_list",
    "PRAGMA threads=64",
    "SET memory_limit='100GB'",
    "RESET lock_configuration",
    "SET enable_external_access=true",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CREATE TABLE mine AS SELECT 1",
    "CREATE OR REPLACE VIEW evidence AS SELECT 1",
    "CREATE TEMP MACRO f() AS 1",
    "CREATE SECRET s (TYPE s3)",
    "DROP VIEW evidence",
    "INSERT INTO controls VALUES ('a', 'b')",
    "UPDATE controls SET title = 'x'",
    "DELETE FROM controls",
    "TRUNCATE controls",
    "ALTER VIEW evidence RENAME TO e2",
    "BEGIN",
    "CALL pragma_version()",
    "CALL enable_logging(storage = 'file', storage_path = '/tmp/stolen')",
    "SELECT * FROM enable_logging('QueryLog')",
    "SELECT * FROM evidence, enable_logging()",
    "WITH a AS (SELECT * FROM enable_logging()) SELECT * FROM a",
    "SELECT (SELECT count(*) FROM enable_logging())",
    "SELECT * FROM checkpoint()",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('controls')",
    "SELECT * FROM json_execute_serialized_sql('x')",
    "SELECT write_log('x')",
    "SELECT repeat('x', 3000000000)",
    "SELECT length(lpad('x', 2000000000, 'y'))",
    "SELECT list_resize([1], 500000000)",
    "SELECT range(1000000000)",
    "SELECT format('{:>2000000000}', 'x')",
    "SELECT '" + "x" * 100_000 + "'",
    "SELECT getenv('HOME')",
    "SELECT current_setting('allowed_paths')",
    "SELECT system.main.current_setting('home_directory')",
    "SELECT sql FROM duckdb_views",
    "SUMMARIZE duckdb_views",
    "FROM (DESCRIBE duckdb_settings)",
    "SELECT pg_get_viewdef(oid) FROM pg_catalog.pg_class",
    "SELECT json_serialize_plan('SELECT * FROM evidence')",
    "EXPLAIN ANALYZE SELECT * FROM evidence",
    "SELECT * FROM '{file}'",
    "SUMMARIZE '{file}'",
    "SELECT pg_sleep(1000)",
    "SELECT sum(sleep_ms(1000)) FROM range(1000)",
    "SET VARIABLE x = 1",
    "SELECT * FROM read_duckdb('{file}')",
    "SELECT * FROM duckdb_logs_parsed('QueryLog')",
    "SELECT * FROM parquet_kv_metadata('{file}')",
    "SELECT * FROM \"read_text\"('/etc/passwd')",
    "SELECT * FROM main.read_text('/etc/passwd')",
    "SELECT " + "[" * 3000 + "]" * 3000,
    "SELECT " + "NOT " * 20_000 + "true",
    "SELECT * FROM " + "(SELECT * FROM " * 500 + "evidence" + ")" * 500,
    "SELECT 1\u2028;DROP VIEW evidence",
    "SELECT (SELECT string_agg(view_definition, '') FROM information_schema.views)",
    "SELECT * FROM evidence, pg_catalog.PG_VIEWS",
    "WITH a AS (FROM sqlite_master) FROM a",
    "SELECT * FROM memory.information_schema.VIEWS",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "VACUUM",
    "CHECKPOINT",
    "USE memory",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW evidence",
    "SELECT 1 /*; */; COPY (SELECT 1) TO '{file}'",
    "",
    "-- nothing",
    "SELEKT 1",
    "SELECT " + "+".join(["1"] * 1500),
    "PIVOT evidence ON kind USING count(*)",
]


@pytest.mark.parametrize("sql", ATTACKS, ids=range(len(ATTACKS)))
def test_an_attack_is_one_clear_sentence(connection: Connection, world: World, sql: str) -> None:
    file = _file(world)
    before = file.read_bytes()
    with pytest.raises(LakeError) as refused:
        ask(connection, sql.replace("{file}", str(file)))
    assert "\n" not in str(refused.value)
    assert file.read_bytes() == before
    assert not Path("/tmp/stolen").exists()
    assert ask(connection, "SELECT count(*) FROM evidence").rows == ((30,),)


@pytest.mark.parametrize(
    "sql",
    [
        f"COPY (SELECT 1) TO '{os.devnull}'", "SELECT * FROM read_text('/etc/passwd')",
        "SET threads = 9", "ATTACH '/tmp/other.db'", "INSTALL httpfs", "LOAD httpfs",
    ],
)  # fmt: skip
def test_the_engine_itself_refuses_too(connection: Connection, sql: str) -> None:
    """The statement check is the first wall; this is the second, with the first one gone."""
    import duckdb

    with pytest.raises(duckdb.Error):
        connection.execute(sql)


def test_python_variables_are_not_tables(connection: Connection) -> None:
    secret_table = pa.table({"secret": [1]})
    with pytest.raises(LakeError, match="secret_table"):
        ask(connection, "SELECT * FROM secret_table")
    assert secret_table.num_rows == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM evidence", "FROM controls", "VALUES (1)", "TABLE controls",
        "WITH a AS (SELECT 1) SELECT * FROM a", "EXPLAIN SELECT * FROM evidence",
        "EXPLAIN SELECT 1", "DESCRIBE evidence", "SUMMARIZE controls", "SHOW TABLES",
        "SELECT * FROM range(3), unnest([1, 2])", "SELECT 1;", "-- why\nSELECT 1",
        "SELECT e.item_id, j.key FROM evidence e, json_each(e.payload) j",
        "SELECT table_name FROM information_schema.tables",
        "WITH views AS (FROM evidence) FROM views",
        "PIVOT evidence ON kind IN ('jira.issue') USING count(*)",
    ],
)  # fmt: skip
def test_honest_questions_are_answered(connection: Connection, sql: str) -> None:
    assert ask(connection, sql).columns


def test_parameters_are_values(connection: Connection) -> None:
    hostile = "x' OR '1'='1"
    assert ask(connection, "SELECT ?", [hostile]).rows == ((hostile,),)
    assert ask(connection, "SELECT count(*) FROM evidence WHERE item_id = $1", [hostile]).rows == (
        (0,),
    )


def test_rows_beyond_the_limit_are_cut_and_said(connection: Connection) -> None:
    answer = ask(connection, "SELECT * FROM range(100)", limits=Limits(rows=7))
    assert (len(answer.rows), answer.truncated) == (7, True)
    whole = ask(connection, "SELECT * FROM range(7)", limits=Limits(rows=7))
    assert (len(whole.rows), whole.truncated) == (7, False)
    many = ask(connection, "SELECT * FROM range(5000)", limits=Limits(rows=4096))
    assert (len(many.rows), many.truncated) == (4096, True)


def test_bytes_beyond_the_limit_are_cut_and_said(connection: Connection) -> None:
    sql = "SELECT string_agg(payload, '') FROM evidence, range(2000), range(9) r GROUP BY r.range"
    assert ask(connection, sql, limits=Limits(result_mb=100)).truncated is False
    assert ask(connection, sql, limits=Limits(result_mb=1)).truncated


def test_a_question_that_never_ends_is_stopped(connection: Connection) -> None:
    sql = "SELECT count(*) FROM range(1000000000) a, range(100000) b WHERE a.range * b.range = -1"
    with pytest.raises(LakeError, match="longer than"):
        ask(connection, sql, limits=Limits(seconds=0.3))
    rows = "SELECT a.range FROM range(1000000000) a, range(100) b WHERE a.range * b.range = -1"
    with pytest.raises(LakeError, match="longer than"):
        ask(connection, rows, limits=Limits(seconds=0.3))
    endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t"
    with pytest.raises(LakeError, match="longer than"):
        ask(connection, endless, limits=Limits(seconds=0.3))
    assert ask(connection, "SELECT 1").rows == ((1,),)


def test_a_question_that_eats_memory_is_stopped(world: World) -> None:
    limits = Limits(memory_mb=80)
    with connect(world.lake, limits=limits) as connection:
        sql = "SELECT list(a.range::VARCHAR || b.range) FROM range(20000) a, range(1000) b"
        with pytest.raises(LakeError, match="80 MB"):
            ask(connection, sql, limits=limits)
        doubling = "WITH RECURSIVE t(x) AS (SELECT 'x' UNION ALL SELECT x || x FROM t) FROM t"
        with pytest.raises(LakeError, match="80 MB"):
            ask(connection, doubling, limits=limits)
        assert ask(connection, "SELECT 1").rows == ((1,),)


def test_equal_column_names_stay_apart(connection: Connection) -> None:
    answer = ask(connection, "SELECT 1 AS a, 2 AS a")
    assert (answer.columns, answer.rows) == (("a", "a"), ((1, 2),))


def test_times_come_in_utc(connection: Connection) -> None:
    ((moment,),) = ask(connection, "SELECT min(observed_to) FROM evidence").rows
    assert moment == START
    assert moment.utcoffset() == START.astimezone(UTC).utcoffset()


def test_no_rows_still_have_columns(connection: Connection) -> None:
    answer = ask(connection, "SELECT item_id, kind FROM evidence WHERE false")
    assert (answer.columns, answer.rows) == (("item_id", "kind"), ())
