"""A pack of a whole lake: what making and checking it take, and in how much memory.

Usage: python -m benchmarks.pack [ITEMS] (default 100,000). Each is a process of its own, so that
its most memory is its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import now
from flows.config import Source, load
from flows.follow import follow
from flows.pull import attempt
from flows.setup import initialise
from storage import verify_pack
from storage.keys import load_key
from storage.lake import Lake


def main(items: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        list(initialise(home, "Bench"))
        config = load(home / "headwater.toml")
        lake = Lake.open(config.lake, clock=now)
        attempt(lake, Source("bench", "benchmarks.bulk:Backfill", "", {"items": items}), now)
        follow(lake, config)
        pack = home / "all.zip"
        print(f"| {items:,} items | seconds | items/s | most memory |\n|---|---|---|---|")
        command = ["-m", "flows.cli", "pack", "--everything", "-o", str(pack)]
        told("written", items, [*command, "-c", str(config.file)])
        vkey = load_key(config.key).vkey
        told("checked", items, ["-I", verify_pack.__file__, str(pack), "--key", vkey])
        print(f"\nThe pack has {pack.stat().st_size / 2**20:,.0f} MiB.")


def told(what: str, items: int, arguments: list[str]) -> None:
    """Run it and print one row."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    most = 0.0
    while process.poll() is None:
        most = max(most, _held(process.pid))
        time.sleep(0.05)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    print(f"| {what} | {seconds:,.0f} | {items / seconds:,.0f} | {most:,.0f} MiB |", flush=True)


def _held(process: int) -> float:
    """The most MiB that a process has held since it began its program; 0 once it has ended.

    Not what `wait4` says: that is never less than what this process held when it started the other.
    """
    try:
        told = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s*(\d+) kB", told)
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    main(int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else 100_000)
