"""How a bucket is reached, and what is to be done about what its store answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from evidence.errors import LakeBusy, LakeError, LakeRefused
from evidence.secret import Secret
from storage.cache import Cache
from storage.place import plain_words

_REFUSALS = (
    "NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
    "PermanentRedirect", "AuthorizationHeaderMalformed", "InvalidBucketName", "MethodNotAllowed",
    "CredentialsNotLoaded",
)  # fmt: skip
_REFUSED = re.compile(r"status code:? (?:301|4(?!08|09|12|29)\d\d) ")


@dataclass(frozen=True, slots=True)
class Access:
    """How a bucket is reached; what is None comes from the environment (`AWS_…`).

    `tries` is how often a call is repeated that the store did not answer or answered with 5xx;
    `patience` bounds all of them together, `timeout` each one.
    """

    endpoint: str | None = None
    region: str | None = None
    key: Secret | None = None
    secret: Secret | None = None
    token: Secret | None = None
    cache: Cache = field(default_factory=Cache)
    tries: int = 6
    patience: timedelta = timedelta(seconds=60)
    timeout: timedelta = timedelta(seconds=30)

    @property
    def options(self) -> dict[str, str]:
        """For the table format: its own names of the same settings."""
        given = {f"AWS_{name.upper()}": text for name, text in self._given().items()}
        limits = {
            "AWS_CONDITIONAL_PUT": "etag",
            "AWS_CHECKSUM_ALGORITHM": "SHA256",
            "AWS_ALLOW_HTTP": "true",
            "max_retries": str(self.tries),
            "retry_timeout": f"{self.patience.total_seconds():g}s",
            "timeout": f"{self.timeout.total_seconds():g}s",
            "connect_timeout": "5s",
        }
        return given | limits

    def store(self, bucket: str, prefix: str) -> S3Store:
        """The client; nothing is asked of the bucket yet."""
        settings: Any = self._given()
        return S3Store(
            bucket, prefix=prefix or None, **settings,
            conditional_put="etag", checksum_algorithm="SHA256",
            client_options={
                "allow_http": True, "timeout": self.timeout,
                "connect_timeout": timedelta(seconds=5),
            },
            retry_config={"max_retries": self.tries, "retry_timeout": self.patience},
        )  # fmt: skip

    def _given(self) -> dict[str, str]:
        secrets = {
            "access_key_id": self.key, "secret_access_key": self.secret,
            "session_token": self.token,
        }  # fmt: skip
        plain = {"endpoint": self.endpoint, "region": self.region}
        told = {name: held.reveal() for name, held in secrets.items() if held is not None}
        return told | {name: text for name, text in plain.items() if text}


def explained(what: str, error: Exception) -> LakeError:
    """The store's error as one sentence, named by what helps: patience, or a person."""
    text = plain_words(error)
    code = re.search(r"<Code>([^<]*)</Code>(?:\s*<Message>([^<]*))?", text)
    why = ": ".join(part for part in code.groups() if part) if code else _first(text)
    refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    if refused or _REFUSED.search(text) or any(word in text for word in _REFUSALS):
        return LakeRefused(f"{what}: {why}; check address, key and rights of [lake]")
    return LakeBusy(f"{what}: {why}; try again")


def _first(text: str) -> str:
    short = text.partition("Debug source")[0].strip()
    return short if len(short) <= 300 else f"{short[:300]}…"
