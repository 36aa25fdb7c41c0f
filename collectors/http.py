"""One polite conversation with one origin over HTTP: bounded, retried only where that is safe."""

from __future__ import annotations

import hashlib
import json
import random
import re
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests

from collectors._auth import Auth
from collectors._waits import moment_of, wait_of
from collectors.base import Clock, utc_now
from evidence.errors import SourceBroken, SourceBusy, SourceError, SourceRefused
from evidence.runs import PullFacts

__all__ = ["Auth", "Http", "Reply", "clean", "pages", "wait_of"]

_REDIRECTS = 5
_CHUNK = 1 << 16
_ERROR_BYTES = 1 << 16
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
_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def clean(text: str, limit: int = 200) -> str:
    """A stranger's text as one line: no control or direction marks, at most `limit` characters."""
    kept = (
        " " if char in _BIDI or unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char
        for char in text[: limit * 4]
    )
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Reply:
    """One good answer: its JSON (or the bytes asked for), its headers, the SHA-256 of its body
    after content decoding."""

    data: Any
    status: int
    headers: Mapping[str, str]
    sha256: str

    @property
    def date(self) -> datetime | None:
        """The source's own clock when it answered, as far as it says."""
        return moment_of(self.headers.get("Date", ""))


@dataclass(frozen=True, slots=True)
class _Bytes:
    """A request's body that is no JSON, its media type, and that of the answer."""

    content: bytes
    sent: str
    wanted: str


