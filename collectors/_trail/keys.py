"""The public keys that CloudTrail signs digests with: from a file, or asked of CloudTrail."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from collectors._aws.clients import explain
from evidence.errors import SourceBusy

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from mypy_boto3_cloudtrail import CloudTrailClient

_PEM = re.compile(
    rb"-----BEGIN [A-Z ]*PUBLIC KEY-----.*?-----END [A-Z ]*PUBLIC KEY-----", re.DOTALL
)


class KeysUnavailable(Exception):
    """No key can be had, so nothing can be validated; the text is the sentence to show."""


class KeyRing(Protocol):
    """Where public keys are looked up."""

    def find(self, fingerprint: str, at: datetime) -> Sequence[RSAPublicKey]:
        """The keys that may have signed at `at` under this name; none means: not CloudTrail's.

        Raises KeysUnavailable, SourceBusy.
        """


@dataclass(frozen=True, slots=True)
class FileKeys:
    """Keys from a file: ListPublicKeys' JSON (matched by fingerprint) or PEM blocks (all tried)."""

    named: Mapping[str, RSAPublicKey]
    unnamed: tuple[RSAPublicKey, ...] = ()

    @classmethod
    def read(cls, path: str) -> FileKeys:
        """Raises KeysUnavailable for a file that is missing, or is neither of the two."""
        try:
            text = Path(path).read_bytes()
            blocks = tuple(_pem(block) for block in _PEM.findall(text))
            if blocks:
                return cls({}, blocks)
            return cls(dict(_entry(entry) for entry in json.loads(text)["PublicKeyList"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise KeysUnavailable(f"public_keys = {path!r} cannot be used ({why})") from error

    def find(self, fingerprint: str, at: datetime) -> Sequence[RSAPublicKey]:  # noqa: ARG002
        """See KeyRing; `at` does not matter to a file that somebody put there on purpose."""
        own = self.named.get(fingerprint)
        return (own,) if own else self.unnamed


@dataclass(slots=True)
class ServiceKeys:
    """Keys as CloudTrail's ListPublicKeys names them for the hour asked about, remembered."""

    client: CloudTrailClient
    known: dict[str, RSAPublicKey] = field(default_factory=dict)
    asked: set[datetime] = field(default_factory=set)

    def find(self, fingerprint: str, at: datetime) -> Sequence[RSAPublicKey]:
        """See KeyRing. One request for each day with an unknown fingerprint."""
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        if fingerprint not in self.known and day not in self.asked:
            self.known.update(self._ask(day - timedelta(days=1), day + timedelta(days=2)))
            self.asked.add(day)
        own = self.known.get(fingerprint)
        return (own,) if own else ()

    def _ask(self, since: datetime, until: datetime) -> dict[str, RSAPublicKey]:
        try:
            pages = self.client.get_paginator("list_public_keys").paginate(
                StartTime=since, EndTime=until
            )
            return dict(_entry(entry) for page in pages for entry in page["PublicKeyList"])
        except Exception as error:
            told = explain(error, "cloudtrail:ListPublicKeys")
            if isinstance(told, SourceBusy):
                raise told from error
            raise KeysUnavailable(str(told)) from error


def _entry(entry: Any) -> tuple[str, RSAPublicKey]:
    value = entry["Value"]
    der = value if isinstance(value, bytes) else base64.b64decode(value, validate=True)
    return str(entry["Fingerprint"]), _rsa(der)


def _rsa(der: bytes) -> RSAPublicKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key = load_der_public_key(der)
    if not isinstance(key, RSAPublicKey):
        raise ValueError("a public key is not RSA")
    return key


def _pem(block: bytes) -> RSAPublicKey:
    body = b"".join(block.strip().splitlines()[1:-1])
    return _rsa(base64.b64decode(body, validate=True))
