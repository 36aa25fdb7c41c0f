"""What Trino would be given: words of its manual only, and translated for DuckDB the same tags.

sqlglot reads the text as Trino's dialect and translates it. So this shows what the query says, not
how Trino itself reads JSON and text: none of our machines reaches a Trino.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import deltalake
import duckdb
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from mappings.catalogue import HERE
from mappings.conditions import Condition, Field
from mappings.nodes import read
from mappings.rules import RULES, RuleSet, load_rules
from tests.mappings.test_agreement import ITEMS, conditions, paths, rows, rule, rule_texts, run
from tests.mappings.test_shipped import examples
from tests.mappings.test_spark import LAKE, disputed

WORDS = {
    "any_match", "array", "arrays_overlap", "cardinality", "cast", "coalesce", "element_at",
    "json_extract", "json_extract_scalar", "json_format", "json_parse", "length", "regexp_like",
    "substr", "transform", "try", "try_cast",
    "and", "as", "c", "from", "in", "join", "not", "on", "or", "t", "then", "values", "when",
    "where",
}  # fmt: skip
"""What may stand before a bracket: functions of Trino's manual, keywords, our two lists."""


def translated(rules: RuleSet) -> str:
    """Trino's query in DuckDB's words; the two functions that sqlglot leaves as they are, too."""

    def word(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Anonymous):
            return node
        if node.name == "ANY_MATCH":
            found = exp.Anonymous(this="LIST_FILTER", expressions=node.expressions)
            return exp.GT(
                this=exp.Anonymous(this="LEN", expressions=[found]),
                expression=exp.Literal.number(0),
            )
        assert node.name == "ARRAYS_OVERLAP"
        return exp.Anonymous(this="LIST_HAS_ANY", expressions=node.expressions)

    read_back = sqlglot.parse_one(rules.sql("trino"), dialect="trino")
    return read_back.transform(word).sql(dialect="duckdb")


def test_trino_is_given_only_functions_of_its_manual() -> None:
    words = sqlglot.tokenize(load_rules().sql("trino"), dialect="trino")
    called = {w.text.lower() for w, after in pairwise(words) if after.text == "("}
    assert {word for word in called if word.isidentifier()} <= WORDS


def test_the_query_for_trino_tags_every_example_as_our_own_does() -> None:
    rules = load_rules()
    known = examples(rules, [read(path, root=HERE) for path in sorted(RULES.glob("*.yaml"))])
    items = [dict.fromkeys(ITEMS[2:-1], "") | row for _, _, row in known.values()]
    found = run(rules, items)
    assert {row[3] for row in found} == {rule.name for rule in rules.rules}
    assert run(rules, items, translated(rules)) == found


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    st.lists(st.tuples(conditions, st.one_of(st.none(), paths)), min_size=1, max_size=6),
    st.lists(rows, min_size=1, max_size=12),
    rule_texts,
)
def test_the_query_for_trino_tags_whatever_our_own_tags(
    drawn: list[tuple[Condition, Field | None]], items: Sequence[Mapping[str, Any]], text: str
) -> None:
    made = [rule(f"r{n}", when, named=named, text=text) for n, (when, named) in enumerate(drawn)]
    rules = RuleSet(tuple(made), "d" * 64)
    assert run(rules, items, translated(rules)) == run(rules, items)


def test_the_query_for_trino_tags_the_rows_of_a_lake() -> None:
    rules = disputed()
    with duckdb.connect() as engine:
        engine.read_parquet(deltalake.DeltaTable(str(LAKE)).file_uris()).create_view("items")
        wanted = set(engine.execute(rules.sql()).fetchall())
        assert set(engine.execute(translated(rules)).fetchall()) == wanted
    assert wanted
