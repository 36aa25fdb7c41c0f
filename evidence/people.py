"""People as records name them: Headwater knows names, not persons."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Signs that Unicode calls printable and that nobody sees (Default_Ignorable_Code_Point)."""


def person(name: str) -> str:
    """A name as it stands in records: without signs that nobody sees. Raises ValueError."""
    if not (seen := _seen(name)):
        raise ValueError("--by is empty: say who, it stands in the record")
    return seen


def folded(name: str) -> str:
    """A name to compare by: upper case is no second person. Empty where it names nobody."""
    return _seen(name).casefold()


def _seen(name: str) -> str:
    signs = _UNSEEN.sub("", unicodedata.normalize("NFKC", name))
    return " ".join("".join(s for s in signs if s.isprintable() or s.isspace()).split())


def accounts(roles: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Login and mail, folded → whose they are by the register of roles; not those of several."""
    found: dict[str, dict[str, str]] = {}
    for role in roles:
        whose = _seen(str(role.get("person") or ""))
        for name in ("login", "mail"):
            if whose and (called := folded(str(role.get(name) or ""))):
                found.setdefault(called, {})[whose.casefold()] = whose
    return {called: next(iter(of.values())) for called, of in found.items() if len(of) == 1}


def known_as(name: str, accounts: Mapping[str, str]) -> str:
    """Whose a name, login or mail is, or both as in `Ada Brandt <ada@acme.example>`; as it stands
    where nobody says."""
    called, _, mail = name.partition("<")
    for one in (name, mail.rstrip("> "), called):
        if whose := accounts.get(folded(one)):
            return whose
    return _seen(called) or _seen(name)


def same_account(one: str, two: str, accounts: Mapping[str, str]) -> bool:
    """Whether two names are one person's by the register of roles, too: a login and a name."""
    return same_name(known_as(one, accounts), known_as(two, accounts))


def same_person(one: str, two: str) -> bool:
    """Whether two names are one person's, as far as the names tell: upper case is no second one."""
    return person(one).casefold() == person(two).casefold()


def same_name(one: str, two: str) -> bool:
    """Like `same_person`, for names from records, where one of nothing but unseen signs is
    nobody's."""
    return bool(folded(one)) and folded(one) == folded(two)
