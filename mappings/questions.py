"""Questions that are asked again and again: SQL over the lake's views, kept as data.

What a question may ask is not decided here: it is answered like any stranger's
(`storage/question.py`), read-only, without files, network or settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from evidence.errors import ConfigError, InvalidItem, MappingError
from evidence.times import parse
from mappings.files import yaml_files
from mappings.nodes import Node, read

SHIPPED = Path(__file__).with_name("questions.yaml")
TYPES = ("text", "moment", "number")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*")
_USED = re.compile(r"\$([a-z][a-z0-9_]*)")

Value = str | int | datetime


@dataclass(frozen=True, slots=True)
class Parameter:
    """What is filled in when the question is asked; `default` None: it must be given."""

    name: str
    type: str
    what: str
    default: str | None = None

    def value(self, text: str) -> Value:
        """The value of what somebody typed. Raises ConfigError."""
        try:
            if self.type == "moment":
                return parse(text)
            return int(text) if self.type == "number" else text
        except (InvalidItem, ValueError) as error:
            wanted = "a moment with its zone, such as 2026-11-01T00:00:00Z"
            wanted = wanted if self.type == "moment" else "a whole number"
            raise ConfigError(f"--with {self.name}={text[:60]!r}: write {wanted}") from error


@dataclass(frozen=True, slots=True)
class Question:
    """One saved question; `empty` says what it means when there is no row."""

    name: str
    title: str
    sql: str
    empty: str
    parameters: tuple[Parameter, ...] = ()

    def values(self, given: Mapping[str, str]) -> dict[str, Value]:
        """Every parameter with its value: what is given, or its default.

        Raises ConfigError for one that is not known, is missing or does not fit.
        """
        known = {one.name: one for one in self.parameters}
        for name in given:
            if name not in known:
                told = ", ".join(known) or "it takes none"
                raise ConfigError(f"--with {name}: {self.name} has no such value; known: {told}")
        missing = [p for p in self.parameters if p.default is None and p.name not in given]
        if missing:
            told = " ".join(f"--with {p.name}=…" for p in missing)
            raise ConfigError(f"{self.name} needs {told} ({'; '.join(p.what for p in missing)})")
        return {p.name: p.value(given.get(p.name, p.default or "")) for p in self.parameters}


def load_questions(folders: Iterable[Path] = ()) -> dict[str, Question]:
    """Name → question: ours, then those of the organisation's folders (*.yaml, by name).

    Raises MappingError that names file and line.
    """
    found: dict[str, Question] = {}
    files = [SHIPPED, *(file for folder in folders for file in yaml_files(folder, "questions"))]
    for file in files:
        for node, question in _read(file):
            if question.name in found:
                raise node.error(f"there is a question {question.name!r} already; rename this one")
            found[question.name] = question
    return found


def _read(file: Path) -> Iterator[tuple[Node, Question]]:
    for node in read(file).record("the file", "questions")["questions"].list("questions"):
        fields = node.record("a question", "name title empty sql", "with")
        name = fields["name"].text("name")
        if not _NAME.fullmatch(name):
            raise fields["name"].error(f"{name!r}: write lower-case words with dashes")
        given = fields["with"].items("with") if "with" in fields else {}
        parameters = tuple(_parameter(key, entry) for key, entry in given.items())
        sql = fields["sql"].text("sql")
        _agree(fields["sql"], sql, {one.name for one in parameters})
        yield (
            node,
            Question(
                name, fields["title"].text("title"), sql, fields["empty"].text("empty"), parameters
            ),
        )


def _parameter(name: str, node: Node) -> Parameter:
    if not _PARAMETER.fullmatch(name):
        raise node.error(f"{name!r}: write one lower-case word")
    fields = node.record("a value to fill in", "type what", "default")
    type_ = fields["type"].text("type")
    if type_ not in TYPES:
        raise fields["type"].error(f"unknown type {type_!r}; known: {', '.join(TYPES)}")
    default = str(fields["default"].value) if "default" in fields else None
    made = Parameter(name, type_, fields["what"].text("what"), default)
    if default is not None:
        try:
            made.value(default)
        except ConfigError as error:
            raise fields["default"].error(f"{default!r} is no {type_}") from error
    return made


def _agree(node: Node, sql: str, names: set[str]) -> None:
    used = set(_USED.findall(sql))
    if lacking := sorted(used - names):
        raise _unknown(node, f"asks for ${lacking[0]}, which `with` does not describe")
    if idle := sorted(names - used):
        raise _unknown(node, f"never asks for ${idle[0]}, which `with` describes")


def _unknown(node: Node, why: str) -> MappingError:
    return node.error(f"the SQL {why}")
