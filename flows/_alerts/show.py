"""Alerting in a terminal: what was sent, what would be, what is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flows._alerts.channel import Desk, Recipient
from flows._alerts.deliver import Round, Sent
from flows._alerts.letter import OWNERS
from flows._alerts.memory import Memory, Open
from flows._alerts.plan import Plan
from flows._alerts.text import headline, paragraph
from flows._alerts.words import Message, Seen, mark, rank
from flows.terminal import printable

KEY = 8
"""Signs of a cause's mark that are shown, and with which it is taken in hand."""


def failing(memory: Memory) -> list[str]:
    """The lines that take nothing."""
    return [name for name, line in memory.lines.items() if line.failing is not None]


def round_lines(done: Round | None, desk: Desk) -> Iterator[str]:
    """What was sent, then the channels that take nothing."""
    if done is None or not done.sent:
        yield "nothing was due"
    else:
        yield from sent_lines(done.sent, desk)
    if done is not None:
        yield from _failing_lines(done.memory)


def sent_lines(sent: Sequence[Sent], desk: Desk) -> Iterator[str]:
    """A line for each message."""
    for one in sent:
        word = "taken" if one.answer.taken else "NOT taken"
        to = one.recipient.channel.where(one.recipient.to)
        told = f"{headline(one.message, desk)}: {one.answer.told}"
        yield printable(f"{word:<9} {one.recipient.name} ({to}): {told}")


def plan_lines(
    plan: Plan, to: Sequence[Recipient], seen: Seen, memory: Memory, desk: Desk
) -> Iterator[str]:
    """What would be sent and why, what waits and for what, and whom nobody can reach."""
    lines = {recipient.name: recipient for recipient in to}
    for message in plan.messages:
        recipient = lines[message.line]
        where = recipient.channel.where(recipient.to)
        yield printable(f"would send  {message.line} ({where}): {headline(message, desk)}")
        yield from _notices(message)
    for one in plan.waiting:
        yield printable(f"waits       {one.line}: {paragraph(one.notice)} Because: {one.why}")
    if not plan.messages and not plan.waiting:
        yield "nothing is due"
    for cause in seen.causes:
        if not any(recipient.wants(cause) for recipient in to):
            yield printable(f"for nobody  {cause.severity}: {cause.sentence}")
    yield from _unreachable(to, seen)
    yield from _failing_lines(memory)


def _notices(message: Message) -> Iterator[str]:
    for notice in message.all:
        cause = notice.cause
        hit = f"{len(cause.controls)} controls" if cause.controls else "no control"
        yield printable(f"            {notice.what}: {paragraph(notice)} ({hit})")


def _unreachable(to: Sequence[Recipient], seen: Seen) -> Iterator[str]:
    """Owners of whom no address is known, where owners are written to."""
    if not any(getattr(recipient.channel, "to", "") == OWNERS for recipient in to):
        return
    known = {recipient.owner for recipient in to}
    lacking = sorted({name for cause in seen.causes for name in cause.owners} - known)
    for name in lacking:
        yield printable(f"no address  {name}: in [alerts] people, or mail in the roles register")


def memory_lines(memory: Memory) -> Iterator[str]:
    """Every open cause with who was told of it, then hushes and channels that take nothing."""
    ordered = sorted(memory.causes.values(), key=lambda o: (rank(o.cause.severity), o.since))
    for one in ordered:
        yield printable(_open(one))
        yield f"          key {mark(one.cause.key)[:KEY]}"
        if one.taken:
            yield printable(f"          {one.taken.sentence}")
        for name, told in one.told.items():
            at = f"told {told.at:%Y-%m-%d %H:%M} UTC" if told.at else "sending was begun"
            yield printable(f"          {name}: {at}{f', {told.ref}' if told.ref else ''}")
        for name in sorted(one.held - one.told.keys()):
            yield printable(f"          {name}: held")
    if not ordered:
        yield "nothing is open"
    for hush in memory.hushes.values():
        about = f"{hush.source} {hush.system}".strip() or "everything"
        yield printable(f"hushed    {about} until {hush.until:%Y-%m-%d %H:%M} UTC by {hush.by}")
    yield from _failing_lines(memory)


def _open(one: Open) -> str:
    state = "over" if one.gone else "not seen now" if one.blind else one.cause.severity
    return f"{state:<9} since {one.since:%Y-%m-%d %H:%M} UTC: {one.cause.sentence}"


def _failing_lines(memory: Memory) -> Iterator[str]:
    for name in failing(memory):
        line = memory.lines[name]
        since = f"since {line.failing:%Y-%m-%d %H:%M} UTC"
        yield printable(f"NOT taken {name} takes nothing {since}: {line.error}")
