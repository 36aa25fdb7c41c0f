"""Whose review of a merged change is an approval of one text in it: persons, not accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evidence.people import folded

_Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged change as a code host's source told it last: `name` for people, `files` (path → blob
    at the head that was reviewed; None where the source was not asked for that), `author` and
    `hands` with `id` and `login` (`author` None: deleted), `whole` whether all commits are known,
    `reviews` oldest first."""

    source: str
    name: str
    files: Mapping[str, str] | None
    author: _Raw | None
    hands: Sequence[_Raw]
    whole: bool
    reviews: Sequence[_Raw]


@dataclass(frozen=True, slots=True)
class Accounts:
    """Whose an account is: by the number that the host gave it, which the register of roles may
    name, else by any login that it was ever seen with, unless another account was seen with it."""

    by_number: Mapping[str, str]
    by_login: Mapping[str, str]
    logins: Mapping[tuple[str, str], frozenset[str]]
    numbers: Mapping[tuple[str, str], frozenset[str]]

    @classmethod
    def seen(
        cls, roles: Iterable[_Raw], by_login: Mapping[str, str],
        seen: Iterable[tuple[str, str, str]],
    ) -> Accounts:  # fmt: skip
        """From the register of roles, whose logins they are by it, and the accounts of merges:
        source, number, login."""
        logins, numbers = defaultdict[Any, set[str]](set), defaultdict[Any, set[str]](set)
        for source, number, login in seen:
            logins[source, number].add(folded(login))
            numbers[source, folded(login)].add(number)
        by_number = defaultdict[str, set[str]](set)
        for role in roles:
            if role.get("account") and role.get("person"):
                by_number[folded(str(role["account"]))].add(str(role["person"]))
        named = {one: next(iter(of)) for one, of in by_number.items() if len(of) == 1}
        return cls(
            named, by_login, {one: frozenset(of) for one, of in logins.items()},
            {one: frozenset(of) for one, of in numbers.items()},
        )  # fmt: skip

    def person(self, source: str, account: _Raw) -> str:
        """Who that is; its login where nobody says; empty where that might be either of two."""
        number, login = str(account.get("id")), str(account.get("login") or "")
        if whose := self.by_number.get(number):
            return whose
        known = self.logins.get((source, number), frozenset({folded(login)}))
        own = [one for one in sorted(known) if len(self.numbers.get((source, one), ())) <= 1]
        people = {folded(self.by_login[one]): self.by_login[one] for one in own
                  if one in self.by_login}  # fmt: skip
        if len(people) == 1:
            return next(iter(people.values()))
        return login if not people and folded(login) in own else ""


def approvers(merge: Merge, path: str, blob: str, accounts: Accounts) -> tuple[list[str], str]:
    """Who approved that very text by reviewing the change, and why nobody did where nobody did.

    A person's last word counts, by whichever of their accounts; whoever wrote of the change, by
    whichever, approves nothing of it.
    """
    if why := _not_of(merge, path, blob):
        return [], why
    wrote = {folded(accounts.person(merge.source, one)) for one in (merge.author, *merge.hands)
             if one}  # fmt: skip
    said: dict[str, str] = {}
    doubt = ""
    for review in merge.reviews:
        account = review.get("by")
        if not account:
            continue
        who = accounts.person(merge.source, account)
        if not who:
            doubt = f"{merge.name}: more than one account was called {account.get('login')}"
        elif folded(who) not in wrote:
            said = dict(_heard(said, who, review))
    return list(said.values()), "" if said else doubt


def _heard(said: Mapping[str, str], who: str, review: _Raw) -> Iterator[tuple[str, str]]:
    """Who approves after one more review: an objection or a withdrawal of theirs, also by a second
    account or after the merge, takes back what they said before."""
    against = review.get("said") != "approved" or review.get("taken_back")
    yield from ((one, name) for one, name in said.items() if one != folded(who) or not against)
    if review.get("counts") and not against:
        yield folded(who), who


def _not_of(merge: Merge, path: str, blob: str) -> str:
    if merge.files is None:
        return (
            f"{merge.name} does not tell which text was reviewed: name its repository in "
            f"`documents` of the source {merge.source}"
        )
    if merge.author is None or not merge.whole:
        return f"{merge.name} does not tell who wrote all of it"
    if not blob or merge.files.get(path) != blob:
        return f"what was reviewed in {merge.name} is not the text that stands"
    return ""
