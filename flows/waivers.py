"""Which waivers are in force for which control, and which are over or count for nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from dashboards.model import Attention
from evidence.errors import InvalidItem
from evidence.model import ControlId
from evidence.waiver import REGISTERS, Waiver
from flows.statements import number_of
from mappings.catalogue import Catalogue
from mappings.controls import Control
from storage.pages import Connection, records

OVER = "Do what it put off, decide anew with `headwater waive`, or withdraw it."
WAITS = "Do what it puts off before it is over."


def waivers(
    connection: Connection, catalogue: Catalogue, at: datetime
) -> dict[ControlId, tuple[Waiver, ...]]:
    """Control → its waivers that were made by `at` and not withdrawn; they may be over."""
    found: dict[ControlId, list[Waiver]] = defaultdict(list)
    for row in records(connection, *sorted(REGISTERS), confirmed=True):
        try:
            control, waiver = read_waiver(row, catalogue)
        except InvalidItem:
            continue
        if waiver.at <= at and not waiver.withdrawn:
            found[control.id].append(waiver)
    return {control: tuple(many) for control, many in found.items()}


def read_waiver(row: Mapping[str, Any], catalogue: Catalogue) -> tuple[Control, Waiver]:
    """A record as a waiver, with its control. Raises InvalidItem saying what is wrong."""
    if problems := row.get("problems"):
        raise InvalidItem("; ".join(map(str, problems)))
    waiver = Waiver.read(dict(row) | {"system": row.get("system") or row["item_system"]})
    number = number_of(waiver.control)
    control = next((known for known in catalogue.controls if known.number == number), None)
    if control is None:
        raise InvalidItem(f"control {waiver.control!r} is none of the catalogue")
    if waiver.evidence and waiver.evidence not in {need.evidence for need in control.needs}:
        raise InvalidItem(f"{control.number} does not ask for {waiver.evidence!r}")
    return control, waiver


def waived(connection: Connection, catalogue: Catalogue, at: datetime) -> Iterator[Attention]:
    """A sentence for each waiver that is over, counts for nothing, or is in force."""
    for row in records(connection, *sorted(REGISTERS)):
        if row.get("withdrawn"):
            continue
        about = {
            "system": row["item_system"], "item_id": row["item_id"],
            "cause": f"waiver {row.get('id') or row['item_id']}",
        }  # fmt: skip
        try:
            control, waiver = read_waiver(row, catalogue)
        except InvalidItem as error:
            told = f"The waiver {row.get('id') or ''} counts for nothing: {error}."
            yield Attention("judgement", told, "Mend it where it was made.", **about)
            continue
        what = " ".join(filter(None, (control.number, waiver.evidence, waiver.system)))
        if waiver.until <= at:
            told = f"{what} was {waiver.sentence}. That is over."
            yield Attention("stale", told, OVER, control=control.id, **about)
        elif waiver.at <= at:
            told = f"{what} is {waiver.sentence}."
            yield Attention("waived", told, WAITS, control=control.id, **about)
