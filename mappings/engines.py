"""What other query engines call the few things that rules do with JSON, text and lists.

A *place* is what stands at a path of the payload, read once per item. No question raises, whatever
a place holds: one that does not fit it is NULL or false, and which of the two is all one.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from sqlglot import exp

from mappings.conditions import Field
from mappings.patterns import ascii_only, glob
from mappings.sql import TEXTS, and_, cast

Expr = exp.Expr
_DIGITS = ("-", *"0123456789")


class Engine(Protocol):
    """The words of one engine."""

    def parsed(self, payload: Expr) -> Expr:
        """What places are taken from."""

    def places(self, parsed: Expr, fields: Sequence[Field]) -> Expr:
        """The list of what stands at each field, NULL where it is absent."""

    def place(self, places: Expr, number: int) -> Expr:
        """One entry of that list; numbers start at 1."""

    def is_text(self, place: Expr) -> Expr:
        """Whether a place holds text."""

    def is_number(self, place: Expr) -> Expr:
        """Whether a place holds a number."""

    def is_list(self, place: Expr) -> Expr:
        """Whether a place holds a list."""

    def text(self, place: Expr) -> Expr:
        """The text, or the digits, of a place that holds text or a number."""

    def written(self, place: Expr) -> Expr:
        """A place as JSON text."""

    def is_one_of(self, place: Expr, texts: Sequence[str]) -> Expr:
        """Whether a place holds one of the texts."""

    def entries(self, place: Expr) -> Expr:
        """The JSON texts of the entries of a list."""

    def has_one_of(self, place: Expr, texts: Sequence[str]) -> Expr:
        """Whether a place that is a list holds one of the texts."""

    def overlap(self, one: Expr, other: Expr) -> Expr:
        """Whether two lists of texts have an entry in common."""

    def matches(self, text: Expr, pattern: str) -> Expr:
        """Whether an expression of `patterns.expression` covers a text from end to end."""

    def like(self, text: Expr, pattern: str) -> Expr:
        """Whether a glob covers a text from end to end."""


class _Typed(ABC):
    """Engines with a type for JSON: the first character of its text says what a place holds."""

    @abstractmethod
    def written(self, place: Expr) -> Expr: ...

    @abstractmethod
    def text(self, place: Expr) -> Expr: ...

    def place(self, places: Expr, number: int) -> Expr:
        return _call("ELEMENT_AT", places, exp.Literal.number(number))

    def is_text(self, place: Expr) -> Expr:
        return self._starts(place, '"')

    def is_number(self, place: Expr) -> Expr:
        return self._starts(place, *_DIGITS)

    def is_list(self, place: Expr) -> Expr:
        return self._starts(place, "[")

    def is_one_of(self, place: Expr, texts: Sequence[str]) -> Expr:
        found = self.text(place.copy()).isin(*map(literal, texts), copy=False)
        return and_(self.is_text(place), found)

    def overlap(self, one: Expr, other: Expr) -> Expr:
        return _call("ARRAYS_OVERLAP", one, other)

    def _starts(self, place: Expr, *characters: str) -> Expr:
        first = exp.Left(this=self.written(place), expression=exp.Literal.number(1))
        return first.isin(*map(literal, characters), copy=False)

    def _each(self, function: str, entries: Expr, asked: Expr) -> Expr:
        entry = exp.Lambda(this=asked, expressions=[exp.to_identifier("entry")])
        return _call(function, entries, entry)


class Spark(_Typed):
    """Spark 4 and what else has VARIANT; older ones tell the text "3" from the number by nothing.

    Its expressions are Java's, which go back: globs are written so that they need not.
    """

    def parsed(self, payload: Expr) -> Expr:
        return _call("TRY_PARSE_JSON", payload)

    def places(self, parsed: Expr, fields: Sequence[Field]) -> Expr:
        return _call("ARRAY", *(self._at(parsed.copy(), field) for field in fields))

    def written(self, place: Expr) -> Expr:
        return _call("TO_JSON", place)

    def text(self, place: Expr) -> Expr:
        return self._get(place, "$", "string")

    def entries(self, place: Expr) -> Expr:
        return self._each("TRANSFORM", self._entries(place), self.written(exp.column("entry")))

    def has_one_of(self, place: Expr, texts: Sequence[str]) -> Expr:
        asked = self.is_one_of(exp.column("entry"), texts)
        return self._each("EXISTS", self._entries(place), asked)

    def matches(self, text: Expr, pattern: str) -> Expr:
        return exp.RegexpLike(this=text, expression=literal(_whole(pattern)))

    def like(self, text: Expr, pattern: str) -> Expr:
        return self.matches(text, glob(pattern).pattern)

    def _at(self, parsed: Expr, field: Field) -> Expr:
        """Paths of VARIANT cannot name a key with `?`; as a map, an object can be asked for any."""
        if not any("?" in key for key in field.path):
            path = "$" + "".join(f"['{key}']" for key in field.path)
            return self._get(parsed, path, "variant")
        for key in field.path:
            known = self._get(parsed, "$", "map<string,variant>")
            parsed = _call("TRY_ELEMENT_AT", known, literal(key))
        return parsed

    def _get(self, place: Expr, path: str, kind: str) -> Expr:
        return _call("TRY_VARIANT_GET", place, literal(path), literal(kind))

    def _entries(self, place: Expr) -> Expr:
        return self._get(place, "$", "array<variant>")


class Trino(_Typed):
    """Trino's own functions, by its manual; tests run them translated for DuckDB, not by Trino."""

    def parsed(self, payload: Expr) -> Expr:
        return _call("TRY", _call("JSON_PARSE", payload))

    def places(self, parsed: Expr, fields: Sequence[Field]) -> Expr:
        paths = ("$" + "".join(f'["{key}"]' for key in field.path) for field in fields)
        found = (_call("JSON_EXTRACT", parsed.copy(), literal(path)) for path in paths)
        return exp.Array(expressions=list(found))

    def written(self, place: Expr) -> Expr:
        return _call("JSON_FORMAT", place)

    def text(self, place: Expr) -> Expr:
        return _call("JSON_EXTRACT_SCALAR", place, literal("$"))

    def entries(self, place: Expr) -> Expr:
        return self._each("TRANSFORM", self._entries(place), self.written(exp.column("entry")))

    def has_one_of(self, place: Expr, texts: Sequence[str]) -> Expr:
        asked = self.is_one_of(exp.column("entry"), texts)
        return self._each("ANY_MATCH", self._entries(place), asked)

    def matches(self, text: Expr, pattern: str) -> Expr:
        return _call("REGEXP_LIKE", text, literal(_whole(ascii_only(pattern))))

    def like(self, text: Expr, pattern: str) -> Expr:
        escaped = pattern.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        wanted = literal(escaped.replace("*", "%").replace("?", "_"))
        return exp.Escape(this=exp.Like(this=text, expression=wanted), expression=literal("\\"))

    def _entries(self, place: Expr) -> Expr:
        return exp.TryCast(this=place, to=exp.DataType.build("ARRAY(JSON)", dialect="trino"))


ENGINES: Mapping[str, Engine] = {"spark": Spark(), "trino": Trino()}
"""By sqlglot's name of the dialect."""


def literal(text: str) -> Expr:
    """A text of SQL."""
    return exp.Literal.string(text)


def array(entries: Iterable[Expr]) -> Expr:
    """A list of texts, also of none."""
    return _texts(exp.Array(expressions=list(entries)))


def no_texts() -> Expr:
    """NULL in the place of a list of texts."""
    return _texts(exp.null())


def fragment(value: object) -> str:
    """JSON text of a scalar as both the canonical payload and DuckDB write it."""
    return json.dumps(value, ensure_ascii=False)


def _whole(pattern: str) -> str:
    return rf"\A(?s:{pattern})\z"


def _texts(value: Expr) -> Expr:
    return cast(value, TEXTS.copy())


def _call(name: str, *arguments: Expr) -> Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))
