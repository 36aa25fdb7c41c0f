"""One control, one kind of evidence, one need: the catalogue's values, and how they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from evidence.freshness import Scope
from evidence.model import ControlId
from evidence.times import duration
from mappings.nodes import Node

NAMESPACE = "iso42001"
DOCUMENTS = ("maintain", "retain")
_REQUIRED = "number title group summary attestation needs title_sources"
_OPTIONAL = "documented_information documentation_demanded typical_role"


@dataclass(frozen=True, slots=True)
class EvidenceKind:
    """One kind of evidence. `scope`, `warn_before` and `silence` are expectations.yaml's judgement.

    `swapped` names the controls that ask it of the other scope; `lead` is how long before an event
    it may be made and still speak for what comes after.
    """

    name: str
    group: str
    description: str
    source_types: tuple[str, ...]
    max_age: timedelta
    stale_on: tuple[str, ...]
    why: str
    scope: Scope
    warn_before: timedelta
    silence: timedelta
    swapped: frozenset[ControlId]
    lead: timedelta

    def scope_for(self, control: ControlId) -> Scope:
        """Of whom this control asks it: each AI system, or the organisation once."""
        if control not in self.swapped:
            return self.scope
        return Scope.SYSTEM if self.scope is Scope.ORGANISATION else Scope.ORGANISATION


@dataclass(frozen=True, slots=True)
class Need:
    """One kind of evidence that a control needs, from any of `source_types`, with its age limit."""

    evidence: str
    source_types: tuple[str, ...]
    max_age: timedelta
    stale_on: tuple[str, ...]
    collect: str
    why: str


@dataclass(frozen=True, slots=True)
class Document:
    """Documented information that a clause demands: to `maintain` (a document that is kept up) or
    to `retain` (a record that is kept)."""

    what: str
    kind: str


@dataclass(frozen=True, slots=True)
class Control:
    """A clause or an Annex A control. `attestation_needed` is empty where no signature is needed;
    `attestation_note` says why, or what a signature would add. `documented_information` is what a
    clause demands, `documentation_demanded` whether a control of Annex A does when it applies."""

    id: ControlId
    number: str
    title: str
    group: str
    group_title: str
    kind: str
    summary: str
    documented_information: tuple[Document, ...]
    documentation_demanded: bool
    needs: tuple[Need, ...]
    attestation_needed: str
    attestation_note: str
    attestation_max_age: timedelta | None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What evidence_kinds.yaml may speak of, and expectations.yaml's entries by kind."""

    source_types: frozenset[str]
    events: frozenset[str]
    judged: Mapping[str, Node]


def read_kinds(node: Node, known: Vocabulary) -> Iterator[tuple[str, EvidenceKind]]:
    for name, entry in node.items("kinds").items():
        fields = entry.record(name, "group description source_types max_age stale_on why basis")
        if name not in known.judged:
            raise entry.error(f"{name} has no entry in expectations.yaml: of whom is it asked?")
        judged = known.judged[name].record(name, "scope warn_before silence why", "except lead")
        yield name, EvidenceKind(
            name=name, group=fields["group"].text("group"),
            description=fields["description"].text("description"),
            source_types=_among(fields["source_types"], "source_types", known.source_types),
            max_age=_span(fields["max_age"]),
            stale_on=_among(fields["stale_on"], "stale_on", known.events),
            why=fields["why"].text("why"), scope=_scope(judged["scope"]),
            warn_before=_span(judged["warn_before"]), silence=_span(judged["silence"]),
            swapped=_swapped(judged),
            lead=_span(judged["lead"]) if "lead" in judged else timedelta(0),
        )  # fmt: skip


def _among(node: Node, what: str, known: Iterable[str]) -> tuple[str, ...]:
    texts = node.texts(what)
    for text in texts:
        if text not in known:
            raise node.error(f"{what} names {text!r}, which the enumeration does not know")
    return texts


def _span(node: Node) -> timedelta:
    try:
        return duration(node.text("a duration"))
    except ValueError as error:
        raise node.error(str(error)) from error


