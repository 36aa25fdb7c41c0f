"""The key to a source, as headers that show themselves to nobody else."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests

from evidence.errors import SourceRefused
from evidence.secret import Secret


@dataclass(frozen=True, slots=True)
class Auth:
    """Request headers that are secret, and every text that an error must not repeat."""

    headers: Mapping[str, Secret] = field(default_factory=dict)
    hidden: tuple[Secret, ...] = ()

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
        if not (key.reveal().isascii() and key.reveal().isprintable() and key.reveal().strip()):
            raise SourceRefused(f"the key for {name} is empty or holds a line break: copy it again")
        return cls({name: Secret(prefix + key.reveal())}, (key,))

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Given as requests' auth, always, so that no ~/.netrc can put its own key in.
        request.headers.update({name: key.reveal() for name, key in self.headers.items()})
        return request

    def mask(self, text: str) -> str:
        """The text with every secret in it replaced."""
        for secret in (*self.hidden, *self.headers.values()):
            if secret.reveal():
                text = text.replace(secret.reveal(), "…")
        return text
