"""What a rule may ask of an item, as values that can judge one row and say why in words.

Every condition is true or false, never unknown. What is absent (a missing path, null, an empty
column) fails every question but `exists: false`. Types are strict: text "3" is not number 3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mappings.patterns import MAX_TEXT, expression, glob

COLUMNS: Final = (
    "source", "nature", "system", "subject", "title", "change", "outcome", "actor", "locator",
)  # fmt: skip
Scalar = str | int | float | bool
Row = Mapping[str, Any]
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
RANGES: Final[Mapping[str, tuple[str, Callable[[float, float], bool]]]] = {
    "gt": ("more than", lambda value, bound: value > bound),
    "gte": ("at least", lambda value, bound: value >= bound),
    "lt": ("less than", lambda value, bound: value < bound),
    "lte": ("at most", lambda value, bound: value <= bound),
}


@dataclass(frozen=True, slots=True)
class Field:
    """A column, or (with `path`) a place inside the payload."""

    column: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        keys = (f".{k}" if _PLAIN_KEY.fullmatch(k) else f"['{k}']" for k in self.path)
        return self.column + "".join(keys)

    def of(self, row: Row) -> Any:
        """The value in a row whose payload is parsed; None where it is absent or null."""
        value = row.get(self.column)
        if not self.path:
            return value or None
        for key in self.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value


def is_number(value: object) -> bool:
    """A JSON number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(value: object, wanted: Scalar) -> bool:
    """Equal in value and in JSON type."""
    if is_number(wanted):
        return is_number(value) and value == wanted
    return type(value) is type(wanted) and value == wanted


@dataclass(frozen=True, slots=True)
class Is:
    """Equal to one of the values."""

    field: Field
    values: tuple[Scalar, ...]

    def holds(self, row: Row) -> bool:
        value = self.field.of(row)
        return any(same(value, wanted) for wanted in self.values)

    def __str__(self) -> str:
        return f"{self.field} is {_either(self.values)}"


@dataclass(frozen=True, slots=True)
class Range:
    """A number beyond a bound; `op` is one of RANGES."""

    field: Field
    op: str
    bound: float

    def holds(self, row: Row) -> bool:
        value = self.field.of(row)
        return is_number(value) and RANGES[self.op][1](float(value), self.bound)

    def __str__(self) -> str:
        return f"{self.field} is {RANGES[self.op][0]} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Like:
    """Text that one of the globs covers from end to end."""

    field: Field
    globs: tuple[str, ...]

    def holds(self, row: Row) -> bool:
        value = self.field.of(row)
        return isinstance(value, str) and any(glob(g).fullmatch(value) for g in self.globs)

    def __str__(self) -> str:
        return f"{self.field} is like {_either(self.globs)}"


@dataclass(frozen=True, slots=True)
class Matches:
    """Text of at most MAX_TEXT characters that a regular expression covers from end to end."""

    field: Field
    pattern: str

    def holds(self, row: Row) -> bool:
        value = self.field.of(row)
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            return False
        return expression(self.pattern).fullmatch(value) is not None

    def __str__(self) -> str:
        return f"{self.field} matches /{self.pattern}/ within {MAX_TEXT} characters"


@dataclass(frozen=True, slots=True)
class Has:
    """A list in the payload that holds one of the texts."""

    field: Field
    texts: tuple[str, ...]

    def holds(self, row: Row) -> bool:
        value = self.field.of(row)
        return isinstance(value, list) and any(
            isinstance(entry, str) and entry in self.texts for entry in value
        )

    def __str__(self) -> str:
        return f"{self.field} has {_either(self.texts)}"


@dataclass(frozen=True, slots=True)
class Exists:
    """There, and not empty: not null, not "", not a list or an object of nothing."""

    field: Field

    def holds(self, row: Row) -> bool:
        return self.field.of(row) not in (None, "", [], {})

    def __str__(self) -> str:
        return f"{self.field} is there"


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]

    def holds(self, row: Row) -> bool:
        return all(part.holds(row) for part in self.parts)

    def __str__(self) -> str:
        return " and ".join(_bracket(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: tuple[Condition, ...]

    def holds(self, row: Row) -> bool:
        return any(part.holds(row) for part in self.parts)

    def __str__(self) -> str:
        return " or ".join(_bracket(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition

    def holds(self, row: Row) -> bool:
        return not self.part.holds(row)

    def __str__(self) -> str:
        return f"not {_bracket(self.part)}"


Leaf = Is | Range | Like | Matches | Has | Exists
Condition = Leaf | All | Some | Not


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every question that a condition asks, in the order of the rule."""
    if isinstance(condition, All | Some):
        for part in condition.parts:
            yield from leaves(part)
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    else:
        yield condition


def failures(condition: Condition, row: Row) -> tuple[str, ...]:
    """In words, the conditions that a row fails; empty if it holds."""
    if condition.holds(row):
        return ()
    if isinstance(condition, All):
        return tuple(text for part in condition.parts for text in failures(part, row))
    if isinstance(condition, Some | Not):
        return (f"fails: {condition}",)
    return (f"fails: {condition} (it is {shown(condition.field.of(row))})",)


def reasons(condition: Condition) -> tuple[str, ...]:
    """In words, what a row that matches had to fulfil."""
    if isinstance(condition, All):
        return tuple(text for part in condition.parts for text in reasons(part))
    return (str(condition),)


def shown(value: object) -> str:
    """A value for people: short, on one line, its JSON type visible."""
    if value is None:
        return "absent"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _either(values: tuple[Scalar, ...]) -> str:
    return " or ".join(shown(value) for value in values)


def _bracket(part: Condition) -> str:
    many = isinstance(part, All | Some) and len(part.parts) > 1
    return f"({part})" if many else str(part)
