"""A change of a watched branch that came by no merge request, and the evidence it makes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._review.approval import Account, named
from collectors._review.pull import Making
from collectors.base import system_of
from collectors.http import clean
from evidence.model import EvidenceItem, Outcome

PUSH = "review.push"
_TOLD = {
    "pushed": "pushed to past review", "forced": "rewritten past review", "created": "created",
    "deleted": "deleted", "several": "perhaps pushed to: which branches is not told",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Push:
    """Who moved a branch from one commit to another without a review. `how` is pushed, forced (its
    history was rewritten), created, deleted or several (branches at once, not told which)."""

    id: str
    branch: str
    how: str
    at: datetime
    by: Account | None
    before: str
    after: str

    @property
    def outcome(self) -> Outcome:
        """What nobody reviewed has failed, whoever pushed it, be it a machine."""
        if self.how in {"pushed", "forced"}:
            return Outcome.FAILED
        return Outcome.ERROR if self.how == "several" else Outcome.RECORDED

    def item(self, made: Making) -> EvidenceItem:
        """The evidence: an event of the moment of the push."""
        who, where = named(self.by), f"{made.repository.name} {self.branch}"
        return EvidenceItem(
            source=made.source, kind=PUSH, subject=f"{made.repository.id}/push/{self.id}",
            observed_from=self.at, observed_to=self.at, collected_at=made.collected_at,
            payload=self._payload(made), system=system_of(made.systems, made.repository.name),
            title=clean(f"{where} {_TOLD[self.how]} by {who}"), outcome=self.outcome,
            actor=str(self.by or ""),
        )  # fmt: skip

    def _payload(self, made: Making) -> dict[str, Any]:
        return {
            "host": made.host, "repository": made.repository.name,
            "repository_id": made.repository.id, "branch": self.branch, "how": self.how,
            "at": self.at, "by": self.by.payload() if self.by else None,
            "by_machine": bool(self.by and self.by.machine),
            "before": self.before, "after": self.after,
        }  # fmt: skip
