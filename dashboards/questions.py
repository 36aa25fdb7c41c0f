"""The query page: saved questions, SQL of one's own, and the data dictionary."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from dashboards.access import Reader
from dashboards.answers import Answered, as_csv, as_json
from dashboards.forms import CSRF, foreign, form_of, single
from dashboards.render import render_query
from evidence.errors import HeadwaterError
from evidence.excerpt import Excerpt

AT_ONCE = 2
"""Questions that are answered side by side; each has a process and memory of its own."""
_LOOK_SECONDS = 0.3
AS_OF, FORM, SQL = "as-of", "form", "sql"
FORMS = ("html", "csv", "json")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is filled into a saved question; `default` None: it must be given."""

    name: str
    type: str
    what: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved question."""

    name: str
    title: str
    sql: str
    empty: str
    wanted: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """A view of the dictionary: its columns with type and meaning, and a question over it."""

    name: str
    shows: str
    columns: tuple[tuple[str, str, str], ...]
    example: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: by the name of a saved one, or its own SQL; `as_of` as `--as-of` takes it."""

    name: str = ""
    sql: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    as_of: str = ""


class Answers(Protocol):
    """Answers a question of what is in the excerpt. Raises HeadwaterError with one sentence."""

    def __call__(self, asked: Asked, excerpt: Excerpt, gone: Callable[[], bool]) -> Answered: ...


@dataclass(frozen=True, slots=True)
class Questions:
    """Where the query page comes from."""

    saved: Callable[[], Sequence[Saved]]
    views: Callable[[], Sequence[View]]
    answer: Answers
    turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))

    def routes(self) -> list[Route]:
        """`/query` (GET, and POST for SQL of one's own) and `/query/{name}`."""
        return [
            Route("/query", self._page, methods=["GET"]),
            Route("/query", self._own, methods=["POST"]),
            Route("/query/{name}", self._saved, methods=["GET"]),
        ]

    def _page(self, request: Request) -> Response:
        return self._drawn(request, Asked())

    async def _own(self, request: Request) -> Response:
        given = await form_of(request)
        if refused := foreign(request, given.pop(CSRF, "")):
            return refused
        form = _one_of(given.pop(FORM, "html"))
        asked = Asked(sql=given.pop(SQL, ""), as_of=given.pop(AS_OF, ""))
        if given:
            raise HTTPException(400, f"{next(iter(given))[:40]!r} is nothing to fill in here.")
        return await self._answered(request, asked, form)

    async def _saved(self, request: Request) -> Response:
        name, _, ending = request.path_params["name"].partition(".")
        form = _one_of(ending or "html")
        pairs = request.query_params.multi_items()
        given = single(pairs)
        asked = Asked(name, "", {k: v for k, v in given.items() if k != AS_OF and v},
                      given.get(AS_OF, ""))  # fmt: skip
        saved = {one.name: one for one in await run_in_threadpool(self.saved)}
        if name not in saved:
            raise HTTPException(404)
        lacking = [w for w in saved[name].wanted if w.default is None]
        if any(not given.get(one.name) for one in lacking) and form == "html":
            return await run_in_threadpool(self._drawn, request, asked)
        return await self._answered(request, asked, form)

    async def _answered(self, request: Request, asked: Asked, form: str) -> Response:
        reader: Reader = request.state.reader
        request.state.question, request.state.values = asked.name or asked.sql, asked.values
        if not self.turns.acquire(blocking=False):
            raise HTTPException(503, f"{AT_ONCE} questions are being answered; ask again soon.")
        try:
            async with _watched(request) as gone:
                answer = await run_in_threadpool(self.answer, asked, reader.excerpt, gone)
        except HeadwaterError as error:
            request.state.rows = 0
            drawn = await run_in_threadpool(self._drawn, request, asked, None, str(error))
            drawn.status_code = 400
            return drawn
        finally:
            self.turns.release()
        request.state.rows = len(answer.rows)
        if form != "html":
            return _file(answer, form)
        return await run_in_threadpool(self._drawn, request, asked, answer)

    def _drawn(
        self, request: Request, asked: Asked, answer: Answered | None = None, wrong: str = ""
    ) -> Response:
        reader: Reader = request.state.reader
        page = render_query(
            saved=self.saved(), views=self.views(), asked=asked, answer=answer, wrong=wrong,
            reader=reader, link=link(asked),
        )  # fmt: skip
        return HTMLResponse(page)


def link(asked: Asked) -> str:
    """The query part of the address at which a saved question is asked again."""
    pairs = [*asked.values.items(), *([(AS_OF, asked.as_of)] if asked.as_of else [])]
    return f"?{urlencode(pairs)}" if pairs else ""


def _file(answer: Answered, form: str) -> Response:
    made, media = (
        (as_csv(answer), "text/csv") if form == "csv" else (as_json(answer), "application/json")
    )
    # The name is ours, never the asker's: a header is no place for text from outside.
    named = {"Content-Disposition": f'attachment; filename="answer.{form}"'}
    return Response(made, media_type=f"{media}; charset=utf-8", headers=named)


def _one_of(form: str) -> str:
    if form not in FORMS:
        raise HTTPException(404 if form.isalnum() else 400, f"Ask for one of {', '.join(FORMS)}.")
    return form


@asynccontextmanager
async def _watched(request: Request) -> AsyncIterator[Callable[[], bool]]:
    """Whether the reader has gone away, while the block runs."""
    gone = threading.Event()

    async def watch() -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(_LOOK_SECONDS)
        gone.set()

    watching = asyncio.create_task(watch())
    try:
        yield gone.is_set
    finally:
        watching.cancel()
