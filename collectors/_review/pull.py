"""A change that was merged, as one code host or another tells it, and the evidence it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from collectors._labels import models
from collectors._review.approval import Account, Hands, Judged, Review, judged, named
from collectors.base import system_of
from collectors.http import clean
from evidence.model import EvidenceItem, Outcome

PULL = "review.pull"
_OPEN = {"unnamed", "undated", "outsider"}
"""Why a review does not count, where it may be that it should."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository or project as it is now; its id stays when it is renamed or moved.

    `watched` are the branches that must be reviewed, the default one first.
    """

    id: str
    name: str
    watched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Making:
    """What every item of a pull of one repository shares. `host` is `github` or `gitlab`;
    `documents` whether controlled documents lie in it."""

    source: str
    host: str
    repository: Repository
    systems: Mapping[str, str]
    collected_at: datetime
    documents: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """What one check came to, when the change was merged: passed, skipped, failed or pending."""

    name: str
    by: str
    state: str

    def payload(self) -> dict[str, str]:
        """As it is kept."""
        return {"name": self.name, "by": self.by, "state": self.state}


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of a head; `unread` says why they are not all known, empty where they are."""

    runs: tuple[Check, ...] = ()
    unread: str = ""

    @property
    def state(self) -> str:
        """`none` where nothing ran that could have failed; skipped checks show nothing."""
        states = {run.state for run in self.runs}
        if self.unread:
            return "unknown"
        known = (state for state in ("failed", "pending", "passed") if state in states)
        return next(known, "none")

    def payload(self) -> dict[str, Any]:
        """As it is kept."""
        runs = sorted(self.runs, key=lambda run: (run.name, run.by))
        return {"state": self.state, "unread": self.unread, "runs": [r.payload() for r in runs]}


@dataclass(frozen=True, slots=True)
class Signatures:
    """Whose signatures the host could verify, of the commits that were merged: how many `verified`,
    how many not for which reason; `unread` says why that is not known, empty where it is."""

    verified: int = 0
    unverified: Mapping[str, int] = field(default_factory=dict)
    unread: str = ""

    def payload(self) -> dict[str, Any]:
        """As it is kept."""
        unverified = dict(sorted(self.unverified.items()))
        return {"verified": self.verified, "unverified": unverified, "unread": self.unread}


@dataclass(frozen=True, slots=True)
class Merged:
    """A pull or merge request that was merged. `watched`: into a branch that must be reviewed.

    `head` is the last commit that was asked to be merged, `commit` the one that came of it.
    `strangers` are commits by nobody whom the host knows; `whole` is false where the host does not
    list all commits; `unread` says why its reviews are not known, empty where they are. `files` are
    the registers and documents that it changed, each with the id of its blob at the head; None
    where nobody asked.
    """

    number: int
    title: str
    url: str
    author: Account | None
    contributors: tuple[Account, ...]
    strangers: int
    whole: bool
    created: datetime
    merged: datetime
    merged_by: Account | None
    base: str
    watched: bool
    fork: bool
    head: str
    commit: str
    labels: tuple[str, ...]
    reviews: tuple[Review, ...]
    checks: Checks
    signatures: Signatures
    unread: str = ""
    files: Mapping[str, str] | None = None

    @property
    def judged(self) -> tuple[Judged, ...]:
        """Its reviews with what each is worth."""
        return judged(self.reviews, Hands(self.author, self.contributors), self.merged)

    def outcome(self, found: Sequence[Judged]) -> Outcome:
        """Passed only if a person approved the very head that somebody else made, and nobody
        objected; an error where a deleted account or a cut list leaves that open."""
        if not self.watched:
            return Outcome.RECORDED
        whys = {one.why for one in found}
        if "objection" in whys:
            return Outcome.FAILED
        if any(one.counts for one in found):
            return Outcome.PASSED if self.author and self.whole else Outcome.ERROR
        return Outcome.ERROR if self.unread or whys & _OPEN else Outcome.FAILED

    def sentence(self, found: Sequence[Judged]) -> str:
        """What happened, in a few words."""
        if self.unread:
            return f"merged by {named(self.merged_by)}, its reviews are not known ({self.unread})"
        good = _names(one for one in found if one.counts)
        against = _names(one for one in found if one.why == "objection")
        told = f"approved by {good}" if good else "no independent approval of its head"
        if not good and (others := ", ".join(str(one) for one in found)):
            told += f" ({others})"
        told += f", over the objection of {against}" if against else ""
        if good and not self.author:
            told += ", but its author's account was deleted"
        elif good and not self.whole:
            told += ", but not all its commits are listed"
        return f"merged by {named(self.merged_by)}, {told}"

    def item(self, made: Making) -> EvidenceItem:
        """The evidence: an event that ended with the merge, whatever is said afterwards."""
        found = self.judged
        title = f"{made.repository.name}#{self.number} {self.sentence(found)}: {self.title}"
        return EvidenceItem(
            source=made.source, kind=PULL, subject=f"{made.repository.id}/{self.number}",
            observed_from=min(self.created, self.merged), observed_to=self.merged,
            collected_at=made.collected_at, payload=self._payload(made, found),
            system=system_of(made.systems, made.repository.name, *self.labels), title=clean(title),
            outcome=self.outcome(found), actor=str(self.merged_by or ""),
            locator=self.url if self.url.startswith(("https://", "http://")) else "",
        )  # fmt: skip

    def _payload(self, made: Making, found: Sequence[Judged]) -> dict[str, Any]:
        return {
            "host": made.host, "repository": made.repository.name,
            "repository_id": made.repository.id, "number": self.number, "title": self.title,
            "created": self.created, "merged": self.merged, "base": self.base,
            "watched": self.watched, "fork": self.fork, "head": self.head, "commit": self.commit,
            "labels": self.labels, "models": models(self.labels),
            "author": _kept(self.author), "merged_by": _kept(self.merged_by),
            "contributors": [one.payload() for one in self.contributors],
            "strangers": self.strangers, "commits_whole": self.whole, "unread": self.unread,
            "reviews": [one.payload(of_document=self.files is not None) for one in found],
            "checks": self.checks.payload(),
            "signatures": self.signatures.payload(),
            **({} if self.files is None else {"files": dict(self.files)}),
            **self._duties(found),
        }  # fmt: skip

    def _duties(self, found: Sequence[Judged]) -> dict[str, Any]:
        """Separation of duties and order, as facts."""
        good = [one.review for one in found if one.counts]
        approvers = {review.by.id for review in good if review.by}
        merger = self.merged_by.id if self.merged_by else ""
        return {
            "independent_approvals": len(approvers),
            "approved_at": min((review.at for review in good), default=None),
            "self_approved": any(one.why in {"author", "contributor"} for one in found),
            "stale_approvals": sum(one.why == "stale" for one in found),
            "late_approvals": sum(one.why == "late" for one in found),
            "objections": sum(one.why == "objection" for one in found),
            "self_merged": bool(self.author) and merger == (self.author and self.author.id),
            "merged_by_approver": bool(merger) and merger in approvers,
        }


def _names(found: Any) -> str:
    return " and ".join(dict.fromkeys(named(one.review.by) for one in found))


def _kept(account: Account | None) -> dict[str, str] | None:
    return account.payload() if account else None
