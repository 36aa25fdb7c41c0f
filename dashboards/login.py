"""Sign-in by OpenID Connect, and the session that follows: both done by libraries."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from dashboards.access import Grant, Reader, by_claims
from dashboards.forms import CSRF, foreign, form_of, say
from dashboards.provider import Provider, safe
from dashboards.render import render_you
from dashboards.sessions import Session, Sessions, new_key
from dashboards.text import visible

COOKIE = "__Host-headwater"
SKEW_SECONDS = 60
"""How far the provider's clock may be from ours."""
_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
                         "ES512", "EdDSA", "Ed25519"})  # fmt: skip
_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_LONGEST = 256
_MOST_STATES = 10_000
_LOG = logging.getLogger("headwater.login")


class _Once:
    """What was sent along to the provider, kept here so that it can come back once only."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def get(self, key: str) -> str | None:
        until, value = self._kept.get(key, (0.0, ""))
        return value if time.monotonic() < until else None

    async def set(self, key: str, value: str, expires: float) -> None:
        self._kept[key] = time.monotonic() + expires, value
        while len(self._kept) > _MOST_STATES:
            self._kept.popitem(last=False)

    async def delete(self, key: str) -> None:
        self._kept.pop(key, None)


class Refused(Exception):
    """The provider, or what it answered, is not what was configured."""


@dataclass(slots=True)
class Login:
    """Who is signed in. The key of the cookies lives as long as this process: a restart signs all
    out. A cookie names a session that is kept here: ending that ends each copy of the cookie."""

    provider: Provider
    clock: Callable[[], datetime]
    granted: Callable[[], Sequence[Grant]]
    """The accesses. Of a person's groups only theirs are kept, for a cookie is small."""
    kept: Sessions
    key: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    _states: _Once = field(default_factory=_Once)

    def __post_init__(self) -> None:
        self.kept.clear()

    def routes(self) -> list[Route]:
        """`/login`, `/login/callback`, `/logout`, and `/you`, who says who is signed in."""
        return [
            Route("/login", self._begin, methods=["GET"]),
            Route("/login/callback", self._back, methods=["GET"]),
            Route("/logout", self._out, methods=["POST"]),
            Route("/you", self._you, methods=["GET"]),
        ]

    def sessions(self, inner: ASGIApp) -> ASGIApp:
        """The application with `request.session`: a signed cookie that no script can read."""
        return SessionMiddleware(
            inner, self.key, COOKIE, max_age=int(self.provider.hours * 3600), same_site="lax",
            https_only=True,
        )  # fmt: skip

    def reader(self, request: Request, grants: Sequence[Grant]) -> Reader | Response | None:
        """Who is signed in, or why that opens nothing; None where nobody is."""
        session = request.session
        if not (subject := session.get("sub")):
            return None
        if not self.kept.holds(session["key"]):
            session.clear()
            return None
        grant = by_claims(grants, subject, session["groups"], self.clock())
        if grant is None:
            return say(403, "Not open to you", "You are signed in, and no access names you.")
        if why := grant.closed(self.clock()):
            return say(403, "Not open to you", why)
        return Reader(
            grant.name, session["person"], grant.role, grant.excerpt, grant.until, session["csrf"]
        )

    async def _begin(self, request: Request) -> Response:
        request.session["next"] = inside(request.query_params.get("next", "/"))
        try:
            client = await self._client()
            made: Response = await client.authorize_redirect(request, self.provider.callback)
        except (*_WRONG, RuntimeError) as error:
            _LOG.warning("nobody can sign in: %s", _told(error))
            return say(503, "Nobody can sign in now", "The identity provider does not answer as "
                       "it should; the server's log has the reason.")  # fmt: skip
        return made

    async def _back(self, request: Request) -> Response:
        following = request.session.get("next", "/")
        try:
            claims = await self._claims(request)
        except (*_WRONG, RuntimeError) as error:
            request.session.clear()
            _LOG.warning("nobody was signed in: %s", _told(error))
            return say(403, "Not signed in", "What the identity provider answered does not fit. "
                       "Open the board anew; the server's log has the reason.")  # fmt: skip
        # Nothing of the session before is kept: what somebody else may have planted there ends.
        request.session.clear()
        try:
            request.session.update(self._session(claims))
        except OSError as error:
            _LOG.error("nobody can sign in: a session cannot be kept: %s", error)
            return say(503, "Nobody can sign in now", "The server cannot keep who is signed in; "
                       "its log has the reason.")  # fmt: skip
        return RedirectResponse(inside(following), 303)

    async def _claims(self, request: Request) -> Mapping[str, Any]:
        client = await self._client()
        if request.query_params.get("iss", self.provider.issuer) != self.provider.issuer:
            raise Refused("another issuer answered")
        wanted = {
            "iss": {"essential": True, "value": self.provider.issuer},
            "aud": {"essential": True, "value": self.provider.client_id},
        }
        token = await client.authorize_access_token(
            request, claims_options=wanted, leeway=SKEW_SECONDS
        )
        claims: Mapping[str, Any] | None = token.get("userinfo")
        subject = claims.get("sub") if claims else None
        if claims is None or not isinstance(subject, str) or not 0 < len(subject) < _LONGEST:
            raise Refused("there is no ID token, or it names nobody")
        return claims

    def _session(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a session; what its cookie says. Raises OSError."""
        subject, groups = claims["sub"], claims.get(self.provider.groups, [])
        listed = groups if isinstance(groups, list) else [groups]
        grants, name, now = self.granted(), claims.get("preferred_username"), self.clock()
        granted = {grant.group for grant in grants if grant.group}
        known = [one for one in listed if isinstance(one, str) and one in granted]
        person = f"{name[:100]} ({subject})" if isinstance(name, str) and name else subject
        access = by_claims(grants, subject, known, now)
        made = Session(
            new_key(), subject, person, access.name if access else "", now,
            now + timedelta(seconds=self._lasts(claims, now)),
        )  # fmt: skip
        self.kept.begin(made)
        return {
            "key": made.key, "sub": subject, "person": person, "groups": known,
            "csrf": secrets.token_urlsafe(32),
        }  # fmt: skip

    def _lasts(self, claims: Mapping[str, Any], now: datetime) -> float:
        """Seconds until the provider must be asked anew: at the latest when what it said of a
        person runs out."""
        runs_out: float = claims["exp"] + SKEW_SECONDS - now.timestamp()
        return min(self.provider.hours * 3600, runs_out)

    async def _out(self, request: Request) -> Response:
        if refused := foreign(request, (await form_of(request)).get(CSRF, "")):
            return refused
        self.kept.sign_out(request.session.get("sub", ""))
        request.session.clear()
        return say(200, "Signed out", "All your sessions here have ended.")

    def _you(self, request: Request) -> Response:
        reader: Reader = request.state.reader
        return HTMLResponse(render_you(reader, signed_in="sub" in request.session))

    async def _client(self) -> Any:
        """The provider as it describes itself now. Raises Refused, httpx2.HTTPError."""
        oauth, provider = OAuth(cache=self._states), self.provider
        secret = provider.client_secret.reveal() if provider.client_secret else None
        client = oauth.register(
            "oidc", client_id=provider.client_id, client_secret=secret,
            server_metadata_url=f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": " ".join(provider.scopes), "code_challenge_method": "S256", "timeout": 10,
                **({} if secret else {"token_endpoint_auth_method": "none"}),
            },
        )  # fmt: skip
        told = await client.load_server_metadata()
        if told.get("issuer") != provider.issuer:
            raise Refused(f"the provider calls itself {told.get('issuer')!r}")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not safe(told.get(name)):
                raise Refused(f"its {name} {told.get(name)!r} could be read on the way")
        # What it offers is not enough: `none`, and a key that we share, are no signature.
        offered = told.get("id_token_signing_alg_values_supported") or ["RS256"]
        told["id_token_signing_alg_values_supported"] = sorted(_ALGORITHMS & set(offered))
        return client


_WRONG = (AuthlibBaseError, JoseError, httpx2.HTTPError, Refused, ValueError)


def _told(error: BaseException) -> str:
    return visible(f"{type(error).__name__}: {error}"[:500])


def inside(address: object) -> str:
    """The address if it is a path of this server, else the first page."""
    return address if isinstance(address, str) and _PATH.fullmatch(address) else "/"
