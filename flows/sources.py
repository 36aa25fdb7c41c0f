"""How the sources do, in a terminal or for machines: nobody is to be left in the dark."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim
from rich.markup import escape

from dashboards.text import lasting
from evidence.canonical import plain
from evidence.errors import ConfigError
from evidence.own import OWN_SOURCE
from flows.attention import told_disposed
from flows.config import Config, Source, load, now
from flows.terminal import Screen, Table, for_machines
from storage.disposed import disposed
from storage.health import Attempted, SourceHealth, attempts, healths, is_well
from storage.lake import Lake
from storage.views import connect

SHOWN = 15
LATE = timedelta(minutes=10)
"""A run that is due is given so long before it counts as missed."""


def show(file: Path, name: str, *, as_json: bool) -> int:
    """Print every source, or the attempts at one; 3 if a source (that one) is not well, else 0."""
    config = load(file)
    known = {source.name: source for source in config.sources}
    if name and name not in known:
        raise ConfigError(f"{config.file}: no source is named {name}; known: {', '.join(known)}")
    at = now()
    with connect(Lake.open(config.lake, clock=now)) as connection:
        seen = healths(connection, at)
        lately = attempts(connection, name, SHOWN) if name else []
        went = disposed(connection)
    wanted = [known[name]] if name else list(known.values())
    if as_json:
        told = [_machine(s, seen.get(s.name), at) | {"lake_disposed": went} for s in wanted]
        print(for_machines(told))
    elif name:
        _one(known[name], seen.get(name), lately, at)
    else:
        _all(config, seen, at)
    if went and not as_json:
        print(told_disposed(went))
    well = all(is_well(seen.get(s.name)) and not missed(s, seen.get(s.name), at) for s in wanted)
    return 0 if well else 3


def next_run(source: Source, after: datetime) -> datetime | None:
    """When the schedule wants the source next; None without one (`collect` by hand)."""
    moments = _next(source, after)
    # What Prefect makes of a time that the clock skips hangs on the library that it counts with.
    return moments and moments[0 if sys.version_info < (3, 13) else 1]


def missed(source: Source, health: SourceHealth | None, at: datetime) -> datetime | None:
    """The run that should have started since the last attempt and did not; None if none is due."""
    if health is None:
        return None
    moments = _next(source, health.last.started_at)
    due = moments and moments[1]
    return due if due is not None and due + LATE + (health.usual or LATE) < at else None


def _next(source: Source, after: datetime) -> tuple[datetime, datetime] | None:
    """The first and the last moment that the next run may be planned for: two only where the clock
    skips the time of the schedule. Times are those of the wall clock, as Prefect counts them: one
    that it shows twice is meant the first time."""
    if not source.schedule:
        return None
    zone, found, last = ZoneInfo(source.timezone), None, None
    local = after.astimezone(zone).replace(tzinfo=None)
    for wall in CronSim(source.schedule, local - _SHIFT if _shifts(local, zone) else local):
        if last is not None and wall > last:
            break
        moments = _moments(wall, zone)
        if moments[0] > after and (found is None or moments < found):
            found = moments
            # A skipped time may be planned before one that the clock shows earlier.
            last = last or (wall + _SHIFT if _shifts(wall, zone) else wall)
    return found


_SHIFT = timedelta(hours=3)
"""No clock is put forward by more at once, save where a country changes its day."""


def _shifts(wall: datetime, zone: ZoneInfo) -> bool:
    return len({zone.utcoffset(wall + by) for by in (-_SHIFT, timedelta(0), _SHIFT)}) > 1


def _moments(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    skipped = first.astimezone(zone).replace(tzinfo=None) != wall
    return (second, first) if skipped else (first, first)


def trouble(source: Source, health: SourceHealth | None, at: datetime) -> Iterator[str]:
    """What is not as it should be, one sentence each, worst first."""
    if health is None:
        yield "was never pulled"
        return
    if due := missed(source, health, at):
        yield f"should have run {lasting(at - due)} ago: is its scheduler alive?"
    if health.streak > 1 and health.failing_since:
        since = lasting(at - health.failing_since)
        yield f"{health.streak} attempts in a row were not whole, for {since}"
    if health.last.error:
        yield health.last.error
    yield from (f"not examined: {gap.what}: {gap.why}" for gap in health.last.gaps)
    for total in health.last.totals:
        if total.short:
            yield f"{total.what}: {total.short} of {total.promised} did not come"


def _all(config: Config, seen: dict[str, SourceHealth], at: datetime) -> None:
    console = Screen()
    table = Table("source", "last attempt", "ended", "last whole", "7 days", "new", "next run")
    table.columns[0].no_wrap = True
    wrong: list[tuple[str, str]] = []
    for source in config.sources:
        health = seen.get(source.name)
        found = list(trouble(source, health, at))
        wrong += [(source.name, sentence) for sentence in found]
        table.add_row(
            *(escape(cell) for cell in _cells(source, health, at)), style="yellow" if found else ""
        )
    console.print(table)
    for name, sentence in wrong:
        console.print(f"[bold]{escape(name)}[/] {escape(sentence)}", highlight=False)
    for name in sorted(seen.keys() - {source.name for source in config.sources}):
        if name != OWN_SOURCE:
            told = f"landed {seen[name].items} items and is not configured any more"
            console.print(f"[bold]{escape(name)}[/] {told}", highlight=False)


def _cells(source: Source, health: SourceHealth | None, at: datetime) -> list[str]:
    upcoming = next_run(source, at)
    ahead = f"in {lasting(upcoming - at)}" if upcoming else "by hand"
    if health is None:
        return [source.name, "never", "", "never", "", "", ahead]
    whole = f"{lasting(at - health.last_complete)} ago" if health.last_complete else "never"
    return [
        source.name, f"{lasting(at - health.last.finished_at)} ago", health.last.outcome, whole,
        f"{health.completes} of {health.tries}", str(health.last.new), ahead,
    ]  # fmt: skip


def _one(
    source: Source, health: SourceHealth | None, lately: list[Attempted], at: datetime
) -> None:
    console = Screen()
    for label, value in _facts(source, health, at):
        console.print(f"{label:<13} {escape(value)}", highlight=False, soft_wrap=True)
    table = Table("started", "took", "ended", "new", "received", "promised", "backfill")
    table.add_column("what was missing", overflow="fold")
    for one in lately:
        missing = [one.error, *(f"{gap.what}: {gap.why}" for gap in one.gaps)]
        table.add_row(
            f"{lasting(at - one.started_at)} ago", lasting(one.finished_at - one.started_at),
            escape(one.outcome), str(one.new), str(one.received),
            "" if one.promised is None else str(one.promised), "yes" if one.backfill else "",
            escape("; ".join(text for text in missing if text)),
        )  # fmt: skip
    console.print(table)


def _facts(source: Source, health: SourceHealth | None, at: datetime) -> Iterator[tuple[str, str]]:
    yield "source", f"{source.name} ({source.uses})"
    yield "schedule", source.schedule or "none: pulled by hand"
    if health is not None:
        yield "read as", health.last.identity or "the source does not say"
        yield "asked", health.last.query or "the collector does not say"
        usual = f", a whole pull takes {lasting(health.usual)}" if health.usual else ""
        yield "landed", f"{health.items} items{usual}"
        if health.newest:
            yield "newest fact", f"{lasting(at - health.newest)} ago"
        yield "7 days", f"{health.completes} of {health.tries} attempts whole"
    for sentence in trouble(source, health, at):
        yield "trouble", sentence


def _machine(source: Source, health: SourceHealth | None, at: datetime) -> dict[str, Any]:
    told = plain(_json(dataclasses.asdict(health))) if health else None
    upcoming, due = next_run(source, at), missed(source, health, at)
    return {
        "source": source.name, "uses": source.uses, "schedule": source.schedule,
        "well": is_well(health) and due is None, "trouble": list(trouble(source, health, at)),
        "next_run": upcoming.isoformat() if upcoming else None,
        "missed_run": due.isoformat() if due else None, "health": told,
    }  # fmt: skip


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(one) for one in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value
