"""Rules as one set-based SELECT, built as a syntax tree: no text of a rule is pasted into SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from sqlglot import exp

from mappings.conditions import (
    COLUMNS,
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

# Each node is made for one place in the tree; with copies, every step would copy all below it.
_and = partial(exp.and_, copy=False)
_or = partial(exp.or_, copy=False)
_not = partial(exp.not_, copy=False)
_func = partial(exp.func, copy=False)
_paren = partial(exp.paren, copy=False)
_cast = partial(exp.cast, copy=False)
_TEXTS = exp.DataType.build("VARCHAR[]", dialect="duckdb")
_NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE")
_COMPARE: Mapping[str, type[exp.Binary]] = {
    "gt": exp.GT, "gte": exp.GTE, "lt": exp.LT, "lte": exp.LTE,
}  # fmt: skip


def select(rules: RuleSet, dialect: str) -> str:
    """One row per item, control, evidence and rule, over the relation `items`."""
    return _Query(rules).tags().sql(dialect=dialect, copy=False)


class _Query:
    """Reads every place that any rule asks about once per item, then asks the rules."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules, self.digest = rules.rules, rules.digest
        asked = {field for rule in self.rules for field in _fields(rule)}
        self.places = {field: n for n, field in enumerate(sorted(asked, key=str), start=1)}

    def tags(self) -> exp.Expr:
        """The rules that match an item, joined with what they claim."""
        columns = ("control", "evidence", "rule", "strength", "rationale")
        return (
            exp.select(_column("m", "item_id"), *(_column("t", name) for name in columns))
            .select(exp.alias_(_text(self.digest), "mapping_digest"), copy=False)
            .from_(self._matched().subquery("m", copy=False), copy=False)
            .join(_targets(self.rules), on=_meets(), copy=False)
        )

    def _matched(self) -> exp.Select:
        named = [(rule, self._names(rule.named)) for rule in self.rules if rule.named]
        asked = ((rule, self.condition(rule.when)) for rule in self.rules)
        same_kind = _column("c", "kind").eq(_column("i", "kind"))
        return (
            exp.select(_column("i", "item_id"), _column("i", "kind"), _column("c", "rule"))
            .select(exp.alias_(_case(named, None), "named"), copy=False)
            .from_(self._items().subquery("i", copy=False), copy=False)
            .join(_candidates(self.rules), on=same_kind, copy=False)
            .where(_case(asked, exp.false()), copy=False)
        )

    def _items(self) -> exp.Select:
        """The items with the JSON text of each place, NULL where it is absent: one parse each."""
        paths = exp.Array(expressions=[_text(_path(field)) for field in self.places])
        places = _list(_call("JSON_EXTRACT", exp.column("payload"), paths)) if self.places else None
        return (
            exp.select("item_id", "kind", *COLUMNS)
            .select(exp.alias_(places or _array(()), "places"), copy=False)
            .from_("items")
        )

    def condition(self, what: Condition) -> exp.Expr:
        """The boolean expression of one condition; never NULL: `not` means what it says."""
        if isinstance(what, All):
            return _and(exp.true(), *(self.condition(part) for part in what.parts))
        if isinstance(what, Some):
            return _or(*(self.condition(part) for part in what.parts))
        if isinstance(what, Not):
            return _not(self.condition(what.part))
        return _func("COALESCE", _paren(self._leaf(what)), exp.false())

    def _leaf(self, what: Leaf) -> exp.Expr:
        field = what.field
        if isinstance(what, Exists):
            return self._exists(field)
        if isinstance(what, Is):
            return _or(*self._equal(field, what.values))
        if isinstance(what, Range):
            bound = _double(_text(repr(float(what.bound))))
            value = _double(self._string(field))
            return _and(
                self._typed(field, *_NUMBERS), _COMPARE[what.op](this=value, expression=bound)
            )
        if isinstance(what, Like):
            return _or(*(self._covers(field, glob_expression(glob)) for glob in what.globs))
        if isinstance(what, Matches):
            length = exp.Length(this=self._string(field))
            short = exp.LTE(this=length, expression=exp.Literal.number(MAX_TEXT))
            return _and(short, self._covers(field, what.pattern))
        wanted = _array(_text(fragment(text)) for text in what.texts)
        return _and(
            self._typed(field, "ARRAY"), _call("LIST_HAS_ANY", self._entries(field), wanted)
        )

    def _exists(self, field: Field) -> exp.Expr:
        if not field.path:
            return self._string(field).neq(_text(""))
        empty = (_text(nothing) for nothing in ("null", '""', "[]", "{}"))
        return _not(self._place(field).isin(*empty, copy=False))

    def _equal(self, field: Field, values: Sequence[Scalar]) -> Iterator[exp.Expr]:
        if texts := [value for value in values if isinstance(value, str)]:
            place = self._place(field) if field.path else self._string(field)
            found = (_text(fragment(t) if field.path else t) for t in texts)
            yield place.isin(*found, copy=False)
        if numbers := [_double(_text(repr(float(v)))) for v in values if is_number(v)]:
            number = _double(self._string(field))
            yield _and(self._typed(field, *_NUMBERS), number.isin(*numbers, copy=False))
        if flags := [_text(fragment(value)) for value in values if isinstance(value, bool)]:
            yield self._place(field).isin(*flags, copy=False)

    def _covers(self, field: Field, pattern: str) -> exp.Expr:
        match = _call("REGEXP_FULL_MATCH", self._string(field), _text(pattern), _text("s"))
        known = self._typed(field, "VARCHAR") if field.path else self._exists(field)
        return _and(known, match)

    def _typed(self, field: Field, *types: str) -> exp.Expr:
        """That a place in the payload holds one of the JSON types."""
        names = map(_text, types)
        return _call("JSON_TYPE", self._place(field)).isin(*names, copy=False)

    def _place(self, field: Field) -> exp.Expr:
        number = exp.Literal.number(self.places[field])
        return _call("LIST_EXTRACT", _column("i", "places"), number)

    def _string(self, field: Field) -> exp.Expr:
        if not field.path:
            return _column("i", field.column)
        return _call("JSON_EXTRACT_STRING", self._place(field), _text("$"))

    def _entries(self, field: Field) -> exp.Expr:
        return _list(_call("JSON_EXTRACT", self._place(field), _text("$[*]")))

    def _names(self, field: Field) -> exp.Expr:
        """The JSON texts by which an item names its controls: one scalar, or a list of them."""
        listed = exp.If(this=self._typed(field, "ARRAY"), true=self._entries(field))
        return exp.Case(ifs=[listed], default=_array([self._place(field)]))


