"""A proxy on loopback that passes answers on as they are, until it is told how to spoil them."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOPS = {"connection", "content-length", "transfer-encoding", "server", "date"}
_CLOSE = struct.pack("ii", 1, 0)
_BOMB = 65 << 20
"""More than one answer may hold."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer on its way: `length` is what it says of itself, `sent` how much of the body goes
    out (None: all), `then` what happens after that: keep, close, reset, stall or trickle."""

    asked: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    length: int | None
    sent: int | None = None
    then: str = "keep"

    def saying(self, body: bytes, *headers: tuple[str, str], status: int | None = None) -> Answer:
        """The same with another body, further headers and perhaps another status."""
        names = {name.lower() for name, _ in headers}
        kept = tuple(pair for pair in self.headers if pair[0].lower() not in names)
        return replace(
            self, body=body, length=len(body), headers=kept + headers, status=status or self.status
        )


Spoil = Callable[[Answer], Answer]


class Proxy:
    """Runs until `close`. Answers number `first` up to before `last` are spoilt, counted from 0,
    unless they are errors by themselves; `passed` counts all since `clear`."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.spoil: Spoil | None = None
        self.first = self.last = self.passed = 0
        self.released = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                proxy.send(self, proxy.answer(self.command, self.path, dict(self.headers), body))

            do_POST = do_GET  # noqa: N815 the library's name

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is no news."""

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def clear(self, spoil: Spoil | None = None, first: int = 0, last: int = 10**9) -> None:
        """From now on spoil these answers so."""
        self.released.set()
        self.released = threading.Event()
        self.spoil, self.first, self.last, self.passed = spoil, first, last, 0

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """What the source says, with its address replaced by ours, spoilt if it is its turn."""
        link = http.client.HTTPConnection(str(self.upstream.hostname), self.upstream.port)
        headers = {k: v for k, v in headers.items() if k.lower() not in {"host", "accept-encoding"}}
        link.request(method, path, body or None, headers)
        got = link.getresponse()
        raw = self._ours(got.read())
        link.close()
        kept = tuple((k, v) for k, v in got.getheaders() if k.lower() not in _HOPS)
        kept = tuple((k, self._ours(v.encode()).decode()) for k, v in kept)
        kept += (("Date", got.headers["Date"]),) if got.headers["Date"] else ()
        made = Answer(f"{method} {path.partition('?')[0]}", got.status, kept, raw, len(raw))
        number, self.passed = self.passed, self.passed + 1
        turn = self.first <= number < self.last and made.status < 400
        return self.spoil(made) if self.spoil and turn else made

    def _ours(self, text: bytes) -> bytes:
        return text.replace(f"http://{self.upstream.netloc}".encode(), self.url.encode())

    def send(self, to: BaseHTTPRequestHandler, answer: Answer) -> None:
        """Put it on the wire."""
        to.send_response_only(answer.status)
        for name, value in answer.headers:
            to.send_header(name, value)
        if answer.length is None:
            to.send_header("Connection", "close")
        else:
            to.send_header("Content-Length", str(answer.length))
        to.end_headers()
        to.wfile.write(answer.body[: answer.sent])
        to.wfile.flush()
        to.close_connection = answer.then != "keep" or answer.length is None
        if answer.then == "reset":
            to.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE)
            to.connection.close()
        elif answer.then == "stall":
            self.released.wait(60)
        elif answer.then == "trickle":
            released = self.released
            for at in range(answer.sent or 0, len(answer.body)):
                if released.wait(0.02):
                    return
                to.wfile.write(answer.body[at : at + 1])
                to.wfile.flush()

    def close(self) -> None:
        """Stop."""
        self.clear()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def half(then: str) -> Spoil:
    """Half of the body, of which all was announced."""
    return lambda answer: replace(answer, sent=len(answer.body) // 2, then=then)


def half_as_whole(answer: Answer) -> Answer:
    """Half of the body as if it were all: status 200, length right."""
    return answer.saying(answer.body[: len(answer.body) // 2])


def without_length(answer: Answer) -> Answer:
    """Half of the body, ended by the end of the connection, which looks like a good end."""
    return replace(answer.saying(answer.body[: len(answer.body) // 2]), length=None)


def too_short(answer: Answer) -> Answer:
    """All of the body, of which less was announced."""
    return replace(answer, length=max(len(answer.body) - 7, 0), then="close")


def too_long(answer: Answer) -> Answer:
    """All of the body, of which more was announced."""
    return replace(answer, length=len(answer.body) + 7, then="close")


def status(code: int, *headers: tuple[str, str], body: bytes = b"{}") -> Spoil:
    """Another status."""
    return lambda answer: answer.saying(body, *headers, status=code)


def in_place(body: bytes, kind: str = "application/json") -> Spoil:
    """Status 200 with something else in the body."""
    return lambda answer: answer.saying(body, ("Content-Type", kind))


def bomb(answer: Answer) -> Answer:
    """A few kB that become more than one answer may hold."""
    return answer.saying(_bomb(), ("Content-Encoding", "gzip"))


def _bomb(kept: list[bytes] = []) -> bytes:  # noqa: B006  made once: it takes a while
    if not kept:
        kept.append(gzip.compress(b'["' + b"x" * _BOMB + b'"]', 1))
    return kept[0]


def zipped(part: float, spoilt: bool) -> Spoil:
    """Compressed, but not whole, or not as it was."""

    def spoil(answer: Answer) -> Answer:
        raw = gzip.compress(answer.body)
        raw = raw[: int(len(raw) * part)]
        if spoilt:
            raw = raw[:12] + bytes(255 - byte for byte in raw[12:])
        return answer.saying(raw, ("Content-Encoding", "gzip"))

    return spoil


@dataclass
class Again:
    """Says of each list what it said first, whatever page is asked for; with `anew` it names
    another next page each time, so that the list has no end."""

    anew: bool
    first: dict[str, Answer] = field(default_factory=dict)
    count: int = 1

    def __call__(self, answer: Answer) -> Answer:
        known = self.first.setdefault(answer.asked, answer)
        if not self.anew:
            return known
        self.count += 1
        link = re.sub(r"([?&]page=)\d+", rf"\g<1>{self.count}", dict(known.headers).get("Link", ""))
        told = json.loads(known.body or b"null")
        if isinstance(told, dict) and "nextPageToken" in told:
            told["nextPageToken"] = f"token-{self.count}"
            told["isLast"] = False
        return known.saying(json.dumps(told).encode(), *((("Link", link),) if link else ()))
