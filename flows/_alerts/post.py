"""Handing a message over by HTTP: what the receiver does becomes an answer, never an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import orjson

from collectors.http import Auth, Http, Reply, clean
from evidence.errors import SourceBusy, SourceError
from evidence.secret import Secret
from flows._alerts.words import Answer

JSON = "application/json"
TRIES = 3
_TELLING = 12
"""Signs of a part of an address that may be a key; shorter ones are words such as `services`."""
LONGEST = timedelta(hours=6)
"""A receiver that asks for more is asked again all the same: an alert does not wait for a day."""


@dataclass(frozen=True, slots=True)
class Post:
    """Where bytes go. The address may be the key itself, so nothing of its path is ever told.

    `seconds` bounds each wait for an answer.
    """

    url: Secret
    seconds: float
    headers: Mapping[str, Secret] = field(default_factory=dict)

    def auth(self) -> Auth:
        """Everything in it that an error must not repeat."""
        parts = urlsplit(self.url.reveal())
        pieces = re.split(r"[/=&]", f"{parts.path}&{parts.query}")
        whole = (parts.path.strip("/"), parts.query, *pieces)
        hidden = (Secret(text) for text in whole if len(text) >= _TELLING)
        return secret_headers(self.headers, self.url, *hidden)

    def json(self, body: object, good: Callable[[Reply], str]) -> Answer:
        """The answer to a JSON body; `good` says what is wrong with an answer of good status."""
        return self.raw(orjson.dumps(body), good)

    def raw(
        self, content: bytes, good: Callable[[Reply], str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to JSON that was written already; `headers` go with it."""
        return asked(self.auth(), lambda: self._sent(content, headers or {}), good)

    def _sent(self, content: bytes, headers: Mapping[str, str]) -> Reply:
        url = self.url.reveal()
        with opened(url, self.auth(), self.seconds) as http:
            return http.send("POST", url, content, sent=JSON, headers=headers)


def secret_headers(headers: Mapping[str, Secret], *hidden: Secret) -> Auth:
    """Headers that are secret, also the key alone in one that names its scheme before it."""
    words = (word for value in headers.values() for word in value.reveal().split())
    return Auth(headers, (*hidden, *(Secret(word) for word in words if len(word) >= _TELLING)))


def opened(url: str, auth: Auth, seconds: float) -> Http:
    """A conversation that ends soon, whatever the receiver does. Raises SourceRefused."""
    return Http(
        url, auth, connect_timeout=min(10.0, seconds), read_timeout=seconds, deadline=seconds,
        attempts=TRIES, patience=timedelta(seconds=10), max_bytes=1 << 20,
    )  # fmt: skip


def asked(auth: Auth, ask: Callable[[], Reply], good: Callable[[Reply], str]) -> Answer:
    """What became of it."""
    try:
        reply = ask()
        wrong = good(reply)
    except SourceError as error:
        wait = error.retry_after if isinstance(error, SourceBusy) else None
        return Answer(False, clean(auth.mask(str(error))), wait=wait and min(wait, LONGEST))
    if wrong:
        return Answer(False, clean(auth.mask(f"HTTP {reply.status}: {wrong}")))
    return Answer(True, f"HTTP {reply.status}")


def no_page(reply: Reply) -> str:
    """A page for people in place of an answer: a proxy, or a sign-in. The message is not there."""
    kind = reply.headers.get("Content-Type", "").lower()
    page = "html" in kind or bytes(reply.data).lstrip()[:1] == b"<"
    return "a page for people in place of an answer: not this address" if page else ""


def host(url: Secret) -> str:
    """The host of an address, which is no secret."""
    try:
        return urlsplit(url.reveal()).hostname or "an address without a host"
    except ValueError:
        return "an address that cannot be read"
