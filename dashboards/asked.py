"""What an address asks of a page: the moment, the filters, and where a long list is begun."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

AS_OF, PAGE = "as-of", "page"


class AskedWrongly(ValueError):
    """An address asks for what the page does not know: passing over it would show too much."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`as_of` as `--as-of` takes it ('' is now); `filters` by name; `page` from 1."""

    as_of: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    page: int = 1

    @property
    def given(self) -> Mapping[str, str]:
        """What an address must say to ask the same again, the moment aside."""
        return {**self.filters, PAGE: str(self.page)} if self.page > 1 else self.filters


def read(pairs: Iterable[tuple[str, str]], takes: Collection[str]) -> Asked:
    """What is asked by the pairs of a query. Raises AskedWrongly for a name that is none of `takes`
    or `as-of`, one given twice, and a page that is no number."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in {*takes, AS_OF}:
            known = ", ".join(sorted({*takes, AS_OF}))
            raise AskedWrongly(f"{name!r} cannot be asked of this page; known: {known}")
        if name in given:
            raise AskedWrongly(f"{name!r} is asked twice; give it once")
        given[name] = value
    page = given.pop(PAGE, "1")
    if not re.fullmatch("[1-9][0-9]{0,8}", page):
        raise AskedWrongly(f"page {page!r} is no number from 1 on")
    filters = {name: value for name, value in given.items() if name != AS_OF and value}
    return Asked(given.get(AS_OF, ""), filters, int(page))


def chosen(name: str, value: str, known: Sequence[str]) -> str:
    """The value, if it is one that a filter knows. Raises AskedWrongly."""
    if value and value not in known:
        told = ", ".join(filter(None, dict.fromkeys(known))) or "none"
        raise AskedWrongly(f"{name} {value!r} is not on this board; known: {told}")
    return value
