"""What sending changes in the memory: begun, taken or not, and what is owed after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from flows._alerts.memory import Line, Memory, Open, Told
from flows._alerts.plan import HOUR
from flows._alerts.words import Answer, Message, Notice

PAUSE = timedelta(minutes=5)
"""Before a line that took nothing is tried again; doubles, up to an hour."""


def begun(
    memory: Memory, messages: Sequence[Message], claim: str, until: datetime, now: datetime
) -> Memory:
    """The memory before anything is sent: if we die, somebody may have been told, so that they hear
    of the end as well; and until `until` nobody else sends on these lines."""
    causes, lines = dict(memory.causes), dict(memory.lines)
    for message in messages:
        line = lines.get(message.line, Line())
        lines[message.line] = replace(line, claim=claim, until=until)
        for notice in () if message.digest else message.all:
            one = causes[notice.cause.key]
            if not notice.what.over:
                told = one.told.get(message.line, Told(now))
                told = replace(told, begun=now, thread=told.thread or message.thread)
                causes[notice.cause.key] = _with(one, message.line, told)
    return replace(memory, causes=causes, lines=lines)


def answered(memory: Memory, message: Message, answer: Answer, now: datetime) -> Memory:
    """The memory once a message was taken, or was not."""
    line = memory.line(message.line)
    if not answer.taken:
        rest = now + (answer.wait or min(PAUSE * 2 ** min(line.tries, 8), HOUR))
        line = replace(
            line, failing=line.failing or now, error=answer.told, tries=line.tries + 1, rest=rest
        )
        return replace(memory, lines={**memory.lines, message.line: line})
    sent = (*(at for at in line.sent if now - at < HOUR), now)
    line = replace(line, sent=sent, failing=None, error="", tries=0, rest=None)
    if message.digest:
        line = replace(line, digest=now)
    causes = dict(memory.causes)
    for notice in () if message.digest else message.all:
        if notice.cause.key in causes:
            causes[notice.cause.key] = _told(causes[notice.cause.key], message, notice, answer, now)
    return replace(memory, causes=causes, lines={**memory.lines, message.line: line})


def released(memory: Memory, claim: str) -> Memory:
    """The memory once this process sends no more."""
    lines = {
        name: replace(line, claim="", until=None) if line.claim == claim else line
        for name, line in memory.lines.items()
    }
    return replace(memory, lines=lines)


def _told(one: Open, message: Message, notice: Notice, answer: Answer, now: datetime) -> Open:
    if notice.what.over:
        told = {name: t for name, t in one.told.items() if name != message.line}
        return replace(one, told=told, held=one.held - {message.line})
    before = one.told.get(message.line, Told(now, thread=message.thread))
    now_told = replace(
        before, at=now, severity=notice.cause.severity, said=notice.cause.sentence,
        about=notice.cause.about, step=notice.cause.step,
        ref=answer.ref or before.ref,
    )  # fmt: skip
    return _with(replace(one, held=one.held - {message.line}), message.line, now_told)


def _with(one: Open, line: str, told: Told) -> Open:
    return replace(one, told={**one.told, line: told})
