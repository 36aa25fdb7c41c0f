"""One REST server with many small records and who reads it: what collecting costs beside the least.

Usage: python -m benchmarks.rest [ITEMS] [PEER]. ITEMS (default 50,000) of about 800 bytes come in
pages of 100, chained by tokens, from a server in a process of its own. Each reader is a process of
its own too, one after the other, ROUNDS times in turn. `plain` is requests and json and keeps
nothing; `collector` makes evidence of every record; `pipeline` is a whole pull: evidence, known
items told apart, landed in a lake, tagged by every shipped rule, sealed. `dlt` is dlt's REST source
writing a Delta table, merged by key so that nothing comes twice, `dlt-append` without that; they
are measured where PEER is a Python with 'dlt[deltalake,filesystem]==1.31.*' (benchmarks/peer.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.rest_server import serving

ROUNDS = 3
ROOT = Path(__file__).parent.parent
Work = Callable[[], int]
"""Reads everything; how many records came."""
Took = tuple[float, float, float]
"""Seconds of the wall, seconds of CPU, the most MiB held."""


def plain(url: str, _folder: Path) -> Work:
    """The least that reading can be: requests, json, one list of records after the other."""
    import requests

    def work() -> int:
        came, token = 0, ""
        with requests.Session() as session:
            while True:
                params = {"limit": "100"} | ({"cursor": token} if token else {})
                told = session.get(f"{url}/tickets", params=params, timeout=60).json()
                came += len(told["items"])
                if not (token := told["next"]):
                    return came

    return work


def settings(url: str) -> dict[str, Any]:
    """The source as `headwater.toml` would describe it."""
    from collectors._rest.settings import Endpoint, Paging, Since

    tickets = Endpoint(
        name="tickets", path="/tickets", id="id", records="items",
        paging=Paging("token", param="cursor", size_param="limit", next="next"),
        since=Since("updated_at", order="asc"), title="{key} {title}", actor="author.login",
        system=("component",), observed_from="created_at", keep=("*",),
    )  # fmt: skip
    return {"url": url, "endpoint": (tickets,), "systems": {"component-1*": "one"}}


def collector(url: str, _folder: Path) -> Work:
    """The collector by itself: every record made into evidence, nothing kept."""
    from collectors.rest_api import RestApi

    source = RestApi(source="bench", **settings(url))
    return lambda: sum(len(batch.items) for batch in source.collect(None))


def pipeline(url: str, folder: Path) -> Work:
    """A whole pull into a new lake with all shipped rules, and the seal."""
    from flows.config import Source, now
    from flows.pull import attempt
    from mappings.rules import RULES, load_rules
    from storage.keys import load_key, make_key
    from storage.lake import Lake
    from storage.ledger import integrate

    make_key(folder / "key", origin="bench.example/lake")
    signer, rules = load_key(folder / "key"), load_rules((RULES,))
    lake = Lake.create(folder / "lake", clock=now)
    source = Source("bench", "collectors.rest_api:RestApi", "", settings(url))

    def work() -> int:
        done = attempt(lake, source, now)
        lake.follow_sql("tags", rules.sql(), app=f"tags:{rules.digest}")
        sealed = integrate(lake, signer)
        return done.new if sealed.size == lake.table("evidence").rows else -1

    return work


def dlt(url: str, folder: Path, how: Any = None) -> Work:
    """dlt's REST source; nested records stay JSON, which is the least work for it."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt as library  # type: ignore[import-not-found]
    from deltalake import DeltaTable
    from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found]

    cursor = {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"}
    source = rest_api_source({
        "client": {"base_url": url, "paginator": cursor},
        "resources": [{
            "name": "tickets", "primary_key": "id", "table_format": "delta",
            "write_disposition": how or {"disposition": "merge", "strategy": "upsert"},
            "max_table_nesting": 0,
            "endpoint": {
                "path": "tickets", "params": {"limit": 100}, "data_selector": "items",
            },
        }],
    })  # fmt: skip
    pipeline = library.pipeline(
        "bench", pipelines_dir=str(folder / "work"), dataset_name="lake",
        destination=library.destinations.filesystem(bucket_url=str(folder)),
    )  # fmt: skip

    def work() -> int:
        pipeline.run(source).raise_on_failed_jobs()
        return int(DeltaTable(str(folder / "lake" / "tickets")).count())

    return work


READERS: dict[str, Callable[[str, Path], Work]] = {
    "plain": plain, "collector": collector, "pipeline": pipeline, "dlt": dlt,
    "dlt-append": lambda url, folder: dlt(url, folder, "append"),
}  # fmt: skip


def read(who: str, url: str, items: int) -> Took:
    """Do one reader's work in this process. The job is only done if every record came."""
    with tempfile.TemporaryDirectory() as name:
        work = READERS[who](url, Path(name))
        wall, cpu = time.perf_counter(), time.process_time()
        came = work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if came != items:
        raise SystemExit(f"{who}: {came} records where {items} should be")
    held = Path("/proc/self/status").read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]
    return wall, cpu, int(held) / 1024


def apart(who: str, url: str, items: int, peer: str) -> Took:
    """One reader in a process of its own. Raises CalledProcessError where it fails."""
    python = peer if who.startswith("dlt") else sys.executable
    done = subprocess.run(
        [python, "-m", "benchmarks.rest", "read", who, url, str(items)],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    wall, cpu, held = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu, held


def main(items: int, peer: str = "") -> None:
    """Measure and print."""
    who = [name for name in READERS if peer or not name.startswith("dlt")]
    took: dict[str, list[Took]] = {name: [] for name in who}
    with serving(items) as url:
        for _ in range(ROUNDS):
            for name in who:
                took[name].append(apart(name, url, items, peer))
    print(f"| {items:,} records | seconds | CPU seconds | of plain | of dlt | most memory |")
    print("|---|---|---|---|---|---|")
    middle = {
        name: [median(part) for part in zip(*each, strict=True)] for name, each in took.items()
    }
    for name, (wall, cpu, held) in middle.items():
        of = " | ".join(over((wall, cpu), middle.get(base)) for base in ("plain", "dlt"))
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {of} | {held:,.0f} MiB |", flush=True)


def over(one: Sequence[float], base: Sequence[float] | None) -> str:
    """How many times the other's seconds, and its CPU."""
    return f"{one[0] / base[0]:.2f}×, CPU {one[1] / base[1]:.2f}×" if base else ""


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        print(json.dumps(read(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000, *sys.argv[2:3])
