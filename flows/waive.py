"""`headwater waive`: a person answers for what a control lacks, until a day, and can end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape

from evidence.errors import ConfigError, InvalidItem
from evidence.model import Change, EvidenceItem
from evidence.own import OWN_SOURCE, WAIVER_KIND
from evidence.times import stamp
from evidence.waiver import FORM, REGISTERS, waiver_subject
from flows.attest import known_system
from flows.changes import Say
from flows.config import Config, load, now
from flows.hold import open_lake
from flows.lookup import find_item
from flows.signing import in_force, land_word, withdrawal
from flows.statements import number_of
from flows.terminal import Screen, Table, printable
from flows.waivers import read_waiver
from storage.actions import acting_user
from storage.code import code_version
from storage.lake import Lake
from storage.pages import Connection, records
from storage.views import connect

_Made = Mapping[str, Any]


def waive(
    file: Path, control: str, evidence: str, system: str, owner: str, why: str, until: str, say: Say
) -> int:
    """Land the waiver, seal it, and say what it changed. Raises ConfigError, LakeError."""
    config = load(file)
    made = {
        "control": number_of(control), "evidence": evidence, "owner": owner, "reason": why.strip(),
        "at": stamp(now()), "until": until,
    }  # fmt: skip

    def make(connection: Connection) -> _Made:
        told = made | {"system": known_system(connection, system)}
        try:
            _, waiver = read_waiver(told | {"item_system": ""}, config.mapping().catalogue)
        except InvalidItem as error:
            raise ConfigError(f"that is no waiver: {error}") from error
        if waiver.until <= now():
            raise ConfigError(f"--until {until} is over already: such a waiver says nothing")
        return told | {"owner": waiver.owner}

    return _land(config, make, say)


def withdraw(file: Path, what: str, by: str, why: str, say: Say) -> int:
    """End a waiver that was made with `headwater waive`: one person is enough.

    Raises ConfigError, LakeError.
    """
    taken_back = withdrawal(what, by, why)

    def make(connection: Connection) -> _Made:
        row = _standing(connection, what)
        return {key: row[key] for key in _KEPT} | taken_back

    return _land(load(file), make, say)


_KEPT = ("control", "evidence", "system", "owner", "reason", "at", "until")


def show(file: Path) -> int:
    """Print every waiver that anybody made and did not replace, withdrawn ones too."""
    with connect(open_lake(load(file))) as connection:
        rows = records(connection, *sorted(REGISTERS))
    console = Screen(highlight=False)
    if not rows:
        console.print("Nothing is waived.")
        return 0
    table = Table("item", "control", "evidence", "system", "owner", "until", "why")
    for row in sorted(rows, key=lambda row: (str(row.get("control")), str(row.get("until")))):
        why = f"withdrawn: {row.get('withdrawn_why') or row['withdrawn']}"
        told = [row["item_id"][:16], *(row.get(k) or "" for k in _SHOWN)]
        told.append(why if row.get("withdrawn") else str(row.get("reason", "")))
        table.add_row(*(escape(printable(str(cell))) for cell in told))
    console.print(table)
    return 0


_SHOWN = ("control", "evidence", "system", "owner", "until")


def _standing(connection: Connection, what: str) -> dict[str, Any]:
    """The waiver that stands under this id. Raises ConfigError, LakeError."""
    item = find_item(connection, what)
    if item["kind"] != WAIVER_KIND:
        raise ConfigError(
            f"item {item['item_id']} is no waiver that was made here ({item['kind']}): one of a "
            "register is withdrawn in its file"
        )
    return in_force(connection, REGISTERS, item["item_id"], "one")


def _land(config: Config, make: Callable[[Connection], _Made], say: Say) -> int:
    def item(lake: Lake, connection: Connection) -> EvidenceItem:
        made = make(connection)
        known = {row["id"] for row in records(connection, *sorted(REGISTERS))}
        return _item(lake, made, known)

    return land_word(config, item, say)


def _item(lake: Lake, made: _Made, known: set[str]) -> EvidenceItem:
    """As a register's record has it, with whose account wrote it and by which code."""
    at = lake.clock()
    about = waiver_subject(made["control"], made["evidence"], made["system"])
    what = " ".join(filter(None, (made["control"], made["evidence"], made["system"])))
    gone = "withdrawn" in made
    told = f"{what} waived until {made['until']} by {made['owner']}: {made['reason']}"
    payload = {
        "form": FORM, "id": about, "register": "waivers", "level": "record",
        "account": acting_user(), "code_version": code_version(),
    }  # fmt: skip
    return EvidenceItem(
        source=OWN_SOURCE, kind=WAIVER_KIND, subject=about, observed_from=at, observed_to=at,
        collected_at=at, payload=payload | dict(made), system=made["system"],
        change=Change.CHANGED if about in known else Change.NEW,
        title=" ".join((f"withdrawn by {made['withdrawn_by']}: {told}" if gone else told).split()),
        actor=made["withdrawn_by"] if gone else made["owner"],
    )  # fmt: skip
