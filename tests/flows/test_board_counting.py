"""What a board takes from the one before is what it would find in the whole lake, or nothing."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dashboards.model import Board
from evidence.correction import Act
from evidence.model import EvidenceItem, Outcome
from flows import board_counting
from flows.board import assemble
from flows.board_counting import counted_otherwise, counting
from flows.board_lives import LIVES
from flows.broken import broken
from flows.judgement import judge_lake
from flows.moment import present
from flows.setup import initialise
from storage import tallied
from storage.actions import land_own
from storage.board_copy import WHAT, forget_copy
from storage.corrections import correction_item
from storage.few import FEW
from storage.keys import make_key
from storage.tallied import NAME, TALLIES, Shown, take_up
from storage.tally import table_of_texts, tally_of, texts_of
from tests.flows.house import House, copied, make_house


@pytest.fixture(scope="module")
def counted_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house whose board was made once and counted."""
    folder = tmp_path_factory.mktemp("counted") / "home"
    list(initialise(folder, "Test House"))
    made = make_house(folder / "headwater.toml")
    made.land()
    made.follow()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallied, "WORTH", 0)
        counts(made)
    return made


@pytest.fixture
def house(counted_house: House, tmp_path: Path) -> House:
    """A copy of it for each test."""
    return copied(counted_house, tmp_path)


@pytest.fixture(autouse=True)
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Shown | None]:
    """What each board took from the one before."""
    found: list[Shown | None] = []

    def spied(*given: Any) -> Shown | None:
        found.append(take_up(*given))
        return found[-1]

    monkeypatch.setattr(tallied, "WORTH", 0)
    monkeypatch.setattr(board_counting, "take_up", spied)
    return found


def board(house: House) -> Board:
    """The board of now, without when it was made."""
    judged = judge_lake(house.lake, present(house.lake, house.config, house.clock.now))
    made = assemble(house.lake, house.config, judged, past=False)
    return replace(made, built_at=made.as_of)


def counts(house: House) -> dict[str, list[str]]:
    """All that a board counts by now, and the items of the few kinds; they are kept, too."""
    shown = present(house.lake, house.config, house.clock.now)
    with counting(house.lake, house.config, shown, past=False) as connection:
        few = f"SELECT * FROM lake_few WHERE {FEW}"
        found = {tally.name: told(tally_of(connection, tally)) for tally in TALLIES}
        edges = list(map(repr, broken(connection, house.clock.now)))
        rows = told(connection.execute(few).to_arrow_table())
    return found | {"few": rows, "broken": edges}


def told(table: pa.Table) -> list[str]:
    """The rows, however they were put together."""
    rows = table.to_pylist()
    for row in rows:
        row.update({name: sorted(value) for name, value in row.items() if isinstance(value, list)})
    return sorted(map(repr, rows))


def anew(house: House, ask: Callable[[House], Any] = counts) -> Any:
    """The answer of the whole lake; what is kept stays as it is."""
    kept, aside = house.lake.place.derived(WHAT), house.config.folder / "aside"
    kept.rename(aside)
    made = ask(house)
    shutil.rmtree(kept, ignore_errors=True)
    aside.rename(kept)
    return made


def _tagged(house: House) -> None:
    house.land()
    house.follow()


def _untagged(house: House) -> None:
    house.land()


def _strangers(house: House) -> None:
    """Items that no rule reads, one of them an error, and one of a register."""
    house.number += 1
    at, lake = house.clock.now - timedelta(minutes=1), house.lake
    items = [
        house.item("odd", "odd.kind", f"o{house.number}", at, "churn", Outcome.ERROR),
        house.item("odd", "git.register", f"register/{house.number}", at, "", Outcome.RECORDED),
    ]
    lake.land("odd", items, bookmark=lake.bookmark("odd"), cursor=None, pull_id="odd")
    house.follow()


_OUTCOMES = [Outcome.FAILED, Outcome.RECORDED]


def _lives(house: House) -> None:
    """Tickets of incidents and changes, of which the last names one of before, and a run."""
    house.number += 1
    at, lake, n = house.clock.now - timedelta(days=9), house.lake, house.number
    labels = [f"incident:{house.rng.randint(1, n)}"] if house.rng.random() < 0.5 else []
    told = [
        ("servicenow.incident", f"inc-{n}", {"number": str(n), "priority": "1"}),
        ("servicenow.change_request", f"chg-{n}", {"number": f"C{n}", "labels": labels}),
        ("mlflow.run", f"run-{n}", {"run_id": f"r{n}", "params": {}}),
    ]
    items = [
        EvidenceItem(
            source="lives", kind=kind, subject=subject, observed_from=at, observed_to=at,
            collected_at=at, payload=payload, system="churn", title=subject,
            outcome=Outcome.RECORDED if "incident" in kind else house.rng.choice(_OUTCOMES),
        )
        for kind, subject, payload in told
    ]  # fmt: skip
    lake.land("lives", items, bookmark=lake.bookmark("lives"), cursor=None, pull_id=f"l{n}")
    house.follow()


