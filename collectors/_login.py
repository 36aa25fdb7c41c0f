"""A key that has to be asked for first, and again when it has run out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from collectors._auth import Auth, sendable
from evidence.errors import SourceRefused
from evidence.secret import Secret

_EARLY = 30.0
"""Seconds before its end at which a token is no longer used."""


@dataclass(frozen=True)
class Login(Auth):
    """A token that `fetch` gets with its life in seconds (None: not said), sent in header `name`.

    `hidden` are the keys that `fetch` uses; the tokens it got are hidden as well.
    """

    fetch: Callable[[], tuple[Secret, float | None]] = field(kw_only=True, repr=False)
    name: str = "Authorization"
    prefix: str = "Bearer "
    timer: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)
    _held: list[tuple[Secret, float | None]] = field(
        init=False, repr=False, compare=False, default_factory=list
    )
    _known: list[Secret] = field(init=False, repr=False, compare=False, default_factory=list)
    _lock: Any = field(init=False, repr=False, compare=False, default_factory=threading.RLock)

    @property
    def secret(self) -> bool:
        return True

    def renew(self) -> bool:
        """Forget the token, so that the next call asks for another. False if there was none."""
        with self._lock:
            had = bool(self._held)
            self._held.clear()
            return had

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[self.name] = self.prefix + self._token().reveal()
        return super().__call__(request)

    def mask(self, text: str) -> str:
        for token in self._known:  # also those that have run out: a refusal may repeat them
            text = text.replace(token.reveal(), "…")
        return super().mask(text)

    def _token(self) -> Secret:
        with self._lock:
            if self._held and (end := self._held[-1][1]) is not None and self.timer() > end:
                self._held.clear()
            if not self._held:
                token, life = self.fetch()
                end = None if life is None else self.timer() + max(life - _EARLY, life / 2)
                self._known.append(sendable("the token that was asked for", token))
                self._held.append((token, end))
            return self._held[-1][0]


def token_in(value: object, where: str) -> Secret:
    """The token in an answer. Raises SourceRefused: a login that gives none has failed."""
    if not isinstance(value, str) or not value:
        raise SourceRefused(f"the login's answer has no token at {where!r}: check user and key")
    return Secret(value)
