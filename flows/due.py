"""Runs that come late: after a day without a scheduler one of them does the work of all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Completed

from evidence.times import stamp
from storage.lake import Lake
from storage.pages import all_rows
from storage.views import connect

PUNCTUAL = timedelta(minutes=1)


def late_since(now: datetime) -> datetime | None:
    """When this run was due, if it begins a minute late or more.

    None for one that begins again: somebody wants it now.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.run_count > 1 or not run.expected_start_time:
        return None
    due = datetime.fromtimestamp(run.expected_start_time.timestamp(), UTC)
    return due if due + PUNCTUAL < now else None


def done_since(due: datetime | None, last: datetime | None) -> State[Any] | None:
    """The state of a late run whose work another has done since it was due; None if none has."""
    if due is None or last is None or last < due:
        return None
    return Completed(
        name="Overtaken", message=f"due at {stamp(due)}, and done since by a run of {stamp(last)}"
    )


def last_pulls(lake: Lake, names: Sequence[str]) -> datetime | None:
    """When the last pull of the one that was pulled longest ago began; None if one never was.

    However it ended: a dead source is not asked for every hour of a day that nobody asked it.
    Raises LakeError.
    """
    with connect(lake) as connection:
        rows = all_rows(
            connection,
            "SELECT source, max(started_at) AS at FROM pulls WHERE NOT backfill GROUP BY source",
        )
    at = {row["source"]: row["at"] for row in rows}
    return min((at[name] for name in names), default=None) if at.keys() >= set(names) else None
