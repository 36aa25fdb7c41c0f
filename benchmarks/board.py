"""The served board under many readers, beside a bare page of as many bytes.

Usage: python -m benchmarks.board [ITEMS] [READERS] [SECONDS] (default 100000, 8, 10). The lake is
that of `benchmarks.tagging`, copied by links and tagged by today's rules. Server and bare page run
in processes of their own; readers are threads here, each on a connection that stays open. In the
midst of it fifty items land, and it is told how long the old board was shown. Before that the lake
is judged as the freshness run does, which leaves its board: with that the server starts. Auditors
read whose access is limited. CPU is the server's.
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

from benchmarks.measure import SOURCE, Took, item, now, peak, print_table, took
from benchmarks.tagging import CONFIG, apart, copied, lake_of
from dashboards.access import digest_of
from flows.board_kept import BEFORE, keep_judged
from flows.config import load
from flows.follow import follow
from flows.judgement import Judged, judge_lake
from flows.moment import present
from storage.lake import Lake

PAGES = ("/", "/controls", "/systems", "/due")
SMALL = 50
LARGEST = 1_000_000
"""Of more items limited accesses are left out: the board of a past moment is judged for one."""
TICK = os.sysconf("SC_CLK_TCK")
ALL = "whoever-sees-everything"
LIMITED = {
    "two-systems": 'systems = ["system-1", "system-2"]',
    "one-control": 'controls = ["A.6.2.4"]',
    "a-period-that-is-over": "period = { until = 2026-06-01T00:00:00Z }",
}
OLDEST = '[board]\noldest = "PT2H"\n'
"""On a busy machine nothing is to hang on its age."""
ACCESS = """
[[access]]
name = "{name}"
role = "{role}"
until = 2126-01-01T00:00:00Z
token_sha256 = "{digest}"
{limit}
"""


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


def get(connection: http.client.HTTPConnection, path: str, token: str) -> tuple[float, bytes]:
    """Seconds, and the page."""
    began = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status}: nothing here is true")
    return time.perf_counter() - began, body


def ask(server: Server, path: str, token: str = ALL) -> tuple[float, bytes]:
    """One page on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=3600)
    try:
        return get(connection, path, token)
    finally:
        connection.close()


def loaded(server: Server, path: str, readers: int, seconds: float, token: str = ALL) -> Load:
    """So many readers who ask again as soon as they are answered."""
    over = threading.Event()

    def read(_number: int) -> list[float]:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=3600)
        found = []
        while not over.is_set():
            found.append(get(connection, path, token)[0])
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
    """Seconds until the board is of this version, or of what auditors read since."""
    began = time.perf_counter()
    while int(shown_version(ask(server, "/queue")[1])) < version:
        time.sleep(0.5)
    return time.perf_counter() - began


def shown_version(page: bytes) -> bytes:
    """The version of the lake that a page was drawn from."""
    return page.partition(b"from lake version ")[2].partition(b".")[0]


@contextmanager
def home(size: int) -> Iterator[Path]:
    """The configuration of a copied lake that is tagged by today's rules; all its readers."""
    with copied(lake_of(size)) as lake:
        folder = Path(lake.place.uri).parent
        for name in ("key", "key.pub"):
            (folder / name).write_bytes((lake_of(size) / name).read_bytes())
            (folder / name).chmod(0o600)
        accesses = [ACCESS.format(name="all", role="admin", digest=digest_of(ALL), limit="")]
        accesses += [
            ACCESS.format(name=name, role="auditor", digest=digest_of(token_of(name)), limit=limit)
            for name, limit in LIMITED.items()
        ]
        file = folder / "headwater.toml"
        file.write_text(f'{CONFIG}origin = "bench.example/lake"\n{OLDEST}{"".join(accesses)}')
        follow(lake, load(file))
        yield file


def token_of(name: str) -> str:
    """The token of a limited access."""
    return f"whoever-sees-only-{name}"


