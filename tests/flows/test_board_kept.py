"""A server shows the board of before at once, as what it is, and never one that it cannot trust."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
import requests

from dashboards.ready import LOOK
from dashboards.server import serving
from flows import board_kept, board_reads, show
from flows.board_kept import BEFORE, keep, keep_judged, kept, unchanged
from flows.board_ready import board_now, from_shelf, shelf_of
from flows.config import now
from flows.judgement import judge_lake
from flows.moment import Asked, present
from flows.record import record
from flows.setup import initialise
from flows.show import board_app
from storage.board_copy import NAME, WHAT, forget_copy
from tests.flows.house import House, copied, make_house

LONG = 60


@pytest.fixture(scope="module")
def judged_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house whose lake was judged, and the board of it kept, as the freshness flow does."""
    folder = tmp_path_factory.mktemp("judged") / "home"
    list(initialise(folder, "Test House"))
    made = make_house(folder / "headwater.toml")
    made.land()
    made.follow()
    judged = judge_lake(made.lake, present(made.lake, made.config))
    record(made.lake, judged)
    assert keep_judged(made.lake, made.config, judged) == ""
    return made


@pytest.fixture
def house(judged_house: House, tmp_path: Path) -> House:
    """A copy of it for each test."""
    return copied(judged_house, tmp_path)


def test_what_is_kept_is_the_board_itself(house: House) -> None:
    shelf = shelf_of(house.config)
    made = replace(board_reads.reads(house.config).board(""), past=None)
    assert keep(house.config, made) == ""
    found = kept(house.config)
    assert found is not None
    assert found.board == made
    assert (found.began, found.took, found.late) == (made.as_of, timedelta(), BEFORE)
    assert shelf.board("").late == BEFORE


def test_a_server_shows_it_at_once_and_says_so_until_a_newer_one_is_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept(house.config)
    assert before is not None
    held, going = board_reads.build, threading.Event()
    monkeypatch.setattr(board_reads, "build", lambda *of: going.wait(LONG) and held(*of))
    clock = [now()]
    shelf = shelf_of(house.config, clock=lambda: clock[0])
    gate = board_app(house.config, token=None, open_loopback=True, shelf=shelf)
    with serving(gate) as url:

        def told() -> dict[str, str]:
            return dict(requests.get(f"{url}/board.json", timeout=LONG).json())

        page = requests.get(url, timeout=LONG).text
        assert BEFORE in page
        assert "Where controls stood" in page, "also what stood before is of that board"
        house.land()
        house.follow()
        clock[0] += LOOK
        assert told()["late"] == BEFORE
        assert told()["built_at"] == told()["built_at"]
        going.set()
        for thread in threading.enumerate():
            if thread.name == "board":
                thread.join(LONG)
        after = told()
        assert after["late"] == ""
        assert after["built_at"] > before.board.built_at.isoformat()[:19]
    newer = kept(house.config)
    assert newer is not None
    assert newer.board.lake.version > before.board.lake.version, "a server keeps its boards, too"
    assert newer.board.past is not None


def test_one_that_is_too_old_is_shown_to_nobody(house: House) -> None:
    later = now() + house.config.board.oldest
    shelf = shelf_of(house.config, clock=lambda: later)
    assert shelf.board("").late == ""
    earlier = now() - timedelta(hours=1)
    shelf = shelf_of(house.config, clock=lambda: earlier)
    assert shelf.board("").late == "", "nor one of a time to come"


def _changed_file(house: House) -> None:
    house.config.file.write_text(house.config.file.read_text() + "\n[board]\noldest = 'PT9M'\n")


def _cut(house: House) -> None:
    file = house.lake.place.derived(WHAT) / NAME
    file.write_bytes(file.read_bytes()[:-1])


def _no_public_key(house: House) -> None:
    house.config.key.with_name(house.config.key.name + ".pub").unlink()


@pytest.mark.parametrize("change", [House.new_rules, House.new_overrides, _changed_file, _cut,
                                    _no_public_key])  # fmt: skip
def test_of_another_configuration_or_unproved_it_is_not_shown(
    house: House, change: Callable[[House], None]
) -> None:
    assert kept(house.config) is not None
    change(house)
    assert kept(house.config) is None


def test_what_another_version_of_headwater_made_is_not_shown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_kept, "code_version", lambda: "0.0.9+abc")
    assert kept(house.config) is None


def test_without_the_signing_key_a_board_is_made_and_not_kept(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    before = kept(house.config)
    house.config.key.unlink()
    assert before is not None
    found = kept(house.config)
    assert found == before, "who only reads needs the public half alone"
    later = now() + house.config.board.oldest
    shelf_of(house.config, clock=lambda: later).board("")
    assert "not kept for the next start" in caplog.text
    assert kept(house.config) == before


def test_a_past_moment_is_neither_kept_nor_begun_with(house: House) -> None:
    before = kept(house.config)
    assert shelf_of(house.config).board("@1").late == ""
    assert shelf_of(house.config, Asked(size=1)).board("").late == ""
    assert kept(house.config) == before


def test_the_first_page_is_drawn_before_anybody_asks(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, drawn = shelf_of(house.config), list[str]()
    monkeypatch.setattr(board_reads, "build", pytest.fail)
    monkeypatch.setattr(show, "render_page", lambda page, _links: drawn.append(page.head.late))
    show._warm(from_shelf(house.config, shelf), shelf)
    assert drawn == [BEFORE]
    monkeypatch.undo()
    forget_copy(house.lake)
    shelf = shelf_of(house.config)
    show._warm(from_shelf(house.config, shelf), shelf)
    assert shelf.board("").late == "", "where nothing is kept the server starts all the same"


def test_a_board_that_cannot_be_made_fails_no_judgement(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_of: object, **_how: object) -> None:
        raise duckdb.OutOfMemoryException("too little memory")

    judged = judge_lake(house.lake, present(house.lake, house.config))
    monkeypatch.setattr(board_kept, "assemble", full)
    told = keep_judged(house.lake, house.config, judged)
    assert told == "the board was not made: too little memory"


def test_a_written_board_is_the_kept_one_while_nothing_moved(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = board_now(house.config)
    with monkeypatch.context() as patch:
        patch.setattr(board_reads, "build", pytest.fail)
        assert board_now(house.config) == before == unchanged(house.config)
        show._write(house.config, None, tmp_path / "board.html")
        show._write(house.config, None, tmp_path / "site")
        for page in (tmp_path / "board.html", tmp_path / "site" / "index.html"):
            assert f"{before.as_of:%Y-%m-%d %H:%M}" in page.read_text()
    house.land()
    assert unchanged(house.config) is None, "what landed is not on it"
    after = board_now(house.config)
    assert after.lake.version > before.lake.version
    assert unchanged(house.config) == after, "and it is left for the next"
    house.follow()
    assert unchanged(house.config) is None, "tags and seals are told by it, too"


def test_a_board_that_is_out_of_date_is_not_written_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = board_now(house.config)
    for at in (made.as_of + house.config.board.oldest, made.as_of - timedelta(seconds=1)):
        with monkeypatch.context() as patch:
            patch.setattr(board_kept, "now", lambda at=at: at)
            assert unchanged(house.config) is None
    monkeypatch.setattr(board_kept, "next_expiry", lambda _board: made.as_of)
    assert unchanged(house.config) is None


def test_a_board_that_was_judged_before_something_landed_is_late(house: House) -> None:
    judged = judge_lake(house.lake, present(house.lake, house.config))
    house.land()
    assert keep_judged(house.lake, house.config, judged) == ""
    assert kept(house.config) is not None
    assert unchanged(house.config) is None
