"""The key as the configuration describes it, made into what HTTP needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from collectors._auth import Auth
from collectors._login import Login, token_in
from collectors._rest.paths import found
from collectors._rest.settings import AuthBy
from collectors.http import Http
from evidence.secret import Secret

Opening = Callable[[str, Auth], Http]
"""Makes the conversation with an origin: its address, and the key."""

_NOBODY = Secret("")


def auth_of(by: AuthBy, base_url: str, opening: Opening) -> Auth:
    """The key to `base_url`; where it has to be asked for, `opening` makes that conversation.

    Raises SourceRefused for a key that cannot be sent.
    """
    key = by.key or _NOBODY
    if by.kind == "basic":
        return Auth.basic(by.user, key)
    if by.kind == "bearer":
        return Auth.header(by.name or "Authorization", key, _prefix(by, "Bearer "))
    if by.kind == "header":
        return Auth.header(by.name, key, _prefix(by, ""))
    if by.kind == "query":
        return Auth.query(by.name, key)
    if by.kind == "field":
        return Auth(hidden=(key,))
    if by.kind in {"oauth2", "login"}:
        ask = _client_credentials if by.kind == "oauth2" else _login
        return Login(
            fetch=lambda: ask(by, key, base_url, opening), hidden=(key,),
            name=by.name or "Authorization", prefix=_prefix(by, "Bearer "),
        )  # fmt: skip
    return Auth()


def as_whom(by: AuthBy) -> str:
    """What the configuration alone says about who asks."""
    return {"none": "nobody", "basic": by.user, "oauth2": by.user, "login": by.user}.get(
        by.kind, ""
    )


def _prefix(by: AuthBy, usual: str) -> str:
    return usual if by.prefix is None else by.prefix


def _client_credentials(
    by: AuthBy, key: Secret, base_url: str, opening: Opening
) -> tuple[Secret, float | None]:
    """RFC 6749, 4.4, with the client's password in the header (2.3.1)."""
    origin, where = _place(by.url, base_url)
    fields = {"grant_type": "client_credentials"} | {k: str(v) for k, v in by.fields.items()}
    with opening(origin, Auth.basic(by.user, key)) as http:
        answer = http.post_form(where, fields).data
    return _token(by, answer)


def _login(by: AuthBy, key: Secret, base_url: str, opening: Opening) -> tuple[Secret, float | None]:
    origin, where = _place(by.url, base_url)
    given = by.fields or {"username": "{user}", "password": "{key}"}
    with opening(origin, Auth(hidden=(key,))) as http:
        answer = http.post(where, _filled(given, by.user, key), safe=True).data
    return _token(by, answer)


def _token(by: AuthBy, answer: Any) -> tuple[Secret, float | None]:
    where = by.token or ("access_token" if by.kind == "oauth2" else "token")
    life = found(answer, "expires_in")
    usable = isinstance(life, int | float) and not isinstance(life, bool) and life > 0
    return token_in(found(answer, where), where), float(life) if usable else None


def _filled(value: Any, user: str, key: Secret) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(one, user, key) for name, one in value.items()}
    if isinstance(value, str):
        return value.replace("{user}", user).replace("{key}", key.reveal())
    return value


def _place(url: str, base_url: str) -> tuple[str, str]:
    """Where the login is: below the source's address, or at an address of its own."""
    if url.startswith("/"):
        return base_url, url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path or "/"
