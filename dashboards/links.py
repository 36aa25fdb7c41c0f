"""Where pages lie: served under addresses, as files of a folder, or as parts of one file."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlencode

from dashboards import text
from evidence.own import OWN_SOURCE

OVERVIEW = "overview"
PLACES = (
    "controls", "systems", "documents", "sources", "due", "queue", "frameworks", "changes",
    "review",
)  # fmt: skip
"""The pages that every page leads to, beside the overview, in the order of the navigation."""
_PLAIN = ":.~@!$'()*+,="


class Address(NamedTuple):
    """A page: of one thing (`controls`, its id), or of all of them (key '')."""

    kind: str
    key: str = ""


HOME = Address(OVERVIEW)


class Links(Protocol):
    """How one form of the board names its pages. Each answer is '' where there is no such page."""

    @property
    def here(self) -> Address:
        """The page that is drawn."""

    @property
    def as_of(self) -> str:
        """The moment that the address names; '' where it names none."""

    @property
    def beside(self) -> Sequence[tuple[str, str]]:
        """What the navigation leads to beside the pages: address and name."""

    def to(self, kind: str, key: str = "", **asked: str) -> str:
        """The way to a page, with what is asked of it (`state="stale"`)."""

    def seen(self, as_of: str, /) -> str:
        """The way to this page as of another moment ('' is now), under the same filters."""

    def data(self, table: str, form: str, /) -> str:
        """The way to a table of this page as `csv` or `json`; '' is its first table."""


@dataclass(frozen=True, slots=True)
class Served:
    """Addresses of the server; each keeps the moment, and data also the filters.

    `hidden` are the kinds of pages that this reader is refused; `beside` are addresses that are no
    pages of the board, with their names.
    """

    here: Address = HOME
    as_of: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    hidden: Collection[str] = ()
    beside: Sequence[tuple[str, str]] = ()

    def to(self, kind: str, key: str = "", **asked: str) -> str:
        if kind in self.hidden or key in {".", ".."}:  # browsers take dots for folders
            return ""
        if (kind, key) == ("sources", OWN_SOURCE):
            return ""  # what Headwater does itself, it pulls from nowhere
        return _path(kind, key) + self._query(asked)

    def seen(self, as_of: str) -> str:
        return replace(self, as_of=as_of).to(*self.here, **self.filters)

    def data(self, table: str, form: str) -> str:
        path = "/overview" if self.here.kind == OVERVIEW else _path(*self.here)
        return f"{path}.{form}" + self._query({**self.filters, "table": table})

    def _query(self, asked: Mapping[str, str]) -> str:
        given = {name: text.visible(value) for name, value in asked.items() if value}
        given |= {"as-of": self.as_of} if self.as_of else {}
        return f"?{urlencode(given)}" if given else ""


def _path(kind: str, key: str) -> str:
    if kind == OVERVIEW:
        return "/"
    return f"/{kind}/{quote(text.visible(key), safe=_PLAIN)}" if key else f"/{kind}"


@dataclass(frozen=True, slots=True)
class Folder:
    """Relative paths between the files of a static site; nobody there answers a filter."""

    files: Mapping[Address, str]
    here: Address = HOME
    as_of: str = ""
    beside: Sequence[tuple[str, str]] = ()

    def to(self, kind: str, key: str = "", **asked: str) -> str:
        file = "" if any(asked.values()) else self.files.get(Address(kind, key), "")
        return quote(self._from_here(file), safe="/" + _PLAIN) if file else ""

    def seen(self, _as_of: str) -> str:
        return ""

    def data(self, table: str, form: str) -> str:
        return quote(self._from_here(data_file(self.files[self.here], table, form)), safe="/")

    def _from_here(self, file: str) -> str:
        return posixpath.relpath(file, posixpath.dirname(self.files[self.here]) or ".")


def data_file(page: str, table: str, form: str) -> str:
    """The file of a table beside the file of its page."""
    return ".".join(filter(None, (page.removesuffix(".html"), table, form)))


@dataclass(frozen=True, slots=True)
class OneFile:
    """Fragments of the one file that holds everything; `known` are its parts."""

    known: Collection[Address]
    here: Address = HOME
    as_of: str = ""
    beside: Sequence[tuple[str, str]] = ()

    def to(self, kind: str, key: str = "", **asked: str) -> str:
        if any(asked.values()) or Address(kind, key) not in self.known:
            return ""
        return text.fragment(_PART.get(kind, kind), key) if key else f"#{kind}"

    def seen(self, _as_of: str) -> str:
        return ""

    def data(self, _table: str, _form: str) -> str:
        return ""


_PART = {"controls": "control", "sources": "source", "items": "item", "frameworks": "framework"}
