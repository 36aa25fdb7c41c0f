"""The controls of ISO/IEC 42001, what evidence each needs, and the expectations that follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path

from evidence.canonical import digest
from evidence.duration import Span, shortest
from evidence.errors import MappingError
from evidence.freshness import Expectation, Scope, Special
from evidence.model import ControlId
from mappings.controls import (
    NAMESPACE,
    Control,
    EvidenceKind,
    Need,
    Vocabulary,
    read_controls,
    read_kinds,
)
from mappings.deadlines import CronDeadline
from mappings.nodes import Node, read
from mappings.overrides import Override

HERE = Path(__file__).parent
EVERYWHERE = "*"
STRENGTHS = ("full", "partial", "supporting")
Key = tuple[str, str, str, str]
_FILES = (("clauses", "clause"), ("controls", "control"))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All assessable clauses and controls, in the standard's order. `digest` covers every word.

    Claims of a strength in `aside` put nothing in date alone; catalogues of before had none there.
    """

    controls: tuple[Control, ...]
    kinds: Mapping[str, EvidenceKind]
    source_types: tuple[str, ...]
    events: tuple[str, ...]
    aliases: Mapping[str, str]
    own: tuple[str, ...]
    digest: str
    aside: tuple[str, ...] = ()

    @property
    def native_kinds(self) -> frozenset[str]:
        """Every item kind that a rule may speak of."""
        return frozenset({*self.source_types, *self.aliases, *self.own})

    def control(self, control: str) -> Control:
        """The control with this id (`iso42001:A.6.2.4`). Raises MappingError."""
        for known in self.controls:
            if known.id == control:
                return known
        raise MappingError(f"unknown control {control!r}; ids look like {NAMESPACE}:A.6.2.4")

    def numbered(self, number: str) -> Control:
        """The control with this number (`A.6.2.4`) or id. Raises MappingError."""
        return self.control(f"{NAMESPACE}:{number.removeprefix(f'{NAMESPACE}:')}")

    def source_type(self, kind: str) -> str:
        """The catalogue's word for a native kind."""
        return self.aliases.get(kind, kind)

    def expecting(self, evidence: str, kind: str) -> tuple[ControlId, ...]:
        """Controls with a need for `evidence` that accepts items of the native `kind`."""
        wanted = self.source_type(kind)
        return tuple(
            control.id
            for control in self.controls
            for need in control.needs
            if need.evidence == evidence and wanted in need.source_types
        )

    def expectations(self, overrides: Iterable[Override] = ()) -> tuple[Expectation, ...]:
        """What must be in date, for whom; overrides applied and carried along, dropped ones gone.

        Raises MappingError for an override of nothing, without a reason, twice, or without effect.
        """
        changes = self._checked(overrides)
        return tuple(
            self._expectation(control, need, changes)
            for control in self.controls
            for need in control.needs
            if (change := changes.get((control.id, need.evidence, "", ""))) is None
            or change.applies
        )

    def changes(self, overrides: Iterable[Override]) -> tuple[Override, ...]:
        """The overrides, checked and control by control. Raises MappingError."""
        return tuple(self._checked(overrides).values())

    def dropped(self, overrides: Iterable[Override]) -> tuple[Override, ...]:
        """What the organisation left out, control by control, for all or for some, and why."""
        return tuple(o for o in self._checked(overrides).values() if not o.applies)

    def _checked(self, overrides: Iterable[Override]) -> dict[Key, Override]:
        changes: dict[Key, Override] = {}
        for change in self._spelled_out(overrides):
            if change.key in changes:
                raise _refused(change, "is given twice; keep one")
            self._check(change)
            changes[change.key] = change
        for change in changes.values():
            whole = changes.get((change.control, change.evidence, "", ""), change)
            if whole is not change and not whole.applies:
                raise _refused(change, "has no effect: another override asks it of nobody")
        return changes

    def _spelled_out(self, overrides: Iterable[Override]) -> Iterator[Override]:
        for change in overrides:
            if change.control != EVERYWHERE:
                yield change
                continue
            asking = [
                control.id
                for control in self.controls
                if any(need.evidence == change.evidence for need in control.needs)
            ]
            if not asking:
                raise _refused(change, "changes nothing: no control asks for it")
            yield from (replace(change, control=control) for control in asking)

    def _check(self, change: Override) -> None:
        needs = [need.evidence for need in self.control(change.control).needs]
        if change.evidence not in needs:
            raise _refused(change, f"changes nothing: the control needs {', '.join(needs)}")
        if not change.reason.strip():
            raise _refused(change, "has no reason; the board and the auditor ask for it")
        given = (change.max_age, change.deadline, change.warn_before)
        if change.applies and given == (None, None, None):
            raise _refused(change, "has no effect; give max_age, deadline, warn_before or "
                                   "applies = false")  # fmt: skip
        if change.max_age is not None and shortest(change.max_age) <= timedelta(0):
            raise _refused(change, "has a max_age that is not longer than nothing")
        if change.system and change.risk_class:
            raise _refused(change, "names a system and a risk class; give it two overrides")
        scope = self.kinds[change.evidence].scope_for(ControlId(change.control))
        if (change.system or change.risk_class) and scope is Scope.ORGANISATION:
            raise _refused(change, "names AI systems, but it is asked of the organisation once")

    def _expectation(
        self, control: Control, need: Need, changes: Mapping[Key, Override]
    ) -> Expectation:
        made = self._changed(control, need, changes.get((control.id, need.evidence, "", "")))
        special = tuple(
            Special(
                change.system, change.risk_class,
                self._changed(control, need, change) if change.applies else None,
            )
            for change in changes.values()
            if change.key[:2] == (control.id, need.evidence) and change.key[2:] != ("", "")
        )  # fmt: skip
        return replace(made, special=special) if special else made

    def _changed(self, control: Control, need: Need, change: Override | None) -> Expectation:
        kind = self.kinds[need.evidence]
        age, deadline, warn = _until(need, change)
        limits = [shortest(age)] if age is not None else []
        limits += [deadline.shortest] if deadline is not None else []
        default = min(kind.warn_before, min(limits) / 3)
        try:
            return Expectation(
                control=control.id, evidence=need.evidence, scope=kind.scope_for(control.id),
                max_age=age, warn_before=default if warn is None else warn,
                silence=kind.silence, stale_on=need.stale_on,
                source_types=tuple(self._accepted(need)), collect=need.collect, why=need.why,
                override=change.reason.strip() if change else "", lead=kind.lead,
                deadline=deadline,
            )  # fmt: skip
        except ValueError as error:
            raise MappingError(f"override of {error}") from error

    def _accepted(self, need: Need) -> Iterator[str]:
        yield from need.source_types
        yield from (kind for kind, known in self.aliases.items() if known in need.source_types)


