"""The board over HTTP: read only, refusing by default, every answer under strict headers."""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
import logging
import re
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.health import OPEN, Health, answers
from dashboards.machine import as_json
from dashboards.model import Board, ItemPage
from dashboards.render import policy, render, render_item, render_message
from dashboards.text import visible
from evidence.errors import HeadwaterError
from evidence.secret import Secret

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?")
_LOG = logging.getLogger("headwater.dashboards")


def app(
    load: Callable[[], Board],
    *,
    item: Callable[[str], ItemPage | None],
    token: Secret | None,
    allow_loopback: bool,
    hosts: Collection[str] = (),
    health: Health | None = None,
) -> Gate:
    """The board as an ASGI application: `/`, `/items/{id}`, `/board.json`, `/healthz`, and what
    else `health` answers.

    With a token, whoever brings it as `Authorization: Bearer` is answered; without one, only this
    machine, and only if `allow_loopback`. `hosts` are further names that the Host header may give.
    `load` and `item` run in a worker thread, once per request; a HeadwaterError they raise is
    shown as one sentence with status 500. Raises ValueError for an empty token.
    """
    pages = _Pages(load, item)
    routes = [
        Route("/", pages.board),
        Route("/board.json", pages.board_json),
        Route("/items/{item_id}", pages.item_page),
        *(health.routes() if health else [Route("/healthz", answers)]),
    ]
    return gated(routes, token=token, allow_loopback=allow_loopback, hosts=hosts)


def gated(
    routes: Sequence[Route], *, token: Secret | None, allow_loopback: bool,
    hosts: Collection[str] = (),
) -> Gate:  # fmt: skip
    """These routes behind the gate, as `app` says. Raises ValueError for an empty token."""
    if token is not None and not token.reveal().strip():
        raise ValueError("the board's token is empty: leave it out or set one")
    handlers = {HTTPException: _not_served, HeadwaterError: _unreadable, Exception: _broken}
    inner = Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]
    names = LOOPBACK_NAMES | {name.lower() for name in hosts}
    return Gate(inner, token, allow_loopback, frozenset(names))


@dataclass(frozen=True, slots=True)
class _Pages:
    load: Callable[[], Board]
    item: Callable[[str], ItemPage | None]

    def board(self, _request: Request) -> Response:
        return HTMLResponse(render(self.load(), served=True))

    def board_json(self, _request: Request) -> Response:
        return JSONResponse(as_json(self.load()))

    def item_page(self, request: Request) -> Response:
        item_id = request.path_params["item_id"]
        found = self.item(item_id) if re.fullmatch("[0-9a-f]{64}", item_id) else None
        if found is None:
            raise HTTPException(404)
        return HTMLResponse(render_item(found))


@dataclass(frozen=True, slots=True)
class Gate:
    """Stands before the pages: decides who is answered, and seals every answer with headers."""

    inner: ASGIApp
    token: Secret | None
    allow_loopback: bool
    hosts: frozenset[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        answer = self._refusal(Request(scope)) or self.inner
        await answer(scope, receive, _sealed(send))

    def _refusal(self, request: Request) -> Response | None:
        if request.method not in {"GET", "HEAD"}:
            return _say(405, "Read only", "This server answers GET and HEAD.", allow="GET, HEAD")
        if request.url.path in OPEN:
            return None
        if not self._named(request.headers):
            return _say(421, "Wrong name", "This server does not answer to that Host name.")
        if self.token is not None:
            return None if self._has_token(request.headers) else _unauthorised()
        if self.allow_loopback and _is_here(request):
            return None
        return _say(403, "Not open", "Without a token this board answers to its own machine only.")

    def _named(self, headers: Headers) -> bool:
        given = headers.getlist("host")
        match = _HOST.fullmatch(given[0].lower()) if len(given) == 1 else None
        return match is not None and match["name"] in self.hosts

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        wanted = self.token.reveal() if self.token else ""
        same = hmac.compare_digest(given.strip().encode(), wanted.encode())
        return same and scheme.lower() == "bearer"


def _is_here(request: Request) -> bool:
    """Whether the request began on this machine: a proxy beside us would hide that it did not."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _sealed(send: Send) -> Send:
    async def sealed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = f"{policy()}; frame-ancestors 'none'"
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers["Referrer-Policy"] = "no-referrer"
            headers["Cache-Control"] = "no-store"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        await send(message)

    return sealed


def _say(status: int, heading: str, sentence: str, **headers: str) -> Response:
    return HTMLResponse(render_message(heading, sentence), status, headers)


def _unauthorised() -> Response:
    headers = {"WWW-Authenticate": "Bearer"}
    return _say(
        401, "Token needed", "Send Authorization: Bearer with the board's token.", **headers
    )


def _not_served(_request: Request, error: HTTPException) -> Response:
    if error.status_code == 404:
        return _say(404, "Not here", "There is no such page, or no such item in the lake.")
    return _say(error.status_code, "Not answered", error.detail)


def _unreadable(_request: Request, error: HeadwaterError) -> Response:
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    _LOG.error("the board cannot be shown: %s", visible(str(error)))
    return _say(500, "The board cannot be shown", first)


def _broken(_request: Request, _error: Exception) -> Response:
    return _say(500, "The board cannot be shown", "A fault in Headwater; the server's log has it.")


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
