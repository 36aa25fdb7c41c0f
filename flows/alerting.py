"""Tell people what needs them: what is due now, what would be, and by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from evidence.errors import ConfigError, InvalidItem
from evidence.model import Cursor, EvidenceItem
from evidence.times import parse
from flows._alerts import causes, show
from flows._alerts.channel import Desk, Recipient
from flows._alerts.deliver import (
    ACT,
    LINE,
    Round,
    Sent,
    deliver,
    hand_over,
    looked,
    record,
    remembered,
)
from flows._alerts.memory import Hush, Memory, read, written
from flows._alerts.plan import Plan
from flows._alerts.settings import Alerts, recipients
from flows._alerts.words import Cause, Message, Notice, Seen, What, mark
from flows.board import needs
from flows.config import Config, load, now
from flows.follow import follow
from flows.judgement import Judged, judge_lake
from flows.moment import present
from storage.actions import action_item, land_own
from storage.engine import ample
from storage.holds import check_words
from storage.lake import Bookmark, Lake
from storage.pages import records

Say = Callable[[str], None]
ROLES = ("roles", "roles_register")
LONGEST = 90
"""Days of a hush: what is to be silent for longer is no alert, or an override."""


class Look(NamedTuple):
    """What a look found, and whom it concerns."""

    seen: Seen
    to: tuple[Recipient, ...]


def tell(config: Config, judged: Judged) -> Round | None:
    """Send what is due as it was just judged; None where nobody is to be told. Raises LakeError.

    What landed by that is tagged and sealed.
    """
    if not config.channels:
        return None
    lake = opened(config)
    look = _look(config, lake, judged)
    done = deliver(lake, _desk(config), look.seen, look.to, _alerts(config).settle)
    if done.landed:
        follow(lake, config)
    return done


def tell_now(config: Config) -> Round | None:
    """Judge, and send what is due. Raises ConfigError, LakeError."""
    lake = opened(config)
    follow(lake, config)
    return tell(config, judge_lake(lake, present(lake, config)))


def send(file: Path, say: Say) -> int:
    """Send what is due and say what became of it; 1 if something was not taken."""
    config = channelled(file)
    done = tell_now(config)
    for line in show.round_lines(done, _desk(config)):
        say(line)
    return 1 if done and show.failing(done.memory) else 0


def preview(file: Path, say: Say) -> int:
    """Say what would be sent now, to whom and why, and what waits for what. Nothing changes."""
    config = channelled(file)
    lake = opened(config)
    look = _look(config, lake, judge_lake(lake, present(lake, config)))
    memory, todo = _planned(config, lake, look)
    for line in show.plan_lines(todo, look.to, look.seen, memory, _desk(config)):
        say(line)
    return 0


def list_open(file: Path, say: Say) -> int:
    """Say what is open, who was told of it, and how the channels do; 3 if one takes nothing."""
    memory = remembered(opened(channelled(file)))
    for line in show.memory_lines(memory):
        say(line)
    return 3 if show.failing(memory) else 0


def test(file: Path, name: str, say: Say) -> int:
    """Send a message that says it is a test, and where a ticket or incident is opened by it, close
    it again. 1 if it is not taken."""
    config = channelled(file)
    lake, desk = opened(config), _desk(config)
    known = {channel.name: channel for channel in config.channels}
    if name not in known:
        raise ConfigError(f"{config.file}: no alert is named {name}; known: {', '.join(known)}")
    look = recipients((known[name],), _people(config, lake))
    sent = [one for recipient in look for one in _tested(recipient, desk)]
    land_own(lake, lambda _: ((record(lake, desk, sent),), None))
    follow(lake, config)
    for line in show.sent_lines(sent, desk):
        say(line)
    return 0 if all(one.answer.taken for one in sent) else 1


def hush(file: Path, wanted: Hush, until: str, say: Say) -> int:
    """Tell nobody of something until a moment; it is held, shown, and told afterwards.

    Raises ConfigError, LakeError.
    """
    config, told = channelled(file), now()
    made = replace(wanted, until=until_of(until, told))
    try:
        check_words(made.name, made.why)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if not made.by.strip():
        raise ConfigError("--by is empty: say who wants it, it stands in the record")
    facts = {
        "name": made.name, "by": made.by, "why": made.why, "until": made.until,
        "source": made.source, "system": made.system,
    }  # fmt: skip
    keep_change(config, "hush", facts, lambda m: replace(m, hushes={**m.hushes, made.name: made}))
    say(f"nobody is told of it until {made.until:%Y-%m-%d %H:%M} UTC; the board says so")
    return 0


def unhush(file: Path, name: str, by: str, say: Say) -> int:
    """End a hush before its time. Raises ConfigError, LakeError."""
    config = channelled(file)
    known = remembered(opened(config)).hushes
    if name not in known:
        raise ConfigError(f"no hush is named {name!r}; known: {', '.join(known) or 'none'}")
    keep_change(config, "unhush", {"name": name, "by": by}, lambda m: _without(m, name))
    say(f"{name} is over: what was held is told with the next look")
    return 0


def _without(memory: Memory, name: str) -> Memory:
    return replace(memory, hushes={n: h for n, h in memory.hushes.items() if n != name})


def keep_change(
    config: Config, what: str, facts: Mapping[str, object], change: Callable[[Memory], Memory]
) -> None:
    """What a person did to the memory, as an act in the lake beside it. `facts` have a `name`.

    Raises LakeError, and what `change` raises.
    """
    lake = opened(config)

    def make(bookmark: Bookmark) -> tuple[tuple[EvidenceItem, ...], Cursor]:
        memory = read(bookmark.cursor.value if bookmark.cursor else "")
        item = action_item(
            lake, ACT, facts={"what": what, **facts}, title=f"alert: {what} {facts['name']}"
        )
        return (item,), Cursor(written(change(memory)))

    land_own(lake, make, LINE)
    follow(lake, config)


def until_of(text: str, told: datetime) -> datetime:
    """The moment of `--until`, LONGEST ahead at most. Raises ConfigError."""
    try:
        until = parse(text, what="--until")
    except InvalidItem as error:
        raise ConfigError(str(error)) from error
    if not 0 < (until - told).total_seconds() <= LONGEST * 86400:
        raise ConfigError(f"--until {text} must lie ahead, by {LONGEST} days at most")
    return until


def _tested(recipient: Recipient, desk: Desk) -> list[Sent]:
    at = now()
    cause = Cause(f"test {at}", "due", "this is a test of the channel, nothing is wrong")
    notice = Notice(What.NEW, cause, at)
    message = Message(recipient.name, (notice,), thread=mark(cause.key), title="a test of alerts")
    sent = [Sent(recipient, message, hand_over(recipient, message, desk, at))]
    if recipient.channel.separate and sent[0].answer.taken:
        over = replace(notice, what=What.OVER, ended=at, now="the test is done")
        closing = replace(message, notices=(over,), ref=sent[0].answer.ref)
        sent.append(Sent(recipient, closing, hand_over(recipient, closing, desk, now())))
    return sent


def _look(config: Config, lake: Lake, judged: Judged) -> Look:
    with judged.moment.connect(lake, ample()) as connection:
        found = needs(connection, lake, config, judged)
        people = causes.people_of(records(connection, *ROLES))
    seen = causes.seen(judged, found.attention, found.sources)
    return Look(seen, recipients(config.channels, people | dict(_alerts(config).people)))


def _people(config: Config, lake: Lake) -> dict[str, str]:
    with present(lake, config).connect(lake) as connection:
        return causes.people_of(records(connection, *ROLES)) | dict(_alerts(config).people)


def _planned(config: Config, lake: Lake, look: Look) -> tuple[Memory, Plan]:
    settle = _alerts(config).settle
    return looked(remembered(lake), look.seen, look.to, settle, lake.clock())


def channelled(file: Path) -> Config:
    """The configuration, which has an [[alert]]. Raises ConfigError."""
    config = load(file)
    if not config.channels:
        raise ConfigError(f"{config.file}: nobody is to be told: add an [[alert]] (docs/alerts.md)")
    return config


def _alerts(config: Config) -> Alerts:
    return config.alerts or Alerts()


def _desk(config: Config) -> Desk:
    return Desk(config.organisation, _alerts(config).board, config.mail)


def opened(config: Config) -> Lake:
    """The lake, to read and to write. Raises LakeError."""
    return Lake.open(config.lake, clock=now, redactor=config.redactor())
