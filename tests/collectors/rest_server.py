"""A JSON server on loopback whose answers are a function: for stand-ins of any system."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: query and form values are the last ones given of each name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: JSON of `data`, or `raw` bytes."""

    data: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


Say = Callable[[Asked], Any]
"""Gives the data of an answer, or an Answer."""


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class RestServer:
    """Runs until `close`. `asked` keeps every request; `now` is the clock that answers carry."""

    def __init__(self, say: Say, now: Callable[[], datetime] | None = None) -> None:
        self.say, self.now = say, now or (lambda: datetime.now(UTC))
        self.asked: list[Asked] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                asked = self._asked()
                served.asked.append(asked)
                try:
                    said = served.say(asked)
                except Refused as refused:
                    said = refused.answer
                self._send(said if isinstance(said, Answer) else Answer(said))

            do_POST = do_GET  # noqa: N815 the library's name

            def _asked(self) -> Asked:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = urlsplit(self.path)
                form = "x-www-form" in self.headers.get("Content-Type", "")
                body = (dict(parse_qsl(raw.decode())) if form else json.loads(raw)) if raw else None
                query = {k: v[-1] for k, v in parse_qs(parts.query, True).items()}
                path = unquote(parts.path)
                return Asked(
                    self.command, path, query, dict(self.headers), body, served.url + self.path
                )

            def _send(self, answer: Answer) -> None:
                raw = json.dumps(answer.data).encode() if answer.raw is None else answer.raw
                self.send_response_only(answer.status)
                told = {
                    "Date": format_datetime(served.now(), usegmt=True),
                    "Content-Type": "application/json", "Content-Length": str(len(raw)),
                }  # fmt: skip
                for name, value in (told | dict(answer.headers)).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        self.server = _Quiet(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        """Stop."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Refused(Exception):
    """Ends a request with this answer."""

    def __init__(self, status: int, data: Any = None) -> None:
        super().__init__(str(status))
        self.answer = Answer(data if data is not None else {"message": "no"}, status)


def demand(condition: object, why: str) -> None:
    """A strict stand-in refuses what its original would refuse."""
    if not condition:
        raise Refused(400, {"message": why})


def only(asked: Asked, *names: str) -> None:
    """No parameters but these."""
    demand(set(asked.query) <= set(names), f"unknown parameter in {sorted(asked.query)}")
