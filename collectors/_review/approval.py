"""Four eyes on a merged change: whose approval stood at its head when it was merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from collectors.http import clean


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a code host: the id stays when the login changes. `machine`: nobody's eyes."""

    id: str
    login: str
    machine: bool = False

    def payload(self) -> dict[str, str]:
        """As it is kept."""
        return {"id": self.id, "login": self.login}

    def __str__(self) -> str:
        return f"{clean(self.login, 80)} ({clean(self.id, 40)})"


def named(account: Account | None) -> str:
    """The login for a sentence; a deleted account has none."""
    return clean(account.login, 80) if account else "a deleted account"


class Said(StrEnum):
    """What a review came to. A withdrawn one said either."""

    APPROVED = "approved"
    OBJECTED = "objected"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Review:
    """One decision of one account. `at_head`: was the head that was merged what it looked at?
    None: the host does not tell. `commit` is what was looked at, empty where that is not told.
    Where the host tells no time, `at` is that of the merge, and `dated` is false. `outsider`: the
    host does not show the account to belong to the repository or its owner. `taken_back`: when it
    was dismissed after the merge, which makes that no other merge."""

    by: Account | None
    at: datetime
    said: Said
    at_head: bool | None
    commit: str = ""
    dated: bool = True
    outsider: bool = False
    taken_back: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A review, and why it does not count as an independent approval (`why`; empty: it counts).

    late: given after the merge · withdrawn: taken back, or changed to an objection · superseded:
    the same account approved again later · stale: before the last push · undated: the host does not
    tell whether it was before the last push · unnamed: the account was deleted · author · machine
    · contributor: wrote commits of the change · outsider: perhaps nobody who may approve
    · objection.
    """

    review: Review
    why: str

    @property
    def counts(self) -> bool:
        """Is it an independent approval of what was merged?"""
        return not self.why

    def payload(self, *, of_document: bool) -> dict[str, Any]:
        """As it is kept; of a document also what became of it after the merge."""
        review, back = self.review, self.review.taken_back if of_document else None
        return {
            "by": review.by.payload() if review.by else None,
            "at": review.at if review.dated else None,
            "said": review.said.value, "commit": review.commit, "at_head": review.at_head,
            "counts": self.counts, "why": self.why,
            **({"taken_back": back} if back else {}),
        }  # fmt: skip

    def __str__(self) -> str:
        return f"{named(self.review.by)}: {self.why or 'counts'}"


@dataclass(frozen=True, slots=True)
class Hands:
    """Whose hands made a change: nobody of them is a second pair of eyes on it."""

    author: Account | None
    contributors: tuple[Account, ...]

    def role(self, account: Account) -> str:
        """`author`, `contributor`, or empty for somebody else."""
        if self.author and account.id == self.author.id:
            return "author"
        return "contributor" if account.id in {c.id for c in self.contributors} else ""


def judged(reviews: Sequence[Review], hands: Hands, merged: datetime) -> tuple[Judged, ...]:
    """Every review with what it is worth for the merge at `merged`, oldest first."""
    ordered = sorted(reviews, key=lambda review: review.at)
    last: dict[str, Review] = {}
    for review in ordered:
        if review.by and review.at <= merged:
            last[review.by.id] = review
    return tuple(Judged(r, _why(r, hands, merged, last)) for r in ordered)


def _why(review: Review, hands: Hands, merged: datetime, last: dict[str, Review]) -> str:
    if review.at > merged:
        return "late"
    newest = last[review.by.id] if review.by else review
    if newest is not review:
        return "superseded" if newest.said is review.said else "withdrawn"
    if review.said is Said.OBJECTED:
        return "machine" if review.by and review.by.machine else "objection"
    if review.said is Said.WITHDRAWN:
        return "withdrawn"
    if not review.at_head:
        return "undated" if review.at_head is None else "stale"
    if review.by is None:
        return "unnamed"
    if review.by.machine:
        return hands.role(review.by) or "machine"
    return hands.role(review.by) or ("outsider" if review.outsider else "")
