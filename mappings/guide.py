"""What helps people with the standard: guidance, what its records must hold, how it is audited.

Nothing here is judged by, so it is no part of the mapping in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from evidence.errors import MappingError
from evidence.model import ControlId
from mappings.catalogue import HERE, Catalogue, load_catalogue
from mappings.controls import NAMESPACE, Control
from mappings.nodes import Node, read


@dataclass(frozen=True, slots=True)
class Part:
    """Some points of a record under one title, such as `must hold`."""

    title: str
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """What the record that some clauses ask for holds, such as the Statement of Applicability."""

    name: str
    clauses: tuple[ControlId, ...]
    parts: tuple[Part, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standard:
    """The edition that the catalogue is of."""

    name: str
    edition: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of an audit by a certification body."""

    name: str
    what: str
    ends_in: str


@dataclass(frozen=True, slots=True)
class AuditRule:
    """A rule that such bodies work by."""

    what: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Certification:
    """How bodies audit; `areas` maps the number of a clause to what auditors look for there."""

    standard: Standard
    stages: tuple[Stage, ...]
    rules: tuple[AuditRule, ...]
    areas: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Guide:
    """All of it; `guidance` has a text for every clause and control."""

    guidance: Mapping[ControlId, str]
    records: tuple[Record, ...]
    certification: Certification

    def records_of(self, control: ControlId) -> tuple[Record, ...]:
        """The records that the clause asks for."""
        return tuple(record for record in self.records if control in record.clauses)

    def sought(self, control: Control) -> str:
        """What an auditor looks for in the control's clause; empty for Annex A."""
        return self.certification.areas.get(control.group, "")


@cache
def load_guide(folder: Path = HERE) -> Guide:
    """The shipped files, read once. Raises MappingError naming file and line."""
    catalogue = load_catalogue()
    pages = {
        name: read(folder / f"{NAMESPACE}/{name}.yaml", root=folder)
        for name in ("guidance", "records", "certification")
    }
    return Guide(
        _guidance(pages["guidance"], catalogue), tuple(_records(pages["records"], catalogue)),
        _certification(pages["certification"], catalogue),
    )  # fmt: skip


def _guidance(tree: Node, catalogue: Catalogue) -> dict[ControlId, str]:
    node = tree.record("the file", "guidance")["guidance"]
    numbers = " ".join(control.number for control in catalogue.controls)
    texts = node.record("guidance", numbers)
    return {control.id: texts[control.number].text("guidance") for control in catalogue.controls}


def _records(tree: Node, catalogue: Catalogue) -> Iterator[Record]:
    for entry in tree.record("the file", "records")["records"].list("records"):
        fields = entry.record("a record", "name clauses parts sources")
        yield Record(
            fields["name"].text("name"), tuple(_clauses(fields["clauses"], catalogue)),
            tuple(_parts(fields["parts"])), fields["sources"].texts("sources"),
        )  # fmt: skip


def _clauses(node: Node, catalogue: Catalogue) -> Iterator[ControlId]:
    for entry in node.list("clauses"):
        try:
            yield catalogue.numbered(entry.text("a clause")).id
        except MappingError as error:
            raise entry.error(str(error)) from error


def _parts(node: Node) -> Iterator[Part]:
    for entry in node.list("parts"):
        fields = entry.record("a part", "title points")
        yield Part(fields["title"].text("title"), fields["points"].texts("points"))


def _certification(tree: Node, catalogue: Catalogue) -> Certification:
    fields = tree.record("the file", "standard stages rules areas")
    standard = fields["standard"].record("standard", "name edition sources")
    groups = {control.group for control in catalogue.controls if control.kind == "clause"}
    areas = fields["areas"].record("areas", " ".join(sorted(groups)))
    return Certification(
        Standard(
            standard["name"].text("name"), standard["edition"].text("edition"),
            standard["sources"].texts("sources"),
        ),
        tuple(_stages(fields["stages"])), tuple(_rules(fields["rules"])),
        {number: entry.text("an area") for number, entry in areas.items()},
    )  # fmt: skip


def _stages(node: Node) -> Iterator[Stage]:
    for entry in node.list("stages"):
        fields = entry.record("a stage", "name what ends_in")
        yield Stage(*(fields[name].text(name) for name in ("name", "what", "ends_in")))


def _rules(node: Node) -> Iterator[AuditRule]:
    for entry in node.list("rules"):
        fields = entry.record("a rule", "what sources")
        yield AuditRule(fields["what"].text("what"), fields["sources"].texts("sources"))
