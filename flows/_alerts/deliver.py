"""Sending what is due: claimed in the lake first, recorded there afterwards.

Who is killed in between leaves a claim behind, and what was being sent counts as not told: once the
claim is over it is sent again. So a message may come twice after a crash, and none is lost.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from evidence.errors import HeadwaterError
from evidence.model import Cursor, EvidenceItem, Outcome
from evidence.own import OWN_SOURCE
from evidence.times import stamp
from flows._alerts.channel import Desk, Recipient
from flows._alerts.memory import Memory, read, written
from flows._alerts.observe import observe
from flows._alerts.plan import Plan, noted, plan
from flows._alerts.progress import answered, begun, released
from flows._alerts.text import headline
from flows._alerts.words import Answer, Cause, Message, Seen
from storage.actions import action_item, land_own
from storage.lake import Bookmark, Lake

LINE = "alerts"
"""The cursor of Headwater's own source that holds what is remembered."""
ACT = "alert"
CLAIM = timedelta(minutes=15)
_LEFT = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Sent:
    """One message, to whom, and what became of it."""

    recipient: Recipient
    message: Message
    answer: Answer


@dataclass(frozen=True, slots=True)
class Round:
    """What one look led to: what was sent, what the memory is after it, whether anything landed."""

    sent: tuple[Sent, ...]
    memory: Memory
    landed: bool


def remembered(lake: Lake) -> Memory:
    """The memory as the lake holds it. Raises LakeError."""
    cursor = lake.bookmark(OWN_SOURCE, LINE).cursor
    return read(cursor.value if cursor else "")


def looked(
    memory: Memory, seen: Seen, to: Sequence[Recipient], settle: timedelta, now: datetime
) -> tuple[Memory, Plan]:
    """The memory after a look, and what is due."""
    after = noted(observe(memory, seen, now), to, now, settle)
    return after, plan(after, to, now, settle)


def deliver(
    lake: Lake, desk: Desk, seen: Seen, to: Sequence[Recipient], settle: timedelta
) -> Round:
    """Send what is due and record what became of it. Raises LakeError.

    Nothing lands while there is nothing new and nothing to send.
    """
    claim = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    version, now = lake.version, lake.clock()
    due, memory = _claimed(lake, desk, seen, to, settle, claim, now)
    if not due:
        return Round((), memory, lake.version != version)
    sent = tuple(_sent(due, desk, to, lake.clock, now + CLAIM - _LEFT))
    return Round(sent, _recorded(lake, desk, sent, claim), True)


def _claimed(
    lake: Lake, desk: Desk, seen: Seen, to: Sequence[Recipient], settle: timedelta, claim: str,
    now: datetime,
) -> tuple[tuple[Message, ...], Memory]:  # fmt: skip
    made: list[tuple[tuple[Message, ...], Memory]] = []

    def make(bookmark: Bookmark) -> tuple[tuple[EvidenceItem, ...], Cursor | None]:
        before = _read(bookmark)
        after, todo = looked(before, seen, to, settle, now)
        after = begun(after, todo.messages, claim, now + CLAIM, now)
        made.append((todo.messages, after))
        if not todo.messages and _bare(after) == _bare(before):
            return (), None
        facts = _news(before, after) | {"sending": [_brief(m, desk) for m in todo.messages]}
        title = f"alert: {len(facts['opened'])} opened, {len(facts['gone'])} gone"
        return (action_item(lake, ACT, facts=facts, title=title),), Cursor(written(after))

    land_own(lake, make, LINE)
    return made[-1]


def _sent(
    due: Sequence[Message], desk: Desk, to: Sequence[Recipient], clock: Callable[[], datetime],
    until: datetime,
) -> Iterator[Sent]:  # fmt: skip
    """In their order; a line that did not take one is not bothered with the next."""
    lines, closed = {recipient.name: recipient for recipient in to}, set[str]()
    for message in due:
        now = clock()
        if message.line in closed or now > until:
            continue
        recipient = lines[message.line]
        answer = hand_over(recipient, message, desk, now)
        if not answer.taken:
            closed.add(message.line)
        yield Sent(recipient, message, answer)


def hand_over(recipient: Recipient, message: Message, desk: Desk, now: datetime) -> Answer:
    """What became of one message, also where the channel itself is at fault."""
    try:
        return recipient.channel.send(message, desk, now, recipient.to)
    except (HeadwaterError, OSError, ValueError, TypeError, LookupError) as error:
        return Answer(False, f"the channel failed: {type(error).__name__}")


def _recorded(lake: Lake, desk: Desk, sent: Sequence[Sent], claim: str) -> Memory:
    made: list[Memory] = []

    def make(bookmark: Bookmark) -> tuple[tuple[EvidenceItem, ...], Cursor]:
        memory, at = _read(bookmark), lake.clock()
        for one in sent:
            memory = answered(memory, one.message, one.answer, at)
        made.append(released(memory, claim))
        return (record(lake, desk, sent),), Cursor(written(made[-1]))

    land_own(lake, make, LINE)
    return made[-1]


def record(lake: Lake, desk: Desk, sent: Sequence[Sent]) -> EvidenceItem:
    """What was sent, to whom, with which answer, as an act."""
    taken = sum(one.answer.taken for one in sent)
    facts = {"messages": [_told(one, desk) for one in sent]}
    return action_item(
        lake, ACT, facts=facts, title=f"alert: {taken} of {len(sent)} messages taken",
        outcome=Outcome.PASSED if taken == len(sent) else Outcome.FAILED,
    )  # fmt: skip


def _told(one: Sent, desk: Desk) -> dict[str, Any]:
    return _brief(one.message, desk) | {
        "to": one.recipient.channel.where(one.recipient.to), "taken": one.answer.taken,
        "answer": one.answer.told, "ref": one.answer.ref or one.message.ref,
    }  # fmt: skip


def _brief(message: Message, desk: Desk) -> dict[str, Any]:
    told = [
        {"what": n.what.value, "cause": n.cause.key, "severity": n.cause.severity}
        for n in message.all
    ]
    return {
        "id": message.id, "line": message.line, "title": headline(message, desk),
        "notices": told, "by_number": len(message.more),
    }  # fmt: skip


def _read(bookmark: Bookmark) -> Memory:
    return read(bookmark.cursor.value if bookmark.cursor else "")


def _news(before: Memory, after: Memory) -> dict[str, Any]:
    """Which causes came and which went, with their sentences."""
    opened = [one for key, one in after.causes.items() if key not in before.causes]
    gone = [
        one for key, one in after.causes.items()
        if one.gone and (key not in before.causes or before.causes[key].gone is None)
    ]  # fmt: skip
    return {
        "opened": [
            {"cause": o.cause.key, "severity": o.cause.severity, "sentence": o.cause.sentence}
            for o in opened
        ],
        "gone": [{"cause": o.cause.key, "now": o.now, "since": stamp(o.since)} for o in gone],
    }


def _bare(memory: Memory) -> Memory:
    """Without what changes by itself: a sentence counts the days."""
    causes = {
        key: replace(
            one, cause=Cause(key, one.cause.severity, "", about=one.cause.about)
        )
        for key, one in memory.causes.items()
    }  # fmt: skip
    return replace(memory, causes=causes)
