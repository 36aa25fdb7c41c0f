"""Maintenance keeps the log short and the folder lean, and loses nothing that anybody may need."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from evidence.errors import LakeError
from storage import log_packs
from storage.commits import checkpoints, log_versions, read_commit
from storage.keys import Signer, load_key, make_key
from storage.ledger import integrate
from storage.log_packs import listed_versions, packs
from storage.maintain import Tidied, maintain
from storage.place_local import LocalPlace
from storage.proof import check_inclusion, inclusion_proof
from storage.verify import examine, verify
from tests.storage.makers import World, days, item
from tests.storage.test_compact import everything

KEEP = timedelta(days=3)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_key(tmp_path / "key", origin="test/lake")
    return load_key(tmp_path / "key")


@pytest.fixture(autouse=True)
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_packs, "ENTRIES", 10)


def live(world: World, signer: Signer, first: int, commits: int) -> None:
    """Days on each of which something lands; tags and a seal at the end."""
    for number in range(first, first + commits):
        world.clock.now += days(1)
        world.land(item(number), cursor=f"c{number}")
    world.tag("iso42001:8.1", "change_request")
    integrate(world.lake, signer)


def kept(world: World, signer: Signer) -> dict[str, Tidied]:
    done = {one.table: one for one in maintain(world.lake, signer.verifier, keep=KEEP)}
    assert [sentence for one in done.values() for sentence in one.refused] == []
    integrate(world.lake, signer)
    return done


def data_files(world: World) -> set[Path]:
    return set((world.path / "evidence").glob("month=*/*.parquet"))


def test_a_long_life_leaves_a_short_log_and_few_files(world: World, signer: Signer) -> None:
    live(world, signer, 0, 30)
    first = kept(world, signer)["evidence"]
    assert (first.files_before, first.swept.deleted) == (30, 0)
    assert first.files_after < 12
    live(world, signer, 30, 5)  # the files taken out are now past their time
    second = kept(world, signer)["evidence"]
    assert second.swept.deleted == first.compacted.taken
    assert first.packed + second.packed == 20
    log = world.path / "evidence" / "_delta_log"
    assert min(listed_versions(LocalPlace(log.parent))) == 20
    assert len(list(log.glob("*.checkpoint.parquet"))) <= 4
    assert log_versions(LocalPlace(log.parent)) == list(range(world.lake.version + 1))
    assert verify(world.path, signer.vkey).items == 35
    proof = inclusion_proof(world.lake, item(3).item_id)
    assert check_inclusion(proof, signer.vkey).size == 35


def test_what_was_seen_before_is_seen_after(world: World, signer: Signer) -> None:
    live(world, signer, 0, 30)
    past = world.clock.now - days(12)
    before, then = everything(world.lake), everything(world.lake, past)
    kept(world, signer)
    world.clock.now += days(10)
    kept(world, signer)
    assert (everything(world.lake), everything(world.lake, past)) == (before, then)
    assert world.lake.bookmark("jira").cursor is not None
    live(world, signer, 30, 1)
    assert verify(world.path, signer.vkey).items == 31


def test_a_reader_with_an_old_list_of_files_reads_on(world: World, signer: Signer) -> None:
    live(world, signer, 0, 30)
    table = world.lake.table("evidence")
    files, version = table.files(), table.version
    kept(world, signer)
    live(world, signer, 30, 2)
    kept(world, signer)
    assert all(file.path.exists() for file in files)
    assert len(DeltaTable(table.place.uri, version=version).file_uris()) == 30
    world.clock.now += days(2)
    kept(world, signer)
    shown = {file.path for file in world.lake.files("evidence")}
    assert {file.path for file in files if file.path.exists()} <= shown


def test_a_cursor_that_did_not_move_is_found_in_its_pack(world: World, signer: Signer) -> None:
    world.land(item(0), cursor="stands", source="jira")
    for number in range(1, 40):
        world.clock.now += days(1)
        world.land(item(number), source="jira")  # points back to version 1
    integrate(world.lake, signer)
    kept(world, signer)
    assert packs(LocalPlace(world.path / "evidence"))
    assert 1 not in listed_versions(LocalPlace(world.path / "evidence"))
    bookmark = world.lake.bookmark("jira")
    assert (bookmark.cursor and bookmark.cursor.value, bookmark.kept_in) == ("stands", 1)
    world.land(item(99), cursor="on")


def test_a_pack_that_is_gone_or_altered_is_named(world: World, signer: Signer) -> None:
    live(world, signer, 0, 40)
    kept(world, signer)
    first, *_ = packs(LocalPlace(world.path / "evidence"))
    pack = world.path / "evidence" / first.name
    content = pack.read_bytes()
    pack.unlink()
    told = [f.sentence for f in examine(world.path, signer.vkey) if f.fatal]
    assert "log entries 0 to 9 of table evidence are gone, with the pack of them" in told
    pack.write_bytes(content[: len(content) // 2])
    told = [f.sentence for f in examine(world.path, signer.vkey) if f.fatal]
    assert len([one for one in told if pack.name in one]) == 1
    pack.write_bytes(content)
    place = LocalPlace(world.path / "evidence")
    forged = [log_packs.entry(place, version) or b"" for version in range(10)]
    forged[4] = forged[4].replace(b"jira", b"jirb")
    log_packs._write(place, range(10), forged)
    told = [f.sentence for f in examine(world.path, signer.vkey) if f.fatal]
    assert [one for one in told if "is not the one that was sealed" in one]


def test_packing_goes_on_after_a_death_between_pack_and_log(world: World, signer: Signer) -> None:
    live(world, signer, 0, 35)
    root = world.path / "evidence"
    texts = {
        version: (root / f"_delta_log/{version:020}.json").read_bytes() for version in range(10)
    }
    log_packs._write(LocalPlace(root), range(10), [texts[version] for version in range(10)])
    (root / f"_delta_log/{0:020}.json").unlink()
    kept(world, signer)
    assert [(pack.first, pack.last) for pack in packs(LocalPlace(root))][:2] == [(0, 9), (10, 19)]
    assert {v: log_packs.entry(LocalPlace(root), v) for v in range(10)} == texts
    assert verify(world.path, signer.vkey).items == 35


def test_a_pack_that_says_otherwise_than_the_log_stops_it(world: World, signer: Signer) -> None:
    live(world, signer, 0, 25)
    place = LocalPlace(world.path / "evidence")
    log_packs._write(place, range(10), [b"{}"] * 10)
    with pytest.raises(LakeError, match="does not hold log entry 0 as it is"):
        maintain(world.lake, signer.verifier, keep=KEEP)
    assert 0 in listed_versions(LocalPlace(world.path / "evidence"))


def test_strays_go_after_a_day_and_what_is_hidden_stays(world: World, signer: Signer) -> None:
    live(world, signer, 0, 12)
    young, old = (world.path / "evidence/month=2026-10" / f"{n}.parquet" for n in ("young", "old"))
    for path in (young, old):
        path.write_bytes(b"unfinished")
    aged = time.time() - 2 * 86400
    os.utime(old, (aged, aged))
    done = kept(world, signer)["evidence"]
    assert (done.swept.deleted, old.exists(), young.exists()) == (1, False, True)


def test_files_are_kept_whose_rows_are_in_no_other(world: World, signer: Signer) -> None:
    """A compaction that somebody else made loses a row; or a file of today was cut after it."""
    live(world, signer, 0, 12)
    table = world.lake.table("evidence")
    victim = table.files()[0]
    table.replace([victim], [])
    world.clock.now += days(5)
    told = [s for one in maintain(world.lake, signer.verifier, keep=KEEP) for s in one.refused]
    integrate(world.lake, signer)
    assert victim.path.exists()
    live(world, signer, 20, 1)
    world.clock.now += days(5)
    told = [s for one in maintain(world.lake, signer.verifier, keep=KEEP) for s in one.refused]
    assert [s for s in told if "holds a row that no file of today holds" in s]
    assert victim.path.exists()
    assert "missing" in {finding.kind for finding in examine(world.path, signer.vkey)}


def test_checkpoints_are_made_when_writers_died_before_theirs(world: World, signer: Signer) -> None:
    live(world, signer, 0, 25)
    for path in (world.path / "evidence/_delta_log").glob("*checkpoint*"):
        path.unlink()
    kept(world, signer)
    assert checkpoints(LocalPlace(world.path / "evidence"))
    commit = read_commit(LocalPlace(world.path / "evidence"), world.lake.version)
    assert commit is not None


def test_an_hour_at_least_is_kept(world: World, signer: Signer) -> None:
    with pytest.raises(LakeError, match="an hour at least"):
        maintain(world.lake, signer.verifier, keep=timedelta(minutes=5))
