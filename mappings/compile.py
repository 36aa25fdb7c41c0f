"""Rules as one set-based SELECT, built as a syntax tree: no text of a rule is pasted into SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from mappings.conditions import (
    All,
    Condition,
    Exists,
    Field,
    Is,
    Leaf,
    Like,
    Matches,
    Not,
    Range,
    Scalar,
    Some,
    is_number,
)
from mappings.patterns import MAX_TEXT, glob_expression

if TYPE_CHECKING:
    from mappings.rules import Rule, RuleSet

_NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE")
_COMPARE: Mapping[str, type[exp.Binary]] = {
    "gt": exp.GT, "gte": exp.GTE, "lt": exp.LT, "lte": exp.LTE,
}  # fmt: skip


def select(rules: RuleSet, dialect: str) -> str:
    """One row per item, control, evidence and rule, over the relation `items`."""
    named = [rule for rule in rules.rules if rule.named]
    matched = (
        exp.select(_column("i", "item_id"), _column("i", "kind"), _column("c", "rule"))
        .select(exp.alias_(_case(((r, _names(r.named)) for r in named if r.named), None), "named"))
        .from_(exp.alias_(exp.to_table("items"), "i", table=True))
        .join(_candidates(rules.rules), on=_column("c", "kind").eq(_column("i", "kind")))
        .where(_case(((rule, condition(rule.when)) for rule in rules.rules), exp.false()))
    )
    tags = ("control", "evidence", "rule", "strength", "rationale")
    query = (
        exp.select(_column("m", "item_id"), *(_column("t", name) for name in tags))
        .select(exp.alias_(_text(rules.digest), "mapping_digest"))
        .from_(matched.subquery("m"))
        .join(_targets(rules.rules), on=_meets())
    )
    return query.sql(dialect=dialect)


def condition(what: Condition) -> exp.Expr:
    """The boolean expression of one condition; never NULL, so that `not` means what it says."""
    if isinstance(what, All):
        return exp.and_(exp.true(), *(condition(part) for part in what.parts))
    if isinstance(what, Some):
        return exp.or_(*(condition(part) for part in what.parts))
    if isinstance(what, Not):
        return exp.not_(condition(what.part))
    return exp.func("COALESCE", exp.paren(_leaf(what)), exp.false())


def _leaf(what: Leaf) -> exp.Expr:
    if isinstance(what, Exists):
        return _exists(what.field)
    if isinstance(what, Is):
        return exp.or_(*_equal(what.field, what.values))
    if isinstance(what, Range):
        bound = _double(_text(repr(float(what.bound))))
        return exp.and_(
            _typed(what.field, *_NUMBERS),
            _COMPARE[what.op](this=_double(_string(what.field)), expression=bound),
        )
    if isinstance(what, Like):
        return exp.or_(*(_covers(what.field, glob_expression(glob)) for glob in what.globs))
    if isinstance(what, Matches):
        length = exp.Length(this=_string(what.field))
        short = exp.LTE(this=length, expression=exp.Literal.number(MAX_TEXT))
        return exp.and_(short, _covers(what.field, what.pattern))
    wanted = _array(_text(fragment(text)) for text in what.texts)
    return exp.and_(
        _typed(what.field, "ARRAY"), _call("LIST_HAS_ANY", _entries(what.field), wanted)
    )


def fragment(value: object) -> str:
    """JSON text of a scalar as both the canonical payload and the query engine write it."""
    return json.dumps(value, ensure_ascii=False)


def _exists(field: Field) -> exp.Expr:
    if not field.path:
        return _string(field).neq(_text(""))
    value = exp.cast(_call("JSON_EXTRACT", _payload(), _path(field)), "VARCHAR")
    return exp.not_(value.isin(*(_text(empty) for empty in ("null", '""', "[]", "{}"))))


def _equal(field: Field, values: Sequence[Scalar]) -> Iterator[exp.Expr]:
    if texts := [_text(value) for value in values if isinstance(value, str)]:
        yield exp.and_(_typed(field, "VARCHAR"), _string(field).isin(*texts))
    if numbers := [_double(_text(repr(float(v)))) for v in values if is_number(v)]:
        yield exp.and_(_typed(field, *_NUMBERS), _double(_string(field)).isin(*numbers))
    if flags := [_text(fragment(value)) for value in values if isinstance(value, bool)]:
        yield exp.and_(_typed(field, "BOOLEAN"), _string(field).isin(*flags))


def _covers(field: Field, pattern: str) -> exp.Expr:
    match = _call("REGEXP_FULL_MATCH", _string(field), _text(pattern), _text("s"))
    filled = exp.true() if field.path else _exists(field)
    return exp.and_(_typed(field, "VARCHAR"), filled, match)


def _typed(field: Field, *types: str) -> exp.Expr:
    """That a place in the payload holds one of the JSON types; columns are always text."""
    if not field.path:
        return exp.true() if "VARCHAR" in types else exp.false()
    return _call("JSON_TYPE", _payload(), _path(field)).isin(*(_text(name) for name in types))


def _string(field: Field) -> exp.Expr:
    if not field.path:
        return _column("i", field.column)
    return _call("JSON_EXTRACT_STRING", _payload(), _path(field))


def _entries(field: Field) -> exp.Expr:
    entries = _call("JSON_EXTRACT", _payload(), _path(field, "[*]"))
    return exp.cast(entries, exp.DataType.build("VARCHAR[]", dialect="duckdb"))


def _names(field: Field) -> exp.Expr:
    """The JSON fragments by which an item names its controls: one scalar, or a list of them."""
    one = exp.cast(_call("JSON_EXTRACT", _payload(), _path(field)), "VARCHAR")
    listed = exp.If(this=_typed(field, "ARRAY"), true=_entries(field))
    return exp.Case(ifs=[listed], default=_array([one]))


def _case(branches: Iterable[tuple[Rule, exp.Expr]], default: exp.Expr | None) -> exp.Expr:
    ifs = [exp.If(this=_text(rule.name), true=result) for rule, result in branches]
    empty = default or exp.cast(exp.null(), exp.DataType.build("VARCHAR[]", dialect="duckdb"))
    return exp.Case(this=_column("c", "rule"), ifs=ifs, default=empty) if ifs else empty


def _candidates(rules: Sequence[Rule]) -> exp.Expr:
    rows = [[_text(rule.name), _text(kind)] for rule in rules for kind in rule.kinds]
    return _values(rows, "c", ("rule", "kind"))


def _targets(rules: Sequence[Rule]) -> exp.Expr:
    rows = [
        [
            *(_text(text) for text in (rule.name, t.kind, t.control, t.evidence)),
            *(_text(text) for text in (t.strength, t.rationale)),
            _array(_text(name) for name in t.names),
        ]
        for rule in rules
        for t in rule.targets
    ]
    names = ("rule", "kind", "control", "evidence", "strength", "rationale", "names")
    return _values(rows, "t", names)


def _meets() -> exp.Expr:
    """A target is met by rule and kind, and where it goes by name also by a name of the item."""
    nameless = exp.Length(this=_column("t", "names")).eq(exp.Literal.number(0))
    called = _call("LIST_HAS_ANY", _column("m", "named"), _column("t", "names"))
    return exp.and_(
        _column("t", "rule").eq(_column("m", "rule")),
        _column("t", "kind").eq(_column("m", "kind")),
        exp.or_(nameless, exp.func("COALESCE", called, exp.false())),
    )


def _values(rows: list[list[exp.Expr]], name: str, columns: Sequence[str]) -> exp.Expr:
    alias = exp.TableAlias(this=exp.to_identifier(name), columns=[*map(exp.to_identifier, columns)])
    return exp.Values(expressions=[exp.Tuple(expressions=row) for row in rows], alias=alias)


def _path(field: Field, end: str = "") -> exp.Expr:
    return _text("$" + "".join(f'."{key}"' for key in field.path) + end)


def _payload() -> exp.Expr:
    return _column("i", "payload")


def _column(table: str, name: str) -> exp.Column:
    return exp.column(name, table=table)


def _text(text: str) -> exp.Expr:
    return exp.Literal.string(text)


def _array(entries: Iterable[exp.Expr]) -> exp.Expr:
    return exp.cast(
        exp.Array(expressions=list(entries)), exp.DataType.build("VARCHAR[]", dialect="duckdb")
    )


def _double(value: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=value, to=exp.DataType.build("DOUBLE"))


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))
