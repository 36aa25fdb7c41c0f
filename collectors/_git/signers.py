"""Whose key signed a commit: a statement of a person counts only with that person's signature."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from collectors._git.repository import Commit
from evidence.errors import ConfigError
from evidence.people import person

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}|[0-9A-F]{40}|[0-9A-F]{64}")
_HOLDS = "GU"
"""Git's letters for a signature that holds, by a key that git trusts or (U) has no word on: here it
is not git that says whom to trust."""
_WHY = {
    "N": "it carries none", "B": "the one it carries does not fit it",
    "E": "the one it carries cannot be checked here", "X": "the one it carries is out of date",
    "Y": "the one it carries is by a key out of date",
    "R": "the one it carries is by a key that was revoked",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signers:
    """Fingerprint of a key (`SHA256:…` of SSH, all hex digits of OpenPGP) → the person it is of.

    Empty, it asks for no signature. Raises ConfigError for what is no fingerprint, or nobody.
    """

    people: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = []
        for key, name in self.people.items():
            if not _FINGERPRINT.fullmatch(key):
                wrong.append(
                    f"signers: {key!r} is no fingerprint: SHA256:… as `ssh-keygen -lf` prints it, "
                    "or all hex digits of an OpenPGP key, in capitals, without spaces"
                )
            try:
                person(name)
            except ValueError:
                wrong.append(f"signers: {key}: {name!r} is no name of a person")
        if wrong:
            raise ConfigError(*wrong)

    def __bool__(self) -> bool:
        return bool(self.people)

    def person(self, commit: Commit) -> str:
        """Who signed the commit; empty if nobody of these did, or the signature does not hold."""
        if commit.signature not in _HOLDS:
            return ""
        return next((person(self.people[key]) for key in commit.keys if key in self.people), "")

    def doubt(self, commit: Commit, by: str) -> str:
        """Why the commit does not carry the signature of `by`; empty if it does or need not."""
        if not self or (who := self.person(commit)).casefold() == by.casefold():
            return ""
        if who:
            return f"its commit is signed by {who}, not by {by}"
        if commit.signature in _HOLDS:
            return f"its commit is signed by a key that is nobody's: {', '.join(commit.keys)}"
        return f"its commit is not signed by {by}: {_WHY.get(commit.signature, 'unknown')}"
