"""Which statements of people are in force for which control, and why others are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from dashboards.model import Attention
from evidence.attestation import REGISTERS, Statement
from evidence.errors import InvalidItem
from evidence.freshness import Attestation
from evidence.model import ControlId
from evidence.people import person
from mappings.catalogue import Catalogue
from mappings.controls import NAMESPACE, Control
from storage.pages import Connection, records

_Held = Mapping[str, Attestation]


def number_of(control: object) -> str:
    """A control's number, also where the register writes its whole id, as rules allow."""
    return str(control).strip().removeprefix(f"{NAMESPACE}:")


def in_force(
    connection: Connection, catalogue: Catalogue, systems: Collection[str], at: datetime
) -> dict[ControlId, Attestation]:
    """Control → the statement that carries it, of those made by `at`; it may be out of date.

    Of one person the newest statement counts, withdrawn or not; of several people the one that
    lasts longest. Statements limited to AI systems carry a control only if each of `systems` has
    one; then the first to end is given.
    """
    held: dict[ControlId, dict[str, Attestation]] = defaultdict(dict)
    for made, system in _newest(connection, catalogue, at):
        known = held[made.control].get(system)
        if known is None or known.until < made.until:
            held[made.control][system] = made
    carried = {control: _carrying(by_system, systems) for control, by_system in held.items()}
    return {control: made for control, made in carried.items() if made is not None}


def _carrying(held: _Held, systems: Collection[str]) -> Attestation | None:
    whole = held.get("")
    if not systems or not all(system in held for system in systems):
        return whole
    first = min((held[system] for system in systems), key=lambda made: made.until)
    return first if whole is None or whole.until < first.until else whole


def _newest(
    connection: Connection, catalogue: Catalogue, at: datetime
) -> Iterator[tuple[Attestation, str]]:
    """The newest statement of each person for each control and system, unless it was withdrawn."""
    controls = {control.number: control for control in catalogue.controls}
    newest: dict[tuple[str, str, str], tuple[Statement, str]] = {}
    for row in records(connection, *sorted(REGISTERS), confirmed=True):
        told = _read(row)
        if told is None or told.at > at or number_of(told.control) not in controls:
            continue
        key = (number_of(told.control), told.system, told.by.casefold())
        # Of two on one day the one that ends first: the other may be what it replaced.
        if key not in newest or _later(told, newest[key][0]):
            newest[key] = told, str(row["item_id"])
    for (number, system, _), (told, item_id) in newest.items():
        if not told.withdrawn:
            yield _attestation(controls[number], told, item_id), system


def _later(one: Statement, other: Statement) -> bool:
    ends = (bool(one.withdrawn), -one.until.timestamp())
    return (one.at, *ends) > (other.at, bool(other.withdrawn), -other.until.timestamp())


def _attestation(control: Control, told: Statement, item_id: str) -> Attestation:
    """In force no longer than the control allows, whatever the statement says."""
    longest = control.attestation_max_age
    until = told.until if longest is None else min(told.until, told.at + longest)
    return Attestation(control.id, told.by, told.at, until, item_id)


def _read(row: Mapping[str, Any]) -> Statement | None:
    """None for what its collector or its own words make no statement: it counts for nothing."""
    if row.get("problems"):
        return None
    try:
        return Statement.read({**row, "system": row["item_system"]})
    except InvalidItem:
        return None


def refused(connection: Connection, catalogue: Catalogue) -> Iterator[Attention]:
    """A sentence for each statement that somebody made and that counts for nothing."""
    numbers = {control.number for control in catalogue.controls}
    for row in records(connection, *sorted(REGISTERS)):
        if why := _why_not(row, numbers):
            yield Attention(
                "judgement", f"The statement {row.get('id') or ''} of {_name(row)} counts for "
                f"nothing: {why}.", "Mend it where it was made, or sign anew.",
                system=row["item_system"], item_id=row["item_id"],
            )  # fmt: skip


def _why_not(row: Mapping[str, Any], numbers: Collection[str]) -> str:
    if row.get("withdrawn"):
        return ""
    if problems := row.get("problems"):
        return "; ".join(map(str, problems))
    try:
        told = Statement.read(row)
    except InvalidItem as error:
        return str(error)
    if number_of(told.control) not in numbers:
        return f"control {told.control!r} is none of the catalogue"
    return ""


def _name(row: Mapping[str, Any]) -> str:
    try:
        return person(str(row.get("by") or ""))
    except ValueError:
        return "nobody"
