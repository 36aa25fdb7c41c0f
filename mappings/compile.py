"""Rules as one set-based SELECT, built as a syntax tree: no text of a rule is pasted into SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from sqlglot import exp

from mappings import elsewhere
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
    leaves,
)
from mappings.patterns import MAX_TEXT, glob_expression

if TYPE_CHECKING:
    from mappings.rules import Rule, RuleSet, Target

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
    """One row per item, control, evidence and rule, over the relation `items`.

    Raises MappingError for a dialect that no engine we know speaks.
    """
    if dialect != "duckdb":
        return elsewhere.select(rules, dialect)
    return _tags(rules).sql(dialect=dialect, copy=False)


def asked(rule: Rule) -> Iterator[Field]:
    """The columns and the places in the payload that a rule asks about."""
    if rule.named:
        yield rule.named
    yield from (leaf.field for leaf in leaves(rule.when))


def _tags(rules: RuleSet) -> exp.Expr:
    """The numbers of the claims that hold for an item, joined with what they say."""
    kinds, claims = _kinds(rules.rules), _Claims()
    columns = ("control", "evidence", "rule", "strength", "rationale")
    made = _claimed(kinds, claims).subquery("m", copy=False)
    says = _values(claims.rows, "t", ("claim", *columns, "place", "names"))
    return (
        exp.select(_column("m", "item_id"), *(_column("t", name) for name in columns))
        .select(exp.alias_(_text(rules.digest), "mapping_digest"), copy=False)
        .from_(made, copy=False)
        .join(says, on=_meets(), copy=False)
    )


def _claimed(kinds: Mapping[str, _Kind], claims: _Claims) -> exp.Select:
    """A row for each rule of an item's kind: the number of what it claims, NULL if it does not.

    Unnested where it is selected: as a join it costs twice the rest.
    """
    held = {kind: own.claims(claims) for kind, own in kinds.items()}
    each = exp.Explode(this=_by_kind(_column("i", "kind"), held))
    return (
        exp.select(_column("i", "item_id"), _column("i", "places"), exp.alias_(each, "claim"))
        .from_(_items(kinds).subquery("i", copy=False), copy=False)
    )  # fmt: skip


def _meets() -> exp.Expr:
    """A claim is met by its number, and where an item has to name the control also by that."""
    place = _call("LIST_EXTRACT", _column("m", "places"), _column("t", "place"))
    called = _call("LIST_HAS_ANY", _names(place), _column("t", "names"))
    return _and(
        _column("m", "claim").eq(_column("t", "claim")),
        _or(_column("t", "place").eq(_number(0)), called),
    )


def _names(place: exp.Expr) -> exp.Expr:
    """The JSON texts by which an item names its controls: one scalar, or a list of them."""
    listed = exp.If(this=_is(place, "ARRAY"), true=_entries(place.copy()))
    return exp.Case(ifs=[listed], default=_array([place.copy()]))


def _kinds(rules: Iterable[Rule]) -> dict[str, _Kind]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        for kind in rule.kinds:
            found.setdefault(kind, []).append(rule)
    return {kind: _Kind(kind, own) for kind, own in found.items()}


def _items(kinds: Mapping[str, _Kind]) -> exp.Select:
    """The items with the JSON texts of the places that rules of their kind ask about."""
    read = {kind: own.read() for kind, own in kinds.items() if own.places}
    return (
        exp.select("item_id", "kind", *COLUMNS)
        .select(exp.alias_(_by_kind(exp.column("kind"), read), "places"), copy=False)
        .from_("items")
    )


class _Kind:
    """The rules for one kind of item: what they ask, over the places that they name."""

    def __init__(self, kind: str, rules: Sequence[Rule]) -> None:
        self.kind, self.rules = kind, rules
        fields = {field for rule in rules for field in asked(rule) if field.path}
        self.places = {field: n for n, field in enumerate(sorted(fields, key=str), start=1)}

    def read(self) -> exp.Expr:
        """The JSON text of each place, NULL where it is absent: the payload is parsed once."""
        paths = exp.Array(expressions=[_text(_path(field)) for field in self.places])
        return _list(_call("JSON_EXTRACT", exp.column("payload"), paths))

    def claims(self, numbers: _Claims) -> exp.Expr:
        """The numbers of the claims whose rule holds for an item, NULL for each that does not."""
        return exp.Array(expressions=[self._claim(rule, numbers) for rule in self.rules])

    def _claim(self, rule: Rule, numbers: _Claims) -> exp.Expr:
        targets = [target for target in rule.targets if target.kind == self.kind]
        place = self.places[rule.named] if rule.named else len(self.places) + 1  # nowhere
        number = numbers.of(rule.name, targets, place)
        return exp.Case(ifs=[exp.If(this=self.condition(rule.when), true=number)])

    def condition(self, what: Condition, *, known: bool = False) -> exp.Expr:
        """The boolean expression of one condition: true where it holds.

        Elsewhere false or NULL; with `known` false alone: `not` means what it says.
        """
        if isinstance(what, All):
            return _and(exp.true(), *(self.condition(part, known=known) for part in what.parts))
        if isinstance(what, Some):
            return _or(*(self.condition(part, known=known) for part in what.parts))
        if isinstance(what, Not):
            return _not(self.condition(what.part, known=True))
        leaf = _paren(self._leaf(what))
        return _func("COALESCE", leaf, exp.false()) if known else leaf

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
            short = exp.LTE(this=length, expression=_number(MAX_TEXT))
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
        return _is(self._place(field), *types)

    def _place(self, field: Field) -> exp.Expr:
        return _call("LIST_EXTRACT", _column("i", "places"), _number(self.places[field]))

    def _string(self, field: Field) -> exp.Expr:
        if not field.path:
            return _column("i", field.column)
        return _call("JSON_EXTRACT_STRING", self._place(field), _text("$"))

    def _entries(self, field: Field) -> exp.Expr:
        return _entries(self._place(field))


@dataclass(slots=True)
class _Claims:
    """What is claimed, by numbers: a row a target.

    `place` is where an item names the control by one of `names`; 0 where it need not.
    """

    rows: list[list[exp.Expr]] = field(default_factory=list)
    last: int = 0

    def of(self, rule: str, targets: Iterable[Target], place: int) -> exp.Expr:
        """The number under which these targets of a rule are claimed together."""
        self.last += 1
        for target in targets:
            told = (target.control, target.evidence, rule, target.strength, target.rationale)
            where = _number(place if target.names else 0)
            names = _array(map(_text, target.names))
            self.rows.append([_number(self.last), *map(_text, told), where, names])
        return _number(self.last)


def _is(place: exp.Expr, *types: str) -> exp.Expr:
    """That a place in the payload holds one of the JSON types."""
    return _call("JSON_TYPE", place).isin(*map(_text, types), copy=False)


def _entries(place: exp.Expr) -> exp.Expr:
    return _list(_call("JSON_EXTRACT", place, _text("$[*]")))


def fragment(value: object) -> str:
    """JSON text of a scalar as both the canonical payload and the query engine write it."""
    return json.dumps(value, ensure_ascii=False)


def _by_kind(column: exp.Expr, made: Mapping[str, exp.Expr]) -> exp.Expr:
    """What is made of an item of each kind; each branch reads the items of its own kind alone."""
    ifs = [exp.If(this=_text(kind), true=expression) for kind, expression in made.items()]
    return exp.Case(this=column, ifs=ifs) if ifs else exp.null()


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


def _number(number: int) -> exp.Expr:
    return exp.Literal.number(number)


def _double(value: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=value, to=exp.DataType.build("DOUBLE"))


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))
