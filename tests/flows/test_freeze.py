"""What an audit looked at stays what it was, or somebody is told what became of it, and why."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from evidence.errors import ConfigError, HeadwaterError, VerificationFailed
from flows import dispose as command
from flows import freeze, hold, pack, status, verify
from flows.board import build
from flows.config import Config, load
from flows.dispose import make_plan
from flows.follow import follow, seal
from flows.judgement import judge_lake
from flows.moment import moment, parse_as_of
from flows.pull import attempt
from flows.setup import initialise
from flows.upkeep import keep_lean
from storage import disposal
from storage.actions import act
from storage.disposal import dispose
from storage.freezes import Freeze, freeze_facts, freezes
from storage.holds import FREEZE, Hold
from storage.keys import load_key, make_key
from storage.lake import Lake
from storage.views import connect
from tests.flows.conftest import Home, numbers
from tests.nursery import headwater

CLASS = """
[[retention]]
name = "numbers"
kinds = ["test.*"]
keep = "P30D"
reason = "no longer needed"
"""
OVERRIDE = """
[[override]]
control = "*"
evidence = "dq_validation"
applies = false
reason = "we have none"
"""


def now() -> datetime:
    return datetime.now(UTC)


def long_ago() -> datetime:
    return now() - timedelta(days=90)


class House:
    """A home whose ten numbers landed long ago, with short words for what is done to it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def land_long_ago(self) -> None:
        old = Lake.open(self.config.lake, clock=long_ago)
        attempt(old, self.config.sources[0], long_ago)
        follow(old, self.config)

    @property
    def config(self) -> Config:
        return load(self.file)

    @property
    def lake(self) -> Lake:
        return Lake.open(self.config.lake, clock=now)

    def freeze(self, name: str = "audit-1", **given: Any) -> Freeze:
        asked = parse_as_of(given.pop("as_of", ""))
        words = {"by": "Auditor", "why": "year 2026", "until": ""} | given
        freeze.set_freeze(self.file, name, asked=asked, **words)
        with connect(self.lake) as connection:
            return freezes(connection)[name]

    def compared(self) -> freeze.Compared:
        key = load_key(self.config.key).verifier
        (one,) = freeze.compare_all(self.lake, self.config, key)
        return one

    def dispose(self) -> int:
        config, lake = self.config, self.lake
        done = dispose(lake, load_key(config.key), lambda: make_plan(lake, config), by="Ann",
                       reason="yearly", seal=lambda: seal(lake, config))  # fmt: skip
        return done.items

    def verify(self) -> list[str]:
        said: list[str] = []
        verify.run(self.file, said.append)
        return [line for line in said if "freeze" in line]


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a house, to be copied."""
    file = tmp_path_factory.mktemp("landed") / "home" / "headwater.toml"
    list(initialise(file.parent, "Test House"))
    file.write_text(f"{file.read_text()}\n[[source]]\n{numbers('n')}\n{CLASS}")
    House(file).land_long_ago()
    return file


@pytest.fixture
def house(landed: Path, tmp_path: Path) -> House:
    return House(Path(shutil.copytree(landed.parent, tmp_path / "home"), landed.name))


def test_a_frozen_moment_gives_the_same_whatever_happens_later(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    made = house.freeze().frozen
    assert made.counts["n", "test.number"] == 10
    assert made.counts["n", "headwater.pull"] == 1
    attempt(house.lake, house.config.sources[0], now)
    house.file.write_text(house.file.read_text() + OVERRIDE)
    follow(house.lake, house.config)
    keep_lean(house.config)
    assert house.compared().differs == ()
    assert (freeze.show(house.file), house.verify()) == (0, [])
    capsys.readouterr()
    status.show(house.file, parse_as_of("freeze:audit-1"), fail_on="", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["result"] == made.result
    assert told["shown"].endswith(f"@{made.size}")


def test_what_is_frozen_is_not_disposed_of_until_it_is_released(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    made = house.freeze()
    due = make_plan(house.lake, house.config)
    assert (due.classes[0].held, due.ids) == ({"audit-1": 10}, frozenset())
    assert house.dispose() == 0
    with pytest.raises(ConfigError, match="no hold 'audit-1' is in force"):
        hold.release(house.file, "audit-1", "Ann", "by mistake")
    freeze.release(house.file, "audit-1", "Ann", "audit closed")
    assert house.dispose() == 10
    told = " ".join(house.compared().differs)
    assert "10 are not there any more (10 test.number of n)" in told
    assert "10 went" in told
    assert "under class numbers by Ann: yearly" in told
    assert not house.compared().grave
    assert len(house.verify()) == 2, "a note, since it is accounted for, and who did it"
    assert freeze.show(house.file) == 3
    capsys.readouterr()
    status.show(house.file, parse_as_of("freeze:audit-1"), fail_on="", as_json=True)
    first = json.loads(capsys.readouterr().out)["attention"][0]
    assert first["severity"] == "failed"
    assert "audit-1 does not hold" in first["sentence"]
    assert made.hold.first == made.frozen.size


def test_a_freeze_ends_by_its_own_date_and_is_still_compared(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.freeze(until=(now() + timedelta(hours=1)).isoformat())
    assert not make_plan(house.lake, house.config).ids
    later = now() + timedelta(hours=2)
    monkeypatch.setattr("flows.moment.now", lambda: later)
    assert len(make_plan(house.lake, house.config).ids) == 10
    assert house.compared().differs == ()


def test_an_older_moment_keeps_only_what_was_sealed_by_then(house: House) -> None:
    attempt(house.lake, replace(house.config.sources[0], settings={"upto": 12}), now)
    made = house.freeze(as_of="@3").frozen
    assert (made.size, sum(made.counts.values())) == (3, 3)
    held = make_plan(house.lake, house.config).classes[0].held
    assert held == {"audit-1": 3 - made.counts.get(("headwater", "headwater.action"), 0)}


def test_a_pack_of_a_frozen_moment_carries_its_result(house: House, tmp_path: Path) -> None:
    made = house.freeze()
    said: list[str] = []
    asked = parse_as_of("freeze:audit-1")
    pack.write(house.file, pack.Wanted(["A.7.4"]), tmp_path / "a.zip", asked, said.append)
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        manifest = json.loads(packed.read("manifest.json"))["predicate"]
    assert (manifest["result"], manifest["notes"]) == (made.frozen.result, [])


def _forged(house: House, change: Callable[[dict[str, Any]], None], key: str = "") -> None:
    """A freeze landed by a program of somebody's own."""
    config = house.config
    follow(house.lake, config)
    frozen = freeze.freeze_of(house.lake, config, None)
    path = config.key
    if key:
        path = house.file.parent / key
        make_key(path, origin=load_key(config.key).origin)
    wanted = Hold("audit-1", "Mallory", now(), "x", first=frozen.size)
    facts = freeze_facts(wanted, frozen, load_key(path))
    change(facts)
    act(house.lake, FREEZE, who="Mallory", facts=facts)
    seal(house.lake, config)


