"""Read the `when` of a rule into conditions, refusing what could not be meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evidence.model import Change, Nature, Outcome
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
    Scalar,
    Some,
    shown,
)
from mappings.nodes import Node
from mappings.patterns import expression

MAX_DEPTH = 6
_PATH = re.compile(r"""payload((?:\.[A-Za-z_][A-Za-z0-9_-]*|\['[^'"\\\x00-\x1f\x7f*]+'\])+)""")
_KEY = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^']+)'\]")
_WORDS = {
    "nature": {word.value for word in Nature},
    "change": {word.value for word in Change},
    "outcome": {word.value for word in Outcome},
}
_OPERATORS = (*RANGES, "exists", "has", "like", "matches")


def read_when(node: Node, depth: int = 0) -> Condition:
    """The conditions of a mapping, all of which must hold. Raises MappingError."""
    entries = node.items("when")
    if not entries:
        raise node.error("an empty condition holds for everything; leave it out or ask something")
    if depth > MAX_DEPTH:
        raise node.error(f"conditions nest deeper than {MAX_DEPTH}")
    parts = [part for key, entry in entries.items() for part in _entry(key, entry, depth)]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _entry(key: str, node: Node, depth: int) -> Iterator[Condition]:
    if key == "not":
        yield Not(read_when(node, depth + 1))
    elif key in {"all", "any"}:
        parts = tuple(read_when(entry, depth + 1) for entry in node.list(key))
        if not parts:
            raise node.error(f"{key} needs at least one condition")
        yield All(parts) if key == "all" else Some(parts)
    else:
        yield from _asked(read_field(key, node), node)


def read_field(text: str, node: Node) -> Field:
    """`outcome`, `payload.tags.stage` or `payload.tags['any key']`. Raises MappingError."""
    if text in COLUMNS:
        return Field(text)
    match = _PATH.fullmatch(text)
    if match is None:
        raise node.error(
            f"{text!r} is no field; ask all, any, not, {', '.join(COLUMNS)}, payload.name"
            " or payload['any name']"
        )
    return Field("payload", tuple(plain or quoted for plain, quoted in _KEY.findall(match[1])))


def _asked(field: Field, node: Node) -> Iterator[Condition]:
    if not isinstance(node.value, dict):
        yield Is(field, tuple(_scalars(field, node)))
        return
    if not node.value:
        raise node.error(f"{field} is asked nothing; known: {', '.join(_OPERATORS)}")
    for operator, operand in node.record(f"the condition on {field}", "", _all()).items():
        yield _operation(field, operator, operand)


def _all() -> str:
    return " ".join(_OPERATORS)


def _operation(field: Field, operator: str, node: Node) -> Condition:
    if operator in RANGES:
        return Range(field, operator, _number(field, node))
    if operator == "exists":
        if not isinstance(node.value, bool):
            raise node.error("exists must be true or false")
        return Exists(field) if node.value else Not(Exists(field))
    if operator == "matches":
        return Matches(field, _pattern(node))
    texts = node.texts(operator, one=True)
    if not texts:
        raise node.error(f"{operator} needs at least one text")
    if operator == "like":
        return Like(field, tuple(_glob(text, node) for text in texts))
    if not field.path:
        raise node.error(f"{field} is a column and holds no list; ask it with is or like")
    return Has(field, texts)


def _scalars(field: Field, node: Node) -> Iterator[Scalar]:
    entries = node.list(f"the value of {field}", one=True)
    if not entries:
        raise node.error(f"{field} is compared with an empty list: that never holds")
    for entry in entries:
        value = entry.value
        if not isinstance(value, str | int | float | bool):
            raise entry.error(f"{field} must be compared with text, number or true/false; "
                              "for null use exists: false")  # fmt: skip
        if not field.path and not (isinstance(value, str) and value):
            raise entry.error(f"{field} is text; write the value in quotes, not empty")
        if field.column in _WORDS and value not in _WORDS[field.column]:
            known = ", ".join(sorted(_WORDS[field.column]))
            raise entry.error(f"{field} is never {value!r}; known: {known}")
        yield value


def _number(field: Field, node: Node) -> float:
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        raise node.error("a bound must be a number without quotes")
    if not field.path:
        raise node.error(f"{field} is text and has no bounds")
    return float(node.value)


def _glob(text: str, node: Node) -> str:
    if not text.strip("*"):
        raise node.error("a glob of stars alone holds for everything; use exists: true")
    if len(text) > 200 or text.count("*") > 5:
        raise node.error("a glob has at most 200 characters and five stars")
    return text


def _pattern(node: Node) -> str:
    text = node.text("a regular expression")
    try:
        if expression(text).fullmatch("") is not None:
            raise ValueError("it holds for empty text, so for anything that is optional")
    except ValueError as error:
        raise node.error(f"regular expression {shown(text)}: {error}") from error
    return text
