"""YAML read as a tree that remembers file and line, and holds nothing that JSON could not hold.

Plain scalars are what YAML 1.1 and 1.2 both say, so `True` is true and `2026-01-01` is text; what
they read in two ways (`no`, `010`, `1e5`) is refused. So are aliases, tags, merge keys, two equal
keys, several documents, deep nesting and huge files: a mapping file is data that a person reads,
not a program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evidence.errors import MappingError
from mappings.files import contents

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,14})")
_FLOAT = re.compile(r"[-+]?[0-9]{1,15}\.[0-9]{1,15}([eE][-+]?[0-9]{1,2})?")
_TWO_WAYS = re.compile(
    r"yes|no|on|off|[-+]?(0[box][0-9a-f_]+|[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9]+)?"
    r"|\.[0-9][0-9_]*(e[-+]?[0-9]+)?|\.inf)|\.nan",
    re.IGNORECASE,
)
_WORDS = {"~": None, "": None} | {
    spelled: value
    for word, value in {"true": True, "false": False, "null": None}.items()
    for spelled in (word, word.title(), word.upper())
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NO_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_LONGEST_ERROR = 600


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a file: `value` is a scalar, a dict of text to Node or a list of Node."""

    value: Any
    file: str
    line: int

    @classmethod
    def of(cls, value: Any, file: str) -> Node:
        """The tree of plain values, as `plain` gives them; what it was read from has no lines."""
        if isinstance(value, dict):
            return cls({key: cls.of(entry, file) for key, entry in value.items()}, file, 0)
        if isinstance(value, list):
            return cls([cls.of(entry, file) for entry in value], file, 0)
        return cls(value, file, 0)

    def error(self, message: str) -> MappingError:
        """The error to raise about this value; it names file and line."""
        return _wrong(message, self.file, self.line)

    def text(self, what: str, *, empty: bool = False) -> str:
        """The value as text with folded line ends. Raises MappingError."""
        if not isinstance(self.value, str) or not (empty or self.value.strip()):
            raise self.error(f"{what} must be text that is not empty; write it in quotes")
        return self.value.strip()

    def items(self, what: str) -> dict[str, Node]:
        """The entries of a mapping. Raises MappingError."""
        if not isinstance(self.value, dict):
            raise self.error(f"{what} must be a mapping (`key: value`)")
        return self.value

    def list(self, what: str, *, one: bool = False) -> list[Node]:
        """The entries of a list; with `one`, a scalar counts as a list of itself."""
        if isinstance(self.value, list):
            return self.value
        if one and not isinstance(self.value, dict):
            return [self]
        raise self.error(f"{what} must be a list")

    def texts(self, what: str, *, one: bool = False) -> tuple[str, ...]:
        """A list of texts. Raises MappingError."""
        return tuple(node.text(what) for node in self.list(what, one=one))

    def record(self, what: str, required: str, optional: str = "") -> dict[str, Node]:
        """A mapping that has all `required` and only known keys (given as words)."""
        entries = self.items(what)
        needed, known = required.split(), {*required.split(), *optional.split()}
        for key, node in entries.items():
            if key not in known:
                raise node.error(
                    f"unknown key {key!r} in {what}; known: {', '.join(sorted(known))}"
                )
        for key in needed:
            if key not in entries:
                raise self.error(f"{what} lacks {key!r}")
        return entries

    def plain(self) -> Any:
        """The same tree without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read(path: Path, *, root: Path | None = None) -> Node:
    """The tree of one file; `root` shortens its name in errors. Raises MappingError."""
    name = str(path.relative_to(root)) if root else str(path)
    try:
        data = contents(path, MAX_BYTES)
    except OSError as error:
        raise MappingError(f"cannot be read: {error.strerror}", file=name) from error
    return parse(data, name)


def parse(data: bytes, name: str) -> Node:
    """The tree of one file's bytes. Raises MappingError."""
    if len(data) > MAX_BYTES:
        raise MappingError(f"is larger than {MAX_BYTES} bytes; split it by noun", file=name)
    text = _text(data, name)
    try:
        _refuse_tricks(text, name)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise _malformed(error, text, name) from error
    if root is None:
        raise MappingError("is empty", file=name)
    return _build(root, name)


def _wrong(message: str, file: str, line: int) -> MappingError:
    """What stands in a file may be long; what is said of it may not."""
    short = message if len(message) <= _LONGEST_ERROR else f"{message[:_LONGEST_ERROR]}…"
    return MappingError(short, file=file, line=line)


def _text(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MappingError("is not UTF-8; save it as UTF-8", file=name, line=line) from error
    if strange := _NO_TEXT.search(text):
        line = text.count("\n", 0, strange.start()) + 1
        code = f"U+{ord(strange.group()):04X}"
        raise MappingError(f"holds the control character {code}", file=name, line=line)
    return text


def _refuse_tricks(text: str, name: str) -> None:
    """Before anything recurses: events come in a flat stream."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise _wrong("aliases (*) are refused; repeat it", name, _line(event))
        if (tag := getattr(event, "tag", None)) is not None:
            raise _wrong(f"the tag {tag} is refused; leave it out", name, _line(event))
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _wrong(f"nests deeper than {MAX_DEPTH}", name, _line(event))


def _malformed(error: yaml.YAMLError, text: str, name: str) -> MappingError:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 0
    problem = getattr(error, "problem", None) or str(error)
    tab = "; indent with spaces, not tabs" if "\t" in _nth(text, line) else ""
    return _wrong(f"is not YAML: {problem}{tab}", name, line)


def _nth(text: str, line: int) -> str:
    lines = text.split("\n", line)
    return lines[line - 1] if 0 < line <= len(lines) else ""


def _line(thing: Any) -> int:
    return int(thing.start_mark.line) + 1


def _build(node: yaml.Node, name: str) -> Node:
    if isinstance(node, yaml.MappingNode):
        return Node(dict(_entries(node, name)), name, _line(node))
    if isinstance(node, yaml.SequenceNode):
        return Node([_build(child, name) for child in node.value], name, _line(node))
    assert isinstance(node, yaml.ScalarNode)  # noqa: S101 -- YAML has three node kinds
    return Node(_scalar(node, name), name, _line(node))


def _entries(node: yaml.MappingNode, name: str) -> Iterator[tuple[str, Node]]:
    seen: set[str] = set()
    for key, value in node.value:
        text = key.value if isinstance(key, yaml.ScalarNode) else ""
        if not text or _CONTROL.search(text):
            raise _wrong("a key must be plain text", name, _line(key))
        if text == "<<" and key.style in {None, ""}:
            raise _wrong("merge keys (<<) are refused; repeat it", name, _line(key))
        if text in seen:
            raise _wrong(f"has the key {text!r} twice", name, _line(key))
        seen.add(text)
        yield text, Node(_build(value, name).value, name, _line(key))


def _scalar(node: yaml.ScalarNode, name: str) -> str | int | float | bool | None:
    text = str(node.value)
    if _CONTROL.search(text):
        raise _wrong("holds a control character", name, _line(node))
    if node.style not in {None, ""}:
        return text
    value = _typed(text)
    if isinstance(value, str) and _TWO_WAYS.fullmatch(text):
        raise _wrong(
            f"{text} is read in two ways: in quotes it is text; else write true or false, or a "
            "number of at most 15 digits in full",
            name, _line(node),
        )  # fmt: skip
    return value


def _typed(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
