"""Receivers of alerts on the loopback interface: one that answers as told, and a small Jira."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Got:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Say:
    """How one request is answered; `delay` seconds pass before."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


@dataclass
class Receiver:
    """What came, and what is answered: the next of `script`, else `usual`."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    script: deque[Say] = field(default_factory=deque)
    usual: Say = field(default_factory=Say)

    def answer(self, got: Got) -> Say:
        return self.script.popleft() if self.script else self.usual


@dataclass
class SmallJira(Receiver):
    """Issues that are created, found by label, commented and moved."""

    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: dict[str, list[Any]] = field(default_factory=dict)
    ways: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"id": "11", "to": {"name": "Doing", "statusCategory": {"key": "indeterminate"}}},
            {"id": "31", "to": {"name": "Done", "statusCategory": {"key": "done"}}},
        ]
    )

    def answer(self, got: Got) -> Say:
        if self.script:
            return self.script.popleft()
        parts = urlsplit(got.path)
        words = parts.path.removeprefix("/rest/api/").split("/")[1:]
        return self._answer(got, words, parse_qs(parts.query))

    def _answer(self, got: Got, words: list[str], query: dict[str, list[str]]) -> Say:
        if words[0] == "search":
            jql = query["jql"][0]
            found = [
                {"key": key} for key, fields in self.issues.items()
                if fields["status"]["statusCategory"]["key"] != "done"
                and any(f'labels = "{label}"' in jql for label in fields["labels"])
            ]  # fmt: skip
            return _json(200, {"issues": found})
        if words == ["issue"]:
            key = f"GOV-{len(self.issues) + 1}"
            status = {"name": "To Do", "statusCategory": {"key": "new"}}
            self.issues[key] = got.json["fields"] | {"status": status}
            return _json(201, {"id": "1", "key": key})
        if words[1] not in self.issues:
            return _json(404, {"errorMessages": ["Issue does not exist"]})
        return self._issue(got, words[1], words[2:])

    def _issue(self, got: Got, key: str, what: list[str]) -> Say:
        if not what:
            return _json(200, {"key": key, "fields": self.issues[key]})
        if what == ["comment"]:
            self.comments.setdefault(key, []).append(got.json["body"])
            return _json(201, {"id": "7"})
        if got.method == "GET":
            return _json(200, {"transitions": self.ways})
        (way,) = (w for w in self.ways if w["id"] == got.json["transition"]["id"])
        self.issues[key]["status"] = way["to"]
        return Say(204, b"")


def _json(status: int, body: Any) -> Say:
    return Say(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


@contextmanager
def listening(receiver: Receiver) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            got = Got(self.command, self.path, dict(self.headers), self.rfile.read(size))
            receiver.got.append(got)
            said = receiver.answer(got)
            time.sleep(said.delay)
            try:
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                if said.status != 204:
                    self.send_header("Content-Length", str(len(said.body)))
                self.end_headers()
                self.wfile.write(said.body)
            except OSError:
                return  # whoever asked did not wait

        do_POST = do_PUT = do_PATCH = do_GET = _take  # noqa: N815

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
