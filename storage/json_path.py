"""Places in a JSON value: the part of RFC 9535 that names members, without filters."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_SEGMENT = re.compile(
    r"(?P<deep>\.\.)(?P<deep_name>[^.\[\]'\"*]+)|\.(?P<name>[^.\[\]'\"*]+)|(?P<any>\.\*|\[\*\])|"
    r"\[(?P<index>\d+)\]|\['(?P<quoted>[^']+)'\]"
)


@dataclass(frozen=True, slots=True)
class JsonPath:
    """`$.a.b`, `$['a']`, `$.a[0]`, `$.a[*]`, `$.*`, `$..name` (at any depth). Raises ValueError."""

    text: str

    def __post_init__(self) -> None:
        self._segments()

    def _segments(self) -> list[re.Match[str]]:
        found, place = [], 1
        while self.text[:1] == "$" and place < len(self.text):
            match = _SEGMENT.match(self.text, place)
            if match is None:
                break
            found.append(match)
            place = match.end()
        if not found or place < len(self.text):
            raise ValueError(f"{self.text!r} is no path: write $.a.b, $.a[*].b, $['a b'] or $..b")
        return found

    def changed(self, value: Any, change: Callable[[Any], Any]) -> Any:
        """The value with `change` done at each place that the path names; no place, no change."""
        return _changed(value, self._segments(), change)


def _changed(value: Any, segments: list[re.Match[str]], change: Callable[[Any], Any]) -> Any:
    if not segments:
        return change(value)
    first, rest = segments[0], segments[1:]
    if isinstance(value, dict):
        return {k: _member(k, v, first, segments, rest, change) for k, v in value.items()}
    if isinstance(value, list):
        return [_element(n, v, first, segments, rest, change) for n, v in enumerate(value)]
    return value


def _member(
    key: str, value: Any, first: re.Match[str], segments: list[re.Match[str]],
    rest: list[re.Match[str]], change: Callable[[Any], Any],
) -> Any:  # fmt: skip
    if first["any"] or key in (first["name"], first["quoted"], first["deep_name"]):
        return _changed(value, rest, change)
    return _changed(value, segments, change) if first["deep"] else value


def _element(
    place: int, value: Any, first: re.Match[str], segments: list[re.Match[str]],
    rest: list[re.Match[str]], change: Callable[[Any], Any],
) -> Any:  # fmt: skip
    if first["any"] or first["index"] == str(place):
        return _changed(value, rest, change)
    return _changed(value, segments, change) if first["deep"] else value
