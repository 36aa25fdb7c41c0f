"""What a person's word needs, whatever it says: landed in one go, sealed, and taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from evidence.errors import ConfigError
from evidence.model import EvidenceItem
from evidence.people import person
from evidence.times import stamp
from flows.changes import Say, standings, tell_changes
from flows.config import Config, now
from flows.follow import follow
from flows.hold import open_lake
from flows.lookup import SIGNS
from flows.terminal import printable
from storage.actions import land_own
from storage.lake import Bookmark, Lake
from storage.pages import Connection, records
from storage.views import connect

Make = Callable[[Lake, Connection], EvidenceItem]


def land_word(config: Config, make: Make, say: Say) -> int:
    """Decide and land in one go: nobody else's word comes in between. Seal, say what changed; 0.

    Raises ConfigError, LakeError.
    """
    lake = open_lake(config)
    before = standings(lake, config)
    landed = list[EvidenceItem]()

    def items(_: Bookmark) -> tuple[tuple[EvidenceItem, ...], None]:
        with connect(lake) as connection:
            landed.append(make(lake, connection))
        return (landed[-1],), None

    land_own(lake, items)
    follow(lake, config)
    say(printable(f"item {landed[-1].item_id} {landed[-1].title}"))
    say("  that is sealed")
    tell_changes(before, standings(lake, config), say)
    return 0


def withdrawal(what: str, by: str, why: str) -> dict[str, str]:
    """The fields by which a record is taken back. Raises ConfigError."""
    if len(what) < SIGNS:
        raise ConfigError(f"{what!r}: an id needs at least {SIGNS} signs")
    if not why.strip():
        raise ConfigError("--why is empty: say why, it stands in the record")
    try:
        name = person(by)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return {"withdrawn": stamp(now()), "withdrawn_by": name, "withdrawn_why": why.strip()}


def in_force(
    connection: Connection, registers: Iterable[str], item_id: str, noun: str
) -> dict[str, Any]:
    """The record that an item is, if nobody replaced it or took it back. Raises ConfigError,
    LakeError."""
    for row in records(connection, *sorted(registers)):
        if row["item_id"] == item_id:
            if row.get("withdrawn"):
                raise ConfigError(f"it was withdrawn on {row['withdrawn'][:10]}")
            return row
    raise ConfigError(f"item {item_id} was replaced by a newer {noun}: withdraw that one")
