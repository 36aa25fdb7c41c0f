"""Which identity provider signs readers in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from evidence.errors import ConfigError
from evidence.secret import Secret

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Provider:
    """[login]: an OpenID Connect provider, and how this server is known to it.

    `url` is the address at which readers open the board; the provider must allow `url` with
    `/login/callback` as the redirect. `groups` names the claim that lists a person's groups.
    `hours` is how long a person stays signed in.
    """

    issuer: str
    client_id: str
    url: str
    client_secret: Secret | None = None
    groups: str = "groups"
    scopes: tuple[str, ...] = ("openid", "profile")
    hours: float = 8.0

    def __post_init__(self) -> None:
        if wrong := list(self._wrong()):
            raise ConfigError(*(f"[login] {sentence}" for sentence in wrong))

    def _wrong(self) -> Iterator[str]:
        for key, address in (("issuer", self.issuer), ("url", self.url)):
            if not safe(address):
                yield f"{key} {address!r} must begin with https:// (http:// on this machine only)"
        if urlsplit(self.url).path.strip("/"):
            yield f"url {self.url!r} must have no path: the board lies at the root of its host"
        if "openid" not in self.scopes:
            yield 'scopes must hold "openid"'
        if not 0 < self.hours <= 24:
            yield "hours must be more than 0, and 24 at most"

    @property
    def callback(self) -> str:
        """Where the provider sends a person back to: never taken from a request."""
        return f"{self.url.rstrip('/')}/login/callback"


def safe(address: object) -> bool:
    """Whether what is sent to this address cannot be read on its way."""
    try:
        parts = urlsplit(address if isinstance(address, str) else "")
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _HERE))
