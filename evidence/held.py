"""What registers say and what evidence shows, side by side, for `evidence/consistency.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from evidence.errors import InvalidItem
from evidence.fields import listed, nearest
from evidence.times import day_or_time

_OVER = {"done", "closed", "complete", "completed", "finished", "withdrawn", "met"}
_ENDED = ("done", "closed", "held", "performed", "finished", "completed")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a register that Headwater knows, by that register's own name.

    `written_by` is who committed its first version.
    """

    register: str
    id: str
    fields: Mapping[str, Any]
    item_id: str = ""
    written_by: str = ""

    @property
    def called(self) -> str:
        """For sentences: `risks R-1`."""
        return f"{self.register} {self.id}"

    def text(self, name: str) -> str:
        """A field as one line; empty where it is not there, or is no text."""
        value = self.fields.get(name)
        if value is None or isinstance(value, list | Mapping):
            return ""
        return " ".join(str(value).split())

    def texts(self, name: str) -> tuple[str, ...]:
        """A list's entries, or the texts between commas."""
        return listed(self.fields.get(name))

    def entries(self, name: str) -> Iterator[Mapping[str, Any]]:
        """The mappings of a list of them, or a single one."""
        value = self.fields.get(name)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                yield one

    def day(self, name: str) -> datetime | None:
        """A day's beginning in UTC; None where there is none that can be read."""
        return _day(self.text(name))

    def over(self, at: datetime) -> bool:
        """Whether nothing is left to do about it at `at`, by its own word: `done: false`, or a day
        to come, says that something is."""
        ended = filter(None, map(self.day, _ENDED))
        return self.text("status").lower() in _OVER or any(day <= at for day in ended)


def _day(text: str) -> datetime | None:
    try:
        return day_or_time(text) if text else None
    except InvalidItem:
        return None


@dataclass(frozen=True, slots=True)
class Whole:
    """A register or document as a whole: who keeps it, when it was and is to be reviewed; of a
    document the AI system that it names."""

    name: str
    document: bool = False
    owner: str = ""
    reviewed: datetime | None = None
    next_review: datetime | None = None
    item_id: str = ""
    system: str = ""

    @property
    def called(self) -> str:
        """For sentences: `the register risks`."""
        return f"the {'document' if self.document else 'register'} {self.name}"


@dataclass(frozen=True, slots=True)
class Used:
    """A version of a model that evidence shows: in the registry, in service or called; `offered`:
    one that can be called, whether anybody does or not."""

    name: str
    version: str
    at: datetime
    item_id: str = ""
    system: str = ""
    where: str = ""
    offered: bool = False


@dataclass(frozen=True, slots=True)
class Speaking:
    """How many items speak to a control and to none that applies, and the newest of them."""

    items: int
    title: str
    item_id: str


@dataclass(frozen=True)
class Held:
    """All of it, as of `at` (zone-aware).

    `systems` are the AI systems that evidence beside registers names, `speaking` what speaks to
    controls by their number, `controls` the numbers of Annex A and `clauses` those of the clauses;
    `frameworks` the ids of all that are known.
    """

    at: datetime
    records: Sequence[Record] = ()
    wholes: Sequence[Whole] = ()
    used: Sequence[Used] = ()
    systems: frozenset[str] = frozenset()
    speaking: Mapping[str, Speaking] = field(default_factory=dict)
    controls: Sequence[str] = ()
    clauses: Sequence[str] = ()
    frameworks: Sequence[str] = ()

    @cached_property
    def _by_register(self) -> Mapping[str, Sequence[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.register, []).append(record)
        return found

    @cached_property
    def _ids(self) -> Mapping[str, frozenset[str]]:
        return {name: frozenset(one.id for one in of) for name, of in self._by_register.items()}

    def of(self, register: str) -> Sequence[Record]:
        """The records of a register."""
        return self._by_register.get(register, ())

    def holds(self, registers: Sequence[str], key: str) -> bool:
        """Whether one of the registers has a record of that id."""
        return any(key in self._ids.get(name, ()) for name in registers)

    def near(self, registers: Sequence[str], key: str) -> str:
        """The id in one of the registers that is most like this one; empty where none is."""
        return nearest(key, sorted({k for name in registers for k in self._ids.get(name, ())}))


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not fit: which check found it, about which record, and the sentence why.

    `severity` is one as the board has it; `about` is the record or thing, the same as long as the
    finding is; `group` what findings alike are told together by.
    """

    check: str
    severity: str
    about: str
    why: str
    group: str = ""
    system: str = ""
    item_ids: tuple[str, ...] = ()


def finding_of(
    check: str, severity: str, record: Record, why: str, *more: str, part: str = ""
) -> Finding:
    """A finding about a record, or a part of it, told together with the others of its register.

    `more` are ids of items beside the record's own.
    """
    ids = tuple(dict.fromkeys(filter(None, (record.item_id, *more))))
    system = record.id if record.register == "ai_systems" else record.text("system")
    about = f"{record.called} {part}".strip()
    return Finding(check, severity, about, why, record.register, system, ids)
