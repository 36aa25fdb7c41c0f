"""A tracker on loopback whose answers are made beforehand: what is measured is who reads them.

Usage: python -m benchmarks.rest_server ITEMS. Prints its address and serves until its input ends.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.records import START, moment

SIZE = 100


def ticket(number: int, items: int) -> dict[str, Any]:
    """Ticket `number` of `items`, about 830 bytes of JSON, oldest first."""
    at = moment(number, 0, items).strftime("%Y-%m-%dT%H:%M:%SZ")
    words = [hashlib.sha256(f"{number}:{n}".encode()).hexdigest() for n in range(7)]
    return {
        "id": number, "key": f"T-{number}", "title": f"Change {number} of the scoring service",
        "type": "Change", "status": "closed" if number % 3 else "open",
        "author": {"login": f"person-{number % 300}", "name": f"Person {number % 300}"},
        "component": f"component-{number % 40}", "labels": ["change", f"team-{number % 12}"],
        "created_at": START.strftime("%Y-%m-%dT%H:%M:%SZ"), "updated_at": at,
        "score": round(number / 7, 2),
        "due": None, "blocked": False, "description": " ".join(words),
    }  # fmt: skip


def pages(items: int) -> list[bytes]:
    """The bodies of all pages."""
    made = []
    for low in range(0, items, SIZE):
        high = min(low + SIZE, items)
        told = {
            "items": [ticket(number, items) for number in range(low, high)],
            "next": str(high) if high < items else None,
        }  # fmt: skip
        made.append(json.dumps(told, separators=(",", ":")).encode())
    return made


def serve(items: int) -> None:
    """Answer until the input ends."""
    bodies = pages(items)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            cursor = parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[-1]
            body = bodies[int(cursor) // SIZE]
            self.send_response_only(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    sys.stdin.read()


@contextmanager
def serving(items: int) -> Iterator[str]:
    """A server in a process of its own; its address."""
    command = [sys.executable, "-m", "benchmarks.rest_server", str(items)]
    pipe, root = subprocess.PIPE, Path(__file__).parent.parent
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root) as process:
        address, alive = process.stdout, process.stdin
        if address is None or alive is None:
            raise OSError("the server has no pipes")
        try:
            yield address.readline().strip()
        finally:
            alive.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
