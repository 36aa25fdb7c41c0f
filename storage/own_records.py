"""What Headwater's own records say of it: how each act last ended, which troubles are open."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from evidence.model import Outcome
from evidence.own import ACTION_KIND, HEALTH_KIND, OWN_SOURCE
from storage.pages import Connection, all_rows


@dataclass(frozen=True, slots=True)
class Act:
    """The last act of one name: when, how it ended, and since when it last ended well (`well`)."""

    what: str
    at: datetime
    outcome: Outcome
    title: str
    well: datetime | None


@dataclass(frozen=True, slots=True)
class Open:
    """A trouble that landed and has not ended: since when, of whom, what to do."""

    what: str
    since: datetime
    sentence: str
    action: str
    about: tuple[str, ...]


def last_acts(connection: Connection) -> dict[str, Act]:
    """Act (`verify`, `maintain`) → how it last ended. Raises LakeError."""
    rows = all_rows(
        connection,
        """SELECT subject, max(observed_to) AS at,
            arg_max(outcome, row(observed_to, landed_at)) AS outcome,
            arg_max(title, row(observed_to, landed_at)) AS title,
            max(observed_to) FILTER (outcome = 'passed') AS well
        FROM lake_few WHERE source = $own AND kind = $kind GROUP BY subject""",
        {"own": OWN_SOURCE, "kind": ACTION_KIND},
    )
    return {
        row["subject"]: Act(
            row["subject"], row["at"], Outcome(row["outcome"]), row["title"], row["well"]
        )
        for row in rows
    }


def open_troubles(connection: Connection) -> dict[str, Open]:
    """Trouble → what its last record says, for those that have not ended. Raises LakeError."""
    return open_of(connection, HEALTH_KIND)


def open_of(connection: Connection, kind: str) -> dict[str, Open]:
    """Subject → what its last record says, for those of a kind of our own that have not ended."""
    rows = all_rows(
        connection,
        """SELECT subject, observed_from, title, payload, outcome FROM evidence
        WHERE source = $own AND kind = $kind QUALIFY row_number() OVER
            (PARTITION BY subject ORDER BY observed_to DESC, landed_at DESC) = 1""",
        {"own": OWN_SOURCE, "kind": kind},
    )
    return {
        row["subject"]: _open(row["subject"], row["observed_from"], row["title"], row["payload"])
        for row in rows
        if row["outcome"] == Outcome.FAILED
    }


def _open(what: str, since: datetime, title: str, payload: str) -> Open:
    told = json.loads(payload)
    return Open(what, since, title, str(told.get("action", "")), tuple(told.get("about", ())))


def born(connection: Connection) -> datetime | None:
    """When the first item landed; None in an empty lake. Raises LakeError."""
    (row,) = all_rows(connection, "SELECT min(landed_at) AS at FROM evidence")
    at: datetime | None = row["at"]
    return at
