"""An OpenAI-compatible endpoint on this machine, that is honest until a test bends it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mappings.catalogue import load_catalogue
from mappings.suggest.asks import asks
from mappings.suggest.words import Words

KEY = "sk-a-key-that-nobody-may-see"
_WORDS = Words(asks(load_catalogue()))


@dataclass
class Played:
    """What the endpoint was asked, and how it answers: `bend` gets path and body, and gives status,
    headers and body; None: as an honest one does. `says` is what its language model answers."""

    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    says: Callable[[dict[str, Any]], str] = lambda record: '{"proposals": []}'
    bend: Callable[[str, dict[str, Any]], tuple[int, dict[str, str], bytes] | None] = (
        lambda path, body: None
    )

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        if (bent := self.bend(path, body)) is not None:
            return bent
        if path == "/v1/embeddings":
            vectors = _WORDS.embed(body["input"])
            rows = [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]
            return 200, {}, json.dumps({"data": rows[::-1]}).encode()
        record = json.loads(body["messages"][1]["content"])
        message = {"role": "assistant", "content": self.says(record)}
        return 200, {}, json.dumps({"choices": [{"message": message}]}).encode()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked may have gone: that is what some tests are about."""


@contextmanager
def endpoint() -> Iterator[Played]:
    """One that listens until the end of the `with`."""
    played = Played()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers.get("Authorization") != f"Bearer {KEY}":
                status, headers, content = 401, {}, b'{"error": {"message": "wrong key"}}'
            else:
                played.asked.append((self.path, body))
                status, headers, content = played.answer(self.path, body)
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    played.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
