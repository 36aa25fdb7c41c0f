"""Whether a rule's conditions leave anything out: a far-fetched `ignore` example shows nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from evidence.model import Change, Nature, Outcome
from mappings.conditions import leaves
from mappings.rules import Rule

MANY, NEARLY_ALL, MOST = 8, 0.9, 2 / 3
"""Of so many examples of other rules of its kind, what part a rule may not take; and what part it
may not take that holds for an item of which nothing is known."""
_WORDS = ("nature", "change", "outcome")
_ORDINARY: Mapping[str, Any] = {
    "source": "tracker", "subject": "a-1", "title": "A thing", "payload": {},
}  # fmt: skip
_CHANGES = [change.value for change in Change if change is not Change.GONE]
_BAD = {Outcome.FAILED, Outcome.ERROR}
_TEXT = "some text"
_Row = Mapping[str, Any]
Examples = Mapping[str, Sequence[tuple[str, _Row]]]


def examples(rules: Sequence[Rule]) -> Examples:
    """Kind → the rule's name and the row of each example of an item that is there."""
    found: dict[str, list[tuple[str, _Row]]] = defaultdict(list)
    for rule in rules:
        for row in rule.examples:
            if row["change"] != Change.GONE:
                found[row["kind"]].append((rule.name, row))
    return found


def broad(rule: Rule, known: Examples) -> str:
    """In words, what shows that its conditions take nearly every item of a kind; '' if nothing."""
    outcomes = _outcomes(rule)
    for kind in rule.kinds:
        rows = (row for name, row in known.get(kind, ()) if name != rule.name)
        foreign = [row for row in rows if row["outcome"] in outcomes]
        if len(foreign) >= MANY and _most(rule, foreign, NEARLY_ALL):
            return f"nearly every {kind}: nearly all {len(foreign)} examples of other rules"
        if _all(rule, _plain(rule, kind)) and (
            _most(rule, foreign, MOST) or _all(rule, _plain(rule, kind, _stranger(rule)))
        ):
            return f"nearly every {kind}: also one of which nothing is known"
    return ""


def _most(rule: Rule, rows: Sequence[_Row], part: float) -> bool:
    """Whether that part of the rows fulfils the conditions; asks no more of them than it must."""
    spare = int(len(rows) * (1 - part))
    misses = (row for row in rows if not rule.when.holds(row))
    return next(islice(misses, spare, None), None) is None


def _all(rule: Rule, rows: Iterable[_Row]) -> bool:
    return all(rule.when.holds(row) for row in rows)


def _plain(rule: Rule, kind: str, fields: _Row | None = None) -> Iterator[_Row]:
    """Ordinary items of every nature, change and outcome that the rule may take at all."""
    for nature, change, outcome in product(Nature, _CHANGES, _outcomes(rule)):
        told = {"kind": kind, "nature": nature.value, "change": change, "outcome": outcome.value}
        yield {**_ORDINARY, **told, **(fields or {})}


def _outcomes(rule: Rule) -> list[Outcome]:
    """What failed is never context."""
    return [word for word in Outcome if not (rule.context and word in _BAD)]


def _stranger(rule: Rule) -> dict[str, Any]:
    """Text that no rule was written for, wherever the rule asks."""
    columns: dict[str, Any] = {}
    payload: dict[str, Any] = {}
    for field in (leaf.field for leaf in leaves(rule.when)):
        if not field.path and field.column not in _WORDS:
            columns[field.column] = _TEXT
        at: Any = payload
        for key in field.path[:-1]:
            at = at.setdefault(key, {}) if isinstance(at, dict) else {}
        if field.path and isinstance(at, dict):
            at.setdefault(field.path[-1], _TEXT)
    return columns | {"payload": payload}
