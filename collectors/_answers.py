"""What an HTTP answer means: data, a request for patience, a refusal, or something not understood.

Nothing that is told repeats a query or a key: messages hold method, path, status and, masked, what
the source itself said.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from collectors._json import parsed
from collectors._lines import TYPES, read_lines
from collectors._text import clean
from collectors._waits import moment_of, wait_of
from collectors.base import Clock
from evidence.errors import SourceBroken, SourceBusy, SourceError, SourceRefused

JSON_TYPE = "application/json"
ANYTHING = "*/*"
_GUARD = ")]}'"
"""What some servers (Gerrit) write in a line before their JSON, so that it is no script."""
_BUSY = {408, 425, 429}
_UNSUPPORTED = {501, 505}
_REFUSED = {
    401: "check the account and its key",
    402: "the plan of this account does not include it",
    403: "the account lacks the permission",
    404: "it does not exist, or the account may not see it",
    407: "the proxy wants a key",
    410: "it was removed for good",
    451: "it is withheld for legal reasons",
}
_UNSAID = timedelta(minutes=1)
"""How long a limit lasts that is told as 403 without any header: what GitHub's secondary ones ask
for at least."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One good answer: its JSON (or the bytes asked for), its headers, the SHA-256 of its body
    after content decoding. `data` is None for 204, which has no body."""

    data: Any
    status: int
    headers: Mapping[str, str]
    sha256: str

    @property
    def date(self) -> datetime | None:
        """The source's own clock when it answered, as far as it says."""
        return moment_of(self.headers.get("Date", ""))


@dataclass(frozen=True, slots=True)
class Judge:
    """Reads the answers of one origin: `mask` hides keys, `resets` are further headers that say
    when a used-up budget is filled again."""

    mask: Callable[[str], str]
    clock: Clock
    resets: tuple[str, ...] = ()

    def reply(self, response: requests.Response, raw: bytes, what: str, wanted: str) -> Reply:
        """A good answer, read as `wanted` (a media type). Raises SourceError."""
        data: Any = None
        if wanted != JSON_TYPE:
            data = self._plain(response, raw, what, wanted)
        elif response.status_code != requests.codes.no_content:
            data = self._json(response, raw, what)
        digest = hashlib.sha256(raw).hexdigest()
        return Reply(data, response.status_code, response.headers, digest)

    def failure(self, response: requests.Response, raw: bytes, what: str) -> SourceError:
        """The error that a status outside 200 to 299 stands for."""
        status, told = response.status_code, self._told(response, raw)
        message = f"{what}: HTTP {status}{told and f' ({told})'}"
        if _throttled(response, raw) or (status >= 500 and status not in _UNSUPPORTED):
            wait = wait_of(response.headers, self.clock(), self.resets)
            if wait is None and status == requests.codes.forbidden:
                wait = _UNSAID
            return SourceBusy(message, what=what, retry_after=wait, status=status)
        if status in _REFUSED:
            return SourceRefused(f"{message}: {_REFUSED[status]}", what=what, status=status)
        return SourceBroken(
            f"{message}: the source does not understand the request", what=what, status=status
        )

    def _told(self, response: requests.Response, raw: bytes) -> str:
        text = raw.decode("utf-8", "replace")
        if _is_html(response, text):
            title = re.search(r"<title[^>]*>(.*?)</title", text, re.I | re.S)
            text = f"HTML page {title.group(1).strip()!r}" if title else "HTML page"
        return clean(self.mask(text))

    def _plain(self, response: requests.Response, raw: bytes, what: str, wanted: str) -> bytes:
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if wanted in {kind, ANYTHING}:
            return raw
        told = self._told(response, raw[:200]) if kind.startswith("text/") else kind or "no type"
        raise SourceRefused(f"{what}: {clean(told)} in place of {wanted}: not this address")

    def _json(self, response: requests.Response, raw: bytes, what: str) -> Any:
        text = raw.decode("utf-8-sig", "replace")
        if text.startswith(_GUARD):
            text = text.partition("\n")[2]
        if _is_html(response, text):
            told = self._told(response, raw)
            raise SourceRefused(f"{what}: {told} in place of JSON: signed out, or not this address")
        kind = _asked_kind(response)
        try:
            return read_lines(kind, text, parsed) if kind else parsed(text)
        except (ValueError, RecursionError) as error:
            if kind:
                told = clean(str(error), 80)
                raise SourceBroken(f"{what}: not {kind} ({told})", what=what) from error
            if _cut_short(text, error):
                raise SourceBusy(f"{what}: JSON ends too early ({len(raw)} bytes)") from error
            raise SourceBroken(f"{what}: not JSON ({clean(str(error), 80)})", what=what) from error


def unreachable(error: requests.RequestException | HTTPError, what: str, host: str) -> SourceError:
    """Named by kind only: the text of a connection error repeats the whole query."""
    name = type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return SourceRefused(f"{what}: the certificate of {host} is not trusted", what=what)
    if isinstance(error, ValueError):
        return SourceRefused(f"{what}: {host} cannot be asked ({name}): check the address")
    return SourceBusy(f"{what}: no whole answer from {host} ({name})", what=what)


def _asked_kind(response: requests.Response) -> str:
    """The media type of lines or columns that was asked for by name and came; '' for JSON."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    accepted = str(response.request.headers.get("Accept", ""))
    return kind if kind in TYPES and kind in accepted.lower() else ""


def _throttled(response: requests.Response, raw: bytes) -> bool:
    if response.status_code in _BUSY:
        return True
    if response.status_code == requests.codes.bad_request and b'"RATELIMITED"' in raw:
        return True  # how GraphQL servers tell it that know no status but 400
    limited = "Retry-After" in response.headers or b"rate limit" in raw.lower()
    spent = response.headers.get("X-RateLimit-Remaining") == "0"
    return response.status_code == requests.codes.forbidden and (limited or spent)


def _is_html(response: requests.Response, text: str) -> bool:
    kind = response.headers.get("Content-Type", "")
    return "html" in kind or text.lstrip()[:1] == "<"


def _cut_short(text: str, error: Exception) -> bool:
    end = text.rstrip()
    at_end = isinstance(error, json.JSONDecodeError) and error.pos >= len(end)
    return at_end or end[-1:] not in {"}", "]"}
