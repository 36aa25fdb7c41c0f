"""The board says of each source what it tried, what it lacks, and when it is asked next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboards.model import SourceRow
from evidence.runs import Gap, Pull, PullFacts, PullOutcome, Total
from flows.config import load
from flows.source_rows import missed_runs, source_rows
from storage.health import healths, lately
from storage.lake import Lake
from storage.views import connect
from tests.flows.conftest import Home, numbers

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def config(home: Home) -> Path:
    return home(numbers("n", schedule="0 * * * *"), numbers("never"))


def pulled(
    config: Path, ago: timedelta, outcome: PullOutcome, source: str = "n", **more: Any
) -> None:
    end = AT - ago
    facts = PullFacts(pages=2, received=3, promised=4, query="q", **more.pop("facts", {}))
    record = Pull(
        pull_id=f"{source}-{end}", source=source, collector="old:Class",
        started_at=end - timedelta(seconds=30), finished_at=end, outcome=outcome, facts=facts,
        items=0, **more,
    )  # fmt: skip
    lake = Lake.open(load(config).lake, clock=lambda: end)
    lake.land(source, (), bookmark=lake.bookmark(source), cursor=None, pull_id=record.pull_id,
              pull=record)  # fmt: skip


def rows(config: Path, at: datetime | None = AT) -> dict[str, SourceRow]:
    with connect(Lake.open(load(config).lake, clock=lambda: AT)) as connection:
        told = source_rows(load(config), healths(connection, AT), lately(connection, 2), at)
    return {row.source: row for row in told}


def test_attempts_totals_and_clocks(config: Path) -> None:
    total = Total("issues", 4, 3)
    pulled(config, timedelta(hours=9), PullOutcome.COMPLETE, cursor_after="1")
    pulled(config, timedelta(hours=8), PullOutcome.COMPLETE, cursor_before="1", cursor_after="2")
    pulled(config, timedelta(hours=2), PullOutcome.PARTIAL, cursor_before="2", cursor_after="2",
           facts={"totals": (total,)}, backfill=True)  # fmt: skip
    pulled(config, timedelta(minutes=5), PullOutcome.PARTIAL, cursor_before="2", cursor_after="2",
           facts={"totals": (total,)})  # fmt: skip
    row = rows(config)["n"]
    assert [(a.outcome, a.backfill) for a in row.attempts] == [
        ("partial", False),
        ("partial", True),
    ]
    assert row.attempts[0].took == timedelta(seconds=30)
    assert row.attempts[0].why == ("issues: 1 of 4 did not come",)
    assert (row.totals, row.streak, row.tries, row.completes) == ((total,), 1, 3, 2)
    assert row.moved == AT - timedelta(hours=8), "the backfill has a cursor of its own"
    assert row.next_run == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert row.missed_run is None
    never = rows(config)["never"]
    assert (never.outcome, never.attempts, never.last_attempt) == ("never ran", (), None)


def test_what_it_is_not_allowed_is_told_apart_from_other_gaps(config: Path) -> None:
    gaps = (
        Gap("project X", "GET /rest/api: HTTP 403: the account lacks the permission"),
        Gap("config:DescribeConfigRules in eu-west-1", "AccessDeniedException"),
        Gap("run 8f21", "its store did not answer"),
    )
    pulled(config, timedelta(minutes=5), PullOutcome.PARTIAL, facts={"gaps": gaps})
    row = rows(config)["n"]
    assert len(row.gaps) == 3
    assert [why.partition(":")[0] for why in row.lacking] == ["project X", "config"]


def test_a_missed_run_needs_a_person_now_and_says_nothing_of_the_past(config: Path) -> None:
    pulled(config, timedelta(hours=5), PullOutcome.COMPLETE)
    (note,) = missed_runs(tuple(rows(config).values()))
    assert "Source n should have been pulled at 2026-11-20 07:00 UTC" in note.sentence
    row, never = rows(config)["n"], rows(config)["never"]
    (note,) = missed_runs((row, replace(row, source="m"), never))
    told = "2 of 3 sources should have been pulled and were not, since 2026-11-20 07:00 UTC: n, m."
    assert note.sentence == told
    past = rows(config, None)
    assert list(missed_runs(tuple(past.values()))) == []
    assert past["n"].next_run is None


def test_a_source_that_is_no_longer_configured_stays_visible(config: Path) -> None:
    pulled(config, timedelta(hours=5), PullOutcome.COMPLETE, source="gone")
    assert rows(config)["gone"].collector == "old:Class (no longer configured)"
    assert [name for name, row in rows(config).items() if row.dropped] == ["gone"]
    assert not rows(config, None)["gone"].dropped, "what was configured then nobody knows"
