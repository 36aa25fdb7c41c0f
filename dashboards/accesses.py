"""The page of who may look: each access, what auditors read, who is signed in, and the end of
that; for admins alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from dashboards import tables
from dashboards.access import Grant, Reader
from dashboards.asked import AskedWrongly, read
from dashboards.forms import CSRF, foreign, form_of, say
from dashboards.links import Address, Served
from dashboards.pages.page import Head, Page
from dashboards.render import render_end, render_page
from dashboards.routes import TABLE, TYPES
from dashboards.sessions import Session
from dashboards.tables import Cell, Code, Ref, Table

PLACE = "access"
LEAD = (
    "Who may read what until when, and who did. An access is given and taken away in "
    "headwater.toml."
)
_LOG = logging.getLogger("headwater.access")
OPEN = "holds"
_LONGEST = 500


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
class SignedIn:
    """Whose sessions hold, and what ends all those of a subject.

    `end` takes subject, by whom and why; it says what to tell of the record, empty where it has
    landed. It raises OSError if nothing could be kept of it: ended they are all the same.
    """

    open: Callable[[], Sequence[Session]]
    end: Callable[[str, str, str], str]


@dataclass(frozen=True, slots=True)
class Accesses:
    """Where the page comes from. `waiting` are reads noted here that have not landed; `sessions` is
    None where nobody signs in. Each may raise HeadwaterError."""

    organisation: str
    grants: Callable[[], Sequence[Grant]]
    reads: Callable[[], Sequence[ReadRow]]
    waiting: Callable[[], int]
    sessions: SignedIn | None
    clock: Callable[[], datetime]

    def routes(self, beside: Sequence[tuple[str, str]]) -> list[Route]:
        """`/access`, and its tables as CSV and JSON."""

        def drawn(request: Request) -> Response:
            _table_asked(request)
            links = Served(Address(PLACE), beside=beside)
            return HTMLResponse(render_page(self.page(), links))

        made = [Route(f"/{PLACE}", drawn), Route(f"/{PLACE}.{{form}}", self._data)]
        if self.sessions is not None:
            made.append(Route(f"/{PLACE}/end", self._end, methods=["POST"]))
            made.append(Route(f"/{PLACE}/{{key}}", self._ask, methods=["GET"]))
        return made

    def page(self) -> Page:
        """The page as values."""
        waiting = self.waiting()
        late = f" {waiting} more wait on this machine to land." if waiting else ""
        found = [self._grants(), self._reads()]
        if self.sessions is not None:
            found.append(_sessions(self.sessions.open()))
        return Page(Head(self.organisation), "Who may look", LEAD + late, tables=tuple(found))

    def _ask(self, request: Request) -> Response:
        session = self._session(request.path_params["key"])
        return HTMLResponse(render_end(request.state.reader, session))

    async def _end(self, request: Request) -> Response:
        form = await form_of(request)
        if refused := foreign(request, form.get(CSRF, "")):
            return refused
        reader: Reader = request.state.reader
        session, why = self._session(form.get("session", "")), form.get("why", "").strip()
        if self.sessions is None or not why or len(why) > _LONGEST:
            raise HTTPException(400, f"Say why, in {_LONGEST} characters at most.")
        by = reader.person or reader.grant
        return await run_in_threadpool(_ended, self.sessions, session, by, why)

    def _session(self, key: str) -> Session:
        """One that holds. Raises HTTPException."""
        for one in self.sessions.open() if self.sessions else ():
            if one.key == key:
                return one
        raise HTTPException(404)

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
    rows: list[tuple[Cell, ...]] = [
        (one.person, one.access, one.since, one.until, Ref(PLACE, one.key, "End…")) for one in open_
    ]
    columns = ("person", "access", "since", "until", "end it")
    return Table("sessions", "Signed in", columns, tuple(rows), "Nobody is signed in.", len(rows))


def _ended(signed_in: SignedIn, session: Session, by: str, why: str) -> Response:
    try:
        late = signed_in.end(session.subject, by, why)
    except OSError as error:
        _LOG.error("that sessions were ended is not recorded: %s", error)
        late = "There is no record of it: the server's log has the reason."
    told = f"All sessions of {session.person} have ended."
    return say(200, "Ended", f"{told} {late}".strip(), back=f"/{PLACE}")


def _table_asked(request: Request) -> str:
    """The table that the address names. Raises HTTPException for anything else in it."""
    try:
        wanted = read(request.query_params.multi_items(), {TABLE})
    except AskedWrongly as error:
        raise HTTPException(400, str(error)) from error
    if wanted.as_of:
        raise HTTPException(400, "This page tells of now alone: it takes no moment.")
    return wanted.filters.get(TABLE, "")
