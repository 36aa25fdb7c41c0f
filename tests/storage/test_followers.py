"""Tags and judgements are sealed as they were written: nobody turns stale into fresh unseen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence.errors import VerificationFailed
from evidence.freshness import ControlStanding, Standing, State, Verdict
from evidence.model import ControlId
from storage.checkpoints import read_checkpoint
from storage.files import file_sha256
from storage.forging import Field, false_rewrite
from storage.keys import Signer, load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.log_packs import commit_name
from storage.rebuild import set_tags_aside
from storage.verdicts import append_verdicts
from storage.verify import verify
from tests.storage.makers import World, days, item

CONTROL = ControlId("iso42001:A.6.2.4")


def judge(world: World, state: State) -> None:
    world.clock.now += days(1)
    verdict = Verdict(CONTROL, "validation", "s", state, False, "why", world.clock.now)
    standing = ControlStanding(CONTROL, Standing.STALE, "why", 0, 1)
    append_verdicts(world.lake, [verdict], [standing], world.clock.now)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "lake")
    make_key(tmp_path / "key", origin="brookside.example/lake")
    for number, state in enumerate((State.FRESH, State.STALE)):
        world.land(item(number), cursor=str(number))
        world.tag("iso42001:A.6.2.4", "validation")
        judge(world, state)
        seal(world)
    return world


def signer(world: World) -> Signer:
    return load_key(world.path.parent / "key")


def seal(world: World) -> None:
    integrate(world.lake, signer(world), witness=world.path.parent / "witness")


def said(world: World, witness: bool = True) -> str:
    with pytest.raises(VerificationFailed) as failed:
        check(world, witness)
    return "\n".join(failed.value.findings)


def check(world: World, witness: bool = True) -> tuple[str, ...]:
    kept = world.path.parent / "witness" if witness else None
    return verify(world.path, signer(world).vkey, witness=kept).notes


def newest(world: World, table: str) -> Path:
    listed = list(world.lake.table(table).commits(0))
    return world.path / table / listed[-1].adds[0].path


def edit(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    with pq.ParquetFile(file) as opened:
        table = opened.read()
    rows = [change(row) for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)


def test_the_note_seals_each_follower(world: World) -> None:
    head = read_checkpoint(world.lake)
    assert [(chain.table, chain.version) for chain in head.followers] == [
        ("tags", 2), ("verdicts", 2), ("standings", 2),
    ]  # fmt: skip
    assert head.text.split("\n")[4] == str(head.followers[0])
    assert check(world) == ()


def test_a_seal_without_followers_is_still_read_and_the_next_covers_them(world: World) -> None:
    """As 0.1.0's lakes were: nothing is wrong, but it is said what the seal does not cover."""
    head = read_checkpoint(world.lake)
    bare = signer(world).sign(head.size, head.root, head.chain)
    for path in (world.path / "log/checkpoint", world.path.parent / "witness"):
        path.write_text(bare.text)
    assert "verdicts came after the last seal" in "\n".join(check(world))
    seal(world)
    assert read_checkpoint(world.lake) == head
    assert check(world) == ()


@pytest.mark.parametrize("table", ["tags", "verdicts", "standings"])
def test_an_edited_row_is_named_with_its_file(world: World, table: str) -> None:
    file = newest(world, table)
    columns = {"tags": "control", "verdicts": "state", "standings": "standing"}
    edit(file, lambda row: row | {columns[table]: "fresh"})
    told = said(world)
    assert f"the file {table}/{file.name} does not have the bytes that were written" in told
    assert f"{table} are not as they were written" in told


def test_an_edit_with_its_digest_redone_in_the_log_is_named(world: World) -> None:
    file = newest(world, "verdicts")
    before = file_sha256(file)
    edit(file, lambda row: row | {"state": "fresh"})
    log = world.path / "verdicts" / commit_name(2)
    log.write_text(log.read_text().replace(before, file_sha256(file)))
    assert "the log of verdicts up to version 2 is not the one that was sealed" in said(world)


