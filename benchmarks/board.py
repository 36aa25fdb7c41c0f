"""The served board under many readers, beside a bare page of as many bytes.

Usage: python -m benchmarks.board [ITEMS] [READERS] [SECONDS] (default 100000, 8, 10). The lake is
that of `benchmarks.tagging`, copied by links and tagged by today's rules. Server and bare page run
in processes of their own; readers are threads here, each on a connection that stays open. In the
midst of it fifty items land, and it is told how long the old board was shown. CPU is the server's.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.measure import SOURCE, item, now, print_table
from benchmarks.tagging import CONFIG, copied, lake_of
from flows.config import load
from flows.follow import follow
from storage.lake import Lake

PAGES = ("/", "/controls", "/systems", "/due")
SMALL = 50
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A server of one's own: where it answers, and whose CPU it takes."""

    url: str
    process: int

    def cpu(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def peak(self) -> str:
        """The most that it held."""
        status = Path(f"/proc/{self.process}/status").read_text(encoding="ascii")
        return f"{int(status.partition('VmHWM:')[2].split()[0]) / 1024:,.0f} MiB"


@dataclass(frozen=True, slots=True)
class Load:
    """What many readers of one page saw."""

    seconds: tuple[float, ...]
    took: float
    cpu: float

    def at(self, share: float) -> str:
        """The time within which this share of the answers came."""
        return f"{sorted(self.seconds)[int(share * (len(self.seconds) - 1))] * 1000:,.1f}"

    @property
    def each(self) -> float:
        """CPU milliseconds of the server for one answer."""
        return self.cpu * 1000 / len(self.seconds)

    def cells(self, bare: Load) -> list[str]:
        """p50, p95, p99, answers a second, CPU of one, and that by the bare page's."""
        return [
            self.at(0.5), self.at(0.95), self.at(0.99), f"{len(self.seconds) / self.took:,.0f}",
            f"{self.each:.2f}", f"{self.each / bare.each:.2f}×",
        ]  # fmt: skip


@contextmanager
def running(*module: str) -> Iterator[Server]:
    """A server that prints its address in its first line."""
    command = [sys.executable, "-m", *module]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            url = next(word for word in line.split() if word.startswith("http"))
            yield Server(url, process.pid)
        finally:
            process.terminate()


def serve_bare(size: int) -> None:
    """A page of so many bytes and nothing else."""
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    from dashboards.server import serve

    page = "x" * size
    routes = [Route("/", lambda _request: HTMLResponse(page))]
    serve(Starlette(routes=routes), ready=lambda url: print(url, flush=True))


def get(connection: http.client.HTTPConnection, path: str) -> tuple[float, bytes]:
    """Seconds, and the page."""
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status}: nothing here is true")
    return time.perf_counter() - began, body


def ask(server: Server, path: str) -> tuple[float, bytes]:
    """One page on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=3600)
    try:
        return get(connection, path)
    finally:
        connection.close()


def loaded(server: Server, path: str, readers: int, seconds: float) -> Load:
    """So many readers who ask again as soon as they are answered."""
    over = threading.Event()

    def read(_number: int) -> list[float]:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=3600)
        found = []
        while not over.is_set():
            found.append(get(connection, path)[0])
        connection.close()
        return found

    began, cpu = time.perf_counter(), server.cpu()
    with ThreadPoolExecutor(readers) as pool:
        asked = [pool.submit(read, number) for number in range(readers)]
        over.wait(seconds)
        over.set()
        found = [one for each in asked for one in each.result()]
    return Load(tuple(found), time.perf_counter() - began, server.cpu() - cpu)


def land(file: Path) -> int:
    """Fifty items, tagged and sealed; the lake's version then."""
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    items = [item(-1 - number, now()) for number in range(SMALL)]
    lake.land(SOURCE, items, bookmark=lake.bookmark(SOURCE), cursor=None, pull_id="late")
    follow(lake, config)
    return lake.version


def moved(server: Server, version: int) -> float:
    """Seconds until the board is of this version."""
    began = time.perf_counter()
    while f"from lake version {version}.".encode() not in ask(server, "/queue")[1]:
        time.sleep(0.5)
    return time.perf_counter() - began


def main(size: int, readers: int, seconds: float) -> None:
    """Measure and print."""
    with copied(lake_of(size)) as lake:
        folder = Path(lake.place.uri).parent
        (folder / "key").write_bytes((lake_of(size) / "key").read_bytes())
        (folder / "key").chmod(0o600)
        file = folder / "headwater.toml"
        file.write_text(f'{CONFIG}origin = "bench.example/lake"\n')
        follow(lake, load(file))
        began = time.perf_counter()
        board = ("flows.cli", "dashboard", "--open-loopback", "--port", "0")
        with running(*board, "--config", str(file)) as server:
            _, page = ask(server, "/")
            ready, cpu = time.perf_counter() - began, server.cpu()
            print(f"{size:,} items: first page {ready:.1f} s after the start, {cpu:.1f} CPU s")
            rows = []
            with running("benchmarks.board", "bare", str(len(page))) as bare:
                ask(bare, "/")
                plain = loaded(bare, "/", readers, seconds)
            rows.append(["a bare page of as many bytes as /", "", *plain.cells(plain)])
            for path in PAGES:
                first = ask(server, path)[0]
                told = loaded(server, path, readers, seconds)
                rows.append([path, f"{first * 1000:,.0f}", *told.cells(plain)])
            with ThreadPoolExecutor(1) as beside:
                cpu, version = server.cpu(), land(file)
                late = beside.submit(moved, server, version)
                told = loaded(server, "/", readers, seconds)
                rows.append(["/ while a landing is judged", "", *told.cells(plain)])
                print(
                    f"{SMALL} items landed: shown after {late.result():.1f} s, "
                    f"{server.cpu() - cpu:.1f} CPU s of the server; most memory {server.peak()}"
                )
    print_table(
        [f"{readers} readers, ms", "first", "p50", "p95", "p99", "a second", "CPU", "of bare"], rows
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        serve_bare(int(sys.argv[2]))
    else:
        main(*map(int, [*sys.argv[1:], *("100000", "8", "10")[len(sys.argv) - 1 :]]))
