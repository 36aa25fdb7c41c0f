"""Fields of a document that a tool wrote: taken where they are what they should be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeGuard

from collectors._checks.json_files import Unreadable
from evidence.canonical import digest, plain
from evidence.errors import InvalidItem
from evidence.times import parse

_LONGEST_LIST = 20


def loose(value: Any) -> Mapping[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def text(value: Any) -> str:
    """The text, or an empty one."""
    return value if isinstance(value, str) else ""


def part(document: Any, name: str) -> Mapping[str, Any]:
    """The object of this name. Raises Unreadable."""
    value = loose(document).get(name)
    if not isinstance(value, Mapping):
        raise Unreadable(f"has no object `{name}`")
    return value


def moment(told: Mapping[str, Any], name: str) -> datetime:
    """The time of this name. Raises Unreadable."""
    try:
        return parse(text(told.get(name)), what=name)
    except InvalidItem as error:
        raise Unreadable(f"{error}: no time is guessed") from error


def count(value: Any) -> int | None:
    """The whole number, None if it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any) -> TypeGuard[int | float]:
    """Whether it can be compared with a limit."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def shortened(value: Any) -> Any:
    """A list of more than twenty, such as accepted values, as its length and digest."""
    if isinstance(value, list) and len(value) > _LONGEST_LIST:
        return {"count": len(value), "sha256": digest(plain(value))}
    return value
