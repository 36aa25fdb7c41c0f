"""Approval by several named people: who must approve a text, who did, and of which text.

A document or record asks for it by `approvers` and `quorum`. An approval names the digest of the
text that it is of: once a word of that changes, it is an approval of something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import zip_longest

from evidence.attestation import recorded
from evidence.canonical import digest, plain
from evidence.errors import InvalidItem
from evidence.fields import listed
from evidence.people import folded, known_as, person, same_person
from evidence.times import day_or_time

REGISTER = "approvals"
ASKING = ("approvers", "quorum")
TEXT = "text_sha256"
"""The field in which the collector keeps the digest of a text that asks to be approved."""
_REVIEWS = ("reviewed", "approved", "draft")
_WANTED = ("of", "by", "at", "sha256")


class Strength(StrEnum):
    """What an approval rests on, strongest first: a signature by the person's key · a review by the
    person's account at the code host · a commit whose author and committer are called so, which git
    believes of anybody · a commit that names somebody else."""

    SIGNED = "signed"
    REVIEWED = "reviewed"
    UNSIGNED = "unsigned"
    CLAIMED = "claimed"


@dataclass(frozen=True, slots=True)
class Approval:
    """That `by` approved the text of `of` (a document's path, or REGISTER/ID) that has `sha256`.

    One that is claimed says who wrote it, and `counts` only where the organisation said so.
    """

    of: str
    by: str
    sha256: str
    withdrawn: bool = False
    strength: Strength | None = None
    writer: str = ""
    counts: bool = True

    @property
    def rests_on(self) -> str:
        """For people; empty where that is not known."""
        told = self.strength.value if self.strength else ""
        return f"{told}, written by {self.writer}" if self.writer else told

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> Approval:
        """From a record's fields. Raises InvalidItem naming every flaw."""
        if wrong := flaws(fields):
            raise InvalidItem("; ".join(wrong))
        return cls(
            str(fields["of"]).strip(), person(str(fields["by"])),
            str(fields["sha256"]).strip().lower(), bool(fields.get("withdrawn")),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose approval a text asks for: `quorum` of `approvers`; who owns it is none of them."""

    approvers: tuple[str, ...]
    quorum: int
    owner: str = ""

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> Asked:
        """From the fields of a document or record. Raises InvalidItem naming every flaw."""
        if wrong := flaws_of_asking(fields):
            raise InvalidItem("; ".join(wrong))
        names = _names(fields)
        return cls(names, int(str(fields.get("quorum") or len(names))), _text(fields, "owner"))

    def by_person(self, accounts: Mapping[str, str]) -> Asked:
        """The same with each person once, whatever names, logins or mails they are asked by, and
        without the owner: one person cannot be two of the quorum."""
        owner = folded(known_as(self.owner, accounts))
        people = {folded(who): who for who in (known_as(n, accounts) for n in self.approvers)}
        asked = tuple(who for called, who in people.items() if called != owner)
        return Asked(asked, self.quorum, self.owner)


@dataclass(frozen=True, slots=True)
class State:
    """How far the approval of a text is: by whom, of whom it waits, whose was of another text.

    `rests_on` says of each in `by` what that is; `claimed` whose was written by whom, and does not
    count for that.
    """

    asked: Asked
    by: tuple[str, ...]
    waits_for: tuple[str, ...]
    of_another_text: tuple[str, ...]
    rests_on: tuple[str, ...] = ()
    claimed: tuple[tuple[str, str], ...] = ()

    @property
    def holds(self) -> bool:
        """Whether enough of the named people approved this very text."""
        return len(self.by) >= self.asked.quorum

    @property
    def resting(self) -> list[tuple[str, str]]:
        """Each in `by` with what that rests on."""
        return list(zip_longest(self.by, self.rests_on, fillvalue=""))

    @property
    def sentence(self) -> str:
        """For people."""
        told = f"approved by {len(self.by)} of {self.asked.quorum}"
        named = ", ".join(f"{who}: {on}" if on else who for who, on in self.resting)
        told += f" ({named})" if named else ""
        told += "".join(f"; {by} wrote that {who} approved it: claimed, not counted"
                        for who, by in self.claimed)  # fmt: skip
        if self.holds:
            return told
        if self.of_another_text:
            told += f"; {', '.join(self.of_another_text)} approved another text than this one"
        return f"{told}; it waits for {' or '.join(self.waits_for) or 'nobody who could'}"


def asks(fields: Mapping[str, object]) -> bool:
    """Whether a document or record asks for approval by named people."""
    return any(fields.get(name) not in (None, "") for name in ASKING)


def text_of(fields: Mapping[str, object], body_sha256: str = "") -> str:
    """The digest of what is approved: all fields but the dates of reviews, and the body.

    Who must approve is part of it: nobody can be taken off the list unseen.
    """
    kept = {str(k): v for k, v in fields.items() if k not in _REVIEWS}
    return digest(plain({"fields": kept, "body_sha256": body_sha256}))


def state(asked: Asked, sha256: str, approvals: Iterable[Approval]) -> State:
    """Who of those asked approved the text with this digest. Each person counts once; what is
    withdrawn, or of a person who is not asked, counts for nothing."""
    given = [one for one in approvals if not one.withdrawn]
    by, claimed, another = dict[str, str](), list[tuple[str, str]](), list[str]()
    for name in asked.approvers:
        theirs = [one for one in given if same_person(one.by, name)]
        of_this = sorted((one for one in theirs if one.sha256 == sha256), key=_order)
        if of_this and of_this[0].counts:
            by[name] = of_this[0].rests_on
        elif of_this:
            claimed.append((name, of_this[0].writer))
        elif theirs:
            another.append(name)
    waits = tuple(name for name in asked.approvers if name not in by)
    return State(asked, tuple(by), waits, tuple(another), tuple(by.values()), tuple(claimed))


def _order(one: Approval) -> tuple[bool, int]:
    """What counts first, of that the strongest."""
    return not one.counts, list(Strength).index(one.strength) if one.strength else len(Strength)


def flaws(fields: Mapping[str, object]) -> tuple[str, ...]:
    """Why the fields are no approval; empty if they are one."""
    wrong = [f"{name} is missing" for name in _WANTED if not _text(fields, name)]
    sha256 = _text(fields, "sha256").lower()
    if sha256 and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
        wrong.append("sha256 is no digest: `headwater documents approve` writes it")
    return (*wrong, *_no_person(_text(fields, "by")))


def late(fields: Mapping[str, object], told: datetime) -> str:
    """Why an approval may not first be recorded at `told`: dated back or ahead; empty if it may."""
    try:
        at = day_or_time(_text(fields, "at"))
    except InvalidItem:
        return ""
    return recorded(at, datetime.max.replace(tzinfo=UTC), told)


def flaws_of_asking(fields: Mapping[str, object]) -> tuple[str, ...]:
    """Why a text does not say whose approval it asks for; empty if it does."""
    names, quorum = _names(fields), _text(fields, "quorum")
    if not names:
        return ("approvers names nobody: write a list of names",)
    if len({name.casefold() for name in names}) < len(names):
        return ("approvers names somebody twice",)
    if any(_same(name, _text(fields, "owner")) for name in names):
        return ("approvers names the owner, who cannot approve what is their own",)
    if quorum and quorum not in map(str, range(1, len(names) + 1)):
        return (f"quorum must be a number from 1 to {len(names)}, as many as approvers names",)
    return ()


def _names(fields: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(person(name) for name in listed(fields.get("approvers")) if not _no_person(name))


def _no_person(name: str) -> tuple[str, ...]:
    try:
        person(name)
    except ValueError:
        return ("by names nobody",) if name else ()
    return ()


def _same(one: str, two: str) -> bool:
    return bool(two) and not _no_person(two) and same_person(one, two)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value).strip()
