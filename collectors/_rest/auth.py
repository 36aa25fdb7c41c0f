"""The key as the configuration describes it, made into what HTTP needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus, urlsplit

from collectors._auth import Auth, sendable
from collectors._login import Login, token_in
from collectors._rest.answer import told
from collectors._rest.paths import found
from collectors._rest.settings import AuthBy
from collectors.http import Http, Reply
from evidence.errors import SourceBroken, SourceRefused
from evidence.secret import Secret

Opening = Callable[[str, Auth], Http]
"""Makes the conversation with an origin: its address, and the key."""

_NOBODY = Secret("")
_HOLE = re.compile(r"\{([^{}]+)\}")


def auth_of(by: AuthBy, base_url: str, opening: Opening) -> Auth:
    """The key to `base_url`; where it has to be asked for, `opening` makes that conversation.

    Raises SourceRefused for a key that cannot be sent.
    """
    made = _first(by, base_url, opening)
    sent = travelling(by)
    if by.kind == "field":  # stands in the bodies; hidden all the same
        return replace(made, hidden=(*made.hidden, *sent.values()))
    if not sent:
        return made
    if by.kind == "query":
        further = [Auth.query(name, key) for name, key in sent.items()]
        params = {name: key for one in further for name, key in one.params.items()}
        hidden = tuple(text for one in further for text in one.hidden)
        return replace(made, params={**made.params, **params}, hidden=(*made.hidden, *hidden))
    headers = {name: sendable(name, key) for name, key in sent.items()}
    return replace(made, headers={**made.headers, **headers})


def travelling(by: AuthBy) -> dict[str, Secret]:
    """The further keys that go with every call: those that no field of a login holds."""
    return {name: key for name, key in by.keys.items() if not _holds(by.fields, name)}


def _first(by: AuthBy, base_url: str, opening: Opening) -> Auth:
    key = by.key or _NOBODY
    if by.kind == "basic" and "{key}" in by.user:
        user, _, password = by.user.partition(":")
        made = Auth.basic(_filled(user, by), Secret(_filled(password, by)))
        return replace(made, hidden=(key, *by.keys.values(), *made.hidden[1:]))
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
            fetch=lambda: _given(ask, by, base_url, opening), hidden=(key, *by.keys.values()),
            name=by.name or "Authorization", prefix=_prefix(by, "Bearer "),
        )  # fmt: skip
    return Auth()


def as_whom(by: AuthBy) -> str:
    """What the configuration alone says about who asks."""
    if by.kind == "none":
        return "nobody"
    return by.user if by.kind in {"basic", "oauth2", "login"} and "{key}" not in by.user else ""


def _prefix(by: AuthBy, usual: str) -> str:
    return usual if by.prefix is None else by.prefix


def _given(ask: Any, by: AuthBy, base_url: str, opening: Opening) -> tuple[Secret, float | None]:
    """The token. A login that is answered with 400 is refused: RFC 6749, 5.2."""
    try:
        token: tuple[Secret, float | None] = ask(by, base_url, opening)
    except SourceBroken as broken:
        if broken.status != 400:
            raise
        why = f"{broken}: check user, key and fields"
        raise SourceRefused(why, what=broken.what, status=400) from broken
    return token


def _client_credentials(by: AuthBy, base_url: str, opening: Opening) -> tuple[Secret, float | None]:
    """RFC 6749, 4.4 (fields may say another grant), with the client's password in the header, or
    among the fields if they hold it: 2.3.1 forbids both at once."""
    origin, where = _place(by.url, base_url)
    fields = {"grant_type": "client_credentials"} | dict(by.fields)
    key = by.key or _NOBODY
    by_field = _holds(fields, "key")
    auth = _silent(by) if by_field else replace(Auth.basic(by.user, key), hidden=_hidden(by))
    with opening(origin, auth) as http:
        sent = {name: str(value) for name, value in _filled(fields, by).items()}
        return _token(by, http.post_form(where, sent))


def _login(by: AuthBy, base_url: str, opening: Opening) -> tuple[Secret, float | None]:
    origin, where = _place(by.url, base_url)
    given = _filled(by.fields or {"username": "{user}", "password": "{key}"}, by)
    with opening(origin, _silent(by)) as http:
        if by.form:
            return _token(by, http.post_form(where, {k: str(v) for k, v in given.items()}))
        return _token(by, http.post(where, given, safe=True))


def _silent(by: AuthBy) -> Auth:
    """Sends no key of itself: it stands in what is posted, and must not be repeated."""
    return Auth(hidden=_hidden(by))


def _hidden(by: AuthBy) -> tuple[Secret, ...]:
    """Every key as it is, and as it stands in a form."""
    keys = (by.key or _NOBODY, *by.keys.values())
    return (*keys, *(Secret(quote_plus(key.reveal())) for key in keys))


def _token(by: AuthBy, reply: Reply) -> tuple[Secret, float | None]:
    where = by.token or ("access_token" if by.kind == "oauth2" else "token")
    life = found(reply.data, "expires_in")
    usable = isinstance(life, int | float) and not isinstance(life, bool) and life > 0
    return token_in(told(reply, where), where), float(life) if usable else None


def _holds(value: Any, name: str) -> bool:
    if isinstance(value, Mapping):
        return any(_holds(one, name) for one in value.values())
    return isinstance(value, str) and f"{{{name}}}" in value


def _filled(value: Any, by: AuthBy) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(one, by) for name, one in value.items()}
    if not isinstance(value, str):
        return value
    secrets = {"key": by.key or _NOBODY, **by.keys}
    known = {"user": by.user} | {name: one.reveal() for name, one in secrets.items()}
    return _HOLE.sub(lambda hole: known.get(hole[1], hole[0]), value)


def _place(url: str, base_url: str) -> tuple[str, str]:
    """Where the login is: below the source's address, or at an address of its own."""
    if url.startswith("/"):
        return base_url, url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path or "/"
