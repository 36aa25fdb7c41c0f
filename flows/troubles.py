"""What is wrong with Headwater itself: found in the lake and on this machine, nothing written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cronsim import CronSim

from dashboards.model import Attention
from evidence.errors import LakeError
from evidence.freshness import CLOCK_SKEW
from evidence.model import Outcome
from evidence.times import stamp
from flows._alerts.unsent import unsent
from flows.config import Config
from flows.outside import witnesses
from flows.sources import missed, next_run
from storage.beats import last_beat
from storage.checkpoints import checkpoint_of
from storage.clocks import landed_ahead
from storage.health import SourceHealth, healths
from storage.lake import Lake
from storage.own_records import Act, born, last_acts, open_troubles
from storage.pages import Connection, counts
from storage.publication import silent

KINDS = (
    "scheduler", "watch", "freshness", "verification", "upkeep", "following", "clock",
    "servers_clock", "disk", "witness", "alerts",
)  # fmt: skip
"""Every trouble there may be; what is not among those found is in order."""
LATE = timedelta(minutes=30)
"""A flow of Headwater's own that is due is given so long before it counts as missed."""
SCHEDULER = "See that `headwater serve`, or Prefect with a worker, runs."
VERIFY = "Run `headwater verify`, and see that its schedule is kept."
DIFFERS = "Run `headwater verify`: it names every difference. Let nobody tidy up before."
UPKEEP = "Run it by hand and mend what it names."
FOLLOW = "Run `headwater collect` or `headwater freshness`; if that fails, mend what it names."
ROOM = "Make room: when the disk is full nothing lands, and nothing is refreshed."
CLOCK = "Set the clocks of this machine and of those that collect (NTP)."
WITNESS = "Mend its address, key or network; it is tried again with the next seal."
_FEW_FILES = 1000


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something of Headwater itself that is not in order.

    `what` is one of KINDS; `about` names whom it hits, and a trouble of other names is another
    trouble; `since` is when it began, as far as that is known.
    """

    what: str
    sentence: str
    action: str
    about: tuple[str, ...] = ()
    since: datetime | None = None


def troubles(
    config: Config, lake: Lake, connection: Connection, at: datetime
) -> tuple[Trouble, ...]:
    """Everything that can be seen from here, at most one of a kind. Raises LakeError."""
    return (
        *_scheduler(config, healths(connection, at), born(connection), at),
        *_told_nowhere_else(config, lake, connection, at),
        *_following(lake, connection, at),
        *_clock(lake, at),
        *_witnesses(config, lake),
        *_alerts(config),
    )


def ailing(config: Config, lake: Lake, connection: Connection, at: datetime) -> Iterator[Attention]:
    """The lines of the board that nothing else on it says; what only the watch can see is taken
    from what it landed. Raises LakeError."""
    measured = open_troubles(connection).get("servers_clock")
    for trouble in (*_told_nowhere_else(config, lake, connection, at), measured):
        if trouble is not None:
            cause = f"headwater {trouble.what}"
            yield Attention("health", trouble.sentence, trouble.action, cause=cause)


def _told_nowhere_else(
    config: Config, lake: Lake, connection: Connection, at: datetime
) -> Iterator[Trouble]:
    started, acts = born(connection), last_acts(connection)
    yield from _verification(config, acts.get("verify"), started, at)
    yield from _behind_schedule(config, lake, started, at)
    yield from _upkeep(acts)
    yield from _disk(config)


def _scheduler(
    config: Config, seen: Mapping[str, SourceHealth], started: datetime | None, at: datetime
) -> Iterator[Trouble]:
    """Sources whose schedule came and went with no record of a pull, also those without any."""
    late: dict[str, datetime] = {}
    for source in config.sources:
        due = missed(source, seen.get(source.name), at)
        if source.name not in seen and started is not None:
            due = next_run(source, started)
            due = due if due and due + LATE < at else None
        if due:
            late[source.name] = due
    if late:
        since = min(late.values())
        told = f"{len(late)} of {len(config.sources)} sources were due and not pulled"
        yield Trouble(
            "scheduler", f"{told}, since {_minute(since)}: {', '.join(sorted(late))}.",
            SCHEDULER, tuple(sorted(late)), since,
        )  # fmt: skip


def _behind_schedule(
    config: Config, lake: Lake, started: datetime | None, at: datetime
) -> Iterator[Trouble]:
    """Judging and watching leave no record when nothing changed; that they ran is remembered."""
    flows = {"freshness": config.freshness_schedule, "watch": config.watch.schedule}
    for name, schedule in flows.items():
        last = last_beat(lake.place, name)
        if due := overdue(schedule, last or started, at):
            ran = f"last ran at {_minute(last)}" if last else "never ran"
            told = f"The flow {name} {ran} and was due at {_minute(due)}"
            yield Trouble(name, f"{told}: {_MEANS[name]}.", SCHEDULER, since=due)


_MEANS = {
    "freshness": "alerts and the record of verdicts are as old as that",
    "watch": "nobody looks whether Headwater itself is in order",
}


def _verification(
    config: Config, last: Act | None, started: datetime | None, at: datetime
) -> Iterator[Trouble]:
    if last is not None and last.outcome is not Outcome.PASSED:
        yield Trouble(
            "verification", f"The verification of {_minute(last.at)} failed: {last.title}.",
            DIFFERS, ("failed",), last.at,
        )  # fmt: skip
        return
    well = last.well if last else None
    if due := overdue(config.verify.schedule, well or started, at):
        ran = f"was last verified at {_minute(well)}" if well else "was never verified"
        yield Trouble(
            "verification", f"The lake {ran} and was due at {_minute(due)}.", VERIFY, ("late",), due
        )


def _upkeep(acts: Mapping[str, Act]) -> Iterator[Trouble]:
    """Other acts on a schedule whose last run did not end well."""
    bad = [
        act
        for what in ("maintain", "anchor")
        if (act := acts.get(what)) and act.outcome in {Outcome.FAILED, Outcome.ERROR}
    ]
    if bad:
        told = "; ".join(f"{act.what} at {_minute(act.at)}: {act.title}" for act in bad)
        yield Trouble(
            "upkeep", f"The last run did not end well: {told}.", UPKEEP,
            tuple(act.what for act in bad), min(act.at for act in bad),
        )  # fmt: skip


def _following(lake: Lake, connection: Connection, at: datetime) -> Iterator[Trouble]:
    """Rows that landed a while ago and are under no seal: nobody could prove them yet."""
    landed = counts(connection).items
    try:
        sealed = checkpoint_of(lake, None).size
    except LakeError:
        sealed = 0
    if landed <= sealed:
        return
    row = connection.execute(
        "SELECT max(landed_at) FROM evidence ANTI JOIN leaves USING (item_id)"
    ).fetchone()
    last = row[0] if row else None
    if last is not None and last + LATE < at:
        yield Trouble(
            "following", f"{landed - sealed} items landed by {_minute(last)} and are not sealed.",
            FOLLOW, since=last,
        )  # fmt: skip


def _clock(lake: Lake, at: datetime) -> Iterator[Trouble]:
    ahead = landed_ahead(lake, at)
    if ahead:
        items, until = ahead
        yield Trouble(
            "clock", f"{items} items landed later than now, until {stamp(until)}.", CLOCK,
            ("ahead",), at,
        )  # fmt: skip
        return
    beat = last_beat(lake.place, "watch")
    if beat is not None and beat > at + CLOCK_SKEW:
        yield Trouble(
            "clock", f"The watch last ran at {stamp(beat)}, which is later than now: a clock was "
            "set back, or is wrong.", CLOCK, ("back",), at,
        )  # fmt: skip


def _disk(config: Config) -> Iterator[Trouble]:
    """The disk of the lake, or of its copies; where it does not exist yet, of what is above."""
    folder = _existing(config.lake.derived("index"))
    room, files = shutil.disk_usage(folder), os.statvfs(folder)
    free = room.free / 1e9
    if free < config.watch.free_gb:
        yield Trouble(
            "disk", f"{folder}: {free:.1f} GB of {room.total / 1e9:.0f} GB are free, less than "
            f"{config.watch.free_gb:g} GB.", ROOM, (str(folder),),
        )  # fmt: skip
    elif files.f_files and files.f_favail < _FEW_FILES:
        yield Trouble(
            "disk", f"{folder}: only {files.f_favail} more files can be made.", ROOM,
            (str(folder),),
        )  # fmt: skip


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _witnesses(config: Config, lake: Lake) -> Iterator[Trouble]:
    told = tuple(silent(lake.place.at("log"), witnesses(config)))
    if told:
        names = tuple(sentence.partition(" has not ")[0] for sentence in told)
        yield Trouble("witness", f"{'; '.join(told)}.", WITNESS, names)


def _alerts(config: Config) -> Iterator[Trouble]:
    """Channels that take nothing; what somebody hushed on purpose is no trouble."""
    bad = [note for note in unsent(config) if note.severity != "overridden"]
    if bad:
        told = " ".join(note.sentence for note in bad)
        yield Trouble("alerts", told, bad[0].action, tuple(sorted(note.cause for note in bad)))


def overdue(schedule: str, last: datetime | None, at: datetime) -> datetime | None:
    """The run that should have ended since the last one and did not; None if none is due."""
    due = next(CronSim(schedule, last), None) if last is not None else None
    return due if due is not None and due + LATE < at else None


def _minute(moment: datetime) -> str:
    return f"{stamp(moment)[:16].replace('T', ' ')} UTC"
