"""Reading a source's JSON strictly: what is not as described is named, not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from collectors._text import clean
from evidence.errors import InvalidItem, SourceBroken
from evidence.times import from_ms, parse

_MS_FROM = 10**11


def moment(value: Any, what: str) -> datetime:
    """A time: ISO 8601 with any offset form, epoch milliseconds or seconds. Raises SourceBroken."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return from_ms(value if abs(value) >= _MS_FROM else value * 1000)
        return parse(str(value), what=what)
    except (InvalidItem, OverflowError) as error:
        raise SourceBroken(f"{what}: {clean(repr(value), 60)} is no time", what=what) from error


def obj(raw: Any, what: str) -> dict[str, Any]:
    """A JSON object, or SourceBroken naming `what`."""
    if not isinstance(raw, dict):
        raise SourceBroken(f"{what}: expected an object, got {type(raw).__name__}", what=what)
    return raw


def array(raw: Any, what: str) -> list[Any]:
    """A JSON array, empty for null, or SourceBroken naming `what`."""
    if raw is not None and not isinstance(raw, list):
        raise SourceBroken(f"{what}: expected a list, got {type(raw).__name__}", what=what)
    return raw or []


def text(raw: Mapping[str, Any], name: str, what: str) -> str:
    """The text under a name, or SourceBroken naming it and `what`."""
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise SourceBroken(f"{what}: {name} should be text, is {clean(repr(value), 60)}", what=what)
    return value


def number(raw: Mapping[str, Any], name: str, what: str) -> int:
    """The whole number under a name, or SourceBroken naming it and `what`."""
    value = raw.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        told = clean(repr(value), 60)
        raise SourceBroken(f"{what}: {name} should be a whole number, is {told}", what=what)
    return value
