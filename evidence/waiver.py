"""What a person lets a control lack for a while: until when, why, and who answers for it.

A waiver never makes anything green, and it covers no failure. When it is over, what it covered
stands as it did before, and the waiver itself is a finding until somebody renews or withdraws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence.errors import InvalidItem
from evidence.people import person
from evidence.times import day_or_time

FORM = "headwater.waiver/1"
REGISTERS = frozenset({"waiver", "waivers"})
LONGEST = timedelta(days=366)
"""For how long one may wait; whoever needs longer decides again."""
_ASKED = ("control", "owner", "reason", "at", "until")


@dataclass(frozen=True, slots=True)
class Waiver:
    """That `owner` answers for what a control lacks, from `at` up to, not including, `until`.

    `control` is as it was written; `evidence` and `system` narrow it to one kind and one AI system
    (empty: all). `withdrawn` says when or why it was taken back (empty: it stands).
    """

    control: str
    owner: str
    reason: str
    at: datetime
    until: datetime
    evidence: str = ""
    system: str = ""
    withdrawn: str = ""
    item_id: str = ""

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> Waiver:
        """From a record's fields. Raises InvalidItem naming every flaw."""
        told = {name: str(fields.get(name) or "").strip() for name in _ASKED}
        wrong = [f"{name} is missing" for name in _ASKED if not told[name]]
        if wrong:
            raise InvalidItem("; ".join(wrong))
        try:
            owner = person(told["owner"])
        except ValueError as error:
            raise InvalidItem("owner is empty: say who answers for it") from error
        at, until = day_or_time(told["at"]), day_or_time(told["until"])
        if until <= at:
            raise InvalidItem(f"until {until:%Y-%m-%d} does not lie after at {at:%Y-%m-%d}")
        if until - at > LONGEST:
            raise InvalidItem(
                f"until {until:%Y-%m-%d} lies more than {LONGEST.days} days after at "
                f"{at:%Y-%m-%d}: nothing is waived for longer; decide again when they are over"
            )
        own = {name: str(fields.get(name) or "").strip()
               for name in ("evidence", "system", "withdrawn", "item_id")}  # fmt: skip
        return cls(told["control"], owner, told["reason"], at, until, **own)

    def in_force(self, now: datetime) -> bool:
        """Whether it covers anything at `now`."""
        return not self.withdrawn and self.at <= now < self.until

    def covers(self, evidence: str, system: str) -> bool:
        """Whether it is about this kind of evidence of this system ('' is the organisation)."""
        return self.evidence in {"", evidence} and self.system in {"", system}

    @property
    def sentence(self) -> str:
        """For people: until when it is waived, who answers for it and why."""
        return f"waived until {self.until:%Y-%m-%d} by {self.owner}: {self.reason}"


def waiver_subject(control: str, evidence: str, system: str) -> str:
    """The subject of a waiver made here: a later one for the same replaces it."""
    return "/".join(("waiver", control, evidence or "*", system or "*"))
