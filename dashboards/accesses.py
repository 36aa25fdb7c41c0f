"""The page of who may look: each access, what auditors read, who is signed in; for admins alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from dashboards import tables
from dashboards.access import Grant, Session
from dashboards.asked import AskedWrongly, read
from dashboards.links import Address, Served
from dashboards.pages.page import Head, Page
from dashboards.render import render_page
from dashboards.routes import TABLE, TYPES
from dashboards.tables import Cell, Code, Table

PLACE = "access"
LEAD = (
    "Who may read what until when, and who did. An access is given and taken away in "
    "headwater.toml."
)
OPEN = "open"


@dataclass(frozen=True, slots=True)
class ReadRow:
    """What one auditor read by one access, as far as it has landed."""

    grant: str
    person: str
    first: datetime
    last: datetime
    reads: int
    questions: int


@dataclass(frozen=True, slots=True)
class Accesses:
    """Where the page comes from. `waiting` are reads noted here that have not landed; `sessions` is
    None where nobody signs in. Each may raise HeadwaterError."""

    organisation: str
    grants: Callable[[], Sequence[Grant]]
    reads: Callable[[], Sequence[ReadRow]]
    waiting: Callable[[], int]
    sessions: Callable[[], Sequence[Session]] | None
    clock: Callable[[], datetime]

    def routes(self, beside: Sequence[tuple[str, str]]) -> list[Route]:
        """`/access`, and its tables as CSV and JSON."""

        def drawn(request: Request) -> Response:
            _table_asked(request)
            links = Served(Address(PLACE), beside=beside)
            return HTMLResponse(render_page(self.page(), links))

        return [Route(f"/{PLACE}", drawn), Route(f"/{PLACE}.{{form}}", self._data)]

    def page(self) -> Page:
        """The page as values."""
        waiting = self.waiting()
        late = f" {waiting} more wait on this machine to land." if waiting else ""
        found = [self._grants(), self._reads()]
        if self.sessions is not None:
            found.append(_sessions(self.sessions()))
        return Page(Head(self.organisation), "Who may look", LEAD + late, tables=tuple(found))

    def _data(self, request: Request) -> Response:
        form = request.path_params["form"]
        if form not in TYPES:
            raise HTTPException(404)
        try:
            table = self.page().table(_table_asked(request))
        except LookupError as error:
            raise HTTPException(400, f"no table {error.args[0]!r} on this page") from error
        told = {"page": f"/{PLACE}", "as_of": "", "filters": {}}
        text = tables.as_csv(table) if form == "csv" else tables.as_json(table, told)
        name = f"headwater-{PLACE}-{table.name}.{form}"
        file = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text.encode("utf-8", "backslashreplace"), 200, file, TYPES[form])

    def _grants(self) -> Table:
        now = self.clock()
        rows: list[tuple[Cell, ...]] = [
            (one.name, Code(one.role), by(one), one.since, one.until, one.excerpt.sentence,
             one.closed(now) or OPEN)
            for one in self.grants()
        ]  # fmt: skip
        columns = ("access", "role", "by", "from", "until", "shows", "now")
        return Table("grants", "Accesses", columns, tuple(rows), "None is written.", len(rows))

    def _reads(self) -> Table:
        rows: list[tuple[Cell, ...]] = [
            (one.grant, one.person, one.first, one.last, one.reads, one.questions)
            for one in self.reads()
        ]
        columns = ("access", "person", "first", "last", "reads", "questions")
        return Table("reads", "What auditors read", columns, tuple(rows),
                     "No auditor has read anything that has landed.", len(rows))  # fmt: skip


def by(grant: Grant) -> str:
    """By what somebody is known to be granted this; of a token no more than tells it apart."""
    if grant.token_sha256:
        return f"a token, sha256 {grant.token_sha256[:8]}…"
    return f"subject {grant.subject}" if grant.subject else f"group {grant.group}"


def _sessions(open_: Sequence[Session]) -> Table:
    rows: list[tuple[Cell, ...]] = [(one.person, one.since, one.until) for one in open_]
    return Table("sessions", "Signed in", ("person", "since", "until"), tuple(rows),
                 "Nobody is signed in.", len(rows))  # fmt: skip


def _table_asked(request: Request) -> str:
    """The table that the address names. Raises HTTPException for anything else in it."""
    try:
        wanted = read(request.query_params.multi_items(), {TABLE})
    except AskedWrongly as error:
        raise HTTPException(400, str(error)) from error
    if wanted.as_of:
        raise HTTPException(400, "This page tells of now alone: it takes no moment.")
    return wanted.filters.get(TABLE, "")
