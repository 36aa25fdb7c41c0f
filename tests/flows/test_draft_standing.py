"""An item that no verdict rests on is judged as if it had landed alone, by the judge of all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from evidence.freshness import Expectation, Scope
from evidence.own import OWN_SOURCE
from flows.draft_standing import _alone

NOW = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)


def want(scope: Scope = Scope.SYSTEM) -> Expectation:
    return Expectation(
        "iso42001:A.5.2", "impact_assessment", scope, max_age=90 * DAY, warn_before=DAY,
        stale_on=("incident_major",),
    )  # fmt: skip


ANY: Any = object()
MONTHLY = replace(want(), max_age=None, deadline=ANY)


@pytest.mark.parametrize(
    ("asked", "row", "beat", "events", "ends", "why"),
    [
        (want(), {}, NOW, {}, NOW - DAY + 90 * DAY, ""),
        (MONTHLY, {}, NOW, {}, None, "a newer one counts in its place"),
        (want(), {"observed_to": NOW - 91 * DAY}, NOW, {}, None, "over its age limit"),
        (want(), {"observed_to": NOW + DAY}, NOW, {}, None, "lies in the future"),
        (want(), {}, None, {}, None, "never finished a complete pull"),
        (want(), {}, NOW - 9 * DAY, {}, None, "has not finished a pull"),
        (want(), {"nature": "state"}, NOW, {}, NOW + 90 * DAY, ""),
        (want(), {"source": OWN_SOURCE}, None, {}, NOW - DAY + 90 * DAY, ""),
        (want(), {}, NOW, {("incident_major", "triage"): NOW}, None, "incident major"),
        (want(), {}, NOW, {("incident_major", ""): NOW}, None, "incident major"),
        (want(), {}, NOW, {("incident_major", "churn"): NOW}, NOW - DAY + 90 * DAY, ""),
        (want(Scope.ORGANISATION), {}, NOW, {("incident_major", "churn"): NOW}, None, "incident"),
        (want(), {}, NOW, {("scope_change", "triage"): NOW}, NOW - DAY + 90 * DAY, ""),
    ],
    ids=["in date", "no age limit", "old", "ahead", "never whole", "silent", "a state",
         "our own", "its event", "everybody's event", "another's event", "asked once",
         "no event of it"],
)  # fmt: skip
def test_an_item_alone(
    asked: Expectation, row: dict[str, Any], beat: datetime | None,
    events: dict[tuple[str, str], datetime], ends: datetime | None, why: str,
) -> None:  # fmt: skip
    item = {"source": "notes", "nature": "event", "system": "triage", "observed_to": NOW - DAY}
    beats = {"notes": beat} if beat else {}
    facts: Any = SimpleNamespace(judged=SimpleNamespace(at=NOW), beats=beats, events=events)
    until, told = _alone(item | row, asked, facts)
    assert until == ends
    assert why in told if why else not told