def _corrected(house: House) -> None:
    lake, item = house.lake, _some(house)
    facts = {"item_id": item, "by": "Ann", "reason": "mistaken", "wrong": "mistake"}
    act = correction_item(lake, Act.CORRECT, facts, title="corrected")
    land_own(lake, lambda _: ((act,), None))
    house.follow()


def _some(house: House) -> str:
    with present(house.lake, house.config).connect(house.lake) as connection:
        ((found,),) = connection.execute(
            "SELECT min(item_id) FROM evidence WHERE kind = 'jira.issue'"
        ).fetchall()
    return str(found)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_counted_is_that_of_the_whole_lake(
    house: House, taken: list[Shown | None], seed: int
) -> None:
    dice = random.Random(seed)
    for step in (
        _tagged,
        *dice.choices([_tagged, _untagged, _strangers, _lives, _lives, _corrected], k=5),
    ):
        step(house)
        house.clock.now += timedelta(minutes=dice.randint(1, 90))
        assert counts(house) == anew(house), step
    assert taken[0] is not None, "the first landing is put to what was counted"


def test_a_board_is_that_of_the_whole_lake(house: House, taken: list[Shown | None]) -> None:
    _tagged(house)
    _strangers(house)
    assert board(house) == anew(house, board)
    assert taken[0]


def test_what_came_is_counted_once_and_kept(house: House, taken: list[Shown | None]) -> None:
    for _ in range(2):
        _tagged(house)
        counts(house)
    first, second = taken
    assert first
    assert second
    assert second.versions > first.versions
    assert second.begun == first.begun, "it is no younger by being added to"
    told = (house.lake.place.derived(WHAT) / NAME).read_text().splitlines()[1]
    assert json.loads(told)["evidence"][0] == second.versions[0]


def test_lives_are_put_together_unless_something_old_is_touched(house: House) -> None:
    number = house.number + 1
    for _ in range(3):
        _lives(house)
        house.clock.now += timedelta(hours=1)
    counts(house)

    def known(step: Callable[[House], None]) -> bool:
        step(house)
        shown = present(house.lake, house.config, house.clock.now)
        with counting(house.lake, house.config, shown, past=False) as connection:
            found = LIVES in connection.tallies
            list(broken(connection, house.clock.now))
        return found

    house.rng.seed(1)
    assert known(lambda house: None)
    assert known(_strangers)
    assert known(lambda house: _ticket(house, "new", ["incident:nobody"]))
    assert not known(lambda house: _ticket(house, f"chg-{number}", [])), "an old one's version"
    assert known(lambda house: None), "what was made of the whole is kept"
    assert not known(lambda house: _ticket(house, "newer", [f"incident:{number}"])), "it is named"


def _ticket(house: House, subject: str, labels: list[str]) -> None:
    at, lake = house.clock.now, house.lake
    made = EvidenceItem(
        source="lives", kind="servicenow.change_request", subject=subject, title="again",
        observed_from=at, observed_to=at, collected_at=at, system="churn", outcome=Outcome.RECORDED,
        payload={"number": subject, "labels": labels},
    )  # fmt: skip
    lake.land("lives", [made], bookmark=lake.bookmark("lives"), cursor=None, pull_id="")
    house.follow()


def test_after_a_correction_all_is_counted_anew(house: House, taken: list[Shown | None]) -> None:
    _corrected(house)
    counts(house)
    assert taken == [None]


def test_a_tag_that_comes_late_is_a_doubt(house: House, taken: list[Shown | None]) -> None:
    house.land()
    counts(house)
    assert taken[-1]
    assert not taken[-1].whole, "what waits for its tags is counted, and not kept"
    house.follow()
    assert counts(house) == anew(house)
    assert taken[1]


def test_what_has_a_time_to_come_is_not_kept(house: House, taken: list[Shown | None]) -> None:
    house.clock.now += timedelta(hours=5)
    _tagged(house)
    house.clock.now -= timedelta(hours=5)
    counts(house)
    assert taken[-1]
    assert not taken[-1].whole
    house.clock.now += timedelta(hours=6)
    assert counts(house) == anew(house)


