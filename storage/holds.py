"""Legal holds: acts by which somebody keeps items from disposal, until somebody lifts them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence.errors import InvalidItem, LakeError
from evidence.own import ACTION_KIND, OWN_SOURCE
from evidence.times import parse, stamp
from storage.engine import Connection, literal

HOLD, RELEASE, FREEZE = "hold", "release", "freeze"
NAME = re.compile(r"[a-z0-9][a-z0-9 ._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Hold:
    """What all its selectors fit is not disposed of until somebody lifts the hold.

    `by` and `since` say who set it and when; `until` is its end (None: until it is lifted). Each
    selector that is given narrows it; `kinds` are globs, `first` means so many items from the
    ledger's beginning: a freeze is such a hold. Raises ValueError.
    """

    name: str
    by: str
    since: datetime
    reason: str
    kinds: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    item_ids: tuple[str, ...] = ()
    until: datetime | None = None
    first: int = 0

    def __post_init__(self) -> None:
        check_words(self.name, self.reason)
        if not self.by.strip():
            raise ValueError("by is empty: say who wants the hold")
        if not (self.kinds or self.systems or self.subjects or self.item_ids or self.first):
            raise ValueError("it selects nothing; to hold everything give the kind *")
        if self.until is not None and self.until <= self.since:
            raise ValueError(f"until {stamp(self.until)} is over: it would hold nothing")

    def active(self, now: datetime) -> bool:
        """Whether it holds at `now`; one that is dated ahead holds from the moment it is known."""
        return self.until is None or now < self.until

    def facts(self) -> dict[str, Any]:
        """What the act says."""
        return {
            "name": self.name, "by": self.by, "since": stamp(self.since), "reason": self.reason,
            "kinds": list(self.kinds), "systems": list(self.systems),
            "subjects": list(self.subjects), "item_ids": list(self.item_ids),
            "until": stamp(self.until) if self.until else "",
            **({"first": self.first} if self.first else {}),
        }  # fmt: skip


def check_words(name: str, reason: str) -> None:
    """A name that can stand in a record, and a reason. Raises ValueError."""
    if not NAME.fullmatch(name):
        raise ValueError(f"name {name!r} must be lower-case words of at most 63 signs")
    if not reason.strip():
        raise ValueError("a reason is missing: it stands in the record")


def hold_of(facts: Mapping[str, Any]) -> Hold:
    """The hold that an act told of. Raises ValueError, KeyError, TypeError."""
    lists = {key: tuple(facts[key]) for key in ("kinds", "systems", "subjects", "item_ids")}
    until = parse(facts["until"]) if facts["until"] else None
    return Hold(facts["name"], facts["by"], parse(facts["since"]), facts["reason"], **lists,
                until=until, first=int(facts.get("first", 0)))  # fmt: skip


def holds_in_force(connection: Connection, *, now: datetime) -> dict[str, Hold]:
    """Act (item id) → hold, of those that no act has lifted and that have not ended at `now`.

    A release names the act that it lifts, so clocks that disagree do not matter. Raises LakeError
    for an act that cannot be read: what it holds is not known, so nothing may go.
    """
    sql = f"""SELECT item_id, subject, payload->'$.facts' FROM evidence
        WHERE source = '{OWN_SOURCE}' AND kind = '{ACTION_KIND}'
        AND subject IN ('{HOLD}', '{FREEZE}', '{RELEASE}') ORDER BY landed_at, item_id"""  # noqa: S608  ours
    found: dict[str, Hold] = {}
    lifted = set[str]()
    for item_id, subject, text in connection.execute(sql).fetchall():
        try:
            facts = json.loads(text)
            if subject == RELEASE:
                lifted.add(facts["lifts"])
            else:
                found[item_id] = hold_of(facts)
        except (ValueError, KeyError, TypeError, InvalidItem, RecursionError) as error:
            raise LakeError(
                f"the act {item_id} ({subject}) cannot be read ({error}): run `headwater verify`"
            ) from error
    return {key: h for key, h in found.items() if key not in lifted and h.active(now)}


def held_ids(connection: Connection, holds: Sequence[Hold]) -> frozenset[str]:
    """The ids of all items that one of these holds selects."""
    if not holds:
        return frozenset()
    where = " OR ".join(f"({selects(hold)})" for hold in holds)
    rows = connection.execute(f"SELECT item_id FROM evidence e WHERE {where}").fetchall()  # noqa: S608
    return frozenset(row[0] for row in rows)


def selects(hold: Hold) -> str:
    """The hold as an SQL condition on `evidence e`."""
    parts = [
        globs("kind", hold.kinds) if hold.kinds else "",
        f"system IN ({_texts(hold.systems)})" if hold.systems else "",
        f"subject IN ({_texts(hold.subjects)})" if hold.subjects else "",
        f"e.item_id IN ({_texts(hold.item_ids)})" if hold.item_ids else "",
        f"e.item_id IN (SELECT item_id FROM leaves WHERE leaf_index < {hold.first})"  # noqa: S608
        if hold.first
        else "",
    ]
    return " AND ".join(part for part in parts if part)


def globs(column: str, patterns: Sequence[str]) -> str:
    """Whether a column fits one of the globs, in SQL."""
    return "(" + " OR ".join(f"{column} GLOB {literal(glob)}" for glob in patterns) + ")"


def _texts(texts: Sequence[str]) -> str:
    return ", ".join(literal(text) for text in texts)
