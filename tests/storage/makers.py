"""Items, pulls and lakes for the tests of storage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from evidence.model import Cursor, EvidenceItem
from evidence.runs import Pull, PullFacts, PullOutcome
from storage.lake import Lake, Landed

START = datetime(2026, 10, 20, 9, 0, tzinfo=UTC)


def days(number: float) -> timedelta:
    return timedelta(days=number)


def item(number: int = 0, **given: Any) -> EvidenceItem:
    """An item of source `jira`, observed `number` days after the start."""
    at = given.pop("at", START + days(number))
    values: dict[str, Any] = {
        "source": "jira", "kind": "jira.issue", "subject": f"AI-{number}", "observed_from": at,
        "observed_to": at, "collected_at": at, "payload": {"number": number, "text": "ä\u2028x"},
        "system": "credit-scoring", "title": f"Ticket {number}",
    }  # fmt: skip
    return EvidenceItem(**(values | given))


def pull(
    number: int, at: datetime, outcome: PullOutcome = PullOutcome.COMPLETE, **given: Any
) -> Pull:
    facts = PullFacts(pages=1, received=3, query="project = AI", states=given.pop("states", ()))
    values: dict[str, Any] = {
        "pull_id": f"pull-{number}", "source": "jira", "collector": "collectors.jira:Jira",
        "started_at": at - timedelta(minutes=1), "finished_at": at, "outcome": outcome,
        "facts": facts, "items": 3,
    }  # fmt: skip
    return Pull(**(values | given))


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = START + days(30)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """A lake with a clock, and short words for what the tests do to it."""

    path: Path
    clock: Clock = field(default_factory=Clock)
    lake: Lake = field(init=False)
    pulls: int = 0

    def __post_init__(self) -> None:
        self.lake = Lake.create(self.path, clock=self.clock)

    def land(
        self,
        *items: EvidenceItem,
        cursor: str | None = None,
        outcome: PullOutcome | None = None,
        source: str = "jira",
        **given: Any,
    ) -> Landed:
        """Land items; with `outcome` as one whole pull that finishes now."""
        self.pulls += 1
        record = None
        if outcome is not None:
            record = pull(self.pulls, self.clock.now, outcome, source=source, **given)
        return self.lake.land(
            source, items, bookmark=self.lake.bookmark(source),
            cursor=Cursor(cursor) if cursor else None, pull_id=f"pull-{self.pulls}", pull=record,
        )  # fmt: skip

    def tag(
        self, control: str, evidence: str, where: str = "true", digest: str = "m1",
        strength: str = "direct",
    ) -> int:  # fmt: skip
        """Tag what follows `where` by a rule of its own mapping digest."""
        sql = tag_sql([(control, evidence, where)], digest, strength)
        app = f"{digest}:{control}:{evidence}"
        return self.lake.follow_sql("tags", sql, app=app + strength.removeprefix("direct"))


def tag_sql(claims: Sequence[tuple[str, str, str]], digest: str, strength: str = "direct") -> str:
    selects: Iterable[str] = (
        f"SELECT item_id, '{control}' AS control, '{evidence}' AS evidence, 'r' AS rule, "
        f"'{strength}' AS strength, 'because' AS rationale, '{digest}' AS mapping_digest "
        f"FROM items WHERE {where}"
        for control, evidence, where in claims
    )
    return " UNION ALL ".join(selects)
