"""Where controls stood at past moments, as they were judged then: read from what was kept of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from storage.pages import Connection, all_rows


def first_judged(connection: Connection) -> datetime | None:
    """When anything was judged for the first time; None if nothing ever was. Raises LakeError."""
    (row,) = all_rows(connection, "SELECT min(judged_at) AS first FROM lake_standings")
    at: datetime | None = row["first"]
    return at


def stood(
    connection: Connection, moments: Sequence[datetime]
) -> Mapping[datetime, Mapping[str, str]]:
    """Moment → control → its standing as last judged by then. A control that was not judged by then
    is not there. Raises LakeError."""
    rows = all_rows(
        connection,
        """SELECT moment, control, arg_max(standing, judged_at) AS standing
        FROM (SELECT unnest($moments::TIMESTAMPTZ[]) AS moment)
            JOIN lake_standings ON judged_at <= moment
        GROUP BY moment, control""",
        {"moments": list(moments)},
    )
    found: dict[datetime, dict[str, str]] = defaultdict(dict)
    for row in rows:
        found[row["moment"]][row["control"]] = row["standing"]
    return {at: found[at] for at in moments}