def _cut(house: House) -> None:
    (file,) = house.lake.place.derived(WHAT).glob("*/controls.parquet")
    file.write_bytes(file.read_bytes()[:-9])


def _swapped(house: House) -> None:
    """A whole file of another counting of the same lake."""
    (file,) = house.lake.place.derived(WHAT).glob("*/kinds.parquet")
    old = file.read_bytes()
    _tagged(house)
    counts(house)
    (file,) = house.lake.place.derived(WHAT).glob("*/kinds.parquet")
    file.write_bytes(old)


def _edited(house: House) -> None:
    file = house.lake.place.derived(WHAT) / NAME
    file.write_text(file.read_text().replace('"form": 1', '"form":  1'))


def _linked(house: House) -> None:
    (file,) = house.lake.place.derived(WHAT).glob("*/bare.parquet")
    file.rename(file.with_suffix(".there"))
    file.symlink_to(file.with_suffix(".there"))


def _signed_by_another(house: House) -> None:
    house.config.key.unlink()
    (house.config.key.parent / f"{house.config.key.name}.pub").unlink()
    make_key(house.config.key, origin=house.config.origin)


def _old(house: House) -> None:
    house.clock.now += tallied.BELIEVED


def _set_back(house: House) -> None:
    house.clock.now -= timedelta(minutes=30)


def _other_log(house: House) -> None:
    """The last entry of the log is another."""
    (entry,) = sorted(Path(str(house.lake.place), "evidence", "_delta_log").glob("*.json"))[-1:]
    entry.write_bytes(entry.read_bytes() + b"\n")


@pytest.mark.parametrize("harm", [
    _cut, _swapped, _edited, _linked, _signed_by_another, _old, _set_back, _other_log,
    House.new_rules,
])  # fmt: skip
def test_what_is_not_beyond_doubt_is_counted_anew(
    house: House, taken: list[Shown | None], harm: Callable[[House], None]
) -> None:
    harm(house)
    del taken[:]
    counts(house)
    assert taken == [None]


def test_more_of_few_kinds_than_memory_is_to_hold_are_read_from_the_lake(
    house: House, taken: list[Shown | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallied, "MOST", 1)
    for _ in range(2):
        _strangers(house)
    assert counts(house) == anew(house)
    assert taken == [None, None]


def test_of_another_code_it_is_not_believed(
    house: House, taken: list[Shown | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallied, "code_version", lambda: "0.0.9+abc")
    counts(house)
    assert taken == [None]


def test_nothing_of_it_outlives_what_had_to_go(house: House) -> None:
    forget_copy(house.lake)
    assert not house.lake.place.derived(WHAT).exists()


@pytest.mark.parametrize("name", ["controls", "lives", "pages"])
def test_what_was_kept_wrong_is_found_by_who_verifies(house: House, name: str) -> None:
    for _ in range(2):
        _lives(house)
    board(house)
    _lives(house)
    shown = present(house.lake, house.config, house.clock.now)
    assert not counted_otherwise(house.lake, house.config, shown)
    with counting(house.lake, house.config, shown, past=False) as connection:
        known = connection.tallies[name]
        connection.tallies[name] = known.slice(0, 0) if len(known) > 1 else _other(known)
    assert counted_otherwise(house.lake, house.config, shown)
    assert not house.lake.place.derived(WHAT).exists(), "it is thrown away"
    assert not counted_otherwise(house.lake, house.config, shown)


def _other(pages: pa.Table) -> pa.Table:
    """Pages of which one calls itself otherwise."""
    (text,) = texts_of(pages)
    return table_of_texts([text.replace(b'"title":"', b'"title":"no ')])


def test_without_the_signing_key_a_board_is_counted_and_nothing_is_kept(house: House) -> None:
    _tagged(house)
    house.config.key.unlink()
    before = (house.lake.place.derived(WHAT) / NAME).read_bytes()
    assert counts(house) == anew(house)
    assert (house.lake.place.derived(WHAT) / NAME).read_bytes() == before


def test_a_reader_of_a_past_moment_is_told_of_the_whole_lake(
    house: House, taken: list[Shown | None]
) -> None:
    shown = present(house.lake, house.config, house.clock.now)
    with counting(house.lake, house.config, shown, past=True) as connection:
        assert not connection.tallies
    assert taken == []
