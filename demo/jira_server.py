"""A local Jira Cloud for the demo and the tests: its REST API v3 on loopback."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from demo.jira_api import ROUTES, WRITES, ApiError, Call
from demo.jira_jql import JqlError
from demo.jira_state import State, Store
from demo.jira_story import READER, READER_TOKEN, build, later

__all__ = ["READER", "READER_TOKEN", "Store", "build", "later", "serve"]

Clock = Callable[[], datetime]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one segment: else each answer waits for a delayed ACK
    server: _Server

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        fault = self.server.fault(parts.path)
        if fault:
            self._say(fault["status"], fault["body"].encode(), fault["headers"])
            return
        try:
            status, data = self._route(parts.path, parse_qs(parts.query), raw)
        except JqlError as error:
            status, data = 400, ApiError(400, str(error)).data
        except ApiError as error:
            status, data = error.status, error.data
        self._say(status, b"" if data is None else json.dumps(data).encode(), {})

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 the library's names

    def _route(self, path: str, query: dict[str, list[str]], raw: bytes) -> tuple[int, Any]:
        user = self._user()
        for method, pattern, status, function in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == self.command:
                name = match.group(1) if match.groups() else ""
                with self.server.state(writes=function in WRITES) as state:
                    now, base = self.server.clock(), self.server.base
                    call = Call(state, user, now, base, name, query, _body(raw))
                    return status, function(call)
        raise ApiError(404, "No such resource.")

    def _user(self) -> str:
        kind, _, code = self.headers.get("Authorization", "").partition(" ")
        try:
            email, _, token = base64.b64decode(code, validate=True).decode().partition(":")
        except ValueError:
            email, token = "", ""
        known = self.server.store.read()["users"].get(email, {})
        if kind != "Basic" or not token or known.get("token") != token:
            raise ApiError(401, "Client must be authenticated to access this resource.")
        return email

    def _say(self, status: int, raw: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(raw)))
        for name, value in ({"Content-Type": "application/json;charset=UTF-8"} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the demo's terminal belongs to Headwater."""


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw or b"{}")
    except ValueError as error:
        raise ApiError(400, "There was an error parsing JSON.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "The request body must be an object.")
    return body


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, store: Store, port: int, clock: Clock) -> None:
        self.store, self.clock = store, clock
        super().__init__(("127.0.0.1", port), _Handler)
        self.base = f"http://127.0.0.1:{self.server_address[1]}"

    @contextmanager
    def state(self, *, writes: bool) -> Iterator[State]:
        if not writes:
            yield self.store.read()
            return
        with self.store.change() as state:
            yield state

    def fault(self, path: str) -> dict[str, Any] | None:
        """The fault that this request must meet, if any; it is used up by that."""
        if not any(path.startswith(f["path"]) for f in self.store.read()["faults"]):
            return None
        with self.store.change() as state:
            for fault in state["faults"]:
                if not path.startswith(fault["path"]):
                    continue
                if fault["skip"]:
                    fault["skip"] -= 1
                    return None
                fault["times"] -= 1
                state["faults"] = [f for f in state["faults"] if f["times"]]
                return dict(fault)
        return None


@contextmanager
def serve(folder: Path, port: int = 0, clock: Clock = lambda: datetime.now(UTC)) -> Iterator[str]:
    """Serve what `build` put in the folder, on 127.0.0.1; gives the base URL.

    Changes made to the folder's Store by others show at once. Raises FileNotFoundError.
    """
    if not Store(folder).file.exists():
        raise FileNotFoundError(f"{folder} holds no Jira: call build(folder, now) first")
    server = _Server(Store(folder), port, clock)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.base
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
