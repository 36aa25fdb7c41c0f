"""Stands before the pages: decides who is answered, and seals every answer with headers."""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.access import Grant, Reader, Role, by_token
from dashboards.forms import say
from dashboards.health import OPEN
from dashboards.reading import Note, Noted, NotNoted, address_of
from dashboards.render import policy

if TYPE_CHECKING:
    from dashboards.login import Login

SIGN_IN = frozenset({"/login", "/login/callback"})
"""Addresses that are answered to nobody in particular, where there is a login."""
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
FORMS = frozenset({"/query", "/logout", "/access/end"})
"""Addresses that take a POST."""
_UNNOTED = "What an auditor reads must be recorded, and cannot be now: nothing is shown."
_OVER = (
    "Your session has ended, and nothing was done. Go back and keep what you wrote; then open the "
    "board anew, which signs you in."
)
_LOG = logging.getLogger("headwater.dashboards")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come in: by a token, signed in, or from this machine itself where that is allowed.

    `grants` is asked for every request, so that an access which is taken away ends at once.
    """

    grants: Callable[[], Sequence[Grant]]
    clock: Callable[[], datetime]
    allow_loopback: bool = False
    login: Login | None = None
    form_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def reader(self, request: Request) -> Reader | Response:
        """Who asks, or what they are told instead."""
        grants = self.grants()
        locked = any(grant.token_sha256 for grant in grants)
        if locked and "authorization" in request.headers:
            return self._of(by_token(grants, _bearer(request.headers)))
        if self.allow_loopback and not grants and _is_here(request):
            return Reader("this machine", "", Role.GOVERNANCE, csrf=self.form_key)
        if self.login and "authorization" not in request.headers:
            return self.login.reader(request, grants) or self._unknown(request)
        if locked or self.login:
            return unauthorised()
        return say(403, "Not open", "Without a token this board answers to its own machine only.")

    def _unknown(self, request: Request) -> Response:
        """A person is sent to sign in; a program is told that it cannot."""
        if "text/html" not in request.headers.get("accept", ""):
            return unauthorised()
        if request.method == "POST":
            return say(401, "Signed out", _OVER, **{"WWW-Authenticate": "Bearer"})
        return RedirectResponse(f"/login?next={quote(address_of(request.scope), safe='/')}", 303)

    def _of(self, grant: Grant | None) -> Reader | Response:
        if grant is None:
            return unauthorised()
        if why := grant.closed(self.clock()):
            return say(403, "Not open to you", why)
        return Reader(grant.name, "", grant.role, grant.excerpt, grant.until)


@dataclass(frozen=True, slots=True)
class Gate:
    """The application as the server sees it. What lies behind finds who asks in
    `request.state.reader`."""

    inner: ASGIApp
    door: Door
    hosts: frozenset[str]
    note: Note | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        request = Request(scope)
        send = sealed(send, forms=has_form(scope["path"]))
        if refused := self._malformed(request):
            await refused(scope, receive, send)
        elif scope["path"] in OPEN:
            await self.inner(scope, receive, send)
        elif self.door.login:
            await self.door.login.sessions(self._admitted)(scope, receive, send)
        else:
            await self._admitted(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if self.door.login and scope["path"] in SIGN_IN:
            await self.inner(scope, receive, send)
            return
        reader = self.door.reader(request)
        if isinstance(reader, Response):
            await reader(scope, receive, send)
        elif why := reader.refused(scope["path"]):
            await say(403, "Not open to you", why)(scope, receive, send)
        else:
            request.state.reader = reader
            answer = self._recorded if reader.recorded else self.inner
            await answer(scope, receive, send)

    async def _recorded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an auditor, or say that it cannot be recorded."""
        try:
            if self.note is None:
                raise NotNoted("nothing is recorded here")
            await Noted(self.inner, self.note, self.door.clock)(scope, receive, send)
        except NotNoted as error:
            _LOG.error("an auditor is not answered: what is read cannot be recorded: %s", error)
            await say(503, "Not recorded", _UNNOTED)(scope, receive, send)

    def _malformed(self, request: Request) -> Response | None:
        """What anybody is told who asks in a way that nobody may."""
        path = request.scope["path"]  # as the router takes it: a URL could be read in another way
        if request.method not in {"GET", "HEAD"} and (request.method, path) not in _POSTS:
            return say(405, "Read only", "This server answers GET and HEAD.", allow="GET, HEAD")
        if path not in OPEN and not self._named(request.headers):
            return say(421, "Wrong name", "This server does not answer to that Host name.")
        return None

    def _named(self, headers: Headers) -> bool:
        given = headers.getlist("host")
        match = _HOST.fullmatch(given[0].lower()) if len(given) == 1 else None
        return match is not None and match["name"] in self.hosts


def has_form(path: str) -> bool:
    """Whether the page at this address holds a form."""
    return path in {*FORMS, "/you"} or path.startswith(("/query/", "/access/"))


_POSTS = frozenset({("POST", path) for path in FORMS})


def _bearer(headers: Headers) -> str:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


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


def sealed(send: Send, *, forms: bool) -> Send:
    """`send` that puts the headers on every answer; with `forms`, forms of the page may be sent."""

    async def seal(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = f"{policy(forms=forms)}; frame-ancestors 'none'"
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers["Referrer-Policy"] = "no-referrer"
            headers["Cache-Control"] = "no-store"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        await send(message)

    return seal


def unauthorised() -> Response:
    """To whom no grant belongs."""
    headers = {"WWW-Authenticate": "Bearer"}
    return say(401, "Token needed", "Send Authorization: Bearer with the board's token.", **headers)
