"""A rule drafted from one item that a person accepted: a file for people to read and commit."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evidence.errors import MappingError
from evidence.suggestion import Proposal
from mappings.catalogue import Catalogue, load_catalogue
from mappings.conditions import Field
from mappings.controls import NAMESPACE
from mappings.limits import within_limits
from mappings.nodes import Node
from mappings.read_rules import PAGE, read_rules, rule_trees
from mappings.suggest.asks import asks
from mappings.when import read_field

_HEAD = """\
# Drafted by `headwater suggest accept --rule`. It is in force from the next collection on, for
# every item of this kind that fits. Read it, put an ignore example of your own in the place of the
# made-up one, run `headwater rules test`, and commit it with a second person's review.
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants of the rule: on which of the item's fields it depends (none: `every` item
    of the kind), what a kind that is not known stands for, and why it holds."""

    why: str
    when: tuple[str, ...] = ()
    every: bool = False
    stands_for: str = ""


def draft(
    row: Mapping[str, Any],
    proposal: Proposal,
    wish: Wish,
    catalogue: Catalogue,
    declared: Collection[str] = (),
) -> tuple[str, str]:
    """The rule's name and the text of its file. Raises MappingError saying what to give instead.

    `row` is the item as the evidence table has it, `payload` as JSON text; `declared` are the kinds
    that the organisation's own files know.
    """
    if wish.every == bool(wish.when):
        raise MappingError(
            "say on which fields of the item the rule depends (--when payload.type), or that it "
            "takes every item of the kind (--every-item): one of them"
        )
    row = dict(row) | {"payload": json.loads(row["payload"])}
    asked = {str(field): (field, _value(field, row)) for field in map(_field, wish.when)}
    number = proposal.control.removeprefix(f"{NAMESPACE}:")
    name = _slug(f"{row['kind']}-{number}-{row['item_id'][:8]}")
    match, other = _examples(asked.values())
    rule: dict[str, Any] = {"name": name, "kind": row["kind"]}
    if asked:
        rule["when"] = {text: value for text, (_, value) in asked.items()}
    rule |= {
        "evidence": proposal.evidence, "controls": [proposal.control], "strength": "supporting",
        "rationale": wish.why, "examples": {"match": [match], "ignore": [other]},
    }  # fmt: skip
    page: dict[str, Any] = {"rules": [rule]}
    if row["kind"] not in catalogue.native_kinds and row["kind"] not in declared:
        page = {"kinds": {row["kind"]: _source_type(row, proposal, wish, catalogue)}} | page
    return name, _HEAD + yaml.safe_dump(page, sort_keys=False, allow_unicode=True, width=100)


def declared_kinds(folders: Sequence[Path]) -> frozenset[str]:
    """The kinds that files of these folders declare. Raises MappingError."""
    pages = (tree.record("the file", *PAGE) for tree in rule_trees(folders))
    return frozenset(k for page in pages if "kinds" in page for k in page["kinds"].items("kinds"))


def write_rule(folders: Sequence[Path], name: str, text: str, row: Mapping[str, Any]) -> Path:
    """Write the file into the last of the folders; it stays only if it loads there and takes the
    item. Raises MappingError."""
    file = folders[-1] / f"{name}.yaml"
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError as error:
        raise MappingError(f"{file} is there already: it is not written over") from error
    except OSError as error:
        raise MappingError(f"{file} cannot be written: {error}") from error
    try:
        rules, _ = read_rules(rule_trees(folders), load_catalogue())
        within_limits(rules)
        made = next(rule for rule in rules if rule.name == name)
        if not made.claims(dict(row) | {"payload": json.loads(row["payload"])}):
            raise MappingError(f"the drafted rule {name} does not take the item that it is made of")
    except BaseException:
        file.unlink()
        raise
    return file


def _field(text: str) -> Field:
    field = read_field(text, Node(text, "--when", 0))
    if field.column == "change":
        raise MappingError("--when change: what changes is no sort of item; name another field")
    return field


def _value(field: Field, row: Mapping[str, Any]) -> str | int | float | bool:
    value = field.of(row)
    if not isinstance(value, str | int | float | bool) or value == "":
        raise MappingError(f"--when {field}: the item has no text, number or truth there")
    return value


def _examples(
    asked: Iterable[tuple[Field, str | int | float | bool]],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One that matches, and one that differs from it in the first field that is asked."""
    match: dict[str, Any] = {}
    other: dict[str, Any] = {}
    for at, (field, value) in enumerate(asked):
        _put(match, field, value)
        _put(other, field, value if at else _different(field, value))
    # Where nothing is asked, only what is gone is left out.
    return (match, other) if match else ({"outcome": "recorded"}, {"change": "gone"})


def _put(example: dict[str, Any], field: Field, value: object) -> None:
    inner = example
    for key in (field.column, *field.path)[:-1]:
        inner = inner.setdefault(key, {})
    inner[(field.column, *field.path)[-1]] = value


def _different(field: Field, value: str | int | float | bool) -> object:
    words = {"nature": ("event", "state"), "outcome": ("passed", "recorded")}
    if field.column in words and not field.path:
        return next(word for word in words[field.column] if word != value)
    if isinstance(value, bool):
        return not value
    return f"not {value}" if isinstance(value, str) else value + 1


def _source_type(
    row: Mapping[str, Any], proposal: Proposal, wish: Wish, catalogue: Catalogue
) -> str:
    """What a kind that nobody knows yet stands for."""
    types = next(
        ask.source_types for ask in asks(catalogue)
        if (ask.control, ask.evidence) == (proposal.control, proposal.evidence)
    )  # fmt: skip
    stands_for = wish.stands_for or (types[0] if len(types) == 1 else "")
    if stands_for not in types:
        raise MappingError(
            f"the catalogue does not know the kind {row['kind']}: say with --stands-for which of "
            f"its source types that is: {', '.join(types)}"
        )
    return stands_for


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
