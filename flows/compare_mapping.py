"""What judges otherwise from one moment to another: rules, exceptions, settings, registers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from evidence.asked import Expectation
from flows.judgement import Judged, excluded
from flows.settings import changes, said_of
from mappings.catalogue import Catalogue
from mappings.in_force import InForce
from mappings.rules import Rule
from storage.engine import ample
from storage.lake import Lake
from storage.pages import Connection

_ASKED = ("scope", "max_age", "deadline", "warn_before", "silence", "stale_on", "lead")
_WEIGHS = ("risk_class", "stage")
"""What an override may be about, or tells whether a system is in use."""


def mapping_lines(old: InForce, new: InForce) -> Iterator[str]:
    """Each rule, declaration of context, exception and expectation that is another than before."""
    if old.digest == new.digest:
        return
    yield f"mapping {old.digest[:16]} → {new.digest[:16]}"
    yield from _differ(_rules(old), _rules(new))
    yield from _differ(_overrides(old), _overrides(new), told=True)
    before, after = _asked(old.catalogue), _asked(new.catalogue)
    for need in sorted(before.keys() | after.keys()):
        yield from _otherwise(" ".join(need), before.get(need), after.get(need))


def _differ(old: Mapping[str, Any], new: Mapping[str, Any], *, told: bool = False) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was is None or now is None:
            sign, says = ("+", now) if was is None else ("-", was)
            yield f"{sign} {name}{f': {says}' if told else ''}"
        elif was != now:
            says = f": {was} → {now}" if told else " says otherwise: see `headwater rules diff`"
            yield f"~ {name}{says}"


def _rules(mapping: InForce) -> dict[str, Rule]:
    """Wherever in a file they stand."""
    return {
        f"{'context' if rule.context else 'rule'} {rule.name}": dataclasses.replace(
            rule, file="", line=0
        )
        for rule in mapping.rules.rules
    }


def _overrides(mapping: InForce) -> dict[str, str]:
    return {" ".join(filter(None, ("override", *o.key))): said_of(o) for o in mapping.overrides}


def _asked(catalogue: Catalogue) -> dict[tuple[str, str], Expectation]:
    return {(one.control, one.evidence): one for one in catalogue.expectations()}


def _otherwise(what: str, was: Expectation | None, now: Expectation | None) -> Iterator[str]:
    if was is None or now is None:
        yield f"{'+' if was is None else '-'} asked by the catalogue: {what}"
        return
    said = [
        f"{name} {getattr(was, name)} → {getattr(now, name)}"
        for name in _ASKED
        if getattr(was, name) != getattr(now, name)
    ]
    if said:
        yield f"~ asked by the catalogue: {what}: {'; '.join(said)}"


def decided(lake: Lake, before: Judged, after: Judged) -> tuple[str, ...]:
    """What people decided from one moment of the lake to another, with who and when: settings of
    headwater.toml, exclusions, what the inventory says. Raises LakeError."""
    with after.moment.connect(lake, ample()) as connection:
        return tuple(_decided(connection, before, after))


def _decided(connection: Connection, before: Judged, after: Judged) -> Iterator[str]:
    for change in reversed(changes(connection, before.at)):
        yield f"headwater.toml: {change.sentence}"
    for number, row in after.soa.items():
        if (why := excluded(row)) and not excluded(before.soa.get(number)):
            yield f"Statement of Applicability: {number} is left out: {why}{_by(row)}"
    for name, row in after.systems.items():
        was = before.systems.get(name, {})
        if "item_id" in was and "item_id" not in row:
            yield f"inventory: {name} is registered no more"
        for key in _WEIGHS:
            if "item_id" in was and "item_id" in row and was.get(key) != row.get(key):
                told = f"{was.get(key) or 'nothing'} → {row.get(key) or 'nothing'}"
                yield f"inventory: {name}: {key.replace('_', ' ')} {told}{_by(row)}"


def _by(row: Mapping[str, Any]) -> str:
    who, when = row.get("author"), str(row.get("committed_at") or "")
    return f"; by {who} on {when[:10]}" if who else ""
