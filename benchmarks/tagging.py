"""Tagging by all shipped rules, beside one scan of the columns that it reads; tagging again;
explaining one item.

Usage: python -m benchmarks.tagging [SIZE]... (default 100000). Each size is a lake of items of many
kinds (benchmarks/mixed.py), tagged, sealed and maintained. It is built once and kept for all runs
in `bench-lakes` of the temporary folder: delete it to build it anew. Each measurement is a process
of its own, on a linked copy where it writes.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks.measure import Took, middle, now, peak, print_table, took
from benchmarks.mixed import lay
from flows.explain import explain
from mappings.compile import asked
from mappings.rules import RuleSet, load_rules
from storage.engine import Connection, Limits, open_engine, rows_of
from storage.keys import load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.maintain import maintain
from storage.schema import TABLES
from storage.sql_follower import Items, select
from storage.views import connect

KEPT = Path(tempfile.gettempdir()) / "bench-lakes"
ROUNDS = 5
SOME = "SELECT min(item_id) FROM evidence WHERE kind = 'jira.issue'"
POINT = "SELECT payload FROM evidence WHERE item_id = $id"
CONFIG = """[organisation]
name = "Bench"
[lake]
path = "lake"
[ledger]
key = "key"
"""
Told = dict[str, str]
Made = TypeVar("Made")


def apart(work: Callable[..., Made], *given: object) -> Made:
    """A measurement in a process of its own: its memory is nobody else's."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        return pool.submit(work, *given).result()


def lake_of(size: int) -> Path:
    """The folder of the kept lake of so many items, built if there is none."""
    return kept("mixed", build, size)


def kept(name: str, make: Callable[[Path, int], None], size: int) -> Path:
    """The folder that `make` filled once, in a process of its own; none of one that was cut."""
    folder = KEPT / f"{name}-{size}"
    if not folder.exists():
        KEPT.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as made:
            apart(make, Path(made), size)
            Path(made).rename(folder)
            Path(made).mkdir()
    return folder


def build(folder: Path, size: int) -> None:
    """So many items, tagged by today's shipped rules, sealed and maintained."""
    make_key(folder / "key", origin="bench.example/lake")
    (folder / "headwater.toml").write_text(CONFIG, encoding="utf-8")
    lake, signer = Lake.create(folder / "lake", clock=now), load_key(folder / "key")
    lay(lake, size)
    rules = load_rules()
    lake.follow_sql("tags", rules.sql(), app=f"tags:{rules.digest}")
    integrate(lake, signer)
    maintain(lake, signer.verifier)
    integrate(lake, signer)
    if (held := lake.table("evidence").rows) != size + 1:
        raise SystemExit(f"{held} rows landed, not {size} and the pull's record")


@contextmanager
def copied(folder: Path) -> Iterator[Lake]:
    """A lake to write to: files are never changed, so links of them will do."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        shutil.copytree(folder / "lake", Path(name) / "lake", copy_function=os.link)
        yield Lake.open(Path(name) / "lake", clock=now)


def fewer(rules: RuleSet) -> RuleSet:
    """Every second rule: about the hundred of which the target speaks, of as many kinds."""
    return RuleSet(rules.rules[::2], f"{rules.digest}/2")


def columns(rules: RuleSet) -> set[str]:
    """The columns of evidence that tagging by these rules reads."""
    fields = {field.column for rule in rules.rules for field in asked(rule)}
    return {"item_id", "kind"} | fields


def beside_scan(folder: Path) -> Told:
    """The statement with all its rows taken, as the follower takes them, beside one scan."""
    rules, lake = load_rules(), Lake.open(folder / "lake", clock=now)
    files, half = lake.local_files("evidence"), fewer(rules)
    evidence = rows_of(TABLES["evidence"], files)
    touched = [f"sum(hash({n}))" if n == "payload" else f"max({n})" for n in columns(rules)]
    scan = f"SELECT {', '.join(touched)} FROM items"  # noqa: S608  names of our columns
    tags: list[int] = []
    with open_engine(Limits(memory_mb=2048)) as engine:
        engine.execute(f"CREATE VIEW items AS {evidence}")
        scans, made, less = [], [], []
        for _ in range(ROUNDS):
            scans.append(took(lambda: engine.execute(scan).fetchall()))
            less.append(took(lambda: _taken(half.sql(), files)))
            made.append(took(lambda: tags.append(_taken(rules.sql(), files))))
    least, some, tagged = middle(scans), middle(less), middle(made)
    return {
        "rules": str(len(rules.rules)),
        "tags made": f"{tags[-1]:,}",
        "scan of the columns used": least.ms,
        "tagging": f"{tagged.ms}, {tagged.over(least)}",
        f"by every second, {len(half.rules)}": f"{some.ms}, {some.over(least)}",
    }


def _taken(sql: str, files: Sequence[Path]) -> int:
    return sum(rows.num_rows for rows in select(sql, Items(files), TABLES["tags"], now))


def again(folder: Path) -> Told:
    """Tagging all of the lake by rules of another digest: tags are appended."""
    rules = replace(load_rules(), digest="again")
    with copied(folder) as lake:
        items, before = lake.table("evidence").rows, peak()
        spent = took(lambda: lake.follow_sql("tags", rules.sql(), app="tags:again"))
    return {"tagged again": spent.rate(items), "most memory": f"{peak():,.0f} MiB",
            "before it began": f"{before:,.0f} MiB"}  # fmt: skip


def one(folder: Path) -> Told:
    """One item by its id: the look-up by itself, and as `headwater explain` does it."""
    lake = Lake.open(folder / "lake", clock=now)
    with connect(lake, mapping_digest="") as connection:
        ((item_id,),) = connection.execute(SOME).fetchall()
        asks = partial(_found, connection, item_id)
        first, point = took(asks), _middle(asks)
    config, said = folder / "headwater.toml", list[str]()
    explained = partial(explain, config, item_id, said.append)
    began, warm = took(explained), _middle(explained)
    short = _middle(partial(explain, config, item_id[:12], said.append))
    verb = [sys.executable, "-m", "flows.cli", "explain", item_id, "--config", str(config)]
    whole = took(lambda: subprocess.run(verb, check=True, stdout=subprocess.DEVNULL))
    helped = took(
        lambda: subprocess.run([*verb[:4], "--help"], check=True, stdout=subprocess.DEVNULL)
    )
    return {
        "point query": f"{point.ms}, the first {first.ms}",
        "explain, in the process": f"{warm.ms}, the first {began.ms}",
        "explain by the first 12 signs": short.ms,
        "the verb, with the start of Python": f"{whole.wall:.2f} s",
        "the same with --help": f"{helped.wall:.2f} s",
    }


def _found(connection: Connection, item_id: str) -> None:
    if len(connection.execute(POINT, {"id": item_id}).fetchall()) != 1:
        raise SystemExit("not one row for one id: nothing here is true")


def _middle(work: Callable[[], object]) -> Took:
    return middle([took(work) for _ in range(ROUNDS)])


def main(sizes: list[int]) -> None:
    """Measure and print."""
    told = []
    for size in sizes:
        folder = lake_of(size)
        told.append(apart(beside_scan, folder) | apart(again, folder) | apart(one, folder))
    heads = ["items", *(f"{size:,}" for size in sizes)]
    print_table(heads, ([what, *(each[what] for each in told)] for what in told[0]))


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [100_000])