FORGED: dict[str, tuple[Callable[[dict[str, Any]], None], str, str]] = {
    "another's key": (lambda _: None, "other.key", "is not signed by"),
    "edited result": (lambda f: f["frozen"].update(result="0" * 64), "", "says another thing"),
    "edited size": (lambda f: f["frozen"].update(size=2), "", "says another thing"),
    "edited reason": (lambda f: f.update(reason="nicer"), "", "says another thing"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_freeze_is_named(house: House, name: str) -> None:
    change, key, told = FORGED[name]
    _forged(house, change, key)
    assert house.compared().grave
    with pytest.raises(VerificationFailed, match=told):
        house.verify()


def test_another_result_over_the_same_items_by_the_same_code_fails(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By who has the key, or by a judgement that was altered without another version."""
    config = house.config
    frozen = replace(freeze.freeze_of(house.lake, config, None), result="0" * 64)
    wanted = Hold("audit-1", "Ann", now(), "x", first=frozen.size)
    act(house.lake, FREEZE, facts=freeze_facts(wanted, frozen, load_key(config.key)))
    seal(house.lake, config)
    with pytest.raises(VerificationFailed, match="the same items judged by the same mapping give"):
        house.verify()
    monkeypatch.setattr(freeze, "code_version", lambda: "another")
    (told,) = house.verify()
    assert "then by" in told, "another version of the code may judge otherwise: a note"


def test_items_that_left_without_a_record_are_named(house: House) -> None:
    """Taken out of the table with every digest of it redone, in the name of no record."""
    house.freeze()
    table = house.lake.table("evidence")
    with connect(house.lake) as connection:
        rows = connection.execute("SELECT item_id FROM evidence WHERE kind = 'test.number'")
        ids = pa.array(sorted(row[0] for row in rows.fetchall()))
    files = [file for file in table.files() if disposal._holds(file.path, ids)]
    disposal._take_out(table, files, ids, [])
    told = " ".join(house.compared().differs)
    assert "10 are not there any more (10 test.number of n)" in told
    assert "10 items are missing and no record says why" in told
    with pytest.raises(VerificationFailed):
        house.verify()


def test_on_the_terminal(house: House) -> None:
    words = ("--by", "Ann", "--why", "audit of 2026", "-c", house.file)
    done = headwater("freeze", "set", "audit-1", *words)
    assert "freeze audit-1 is signed and sealed" in done.stdout, done.stderr
    said: list[str] = []
    verify.run(house.file, said.append)
    assert "note    1 frozen moments were judged again: they are as they were frozen" in said
    wrong = headwater("status", "--as-of", "freeze:other", "-c", house.file)
    assert (wrong.returncode, "known: audit-1" in wrong.stderr) == (2, True)


def test_other_expectations_from_the_same_mapping_are_named(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.freeze()
    monkeypatch.setattr(freeze, "_expected", lambda _: [])
    assert "asks for other evidence" in house.compared().differs[0]


def test_an_act_leaves_nothing_untagged_behind(house: House) -> None:
    """Else the board would say that landings are not judged, until the next collection."""
    house.freeze()
    hold.set_hold(house.file, "case-1", "Ann", "x", "", {"kinds": ["odd.*"]})
    freeze.release(house.file, "audit-1", "Ann", "audit closed")
    command.run(house.file, confirmed=make_plan(house.lake, house.config).digest, by="Ann",
                why="yearly", finishing=False)  # fmt: skip
    notes = [note.sentence for note in build(house.lake, house.config).attention]
    assert not [told for told in notes if "not tagged" in told]
    assert [told for told in notes if told.startswith("10 items were disposed of")]


def test_what_cannot_be_meant_is_refused(home: Home, house: House) -> None:
    empty = home(numbers("n"), folder="empty")
    config = load(empty)
    with pytest.raises(HeadwaterError, match="there is no such freeze; known: none"):
        moment(Lake.open(config.lake, clock=now), config, parse_as_of("freeze:none"))
    for given, told in (
        ({"by": " "}, "by is empty"), ({"why": ""}, "a reason is missing"),
        ({"until": "2001-01-01T00:00:00Z"}, "is over"), ({"name": "Not/So"}, "lower-case"),
        ({"as_of": "2001-01-01T00:00:00Z"}, "nothing had been sealed by then"),
        ({"why": "ghp_" + "a1B2" * 9}, "holds a secret"),
    ):  # fmt: skip
        with pytest.raises(HeadwaterError, match=told):
            house.freeze(**given)
    house.freeze()
    with pytest.raises(ConfigError, match="a hold 'audit-1' is in force"):
        house.freeze()
    freeze.release(house.file, "audit-1", "Ann", "done")
    with pytest.raises(ConfigError, match="there is a freeze 'audit-1' already"):
        house.freeze()
    judged = judge_lake(house.lake, moment(house.lake, house.config, parse_as_of("freeze:audit-1")))
    assert judged.notes == ()
