"""A collection without Prefect waits for a busy store as the configuration says, and no longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evidence.errors import LakeBusy, LakeConflict, LakeError
from evidence.secret import Secret
from flows.config import Config, load, now
from flows.run import TRIES, collect_direct, patient
from storage.bucket import Access
from storage.cache import Cache
from storage.lake import Lake
from storage.place import place_of
from tests.flows.conftest import Home, numbers
from tests.ports import free_port

EXTRA = '\n[collect]\npatience = 3\nwait = "PT10S"\n'


@pytest.fixture
def config(home: Home) -> Config:
    return load(home(numbers("one", upto=4, size=2), extra=EXTRA))


def _answers(*given: object) -> Callable[[], object]:
    left: Iterator[object] = iter(given)

    def ask() -> object:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def test_a_busy_store_is_waited_for_longer_each_time(config: Config) -> None:
    slept: list[float] = []
    ask = _answers(LakeBusy("1"), LakeBusy("2"), LakeConflict("other"), LakeBusy("3"), "landed")
    assert patient(config, ask, slept.append) == "landed"
    assert [5 * 2**n <= pause <= 15 * 2**n for n, pause in enumerate(slept)] == [True] * 3


def test_patience_ends(config: Config) -> None:
    slept: list[float] = []
    with pytest.raises(LakeBusy, match="4"):
        patient(config, _answers(*(LakeBusy(str(n)) for n in range(1, 9))), slept.append)
    assert len(slept) == 3
    with pytest.raises(LakeConflict, match=str(TRIES)):
        patient(config, _answers(*(LakeConflict(str(n)) for n in range(1, 9))), slept.append)
    with pytest.raises(LakeError, match="damaged"):
        patient(config, _answers(LakeError("damaged"), "never"), slept.append)
    assert len(slept) == 3


def test_a_store_that_is_away_is_busy(config: Config, tmp_path: Path) -> None:
    away = Access(
        endpoint=f"http://127.0.0.1:{free_port()}", region="us-east-1", key=Secret("k"),
        secret=Secret("s"), cache=Cache(tmp_path / "cache"), tries=0,
    )  # fmt: skip
    slept: list[float] = []
    place = place_of("s3://bucket/lake", access=away)
    with pytest.raises(LakeBusy, match="try again"):
        patient(config, lambda: Lake.open(place, clock=now), slept.append)
    assert len(slept) == 3


def test_it_collects(config: Config) -> None:
    assert collect_direct(config) == 0