@pytest.mark.parametrize("table", ["tags", "verdicts", "standings"])
def test_a_deleted_file_or_table_is_named(world: World, table: str) -> None:
    file = newest(world, table)
    file.unlink()
    assert f"the file {table}/{file.name} is gone" in said(world)
    shutil.rmtree(world.path / table)
    told = said(world)
    assert f"everything is gone: the table {table} has no log" in told
    assert f"the log of {table} up to version 2 is not the one that was sealed" in told


def test_a_follower_cut_back_is_named_and_not_sealed_again(world: World) -> None:
    (world.path / "verdicts" / commit_name(2)).unlink()
    assert "the log of verdicts up to version 2" in said(world)
    with pytest.raises(VerificationFailed, match="version 2 of verdicts was sealed"):
        seal(world)


def test_judgements_set_back_with_their_seal_are_named_by_the_witness(
    world: World, tmp_path: Path
) -> None:
    """The same items, so the same size and root: only the followers' chains differ."""
    shutil.copytree(world.path, tmp_path / "kept")
    judge(world, State.STALE)
    seal(world)
    shutil.rmtree(world.path)
    shutil.copytree(tmp_path / "kept", world.path)
    assert "the log of verdicts up to version 3 is not the one that was sealed" in said(world)


def test_another_past_of_the_same_length_is_not_signed_over(world: World, tmp_path: Path) -> None:
    """The witness seals one third judgement, the lake holds another: one of them is false."""
    shutil.copytree(world.path, tmp_path / "kept")
    judge(world, State.STALE)
    seal(world)
    shutil.rmtree(world.path)
    shutil.copytree(tmp_path / "kept", world.path)
    judge(world, State.FRESH)
    with pytest.raises(VerificationFailed, match="log of verdicts up to version 3"):
        seal(world)
    integrate(world.lake, signer(world))
    assert "the log of verdicts up to version 3" in said(world)
    assert check(world, witness=False) == ()


def test_what_was_judged_since_is_a_note(world: World) -> None:
    judge(world, State.DUE)
    assert "1 commits of verdicts came after the last seal: not covered yet" in check(world)


def _compact(world: World, table: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """All files into one, as a rewrite that says it changed nothing."""
    field = Field(world.path.parent, signer(world), world.clock)
    false_rewrite(field, table, lambda row: [change(row)])


@pytest.mark.parametrize("table", ["tags", "verdicts"])
def test_a_true_rewrite_of_files_is_sealed(world: World, table: str) -> None:
    _compact(world, table, lambda row: row)
    seal(world)
    assert [n for n in check(world) if "belong to no version" not in n] == []


def test_a_rewrite_of_files_that_changes_a_row_is_named_and_not_sealed(world: World) -> None:
    """The forger needs no key: he says that he only tidied up."""
    _compact(world, "verdicts", lambda row: row | {"state": "fresh"})
    assert "version 3 of verdicts rewrote files and changed their rows" in said(world)
    with pytest.raises(VerificationFailed, match="changed their rows"):
        seal(world)


def test_tags_are_made_again_and_sealed_anew(world: World) -> None:
    """What was edited stays as a proof; the next seal begins a new chain, for the tags alone."""
    edit(newest(world, "tags"), lambda row: row | {"control": "iso42001:A.2.2"})
    kept = set_tags_aside(world.lake)
    assert kept is not None
    assert (Path(kept) / "_delta_log").is_dir()
    with pytest.raises(VerificationFailed, match="version 2 of tags was sealed"):
        seal(world)
    integrate(world.lake, signer(world), witness=world.path.parent / "witness", anew=["tags"])
    assert world.tag("iso42001:A.6.2.4", "validation") == 2
    seal(world)
    assert check(world) == ()
    judge(world, State.FRESH)
    file = newest(world, "verdicts")
    seal(world)
    edit(file, lambda row: row | {"state": "due"})
    assert f"the file verdicts/{file.name} does not have" in said(world)


def test_a_rebuild_that_died_is_gone_on_with(world: World) -> None:
    shutil.rmtree(world.path / "tags")
    assert set_tags_aside(Lake.open(world.path, clock=world.clock)) is None
    assert world.tag("iso42001:A.6.2.4", "validation") == 2