def _scope(node: Node) -> Scope:
    try:
        return Scope(node.text("scope"))
    except ValueError as error:
        raise node.error("scope must be system or organisation") from error


def _swapped(judged: Mapping[str, Node]) -> frozenset[ControlId]:
    if "except" not in judged:
        return frozenset()
    fields = judged["except"].record("except", "scope controls")
    if _scope(fields["scope"]) is _scope(judged["scope"]):
        raise fields["scope"].error("an exception must name the other scope")
    return frozenset(ControlId(text) for text in fields["controls"].texts("controls"))


def read_controls(
    tree: Node, name: str, word: str, kinds: Mapping[str, EvidenceKind]
) -> Iterator[Control]:
    """The entries of clauses.yaml or controls.yaml, in order. Raises MappingError."""
    fields = tree.record("the file", f"groups headings {name}")
    groups = dict(_groups(fields["groups"]))
    for node in fields[name].list(name):
        entry = node.record(word, _REQUIRED, _OPTIONAL)
        number, group = entry["number"].text("number"), entry["group"].text("group")
        if group not in groups:
            raise entry["group"].error(f"{number}: unknown group {group!r}")
        needed, note, max_age = _attestation(entry["attestation"])
        yield Control(
            id=ControlId(f"{NAMESPACE}:{number}"), number=number,
            title=entry["title"].text("title"), group=group, group_title=groups[group], kind=word,
            summary=entry["summary"].text("summary"),
            documented_information=tuple(_documents(entry.get("documented_information"))),
            documentation_demanded=_demanded(entry.get("documentation_demanded")),
            needs=tuple(_needs(entry["needs"], kinds)),
            attestation_needed=note if needed else "", attestation_note=note,
            attestation_max_age=max_age,
        )  # fmt: skip


def _groups(node: Node) -> Iterator[tuple[str, str]]:
    for entry in node.list("groups"):
        fields = entry.record("a group", "number title summary")
        yield fields["number"].text("number"), fields["title"].text("title")


def _attestation(node: Node) -> tuple[bool, str, timedelta | None]:
    fields = node.record("attestation", "needed statement", "max_age")
    needed = fields["needed"].value
    if not isinstance(needed, bool):
        raise fields["needed"].error("needed must be true or false")
    if needed != ("max_age" in fields):
        raise node.error("a needed attestation has a max_age, another has none")
    max_age = _span(fields["max_age"]) if needed else None
    return needed, fields["statement"].text("statement"), max_age


def _documents(node: Node | None) -> Iterator[Document]:
    for entry in node.list("documented_information") if node else ():
        fields = entry.record("a document", "what kind")
        kind = fields["kind"].text("kind")
        if kind not in DOCUMENTS:
            raise fields["kind"].error(f"kind must be {' or '.join(DOCUMENTS)}")
        yield Document(fields["what"].text("what"), kind)


def _demanded(node: Node | None) -> bool:
    if node is not None and not isinstance(node.value, bool):
        raise node.error("documentation_demanded must be true or false")
    return node is not None and bool(node.value)


def _needs(node: Node, kinds: Mapping[str, EvidenceKind]) -> Iterator[Need]:
    seen: set[str] = set()
    for entry in node.list("needs"):
        fields = entry.record("a need", "evidence collect", "source_types max_age stale_on why")
        name = fields["evidence"].text("evidence")
        if name not in kinds or name in seen:
            raise entry.error(f"evidence kind {name!r} is unknown, or asked for twice")
        seen.add(name)
        yield _need(kinds[name], fields)


def _need(kind: EvidenceKind, fields: Mapping[str, Node]) -> Need:
    """What the control says, and for the rest what its kind of evidence says."""
    own = fields.get
    return Need(
        evidence=kind.name,
        source_types=_among(node, "source_types", kind.source_types)
        if (node := own("source_types"))
        else kind.source_types,
        max_age=_span(node) if (node := own("max_age")) else kind.max_age,
        stale_on=_among(node, "stale_on", kind.stale_on)
        if (node := own("stale_on"))
        else kind.stale_on,
        collect=fields["collect"].text("collect"),
        why=node.text("why") if (node := own("why")) else kind.why,
    )
