"""A board is made once for all readers, never shown when too old, and never hides an error."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from dashboards.model import Board
from dashboards.ready import EXPIRED, LOOK, MOVED, PAST, Made, Ready, Shelf
from dashboards.summary import next_expiry
from evidence.errors import LakeError
from tests.dashboards.boards import demo_board

BOARD = demo_board()
OLDEST = timedelta(minutes=15)
LONG = 60


@dataclass
class Maker:
    """A lake that moves when told, and boards whose making takes as long as it is held back."""

    now: datetime = BOARD.as_of
    version: int = 1
    made: int = 0
    takes: timedelta = timedelta()
    error: Exception | None = None
    going: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.going.set()

    def make(self) -> Board:
        assert self.going.wait(LONG)
        self.made += 1
        self.now += self.takes
        if self.error:
            raise self.error
        return replace(BOARD, organisation=f"version {self.version}", built_at=self.now)

    def ready(self) -> Ready:
        return Ready(self.make, lambda: self.version, lambda: self.now, OLDEST)


def settled(ready: Ready, ask: Callable[[], Board]) -> Board:
    """What is answered once whoever looks in the background has done so."""
    with contextlib.suppress(LakeError):
        ask()
    looked()
    return ask()


def looked() -> None:
    for thread in threading.enumerate():
        if thread.name == "board":
            thread.join(LONG)


@pytest.fixture
def lake() -> Maker:
    return Maker()


def test_many_readers_wait_for_one_making(lake: Maker) -> None:
    ready = lake.ready()
    lake.going.clear()
    with ThreadPoolExecutor(8) as readers:
        asked = [readers.submit(ready.board) for _ in range(8)]
        lake.going.set()
        boards = [one.result(LONG) for one in asked]
    assert lake.made == 1
    assert {board.organisation for board in boards} == {"version 1"}


def test_nothing_is_made_while_nothing_moves(lake: Maker) -> None:
    ready = lake.ready()
    first = ready.board()
    lake.now += OLDEST / 3
    assert settled(ready, ready.board) is first
    assert lake.made == 1


def test_a_lake_that_moved_is_told_until_the_new_board_is_there(lake: Maker) -> None:
    ready = lake.ready()
    ready.board()
    lake.version = 2
    lake.now += LOOK
    lake.going.clear()
    while not (told := ready.board()).late:
        pass
    assert (told.organisation, told.late) == ("version 1", MOVED)
    lake.going.set()
    found = settled(ready, ready.board)
    assert (found.organisation, found.late) == ("version 2", "")
    assert lake.made == 2


def left(lake: Maker) -> Ready:
    """One that begins with the board of an earlier process."""
    before = Made(replace(BOARD, organisation="before"), None, lake.now, timedelta(), "of before")
    asked = [before]
    return replace(lake.ready(), before=asked.pop)


def test_what_an_earlier_process_left_is_late_until_the_first_board_of_this_one(
    lake: Maker,
) -> None:
    ready = left(lake)
    taken = ready.begin()
    assert taken is not None
    assert (taken.organisation, taken.late, lake.made) == ("before", "of before", 0)
    lake.now += LOOK
    lake.going.clear()
    told = ready.board()
    assert (told.organisation, told.late) == ("before", "of before"), "although nothing moved"
    lake.going.set()
    found = settled(ready, ready.board)
    assert (found.organisation, found.late, lake.made) == ("version 1", "", 1)


def test_what_was_left_hides_no_error_and_does_not_outlive_its_age(lake: Maker) -> None:
    ready, lake.error = left(lake), LakeError("the disk is full")
    ready.begin()
    lake.now += LOOK
    with pytest.raises(LakeError, match="the disk is full"):
        settled(ready, ready.board)
    lake.error = None
    ready = left(lake)
    lake.now += OLDEST
    assert ready.board().organisation == "version 1"


def test_what_goes_out_of_date_is_judged_anew(lake: Maker) -> None:
    expiry = next_expiry(BOARD)
    assert expiry is not None
    lake.now = expiry - timedelta(minutes=1)
    ready = lake.ready()
    ready.board()
    lake.now = expiry
    settled(ready, ready.board)
    assert lake.made == 2


def test_it_rests_as_long_as_making_took_and_says_why_it_is_late(lake: Maker) -> None:
    lake.takes = timedelta(minutes=3)
    ready = lake.ready()
    ready.board()
    lake.version = 2
    lake.now += LOOK
    assert settled(ready, ready.board).late == MOVED
    assert lake.made == 1
    lake.now += timedelta(minutes=3)
    assert settled(ready, ready.board).organisation == "version 2"


@pytest.mark.parametrize("away", [OLDEST, timedelta(days=400), -timedelta(seconds=1)])
def test_too_old_a_board_is_shown_to_nobody(lake: Maker, away: timedelta) -> None:
    ready = lake.ready()
    ready.board()
    lake.version, lake.now = 2, lake.now + away
    assert ready.board().organisation == "version 2"


def test_it_is_made_anew_before_it_is_too_old(lake: Maker) -> None:
    ready = lake.ready()
    ready.board()
    lake.now += OLDEST / 2
    assert settled(ready, ready.board).built_at == lake.now


def test_an_error_is_told_to_every_reader_until_it_is_over(lake: Maker) -> None:
    ready = lake.ready()
    ready.board()
    lake.version, lake.error = 2, LakeError("the lake cannot be read")
    lake.now += LOOK
    with pytest.raises(LakeError, match="cannot be read"):
        settled(ready, ready.board)
    with pytest.raises(LakeError, match="cannot be read"):
        ready.board()
    lake.error = None
    lake.now += LOOK
    with contextlib.suppress(LakeError):  # whoever starts the next look may be quicker than it
        ready.board()
    looked()
    assert ready.board().organisation == "version 2"


def test_who_waited_gets_the_error_and_does_not_try_again(lake: Maker) -> None:
    ready = lake.ready()
    lake.going.clear()
    lake.error = LakeError("no lake")
    with ThreadPoolExecutor(4) as readers:
        asked = [readers.submit(ready.board) for _ in range(4)]
        while not all(one.running() for one in asked):
            pass
        lake.going.set()
        assert all(isinstance(one.exception(LONG), LakeError) for one in asked)
    assert lake.made <= 2, "at most one came too late to have waited"


def test_a_lake_that_cannot_even_be_looked_at_is_told(lake: Maker) -> None:
    def mark() -> int:
        if lake.error:
            raise lake.error
        return lake.version

    ready = replace(lake.ready(), mark=mark)
    ready.board()
    lake.error = LakeError("gone")
    lake.now += LOOK
    with pytest.raises(LakeError, match="gone"):
        settled(ready, ready.board)


def test_of_the_past_only_the_last_asked_for_are_kept(lake: Maker) -> None:
    shelf = Shelf(lambda _as_of: lake.ready(), lambda: lake.now)
    moments = ["", *map(str, range(PAST + 1))]
    for as_of in moments:
        shelf.board(as_of)
    assert lake.made == len(moments)
    for as_of in ("", *moments[2:]):
        shelf.board(as_of)
    assert lake.made == len(moments)
    shelf.board(moments[1])
    assert lake.made == len(moments) + 1


def test_a_server_has_the_board_ready_before_anybody_asks(lake: Maker) -> None:
    shelf = Shelf(lambda _as_of: lake.ready(), lambda: lake.now)
    with shelf.running():
        while not lake.made:
            pass
    assert shelf.board("").organisation == "version 1"
    assert lake.made == 1
    assert EXPIRED != MOVED


def test_for_each_new_board_what_readers_ask_next_is_prepared_once(lake: Maker) -> None:
    done: list[str] = []
    shelf = Shelf(lambda _as_of: lake.ready(), lambda: lake.now)
    shelf.prepare = lambda: done.append(shelf.board("").organisation)
    for _ in range(2):
        shelf._prepare(shelf.board(""))
    shelf._prepare(replace(shelf.board(""), built_at=lake.now + OLDEST, late=MOVED))
    assert done == ["version 1"], "an old board is not cut again"
    lake.version, lake.now = 2, lake.now + OLDEST
    shelf._prepare(shelf.board(""))
    assert done == ["version 1", "version 2"]
