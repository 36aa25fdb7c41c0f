"""What a person says of a landed item that is wrong: in what, and what holds instead.

Evidence is never rewritten: a correction is an item of its own beside it. One person can make
things look worse, two are needed to make them look better; `storage/corrections.py` holds the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from evidence.model import Outcome
from evidence.people import person

FORM = "headwater.correction/1"
BAD = frozenset({Outcome.FAILED, Outcome.ERROR})


class Act(StrEnum):
    """What is done: say that an item is wrong; as a second person stand by it; take it back."""

    CORRECT = "correct"
    CONFIRM = "confirm"
    WITHDRAW = "withdraw"


class Wrong(StrEnum):
    """In what the item is wrong; a mistake is one that should never have been collected."""

    OUTCOME = "outcome"
    SYSTEM = "system"
    SUBJECT = "subject"
    DUPLICATE = "duplicate"
    MISTAKE = "mistake"


@dataclass(frozen=True, slots=True)
class Correction:
    """That `item_id` is wrong, by whom and why; `holds` is what holds instead.

    `holds` is an outcome, a system (empty: the organisation), a subject, the id of the item that
    this one repeats, or nothing for a mistake. Raises ValueError.
    """

    item_id: str
    wrong: Wrong
    holds: str
    by: str
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", person(self.by))
        if not self.reason.strip():
            raise ValueError("--why is empty: say why, it stands in the record")
        if self.wrong is Wrong.OUTCOME and self.holds not in set(Outcome):
            raise ValueError(f"--holds {self.holds!r}: choose one of {', '.join(Outcome)}")
        if self.wrong is Wrong.MISTAKE and self.holds:
            raise ValueError("--holds: nothing holds instead of an item that is a mistake")
        if self.wrong in {Wrong.SUBJECT, Wrong.DUPLICATE} and not self.holds.strip():
            raise ValueError(f"--holds is empty: say which {_NEEDED[self.wrong]}")

    @property
    def fails(self) -> bool:
        """Whether the item counts as a failure from now on: one person is enough."""
        return self.wrong is Wrong.OUTCOME and self.holds in BAD

    @property
    def sentence(self) -> str:
        """For people: what is wrong and what holds, without who and why."""
        match self.wrong:
            case Wrong.MISTAKE:
                return "was collected by mistake"
            case Wrong.DUPLICATE:
                return f"repeats item {self.holds}"
            case _:
                return f"has the wrong {self.wrong}: {self.holds or 'the organisation'} holds"

    def facts(self) -> dict[str, Any]:
        """What the act says."""
        return {
            "item_id": self.item_id, "wrong": self.wrong.value, "holds": self.holds,
            "by": self.by, "reason": self.reason,
        }  # fmt: skip


_NEEDED: Mapping[Wrong, str] = {
    Wrong.SUBJECT: "subject it is about", Wrong.DUPLICATE: "item it repeats",
}  # fmt: skip
