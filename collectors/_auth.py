"""The key to a source, as headers or parameters that show themselves to nobody else."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

import requests

from evidence.errors import SourceRefused
from evidence.secret import Secret


@dataclass(frozen=True)
class Auth:
    """Request headers and query parameters that are secret, and every text that an error must not
    repeat."""

    headers: Mapping[str, Secret] = field(default_factory=dict)
    hidden: tuple[Secret, ...] = ()
    params: Mapping[str, Secret] = field(default_factory=dict)

    @classmethod
    def basic(cls, user: str, key: Secret) -> Auth:
        """RFC 7617, UTF-8."""
        code = base64.b64encode(f"{user}:{key.reveal()}".encode()).decode()
        return cls({"Authorization": Secret(f"Basic {code}")}, (key, Secret(code)))

    @classmethod
    def bearer(cls, key: Secret) -> Auth:
        """RFC 6750."""
        return cls.header("Authorization", key, prefix="Bearer ")

    @classmethod
    def header(cls, name: str, key: Secret, prefix: str = "") -> Auth:
        """Any other header, such as PRIVATE-TOKEN. Raises SourceRefused if it cannot be one."""
        return cls({name: Secret(prefix + sendable(name, key).reveal())}, (key,))

    @classmethod
    def query(cls, name: str, key: Secret) -> Auth:
        """A parameter of every address, for sources that know no better. Raises SourceRefused."""
        text = sendable(name, key).reveal()
        return cls(
            hidden=(key, Secret(quote(text, "")), Secret(quote_plus(text))), params={name: key}
        )

    @property
    def secret(self) -> bool:
        """Is there a key that must not travel in the clear?"""
        return bool(self.headers or self.params or self.hidden)

    def renew(self) -> bool:
        """Get another key after this one was refused (401); False where there is only one."""
        return False

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Given as requests' auth, always, so that no ~/.netrc can put its own key in.
        request.headers.update({name: key.reveal() for name, key in self.headers.items()})
        if self.params:
            request.url = self._addressed(request.url or "")
        return request

    def _addressed(self, url: str) -> str:
        """The address with the secret parameters in place of any that it came with."""
        parts = urlsplit(url)
        query = [p for p in parse_qsl(parts.query, True) if p[0] not in self.params]
        query += [(name, key.reveal()) for name, key in self.params.items()]
        return urlunsplit(parts._replace(query=urlencode(query)))

    def mask(self, text: str) -> str:
        """The text with every secret in it replaced."""
        for secret in (*self.hidden, *self.headers.values(), *self.params.values()):
            if secret.reveal():
                text = text.replace(secret.reveal(), "…")
        return text


def sendable(name: str, key: Secret) -> Secret:
    """The key, if a header or an address can carry it. Raises SourceRefused, without the key."""
    if not (key.reveal().isascii() and key.reveal().isprintable() and key.reveal().strip()):
        raise SourceRefused(f"the key for {name} is empty or holds a line break: copy it again")
    return key
