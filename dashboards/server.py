"""The board over HTTP: read only, refusing by default, every answer under strict headers."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from dashboards.access import Grant, Role, digest_of
from dashboards.accesses import PLACE, Accesses
from dashboards.forms import say
from dashboards.gate import LOOPBACK_NAMES, Door, Gate
from dashboards.health import Health, answers
from dashboards.questions import Questions
from dashboards.reading import Note
from dashboards.reads import Reads
from dashboards.routes import Pages
from dashboards.text import visible
from evidence.errors import HeadwaterError
from evidence.excerpt import Excerpt
from evidence.secret import Secret

if TYPE_CHECKING:
    from dashboards.login import Login

_LOG = logging.getLogger("headwater.dashboards")


def app(
    reads: Reads,
    *,
    token: Secret | None,
    allow_loopback: bool,
    hosts: Collection[str] = (),
    health: Health | None = None,
    grants: Callable[[], Sequence[Grant]] = tuple,
    part: Callable[[Excerpt], Reads] | None = None,
    questions: Questions | None = None,
    note: Note | None = None,
    login: Login | None = None,
    accesses: Accesses | None = None,
) -> Gate:
    """The board as an ASGI application: its pages, `/board.json`, `/healthz`, and what else
    `health` answers.

    Whoever brings `token`, or that of one of `grants`, as `Authorization: Bearer` is answered;
    where there is none, only this machine, and only if `allow_loopback`. `hosts` are further names
    that the Host header may give. `reads` answer in a worker thread; a HeadwaterError they raise is
    shown as one sentence with status 500. `part` is what a reader of a limited access is shown;
    without it they are refused. With `questions` there is `/query`; what auditors read
    goes to `note`, without which they are not answered. `login` signs people in. With `accesses`
    there is `/access`. Raises ValueError for an empty token.
    """
    open_to_all = health.routes() if health else [Route("/healthz", answers)]
    asking = questions.routes() if questions else []
    signing_in = login.routes() if login else []
    beside = [("/query", "Ask")] if questions else []
    beside += [(f"/{PLACE}", "Access")] if accesses else []
    beside += [("/you", "You")] if login else []
    owner = () if token is None else (_owner(token),)
    if accesses:
        everybody = replace(accesses, grants=lambda: (*owner, *grants()))
        asking += everybody.routes(beside)
    routes = [*open_to_all, *asking, *signing_in, *Pages(reads, part, beside).routes()]
    return gated(
        routes, token=token, allow_loopback=allow_loopback, hosts=hosts, grants=grants, note=note,
        login=login,
    )  # fmt: skip


def gated(
    routes: Sequence[Route], *, token: Secret | None, allow_loopback: bool,
    hosts: Collection[str] = (), grants: Callable[[], Sequence[Grant]] = tuple,
    note: Note | None = None, login: Login | None = None,
) -> Gate:  # fmt: skip
    """These routes behind the gate, as `app` says. Raises ValueError for an empty token."""
    owner = () if token is None else (_owner(token),)
    door = Door(
        lambda: (*owner, *grants()),
        lambda: datetime.now(UTC),
        allow_loopback and token is None,
        login,
    )
    handlers = {HTTPException: _not_served, HeadwaterError: _unreadable, Exception: _broken}
    inner = Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]
    names = LOOPBACK_NAMES | {name.lower() for name in hosts}
    return Gate(inner, door, frozenset(names), note)


def _owner(token: Secret) -> Grant:
    if not token.reveal().strip():
        raise ValueError("the board's token is empty: leave it out or set one")
    return Grant("the board's token", Role.ADMIN, digest_of(token.reveal()))


def _not_served(_request: Request, error: HTTPException) -> Response:
    if error.status_code == 404:
        return say(404, "Not here", "There is no such page, or no such item in the lake.")
    return say(error.status_code, "Not answered", error.detail)


def _unreadable(_request: Request, error: HeadwaterError) -> Response:
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    _LOG.error("the board cannot be shown: %s", visible(str(error)))
    return say(500, "The board cannot be shown", first)


def _broken(_request: Request, _error: Exception) -> Response:
    return say(500, "The board cannot be shown", "A fault in Headwater; the server's log has it.")


def serve(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Answer until SIGINT or SIGTERM. Port 0 takes a free one; `ready` is told the URL once bound.

    Raises OSError if the address cannot be bound.
    """
    with _bound(host, port) as bound:
        ready(_url(bound))
        _server(app).run(sockets=[bound])


@contextlib.contextmanager
def serving(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Answer from a thread of this process while the block runs; yields the URL."""
    with _bound(host, port) as bound:
        server = _server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            yield _url(bound)
        finally:
            server.should_exit = True
            thread.join()


def _bound(host: str, port: int) -> socket.socket:
    return socket.create_server(
        (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
    )


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(app: ASGIApp) -> uvicorn.Server:
    """Quiet, and with the peer's true address: no X-Forwarded-For is believed."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, proxy_headers=False,
        lifespan="off", ws="none", timeout_graceful_shutdown=5,
    )  # fmt: skip
    return uvicorn.Server(config)
