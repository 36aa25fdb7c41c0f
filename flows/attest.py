"""`headwater attest`: a person signs for a control until a day, and can take it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape

from evidence.attestation import FORM, KIND, REGISTERS, flaws, recorded, subject
from evidence.errors import ConfigError
from evidence.model import Change, EvidenceItem
from evidence.own import OWN_SOURCE
from evidence.people import person
from evidence.times import day_or_time, stamp
from flows.changes import Say
from flows.config import Config, load, now
from flows.hold import open_lake
from flows.judgement import INVENTORIES
from flows.lookup import find_item
from flows.signing import in_force, land_word, withdrawal
from flows.statements import number_of
from flows.terminal import Screen, Table, printable
from mappings.catalogue import Catalogue
from mappings.controls import Control
from storage.actions import acting_user
from storage.code import code_version
from storage.lake import Lake
from storage.pages import Connection, records
from storage.views import connect

_Made = tuple[dict[str, str], str]


def attest(
    file: Path, control: str, by: str, statement: str, until: str, at: str, system: str, say: Say
) -> int:
    """Land the statement, seal it, and say what it changed. Raises ConfigError, LakeError."""
    config, told = load(file), now()
    made = {
        "control": number_of(control), "by": by, "statement": statement.strip(),
        "at": at or stamp(told), "until": until,
    }  # fmt: skip
    if wrong := flaws(made):
        raise ConfigError(*(f"--{why}" if not why.startswith("control") else why for why in wrong))
    made["by"] = person(by)
    found = _control(config.mapping().catalogue, made["control"])
    _period(found, day_or_time(made["at"]), day_or_time(until), told)
    return _land(config, lambda connection: (made, known_system(connection, system)), say)


def withdraw(file: Path, what: str, by: str, why: str, say: Say) -> int:
    """Take back a statement that was made with `headwater attest`: one person is enough.

    Raises ConfigError, LakeError.
    """
    taken_back = withdrawal(what, by, why)

    def made(connection: Connection) -> _Made:
        row = _standing(connection, what)
        kept = {k: row[k] for k in ("control", "by", "statement", "at", "until")}
        return kept | taken_back, row["item_system"]

    return _land(load(file), made, say)


def show(file: Path) -> int:
    """Print every statement that anybody made and did not replace, withdrawn ones too."""
    with connect(open_lake(load(file))) as connection:
        rows = records(connection, *sorted(REGISTERS))
    console = Screen(highlight=False)
    if not rows:
        console.print("Nobody signed for anything.")
        return 0
    table = Table("item", "control", "by", "from", "until", "statement")
    for row in sorted(rows, key=lambda row: (str(row.get("control")), str(row.get("until")))):
        told = [row["item_id"][:16], *(row.get(k, "") for k in ("control", "by", "at", "until"))]
        table.add_row(*(escape(printable(str(cell))) for cell in (*told, _words(row))))
    console.print(table)
    return 0


def _words(row: Mapping[str, Any]) -> str:
    if row.get("withdrawn"):
        return f"withdrawn: {row.get('withdrawn_why') or row['withdrawn']}"
    if problems := row.get("problems"):
        return f"counts for nothing: {'; '.join(map(str, problems))}"
    return str(row.get("statement", ""))


def _control(catalogue: Catalogue, number: str) -> Control:
    for control in catalogue.controls:
        if control.number == number:
            return control
    raise ConfigError(
        f"control {number!r} is none of the catalogue: give a number such as 5.2 or A.6.2.4"
    )


def _period(control: Control, at: datetime, until: datetime, told: datetime) -> None:
    if why := recorded(at, until, told):
        raise ConfigError(f"--{why}")
    if until <= told:
        raise ConfigError(
            f"--until {until:%Y-%m-%d} is over already: such a statement says nothing"
        )
    longest = control.attestation_max_age
    if longest is not None and until - at > longest:
        raise ConfigError(
            f"--until {until:%Y-%m-%d}: {control.number} asks for a signature every {longest.days} "
            f"days; sign until {at + longest:%Y-%m-%d} at most"
        )


def _standing(connection: Connection, what: str) -> dict[str, Any]:
    """The statement that stands under this id. Raises ConfigError, LakeError."""
    item = find_item(connection, what)
    if item["kind"] != KIND:
        raise ConfigError(f"item {item['item_id']} is no statement of a person ({item['kind']})")
    if item["source"] != OWN_SOURCE:
        raise ConfigError(
            f"item {item['item_id']} comes from source {item['source']}: withdraw it there "
            "(docs/registers.md), or say with `headwater correct` that it is wrong"
        )
    return in_force(connection, REGISTERS, item["item_id"], "statement")


def known_system(connection: Connection, system: str) -> str:
    """The AI system's name as it is registered. Raises ConfigError."""
    known = {str(row["id"]) for row in records(connection, *INVENTORIES)}
    if system and system not in known:
        raise ConfigError(
            f"--system {system!r} is no registered AI system: "
            + (", ".join(sorted(known)) or "none is registered")
        )
    return system


def _land(config: Config, make: Callable[[Connection], _Made], say: Say) -> int:
    def item(lake: Lake, connection: Connection) -> EvidenceItem:
        made, system = make(connection)
        known = records(connection, *sorted(REGISTERS))
        about = subject(str(made["control"]), str(made["by"])), system
        again = about in {(row["id"], row["item_system"]) for row in known}
        return _item(lake, made, system, Change.CHANGED if again else Change.NEW)

    return land_word(config, item, say)


def _item(lake: Lake, made: Mapping[str, Any], system: str, change: Change) -> EvidenceItem:
    """As the register's form has it, with whose account wrote it and by which code."""
    at, about = lake.clock(), subject(made["control"], made["by"])
    told = f"{made['control']} attested by {made['by']}: {made['statement']}"
    gone = "withdrawn" in made
    payload = {
        "form": FORM, "id": about, "register": "attestations", "level": "record",
        "account": acting_user(), "code_version": code_version(), "system": system,
    }  # fmt: skip
    when = at if gone else day_or_time(made["at"])
    return EvidenceItem(
        source=OWN_SOURCE, kind=KIND, subject=about, system=system, observed_from=when,
        observed_to=when, collected_at=at, payload=payload | dict(made), change=change,
        title=" ".join((f"withdrawn by {made['withdrawn_by']}: {told}" if gone else told).split()),
        actor=made["withdrawn_by"] if gone else made["by"],
    )  # fmt: skip
