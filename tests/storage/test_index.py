"""The index of known items costs little, and a wrong one costs time: never an item, never twice."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.model import EvidenceItem
from storage import index as indexes
from storage.index import open_index
from storage.run import BLOCK, DamagedRun, Span, keys_of, make_run, open_run, run_names, save_run
from storage.views import ask, connect
from tests.storage.makers import World, item

SPAN = Span(0, 7, b"s" * 32, b"e" * 32)


def _id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of 41 items that landed in 20 commits, each of which brought one known item too."""
    world = World(tmp_path_factory.mktemp("made") / "lake")
    for number in range(20):
        world.land(*_batch(number), cursor=str(number))
    return world.path


@pytest.fixture
def world(made: Path, tmp_path: Path) -> World:
    """A copy of it."""
    return World(Path(shutil.copytree(made, tmp_path / "lake")))


def _batch(number: int) -> list[EvidenceItem]:
    return [item(n % 50, subject=f"S-{n}") for n in range(2 * number, 2 * number + 3)]


def _again(world: World) -> None:
    """Everything collected once more and one new item: only that one lands, and none twice."""
    everything = [one for number in range(20) for one in _batch(number)]
    new = item(3, subject=f"new-{world.lake.version}")
    landed = world.land(*everything, new, cursor=f"again-{world.lake.version}")
    assert (landed.new, landed.known) == (1, 60)
    with connect(world.lake) as connection:
        (row,) = ask(connection, "SELECT count(*), count(DISTINCT item_id) FROM evidence").rows
    assert row[0] == row[1]


@given(st.lists(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)))
def test_a_run_finds_its_keys_and_no_others(held: list[int], others: list[int]) -> None:
    keys = np.array(held, np.uint64)
    run = make_run(SPAN, keys, np.arange(len(held), dtype=np.uint32))
    asked = held + [key for key in others if key not in held]
    found = run.find(np.array(asked, np.uint64))
    assert [int(place) >= 0 for place in found] == [n < len(held) for n in range(len(asked))]
    assert all(held[place] == key for place, key in zip(found, held, strict=False))


def test_a_run_of_many_blocks_finds_every_key_on_disk(tmp_path: Path) -> None:
    keys = keys_of([_id(n) for n in range(5 * BLOCK + 1)])
    save_run(tmp_path, make_run(SPAN, keys, np.arange(len(keys), dtype=np.uint32)))
    run = open_run(tmp_path / SPAN.name)
    assert run.find(keys).tolist() == list(range(len(keys)))
    assert set(run.find(keys_of([_id(-n) for n in range(1, 900)]))) == {-1}


def test_keys_are_the_first_half_of_the_first_half_of_an_id() -> None:
    ids = [_id(n) for n in range(9)]
    expected = [int(text[:16], 16) for text in ids]
    assert keys_of(ids).tolist() == expected
    assert keys_of(pa.array(["", *ids, "no id"]).slice(1)).tolist() == expected


@pytest.mark.parametrize("place", [0, 700, -140, -1], ids=["first", "key", "guide", "footer"])
def test_one_changed_bit_is_noticed(tmp_path: Path, place: int) -> None:
    keys = keys_of([_id(n) for n in range(BLOCK)])
    save_run(tmp_path, make_run(SPAN, keys, np.zeros(len(keys), np.uint32)))
    content = bytearray((tmp_path / SPAN.name).read_bytes())
    content[place] ^= 16
    (tmp_path / SPAN.name).write_bytes(content)
    with pytest.raises(DamagedRun):
        open_run(tmp_path / SPAN.name).find(keys)


def test_the_index_stays_a_few_files(world: World) -> None:
    assert 0 < len(run_names(world.path / "index")) <= 4
    _again(world)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[3] ^= 255
    path.write_bytes(content)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


HARM: dict[str, Callable[[Path], None]] = {
    "changed": _flip, "cut": _cut, "emptied": _empty, "deleted": Path.unlink,
}  # fmt: skip


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("which", [0, -1], ids=["oldest", "newest"])
def test_a_damaged_index_is_made_again(world: World, harm: str, which: int) -> None:
    HARM[harm](world.path / "index" / run_names(world.path / "index")[which])
    _again(world)
    _again(world)


