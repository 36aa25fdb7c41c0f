"""What would be sent now, to whom and why; pure functions of the memory and the time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flows._alerts.channel import Recipient
from flows._alerts.hours import is_quiet, last_tick, zone_of
from flows._alerts.memory import Line, Memory, Open, Told
from flows._alerts.words import Message, Notice, What, mark, rank

HOUR = timedelta(hours=1)
_NEWS = {What.NEW, What.WORSE, What.AGAIN, What.REMINDER}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that is due on a line and is not sent now, and why."""

    line: str
    notice: Notice
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The messages of now, and what waits."""

    messages: tuple[Message, ...]
    waiting: tuple[Waiting, ...] = ()


def plan(memory: Memory, to: Sequence[Recipient], now: datetime, settle: timedelta) -> Plan:
    """What each recipient is to be told at `now`. What is over is told once it lasted `settle`."""
    messages, waiting = list[Message](), list[Waiting]()
    for recipient in to:
        line = memory.line(recipient.name)
        if recipient.channel.digest:
            messages += _digest(memory, recipient, line, now)
            continue
        due = list(_due(memory, recipient, now, settle))
        ready = [one for one in due if not held(memory, recipient, one, now)]
        waiting += [
            Waiting(recipient.name, one, held(memory, recipient, one, now))
            for one in due
            if one not in ready
        ]
        if why := busy(line, now):
            waiting += [Waiting(recipient.name, one, why) for one in ready]
            continue
        made = list(_messages(memory, recipient, line, ready, now))
        messages += made
        told = {one.cause.key for message in made for one in message.all}
        waiting += [
            Waiting(recipient.name, one, f"most = {recipient.channel.most} messages an hour")
            for one in ready
            if one.cause.key not in told
        ]
    return Plan(tuple(messages), tuple(waiting))


def held(memory: Memory, recipient: Recipient, notice: Notice, now: datetime) -> str:
    """Why a notice waits although it is due; empty if it does not."""
    channel = recipient.channel
    for hush in memory.hushes.values():
        if hush.covers(notice.cause, now):
            return f"hushed by {hush.by} until {hush.until:%Y-%m-%d %H:%M} UTC: {hush.why}"
    loud = notice.cause.severity in channel.through and not notice.what.over
    if not loud and is_quiet(channel.quiet, zone_of(channel.zone), now):
        return f"quiet hours ({', '.join(channel.quiet)} {channel.zone})"
    return ""


def busy(line: Line, now: datetime) -> str:
    """Why nothing at all is sent on a line now; empty if it may be."""
    if line.claim and line.until and now < line.until:
        return f"{line.claim} is sending on it"
    if line.rest and now < line.rest:
        return f"it wants to be left alone until {line.rest:%Y-%m-%d %H:%M} UTC"
    return ""


def _due(
    memory: Memory, recipient: Recipient, now: datetime, settle: timedelta
) -> Iterator[Notice]:
    """Worst first, and among equals the oldest."""
    found = []
    for one in memory.causes.values():
        what = _what(one, recipient, now, settle)
        if what is not None:
            told = one.told.get(recipient.name)
            last = told.at if told else None
            notice = Notice(what, one.cause, one.since, flaps=one.flaps, before=last,
                            taken=one.taken.sentence if one.taken else "")  # fmt: skip
            found.append(_ended(notice, one, told, now) if what.over else notice)
    yield from sorted(found, key=lambda n: (n.what.over, rank(n.cause.severity), n.since))


def _ended(notice: Notice, one: Open, told: Told | None, now: datetime) -> Notice:
    """That what was told is over, and how it is now."""
    if one.gone or told is None:
        return replace(notice, ended=one.gone, now=one.now)
    was = replace(
        one.cause, severity=told.severity or one.cause.severity,
        sentence=told.said or one.cause.sentence,
    )  # fmt: skip
    state = f"{one.cause.severity}: {one.cause.sentence}"
    return replace(notice, cause=was, ended=one.turned or now, now=state)


def _what(one: Open, recipient: Recipient, now: datetime, settle: timedelta) -> What | None:
    told = one.told.get(recipient.name)
    if one.gone is not None:
        if now - one.gone < settle:
            return None
        if told is not None:
            return What.OVER
        return What.PASSED if recipient.name in one.held else None
    if one.blind:
        return None
    if not recipient.wants(one.cause):  # such as what failed and is only due now
        return What.OVER if told is not None and _settled(one, now, settle) else None
    if told is None or told.at is None:
        if one.in_hand(now):  # whom it would be escalated to need not hear of it yet
            return None
        after = max(recipient.channel.after, settle if one.cause.brief else timedelta(0))
        return What.NEW if now - one.since >= after else None
    return _more(one, told, told.at, recipient.channel.repeat, now, settle)


def _settled(one: Open, now: datetime, settle: timedelta) -> bool:
    return one.turned is None or now - one.turned >= settle


def _more(
    one: Open, told: Told, at: datetime, repeat: timedelta, now: datetime, settle: timedelta
) -> What | None:
    """Is there more to say of what was told?"""
    if rank(one.cause.severity) < rank(told.severity) or one.cause.step > told.step:
        return What.WORSE
    moved = one.cause.about not in {"", told.about}
    if one.cause.severity == "failed" and moved and now - at >= settle:
        return What.AGAIN
    if one.in_hand(now):
        return None
    if one.taken is not None and at < one.taken.until <= now:
        return What.REMINDER
    return What.REMINDER if repeat and now - at >= repeat else None


def _messages(
    memory: Memory, recipient: Recipient, line: Line, ready: Sequence[Notice], now: datetime
) -> Iterator[Message]:
    most = recipient.channel.most
    left = most - sum(now - at < HOUR for at in line.sent)
    if not recipient.channel.separate:
        if ready and left > 0:
            kept, rest = tuple(ready[:most]), tuple(ready[most:])
            yield Message(recipient.name, kept, rest)
        return
    news = [one for one in ready if one.what in _NEWS]
    yield from _separate(memory, recipient, news, left, now)
    yield from _closing(memory, recipient, [one for one in ready if one not in news])


def _separate(
    memory: Memory, recipient: Recipient, news: Sequence[Notice], left: int, now: datetime
) -> Iterator[Message]:
    """One message a thread; where there are more than may be sent, one sums up what is new."""
    threads: dict[str, list[Notice]] = defaultdict(list)
    for one in news:
        told = memory.causes[one.cause.key].told.get(recipient.name)
        threads[(told.thread if told else "") or mark(f"{one.cause.key}\n{one.since}")].append(one)
    alone = list(threads)[: left if len(threads) <= left else max(left - 1, 0)]
    for thread in alone:
        told = memory.causes[threads[thread][0].cause.key].told.get(recipient.name)
        ref = told.ref if told else ""
        yield Message(recipient.name, tuple(threads[thread]), thread=thread, ref=ref)
    rest = [one for thread in threads if thread not in alone for one in threads[thread]]
    new = [n for n in rest if recipient.name not in memory.causes[n.cause.key].told]
    if new and left > 0:  # what has a thread of its own waits: else that would never be closed
        most = recipient.channel.most
        thread = mark("\n".join((str(now), *sorted(one.cause.key for one in new))))
        kept, more = tuple(new[:most]), tuple(new[most:])
        yield Message(recipient.name, kept, more, thread=thread)


def _closing(memory: Memory, recipient: Recipient, over: Sequence[Notice]) -> Iterator[Message]:
    """A thread is closed once nothing that it told of is open any more."""
    threads: dict[str, list[Notice]] = defaultdict(list)
    for one in over:
        told = memory.causes[one.cause.key].told.get(recipient.name)
        threads[told.thread if told else mark(f"{one.cause.key}\n{one.since}")].append(one)
    members: dict[str, int] = defaultdict(int)
    refs: dict[str, str] = {}
    for open_ in memory.causes.values():
        if told := open_.told.get(recipient.name):
            members[told.thread] += 1
            refs[told.thread] = told.ref
    for thread, notices in threads.items():
        if len(notices) >= members[thread]:
            ref = refs.get(thread, "")
            yield Message(recipient.name, tuple(notices), thread=thread, ref=ref)


def _digest(memory: Memory, recipient: Recipient, line: Line, now: datetime) -> Iterator[Message]:
    """A list of all that is open, if one is due; to an owner only if there is something."""
    tick = last_tick(recipient.channel.digest, zone_of(recipient.channel.zone), now)
    if line.digest is None or tick <= line.digest or busy(line, now):
        return
    found = [
        Notice(
            What.OPEN,
            one.cause,
            one.since,
            flaps=one.flaps,
            taken=one.taken.sentence if one.taken else "",
        )
        for one in memory.causes.values()
        if one.gone is None and recipient.wants(one.cause)
    ]
    found.sort(key=lambda n: (rank(n.cause.severity), n.since))
    most = recipient.channel.most
    kept, rest = tuple(found[:most]), tuple(found[most:])
    if found or not recipient.owner:
        yield Message(recipient.name, kept, rest, digest=True, nonce=str(tick))


def noted(memory: Memory, to: Sequence[Recipient], now: datetime, settle: timedelta) -> Memory:
    """The memory with what this look leaves behind: what is held is marked, digests of new lines
    count from now, and what is over and owed to nobody is forgotten."""
    lines, causes = dict(memory.lines), dict(memory.causes)
    for recipient in to:
        line = memory.line(recipient.name)
        if recipient.channel.digest:
            lines[recipient.name] = replace(line, digest=line.digest or now)
            continue
        for key, one in causes.items():
            causes[key] = _left(memory, one, recipient, now, settle)
    names = {recipient.name for recipient in to}
    kept = {key: one for key, one in causes.items() if not _done(one, names, now, settle)}
    return replace(memory, causes=kept, lines={n: lines[n] for n in lines if n in names})


def _left(
    memory: Memory, one: Open, recipient: Recipient, now: datetime, settle: timedelta
) -> Open:
    """One cause after a look, for one recipient."""
    what, told = _what(one, recipient, now, settle), one.told.get(recipient.name)
    chat = not recipient.channel.separate  # no page and no ticket for what came and went
    if chat and what in _NEWS and held(memory, recipient, Notice(what, one.cause, now), now):
        one = replace(one, held=one.held | {recipient.name})
    if told is None or not recipient.wants(one.cause) or not _settled(one, now, settle):
        return one
    # What has become milder for good may become worse again: then that is told again.
    milder = max(told.severity or one.cause.severity, one.cause.severity, key=rank)
    return replace(one, told={**one.told, recipient.name: replace(told, severity=milder)})


def _done(one: Open, names: set[str], now: datetime, settle: timedelta) -> bool:
    """Is it over, and has everybody heard so who heard of it?"""
    owed = names & (one.told.keys() | one.held)
    return one.gone is not None and now - one.gone >= settle and not owed
