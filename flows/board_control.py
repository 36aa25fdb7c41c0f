"""A control beside its standing: what it asks and why, what it speaks to, how long it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dashboards.detail import AskRow, ControlFacts, CrossRow, WaiverRow
from evidence.freshness import Expectation, Scope
from evidence.model import ControlId
from evidence.waiver import Waiver
from flows.config import Config
from flows.explain_control import counts_for, of_others
from flows.floors import sentence
from flows.law import told
from flows.moment import Moment
from flows.unreached import NeedOf, unreached
from flows.waivers import waivers
from mappings.controls import Control
from mappings.frameworks import Framework, Row
from mappings.guide import load_guide
from mappings.in_force import InForce
from mappings.law import load_law
from storage.pages import Connection


@dataclass(frozen=True, slots=True)
class Controls:
    """What the facts of all controls are made from, as of a moment."""

    config: Config
    shown: Moment
    waivers: Mapping[ControlId, Sequence[Waiver]]
    expected: Sequence[Expectation]
    unfilled: Mapping[NeedOf, str]

    @classmethod
    def of(cls, connection: Connection, config: Config, shown: Moment) -> Controls:
        """Read from the lake. Sources are those of today, so of the past none is told to lack.

        Raises LakeError, ConfigError.
        """
        mapping = shown.mapping
        return cls(
            config, shown, waivers(connection, mapping.catalogue, shown.at),
            mapping.catalogue.expectations(mapping.overrides),
            unreached(mapping, config) if shown.size is None else {},
        )  # fmt: skip


def facts(controls: Controls, control_id: str) -> ControlFacts:
    """What the mapping in force then says of it; guidance and law are those of today.

    Raises MappingError for an unknown control.
    """
    config, mapping = controls.config, controls.shown.mapping
    control = mapping.catalogue.control(control_id)
    asked = [want for want in controls.expected if want.control == control.id]
    return ControlFacts(
        guidance=load_guide().guidance.get(control.id, ""),
        asks=tuple(_asks(controls, asked)),
        waivers=tuple(map(_waiver, controls.waivers.get(control.id, ()))),
        crosswalk=tuple(_crosswalk(mapping, control)),
        documents=tuple(_documents(control)),
        laws=tuple(_laws(mapping, control)),
        kept=tuple(_kept(config, asked)),
    )


def _asks(controls: Controls, asked: Sequence[Expectation]) -> Iterator[AskRow]:
    shown, unfilled = controls.shown, controls.unfilled
    for want in asked:
        yield AskRow(
            want.evidence,
            "each AI system" if want.scope is Scope.SYSTEM else "the organisation",
            counts_for(want, shown.at), want.collect, _rules(shown.mapping, want),
            tuple(of_others(want, shown.at)), unfilled.get((want.control, want.evidence), ""),
        )  # fmt: skip


def _rules(mapping: InForce, want: Expectation) -> tuple[str, ...]:
    return tuple(
        rule.name
        for rule in mapping.rules.rules
        if any((t.control, t.evidence) == (want.control, want.evidence) for t in rule.targets)
    )


def _waiver(one: Waiver) -> WaiverRow:
    return WaiverRow(
        one.owner, one.reason, one.at, one.until, one.evidence, one.system, one.item_id
    )


def _crosswalk(mapping: InForce, control: Control) -> Iterator[CrossRow]:
    for framework in mapping.frameworks.values():
        for row in framework.rows:
            if row.control == control.id:
                yield _cross(framework, row)


def _cross(framework: Framework, row: Row) -> CrossRow:
    seen = row.review
    return CrossRow(
        framework.id, framework.short, row.requirement, (seen or row).relation.value,
        row.confidence, row.sources, seen.by if seen else "", seen.on if seen else None,
        seen.why if seen else row.note,
    )  # fmt: skip


def _documents(control: Control) -> Iterator[str]:
    for document in control.documented_information:
        yield f"to {document.kind}: {document.what}"
    if control.documentation_demanded:
        yield "the control asks for documented information wherever it applies"


def _laws(mapping: InForce, control: Control) -> Iterator[str]:
    for deadline in load_law().deadlines_of(control.id):
        if framework := mapping.frameworks.get(deadline.framework):
            yield f"tell {told(deadline, framework)}"


def _kept(config: Config, asked: Sequence[Expectation]) -> Iterator[str]:
    kinds = sorted({kind for want in asked for kind in want.source_types})
    for kept in config.retention:
        if of := _those(kinds, kept.kinds):
            yield f"class {kept.name} keeps {kept.keep.days} days of {of}: {kept.reason}"
    for floor in load_law().floors:
        if of := _those(kinds, floor.kinds):
            yield f"{sentence(floor)} ({of})"


def _those(kinds: list[str], globs: tuple[str, ...]) -> str:
    return ", ".join(kind for kind in kinds if any(fnmatchcase(kind, glob) for glob in globs))
