"""Kill -9 at each file operation of the acts of people: a rerun mends, nothing is lost or twice.

`HEADWATER_KILLS=20` dies at so many operations of each verb, else at one of one verb.
"""

from __future__ import annotations

import io
import itertools
import os
import random
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from flows.cli import main
from flows.config import load
from flows.dispose import SHORT, make_plan
from flows.follow import follow
from flows.pull import attempt
from flows.setup import initialise
from storage.actions import act
from storage.keys import load_key
from storage.lake import Lake
from storage.timestamps import load_roots
from storage.verify import Verified, examine, verify
from storage.views import ask, connect
from storage.witness import FileWitness
from tests.flows.conftest import numbers
from tests.nursery import NURSERY
from tests.storage.tsa import serve

KILLS = int(os.environ.get("HEADWATER_KILLS", "0"))
CLASS = """
[[retention]]
name = "numbers"
kinds = ["test.*"]
keep = "P30D"
reason = "no longer needed"
"""
UNTIL = (datetime.now(UTC) + timedelta(days=200)).date().isoformat()


def now() -> datetime:
    return datetime.now(UTC)


def long_ago() -> datetime:
    return now() - timedelta(days=90)


def _die_at(count: int) -> None:
    """Death just before the `count`-th operation that changes a file or forces one to disk."""
    left = itertools.count(1)

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            if next(left) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)

        return wrapped

    for name in ("fsync", "link", "rename", "replace", "unlink"):
        setattr(os, name, dying(getattr(os, name)))
    real = DeltaTable.create_write_transaction
    DeltaTable.create_write_transaction = dying(real)  # type: ignore[method-assign]


def headwater(words: list[str], count: int, said: Path) -> None:
    """The command line in this process, which dies at an operation; what it says, in a file."""
    if count:
        _die_at(count)
    sys.argv = ["headwater", *words]
    out = io.StringIO()
    code: Any = 0
    with redirect_stdout(out), redirect_stderr(out):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    said.write_text(out.getvalue())
    os._exit(code)


