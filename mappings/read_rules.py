"""Read rule files; refuse what is unknown, unproved or contradicted by its own examples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evidence.model import ControlId
from mappings.catalogue import HERE, STRENGTHS, Catalogue
from mappings.conditions import All, Condition, Field, Is, Not
from mappings.examples import proved
from mappings.files import yaml_files
from mappings.nodes import Node, read
from mappings.rules import CONTEXT, EVENT, Rule, Target
from mappings.when import read_field, read_when

PAGE = ("rules", "kinds context")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REQUIRED, _OPTIONAL = (
    "name kind rationale examples",
    "when controls evidence events strength broad",
)
_DECLARED = "name kind when rationale examples"
_PRESENT = Not(Is(Field("change"), ("gone",)))
_SILENT = Not(Is(Field("outcome"), ("failed", "error")))


def read_rules(
    files: Sequence[Node], catalogue: Catalogue
) -> tuple[tuple[Rule, ...], list[dict[str, Any]]]:
    """Every rule and every declaration of context of the files' trees, and what the digest covers:
    all but the examples.

    Raises MappingError.
    """
    pages = [tree.record("the file", *PAGE) for tree in files]
    stand_for = _own_kinds(pages, catalogue)
    catalogue = replace(catalogue, aliases={**catalogue.aliases, **stand_for})
    rules: dict[str, Rule] = {}
    trees: list[dict[str, Any]] = [{"name": k, "stands_for": v} for k, v in stand_for.items()]
    for reading, context in _listed(pages, catalogue):
        node = reading.node
        rule = reading.declaration() if context else reading.rule()
        if rule.name in rules:
            first = rules[rule.name]
            raise node.error(f"{rule.name} is also at {first.file}:{first.line}; rename one")
        rules[rule.name] = rule
        tree = {k: v for k, v in node.plain().items() if k != "examples"}
        trees.append({"context": tree, "name": rule.name} if context else tree)
    return tuple(rules.values()), sorted(trees, key=lambda tree: str(tree["name"]))


def _listed(
    pages: Sequence[Mapping[str, Node]], catalogue: Catalogue
) -> Iterator[tuple[_Reading, bool]]:
    """What the pages list, and whether it is a declaration of context: the rules come first."""
    for word in ("rules", "context"):
        for node in (node for page in pages if word in page for node in page[word].list(word)):
            yield _Reading(node, catalogue), word == "context"


def rule_trees(folders: Sequence[Path]) -> list[Node]:
    """The tree of every `*.yaml` in the folders, by name. Raises MappingError, also for none."""
    paths = [path for folder in folders for path in yaml_files(folder, "rules")]
    return [read(path, root=HERE if path.is_relative_to(HERE) else None) for path in paths]


def _own_kinds(pages: Sequence[Mapping[str, Node]], catalogue: Catalogue) -> dict[str, str]:
    """Native kinds of collectors that are not ours, and the source type that each stands for."""
    found: dict[str, str] = {}
    for node in (page["kinds"] for page in pages if "kinds" in page):
        for kind, said in node.items("kinds").items():
            stands_for = said.text("a source type")
            if kind in catalogue.native_kinds or kind in found:
                raise said.error(f"the kind {kind!r} is known already")
            if kind.startswith("headwater."):
                raise said.error(f"the kind {kind!r} is Headwater's own: it is evidence of nothing")
            if stands_for not in catalogue.source_types:
                raise said.error(f"unknown source type {stands_for!r}")
            found[kind] = stands_for
    return found


@dataclass(frozen=True, slots=True)
class _Reading:
    node: Node
    catalogue: Catalogue

    def rule(self) -> Rule:
        fields = self.node.record("a rule", _REQUIRED, _OPTIONAL)
        name, kinds = self._name(fields["name"]), self._kinds(fields["kind"])
        named, targets = self._named(fields), tuple(self._targets(fields, kinds))
        rule = Rule(
            name, kinds, self._when(fields), targets, named, self.node.file, self.node.line,
            selective="when" in fields, broad=self._broad(fields),
        )  # fmt: skip
        return proved(rule, fields["examples"], selective="when" in fields or named is not None)

    def _broad(self, fields: Mapping[str, Node]) -> str:
        if "broad" in fields and "when" not in fields:
            raise fields["broad"].error("a rule without `when` takes every item as it is")
        return fields["broad"].text("broad") if "broad" in fields else ""

    def declaration(self) -> Rule:
        """That items of these kinds, where this holds, are context only: a rule without a control.

        What failed or went away is never context.
        """
        fields = self.node.record("a declaration of context", _DECLARED)
        name, kinds = self._name(fields["name"]), self._kinds(fields["kind"])
        rationale = fields["rationale"].text("rationale")
        targets = (Target(kind, ControlId(CONTEXT + name), "", "", rationale) for kind in kinds)
        when = All((_PRESENT, _SILENT, read_when(fields["when"])))
        rule = Rule(
            name, kinds, when, tuple(targets), None, self.node.file, self.node.line, selective=True
        )
        return proved(rule, fields["examples"], selective=True)

    def _name(self, node: Node) -> str:
        name = node.text("name")
        if not _NAME.fullmatch(name):
            raise node.error(f"name {name!r} must be words-with-dashes in lower case")
        return name

    def _kinds(self, node: Node) -> tuple[str, ...]:
        kinds = node.texts("kind", one=True)
        for kind in kinds:
            if kind not in self.catalogue.native_kinds:
                raise node.error(f"unknown source kind {kind!r}")
        if not kinds or len(set(kinds)) != len(kinds):
            raise node.error("kind names no source kind, or one twice")
        return kinds

    def _when(self, fields: Mapping[str, Node]) -> Condition:
        """What is gone is no evidence that it is there; only events may speak of it."""
        asked = [read_when(fields["when"])] if "when" in fields else []
        if "evidence" not in fields:
            return All(tuple(asked))
        flat = asked[0].parts if asked and isinstance(asked[0], All) else tuple(asked)
        return All((_PRESENT, *flat))

    def _targets(self, fields: Mapping[str, Node], kinds: Sequence[str]) -> Iterator[Target]:
        if ("events" in fields) == ("evidence" in fields):
            raise self.node.error("a rule has either evidence (with controls) or events")
        if ("controls" in fields) != ("evidence" in fields):
            raise self.node.error("evidence and controls go together: `controls: expected`?")
        yield from (
            self._events(fields, kinds) if "events" in fields else self._claims(fields, kinds)
        )

    def _events(self, fields: Mapping[str, Node], kinds: Sequence[str]) -> Iterator[Target]:
        if "strength" in fields:
            raise fields["strength"].error("an event has no strength")
        rationale, events = fields["rationale"].text("rationale"), fields["events"].texts("events")
        for event in events:
            if event not in self.catalogue.events:
                known = ", ".join(self.catalogue.events)
                raise fields["events"].error(f"unknown event {event!r}; known: {known}")
            for kind in kinds:
                yield Target(kind, ControlId(EVENT + event), "", "", rationale)
        if not events or len(set(events)) != len(events):
            raise fields["events"].error("events names none, or one twice")

    def _claims(self, fields: Mapping[str, Node], kinds: Sequence[str]) -> Iterator[Target]:
        evidence = fields["evidence"].text("evidence")
        if evidence not in self.catalogue.kinds:
            raise fields["evidence"].error(f"unknown evidence kind {evidence!r}")
        strength, rationale = _strength(fields), fields["rationale"].text("rationale")
        for kind in kinds:
            for entry in self._controls(fields["controls"], evidence, kind):
                control, own_strength, own_rationale, names = entry
                yield Target(
                    kind, control, evidence, own_strength or strength,
                    own_rationale or rationale, names,
                )  # fmt: skip

    def _controls(
        self, node: Node, evidence: str, kind: str
    ) -> Iterator[tuple[ControlId, str, str, tuple[str, ...]]]:
        if node.value == "expected" or isinstance(node.value, dict):
            named = isinstance(node.value, dict)
            for control in self._expected(node, evidence, kind):
                yield control, "", "", _names(control) if named else ()
            return
        seen: set[str] = set()
        for entry in node.list("controls"):
            control, strength, rationale = self._listed(entry, evidence)
            if control in seen:
                raise entry.error(f"{control} twice")
            seen.add(control)
            yield control, strength, rationale, ()
        if not seen:
            raise node.error("controls names none")

    def _expected(self, node: Node, evidence: str, kind: str) -> tuple[ControlId, ...]:
        if evidence == "attestation":
            return tuple(control.id for control in self.catalogue.controls)
        controls = self.catalogue.expecting(evidence, kind)
        if not controls:
            raise node.error(f"no control expects {evidence} from {kind}; list the controls")
        return controls

    def _listed(self, node: Node, evidence: str) -> tuple[ControlId, str, str]:
        long = isinstance(node.value, dict)
        fields = node.record("a control", "id", "strength rationale") if long else {"id": node}
        text = fields["id"].text("a control")
        known = {c.id: c for c in self.catalogue.controls}
        if text not in known:
            raise node.error(f"unknown control {text!r}; ids look like iso42001:A.6.2.4")
        control = known[ControlId(text)]
        if evidence not in {need.evidence for need in control.needs}:
            raise node.error(f"{text} does not ask for {evidence}: the tag would go unread")
        rationale = fields["rationale"].text("rationale") if "rationale" in fields else ""
        return control.id, _strength(fields, default=""), rationale

    def _named(self, fields: Mapping[str, Node]) -> Field | None:
        node = fields.get("controls")
        if node is None or not isinstance(node.value, dict):
            return None
        inner = node.record("controls", "named")["named"]
        field = read_field(inner.text("named"), inner)
        if not field.path:
            raise inner.error("an item names its controls in its payload")
        return field


def _strength(fields: Mapping[str, Node], default: str = "full") -> str:
    if "strength" not in fields:
        return default
    text = fields["strength"].text("strength")
    if text not in STRENGTHS:
        raise fields["strength"].error(f"unknown strength {text!r}; known: {', '.join(STRENGTHS)}")
    return text


def _names(control: ControlId) -> tuple[str, ...]:
    """How an item may write a control's id: `"iso42001:4.1"`, `"4.1"`, or YAML's bare 4.1."""
    number = control.partition(":")[2]
    bare = (number,) if re.fullmatch(r"[1-9][0-9]?\.[1-9]", number) else ()
    return (f'"{control}"', f'"{number}"', *bare)
