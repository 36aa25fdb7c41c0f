"""A version that was published, and whether what it holds had been approved before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from collectors._labels import models
from collectors._review.approval import Account, named
from collectors._review.deployment import Origin
from collectors._review.pull import Making
from collectors.base import system_of
from collectors.http import clean
from evidence.model import EvidenceItem, Outcome

RELEASE = "review.release"


@dataclass(frozen=True, slots=True)
class Release:
    """A release as the host shows it now: `at` is when it was published, `commit` what its tag
    names (empty: not told). `early`: a version that is said not to be ready."""

    id: str
    tag: str
    name: str
    at: datetime
    by: Account | None
    early: bool
    commit: str
    url: str = ""

    def item(self, made: Making, origin: Callable[[str], Origin]) -> EvidenceItem:
        """The evidence: an event of the moment at which it was published. `origin` tells how a
        commit came to be, which is asked of no early version. Raises SourceError."""
        came = Origin(unread="no commit is told") if not self.commit else Origin()
        if self.commit and not self.early:
            came = origin(self.commit)
        outcome, why = came.judged(self.at)
        if self.early:
            outcome, why = Outcome.RECORDED, "an early version"
        labels = sorted({label for one in came.whole for label in one.labels})
        return EvidenceItem(
            source=made.source, kind=RELEASE, subject=f"{made.repository.id}/release/{self.id}",
            observed_from=self.at, observed_to=self.at, collected_at=made.collected_at,
            payload={
                "host": made.host, "repository": made.repository.name,
                "repository_id": made.repository.id, "tag": self.tag, "name": self.name,
                "at": self.at, "early": self.early, "commit": self.commit, "why": clean(why),
                "released_by": self.by.payload() if self.by else None,
                "changes": [one.number for one in came.whole], "parts_of": came.parts,
                "unread": came.unread, "labels": labels, "models": models(labels),
            },
            system=system_of(made.systems, made.repository.name, *labels), outcome=outcome,
            title=clean(f"{made.repository.name} {self.tag} released by {named(self.by)}: {why}"),
            actor=str(self.by or ""),
            locator=self.url if self.url.startswith(("https://", "http://")) else "",
        )  # fmt: skip
