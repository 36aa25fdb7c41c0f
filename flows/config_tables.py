"""Tables of headwater.toml that become values of one class each: `[[redact]]` and the like."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from evidence.duration import longest

Made = TypeVar("Made")


def records(raw: object, name: str, cls: type[Made], mistakes: list[str]) -> Iterator[Made]:
    """One value of `cls` for each `[[name]]` table; what is wrong is added to `mistakes`.

    `cls` is a dataclass whose own checks raise ValueError. No two may have one `name`.
    """
    if not isinstance(raw, list) or not all(isinstance(table, dict) for table in raw):
        mistakes.append(f"{name} tables are written as [[{name}]]")
        return
    names: set[str] = set()
    for number, table in enumerate(raw, 1):
        where = f"{name} {table.get('name') or number}"
        if wrong := list(_wrong(table, cls)):
            mistakes += [f"{where}: {sentence}" for sentence in wrong]
            continue
        try:
            made = cls(**{key: _value(cls, key, value) for key, value in table.items()})
        except (TypeError, ValueError) as error:
            mistakes.append(f"{where}: {error}")
            continue
        if table["name"] in names:
            mistakes.append(f"two {name} tables are named {table['name']!r}")
        names.add(table["name"])
        yield made


def table_of(hint: Any) -> Any:
    """The dataclass that a field of this type is a table of, also where it may be left out."""
    found = [one for one in (hint, *get_args(hint)) if dataclasses.is_dataclass(one)]
    return found[0] if found and get_origin(hint) is not tuple else None


def tables_of(hint: Any) -> Any:
    """The dataclass that a field of this type is a list of tables of."""
    if get_origin(hint) is not tuple or not get_args(hint):
        return None
    return get_args(hint)[0] if dataclasses.is_dataclass(get_args(hint)[0]) else None


def _wrong(table: dict[str, Any], cls: Any) -> Iterator[str]:
    known = {field.name: field for field in dataclasses.fields(cls)}
    for key in table.keys() - known.keys():
        near = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        yield f"unknown key {key!r}; {hint}"
    for key, field in known.items():
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if not optional and key not in table:
            yield f"{key} is missing"


def _value(cls: Any, key: str, value: Any) -> Any:
    """A TOML value as the field's type. Raises ValueError naming the key."""
    hint = get_type_hints(cls)[key]
    if hint is timedelta and isinstance(value, str):
        return longest(value)
    if hint is str and isinstance(value, str):
        return value
    if hint is bool and isinstance(value, bool):
        return value
    texts = isinstance(value, list) and all(isinstance(element, str) for element in value)
    if hint == tuple[str, ...] and texts:
        return tuple(value)
    if "datetime" in str(hint) and isinstance(value, date):
        return _moment(key, value)
    raise ValueError(f"{key}: {value!r} is not {_WORDS.get(hint, 'a date or a time with a zone')}")


_WORDS: dict[Any, str] = {
    timedelta: "an ISO 8601 duration in text",
    str: "text",
    bool: "true or false",
    tuple[str, ...]: 'a list of texts, such as ["one", "two"]',
}


def _moment(key: str, value: date) -> datetime:
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value.tzinfo is None:
        raise ValueError(f"{key}: {value.isoformat()} has no zone; add Z or +02:00")
    return value
