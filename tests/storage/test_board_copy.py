"""A kept board is believed as it was signed, over the log that it was made from, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from evidence.errors import LakeError
from evidence.runs import PullOutcome
from storage.board_copy import NAME, WHAT, forget_copy, keep_copy, kept_copy
from storage.disposal import dispose
from storage.keys import Signer, load_key, make_key
from storage.ledger import integrate
from storage.retention import Plan, RetentionClass, plan
from storage.views import connect
from tests.storage.makers import World, days, item

CONTENT = b'{"board": "as it was\n\n\xe2\x80\x94 lines and all"}'


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "lake")
    make_key(tmp_path / "key", origin="test.example/lake")
    made.land(item(0), cursor="1", outcome=PullOutcome.COMPLETE)
    keep_copy(made.lake, signer(made), made.lake.version, CONTENT)
    return made


def signer(world: World, name: str = "key") -> Signer:
    return load_key(world.path.parent / name)


def kept(world: World) -> bytes | None:
    return kept_copy(world.lake, signer(world).verifier)


def test_it_is_read_as_it_was_kept_also_after_the_lake_moved_on(world: World) -> None:
    assert kept(world) == CONTENT
    world.land(item(1), cursor="2")
    assert kept(world) == CONTENT
    keep_copy(world.lake, signer(world), world.lake.version, b"newer")
    assert kept(world) == b"newer"
    forget_copy(world.lake)
    forget_copy(world.lake)
    assert kept(world) is None


def test_cut_anywhere_or_with_any_byte_changed_it_is_not_believed(world: World) -> None:
    file = world.lake.place.derived(WHAT) / NAME
    whole = file.read_bytes()
    assert kept(world) == CONTENT
    idle = whole.index(b"=\n") - 1  # the last letter of the signature has bits that say nothing
    for at in (at for at in range(len(whole)) if at != idle):
        file.write_bytes(whole[:at])
        assert kept(world) is None, f"cut after {at} bytes"
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert kept(world) is None, f"byte {at} changed"
    file.write_bytes(whole + b" ")
    assert kept(world) is None


def test_a_pipe_in_its_place_holds_nobody_up(world: World) -> None:
    file = world.lake.place.derived(WHAT) / NAME
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(LakeError, match="signed"):
        kept(world)


def test_who_has_not_the_key_can_keep_nothing_that_is_believed(world: World) -> None:
    make_key(world.path.parent / "other", origin="test.example/lake")
    keep_copy(world.lake, signer(world, "other"), world.lake.version, CONTENT)
    assert kept(world) is None


def test_of_another_lake_or_of_a_past_that_was_put_back_it_is_not_believed(world: World) -> None:
    shutil.copytree(world.path, before := world.path.parent / "before")
    world.land(item(1), cursor="2")
    keep_copy(world.lake, signer(world), world.lake.version, CONTENT)
    copy = world.lake.place.derived(WHAT)
    shutil.copytree(copy, before / WHAT, dirs_exist_ok=True)
    put_back = World(before)
    assert kept_copy(put_back.lake, signer(world).verifier) is None
    put_back.land(item(2), cursor="2")
    assert put_back.lake.version == world.lake.version
    assert kept_copy(put_back.lake, signer(world).verifier) is None, "another log from there on"


def test_what_may_hold_disposed_items_is_thrown_away(world: World) -> None:
    old = world.lake.version
    world.clock.now += days(900)
    world.land(item(1, at=world.clock.now), cursor="2", outcome=PullOutcome.COMPLETE)
    integrate(world.lake, signer(world), witness=world.path.parent / "witness")
    dispose(
        world.lake, signer(world), lambda: _plan(world), by="Ann", reason="yearly",
        seal=lambda: integrate(world.lake, signer(world), witness=world.path.parent / "witness"),
    )  # fmt: skip
    assert not world.lake.place.derived(WHAT).exists()
    keep_copy(world.lake, signer(world), old, CONTENT)
    assert not world.lake.place.derived(WHAT).exists(), "a slow maker keeps nothing of it either"


def _plan(world: World) -> Plan:
    year = RetentionClass("tickets", ("jira.*",), days(365), "no longer needed")
    with connect(world.lake) as connection:
        return plan(connection, (year,), now=world.clock.now, sealed=4)


def test_where_it_cannot_be_deleted_that_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "rmtree", lambda *_of, **_how: None)
    with pytest.raises(LakeError, match="may hold what had to go"):
        forget_copy(world.lake)
