"""What a code host enforces on a branch, as far as the key may read it, and the state it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from collectors._review.pull import Making
from collectors.base import system_of
from collectors.http import clean
from evidence.model import EvidenceItem, Nature, Outcome

PROTECTION = "review.protection"


@dataclass(frozen=True, slots=True)
class Protection:
    """The rules in force on one branch. What is None is not told by the host, or not readable.

    `unread` names what the key may not read: rules there can only add to what is known, so nothing
    is said to be absent while it is not empty. `rules` names where they come from; `bypass` who
    may pass them by.
    """

    branch: str
    exists: bool = True
    unread: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    required_approvals: int = 0
    stale_dismissed: bool | None = None
    last_push_approved: bool | None = None
    author_excluded: bool | None = None
    committers_excluded: bool | None = None
    code_owners: bool | None = None
    required_checks: tuple[str, ...] = ()
    up_to_date: bool | None = None
    signed: bool | None = None
    force_push: bool | None = None
    deletion: bool | None = None
    administrators_bound: bool | None = None
    bypass: tuple[str, ...] | None = None

    @property
    def second(self) -> bool | None:
        """Must somebody else than the author approve? None: what can be read leaves it open."""
        if self.exists and (self.required_approvals > 1 or self._ones_own_is_none):
            return True
        open_ = self.unread or not self.exists
        own = self.required_approvals == 1 and self.author_excluded is None
        return None if open_ or own else False

    @property
    def _ones_own_is_none(self) -> bool:
        return self.required_approvals == 1 and self.author_excluded is True

    @property
    def outcome(self) -> Outcome:
        """Passed where a second person must approve, failed where it is known that nobody must."""
        told = {True: Outcome.PASSED, False: Outcome.FAILED, None: Outcome.ERROR}
        return told[self.second]

    @property
    def sentence(self) -> str:
        """What is enforced, in a few words."""
        if not self.exists:
            return "no such branch"
        told = f"approvals required: {self.required_approvals}{' or more' * bool(self.unread)}"
        if self.required_approvals == 1 and not self.second:
            told += ", which may be the author's own"
        if not self.required_approvals:
            told = "no approval is required"
            if self.unread:
                told = "nobody knows whether an approval is required"
        free = ("administrators",) if self.administrators_bound is False else ()
        who = ", ".join((*free, *(self.bypass or ())))
        past = f"; past the rules: {who}" if who else ""
        return told + past + (f"; not readable: {', '.join(self.unread)}" if self.unread else "")

    def item(self, made: Making) -> EvidenceItem:
        """The evidence: a state as of the moment of collection."""
        return EvidenceItem(
            source=made.source, kind=PROTECTION, subject=f"{made.repository.id}/{self.branch}",
            observed_from=made.collected_at, observed_to=made.collected_at,
            collected_at=made.collected_at, payload=self._payload(made), nature=Nature.STATE,
            system=system_of(made.systems, made.repository.name), outcome=self.outcome,
            title=clean(f"{made.repository.name} {self.branch}: {self.sentence}"),
        )  # fmt: skip

    def _payload(self, made: Making) -> Mapping[str, Any]:
        """As it is kept; without the repository's name: a new one changes no rule."""
        return {
            "host": made.host, "repository_id": made.repository.id, **asdict(self),
            "readable": not self.unread, **({"documents": True} if made.documents else {}),
        }  # fmt: skip