def _until(
    need: Need, change: Override | None
) -> tuple[Span | None, CronDeadline | None, timedelta | None]:
    """Age limit, deadline and warning: a deadline alone takes the place of the age limit."""
    if change is None:
        return need.max_age, None, None
    if change.deadline is not None:
        return change.max_age, change.deadline, change.warn_before
    return change.max_age or need.max_age, None, change.warn_before


def _refused(change: Override, why: str) -> MappingError:
    return MappingError(f"[[override]] of {change.control} {change.evidence} {why}")


@cache
def load_catalogue(folder: Path = HERE) -> Catalogue:
    """The shipped catalogue, read once. Raises MappingError naming file and line."""
    return read_catalogue(catalogue_trees(folder))


def catalogue_trees(folder: Path = HERE) -> dict[str, Node]:
    """Name → tree of each file that a catalogue is made of. Raises MappingError."""
    names = {name: f"{NAMESPACE}/{name}.yaml" for name in ("evidence_kinds", "clauses", "controls")}
    names |= {"expectations": "expectations.yaml", "aliases": "aliases.yaml"}
    return {name: read(folder / path, root=folder) for name, path in names.items()}


def read_catalogue(trees: Mapping[str, Node]) -> Catalogue:
    """The catalogue that these trees tell. Raises MappingError naming file and line."""
    vocabulary = trees["evidence_kinds"].record("the file", "kinds source_types events")
    source_types = vocabulary["source_types"].texts("source_types")
    events = vocabulary["events"].texts("events")
    expectations = trees["expectations"].record("the file", "kinds", "aside")
    judged = expectations["kinds"].items("kinds")
    known = Vocabulary(frozenset(source_types), frozenset(events), judged)
    kinds = dict(read_kinds(vocabulary["kinds"], known))
    controls = tuple(
        c for name, word in _FILES for c in read_controls(trees[name], name, word, kinds)
    )
    _refuse_strangers(judged, kinds, controls)
    aliases, own = _aliases(trees["aliases"], source_types)
    return Catalogue(
        controls, kinds, source_types, events, aliases, own,
        digest({name: tree.plain() for name, tree in trees.items()}),
        _aside(expectations["aside"]) if "aside" in expectations else (),
    )  # fmt: skip


def _aside(node: Node) -> tuple[str, ...]:
    words = node.texts("aside")
    for word in words:
        if word not in STRENGTHS or word == STRENGTHS[0]:
            raise node.error(f"{word!r} cannot stand aside; known: {', '.join(STRENGTHS[1:])}")
    return words


def _refuse_strangers(
    judged: Mapping[str, Node], kinds: Mapping[str, EvidenceKind], controls: tuple[Control, ...]
) -> None:
    """Nothing in expectations.yaml may speak of a kind or a control that is not there."""
    asked = {(need.evidence, control.id) for control in controls for need in control.needs}
    if len(ids := [control.id for control in controls]) != len(set(ids)):
        raise MappingError("two controls have one number", file=f"{NAMESPACE}/")
    for name, node in judged.items():
        if name not in kinds:
            raise node.error(f"unknown evidence kind {name!r}")
        for control in kinds[name].swapped:
            if (name, control) not in asked:
                raise node.error(f"{control} does not ask for {name}")


def _aliases(tree: Node, source_types: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    fields = tree.record("the file", "aliases own")
    aliases = {
        name: node.text("an alias") for name, node in fields["aliases"].items("aliases").items()
    }
    for name, node in fields["aliases"].items("aliases").items():
        if aliases[name] not in source_types or name in source_types:
            raise node.error(f"{name} must be a new kind that stands for a known source type")
    return aliases, fields["own"].texts("own")
