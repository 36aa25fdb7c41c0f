"""Where a value stands in a record: paths, fallbacks, constants, templates and value maps.

A path is names joined by dots, with `[0]` for a place in a list, `[*]` for all of them,
`['any name']` for a name that a path could not hold otherwise and `[name=Approver]` for the first
element of which a field has that value: `custom_fields[name=Approver].value`. It may begin with
`@parent` (the record that this one belongs to), `@each` (the object that was asked for), `@key`
(its name in a map of records) or `@url` (the source's address).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Value = str | Mapping[str, Any]
"""An expression as it stands in the configuration: text, or a table with from, map, otherwise."""

Reader = Callable[["Scope"], Any]
"""Finds a value; None where it is absent or null."""

_STEP = re.compile(
    r"""\[(?P<index>-?\d+)\] | \[(?P<all>\*)\] | \['(?P<quoted>[^']*)'\]
    | \[(?P<field>[^\]=]+)=(?P<is>[^\]]*)\] | (?:^|\.)(?P<name>[^.\[\]'{}|\s][^.\[\]'{}|]*)""",
    re.VERBOSE,
)
_HOLE = re.compile(r"\{([^{}]+)\}")
_TABLE = {"from", "map", "otherwise"}
_OUTSIDE = ("@parent", "@each", "@key", "@url")


@dataclass(frozen=True, slots=True)
class Scope:
    """A record and what surrounds it."""

    record: Any
    parent: Scope | None = None
    each: str = ""
    key: str = ""
    url: str = ""

    def outside(self, name: str) -> Any:
        """What `@name` stands for."""
        return self.parent if name == "parent" else getattr(self, name) or None


@lru_cache(maxsize=256)
def path(text: str) -> Reader:
    """A reader for one path; '' is the record itself. Raises ValueError saying what is wrong."""
    steps = list(_steps(text))
    if all(kind == "name" for kind, name in steps):
        return _plain([name for _, name in steps])

    def read(scope: Scope) -> Any:
        return _follow(scope, steps)

    return read


def expression(value: Value) -> Reader:
    """A reader for an expression of the configuration. Raises ValueError saying what is wrong.

    Text is a path, paths with fallbacks (`closed_at | updated_at`), a constant (`'low'`) or a
    template (`{key} {fields.summary}`); a table maps what `from` finds by `map`, with `otherwise`
    for what is not in it.
    """
    if not isinstance(value, str):
        return _mapped(value)
    if len(value) > 1 and value[0] == value[-1] == "'" and "'" not in value[1:-1]:
        constant = value[1:-1]
        return lambda _: constant
    return _template(value) if "{" in value else _first(value)


def found(data: Any, where: str) -> Any:
    """What stands at a path in an answer; None where it is absent or null."""
    return path(where)(Scope(data))


def spoken_of(data: Any, where: str) -> bool:
    """Is there anything at a path of an answer, be it null, or null for what holds it?"""
    for kind, name in _steps(where):
        if data is None:
            return True
        if kind == "name" and not (isinstance(data, dict) and name in data):
            return False
        data = _step(data, kind, name)
    return True


def text(value: Any) -> str:
    """A scalar as text: what an id, a name or a template needs; '' for null and for containers."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else ""


def _steps(where: str) -> list[tuple[str, str]]:
    steps: list[tuple[str, str]] = []
    at = 0
    while at < len(where):
        match = _STEP.match(where, at)
        if match is None:
            raise ValueError(f"{where!r} is no path: it cannot be read from {where[at:]!r} on")
        kind = str(match.lastgroup)
        named = match["field"] + "=" + match["is"] if kind == "is" else match[kind]
        if kind == "name" and named.startswith("@") and all(k == "outside" for k, _ in steps):
            kind = "outside"
            if named not in _OUTSIDE:
                raise ValueError(f"{where!r}: {named} is none of {', '.join(_OUTSIDE)}")
        steps.append(("name" if kind == "quoted" else kind, named.strip()))
        at = match.end()
    return steps


def _plain(names: list[str]) -> Reader:
    if len(names) == 1:
        (only,) = names
        return lambda s: s.record.get(only) if isinstance(s.record, dict) else None

    def read(scope: Scope) -> Any:
        value = scope.record
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return read


def _follow(value: Any, steps: list[tuple[str, str]]) -> Any:
    for n, (kind, name) in enumerate(steps):
        if isinstance(value, Scope):
            if kind == "outside":
                value = value.outside(name[1:])
                continue
            value = value.record
        if kind == "all":
            rest = steps[n + 1 :]
            elements = value if isinstance(value, list) else []
            return [v for e in elements if (v := _follow(e, rest)) is not None]
        value = _step(value, kind, name)
    return value.record if isinstance(value, Scope) else value


def _step(value: Any, kind: str, name: str) -> Any:
    if kind == "name":
        return value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    if kind == "index":
        return value[int(name)] if -len(value) <= int(name) < len(value) else None
    field, _, wanted = name.partition("=")
    matching = (e for e in value if isinstance(e, dict) and text(e.get(field)) == wanted)
    return next(matching, None)


def _first(value: str) -> Reader:
    readers = [path(part.strip()) for part in value.split("|")]
    if len(readers) == 1:
        return readers[0]
    return lambda scope: next((v for r in readers if (v := r(scope)) not in (None, "")), None)


def _template(value: str) -> Reader:
    pieces = _HOLE.split(value)  # texts, and between them what the holes name
    readers = [_first(hole) for hole in pieces[1::2]]
    if set("".join(pieces[::2])) & set("{}"):
        raise ValueError(f"{value!r} has a brace that is not closed")

    def fill(scope: Scope) -> str:
        filled = pieces.copy()
        filled[1::2] = [text(read(scope)) for read in readers]
        return "".join(filled)

    return fill


def _mapped(table: Mapping[str, Any]) -> Reader:
    if not isinstance(table, Mapping) or set(table) - _TABLE or "from" not in table:
        raise ValueError('a table needs from = "…" and may have map = {…} and otherwise = "…"')
    read, known = expression(table["from"]), table.get("map", {})
    if not isinstance(known, Mapping):
        raise ValueError('map must be a table, such as { closed = "passed" }')
    otherwise = table.get("otherwise")

    def look(scope: Scope) -> Any:
        value = read(scope)
        if not known:
            return otherwise if value is None else value
        return known.get(text(value), otherwise)

    return look
