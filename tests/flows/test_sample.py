"""An auditor's sample: drawn again on another machine it is the same; drawn often, it is told."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import ConfigError
from evidence.sampling import draw, population_digest
from flows.config import load, now
from flows.follow import follow
from flows.pull import attempt
from flows.sample import Wanted, run
from flows.setup import initialise
from flows.verbs.options import moment_asked
from storage.draws import DrawnFrom
from storage.lake import Lake
from storage.views import ask, connect
from tests.flows.conftest import numbers

NUMBERS = DrawnFrom(kinds=("test.number",))
pytestmark = pytest.mark.xdist_group("sampled")


class House:
    """A home in which thirty numbers landed, and short words for drawing from it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.said: list[str] = []

    def draw(self, seed: str = "7", out: Path | None = None, **given: Any) -> list[str]:
        as_of = moment_asked(given.pop("as_of", ""))
        wanted = Wanted(given.pop("scope", NUMBERS), seed, "Ines Vidal", **{"size": 5, **given})
        self.said = []
        assert run(self.file, wanted, as_of, out, self.said.append) == 0
        return self.said

    def ask(self, sql: str) -> list[Any]:
        with connect(Lake.open(load(self.file).lake, clock=now)) as connection:
            return [tuple(row) for row in ask(connection, sql).rows]


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a home as it is before the first draw."""
    file = tmp_path_factory.mktemp("sampled") / "home" / "headwater.toml"
    list(initialise(file.parent, "Test House"))
    source = numbers("one", upto=30)
    file.write_text(f"{file.read_text()}\n[[source]]\n{source}\n")
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    attempt(lake, config.sources[0], now)
    follow(lake, config)
    return file.parent


@pytest.fixture
def house(landed: Path, tmp_path: Path) -> House:
    return House(Path(shutil.copytree(landed, tmp_path / "home"), "headwater.toml"))


def test_two_machines_draw_the_same(house: House, tmp_path: Path) -> None:
    shutil.copytree(house.file.parent, tmp_path / "elsewhere")
    with connect(Lake.open(load(house.file).lake, clock=now)) as connection:
        sealed = ask(connection, "SELECT count(*) FROM leaves").rows[0][0]
    house.draw(out=tmp_path / "here.json", as_of=f"@{sealed}")
    there = House(tmp_path / "elsewhere" / "headwater.toml")
    # what lands there in between is not in the population: it is as of a seal
    attempt(Lake.open(load(there.file).lake, clock=now), load(there.file).sources[0], now)
    there.draw(out=tmp_path / "there.json", as_of=f"@{sealed}")
    here = (tmp_path / "here.json").read_bytes()
    assert here == (tmp_path / "there.json").read_bytes()
    told = json.loads(here)
    assert len(told["sample"]) == 5
    assert told["population"] == {
        "items": 30, "sha256": population_digest(told["population_ids"])
    }  # fmt: skip
    assert tuple(told["sample"]) == draw(told["population_ids"], "7", 5)
    assert [row["item_id"] for row in told["drawn"]] == told["sample"]


def test_whoever_tries_seeds_is_told_of(house: House) -> None:
    asked = "@" + str(house.ask("SELECT count(*) FROM leaves")[0][0])
    assert not any(line.startswith("note") for line in house.draw("7", as_of=asked))
    assert not any(line.startswith("note") for line in house.draw("7", as_of=asked))
    notes = [line for line in house.draw("8", as_of=asked) if line.startswith("note")]
    assert len(notes) == 1
    assert "other seeds ('7'; 2 times in all)" in notes[0]
    kept = (
        "SELECT actor, payload->>'$.facts.seed' FROM evidence WHERE subject = 'sample' ORDER BY 2"
    )
    assert house.ask(kept) == [("Ines Vidal", "7"), ("Ines Vidal", "7"), ("Ines Vidal", "8")]


def test_a_population_by_control_time_and_question(house: House) -> None:
    ids = [row[0] for row in house.ask("SELECT item_id FROM latest WHERE kind = 'test.number'")]
    by_sql = house.draw(
        scope=DrawnFrom(), sql="SELECT item_id FROM latest WHERE kind = 'test.number'"
    )
    assert by_sql[1] == f"population  sha256 {population_digest(ids)}" == house.draw()[1]
    early = DrawnFrom(kinds=("test.number",), until=now().replace(year=2000))
    for scope, why in [
        (early, "the population is empty"),
        (DrawnFrom(system="none"), "say what to draw from"),
    ]:
        with pytest.raises(ConfigError, match=why):
            house.draw(scope=scope)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT 1 AS one", "the columns one: name one item_id"),
        ("SELECT item_id, item_id FROM evidence", "the columns item_id, item_id: name one item_id"),
        ("SELECT 'x' AS item_id", "1 ids of no item, such as 'x'"),
        ("SELECT item_id FROM evidence e, range(20000)", "more rows than an answer may have"),
    ],
)
def test_a_question_that_gives_no_items_is_refused(house: House, sql: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        house.draw(scope=DrawnFrom(), sql=sql)
    assert house.ask("SELECT count(*) FROM evidence WHERE subject = 'sample'") == [(0,)]


def test_rows_for_a_spreadsheet_say_why_it_is_these(house: House, tmp_path: Path) -> None:
    file = tmp_path / "sample.csv"
    house.draw("=7+1", out=file)
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [row["number"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert {row["seed"] for row in rows} == {"'=7+1"}  # a spreadsheet must not reckon it
    assert {row["population_items"] for row in rows} == {"30"}
    assert [row["rank"] for row in rows] == sorted(row["rank"] for row in rows)
    for name, why in [("sample.csv", "is there already"), ("sample.txt", "name a .json file")]:
        with pytest.raises(ConfigError, match=why):
            house.draw(out=tmp_path / name)