def _fields(rule: Rule) -> Iterator[Field]:
    """The places in the payload that a rule asks about."""
    if rule.named:
        yield rule.named
    parts = [rule.when]
    while parts:
        part = parts.pop()
        if isinstance(part, All | Some):
            parts.extend(part.parts)
        elif isinstance(part, Not):
            parts.append(part.part)
        elif part.field.path:
            yield part.field


def fragment(value: object) -> str:
    """JSON text of a scalar as both the canonical payload and the query engine write it."""
    return json.dumps(value, ensure_ascii=False)


def _case(branches: Iterable[tuple[Rule, exp.Expr]], default: exp.Expr | None) -> exp.Expr:
    ifs = [exp.If(this=_text(rule.name), true=result) for rule, result in branches]
    empty = default or _list(exp.null())
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
    return _and(
        _column("t", "rule").eq(_column("m", "rule")),
        _column("t", "kind").eq(_column("m", "kind")),
        _or(nameless, _func("COALESCE", called, exp.false())),
    )


def _values(rows: list[list[exp.Expr]], name: str, columns: Sequence[str]) -> exp.Expr:
    alias = exp.TableAlias(this=exp.to_identifier(name), columns=[*map(exp.to_identifier, columns)])
    return exp.Values(expressions=[exp.Tuple(expressions=row) for row in rows], alias=alias)


def _path(field: Field) -> str:
    return "$" + "".join(f'."{key}"' for key in field.path)


def _list(value: exp.Expr) -> exp.Expr:
    return _cast(value, _TEXTS.copy())


def _column(table: str, name: str) -> exp.Column:
    return exp.column(name, table=table)


def _text(text: str) -> exp.Expr:
    return exp.Literal.string(text)


def _array(entries: Iterable[exp.Expr]) -> exp.Expr:
    return _list(exp.Array(expressions=list(entries)))


def _double(value: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=value, to=exp.DataType.build("DOUBLE"))


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))
