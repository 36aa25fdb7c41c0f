"""One audit by its id: which controls, by what they are judged, what was found and sampled."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.cut import standing_of
from evidence.audits import (
    ACTIONS,
    AUDITS,
    CERTIFICATION,
    FINDINGS,
    Books,
    Entry,
    Lack,
    covered,
    lacks,
)
from evidence.errors import ConfigError
from evidence.excerpt import EVERYTHING, Excerpt
from evidence.model import ControlId
from flows.audits import books
from flows.judgement import Judged
from mappings.controls import Control
from mappings.guide import load_guide
from storage.draws import draws_of
from storage.pages import Connection


@dataclass(frozen=True, slots=True)
class AuditScope:
    """An audit as its record says, and what of the books and the lake belongs to it.

    `findings` are those that name it, `actions` those for them; `earlier` are findings of other
    audits on these controls that are not closed. `samples` are facts of draws (storage/draws.py).
    """

    audit: Entry
    controls: tuple[Control, ...]
    findings: tuple[Entry, ...]
    actions: tuple[Entry, ...]
    earlier: tuple[Entry, ...]
    samples: Sequence[dict[str, Any]]
    lacks: tuple[Lack, ...]

    @property
    def sentence(self) -> str:
        """What it is, in one line."""
        named = "" if self.audit.title == self.audit.id else f" ({self.audit.title})"
        return f"the audit {self.audit.id}{named}"


def scope_of(connection: Connection, judged: Judged, name: str) -> AuditScope:
    """The audit of that id. Raises ConfigError, LakeError."""
    held = books(connection, judged.at)
    audit = _named(held, name)
    if not audit.controls:
        raise ConfigError(f"the audit {name} names no `controls`: write them into its record")
    controls = tuple(c for c in judged.catalogue.controls if covered(c.number, audit.controls))
    numbers = {control.number for control in controls}
    findings = tuple(one for one in held.of(FINDINGS) if one.names == audit.id)
    known = {one.id for one in findings}
    actions = tuple(one for one in held.of(ACTIONS) if one.names in known)
    earlier = tuple(
        one for one in held.of(FINDINGS)
        if one.names != audit.id and one.done is None
        and any(covered(number, one.controls) for number in numbers)
    )  # fmt: skip
    ours = {one.item_id for one in (audit, *findings, *actions)}
    found = (*_strange(judged, audit), *(one for one in lacks(held) if one.item_id in ours))
    samples = draws_of(connection, [str(control.id) for control in controls])
    return AuditScope(audit, controls, findings, actions, earlier, samples, found)


def cut(whole: AuditScope, chosen: Collection[ControlId], systems: Collection[str]) -> AuditScope:
    """What of the audit is of these controls (none: all) and samples of these systems (none: all).

    A finding that names no control may be of any, and stays. Raises ConfigError for a control that
    the audit does not name.
    """
    known = {control.id for control in whole.controls}
    if strange := sorted(set(chosen) - known):
        names = ", ".join(control.number for control in whole.controls)
        raise ConfigError(f"the audit {whole.audit.id} is not of {strange[0]}, but of {names}")
    controls = tuple(c for c in whole.controls if not chosen or c.id in chosen)
    numbers = [control.number for control in controls]

    def of_them(one: Entry) -> bool:
        return not chosen or not one.controls or any(covered(n, one.controls) for n in numbers)

    findings = tuple(filter(of_them, whole.findings))
    left = {one.id for one in findings}
    actions = tuple(one for one in whole.actions if one.names in left)
    earlier = tuple(filter(of_them, whole.earlier))
    ids = {str(control.id) for control in controls}
    samples = [
        one for one in whole.samples
        if one["scope"]["control"] in ids and (not systems or one["scope"]["system"] in systems)
    ]  # fmt: skip
    gone = {one.item_id for one in (*whole.findings, *whole.actions)}
    gone -= {one.item_id for one in (*findings, *actions)}
    lacking = tuple(lack for lack in whole.lacks if lack.item_id not in gone)
    return AuditScope(whole.audit, controls, findings, actions, earlier, samples, lacking)


def _named(held: Books, name: str) -> Entry:
    entries = (*held.of(AUDITS), *held.of(CERTIFICATION))
    for entry in entries:
        if entry.id == name:
            return entry
    known = ", ".join(entry.id for entry in entries) or "none"
    raise ConfigError(f"no register holds an audit {name!r} as of that moment; known: {known}")


def _strange(judged: Judged, audit: Entry) -> Iterator[Lack]:
    """What it names that no clause or control is, nor is part of."""
    for name in audit.controls:
        if not any(covered(control.number, {name}) for control in judged.catalogue.controls):
            told = f"Audit {audit.id} names {name}, which is no clause or control."
            yield Lack("judgement", told, "Correct it in the register.", audit.item_id)


def criteria(
    scope: AuditScope, judged: Judged, shown: Excerpt = EVERYTHING
) -> list[dict[str, Any]]:
    """Each control with what is asked for it, and where it stands, JSON-like."""
    guide = load_guide()
    stands = {c.id: standing_of(judged.standings[c.id], shown) for c in scope.controls}
    return [
        {
            "control": control.number, "title": control.title, "asks": control.summary,
            "evidence": "; ".join(f"{n.evidence}: {n.collect}" for n in control.needs),
            "auditors_look_for": guide.sought(control),
            "owner": str(judged.soa.get(control.number, {}).get("owner") or ""),
            "standing": stands[control.id].standing.value,
            "why": stands[control.id].why,
        }
        for control in scope.controls
    ]  # fmt: skip


def drawn(scope: AuditScope) -> list[dict[str, Any]]:
    """Each sample as a row: for which control, by which seed, from how many, and its items."""
    return [
        {
            "control": str(one["scope"]["control"]).partition(":")[2], "at": one["at"],
            "by": one["by"], "seed": one["seed"], "method": one["method"],
            "drawn": len(one["sample"]), "of": one["population"]["items"],
            "population_sha256": one["population"]["sha256"], "as_of": one["as_of"],
            "items": "; ".join(one["sample"]),
        }
        for one in scope.samples
    ]  # fmt: skip
