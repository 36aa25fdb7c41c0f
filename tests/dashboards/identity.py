"""A small real OpenID Connect provider: discovery, codes with PKCE, keys; it lies on demand."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from joserfc.jws import JWSRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "headwater", "the secret of the client"


@dataclass
class Identity:
    """Signs `who` in without asking. What is changed here it says the next time."""

    url: str = ""
    who: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "groups": []})
    claims: dict[str, Any] = field(default_factory=dict)
    """Put into the ID token over what belongs there; None leaves a claim out."""
    told: dict[str, Any] = field(default_factory=dict)
    """Put into the discovery document over what belongs there."""
    form: str = "RS256"
    """How the token is signed: RS256, none, HS256 with the client's secret, or unknown (a key that
    the provider does not name)."""
    sloppy: bool = False
    """Whether it takes a code a second time."""
    signer: RSAKey | None = None
    """Signs instead of the newest of the keys."""
    keys: list[RSAKey] = field(default_factory=lambda: [FIRST])
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )

    def rotate(self) -> None:
        """From now on sign with a new key, and name no other."""
        self.keys = [new_key()]

    def _discovery(self, _request: Request) -> Response:
        told = {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }  # fmt: skip
        return JSONResponse(told | self.told)

    def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", 302)

    async def _token(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode()))
        known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {known}":
            return JSONResponse({"error": "invalid_client"}, 401)
        code = given.get("code", "")
        asked = self.codes.get(code) if self.sloppy else self.codes.pop(code, None)
        if asked is None or given.get("redirect_uri") != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if create_s256_code_challenge(given.get("code_verifier", "")) != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant", "error_description": "PKCE"}, 400)
        told = {"access_token": "at", "token_type": "Bearer"}
        return JSONResponse(told | {"id_token": self._id_token(asked)})

    def _id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], **self.who, **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.form == "none":
            return f"{_part({'alg': 'none'})}.{_part(claims)}."
        if self.form == "HS256":
            key = OctKey.import_key(SECRET)
            registry = JWSRegistry(algorithms=["HS256"])
            return jwt.encode({"alg": "HS256"}, claims, key, registry=registry)
        signer = new_key() if self.form == "unknown" else self.signer or self.keys[-1]
        return jwt.encode({"alg": "RS256", "kid": signer.kid}, claims, signer)

    def _jwks(self, _request: Request) -> Response:
        return JSONResponse(KeySet(self.keys).as_dict(private=False))


def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})


FIRST = new_key()


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
