"""Set, list and lift legal holds; each is an act in the lake, sealed at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evidence.errors import ConfigError, InvalidItem
from evidence.model import EvidenceItem
from evidence.times import parse
from flows.config import Config, load, now
from flows.follow import seal
from storage.actions import action_item, land_own
from storage.holds import HOLD, RELEASE, Hold, held_ids, holds_in_force
from storage.lake import Bookmark, Lake
from storage.views import connect

_Facts = Callable[[Mapping[str, Hold]], dict[str, object]]


def show(file: Path) -> int:
    """Print the holds in force and how many items each keeps."""
    lake = _open(load(file))
    with connect(lake) as connection:
        holds = holds_in_force(connection, now=now())
        counts = {key: len(held_ids(connection, [hold])) for key, hold in holds.items()}
    console = Console(highlight=False)
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
    return "; ".join(f"{name} {', '.join(texts)}" for name, texts in given.items() if texts)


def set_hold(
    file: Path, name: str, by: str, why: str, until: str, selected: Mapping[str, list[str]]
) -> int:
    """Land the act that sets a hold and seal it. Raises ConfigError, LakeError."""
    config = load(file)
    lake = _open(config)
    try:
        end: datetime | None = parse(until) if until else None
        given = {key: tuple(texts) for key, texts in selected.items()}
        hold = Hold(name, by, now(), why, **given, until=end)
    except (ValueError, InvalidItem) as error:
        raise ConfigError(f"hold {name!r}: {error}") from error
    _land(lake, config, HOLD, by, lambda holds: _new(hold, holds))
    with connect(lake) as connection:
        number = len(held_ids(connection, [hold]))
    Console(highlight=False).print(
        f"hold {escape(name)} is set and sealed: {number} items are kept, and what it fits later"
    )
    return 0


def release(file: Path, name: str, by: str, why: str) -> int:
    """Land the act that lifts a hold and seal it. Raises ConfigError, LakeError."""
    config = load(file)
    if not (by.strip() and why.strip()):
        raise ConfigError("--by NAME and --why TEXT are needed: they stand in the record")
    _land(_open(config), config, RELEASE, by, lambda holds: _lifts(name, why, holds))
    Console(highlight=False).print(f"hold {escape(name)} is lifted; that is sealed")
    return 0


def _new(hold: Hold, holds: Mapping[str, Hold]) -> dict[str, object]:
    if any(known.name == hold.name for known in holds.values()):
        raise ConfigError(f"hold {hold.name!r} is in force already: lift it, or choose a new name")
    return hold.facts()


def _lifts(name: str, why: str, holds: Mapping[str, Hold]) -> dict[str, object]:
    for act, hold in holds.items():
        if hold.name == name:
            return {"name": name, "lifts": act, "reason": why}
    known = ", ".join(sorted(hold.name for hold in holds.values())) or "none"
    raise ConfigError(f"no hold {name!r} is in force; in force: {known}")


def _land(lake: Lake, config: Config, what: str, by: str, facts: _Facts) -> None:
    """Judge the holds and land the act in one go: two people at once cannot both be first."""

    def make(_: Bookmark) -> tuple[tuple[EvidenceItem, ...], None]:
        with connect(lake) as connection:
            told = facts(holds_in_force(connection, now=now()))
        title = f"{what}: {told['name']}"
        return (action_item(lake, what, who=by, facts=told, title=title),), None

    land_own(lake, make)
    seal(lake, config)


def _open(config: Config) -> Lake:
    return Lake.open(config.lake, clock=now, redactor=config.redactor())
