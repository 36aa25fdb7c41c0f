"""MLflow's REST API over HTTP: no retries here, no redirects, every refusal named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests import exceptions as said

from collectors._mlflow.artifacts import STEP, digest_of
from collectors._mlflow.store import Absent, Answer, Keys, answer_of
from evidence.errors import SourceBroken, SourceBusy, SourceError, SourceRefused

GETS = {
    "runs/get", "registered-models/search", "model-versions/search", "metrics/get-history",
    "artifacts/list",
}  # fmt: skip
THIRD = {"traces/search"}
CONNECT_AND_READ = (5.0, 60.0)
# One page; more than this is a page_size set too high, not a reason to swap.
MOST_BYTES = 128 * 2**20


class _Auth(requests.auth.AuthBase):
    """Sets exactly our header, so that a ~/.netrc cannot put in another."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if header := self._keys.header():
            request.headers["Authorization"] = header
        return request


@dataclass
class HttpDoor:
    """A session with one tracking server. `uri` is without a slash at the end."""

    uri: str
    keys: Keys
    session: requests.Session = field(default_factory=requests.Session, repr=False)
    _version: str = field(default="", init=False)

    @property
    def identity(self) -> str:
        """As whom the server is asked."""
        return self.keys.who

    @property
    def api_version(self) -> str:
        """What the server calls itself, asked once; `REST 2.0` where it has no /version."""
        if not self._version:
            try:
                self._version = f"mlflow {self._send('GET', '/version').decode()[:40].strip()}"
            except (Absent, SourceRefused, UnicodeDecodeError):
                self._version = "REST 2.0"
        return self._version

    def ask(self, call: str, body: Mapping[str, Any]) -> Answer:
        """One REST call. Raises SourceBusy, SourceRefused, Absent or SourceBroken."""
        path = f"/api/{'3.0' if call in THIRD else '2.0'}/mlflow/{call}"
        if call in GETS:
            return answer_of(self._send("GET", path, params=dict(body)))
        return answer_of(self._send("POST", path, json=dict(body)))

    def sha256(self, run_id: str, path: str, most: int) -> str:
        """The digest of a file that the server gives. Raises as `ask` does."""
        asked = {"run_id": run_id, "path": path}
        with self._opened("GET", "/get-artifact", params=asked) as response:
            if response.status_code != 200:
                _judge(response, _read(response, path), path)
            return digest_of(response.iter_content(STEP), most)

    def close(self) -> None:
        """Give the connections back."""
        self.session.close()

    def _send(self, method: str, path: str, **content: Any) -> bytes:
        with self._opened(method, path, **content) as response:
            raw = _read(response, path)
            _judge(response, raw, path)
            return raw

    @contextmanager
    def _opened(self, method: str, path: str, **content: Any) -> Iterator[requests.Response]:
        try:
            with self.session.request(
                method, self.uri + path, auth=_Auth(self.keys), timeout=CONNECT_AND_READ,
                allow_redirects=False, stream=True, **content,
            ) as response:  # fmt: skip
                yield response
        except (said.SSLError, said.InvalidURL, said.InvalidSchema, said.InvalidHeader) as error:
            raise SourceRefused(f"MLflow cannot be reached safely: {error}", what=path) from error
        except said.RequestException as error:
            raise SourceBusy(f"MLflow does not answer: {error}", what=path) from error


def _read(response: requests.Response, path: str) -> bytes:
    raw = bytearray()
    for chunk in response.iter_content(STEP):
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise SourceBroken(f"an answer over {MOST_BYTES} bytes; lower page_size", what=path)
    return bytes(raw)


def _judge(response: requests.Response, raw: bytes, path: str) -> None:
    status = response.status_code
    if status == 200:
        return
    code, message = _complaint(raw)
    text = f"MLflow answered {status} {code}: {message}".rstrip(": ")
    if status == 404 and code == "RESOURCE_DOES_NOT_EXIST":
        raise Absent(text)
    if status == 429 or status >= 500:
        raise SourceBusy(text, what=path, retry_after=_wait(response))
    if status in {401, 403, 404} or 300 <= status < 400:
        where = response.headers.get("Location", "")
        hint = f"; it points to {where[:200]}: give the final address" if where else ""
        raise SourceRefused(text + hint, what=path)
    raise SourceBroken(text, what=path)


def _complaint(raw: bytes) -> tuple[str, str]:
    """MLflow's own error code and message, if that is what came."""
    try:
        body = answer_of(raw).body
    except SourceError:
        return "", ""
    return str(body.get("error_code", ""))[:60], " ".join(str(body.get("message", "")).split())[
        :300
    ]


def _wait(response: requests.Response) -> timedelta | None:
    """Retry-After in seconds or as a date; None when absent or unreadable."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return timedelta(seconds=min(int(text), 86_400))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    wait = until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)
    return max(wait, timedelta(0))
