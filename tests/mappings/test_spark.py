"""A real Spark gives the tags that DuckDB gives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.errors import MappingError
from evidence.model import ControlId
from mappings.catalogue import HERE
from mappings.conditions import All, Condition, Exists, Field, Is, Like, Not, Range
from mappings.nodes import read
from mappings.rules import RULES, Rule, RuleSet, Target, load_rules
from tests.mappings.test_agreement import (
    ITEMS,
    conditions,
    paths,
    rows,
    rule,
    rule_texts,
    run,
    stored,
)
from tests.mappings.test_shipped import examples

Items = Sequence[Mapping[str, Any]]
Tags = set[tuple[str, ...]]
PYTHON = Path(__file__).parents[2] / ".spark" / "bin" / "python"
SESSION = Path(__file__).parent / "spark_session.py"
LAKE = Path(__file__).parents[1] / "storage" / "fixtures" / "lake-1" / "lake" / "evidence"


class Spark:
    """A session in a process of its own that reads Parquet files as the relation `items`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [PYTHON, SESSION, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, text=True, env=_environment(),
            )  # fmt: skip

    def tags(self, rules: RuleSet, items: Items) -> Tags:
        columns = list(zip(*stored(items), strict=True))
        table = pa.table([pa.array(c, pa.string()) for c in columns], names=list(ITEMS))
        path = self.folder / "items.parquet"
        pq.write_table(table, path)
        return self.over(rules, [str(path)])

    def over(self, rules: RuleSet, files: list[str]) -> Tags:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([files, rules.sql("spark")]), file=self.process.stdin, flush=True)
        told = self.process.stdout.readline()
        assert told, (self.folder / "log").read_text()[-4000:]
        found = [tuple(row) for row in json.loads(told)]
        assert len(found) == len(set(found))
        return set(found)

    def close(self) -> None:
        with self.process as process:
            assert process.stdin is not None
            process.stdin.close()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    if not PYTHON.exists() or shutil.which("java") is None:
        pytest.skip("opt-in: needs Java 17 or later and Spark, HEADWATER_SPARK=1 make dev")
    made = Spark(tmp_path_factory.mktemp("spark"))
    try:
        yield made
    finally:
        made.close()


@pytest.mark.spark
def test_spark_tags_every_example_as_duckdb_does(spark: Spark) -> None:
    rules = load_rules()
    known = examples(rules, [read(path, root=HERE) for path in sorted(RULES.glob("*.yaml"))])
    items = [dict.fromkeys(ITEMS[2:-1], "") | row for _, _, row in known.values()]
    assert spark.tags(rules, items) == run(rules, items)


@pytest.mark.spark
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    st.lists(st.tuples(conditions, st.one_of(st.none(), paths)), min_size=8, max_size=16),
    st.lists(rows, min_size=20, max_size=40),
    rule_texts,
)
def test_spark_tags_whatever_duckdb_tags(
    spark: Spark, drawn: list[tuple[Condition, Field | None]], items: Items, text: str
) -> None:
    made = [rule(f"r{n}", when, named=named, text=text) for n, (when, named) in enumerate(drawn)]
    rules = RuleSet(tuple(made), "d" * 64)
    assert spark.tags(rules, items) == run(rules, items)


def disputed() -> RuleSet:
    """Rules for the kept lake, about what writers and readers of JSON disagree about."""
    place = {
        name: Field("payload", (name,)) for name in ("large", "tiny", "text", "number", "\ufb00")
    }
    asked: dict[str, Condition] = {
        "large": Range(place["large"], "gte", 1e21), "tiny": Is(place["tiny"], (5e-324,)),
        "number": Is(place["number"], (3,)), "digits": Is(place["number"], ("3",)),
        "text": Is(place["text"], ('a "b" \\ \u2028 \x01 \u00e4 \U0001f600',)),
        "text-like": Like(place["text"], ("a*\\\\*\U0001f600", "a*?*\U0001f600")),
        "null": Not(Exists(place["\ufb00"])), "astral": Exists(Field("payload", ("\U0001f600",))),
        "inside": Exists(Field("payload", ("nested", "z"))),
        "nothing": Exists(Field("payload", ("nested", "a"))),
        "column": All((Like(Field("title"), ("Item ?: *",)), Is(Field("outcome"), ("failed",)))),
    }  # fmt: skip
    kinds = ("jira.issue", "mlflow.run", "cloudtrail.event")
    targets = tuple(
        Target(kind, ControlId("iso42001:4.1"), "policy", "full", "x") for kind in kinds
    )
    made = (Rule(name, kinds, when, targets, None, "f", 1) for name, when in asked.items())
    return RuleSet(tuple(made), "d" * 64)


@pytest.mark.spark
def test_spark_tags_the_rows_of_a_lake(spark: Spark) -> None:
    rules = disputed()
    files = deltalake.DeltaTable(str(LAKE)).file_uris()
    with duckdb.connect() as engine:
        engine.read_parquet(files).create_view("items")
        wanted = set(engine.execute(rules.sql()).fetchall())
    speak = {row[3] for row in wanted}
    assert speak == {rule.name for rule in rules.rules} - {"digits", "nothing"}
    assert spark.over(rules, files) == wanted


@pytest.mark.parametrize("dialect", ["sqlite", "", "Spark", "postgres"])
def test_a_dialect_that_no_engine_of_ours_speaks_is_refused(dialect: str) -> None:
    with pytest.raises(MappingError, match="known: duckdb, spark, trino"):
        load_rules().sql(dialect)
