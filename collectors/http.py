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
from urllib3.exceptions import HTTPError

from collectors._answers import ANYTHING, JSON_TYPE, Judge, Reply, unreachable
from collectors._auth import Auth
from collectors._pages import pages
from collectors._text import clean
from collectors._waits import wait_of
from collectors.base import Clock, tell, utc_now
from evidence.errors import SourceBroken, SourceBusy, SourceRefused
from evidence.runs import PullFacts

__all__ = ["Auth", "Http", "Reply", "clean", "pages", "wait_of"]

Headers = Mapping[str, str]

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


@dataclass(frozen=True, slots=True)
class _Call:
    """One question. It is asked again only if it is `safe`: it only reads."""

    method: str
    path: str
    params: Mapping[str, Any] | None
    body: Any = None
    headers: Headers = field(default_factory=dict)
    safe: bool = True


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
        # What the environment says of proxies and certificates, asked once: it is one origin.
        said = session.merge_environment_settings(self.base_url, {}, None, None, None)
        session.proxies, session.verify, session.trust_env = said["proxies"], said["verify"], False
        object.__setattr__(self, "session", session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.session.close()

    def get(
        self, path: str, params: Mapping[str, Any] | None = None, headers: Headers | None = None
    ) -> Reply:
        """The answer to GET. `path` is below `base_url`, or an address of the same origin;
        `headers` go with this call only."""
        return self._ask(_Call("GET", path, params, headers=headers or {}))

    def post(
        self, path: str, body: Any, *, safe: bool = False, headers: Headers | None = None
    ) -> Reply:
        """The answer to POST of a JSON body; `safe` says that it only reads, `headers` go with this
        call only."""
        return self._ask(_Call("POST", path, None, body, headers or {}, safe))

    def post_form(
        self, path: str, fields: Mapping[str, str], headers: Headers | None = None
    ) -> Reply:
        """The answer to POST of form fields that only asks, such as for a token (RFC 6749);
        `headers` go with this call only."""
        body = _Bytes(urlencode(fields).encode(), _FORM, JSON_TYPE)
        return self._ask(_Call("POST", path, None, body, headers or {}))

    def post_bytes(self, path: str, body: bytes, *, sent: str, wanted: str) -> bytes:
        """The body of the answer to POST of bytes that only asks; `sent` and `wanted` are media
        types."""
        reply = self._ask(_Call("POST", path, None, _Bytes(body, sent, wanted)))
        return bytes(reply.data)

    def send(
        self, method: str, path: str, content: bytes, *, sent: str, headers: Headers | None = None,
        safe: bool = True,
    ) -> Reply:  # fmt: skip
        """Hand bytes of media type `sent` over; the answer's `data` are its bytes, whatever they
        are. Where `safe`, sent again while the receiver is busy: it may get them twice."""
        body = _Bytes(content, sent, ANYTHING)
        return self._ask(_Call(method, path, None, body, headers or {}, safe))

    def taken(self) -> PullFacts:
        """Pages and digests of the good answers since this was asked last."""
        facts = PullFacts(pages=len(self._read), raw_sha256=tuple(self._read))
        self._read.clear()
        return facts

    def _ask(self, call: _Call) -> Reply:
        attempt, renewed = 1, False
        while True:
            self._keep_pace()
            try:
                reply = self._once(call)
            except SourceBusy as busy:
                wait = self._pause(busy, attempt)
                tried = not call.safe or attempt >= self.attempts
                if tried or wait > self.patience.total_seconds():
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
                tell(self._what(call))
                return reply
            tell(self._what(call), wait)
            self.sleep(wait)
            attempt += 1

    def _what(self, call: _Call) -> str:
        """What was asked, for people: some addresses are themselves the key."""
        return self.auth.mask(f"{call.method} {urlsplit(call.path).path}")

    def _keep_pace(self) -> None:
        if not self.pace:
            return
        if self._next and (wait := self._next.pop() - self.timer()) > 0:
            tell("its own pace", wait)
            self.sleep(wait)
        self._next[:] = [self.timer() + self.pace.total_seconds()]

    def _pause(self, busy: SourceBusy, attempt: int) -> float:
        if busy.retry_after is not None:
            return busy.retry_after.total_seconds() + self.jitter()
        return float(0.5 * 2 ** (attempt - 1) * (0.5 + self.jitter()))

    def _once(self, call: _Call) -> Reply:
        url, what = self._url(call.path), self._what(call)
        params = call.params
        try:
            for _ in range(_REDIRECTS):
                with self._send(call, url, params) as response:
                    if not response.is_redirect:
                        return self._reply(response, what, call.body)
                    url, params = self._moved(response, what), None
        except (requests.RequestException, HTTPError) as error:
            failed = unreachable(error, what, urlsplit(url).netloc)
            told = str(error)
            failed.__cause__ = error if self.auth.mask(told) == told else None
        else:
            raise SourceBroken(f"{what}: more than {_REDIRECTS} redirects", what=what)
        raise failed  # out here, so that a cause which repeats the key is not its context either

    def _send(self, call: _Call, url: str, params: Mapping[str, Any] | None) -> requests.Response:
        body, headers = call.body, dict(call.headers)
        given: dict[str, Any] = {"json": body}
        if isinstance(body, _Bytes):
            headers |= {"Content-Type": body.sent, "Accept": body.wanted}
            given = {"data": body.content}
        return self.session.request(
            call.method, url, headers=headers, params=params, auth=self.auth, stream=True,
            allow_redirects=False, timeout=(self.connect_timeout, self.read_timeout), **given,
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
        while chunk := response.raw.read1(_CHUNK, decode_content=True):  # whatever is there: a
            raw += chunk  # read of so much would wait for all of it, however slowly it comes
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
