"""Who may read what, until when: roles, grants, and the reader that a request turns out to be."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from evidence.excerpt import EVERYTHING, Excerpt
from evidence.times import stamp


class Role(StrEnum):
    """What a reader is here for. Nobody can change anything; an auditor's reading is recorded, and
    an admin alone sees who may look, and who did."""

    READER = "reader"
    GOVERNANCE = "governance"
    AUDITOR = "auditor"
    ADMIN = "admin"


ASKS = frozenset({Role.GOVERNANCE, Role.AUDITOR, Role.ADMIN})
"""Roles that may ask questions of their own."""
_QUESTIONS, _ADMINS = "/query", "access"
_IN_EXCERPTS = frozenset({"controls", "systems", "due", "items", "query", "you", "logout"})
"""Pages that are made of nothing but what a reader's excerpt holds; all others refuse."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One `[[access]]`: whoever brings the token, is the subject or is of the group, reads so much.

    `token_sha256` is the digest of the token, 64 hexadecimal digits; the token itself is not kept.
    `since` is included, `until` is not.
    """

    name: str
    role: Role
    token_sha256: str = ""
    subject: str = ""
    group: str = ""
    since: datetime | None = None
    until: datetime | None = None
    excerpt: Excerpt = EVERYTHING

    def closed(self, now: datetime) -> str:
        """Why it does not hold now; empty if it does."""
        if self.since and now < self.since:
            return f"The access {self.name} begins at {stamp(self.since)}."
        if self.until and now >= self.until:
            return f"The access {self.name} ended at {stamp(self.until)}."
        return ""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: by which grant, which person as far as it is known, and how much is shown.

    `csrf` is what the forms of this reader must bring; empty where nothing is sent by itself.
    """

    grant: str
    person: str
    role: Role
    excerpt: Excerpt = EVERYTHING
    until: datetime | None = None
    csrf: str = ""

    @property
    def recorded(self) -> bool:
        """Whether what is read lands in the lake."""
        return self.role is Role.AUDITOR

    def refused(self, path: str) -> str:
        """Why this reader is not answered at this address; empty if it is."""
        if path.startswith(_QUESTIONS) and self.role not in ASKS:
            return f"The role {self.role} reads pages and asks no questions of its own."
        if _kind(path) == _ADMINS and self.role is not Role.ADMIN:
            return f"Who may look is told to the role {Role.ADMIN}, not to {self.role}."
        if self.excerpt.limited and not _cuts(path):
            return f"Your access shows {self.excerpt.sentence}; this page cannot be cut to that."
        return ""


def _cuts(path: str) -> bool:
    return path in {"/", "/board.json"} or _kind(path) in _IN_EXCERPTS


def _kind(path: str) -> str:
    return path.split("/")[1].partition(".")[0] if path.startswith("/") else ""


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def by_token(grants: Sequence[Grant], token: str) -> Grant | None:
    """The grant of this token. Takes as long whichever it is, and if it is none."""
    given, found = digest_of(token), None
    for grant in grants:
        if grant.token_sha256 and hmac.compare_digest(grant.token_sha256, given):
            found = grant
    return found


def by_claims(
    grants: Sequence[Grant], subject: str, groups: Collection[str], now: datetime
) -> Grant | None:
    """The grant of a person that the identity provider names.

    One by subject counts alone, so a named person can be shown less than a group that they are of.
    Of several by group the first that holds now counts; else the first, which says why it does not.
    """
    if named := [grant for grant in grants if grant.subject and grant.subject == subject]:
        return named[0]
    shared = [grant for grant in grants if grant.group and grant.group in groups]
    return next((grant for grant in shared if not grant.closed(now)), next(iter(shared), None))
