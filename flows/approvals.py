"""Whose approval documents and records wait for, and which of it counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dashboards.model import Attention
from evidence.approval import REGISTER, Approval, Asked, State, Strength, state
from evidence.errors import InvalidItem
from evidence.people import accounts, known_as, same_account
from evidence.reviewers import Accounts, Merge, approvers
from storage.documents import (
    DOCUMENT,
    Asking,
    accounts_seen,
    asking,
    asking_no_more,
    claims_count,
    merges,
)
from storage.pages import Connection, records

APPROVE = (
    "Let them read it, and commit what `headwater documents approve` writes for them to the "
    "register `approvals`; or let them approve the change at the code host."
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A text that asks for approval, and how far that is; None: it does not say whose. `notes` say
    of reviews of the change that brought it why they count for nothing."""

    text: Asking
    state: State | None
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether enough of the named people approved this very text."""
        return self.state is not None and self.state.holds

    @property
    def sentence(self) -> str:
        """For people."""
        told = self.state.sentence if self.state else "it does not say who must approve it"
        if not self.holds:
            told = "; ".join((told, *self.notes))
        return (
            f"it asked for approval before and does no more: {told}" if self.text.dropped else told
        )


def approvals(connection: Connection) -> list[Waiting]:
    """Each text that asks for approval by named people, with what was given by the moment that the
    connection shows: records of the register `approvals`, and reviews of the merged change that
    brought it. Raises LakeError."""
    texts = [*asking(connection), *asking_no_more(connection)]
    if not texts:
        return []
    roles = records(connection, "roles", "roles_register")
    whose = accounts(roles)
    given = list(_given(connection, whose))
    found = merges(connection, (one["commit"] for text in texts for one in text.versions))
    sources = (merge.source for of in found.values() for merge in of)
    seen = Accounts.seen(roles, whose, accounts_seen(connection, sources))
    return [_one(text, given, list(_reviews(text, found, seen)), whose) for text in texts]


def _reviews(
    text: Asking, found: Mapping[str, list[Merge]], seen: Accounts
) -> Iterator[tuple[list[str], str]]:
    """Of each merge that brought a version of the text, who approved it there, or why nobody."""
    for one in text.versions:
        for merge in found.get(one["commit"], ()):
            yield approvers(merge, one["file"], one.get("blob") or "", seen)


def _one(
    text: Asking, given: list[Approval], reviews: list[tuple[list[str], str]],
    whose: Mapping[str, str],
) -> Waiting:  # fmt: skip
    try:
        asked = Asked.read(text.fields).by_person(whose)
    except InvalidItem:
        return Waiting(text, None)  # its problems say why
    known = [
        Approval(text.of, known_as(who, whose), text.sha256, strength=Strength.REVIEWED)
        for people, _ in reviews
        for who in people
    ]
    theirs = [*known, *(one for one in given if one.of == text.of)]
    notes = tuple(dict.fromkeys(why for _, why in reviews if why))
    return Waiting(text, state(asked, text.sha256, theirs), notes)


def _given(connection: Connection, whose: Mapping[str, str]) -> Iterator[Approval]:
    """The approvals of the register, each with what it rests on."""
    rows = [r for r in records(connection, REGISTER, confirmed=True) if not r.get("problems")]
    counting = claims_count(connection, (row["item_id"] for row in rows))
    for row in rows:
        read = Approval.read(row)
        one = _weighed(replace(read, by=known_as(read.by, whose)), row, whose)
        claimed = one.strength is Strength.CLAIMED and row["item_id"] not in counting
        yield replace(one, counts=not claimed)


def _weighed(one: Approval, row: Mapping[str, Any], whose: Mapping[str, str]) -> Approval:
    """By a signature that the collector has checked; else by whom git says that it wrote it."""
    if row.get("signed_by"):
        return replace(one, strength=Strength.SIGNED)
    written = row.get("written_by") or {"author": row.get("author"), "committer": ""}
    named = (str(written["author"] or ""), str(written["committer"] or ""))
    others = [
        who for who in named if who and not _site(who) and not same_account(who, one.by, whose)
    ]
    if not others and named[0]:
        return replace(one, strength=Strength.UNSIGNED)
    writer = others[0] if others else "nobody that git names"
    return replace(one, strength=Strength.CLAIMED, writer=writer)


def _site(committer: str) -> bool:
    """Whether GitHub itself committed what its author merged or wrote there in the browser."""
    return committer == "GitHub <noreply@github.com>"


def held_back(connection: Connection) -> dict[str, str]:
    """Item → why it is not in force yet, for each document that waits for approval.

    Raises LakeError.
    """
    return {
        one.text.item_id: one.sentence
        for one in approvals(connection)
        if not one.holds and one.text.kind == DOCUMENT
    }


def waiting(found: Iterable[Waiting]) -> Iterator[Attention]:
    """A sentence for each text that too few approved."""
    for one in found:
        if not one.holds:
            yield Attention(
                "judgement", f"{one.text.title} ({one.text.of}): {one.sentence}.", APPROVE,
                system=one.text.system, item_id=one.text.item_id, cause=f"approval {one.text.of}",
            )  # fmt: skip


def refused_approvals(connection: Connection) -> Iterator[Attention]:
    """A sentence for each approval that counts for nothing. Raises LakeError."""
    for row in records(connection, REGISTER):
        if (problems := row.get("problems")) and not row.get("withdrawn"):
            yield Attention(
                "judgement", f"The approval {row.get('id')} of {row.get('of') or '?'} by "
                f"{row.get('by') or 'nobody'} counts for nothing: {'; '.join(map(str, problems))}.",
                "Mend it where it was made, or approve anew.", item_id=row["item_id"],
                cause=f"approval record {row.get('id')}",
            )  # fmt: skip
