"""The query and the explanation are two readings of one rule: they may never differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.canonical import canonical, plain
from evidence.model import ControlId
from mappings import asking
from mappings.conditions import (
    COLUMNS,
    RANGES,
    All,
    Condition,
    Exists,
    Field,
    Has,
    Is,
    Like,
    Matches,
    Not,
    Range,
    Some,
)  # fmt: skip
from mappings.patterns import expression
from mappings.rules import Rule, RuleSet, Target

ENGINE = duckdb.connect(config={"threads": 1})
ITEMS = ("item_id", "kind", *COLUMNS, "payload")
HOSTILE = [
    "'; DROP TABLE items; --", "it's", '"', "\\", "\\'", "line\nbreak", "tab\tstop", "nul\x00byte",
    "naïve", "日本語", "🦊", "e\u0301", "\u2028", "a.b", "*", "?", "[x]", "%", "_", "$.a", "null",
    "true", "3", "3.0", "", " ", "gone", "x" * 600, "{}", "[]", "\ufffd", "${jndi:x}", "--", "/*",
]  # fmt: skip
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=6))
rule_texts = texts.filter(lambda t: not any(ord(c) < 32 and c not in "\n\t" for c in t))
numbers = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 1, 3, 0.1, -0.5, 1e300, 5e-324]),
)
KEYS = [
    "a",
    "b",
    "headwater.evaluation",
    "it is",
    "日本",
    "0",
    "x-y",
    "$",
    "a'b",
    "[*]",
    "#",
    "why?",
]
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=6,
)
payloads = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
paths = st.lists(
    st.sampled_from([k for k in KEYS if "'" not in k and "*" not in k]), min_size=1, max_size=3
).map(lambda keys: Field("payload", tuple(keys)))
columns = st.sampled_from(COLUMNS).map(Field)
fields = st.one_of(paths, columns)
globs = st.lists(
    st.one_of(st.just("*"), st.just("?"), rule_texts), min_size=1, max_size=4
).map("".join).filter(lambda g: g.strip("*") != "" and g.count("*") <= 5)  # fmt: skip
PATTERNS = [
    r"[a-z]+", r"v\d+\.\d+", r"(dev|test)-.*", r"\w+", r".+", r"[^a-z]{2,5}", r"x{3,}", r"a(b)?c",
    r"日本.", r"[0-9]{4}-[0-9]{2}", r"'.*", r"\(.\)", r"e.",
]  # fmt: skip
ATOMS = [
    "a", "b", "e", "3", "-", "'", " ", "\u65e5", ".", r"\d", r"\w", r"\.", r"\\", "[a-c]", "[^a-z]",
    r"[\d.]", r"[^\w]", "[x3 ]",
]  # fmt: skip
COUNTS = ["", "*", "+", "?", "{2}", "{1,3}"]
pieces = st.tuples(st.sampled_from(ATOMS), st.sampled_from(COUNTS)).map("".join)
choices = st.builds("({}|{}){}".format, pieces, pieces, st.sampled_from(["", "?"]))


def allowed(pattern: str) -> bool:
    """Whether rules may hold the pattern."""
    try:
        return bool(expression(pattern))
    except ValueError:
        return False


drawn_patterns = st.lists(st.one_of(pieces, choices), min_size=1, max_size=4).map("".join)
patterns = st.one_of(st.sampled_from(PATTERNS), drawn_patterns.filter(allowed))


def leaves() -> st.SearchStrategy[Condition]:
    """One question about one field."""
    scalars = st.one_of(rule_texts, numbers, st.booleans())
    return st.one_of(
        st.builds(Is, paths, st.lists(scalars, min_size=1, max_size=3).map(tuple)),
        st.builds(
            Is, columns, st.lists(rule_texts.filter(bool), min_size=1, max_size=3).map(tuple)
        ),
        st.builds(Range, paths, st.sampled_from(list(RANGES)), numbers.map(float)),
        st.builds(Like, fields, st.lists(globs, min_size=1, max_size=2).map(tuple)),
        st.builds(Matches, fields, patterns),
        st.builds(Has, paths, st.lists(rule_texts, min_size=1, max_size=3).map(tuple)),
        st.builds(Exists, fields),
    )


conditions = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Some(tuple(parts))),
        st.builds(Not, inner),
    ),
    max_leaves=5,
)
column_values = st.one_of(st.none(), texts)
KINDS = [("k",), ("other",), ("other", "k")]
rows = st.fixed_dictionaries(
    {"kind": st.sampled_from(["k", "other", "unread"]), "payload": payloads}
    | {name: column_values for name in COLUMNS}
)
NAMES = ('"iso42001:4.1"', '"4.1"', "4.1")


def rule(
    name: str, when: Condition, *, named: Field | None = None, text: str = "why",
    kinds: Sequence[str] = ("k",),
) -> Rule:  # fmt: skip
    """A rule about items of `kinds` with two controls, the first only by name if `named`."""
    names = NAMES if named else ()
    targets = [
        target
        for kind in kinds
        for target in (
            Target(kind, ControlId("iso42001:4.1"), "policy", "full", text, names),
            Target(kind, ControlId("event:deployment"), "", "", f"{text} {kind}"),
        )
    ]
    return Rule(name, tuple(kinds), when, tuple(targets), named, "f.yaml", 1)


def by_name_alone(made: Rule) -> Rule:
    """The same rule without what it claims of items that name no control."""
    return replace(made, targets=tuple(target for target in made.targets if target.names))


def stored(items: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """Rows as the evidence table holds them: the payload as canonical JSON text."""
    for number, item in enumerate(items):
        text = canonical(plain(item["payload"])).decode()
        yield (f"i{number}", item["kind"], *(item[name] for name in COLUMNS), text)


def run(rules: RuleSet, items: Sequence[Mapping[str, Any]], sql: str = "") -> set[tuple[str, ...]]:
    """What the query engine answers, to its own query unless `sql` is another."""
    columns = ", ".join(f"{name} VARCHAR" for name in ITEMS)
    marks = ", ".join(f"({', '.join('?' * len(ITEMS))})" for _ in items)
    ENGINE.execute(f"CREATE OR REPLACE TABLE items ({columns})")
    ENGINE.execute(f"INSERT INTO items VALUES {marks}", list(chain(*stored(items))))
    answer = ENGINE.execute(sql or rules.sql()).fetchall()
    left = ENGINE.execute("SELECT count(*) FROM items").fetchone()
    assert left == (len(items),)
    assert len(answer) == len(set(answer))
    return set(answer)


def told(rules: RuleSet, items: Sequence[Mapping[str, Any]]) -> set[tuple[str, ...]]:
    """What the explanation says, in the columns of the query."""
    found: set[tuple[str, ...]] = set()
    for values in stored(items):
        row = dict(zip(ITEMS, values, strict=True))
        for match in rules.explain(row).matched:
            for c in match.claims:
                found.add((row["item_id"], c.control, c.evidence, match.rule,
                           c.strength, c.rationale, rules.digest))  # fmt: skip
    return found


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(conditions, st.one_of(st.none(), paths), st.sampled_from(KINDS)),
        min_size=1,
        max_size=6,
    ),
    st.lists(rows, min_size=1, max_size=12),
    rule_texts,
)
def test_query_and_explanation_agree(
    drawn: list[tuple[Condition, Field | None, tuple[str, ...]]],
    items: list[dict[str, Any]], text: str,
) -> None:  # fmt: skip
    made = [
        rule(f"r{n}", when, named=named, text=text, kinds=kinds)
        for n, (when, named, kinds) in enumerate(drawn)
    ]
    made[1::2] = [by_name_alone(one) if one.named else one for one in made[1::2]]
    rules = RuleSet(tuple(made), "d" * 64)
    assert run(rules, items) == told(rules, items)


NAMED = Field("payload", ("controls",))


@pytest.mark.parametrize(
    ("controls", "called"),
    [
        ("4.1", True), (4.1, True), ("iso42001:4.1", True), (["A.2.2", "4.1"], True),
        (["iso42001:4.1", 4.1], True), ("A.4.1", False), ("4.10", False), ([], False),
        (None, False), ([["4.1"]], False), ({"4.1": 1}, False), ('"4.1"', False),
    ],
)  # fmt: skip
def test_an_item_names_its_control_in_the_same_way_to_both(controls: object, called: bool) -> None:
    item = dict.fromkeys(COLUMNS, "") | {"kind": "k", "payload": {"controls": controls}}
    both = rule("r", All(()), named=NAMED)
    for only in (False, True):
        rules = RuleSet((by_name_alone(both) if only else both,), "d")
        found = {row[1] for row in run(rules, [item])}
        assert found == {row[1] for row in told(rules, [item])}
        assert ("iso42001:4.1" in found) is called


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_sampled_patterns_are_ones_that_rules_may_use(pattern: str) -> None:
    assert expression(pattern)


def test_a_type_is_never_guessed() -> None:
    items = [
        dict.fromkeys(COLUMNS, "") | {"kind": "k", "payload": json.loads(f'{{"a": {text}}}')}
        for text in ("3", '"3"', "3.0", "true", "1", '"true"', "null", "[3]")
    ]
    asked: dict[str, Condition] = {
        "number": Is(Field("payload", ("a",)), (3,)), "text": Is(Field("payload", ("a",)), ("3",)),
        "one": Is(Field("payload", ("a",)), (1,)), "flag": Is(Field("payload", ("a",)), (True,)),
    }  # fmt: skip
    rules = RuleSet(tuple(rule(name, when) for name, when in asked.items()), "d")
    answer = run(rules, items)
    assert answer == told(rules, items)
    by_rule = {name: {row[0] for row in answer if row[3] == name} for name in asked}
    assert by_rule == {"number": {"i0", "i2"}, "text": {"i1"}, "one": {"i4"}, "flag": {"i3"}}


def test_many_texts_are_asked_for_in_several_expressions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_LONGEST", 40)
    many = tuple(f"{number}{'x' * 9}" for number in range(12))
    field = Field("payload", ("a",))
    like, has = Like(field, tuple(f"{text}*" for text in many)), Has(field, many)
    rules = RuleSet((rule("like", like), rule("has", has)), "d")
    values: list[object] = [many[0], many[-1], [many[0]], ["y", many[-1]], "z", [[many[0]]]]
    items = [dict.fromkeys(COLUMNS, "") | {"kind": "k", "payload": {"a": v}} for v in values]
    answer = run(rules, items)
    assert answer == told(rules, items)
    assert {row[0] for row in answer} == {"i0", "i1", "i2", "i3"}
    assert rules.sql().count("REGEXP_FULL_MATCH") == 4
