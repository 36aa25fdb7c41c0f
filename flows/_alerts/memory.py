"""What is remembered from one look to the next: causes, who was told of them, how channels do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from evidence.errors import LakeError
from flows._alerts.words import Cause, rank

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORM = "headwater.alerts/1"


@dataclass(frozen=True, slots=True)
class Told:
    """That a channel was told of a cause.

    `begun` is when a message was last begun, `at` when one was last taken (None: never, as far as
    is known); `severity`, `said`, `about` and `step` are what it said; `thread` and `ref` as in a
    message.
    """

    begun: datetime
    at: datetime | None = None
    severity: str = ""
    said: str = ""
    about: str = ""
    thread: str = ""
    ref: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """That a named person has a cause in hand until a moment; `severity` and `step` are what
    it was then."""

    by: str
    why: str
    until: datetime
    severity: str
    step: int = 0

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.by} has it until {self.until:%Y-%m-%d %H:%M} UTC: {self.why}"


@dataclass(frozen=True, slots=True)
class Open:
    """A cause since it was first seen.

    `turned` is when its severity last changed (None: never), `gone` when it was first not seen any
    more, `now` what was true then; `flaps` counts how often it came back before it had settled;
    `told` has one entry a line, `held` the lines that would have been told and were not, because
    of quiet hours or a hush.
    """

    cause: Cause
    since: datetime
    turned: datetime | None = None
    gone: datetime | None = None
    now: str = ""
    flaps: int = 0
    blind: bool = False
    told: Mapping[str, Told] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    taken: Taken | None = None

    def in_hand(self, now: datetime) -> Taken | None:
        """Who has it at `now`; nobody has what became worse than it was when they took it."""
        taken = self.taken
        if taken is None or now >= taken.until:
            return None
        worse = rank(self.cause.severity) < rank(taken.severity) or self.cause.step > taken.step
        return None if worse else taken


@dataclass(frozen=True, slots=True)
class Line:
    """How one channel (or one owner's mailbox) does.

    `claim` names the process that sends on it until `until`; `sent` are the moments of the messages
    of the last hour; `failing` is since when it takes nothing, `error` why, `rest` until when it
    wants to be left alone; `digest` the moment up to which digests were sent.
    """

    claim: str = ""
    until: datetime | None = None
    sent: tuple[datetime, ...] = ()
    failing: datetime | None = None
    error: str = ""
    tries: int = 0
    rest: datetime | None = None
    digest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hush:
    """That nobody is told of something until a moment: who wants that, and why.

    `source` or `system` narrow it; neither means everything.
    """

    name: str
    by: str
    why: str
    until: datetime
    source: str = ""
    system: str = ""

    def covers(self, cause: Cause, now: datetime) -> bool:
        """Is this cause hushed at `now`?"""
        fits = self.source in {"", cause.source} and self.system in {"", cause.system}
        return fits and now < self.until


@dataclass(frozen=True, slots=True)
class Memory:
    """All of it: open causes by key, lines and hushes by name."""

    causes: Mapping[str, Open] = field(default_factory=dict)
    lines: Mapping[str, Line] = field(default_factory=dict)
    hushes: Mapping[str, Hush] = field(default_factory=dict)
    form: str = FORM

    def line(self, name: str) -> Line:
        """How a line does; a new one does well."""
        return self.lines.get(name, Line())


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(Memory)


def written(memory: Memory) -> str:
    """As JSON text; the same memory gives the same text."""
    return str(_adapter().dump_json(memory).decode())


def read(text: str) -> Memory:
    """From JSON text, empty text is an empty memory. Raises LakeError: without it nobody knows what
    was told, and telling all again, or nothing, would both be wrong."""
    from pydantic import ValidationError

    if not text:
        return Memory()
    try:
        memory: Memory = _adapter().validate_json(text)
    except ValidationError as error:
        told = error.errors(include_input=False)[0]["msg"]
        raise LakeError(f"what is remembered of alerts cannot be read: {told}") from error
    if memory.form != FORM:
        raise LakeError(
            f"what is remembered of alerts has form {memory.form!r}, not {FORM}: if a newer "
            "Headwater wrote it, upgrade"
        )
    return memory
