"""Each source's health as the board shows it: the collector's clock, and the source's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from dashboards.model import AttemptRow, Attention, SourceRow
from flows.config import Config, Source
from flows.sources import missed, next_run
from storage.health import Attempted, SourceHealth

ATTEMPTS = 8
SCHEDULER = "See that `headwater serve`, or Prefect with a worker, runs: `headwater sources`."
NOT_RUN = "sources are not run"
"""One cause, however many sources it hits: who starts them."""
_NOT_ALLOWED = re.compile(
    r"HTTP 40[13]|Access ?Denied|Unauthorized|not authorized|Forbidden|permission|may not (see|list"
    r"|read)",
    re.IGNORECASE,
)
"""How sources, and our own sentences about them, say that somebody must be given a right."""


def source_rows(
    config: Config, seen: Mapping[str, SourceHealth],
    lately: Mapping[str, Sequence[Attempted]], at: datetime | None,
) -> tuple[SourceRow, ...]:  # fmt: skip
    """Every configured source, also one that never ran, and every source that once landed.

    `at` is now, or None for a past moment: what runs next is told of the present only.
    """
    configured = {source.name: source for source in config.sources}
    names = [*configured, *(name for name in seen if name not in configured)]
    return tuple(
        _row(name, configured.get(name), seen.get(name), lately.get(name, ()), at) for name in names
    )


def missed_runs(sources: Sequence[SourceRow]) -> Iterator[Attention]:
    """A source that is not pulled any more looks well by its last pull. Several have one cause."""
    late = {row.source: row.missed_run for row in sources if row.missed_run is not None}
    if len(late) == 1:
        ((name, at),) = late.items()
        yield Attention(
            "source", f"Source {name} should have been pulled at {_minute(at)} and was not.",
            SCHEDULER, source=name, cause=NOT_RUN,
        )  # fmt: skip
    elif late:
        yield Attention(
            "source", f"{len(late)} of {len(sources)} sources should have been pulled and were "
            f"not, since {_minute(min(late.values()))}: {', '.join(late)}.", SCHEDULER,
            cause=NOT_RUN,
        )  # fmt: skip


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _row(
    name: str, source: Source | None, health: SourceHealth | None, lately: Sequence[Attempted],
    at: datetime | None,
) -> SourceRow:  # fmt: skip
    tried = tuple(map(_attempt, lately))
    schedule = source.schedule if source else ""
    upcoming = next_run(source, at) if source and at else None
    if health is None:
        return SourceRow(
            name, source.uses if source else "", "never ran", None, None, 0, schedule=schedule,
            next_run=upcoming, attempts=tried,
        )  # fmt: skip
    last = health.last
    missing = _missing(last)
    return SourceRow(
        source=name,
        collector=source.uses if source else f"{last.collector} (no longer configured)",
        outcome=last.outcome,
        last_attempt=last.finished_at,
        last_complete=health.last_complete,
        items=health.items,
        error=last.error,
        gaps=missing,
        schedule=schedule,
        next_run=upcoming,
        missed_run=missed(source, health, at) if source and at else None,
        streak=health.streak,
        failing_since=health.failing_since,
        tries=health.tries,
        completes=health.completes,
        usual=health.usual,
        moved=health.moved,
        newest=health.newest,
        brought=health.brought,
        identity=last.identity,
        query=last.query,
        totals=last.totals,
        lacking=tuple(why for why in (last.error, *missing) if _NOT_ALLOWED.search(why)),
        attempts=tried,
        dropped=source is None and at is not None,
    )


def _missing(attempt: Attempted) -> tuple[str, ...]:
    """What was not examined, then what was promised and did not come."""
    return (
        *(f"{gap.what}: {gap.why}" for gap in attempt.gaps),
        *(f"{t.what}: {t.short} of {t.promised} did not come" for t in attempt.totals if t.short),
    )


def _attempt(attempt: Attempted) -> AttemptRow:
    return AttemptRow(
        started_at=attempt.started_at,
        took=attempt.finished_at - attempt.started_at,
        outcome=attempt.outcome,
        new=attempt.new,
        received=attempt.received,
        promised=attempt.promised,
        backfill=attempt.backfill,
        why=tuple(filter(None, (attempt.error, *_missing(attempt)))),
    )
