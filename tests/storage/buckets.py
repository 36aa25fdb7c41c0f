"""A real S3 API in a process of its own, and a proxy before it that spoils a share of its answers.

In a process of its own because the table format's library may hold the interpreter while it waits.
"""

from __future__ import annotations

import http.client
import random
import socket
import socketserver
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import boto3

from evidence.secret import Secret
from storage.bucket import Access
from storage.cache import Cache
from storage.place_s3 import ObjectPlace

KEY, SECRET, REGION = "test-key", "test-secret", "us-east-1"
_SERVE = """
import logging, sys, time
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@dataclass
class Store:
    """The API at `url`, with words for making buckets in it."""

    url: str

    @property
    def client(self) -> boto3.client:
        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
            region_name=REGION,
        )  # fmt: skip

    def place(self, folder: Path, bucket: str = "", **given: object) -> ObjectPlace:
        """A place in a bucket (a new one, if none is named), cached in a folder."""
        if not bucket:
            bucket = f"lake-{uuid.uuid4().hex[:12]}"
            self.client.create_bucket(Bucket=bucket)
        return ObjectPlace(bucket, "the/lake", self.access(folder, **given))

    def access(self, folder: Path, *, url: str = "", tries: int = 8) -> Access:
        return Access(
            endpoint=url or self.url, region=REGION, key=Secret(KEY), secret=Secret(SECRET),
            cache=Cache(folder / "cache"), tries=tries, patience=timedelta(seconds=30),
            timeout=timedelta(seconds=10),
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """What lets another process reach the store."""
        return {
            "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
        }  # fmt: skip


@contextmanager
def serving() -> Iterator[Store]:
    """The API, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _SERVE], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield Store(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.communicate()


FAULTS = ("slow down", "server error", "reset", "cut body", "answer lost", "slow")


@dataclass
class Faults:
    """Which share of the calls is spoilt how; `seen` counts what was done."""

    share: float = 0.0
    kinds: tuple[str, ...] = FAULTS
    chance: random.Random = field(default_factory=lambda: random.Random(20261123))
    seen: Counter[str] = field(default_factory=Counter)

    def next(self) -> str:
        if self.chance.random() >= self.share:
            return ""
        kind = self.chance.choice(self.kinds)
        self.seen[kind] += 1
        return kind


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    faults: Faults
    port: int

    def log_message(self, *_: object) -> None:
        pass

    def _pass(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.faults.next()
        if kind == "reset":
            return self._reset()
        if kind in ("slow down", "server error"):
            return self._refuse(503 if kind == "slow down" else 500)
        if kind == "slow":
            time.sleep(0.15)
        there = http.client.HTTPConnection("127.0.0.1", self.port)
        there.request(self.command, self.path, content, self._forwarded())
        answer = there.getresponse()
        body = answer.read()
        there.close()
        if kind == "answer lost":
            return self._reset()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        if answer.getheader("Content-Length") is None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "cut body" and len(body) > 1:
            self.wfile.write(body[: len(body) // 2])
            return self._reset()
        if self.command != "HEAD":
            self.wfile.write(body)
        return None

    def _forwarded(self) -> dict[str, str]:
        """Amazon takes the checksum alone for a locked bucket, moto only with its name beside."""
        headers = dict(self.headers)
        if "x-amz-checksum-sha256" in {name.lower() for name in headers}:
            headers["x-amz-sdk-checksum-algorithm"] = "SHA256"
        return headers

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815

    def _refuse(self, status: int) -> None:
        code = "SlowDown" if status == 503 else "InternalError"
        body = f"<Error><Code>{code}</Code><Message>please</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        pass


_MAIN = "import sys; from tests.storage.buckets import proxy; proxy(*map(float, sys.argv[1:]))"


def proxy(port: float, share: float, seed: float) -> None:
    """Serve until standard input ends; then print what was spoilt, one `kind=count` a line."""
    faults = Faults(share, chance=random.Random(seed))
    handler = type("Handler", (_Proxy,), {"faults": faults, "port": int(port)})
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        for kind, count in faults.seen.items():
            print(f"{kind.replace(' ', '-')}={count}", flush=True)


@contextmanager
def spoiling(store: Store, share: float, seed: int = 1) -> Iterator[tuple[str, dict[str, int]]]:
    """The address of a proxy before the store; what it spoilt is counted when the block ends."""
    port = store.url.rpartition(":")[2]
    process = subprocess.Popen(
        [sys.executable, "-c", _MAIN, port, str(share), str(seed)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    seen: dict[str, int] = {}
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}", seen
        told, _ = process.communicate(timeout=20)
        seen |= {
            kind: int(count)
            for kind, count in (line.split("=") for line in told.split("\n") if line)
        }
    finally:
        process.kill()
        process.wait()
