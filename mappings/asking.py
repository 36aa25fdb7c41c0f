"""What rules ask of an item, as expressions for DuckDB over its columns and places.

A *place* is the JSON text of what stands at a path of the payload, NULL where it is absent, in the
column `i.place_N`. The engine writes it without spaces, so its first sign tells what it holds, and
most questions are answered without parsing it once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

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
from mappings.engines import fragment
from mappings.patterns import MAX_TEXT, glob_expression, literal_expression
from mappings.sql import COMPARE, TEXTS, and_, cast, func, not_, or_, paren

_LONGEST = 10_000
"""The engine refuses an expression that is a hundred times as long."""


class Asking:
    """Conditions over an item that has these fields of the payload as its places."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.places = {field: n for n, field in enumerate(sorted(fields, key=str), start=1)}

    def read(self) -> exp.Expr:
        """The JSON text of each place, NULL where it is absent: the payload is parsed once."""
        paths = exp.Array(expressions=[text(_path(field)) for field in self.places])
        return _list(call("JSON_EXTRACT", exp.column("payload"), paths))

    def condition(self, what: Condition, *, known: bool = False) -> exp.Expr:
        """The boolean expression of one condition: true where it holds.

        Elsewhere false or NULL; with `known` false alone: `not` means what it says.
        """
        if isinstance(what, All):
            return and_(exp.true(), *(self.condition(part, known=known) for part in what.parts))
        if isinstance(what, Some):
            return or_(*(self.condition(part, known=known) for part in what.parts))
        if isinstance(what, Not) and isinstance(what.part, Is) and _as_text(what.part):
            return and_(*self._differs(what.part))
        if isinstance(what, Not):
            return not_(self.condition(what.part, known=True))
        leaf = paren(self._leaf(what))
        return func("COALESCE", leaf, exp.false()) if known else leaf

    def names(self, field: Field, names: Sequence[str]) -> exp.Expr:
        """That a place is one of the JSON texts, or a list that has one."""
        one = self._place(field).isin(*map(text, names), copy=False)
        return paren(or_(one, self._has(field, names)))

    def _leaf(self, what: Leaf) -> exp.Expr:
        field = what.field
        if isinstance(what, Exists):
            return self._exists(field)
        if isinstance(what, Is):
            return or_(*self._equal(field, what.values))
        if isinstance(what, Range):
            bound = _double(text(repr(float(what.bound))))
            return COMPARE[what.op](this=self._number(field), expression=bound)
        if isinstance(what, Like):
            return or_(*(self._covers(field, any_of) for any_of in _either(what.globs)))
        if isinstance(what, Matches):
            length = exp.Length(this=self._string(field))
            short = exp.LTE(this=length, expression=number(MAX_TEXT))
            return and_(short, self._covers(field, what.pattern))
        return self._has(field, [fragment(wanted) for wanted in what.texts])

    def _exists(self, field: Field) -> exp.Expr:
        if not field.path:
            return self._string(field).neq(text(""))
        empty = (text(nothing) for nothing in ("null", '""', "[]", "{}"))
        return not_(self._place(field).isin(*empty, copy=False))

    def _equal(self, field: Field, values: Sequence[Scalar]) -> Iterator[exp.Expr]:
        if texts := [value for value in values if not is_number(value)]:
            yield self._written(field).isin(*self._texts(field, texts), copy=False)
        if numbers := [_double(text(repr(float(v)))) for v in values if is_number(v)]:
            yield self._number(field).isin(*numbers, copy=False)

    def _differs(self, what: Is) -> Iterator[exp.Expr]:
        """That a field holds none of the values; what is absent does not."""
        for value in self._texts(what.field, what.values):
            yield exp.NullSafeNEQ(this=self._written(what.field), expression=value)

    def _has(self, field: Field, wanted: Sequence[str]) -> exp.Expr:
        """That a place is a list with one of the JSON texts for an entry.

        Most lists mention none of them, which is seen without parsing them.
        """
        mentions = (call("REGEXP_MATCHES", self._place(field), text(any_of))
                    for any_of in _either(wanted, literal_expression))  # fmt: skip
        entries = entries_of(self._place(field))
        found = call("LIST_HAS_ANY", entries, array(map(text, wanted)))
        return and_(is_list(self._place(field)), or_(*mentions), found)

    def _covers(self, field: Field, pattern: str) -> exp.Expr:
        match = call("REGEXP_FULL_MATCH", self._string(field), text(pattern), text("s"))
        known = _starts(self._place(field), '"') if field.path else self._exists(field)
        return and_(known, match)

    def _place(self, field: Field) -> exp.Expr:
        return exp.column(f"place_{self.places[field]}", table="i")

    def _written(self, field: Field) -> exp.Expr:
        """A place as JSON text, a column as it is."""
        return self._place(field) if field.path else self._string(field)

    def _texts(self, field: Field, values: Sequence[Scalar]) -> Iterator[exp.Expr]:
        """Texts and flags as `_written` gives them."""
        return (text(fragment(value) if field.path else str(value)) for value in values)

    def _string(self, field: Field) -> exp.Expr:
        if not field.path:
            return exp.column(field.column, table="i")
        return call("JSON_EXTRACT_STRING", self._place(field), text("$"))

    def _number(self, field: Field) -> exp.Expr:
        """The number at a place: of all JSON texts only those of numbers can be read as one."""
        return _double(self._place(field))


def is_list(place: exp.Expr) -> exp.Expr:
    """That a place holds a list."""
    return _starts(place, "[")


def entries_of(place: exp.Expr) -> exp.Expr:
    """The JSON texts of the entries of a place that is a list."""
    return _list(call("JSON_EXTRACT", place, text("$[*]")))


def text(value: str) -> exp.Expr:
    """A text as a literal."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expr:
    """A number as a literal."""
    return exp.Literal.number(value)


def array(entries: Iterable[exp.Expr]) -> exp.Expr:
    """A list of texts."""
    return _list(exp.Array(expressions=list(entries)))


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A call of one of the engine's own functions."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def _as_text(what: Is) -> bool:
    return not any(map(is_number, what.values))


def _either(
    wanted: Sequence[str], expression: Callable[[str], str] = glob_expression
) -> Iterator[str]:
    """Expressions that together take any of the texts: one of them, unless there are very many."""
    some, length = list[str](), 0
    for one in map(expression, wanted):
        if some and length + len(one) > _LONGEST:
            yield "|".join(some)
            some, length = [], 0
        some.append(one)
        length += len(one) + 1
    yield "|".join(some)


def _starts(place: exp.Expr, sign: str) -> exp.Expr:
    return call("STARTS_WITH", place, text(sign))


def _path(field: Field) -> str:
    return "$" + "".join(f'."{key}"' for key in field.path)


def _list(value: exp.Expr) -> exp.Expr:
    return cast(value, TEXTS.copy())


def _double(value: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=value, to=exp.DataType.build("DOUBLE"))
