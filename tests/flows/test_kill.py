"""Kill -9 during `headwater collect` at random moments: the lake ends as if undisturbed."""

from __future__ import annotations

import os
import random
import signal
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from flows.config import load
from storage.keys import load_key
from storage.verify import verify
from tests import nursery
from tests.flows.conftest import Home, numbers, rows

KILLS = int(os.environ.get("HEADWATER_KILLS", "5"))
SOURCES = [numbers("one", upto=120, size=2), numbers("two", upto=60, size=3)]
ROWS = """
    select source, kind, subject, item_id, content_sha256, change from evidence
    where kind = 'test.number' order by all
"""


def begin(config: Path) -> ForkServerProcess:
    nowhere = Path(os.devnull)
    return nursery.begin("collect", "--direct", "-c", config, out=nowhere, err=nowhere)


def collect(config: Path) -> float:
    began = time.monotonic()
    process = begin(config)
    process.join(240)
    assert process.exitcode == 0
    return time.monotonic() - began


def killed(config: Path, after: float) -> bool:
    """True if the process still ran when it was killed."""
    process = begin(config)
    process.join(after)
    process.kill()
    process.join(60)
    return process.exitcode == -signal.SIGKILL


def check(config: Path) -> None:
    settings = load(config)
    key = load_key(settings.key, origin=settings.origin)
    verify(settings.lake, key.vkey, witness=settings.witness)


@pytest.mark.timeout(300)
def test_killed_at_random_moments(home: Home) -> None:
    calm, rough = home(*SOURCES, folder="calm"), home(*SOURCES, folder="rough")
    whole = collect(calm)
    dice = random.Random(20261123)
    hits = tries = 0
    while hits < KILLS and tries < 3 * KILLS:
        tries += 1
        if killed(rough, dice.uniform(0.05, 0.95) * whole):
            hits += 1
        else:  # it was done already: the machine has become quicker
            whole *= 0.9
        if len(rows(rough, ROWS)) == 180:  # all landed: start again, so that every kill can hurt
            assert rows(rough, ROWS) == rows(calm, ROWS)
            rough = home(*SOURCES, folder=f"rough-{tries}")
    collect(rough)
    assert hits == KILLS
    assert rows(rough, ROWS) == rows(calm, ROWS)
    check(rough)
    sealed = rows(rough, "select count(*), count(distinct item_id) from leaves")
    assert sealed == rows(rough, "select count(*), count(distinct item_id) from evidence")
    assert rows(rough, "select outcome from pulls order by finished_at desc limit 2") == [
        ("complete",), ("complete",),
    ]  # fmt: skip
