"""Reading a source's JSON strictly: what is not as described is named, not guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson

from collectors._text import clean
from evidence.errors import InvalidItem, SourceBroken
from evidence.times import from_ms, parse

_MS_FROM = 10**11
_SIGNS = bytes(
    ord("0" if sign in "0123456789" else " " if sign in "-:,[ \t\r\n" else "x")
    for sign in map(chr, range(256))
)
_LONG = b" " + b"0" * 19
"""How a whole number begins that may need more than 64 bits: what can stand before one, as a blank,
and its digits, each as 0."""


def parsed(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, RecursionError.

    orjson takes a third of the time, but would make a float of a whole number beyond 64 bits; what
    it refuses (half of a surrogate pair, 1e400) may still be JSON to the standard library.
    """
    signs = text.encode("utf-8", "surrogatepass").translate(_SIGNS)
    if _LONG not in signs and not signs.startswith(_LONG[1:]):
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(text)
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


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
