"""The words of alerting: a cause, what a channel is told of it, and what the channel answered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from dashboards.summary import SEVERITIES as HEADINGS

SEVERITIES = tuple(HEADINGS)
"""Those of the board's list of what needs a person, worst first."""


def rank(severity: str) -> int:
    """0 is worst. A severity that nobody knows here is as bad as the worst: it is not left out."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that needs a person, however many controls it hits.

    `key` names it for as long as it lasts, whatever its sentence or severity become meanwhile;
    `about` is the item that it is about now, if it is one. What is `brief` mostly ends by itself:
    it is not told before it has settled. `step` grows where it becomes more pressing at the same
    severity.
    """

    key: str
    severity: str
    sentence: str
    action: str = ""
    controls: tuple[str, ...] = ()
    system: str = ""
    source: str = ""
    owners: tuple[str, ...] = ()
    about: str = ""
    brief: bool = False
    step: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found: the causes; `blind`, the keys of causes that nobody can see for now
    because their source does not answer, so that they are neither there nor over; and `now`, what
    is true of what is no cause."""

    causes: tuple[Cause, ...]
    blind: frozenset[str] = frozenset()
    now: Mapping[str, str] = field(default_factory=dict)


class What(StrEnum):
    """Why a channel is told of a cause."""

    NEW = "new"
    WORSE = "worse"
    AGAIN = "again"
    REMINDER = "reminder"
    OVER = "over"
    PASSED = "came and went"
    OPEN = "open"

    @property
    def over(self) -> bool:
        """Is there nothing to do about it any more?"""
        return self in {What.OVER, What.PASSED}


@dataclass(frozen=True, slots=True)
class Notice:
    """What one channel is told of one cause: since when it is open, and when it ended, with what is
    true `now`; `before` is when it was told of it last, `taken` who has it in hand, or had."""

    what: What
    cause: Cause
    since: datetime
    ended: datetime | None = None
    now: str = ""
    flaps: int = 0
    before: datetime | None = None
    taken: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one channel: at least one notice, or a digest of what is open.

    `more` counts notices that are told by their number only; `thread` is the name by which the
    receiver knows what belongs together, `ref` the receiver's own name for it (a ticket's key);
    `title` stands in place of a headline made from the notices.
    """

    line: str
    notices: tuple[Notice, ...]
    more: tuple[Notice, ...] = ()
    thread: str = ""
    ref: str = ""
    title: str = ""
    digest: bool = False
    nonce: str = ""

    @property
    def all(self) -> tuple[Notice, ...]:
        """What is told by sentence, and what by number."""
        return (*self.notices, *self.more)

    @property
    def over(self) -> bool:
        """Does it only tell of what is over?"""
        return bool(self.all) and all(notice.what.over for notice in self.all)

    @property
    def severity(self) -> str:
        """That of the worst of its causes that is not over; of what is over, if all are."""
        told = [notice for notice in self.all if self.over or not notice.what.over]
        return min((notice.cause.severity for notice in told), key=rank, default="due")

    @property
    def id(self) -> str:
        """The same for the same message sent again, so that its receiver can tell."""
        told = [
            f"{n.what}:{n.cause.key}:{n.cause.about}:{n.since}:{n.before}:{n.flaps}"
            for n in self.all
        ]
        return mark("\n".join((self.line, self.thread, self.nonce, *sorted(told))))


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one message: whether the receiver took it, its own words, its name for what it
    opened, and how long it wants to be left alone."""

    taken: bool
    told: str
    ref: str = ""
    wait: timedelta | None = None


def mark(text: str) -> str:
    """A short name for a long text that may hold anything."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]