@dataclass
class Home:
    """A home whose ten numbers landed long ago, all sealed."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "headwater.toml"

    @property
    def lake(self) -> Lake:
        return Lake.open(load(self.file).lake, clock=now)

    def run(self, words: list[str], count: int = 0) -> tuple[int, str]:
        said = self.folder / "said"
        said.unlink(missing_ok=True)
        given = ([*words, "-c", str(self.file)], count, said)
        child = NURSERY.Process(target=headwater, args=given)
        child.start()
        child.join(120)
        assert child.exitcode is not None
        return child.exitcode, said.read_text() if said.exists() else ""

    def _given(self) -> dict[str, Any]:
        config = load(self.file)
        assert config.witness is not None
        return {"vkey": load_key(config.key).vkey, "witnesses": [FileWitness(config.witness)],
                "roots": load_roots(self.folder / "roots.pem")}  # fmt: skip

    def wrong(self) -> list[str]:
        found = examine(self.folder / "lake", **self._given())
        return [one.sentence for one in found if one.fatal]

    def verified(self) -> Verified:
        return verify(self.folder / "lake", **self._given())

    def ask(self, sql: str) -> Any:
        with connect(self.lake) as connection:
            return ask(connection, sql).rows


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with serve(tmp_path_factory.mktemp("tsa")) as there:
        yield there


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory, authority: Any) -> Home:
    home = Home(tmp_path_factory.mktemp("acts") / "home")
    list(initialise(home.folder, "Test House"))
    shutil.copy(authority.folder / "ca.pem", home.folder / "roots.pem")
    anchor = f'\n[anchor]\nurl = "{authority.url}"\nroots = "roots.pem"\n'
    source = f"\n[[source]]\n{numbers('n')}\n"
    home.file.write_text(home.file.read_text() + source + CLASS + anchor)
    config = load(home.file)
    old = Lake.open(config.lake, clock=long_ago)
    attempt(old, config.sources[0], long_ago)
    follow(old, config)
    assert home.run(["anchor"])[0] == 0
    return home


def _words(home: Home, verb: str) -> list[str]:
    item = home.ask("SELECT min(item_id) FROM evidence WHERE kind = 'test.number'")[0][0]
    if verb == "dispose":
        due = make_plan(home.lake, load(home.file)).digest[:SHORT]
        return ["dispose", "--plan", due, "--by", "Ann", "--why", "yearly"]
    return {
        "attest": ["attest", "A.2.2", "--by", "Ada", "--statement", "ok", "--until", UNTIL],
        "correct": ["correct", "item", item, "--wrong", "outcome", "--holds", "failed",
                    "--by", "Ben", "--why", "seen"],
        "freeze": ["freeze", "set", "audit-1", "--by", "Ada", "--why", "year"],
        "anchor": ["anchor"],
    }[verb]  # fmt: skip


AGAIN = {
    "dispose": "the plan is now|0 items went",
    "correct": "that is said already",
    "freeze": "there is a freeze|is in force",
    "attest": "sealed",
    "anchor": "stamped already",
}
"""What the verb says where it is run again after its act had landed."""
LANDED = {
    "attest": "SELECT count(*) FROM evidence WHERE kind = 'human.attestation'",
    "correct": "SELECT count(*) FROM corrections",
    "freeze": "SELECT count(*) FROM evidence WHERE subject = 'freeze'",
    "dispose": "SELECT count(*) FROM evidence WHERE kind = 'headwater.disposal'",
    "anchor": "SELECT 0",
}


LEAST = {"attest": 40, "correct": 28, "freeze": 28, "dispose": 40, "anchor": 6}
"""So many operations each verb surely has."""


def _more(home: Home) -> None:
    """Something new that is sealed and not yet stamped."""
    act(home.lake, "try")
    follow(home.lake, load(home.file))


def _killed(master: Home, folder: Path, verb: str, count: int) -> bool:
    """Kill the verb at an operation, look, run it again, look; False if it ended before."""
    home = Home(folder / f"{verb}-{count}")
    shutil.copytree(master.folder, home.folder)
    if verb == "anchor":  # something new to stamp
        _more(home)
    words = _words(home, verb)
    code, said = home.run(words, count)
    if code != -signal.SIGKILL:
        assert code == 0, said
        return False
    assert home.wrong() == [], "killed"
    landed = home.ask(LANDED[verb])[0][0]
    code, said = home.run(words)
    assert code == 0 or (landed and re.search(AGAIN[verb], said)), said
    if verb == "dispose":
        code, said = home.run(["dispose", "--finish"])
        assert code == 0, said
        assert home.ask("SELECT count(*) FROM evidence WHERE kind = 'test.number'") == ((0,),)
    follow(home.lake, load(home.file))
    done = home.verified()
    assert done.size == done.items + 10 * (verb == "dispose")
    ids = home.ask("SELECT count(*), count(DISTINCT item_id) FROM evidence")
    assert ids[0][0] == ids[0][1]
    assert home.ask(LANDED[verb])[0][0] == {"anchor": 0}.get(
        verb, 1 + (verb == "attest" and landed)
    )
    shutil.rmtree(home.folder)
    return True


@pytest.mark.timeout(300 + 120 * KILLS)
@pytest.mark.parametrize("verb", list(LANDED) if KILLS else ["dispose"])
def test_an_act_that_is_killed_anywhere_is_mended_by_the_next(
    master: Home, tmp_path: Path, verb: str
) -> None:
    dice = random.Random(f"{verb} {os.environ.get('HEADWATER_SEED', '1')}")
    done = [
        count for count in dice.sample(range(1, LEAST[verb]), KILLS or 1)
        if _killed(master, tmp_path, verb, count)
    ]  # fmt: skip
    print(f"{verb}: killed at the operations {sorted(done)}")
    assert done, "it has so few operations that it was never killed"
