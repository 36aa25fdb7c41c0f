"""One polite conversation with one origin over HTTP: bounded, retried only where that is safe."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from collectors._answers import JSON_TYPE, Judge, Reply, unreachable
from collectors._auth import Auth
from collectors._pages import pages
from collectors._text import clean
from collectors._waits import wait_of
from collectors.base import Clock, utc_now
from evidence.errors import SourceBroken, SourceBusy, SourceRefused
from evidence.runs import PullFacts

__all__ = ["Auth", "Http", "Reply", "clean", "pages", "wait_of"]

_REDIRECTS = 5
_CHUNK = 1 << 16
_ERROR_BYTES = 1 << 16
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_FORM = "application/x-www-form-urlencoded"


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
    `pace` is the least time between two calls, `headers` go with every call, `resets` are further
    headers that say when a used-up budget is filled again. Every call raises SourceBusy,
    SourceRefused or SourceBroken, with status and path and never with a query or a key. The key
    goes to the origin of `base_url` only; one that was refused is renewed once where it can be.
    """

    base_url: str
    auth: Auth = field(default_factory=Auth)
    connect_timeout: float = 10
    read_timeout: float = 60
    deadline: float = 300
    attempts: int = 4
    patience: timedelta = timedelta(seconds=20)
    max_bytes: int = 64 << 20
    pace: timedelta = timedelta(0)
    headers: Mapping[str, str] = field(default_factory=dict)
    resets: tuple[str, ...] = ()
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False, compare=False)
    jitter: Callable[[], float] = field(
        default=random.SystemRandom().random, repr=False, compare=False
    )
    timer: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)
    clock: Clock = field(default=utc_now, repr=False, compare=False)
    session: requests.Session = field(init=False, repr=False, compare=False)
    _read: list[str] = field(init=False, repr=False, compare=False, default_factory=list)
    _next: list[float] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        scheme, host, _ = _origin(self.base_url)
        if scheme not in {"http", "https"} or not host or "@" in urlsplit(self.base_url).netloc:
            raise SourceRefused(f"{clean(self.base_url)!r} is no plain http(s) address of a source")
        if self.auth.secret and scheme == "http" and host not in _LOOPBACK:
            raise SourceRefused(f"a key is not sent to http://{host} in the clear: use https")
        session = requests.Session()
        session.headers.update({"User-Agent": "headwater", "Accept": JSON_TYPE, **self.headers})
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

    def post_form(self, path: str, fields: Mapping[str, str]) -> Reply:
        """The answer to POST of form fields that only asks, such as for a token (RFC 6749)."""
        body = _Bytes(urlencode(fields).encode(), _FORM, JSON_TYPE)
        return self._ask("POST", path, params=None, body=body, safe=True)

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
        attempt, renewed = 1, False
        while True:
            self._keep_pace()
            try:
                reply = self._once(method, path, params, body)
            except SourceBusy as busy:
                wait = self._pause(busy, attempt)
                if not safe or attempt >= self.attempts or wait > self.patience.total_seconds():
                    raise
            except SourceRefused as refused:
                if renewed or refused.status != requests.codes.unauthorized:
                    raise
                if not self.auth.renew():
                    raise
                renewed = True
                continue
            else:
                self._read.append(reply.sha256)
                return reply
            self.sleep(wait)
            attempt += 1

    def _keep_pace(self) -> None:
        if not self.pace:
            return
        if self._next and (wait := self._next.pop() - self.timer()) > 0:
            self.sleep(wait)
        self._next[:] = [self.timer() + self.pace.total_seconds()]

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
            failed = unreachable(error, what, urlsplit(url).netloc)
            told = str(error)
            failed.__cause__ = error if self.auth.mask(told) == told else None
        else:
            raise SourceBroken(f"{what}: more than {_REDIRECTS} redirects", what=what)
        raise failed  # out here, so that a cause which repeats the key is not its context either

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
        judge = Judge(self.auth.mask, self.clock, self.resets)
        if not 200 <= response.status_code < 300:
            raise judge.failure(
                response, self._body(response, what, _ERROR_BYTES, strict=False), what
            )
        raw = self._body(response, what, self.max_bytes, strict=True)
        return judge.reply(
            response, raw, what, asked.wanted if isinstance(asked, _Bytes) else JSON_TYPE
        )

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


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, parts.hostname or "", port
    except ValueError:
        return "", "", None