def test_an_index_in_the_way_of_itself_only_costs_time(world: World) -> None:
    shutil.rmtree(world.path / "index")
    (world.path / "index").write_text("a file where the folder should be")
    _again(world)
    assert (world.path / "index").is_file()


def test_an_older_index_put_back_catches_up(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.path / "index", tmp_path / "older")
    world.land(item(5, subject="later"), cursor="x")
    shutil.rmtree(world.path / "index")
    shutil.copytree(tmp_path / "older", world.path / "index")
    assert world.land(item(5, subject="later"), cursor="y").known == 1
    _again(world)


def test_the_index_of_another_lake_is_not_believed(world: World, tmp_path: Path) -> None:
    """As many commits and more rows than here: every version fits, only the log does not."""
    other = World(tmp_path / "other")
    for number in range(20):
        other.land(*[item(9, subject=f"O-{number}-{n}") for n in range(3)], cursor=str(number))
    shutil.rmtree(world.path / "index")
    shutil.copytree(other.path / "index", world.path / "index")
    _again(world)
    assert other.land(*_batch(1), cursor="z").new == 3


def test_an_index_that_claims_too_much_swallows_nothing(world: World) -> None:
    """Forged with right checksums, it calls an item known that never landed: the table decides."""
    table = world.lake.table("evidence")
    forged = open_index(world.path / "index", table)
    stranger = item(4, subject="never landed")
    keys, versions = forged.runs[-1].whole()
    keys = np.concatenate([keys, keys_of([stranger.item_id])])
    save_run(
        world.path / "index",
        make_run(forged.runs[-1].span, keys, np.append(versions, versions[-1]).astype(np.uint32)),
    )
    assert stranger.item_id in open_index(world.path / "index", table).find([stranger.item_id])
    assert world.land(stranger, cursor="x").new == 1


def test_an_index_that_lacks_keys_is_made_again(world: World) -> None:
    """Forged with right checksums, it claims a version and holds less than the table."""
    table = world.lake.table("evidence")
    forged = open_index(world.path / "index", table)
    run = forged.runs[0]
    keys, versions = run.whole()
    save_run(world.path / "index", make_run(run.span, keys[1:], versions[1:]))
    _again(world)


def test_a_lake_that_was_set_back_does_not_use_what_was_indexed_later(
    world: World, tmp_path: Path
) -> None:
    shutil.copytree(world.path, tmp_path / "copy", ignore=shutil.ignore_patterns("index"))
    for number in range(3):
        world.land(item(7, subject=f"lost-{number}"), cursor=f"x{number}")
    shutil.rmtree(tmp_path / "copy/index", ignore_errors=True)
    shutil.copytree(world.path / "index", tmp_path / "copy/index")
    back = World(tmp_path / "copy")
    assert back.land(item(7, subject="lost-2"), cursor="y").new == 1
    for number in range(4):
        assert back.land(item(8, subject=f"other-{number}"), cursor=f"z{number}").new == 1
    assert back.land(item(7, subject="lost-0"), cursor="y").new == 1
    _again(back)


def test_an_index_is_made_from_files_where_the_log_names_files_that_are_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After compaction the files of old commits go: the snapshot's files hold the same rows."""
    shutil.rmtree(world.path / "index")
    _again(world)
    monkeypatch.setattr(indexes, "_follow", lambda *_: False)
    _again(world)


def test_processes_share_one_index(world: World) -> None:
    """Sources land side by side, each adding runs and tidying up: none loses what it knows."""

    def work(number: int) -> None:
        source = f"s{number}"
        for turn in range(12):
            ours = [item(turn, source=source, subject=f"{n}") for n in range(turn, turn + 3)]
            world.lake.land(
                source, ours, bookmark=world.lake.bookmark(source), cursor=None,
                pull_id=f"{number}-{turn}",
            )  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    _again(world)
    table = world.lake.table("evidence")
    index = open_index(world.path / "index", table)
    assert sum(run.count for run in index.runs) == table.rows == 4 * 36 + 42
