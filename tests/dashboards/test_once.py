"""An answer is made once for each board, and only the last ones asked for are kept."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboards.once import Once

LONG = 60


def test_many_who_ask_at_once_get_what_one_made() -> None:
    once, made, going = Once(4), [0], threading.Event()

    def make() -> int:
        assert going.wait(LONG)
        made[0] += 1
        return made[0]

    with ThreadPoolExecutor(8) as readers:
        asked = [readers.submit(once.of, "board 1", "page", make) for _ in range(8)]
        going.set()
        assert {one.result(LONG) for one in asked} == {1}
    assert once.of("board 2", "page", make) == 2, "another board is another page"
    assert once.of("board 1", "page", make) == 3, "only the last board's is kept"


def test_a_slow_answer_holds_nobody_up_who_asks_for_another() -> None:
    once, going = Once(4), threading.Event()
    with ThreadPoolExecutor(1) as reader:
        slow = reader.submit(once.of, 1, "slow", lambda: going.wait(LONG))
        assert once.of(1, "quick", lambda: "here") == "here"
        going.set()
        assert slow.result(LONG)


def test_an_error_is_not_kept() -> None:
    once = Once(4)
    with pytest.raises(ZeroDivisionError):
        once.of(1, "page", lambda: 1 // 0)
    assert once.of(1, "page", lambda: "drawn") == "drawn"


def test_it_holds_no_more_than_said() -> None:
    once, made = Once(2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        once.of(1, key, lambda key=key: made.append(key) or key)
    assert made == ["a", "b", "c", "b"], "b made room for c, a was asked for later"
