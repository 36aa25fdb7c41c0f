"""What every check of a life cycle is given, and how it says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from evidence.trace import Broken, Graph, Node, Stage

SILENT = timedelta(days=31)
"""How long monitoring of a live system may bring nothing, where nobody says otherwise."""
FOLLOW_UP = timedelta(days=7)
"""How long a major incident may stand before something that follows from it is recorded."""
_NOT_RUNNING = {
    "retired", "withdrawn", "planned", "idea", "design", "development", "decommissioned",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at, as of when, and how long monitoring may be silent."""

    graph: Graph
    now: datetime
    silent: timedelta = SILENT


Check = Callable[[Look], Iterator[Broken]]


def broken(check: str, node: Node, missing: Stage, why: str, *more: Node) -> Broken:
    """A broken edge that begins at `node` and rests on its item and those of `more`."""
    ids = tuple(dict.fromkeys(one.item_id for one in (node, *more) if one.item_id))
    return Broken(check, node.stage, node.key, node.system, missing, why, ids)


def running(system: Node) -> bool:
    """Whether the inventory does not say that it is out of use, or not yet in it."""
    return system.facts.get("stage", "").lower() not in _NOT_RUNNING


def day(text: str) -> date | None:
    """The day that a text begins with, if it does."""
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def time(text: str) -> datetime | None:
    """A time with its zone, if the text is one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