@contextmanager
def started(file: Path) -> Iterator[Server]:
    """The server, once it has answered its first page; how long that took is printed."""
    began = time.perf_counter()
    with running("flows.cli", "dashboard", "--port", "0", "--config", str(file)) as server:
        up = time.perf_counter() - began
        first, page = ask(server, "/")
        late = "as of before the start" if BEFORE.encode() in page else "of now"
        print(
            f"it answers {up:.1f} s after its start; the first page, {late}, took "
            f"{first * 1000:,.0f} ms, {server.cpu():.1f} CPU s in all by then", flush=True,
        )  # fmt: skip
        yield server


def pages_under_load(server: Server, readers: int, seconds: float) -> Load:
    """Print what readers of each page saw; what those of a bare page of as many bytes did."""
    size = len(ask(server, "/")[1])
    with running("benchmarks.board", "bare", str(size)) as bare:
        ask(bare, "/")
        plain = loaded(bare, "/", readers, seconds)
    rows = [["a bare page of as many bytes as /", "", *plain.cells(plain)]]
    for path in PAGES:
        first = ask(server, path)[0]
        told = loaded(server, path, readers, seconds)
        rows.append([path, f"{first * 1000:,.0f}", *told.cells(plain)])
    show(rows, readers)
    return plain


def landing(server: Server, file: Path, plain: Load, readers: int, seconds: float) -> None:
    """Print what readers see while fifty items land and are judged."""
    with ThreadPoolExecutor(1) as beside:
        cpu, version = server.cpu(), land(file)
        late = beside.submit(moved, server, version)
        told = loaded(server, "/", readers, seconds)
        show([["/ while a landing is judged", "", *told.cells(plain)]], readers)
        print(
            f"{SMALL} items landed: shown after {late.result():.1f} s, "
            f"{server.cpu() - cpu:.1f} CPU s of the server; most memory {server.peak()}"
        )


def limited(server: Server, plain: Load, readers: int, seconds: float) -> None:
    """Print what auditors see whose access is limited: their pages are drawn anew each time."""
    rows = []
    for name in LIMITED:
        token = token_of(name)
        for path in ("/", "/controls"):
            first = ask(server, path, token)[0]
            told = loaded(server, path, readers, seconds, token)
            rows.append([f"{path} of {name}", f"{first * 1000:,.0f}", *told.cells(plain)])
    show(rows, readers)


def judged_anew(server: Server, readers: int) -> None:
    """Print what readers see from the start until the first board of this process is there."""
    began, found = time.perf_counter(), list[float]()
    while BEFORE.encode() in ask(server, "/")[1]:
        found.extend(loaded(server, "/", readers, 1).seconds)
    many = sorted(found) or [0.0]
    p50, p95 = (many[int(share * (len(many) - 1))] * 1000 for share in (0.5, 0.95))
    print(
        f"the board of before was shown for {time.perf_counter() - began:.1f} s: {len(found)} "
        f"answers, p50 {p50:.1f} ms, p95 {p95:.1f} ms; then {server.cpu():.1f} CPU s in all",
        flush=True,
    )


def show(rows: list[list[str]], readers: int) -> None:
    """Print a table of what readers saw."""
    names = ["first", "p50", "p95", "p99", "a second", "CPU", "of bare"]
    print_table([f"{readers} readers, ms", *names], rows)


def judged(file: Path) -> tuple[Took, Took, float]:
    """What judging takes where nothing is kept, then the board and keeping it; the peak in MiB."""
    config, found = load(file), list[Judged]()
    lake = Lake.open(config.lake, clock=now)
    judging = took(lambda: found.append(judge_lake(lake, present(lake, config))))
    keeping = took(lambda: keep_judged(lake, config, found[0]))
    return judging, keeping, peak()


def main(size: int, readers: int, seconds: float) -> None:
    """Measure and print."""
    with home(size) as file:
        judging, keeping, most = apart(judged, file)
        print(
            f"{size:,} items judged in {judging.ms}, their board made and kept in {keeping.ms}; "
            f"most memory {most:,.0f} MiB", flush=True,
        )  # fmt: skip
        with started(file) as server:
            judged_anew(server, readers)
            plain = pages_under_load(server, readers, seconds)
            if size <= LARGEST:
                limited(server, plain, readers, seconds)
            landing(server, file, plain, readers, seconds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        serve_bare(int(sys.argv[2]))
    else:
        main(*map(int, [*sys.argv[1:], *("100000", "8", "10")[len(sys.argv) - 1 :]]))