@dataclass(frozen=True)
class Http:
    """JSON from one origin. Open it with `with`; times are in seconds, sizes in bytes.

    Safe calls (GET, and POST that is said to be safe) are tried `attempts` times as long as the
    wait stays within `patience`; longer waits are the caller's: SourceBusy carries `retry_after`.
    Every call raises SourceBusy, SourceRefused or SourceBroken, with status and path and never
    with a query or a key. The key goes to the origin of `base_url` only.
    """

    base_url: str
    auth: Auth = field(default_factory=Auth)
    connect_timeout: float = 10
    read_timeout: float = 60
    deadline: float = 300
    attempts: int = 4
    patience: timedelta = timedelta(seconds=20)
    max_bytes: int = 64 << 20
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False, compare=False)
    jitter: Callable[[], float] = field(
        default=random.SystemRandom().random, repr=False, compare=False
    )
    timer: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)
    clock: Clock = field(default=utc_now, repr=False, compare=False)
    session: requests.Session = field(init=False, repr=False, compare=False)
    _read: list[str] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        scheme, host, _ = _origin(self.base_url)
        if scheme not in {"http", "https"} or not host or "@" in urlsplit(self.base_url).netloc:
            raise SourceRefused(f"{clean(self.base_url)!r} is no plain http(s) address of a source")
        if self.auth.headers and scheme == "http" and host not in _LOOPBACK:
            raise SourceRefused(f"a key is not sent to http://{host} in the clear: use https")
        session = requests.Session()
        session.headers.update({"User-Agent": "headwater", "Accept": "application/json"})
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        object.__setattr__(self, "session", session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.session.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Reply:
        """The answer to GET. `path` is below `base_url`, or an address of the same origin."""
        return self._ask("GET", path, params=params, body=None, safe=True)

    def post(self, path: str, body: Any, *, safe: bool = False) -> Reply:
        """The answer to POST of a JSON body; `safe` says that it only reads."""
        return self._ask("POST", path, params=None, body=body, safe=safe)

    def post_bytes(self, path: str, body: bytes, *, sent: str, wanted: str) -> bytes:
        """The body of the answer to POST of bytes that only asks; `sent` and `wanted` are media
        types."""
        reply = self._ask("POST", path, params=None, body=_Bytes(body, sent, wanted), safe=True)
        return bytes(reply.data)

    def taken(self) -> PullFacts:
        """Pages and digests of the good answers since this was asked last."""
        facts = PullFacts(pages=len(self._read), raw_sha256=tuple(self._read))
        self._read.clear()
        return facts

    def _ask(
        self, method: str, path: str, *, params: Mapping[str, Any] | None, body: Any, safe: bool
    ) -> Reply:
        attempt = 1
        while True:
            try:
                reply = self._once(method, path, params, body)
            except SourceBusy as busy:
                wait = self._pause(busy, attempt)
                if not safe or attempt >= self.attempts or wait > self.patience.total_seconds():
                    raise
            else:
                self._read.append(reply.sha256)
                return reply
            self.sleep(wait)
            attempt += 1

    def _pause(self, busy: SourceBusy, attempt: int) -> float:
        if busy.retry_after is not None:
            return busy.retry_after.total_seconds() + self.jitter()
        return float(0.5 * 2 ** (attempt - 1) * (0.5 + self.jitter()))

    def _once(self, method: str, path: str, params: Mapping[str, Any] | None, body: Any) -> Reply:
        url, what = self._url(path), f"{method} {urlsplit(path).path}"
        try:
            for _ in range(_REDIRECTS):
                with self._send(method, url, params, body) as response:
                    if not response.is_redirect:
                        return self._reply(response, what, body)
                    url, params = self._moved(response, what), None
        except requests.RequestException as error:
            raise _unreachable(error, what, urlsplit(url).netloc) from error
        raise SourceBroken(f"{what}: more than {_REDIRECTS} redirects", what=what)

    def _send(
        self, method: str, url: str, params: Mapping[str, Any] | None, body: Any
    ) -> requests.Response:
        given: dict[str, Any] = {"json": body}
        if isinstance(body, _Bytes):
            headers = {"Content-Type": body.sent, "Accept": body.wanted}
            given = {"data": body.content, "headers": headers}
        return self.session.request(
            method, url, params=params, auth=self.auth, stream=True, allow_redirects=False,
            timeout=(self.connect_timeout, self.read_timeout), **given,
        )  # fmt: skip

    def _url(self, path: str) -> str:
        if path.startswith("/"):
            return self.base_url.rstrip("/") + path
        if _origin(path) != _origin(self.base_url):
            raise SourceBroken(f"{clean(urlsplit(path).netloc)} is another origin: not followed")
        return path

    def _moved(self, response: requests.Response, what: str) -> str:
        target = urljoin(response.url, response.headers["Location"])
        if _origin(target) != _origin(self.base_url):
            where = clean(urlsplit(target).netloc, 100)
            raise SourceRefused(f"{what}: redirects to {where}, not followed: check the address")
        if response.request.method != "GET" and response.status_code not in {307, 308}:
            raise SourceRefused(f"{what}: redirects to {clean(urlsplit(target).path, 100)}")
        return target

    def _reply(self, response: requests.Response, what: str, asked: Any) -> Reply:
        good = 200 <= response.status_code < 300
        raw = self._body(response, what, self.max_bytes if good else _ERROR_BYTES, strict=good)
        if not good:
            raise self._failure(response, raw, what)
        wanted = asked.wanted if isinstance(asked, _Bytes) else ""
        data = (
            self._plain(response, raw, what, wanted) if wanted else self._json(response, raw, what)
        )
        digest = hashlib.sha256(raw).hexdigest()
        return Reply(data, response.status_code, response.headers, digest)

    def _body(self, response: requests.Response, what: str, cap: int, *, strict: bool) -> bytes:
        raw, end = bytearray(), self.timer() + self.deadline
        for chunk in response.iter_content(_CHUNK):
            raw += chunk
            if len(raw) > cap:
                if not strict:
                    break
                raise SourceBroken(f"{what}: answer over {cap} bytes: ask for less a page")
            if self.timer() > end:
                raise SourceBusy(f"{what}: answer not whole after {self.deadline:g} s", what=what)
        return bytes(raw[:cap])

    def _failure(self, response: requests.Response, raw: bytes, what: str) -> SourceError:
        status, told = response.status_code, self._told(response, raw)
        message = f"{what}: HTTP {status}{told and f' ({told})'}"
        if _throttled(response, raw) or (status >= 500 and status not in _UNSUPPORTED):
            wait = wait_of(response.headers, self.clock())
            return SourceBusy(message, what=what, retry_after=wait)
        if status in _REFUSED:
            return SourceRefused(f"{message}: {_REFUSED[status]}", what=what)
        return SourceBroken(f"{message}: the source does not understand the request", what=what)

    def _told(self, response: requests.Response, raw: bytes) -> str:
        text = raw.decode("utf-8", "replace")
        if _is_html(response, text):
            title = re.search(r"<title[^>]*>(.*?)</title", text, re.I | re.S)
            text = f"HTML page {title.group(1).strip()!r}" if title else "HTML page"
        return clean(self.auth.mask(text))

    def _plain(self, response: requests.Response, raw: bytes, what: str, wanted: str) -> bytes:
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == wanted:
            return raw
        told = self._told(response, raw[:200]) if kind.startswith("text/") else kind or "no type"
        raise SourceRefused(f"{what}: {clean(told)} in place of {wanted}: not this address")

    def _json(self, response: requests.Response, raw: bytes, what: str) -> Any:
        text = raw.decode("utf-8-sig", "replace")
        if _is_html(response, text):
            told = self._told(response, raw)
            raise SourceRefused(f"{what}: {told} in place of JSON: signed out, or not this address")
        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            if _cut_short(text, error):
                raise SourceBusy(f"{what}: JSON ends too early ({len(raw)} bytes)") from error
            raise SourceBroken(f"{what}: not JSON ({clean(str(error), 80)})", what=what) from error


def pages(
    fetch: Callable[[str], Reply], token_of: Callable[[Any], str], *, what: str, cap: int = 10_000
) -> Iterator[Reply]:
    """Every page, from the one for token '' until `token_of` its JSON is ''.

    Raises SourceBroken when a token comes twice (the walk would never end) or after `cap` pages.
    """
    seen, token = {""}, ""
    for _ in range(cap):
        reply = fetch(token)
        token = token_of(reply.data)
        yield reply
        if not token:
            return
        if token in seen:
            raise SourceBroken(f"{what}: the page token repeats, so the end is never reached")
        seen.add(token)
    raise SourceBroken(f"{what}: no end after {cap} pages")


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, parts.hostname or "", port
    except ValueError:
        return "", "", None


def _unreachable(error: requests.RequestException, what: str, host: str) -> SourceError:
    """Named by kind only: the text of a connection error repeats the whole query."""
    name = type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return SourceRefused(f"{what}: the certificate of {host} is not trusted", what=what)
    if isinstance(error, ValueError):
        return SourceRefused(f"{what}: {host} cannot be asked ({name}): check the address")
    return SourceBusy(f"{what}: no whole answer from {host} ({name})", what=what)


def _throttled(response: requests.Response, raw: bytes) -> bool:
    if response.status_code in _BUSY:
        return True
    limited = "Retry-After" in response.headers or b"rate limit" in raw.lower()
    spent = response.headers.get("X-RateLimit-Remaining") == "0"
    return response.status_code == 403 and (limited or spent)


def _is_html(response: requests.Response, text: str) -> bool:
    kind = response.headers.get("Content-Type", "")
    return "html" in kind or text.lstrip()[:1] == "<"


def _cut_short(text: str, error: Exception) -> bool:
    end = text.rstrip()
    at_end = isinstance(error, json.JSONDecodeError) and error.pos >= len(end)
    return at_end or end[-1:] not in {"}", "]"}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
