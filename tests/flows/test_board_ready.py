"""A served board is the one that would be made, at most a look later; one as of the past, too."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import requests

from dashboards.access import Grant, Role
from dashboards.model import Board
from dashboards.reads import Reads
from dashboards.ready import LOOK, MOVED
from dashboards.server import serving
from evidence.errors import ConfigError, LakeError
from evidence.excerpt import Excerpt
from flows import board_reads
from flows.board import build
from flows.board_part import part
from flows.board_reads import reads
from flows.board_ready import from_shelf, preparing, shelf_of
from flows.config import now
from flows.show import board_app
from tests.dashboards.boards import demo_board
from tests.flows.conftest import Home
from tests.flows.house import House, make_house

LONG = 60


def told(board: Board) -> object:
    """What does not change with the minute in which it is made."""
    standings = {row.control: row.standing.standing for row in board.controls}
    facts = replace(board.lake, shown="", result="")
    return standings, facts, board.evidence, board.items, board.evidence_total, board.queue


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at: datetime = now()

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def house(home: Home) -> House:
    made = make_house(home())
    made.land()
    made.follow()
    return made


def _looked() -> None:
    for thread in threading.enumerate():
        if thread.name == "board":
            thread.join(LONG)


def test_what_is_served_is_what_would_be_made(house: House) -> None:
    clock = Clock()
    reads = from_shelf(house.config, shelf_of(house.config, clock=clock))
    first, lives = reads.board(""), reads.lives("")
    assert reads.lives("") is lives, "asked once for each board"
    sealed = f"@{first.lake.ledger_size}"
    house.land()
    house.follow()
    clock.at += LOOK
    reads.board("")
    _looked()
    second = reads.board("")
    assert second.late == ""
    assert told(second) == told(build(house.lake, house.config)) != told(first)
    assert reads.lives("") is not lives
    past = reads.board(sealed)
    assert past.evidence == first.evidence != second.evidence, "the past stays what it was"
    with pytest.raises(ConfigError):
        reads.board("yesterday")


def test_a_page_says_that_the_lake_has_moved_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    shelf = shelf_of(house.config, clock=clock)
    gate = board_app(house.config, token=None, open_loopback=True, shelf=shelf)
    with serving(gate) as url:

        def page() -> str:
            return requests.get(url, timeout=LONG).text

        assert MOVED not in page()
        house.land()
        held, going = board_reads.build, threading.Event()
        monkeypatch.setattr(board_reads, "build", lambda *of: going.wait(LONG) and held(*of))
        clock.at += LOOK
        page()
        while MOVED not in page():
            pass
        assert requests.get(f"{url}/board.json", timeout=LONG).json()["late"] == MOVED
        going.set()
        _looked()
        assert MOVED not in page()


def test_a_limited_access_is_told_too_that_the_lake_has_moved_on(house: House) -> None:
    whole, excerpt = reads(house.config), Excerpt(systems=("churn",))
    board = whole.board("")
    shown = [board, replace(board, late=MOVED)]
    cut = part(house.config, replace(whole, board=lambda _as_of: shown.pop(0)), excerpt)
    assert (cut.board("").late, cut.board("").late) == ("", MOVED)


def test_a_board_is_cut_before_those_ask_whose_access_is_limited(house: House) -> None:
    asked: list[tuple[Excerpt, str]] = []
    whole, at = reads(house.config), now()
    over, one = Excerpt(until=at - timedelta(days=1)), Excerpt(systems=("churn",))
    grants = [
        Grant("all", Role.ADMIN),
        Grant("over", Role.AUDITOR, excerpt=over),
        Grant("one", Role.AUDITOR, excerpt=one),
        Grant("two", Role.AUDITOR, excerpt=one),
        Grant("ended", Role.AUDITOR, until=at, excerpt=Excerpt(systems=("ended",))),
        Grant("wrong", Role.AUDITOR, excerpt=Excerpt(systems=("wrong",))),
    ]

    def parts(excerpt: Excerpt) -> Reads:
        def board(as_of: str) -> Board:
            asked.append((excerpt, as_of))
            if excerpt.systems == ("wrong",):
                raise LakeError("no lake")
            return demo_board()

        return replace(whole, board=board)

    prepare = preparing(lambda: grants, parts)
    prepare()
    wrong = (Excerpt(systems=("wrong",)), "")
    assert asked == [(over, ""), (one, ""), wrong]
    prepare()
    assert asked[3:] == [(one, ""), wrong], "of a period that is over nothing moves"
