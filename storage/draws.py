"""What a sample is drawn from, and which samples of it were drawn before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence.own import ACTION_KIND, OWN_SOURCE
from evidence.times import stamp
from storage.engine import Connection
from storage.pages import all_rows

SAMPLE = "sample"
"""The subject of the act that says a sample was drawn."""

_POPULATION = """SELECT item_id FROM {view} WHERE
    ($control = '' OR item_id IN (SELECT item_id FROM tags WHERE control = $control))
    AND ($system IS NULL OR system = $system)
    AND (len($kinds::VARCHAR[]) = 0 OR kind IN (SELECT unnest($kinds::VARCHAR[])))
    AND ($since::TIMESTAMPTZ IS NULL OR observed_to >= $since::TIMESTAMPTZ)
    AND ($until::TIMESTAMPTZ IS NULL OR observed_from < $until::TIMESTAMPTZ)"""


@dataclass(frozen=True, slots=True)
class DrawnFrom:
    """Which items: tagged to a control ("": any), of one system (None: any; "": the organisation),
    of some kinds (none: all), that tell of a time from `since` until before `until`.

    Of each subject the item that stood last; `versions` takes every version that landed.
    """

    control: str = ""
    system: str | None = None
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    versions: bool = False

    def told(self) -> dict[str, Any]:
        """For the record, JSON-like."""
        return {
            "control": self.control, "system": self.system, "kinds": list(self.kinds),
            "since": stamp(self.since) if self.since else None,
            "until": stamp(self.until) if self.until else None, "versions": self.versions,
        }  # fmt: skip


def population(connection: Connection, scope: DrawnFrom) -> tuple[str, ...]:
    """The ids of the items in scope, sorted. Raises LakeError."""
    view = "evidence" if scope.versions else "latest"
    values = {
        "control": scope.control, "system": scope.system, "kinds": list(scope.kinds),
        "since": scope.since, "until": scope.until,
    }  # fmt: skip
    rows = all_rows(connection, _POPULATION.format(view=view), values)
    return tuple(sorted(row["item_id"] for row in rows))


def earlier_draws(connection: Connection, population_sha256: str) -> list[dict[str, Any]]:
    """The facts of the samples that were drawn from exactly these items, oldest first.

    Whoever may choose the seed may try seeds until the sample pleases: that shows here. Raises
    LakeError.
    """
    wanted = "(payload->>'$.facts.population.sha256') = $wanted"
    return _draws(connection, wanted, population_sha256)


def draws_of(connection: Connection, controls: Sequence[str]) -> list[dict[str, Any]]:
    """The facts of the samples that were drawn for one of these controls, oldest first.

    Raises LakeError.
    """
    wanted = "(payload->>'$.facts.scope.control') IN (SELECT unnest($wanted::VARCHAR[]))"
    return _draws(connection, wanted, list(controls))


def _draws(connection: Connection, condition: str, wanted: object) -> list[dict[str, Any]]:
    rows = all_rows(
        connection,
        f"""SELECT landed_at, actor, (payload->'$.facts')::VARCHAR AS facts FROM evidence
        WHERE source = $source AND kind = $kind AND subject = $subject AND {condition}
        ORDER BY landed_at, item_id""",  # noqa: S608  ours
        {"source": OWN_SOURCE, "kind": ACTION_KIND, "subject": SAMPLE, "wanted": wanted},
    )
    return [
        json.loads(row["facts"]) | {"at": stamp(row["landed_at"]), "by": row["actor"]}
        for row in rows
    ]
