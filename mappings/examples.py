"""Examples of a rule: small items by which it proves what it takes and what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evidence.canonical import canonical, plain
from mappings.conditions import COLUMNS, failures
from mappings.nodes import Node
from mappings.rules import Rule

_DEFAULTS = {"nature": "event", "change": "new", "outcome": "recorded"}


def proved(rule: Rule, node: Node, *, selective: bool) -> Rule:
    """The rule with its examples, of which it claims those under `match` and no other.

    One that is `selective` needs an `ignore` example that comes close. Raises MappingError.
    """
    examples = node.record("examples", "match ignore")
    for word, listed in examples.items():
        if not listed.list(word):
            raise listed.error(f"{rule.name} has no {word} example; a rule proves itself")
    rows = [(example_row(n, rule), n) for n in examples["match"].list("match")]
    for row, one in rows:
        if not rule.claims(row):
            why = "; ".join(failures(rule.when, row)) or "it names no control"
            raise one.error(f"{rule.name} does not match its match example: {why}")
    ignored = [(example_row(n, rule), n) for n in examples["ignore"].list("ignore")]
    for row, one in ignored:
        if rule.claims(row):
            raise one.error(f"{rule.name} matches its ignore example")
    if selective and not any(_close(rule, row) for row, _ in ignored):
        raise examples["ignore"].error(
            f"{rule.name} needs an ignore example of its own kind that is not gone: "
            "else nothing shows that its conditions leave anything out"
        )
    return replace(rule, examples=tuple(row for row, _ in (*rows, *ignored)))


def _close(rule: Rule, row: Mapping[str, Any]) -> bool:
    return row["kind"] in rule.kinds and row["change"] != "gone"


def example_row(node: Node, rule: Rule) -> dict[str, Any]:
    """A small item of an example, with what an ordinary item has by default."""
    fields = node.record("an example", "", f"kind payload {' '.join(COLUMNS)}")
    if "kind" not in fields and len(rule.kinds) > 1:
        raise node.error("an example of a rule with several kinds says its kind")
    row = _DEFAULTS | {"kind": rule.kinds[0], "payload": {}}
    row |= {name: field.plain() for name, field in fields.items()}
    for name in (*COLUMNS, "kind"):
        if not isinstance(row.get(name, ""), str):
            raise node.error(f"{name} of an example must be text")
    if not isinstance(row["payload"], dict):
        raise node.error("payload of an example must be a mapping")
    canonical(plain(row["payload"]))
    return row
