"""The addresses of the pages, and of their tables as CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from dashboards import asked, tables
from dashboards.access import Reader
from dashboards.asked import AS_OF, Asked, AskedWrongly
from dashboards.files import slug
from dashboards.links import OVERVIEW, PLACES, Address, Served
from dashboards.machine import as_json
from dashboards.model import Board
from dashboards.once import Once
from dashboards.pages import ONE, WHOLE
from dashboards.pages.page import Page
from dashboards.reads import Reads
from dashboards.render import render, render_page
from evidence.errors import ConfigError
from evidence.excerpt import Excerpt

TYPES = {"csv": "text/csv; charset=utf-8; header=present", "json": "application/json"}
TABLE = "table"
DRAWN = 32
"""Pages that are kept drawn, those asked for last."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Answers each address in a worker thread with a page that is drawn once for each board; what
    a reader is shown whose access is limited, anew each time.

    `part` makes that; without it they are refused. `beside` are the addresses of the server that
    are no pages of the board, with their names.
    """

    reads: Reads
    part: Callable[[Excerpt], Reads] | None = None
    beside: Sequence[tuple[str, str]] = ()
    drawn: Once = field(default_factory=lambda: Once(DRAWN))

    def routes(self) -> list[Route]:
        """`/`, the pages, `/board.json` and `/board.html` with everything in one file."""
        return [
            Route("/", self._overview),
            Route("/board.json", self._board_json),
            Route("/board.html", self._board_file),
            Route("/{kind}", self._page),
            Route("/{kind}/{key:path}", self._page),
        ]

    def _overview(self, request: Request) -> Response:
        return self._html(request, Address(OVERVIEW))

    def _board_json(self, request: Request) -> Response:
        return JSONResponse(as_json(self._board(request)))

    def _board_file(self, request: Request) -> Response:
        return HTMLResponse(render(self._board(request)))

    def _board(self, request: Request) -> Board:
        reads = self._reads(request)
        try:
            return reads.board(_asked(request, frozenset()).as_of)
        except (AskedWrongly, ConfigError) as error:
            raise HTTPException(400, str(error)) from error

    def _page(self, request: Request) -> Response:
        kind, key = request.path_params["kind"], request.path_params.get("key")
        if key is None:
            kind, _, form = kind.partition(".")
            return self._answer(request, Address(kind), form)
        if not key:
            raise HTTPException(404)
        stem, _, form = key.rpartition(".")
        if not stem or form not in TYPES:
            return self._answer(request, Address(kind, key), "")
        try:  # a thing may be called so
            return self._answer(request, Address(kind, key), "")
        except HTTPException as error:
            if error.status_code != 404:
                raise
        return self._answer(request, Address(kind, stem), form)

    def _answer(self, request: Request, address: Address, form: str) -> Response:
        return self._data(request, address, form) if form else self._html(request, address)

    def _html(self, request: Request, address: Address) -> Response:
        reader: Reader = request.state.reader
        hidden = frozenset(kind for kind in PLACES if reader.refused(f"/{kind}"))
        beside = tuple(one for one in self.beside if not reader.refused(one[0]))
        draw = partial(self._drawn, request, address, hidden, beside)
        if reader.excerpt.limited or address.kind == "items":
            return HTMLResponse(draw())
        try:
            board = self.reads.board(request.query_params.get(AS_OF, ""))
        except ConfigError:
            return HTMLResponse(draw())  # which says what is wrong with the address
        key = (address, request.url.query, hidden, beside)
        return HTMLResponse(self.drawn.of((board.built_at, board.late), key, draw))

    def _drawn(
        self, request: Request, address: Address, hidden: frozenset[str],
        beside: Sequence[tuple[str, str]],
    ) -> bytes:  # fmt: skip
        wanted, page = self._made(request, address)
        links = Served(address, wanted.as_of, wanted.given, hidden, beside)
        return render_page(page, links).encode()

    def _data(self, request: Request, address: Address, form: str) -> Response:
        if form not in TYPES:
            raise HTTPException(404)
        wanted, page = self._made(request, address)
        name = request.query_params.get(TABLE, "")
        try:
            table = page.table(name)
        except LookupError as error:
            known = ", ".join(one.name for one in page.tables)
            raise HTTPException(400, f"no table {name!r} on this page; known: {known}") from error
        file = {"Content-Disposition": f'attachment; filename="{_file(address, table, form)}"'}
        text = _text(table, form, page, wanted, address)
        return Response(text, media_type=TYPES[form], headers=file)

    def _reads(self, request: Request) -> Reads:
        """What is drawn for this reader."""
        reader: Reader = request.state.reader
        if not reader.excerpt.limited:
            return self.reads
        if self.part is None:
            raise HTTPException(403, f"Your access shows {reader.excerpt.sentence}.")
        return self.part(reader.excerpt)

    def _made(self, request: Request, address: Address) -> tuple[Asked, Page]:
        """What is asked, and the page; an unknown page or thing is answered with 404."""
        reads = self._reads(request)
        kind = (ONE if address.key else WHOLE).get(address.kind)
        if kind is None:
            raise HTTPException(404)
        try:
            wanted = _asked(request, kind.takes)
            return wanted, kind.make(reads, address.key, wanted)
        except LookupError as error:
            raise HTTPException(404) from error
        except (AskedWrongly, ConfigError) as error:
            raise HTTPException(400, str(error)) from error


def _asked(request: Request, takes: frozenset[str]) -> Asked:
    """What the query asks; which table, only where one is given."""
    pairs = request.query_params.multi_items()
    data = request.url.path.endswith(tuple(TYPES))
    return asked.read((pair for pair in pairs if not (data and pair[0] == TABLE)), takes)


def _text(table: tables.Table, form: str, page: Page, wanted: Asked, address: Address) -> bytes:
    if form == "csv":
        text = tables.as_csv(table)
    else:
        told = {"page": "/" + "/".join(filter(None, address)), "as_of": page.head.shown,
                "filters": dict(wanted.filters)}  # fmt: skip
        text = tables.as_json(table, told)
    return text.encode("utf-8", "backslashreplace")


def _file(address: Address, table: tables.Table, form: str) -> str:
    of = [slug(address.key)] if address.key else []
    return "-".join(["headwater", address.kind, *of, table.name]) + f".{form}"
