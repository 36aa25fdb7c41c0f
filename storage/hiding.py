"""Hiding values in texts and JSON values, counted, each with a digest that can be proved later."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from evidence.canonical import canonical
from evidence.errors import LakeError
from storage.detect import AWS_KEY_ID, AWS_SECRET, Pattern, search
from storage.redaction_key import RedactionKey

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_NAMES_SECRET = re.compile(r"(?i)aws.{0,20}(?:key|secret|token|pass)|secret_?access_?key").search
_FORTY = re.compile(r"[0-9a-zA-Z/+]{40}").fullmatch
_KEY_ID_LENGTH = 20
_PUBLIC_NAME = "accessKeyId"
"""Under this name a CloudTrail record says who acted: an identifier, as public as a user's name."""


class NothingToHideWith(LakeError):
    """A value must be hidden and there is no key; `why` names what it is."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(slots=True)
class Hider:
    """Hides with one key and keeps count. `secrets` are the values that were hidden."""

    key: RedactionKey | None
    hidden: Counter[str] = field(default_factory=Counter)
    secrets: set[str] = field(default_factory=set, repr=False)

    def digest(self, value: bytes, why: str) -> str:
        """`sha256:<hex>` over salt ‖ value. Raises NothingToHideWith."""
        if self.key is None:
            raise NothingToHideWith(why)
        self.hidden[why] += 1
        self.secrets.add(value.decode())
        return f"sha256:{sha256(self.key.salt(why, value) + value).hexdigest()}"

    def whole(self, value: Any, why: str) -> Any:
        """What stands for a JSON value: of text its UTF-8, of other values the canonical JSON."""
        raw = value.encode() if isinstance(value, str) else canonical(value)
        return {"redacted": self.digest(raw, why), "why": why}

    def mark(self, text: str, why: str) -> str:
        """What stands in a text for a part of it, or for all of it."""
        return f"[redacted {self.digest(text.encode(), why)} {why}]" if text else text

    def text(self, text: str, spans: Sequence[tuple[int, int, str]]) -> str:
        """The text with a mark for each span; where spans overlap, one mark for all of it."""
        done, place = [], 0
        for first, last, why in _apart(spans):
            done += [text[place:first], self.mark(text[first:last], why)]
            place = last
        return "".join([*done, text[place:]])

    def tree(self, value: Any, seen: Seen) -> Any:
        """The JSON value with marks in its texts and member names, where something was seen."""
        if isinstance(value, str):
            spans, whole = seen.of(value)
            return self.mark(value, whole) if whole else self.text(value, spans)
        if isinstance(value, list):
            return [self.tree(element, seen) for element in value]
        if isinstance(value, dict):
            return self._members(value, seen)
        return value

    def _members(self, value: dict[str, Any], seen: Seen) -> dict[str, Any]:
        done: dict[str, Any] = {}
        for name, member in value.items():
            shown = self.tree(name, seen)
            while shown in done:  # two names that became one: neither member may be lost
                shown += "'"
            done[shown] = self._member(name, member, seen)
        return done

    def _member(self, name: str, member: Any, seen: Seen) -> Any:
        if isinstance(member, str) and AWS_SECRET in seen.names:
            if _FORTY(member) and _NAMES_SECRET(name):
                return self.mark(member, AWS_SECRET)
            if name == _PUBLIC_NAME and len(member) == _KEY_ID_LENGTH:
                seen = seen.without(AWS_KEY_ID)
        return self.tree(member, seen)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the patterns called `names` saw in texts."""

    names: frozenset[str]
    found: Mapping[str, Sequence[tuple[int, int, str]]]

    @classmethod
    def by(cls, patterns: Sequence[Pattern], texts: Sequence[str]) -> Seen:
        """What the patterns see in these texts, and in what their JSON escapes stand for."""
        escaped = [_unescaped(text) for text in texts if "\\u" in text]
        names = frozenset(pattern.name for pattern in patterns)
        return cls(names, search([*texts, *escaped], patterns))

    def only(self, patterns: Sequence[Pattern]) -> Seen:
        """What some of the patterns saw."""
        return Seen(frozenset(pattern.name for pattern in patterns), self.found)

    def without(self, name: str) -> Seen:
        """What all patterns but those of this name saw."""
        return Seen(self.names - {name}, self.found)

    def of(self, text: str) -> tuple[Sequence[tuple[int, int, str]], str]:
        """The spans in a text, or the name under which all of it must be hidden.

        JSON within text: what is written as \\u0041KIA… is read as AKIA… by whoever uses it.
        """
        spans = self._own(text)
        if "\\u" in text and len(more := self._own(_unescaped(text))) > len(spans):
            return (), more[0][2]
        return spans, ""

    def _own(self, text: str) -> Sequence[tuple[int, int, str]]:
        return [span for span in self.found.get(text, ()) if span[2] in self.names]


def _unescaped(text: str) -> str:
    plain = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text)
    return plain.encode("utf-8", "replace").decode()


def _apart(spans: Sequence[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """Spans that do not overlap, from left to right, each under the name that began first."""
    held: tuple[int, int, str] | None = None
    for first, last, why in sorted(spans, key=lambda span: (span[0], -span[1], span[2])):
        if held is not None and first < held[1]:
            held = held[0], max(held[1], last), held[2]
            continue
        if held is not None:
            yield held
        held = first, last, why
    if held is not None:
        yield held


def texts_of(value: Any) -> Iterator[str]:
    """Every text in a JSON value, member names too."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, dict):
            stack.extend(node)
            stack.extend(node.values())
