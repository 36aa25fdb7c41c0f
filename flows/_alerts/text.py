"""What a message says, as plain lines: every word of a source is cleaned and cut here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from collectors.http import clean
from dashboards.summary import SEVERITIES as NAMES
from flows._alerts.channel import Desk
from flows._alerts.words import Message, Notice, What, rank

LIMIT = 400
"""Characters of one sentence; the board has the rest."""
_BEFORE = {
    What.NEW: "", What.WORSE: "Worse now: ", What.AGAIN: "Another one: ",
    What.REMINDER: "Still open: ", What.OVER: "Over: ", What.PASSED: "Came and went: ",
    What.OPEN: "",
}  # fmt: skip


def headline(message: Message, desk: Desk) -> str:
    """The message in one line, for a subject or a title."""
    if message.title:
        return clean(f"{desk.organisation}: {message.title}", 150)
    if len(message.all) == 1 and not message.digest:
        return clean(f"{desk.organisation}: {_begins(message.all[0])}", 150)
    told = "; ".join(_counted(message)) or "nothing is open that this channel is told of"
    return clean(f"{desk.organisation}: {'digest: ' if message.digest else ''}{told}", 150)


def _counted(message: Message) -> Iterator[str]:
    words = Counter(n.cause.severity for n in message.all if not n.what.over)
    for word in sorted(words, key=rank):
        yield f"{words[word]} {NAMES.get(word, word).lower()}"
    if over := sum(notice.what.over for notice in message.all):
        yield f"{over} over"


def sentences(message: Message) -> list[str]:
    """One paragraph a notice, then how many more there are."""
    told = [paragraph(notice) for notice in message.notices]
    if message.more:
        words = Counter(_state(notice) for notice in message.more)
        rest = ", ".join(f"{number} {word}" for word, number in words.items())
        told.append(f"and {len(message.more)} more: {rest}. `headwater alert list` names them.")
    return told


def paragraph(notice: Notice) -> str:
    """What it is, since when, what to do, whose it is."""
    cause = notice.cause
    parts = [_begins(notice), f"Since {notice.since:%Y-%m-%d %H:%M} UTC."]
    if notice.flaps:
        parts.append(f"It came back {notice.flaps} times.")
    if notice.ended is not None:
        parts.append(f"Over since {notice.ended:%Y-%m-%d %H:%M} UTC; now: {notice.now}.")
    elif cause.action:
        parts.append(f"Do: {cause.action}")
    if notice.taken and notice.ended is None:
        parts.append(f"{notice.taken}.")
    if cause.owners:
        parts.append(f"Owner: {', '.join(cause.owners)}.")
    return clean(" ".join(parts), 2 * LIMIT)


def closing(desk: Desk) -> str:
    """Where to go on, and what this is not."""
    board = f"Board: {desk.board} · " if desk.board else ""
    return f"{board}Sent by Headwater. It says what evidence shows; people judge what it means."


def plain(message: Message, desk: Desk) -> str:
    """The whole message as text."""
    return "\n\n".join((*sentences(message), closing(desk))) + "\n"


def _begins(notice: Notice) -> str:
    name = NAMES.get(notice.cause.severity, notice.cause.severity)
    return clean(f"{_BEFORE[notice.what]}{name}: {notice.cause.sentence}", LIMIT)


def _state(notice: Notice) -> str:
    name = NAMES.get(notice.cause.severity, notice.cause.severity).lower()
    return f"{name} over" if notice.what.over else name
