"""A channel: whom it tells of what, when. Each kind adds how it is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar

from evidence.errors import ConfigError
from flows._alerts.hours import check_cron, check_quiet, zone_of
from flows._alerts.words import SEVERITIES, Answer, Cause, Message

if TYPE_CHECKING:
    from storage.mail import MailServer

DEFAULT = ("law", "failed", "health", "source", "stale", "missing")


@dataclass(frozen=True, slots=True)
class Desk:
    """What every message may need beside itself: who writes, where the board is, which server takes
    mail."""

    organisation: str
    board: str = ""
    mail: MailServer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One [[alert]]: which causes it is told of, and when. Raises ConfigError.

    `systems` and `owners` are globs, empty: all. A cause is told once it is open for `after`, and
    again every `repeat` (zero: never). In `quiet` hours and days of `zone` only the severities in
    `through` are told, the rest waits. `digest` is a cron line in `zone`: with one, the channel
    gets a list of all that is open then and nothing else. `most` bounds the messages of an hour,
    and the sentences of one.
    """

    name: str
    severities: tuple[str, ...] = DEFAULT
    systems: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    after: timedelta = field(default_factory=timedelta)
    repeat: timedelta = field(default_factory=timedelta)
    quiet: tuple[str, ...] = ()
    zone: str = "UTC"
    through: tuple[str, ...] = ()
    digest: str = ""
    most: int = 10

    kind: ClassVar[str] = ""
    separate: ClassVar[bool] = False
    """Does each cause get a message of its own, which is closed when it is over?"""

    def __post_init__(self) -> None:
        mistakes = list(self.mistakes())
        if mistakes:
            raise ConfigError(*(f"alert {self.name}: {mistake}" for mistake in mistakes))

    def mistakes(self) -> list[str]:
        """What is wrong with its settings, one sentence each."""
        found = [
            f"severities: {word!r} is none of {', '.join(SEVERITIES)}"
            for word in (*self.severities, *self.through)
            if word not in SEVERITIES
        ]
        try:
            zone_of(self.zone)
            check_quiet(self.quiet)
            if self.digest:
                check_cron(self.digest)
        except ValueError as error:
            found.append(str(error))
        if self.most < 1:
            found.append("most must be 1 at least")
        if self.digest and self.separate:
            found.append(f"a {self.kind} channel takes one cause at a time: it gets no digest")
        if self.digest and self.quiet:
            found.append("a digest comes when its line says so: leave out quiet")
        return found

    def wants(self, cause: Cause) -> bool:
        """Is this cause one for this channel?"""
        return (
            cause.severity in self.severities
            and _fits(self.systems, (cause.system,))
            and _fits(self.owners, cause.owners)
        )

    def lines(self, people: Mapping[str, str]) -> tuple[Recipient, ...]:  # noqa: ARG002
        """Whom it reaches; `people` are owners with their addresses."""
        return (Recipient(self.name, self),)

    def send(self, message: Message, desk: Desk, now: datetime, to: str = "") -> Answer:
        """What became of a message. Whatever the receiver does, it raises nothing."""
        raise NotImplementedError

    def where(self, to: str = "") -> str:
        """Whom it reaches, as records may say it: without a secret."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Recipient:
    """One line of a channel: all of it, or the mailbox `to` of one owner.

    With `others`, it gets what belongs to none of those owners.
    """

    name: str
    channel: Channel
    to: str = ""
    owner: str = ""
    others: frozenset[str] | None = None

    def wants(self, cause: Cause) -> bool:
        """Is this cause one for this line? That it takes nothing itself is for the others."""
        if cause.key == line_cause(self.name):
            return False
        if self.owner and self.owner not in cause.owners:
            return False
        if self.others is not None and self.others & set(cause.owners):
            return False
        return self.channel.wants(cause)


def line_cause(name: str) -> str:
    """The name of the cause that a line takes no messages."""
    return f"alerts to {name}"


def _fits(globs: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(word, glob) for word in words for glob in globs)
