"""Set, list and lift legal holds; each is an act in the lake, sealed at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape

from evidence.errors import ConfigError, InvalidItem
from evidence.model import EvidenceItem
from evidence.times import parse
from flows.config import Config, load, now
from flows.follow import follow
from flows.terminal import Screen, Table
from storage.actions import action_item, land_own
from storage.holds import FREEZE, HOLD, RELEASE, Hold, held_ids, holds_in_force
from storage.lake import Bookmark, Lake
from storage.views import connect

Facts = Callable[[Mapping[str, Hold]], dict[str, object]]


def show(file: Path) -> int:
    """Print the holds in force and how many items each keeps."""
    lake = open_lake(load(file))
    with connect(lake) as connection:
        holds = holds_in_force(connection, now=now())
        counts = {key: len(held_ids(connection, [hold])) for key, hold in holds.items()}
    console = Screen(highlight=False)
    if not holds:
        console.print("No hold is in force.")
        return 0
    table = Table("hold", "by", "since", "until", "items", "what", "why")
    for key, hold in holds.items():
        table.add_row(
            escape(hold.name), escape(hold.by), hold.since.date().isoformat(),
            hold.until.date().isoformat() if hold.until else "lifted", str(counts[key]),
            escape(_what(hold)), escape(hold.reason),
        )  # fmt: skip
    console.print(table)
    return 0


def _what(hold: Hold) -> str:
    given = {
        "kinds": hold.kinds, "systems": hold.systems, "subjects": hold.subjects,
        "items": hold.item_ids,
    }  # fmt: skip
    parts = [f"{name} {', '.join(texts)}" for name, texts in given.items() if texts]
    return "; ".join([*parts, *([f"the first {hold.first} of the ledger"] if hold.first else [])])


def set_hold(
    file: Path, name: str, by: str, why: str, until: str, selected: Mapping[str, list[str]]
) -> int:
    """Land the act that sets a hold and seal it. Raises ConfigError, LakeError."""
    config = load(file)
    lake = open_lake(config)
    try:
        end: datetime | None = parse(until) if until else None
        given: dict[str, Any] = {key: tuple(texts) for key, texts in selected.items()}
        hold = Hold(name, by, now(), why, **given, until=end)
    except (ValueError, InvalidItem) as error:
        raise ConfigError(f"hold {name!r}: {error}") from error
    land_act(lake, config, HOLD, by, lambda holds: _new(hold, holds))
    with connect(lake) as connection:
        number = len(held_ids(connection, [hold]))
    Screen(highlight=False).print(
        f"hold {escape(name)} is set and sealed: {number} items are kept, and what it fits later"
    )
    return 0


def release(file: Path, name: str, by: str, why: str) -> int:
    """Land the act that lifts a hold and seal it. Raises ConfigError, LakeError."""
    lift(file, HOLD, name, by, why)
    Screen(highlight=False).print(f"hold {escape(name)} is lifted; that is sealed")
    return 0


def lift(file: Path, what: str, name: str, by: str, why: str) -> None:
    """Land the act that lifts a hold, or the hold of a freeze (`what`), and seal it.

    Raises ConfigError, LakeError.
    """
    config = load(file)
    if not (by.strip() and why.strip()):
        raise ConfigError("--by NAME and --why TEXT are needed: they stand in the record")
    land_act(open_lake(config), config, RELEASE, by, lambda holds: _lifts(what, name, why, holds))


def _new(hold: Hold, holds: Mapping[str, Hold]) -> dict[str, object]:
    if any(known.name == hold.name for known in holds.values()):
        raise ConfigError(f"hold {hold.name!r} is in force already: lift it, or choose a new name")
    return hold.facts()


def _lifts(what: str, name: str, why: str, holds: Mapping[str, Hold]) -> dict[str, object]:
    kinds = {act: FREEZE if hold.first else HOLD for act, hold in holds.items()}
    for act, hold in holds.items():
        if (kinds[act], hold.name) == (what, name):
            return {"name": name, "lifts": act, "reason": why}
    known = ", ".join(sorted(h.name for act, h in holds.items() if kinds[act] == what)) or "none"
    raise ConfigError(f"no {what} {name!r} is in force; in force: {known}")


def land_act(lake: Lake, config: Config, what: str, by: str, facts: Facts) -> None:
    """Judge the holds and land the act in one go: two people at once cannot both be first."""

    def make(_: Bookmark) -> tuple[tuple[EvidenceItem, ...], None]:
        with connect(lake) as connection:
            told = facts(holds_in_force(connection, now=now()))
        title = f"{what}: {told['name']}"
        return (action_item(lake, what, who=by, facts=told, title=title),), None

    land_own(lake, make)
    follow(lake, config)


def open_lake(config: Config) -> Lake:
    """The configured lake, to land an act on. Raises LakeError."""
    return Lake.open(config.lake, clock=now, redactor=config.redactor())
