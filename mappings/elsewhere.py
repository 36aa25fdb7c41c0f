"""The rules as one SELECT for engines other than ours, in words that they have in common.

One tree for all of them; what they name differently is asked of `mappings.engines`. DuckDB's own,
in `mappings.compile`, is another shape, made for speed; tests hold their tags together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from evidence.errors import MappingError
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
from mappings.engines import ENGINES, Engine, array, fragment, literal, no_texts
from mappings.patterns import MAX_TEXT
from mappings.sql import COMPARE, and_, func, not_, or_, paren

if TYPE_CHECKING:
    from mappings.rules import Rule, RuleSet

_EMPTY = ("null", '""', "[]", "{}")


def select(rules: RuleSet, dialect: str) -> str:
    """One row per item, control, evidence and rule, over the relation `items`.

    Raises MappingError for a dialect that is not in ENGINES.
    """
    if dialect not in ENGINES:
        known = ", ".join(("duckdb", *ENGINES))
        raise MappingError(f"no query is written in the dialect {dialect!r}; known: {known}")
    return _Query(rules, ENGINES[dialect]).tags().sql(dialect=dialect, copy=False)


class _Query:
    """Reads every place that any rule asks about once per item, then asks the rules."""

    def __init__(self, rules: RuleSet, engine: Engine) -> None:
        self.rules, self.digest, self.engine = rules.rules, rules.digest, engine
        asked = {field for rule in self.rules for field in _fields(rule)}
        self.places = {field: n for n, field in enumerate(sorted(asked, key=str), start=1)}

    def tags(self) -> exp.Expr:
        """The rules that match an item, joined with what they claim."""
        columns = ("control", "evidence", "rule", "strength", "rationale")
        return (
            exp.select(_column("m", "item_id"), *(_column("t", name) for name in columns))
            .select(exp.alias_(literal(self.digest), "mapping_digest"), copy=False)
            .from_(self._matched().subquery("m", copy=False), copy=False)
            .join(_targets(self.rules), on=self._meets(), copy=False)
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
        """The items with what stands at each place, NULL where it is absent: one parse each."""
        parsed = exp.alias_(self.engine.parsed(exp.column("payload")), "parsed")
        read = exp.select("item_id", "kind", *COLUMNS, parsed, copy=False).from_("items")
        places = self.engine.places(exp.column("parsed"), list(self.places))
        return (
            exp.select("item_id", "kind", *COLUMNS)
            .select(exp.alias_(places if self.places else array(()), "places"), copy=False)
            .from_(read.subquery("p", copy=False), copy=False)
        )

    def condition(self, what: Condition) -> exp.Expr:
        """The boolean expression of one condition; never NULL: `not` means what it says."""
        if isinstance(what, All):
            return and_(exp.true(), *(self.condition(part) for part in what.parts))
        if isinstance(what, Some):
            return or_(*(self.condition(part) for part in what.parts))
        if isinstance(what, Not):
            return not_(self.condition(what.part))
        return func("COALESCE", paren(self._leaf(what)), exp.false())

    def _leaf(self, what: Leaf) -> exp.Expr:
        field = what.field
        if isinstance(what, Exists):
            return self._exists(field)
        if isinstance(what, Is):
            return or_(*self._equal(field, what.values))
        if isinstance(what, Range):
            bound = _double(literal(repr(float(what.bound))))
            value = _double(self._text(field))
            return and_(
                self.engine.is_number(self._place(field)),
                COMPARE[what.op](this=value, expression=bound),
            )
        if isinstance(what, Like):
            asked = (self.engine.like(self._text(field), glob) for glob in what.globs)
            return and_(self._is_text(field), or_(*asked))
        if isinstance(what, Matches):
            length = exp.Length(this=self._text(field))
            short = exp.LTE(this=length, expression=exp.Literal.number(MAX_TEXT))
            covers = self.engine.matches(self._text(field), what.pattern)
            return and_(self._is_text(field), short, covers)
        return self.engine.has_one_of(self._place(field), what.texts)

    def _exists(self, field: Field) -> exp.Expr:
        if not field.path:
            return self._text(field).neq(literal(""))
        written = self.engine.written(self._place(field))
        return not_(written.isin(*map(literal, _EMPTY), copy=False))

    def _equal(self, field: Field, values: Sequence[Scalar]) -> Iterator[exp.Expr]:
        if texts := [value for value in values if isinstance(value, str)]:
            if field.path:
                yield self.engine.is_one_of(self._place(field), texts)
            else:
                yield self._text(field).isin(*map(literal, texts), copy=False)
        if numbers := [_double(literal(repr(float(v)))) for v in values if is_number(v)]:
            number = _double(self._text(field)).isin(*numbers, copy=False)
            yield and_(self.engine.is_number(self._place(field)), number)
        if flags := [literal(fragment(value)) for value in values if isinstance(value, bool)]:
            yield self.engine.written(self._place(field)).isin(*flags, copy=False)

    def _is_text(self, field: Field) -> exp.Expr:
        return self.engine.is_text(self._place(field)) if field.path else self._exists(field)

    def _place(self, field: Field) -> exp.Expr:
        return self.engine.place(_column("i", "places"), self.places[field])

    def _text(self, field: Field) -> exp.Expr:
        return self.engine.text(self._place(field)) if field.path else _column("i", field.column)

    def _names(self, field: Field) -> exp.Expr:
        """The JSON texts by which an item names its controls: one scalar, or a list of them."""
        is_list = self.engine.is_list(self._place(field))
        listed = exp.If(this=is_list, true=self.engine.entries(self._place(field)))
        return exp.Case(ifs=[listed], default=array([self.engine.written(self._place(field))]))

    def _meets(self) -> exp.Expr:
        """A target is met by rule and kind; where it goes by name, also by a name of the item."""
        nameless = exp.ArraySize(this=_column("t", "names")).eq(exp.Literal.number(0))
        called = self.engine.overlap(_column("m", "named"), _column("t", "names"))
        return and_(
            _column("t", "rule").eq(_column("m", "rule")),
            _column("t", "kind").eq(_column("m", "kind")),
            or_(nameless, func("COALESCE", called, exp.false())),
        )


def _fields(rule: Rule) -> Iterator[Field]:
    """The places in the payload that a rule asks about."""
    if rule.named:
        yield rule.named
    yield from (leaf.field for leaf in leaves(rule.when) if leaf.field.path)


def _case(branches: Iterable[tuple[Rule, exp.Expr]], default: exp.Expr | None) -> exp.Expr:
    ifs = [exp.If(this=literal(rule.name), true=result) for rule, result in branches]
    empty = default or no_texts()
    return exp.Case(this=_column("c", "rule"), ifs=ifs, default=empty) if ifs else empty


def _candidates(rules: Sequence[Rule]) -> exp.Expr:
    rows = [[literal(rule.name), literal(kind)] for rule in rules for kind in rule.kinds]
    return _values(rows, "c", ("rule", "kind"))


def _targets(rules: Sequence[Rule]) -> exp.Expr:
    rows = [
        [
            *(literal(text) for text in (rule.name, t.kind, t.control, t.evidence)),
            *(literal(text) for text in (t.strength, t.rationale)),
            array(literal(name) for name in t.names),
        ]
        for rule in rules
        for t in rule.targets
    ]
    names = ("rule", "kind", "control", "evidence", "strength", "rationale", "names")
    return _values(rows, "t", names)


def _values(rows: list[list[exp.Expr]], name: str, columns: Sequence[str]) -> exp.Expr:
    alias = exp.TableAlias(this=exp.to_identifier(name), columns=[*map(exp.to_identifier, columns)])
    return exp.Values(expressions=[exp.Tuple(expressions=row) for row in rows], alias=alias)


def _column(table: str, name: str) -> exp.Column:
    return exp.column(name, table=table)


def _double(value: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=value, to=exp.DataType.build("DOUBLE"))
