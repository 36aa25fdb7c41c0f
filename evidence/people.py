"""People as records name them: Headwater knows names, not persons."""

from __future__ import annotations

import unicodedata


def person(name: str) -> str:
    """A name as it stands in records: without signs that nobody sees. Raises ValueError."""
    signs = unicodedata.normalize("NFKC", name)
    seen = "".join(sign for sign in signs if sign.isprintable() or sign.isspace())
    if not seen.strip():
        raise ValueError("--by is empty: say who, it stands in the record")
    return " ".join(seen.split())


def same_person(one: str, two: str) -> bool:
    """Whether two names are one person's, as far as the names tell: upper case is no second one."""
    return person(one).casefold() == person(two).casefold()


def same_name(one: str, two: str) -> bool:
    """Like `same_person`, for names from records, where one of nothing but unseen signs is
    nobody's."""
    try:
        return same_person(one, two)
    except ValueError:
        return False
