"""Which item speaks to which control: rules as data, run as one query, explained one by one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from evidence.canonical import canonical, digest, plain
from evidence.errors import InvalidItem, MappingError
from evidence.model import ControlId
from mappings.catalogue import HERE, Catalogue, load_catalogue
from mappings.conditions import Condition, Field, failures, reasons

RULES = HERE / "rules"
Need = tuple[ControlId, str]
EVENT, CONTEXT = "event:", "context:"


@dataclass(frozen=True, slots=True)
class Target:
    """One claim of a rule, for items of one native kind; control `event:…` signals an event,
    `context:…` says that the item speaks to none.

    `names`, where not empty, are the JSON texts by one of which an item must name the control.
    """

    kind: str
    control: ControlId
    evidence: str
    strength: str
    rationale: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Items of `kinds` for which `when` holds make the claims in `targets`; `examples` are the rows
    by which it proved itself. With `selective` the file asks something of them; `broad` says why
    nearly every item of a kind does fulfil it."""

    name: str
    kinds: tuple[str, ...]
    when: Condition
    targets: tuple[Target, ...]
    named: Field | None
    file: str
    line: int
    examples: tuple[Mapping[str, Any], ...] = field(default=(), compare=False, repr=False)
    selective: bool = False
    broad: str = ""

    @property
    def context(self) -> bool:
        """Whether it declares what is context only: it speaks to no control and is no event."""
        return all(target.control.startswith(CONTEXT) for target in self.targets)

    def claims(self, row: Mapping[str, Any]) -> tuple[Target, ...]:
        """The targets for a row (payload parsed) that this rule claims; empty if none."""
        if row["kind"] not in self.kinds or not self.when.holds(row):
            return ()
        called = names_in(self.named.of(row)) if self.named else frozenset()
        return tuple(
            target
            for target in self.targets
            if target.kind == row["kind"] and (not target.names or called & set(target.names))
        )


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that speaks, what it claims, and the conditions that held."""

    rule: str
    claims: tuple[Target, ...]
    why: tuple[str, ...]

    @property
    def controls(self) -> tuple[ControlId, ...]:
        """The controls and events it tags the item with."""
        return tuple(claim.control for claim in self.claims)


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule for the same kind of item that did not match, and the conditions that failed."""

    rule: str
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an item carries its tags, and which rules it missed, the nearest first; `context` are the
    declarations that hold for one that no rule takes."""

    matched: tuple[Match, ...]
    near_misses: tuple[NearMiss, ...]
    context: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules over one catalogue. `digest` changes with every word that could change a tag."""

    rules: tuple[Rule, ...]
    digest: str
    _written: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def sql(self, dialect: str = "duckdb") -> str:
        """One SELECT over the relation `items`, a row per item, control, evidence and rule.

        Columns: item_id, control, evidence, rule, strength, rationale, mapping_digest. `items`
        must offer item_id, kind, the text columns of the evidence table and payload (JSON text).
        Written once: what follows the lake asks for it at every landing.
        """
        from mappings.compile import select  # sqlglot is slow to import

        if dialect not in self._written:
            self._written[dialect] = select(self, dialect)
        return self._written[dialect]

    def explain(self, row: Mapping[str, Any]) -> Explanation:
        """Which rules speak for one row of the evidence table, why, and which nearly did.

        `payload` is JSON text or its value. Raises MappingError if it is neither.
        """
        row = dict(row) | {"payload": _parsed(row.get("payload"))}
        own = [rule for rule in self.rules if row["kind"] in rule.kinds]
        matched, missed = _asked(row, [rule for rule in own if not rule.context])
        declared = () if matched else [rule for rule in own if rule.context]
        context, others = _asked(row, declared)
        near = sorted((*missed, *others), key=lambda m: len(m.failed))
        return Explanation(matched, tuple(near), context)

    @property
    def told(self) -> str:
        """How many rules and declarations of context there are, in words."""
        declared = sum(rule.context for rule in self.rules)
        return f"{len(self.rules) - declared} rules, {declared} declarations of context"

    def taken(self, aside: Collection[str] = ()) -> Mapping[Need, frozenset[str]]:
        """Need (control, evidence) → the kinds of items that rules take for it, if any, by claims
        of other strengths than those that are left `aside`."""
        found: dict[Need, frozenset[str]] = {}
        for target in (target for rule in self.rules for target in rule.targets):
            if target.evidence and target.strength not in aside:
                need = (target.control, target.evidence)
                found[need] = found.get(need, frozenset()) | {target.kind}
        return found


def names_in(value: object) -> frozenset[str]:
    """The JSON texts of one scalar, or of the entries of a list."""
    entries = value if isinstance(value, list) else [value]
    return frozenset(canonical(entry).decode() for entry in entries if _scalar(entry))


def _scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def _asked(
    row: Mapping[str, Any], rules: Iterable[Rule]
) -> tuple[tuple[Match, ...], tuple[NearMiss, ...]]:
    """Which of the rules take the row, and which do not."""
    matched, missed = [], []
    for rule in rules:
        if claims := rule.claims(row):
            matched.append(Match(rule.name, claims, reasons(rule.when)))
        else:
            missed.append(NearMiss(rule.name, tuple(_failed(rule, row))))
    return tuple(matched), tuple(missed)


def _failed(rule: Rule, row: Mapping[str, Any]) -> Iterator[str]:
    yield from failures(rule.when, row)
    if rule.when.holds(row):
        yield f"fails: {rule.named} names a control that asks for this"


def _parsed(payload: object) -> object:
    try:
        text = payload if isinstance(payload, str | bytes) else canonical(plain(payload))
        return json.loads(text, parse_int=_number)
    except (ValueError, InvalidItem, RecursionError) as error:
        raise MappingError(f"the item's payload is not JSON: {error}") from error


def _number(digits: str) -> int | float:
    """A JSON number as every engine reads it: a double where it is no exact integer."""
    number = float(digits)
    return int(number) if abs(number) < 2**53 else number


@cache
def load_rules(folders: tuple[Path, ...] = (RULES,), catalogue: Catalogue | None = None) -> RuleSet:
    """The rules of every `*.yaml` in the folders, read once. Raises MappingError: file and line."""
    from mappings.limits import within_limits
    from mappings.read_rules import read_rules, rule_trees

    catalogue = catalogue or load_catalogue()
    rules, trees = read_rules(rule_trees(folders), catalogue)
    within_limits(rules)
    return rule_set(rules, trees, catalogue)


def rule_set(
    rules: tuple[Rule, ...], trees: Sequence[Mapping[str, Any]], catalogue: Catalogue
) -> RuleSet:
    """Rules with the digest over their trees and the catalogue that they speak of."""
    return RuleSet(rules, digest({"catalogue": catalogue.digest, "rules": list(trees)}))


def uncovered(rules: RuleSet, catalogue: Catalogue) -> Sequence[Need]:
    """The needs that no rule serves yet, in catalogue order."""
    return _lacking(rules.taken(), catalogue)


def only_supported(rules: RuleSet, catalogue: Catalogue) -> Sequence[Need]:
    """The needs for which rules take something, but nothing that puts them in date alone."""
    bare = set(uncovered(rules, catalogue))
    weighed = _lacking(rules.taken(catalogue.aside), catalogue)
    return [need for need in weighed if need not in bare]


def _lacking(taken: Collection[Need], catalogue: Catalogue) -> Sequence[Need]:
    needs = [(c.id, need.evidence) for c in catalogue.controls for need in c.needs]
    return [need for need in needs if need not in taken]
