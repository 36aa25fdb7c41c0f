"""Timestamps of a real authority: what it says bounds what our own clock can claim."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence.errors import LakeError, SourceBroken, SourceBusy, SourceRefused, VerificationFailed
from flows.anchoring import ask
from flows.outside import Anchor
from storage.anchored import disorder
from storage.checkpoints import history_name
from storage.keys import Signer, load_key, make_key
from storage.ledger import integrate
from storage.timestamps import Stamped, anchor, load_roots, timestamp_name, timestamp_sizes
from storage.verify import Verified, verify
from tests.storage import tsa
from tests.storage.makers import World, item

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the time authority of these tests is openssl's"
)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tsa.Authority]:
    with tsa.serve(tmp_path / "tsa") as running:
        yield running


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_key(tmp_path / "key", origin="brookside.example/lake")
    return load_key(tmp_path / "key")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "lake")
    made.clock.now = datetime.now(UTC)
    return made


def seal(world: World, signer: Signer, *numbers: int) -> None:
    world.land(*(item(n) for n in numbers), cursor=str(numbers))
    integrate(world.lake, signer)


def anchored(world: World, signer: Signer, authority: tsa.Authority) -> Stamped | None:
    settings = Anchor(authority.url, authority.roots)
    roots = load_roots(authority.roots)
    return anchor(world.lake.place, signer.verifier, roots, lambda raw: ask(settings, raw))


def checked(world: World, signer: Signer, authority: tsa.Authority) -> Verified:
    roots = load_roots(authority.roots)
    return verify(world.path, signer.vkey, roots=roots, now=world.clock.now)


def said(world: World, signer: Signer, authority: tsa.Authority) -> str:
    with pytest.raises(VerificationFailed) as failed:
        checked(world, signer, authority)
    return "\n".join(failed.value.findings)


def test_the_newest_seal_is_stamped_once(
    world: World, signer: Signer, authority: tsa.Authority
) -> None:
    assert anchored(world, signer, authority) is None, "nothing is sealed yet"
    before = datetime.now(UTC)
    seal(world, signer, 1, 2)
    done = anchored(world, signer, authority)
    assert done is not None
    assert done.size == 2
    assert done.at >= before
    assert anchored(world, signer, authority) is None
    assert authority.asked == 1
    (note,) = checked(world, signer, authority).notes
    assert note.startswith("the first 2 of 2 sealed items existed at 20")
    seal(world, signer, 3)
    notes = checked(world, signer, authority).notes
    assert "no timestamp covers the sealed items that landed since" in notes[1]
    anchored(world, signer, authority)
    assert timestamp_sizes(world.lake.place) == [2, 3]
    assert len(checked(world, signer, authority).notes) == 1


@pytest.mark.parametrize(
    ("mood", "error", "says"),
    [
        ("reject", SourceRefused, "gave no timestamp"),
        ("nonce", SourceBroken, "Nonce"),
        ("imprint", SourceBroken, "Mismatch between messages|Nonce"),
        ("html", SourceRefused, "Sign in.*not this address"),
        ("noise", SourceBroken, "is no timestamp"),
        ("away", SourceBusy, "503"),
    ],
)
def test_an_answer_that_does_not_hold_is_not_stored(
    world: World, signer: Signer, authority: tsa.Authority,
    mood: str, error: type[Exception], says: str,
) -> None:  # fmt: skip
    seal(world, signer, 1)
    authority.moods = [mood]
    with pytest.raises(error, match=says):
        anchored(world, signer, authority)
    assert timestamp_sizes(world.lake.place) == []
    authority.moods = ["busy", "honest"]
    assert anchored(world, signer, authority) is not None, "it answers again: nothing is in the way"


def test_an_authority_out_of_date_or_of_another_root_is_refused(
    world: World, signer: Signer, authority: tsa.Authority, tmp_path: Path
) -> None:
    seal(world, signer, 1)
    with tsa.serve(tmp_path / "old", valid=timedelta(hours=1)) as old:
        with pytest.raises(SourceBroken, match="certificate"):
            anchored(world, signer, old)
        stranger = Anchor(authority.url, authority.roots)
        with pytest.raises(SourceBroken, match="does not hold"):
            anchor(
                world.lake.place, signer.verifier, load_roots(old.roots), lambda r: ask(stranger, r)
            )
        anchored(world, signer, authority)
        assert "the timestamp of the seal of 1 items does not hold" in said(world, signer, old)


def test_roots_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_text("no certificate")
    for path in (tmp_path / "roots.pem", tmp_path / "missing.pem"):
        with pytest.raises(LakeError, match=path.name):
            load_roots(path)


def test_a_forged_or_moved_timestamp_is_named(
    world: World, signer: Signer, authority: tsa.Authority
) -> None:
    seal(world, signer, 1)
    anchored(world, signer, authority)
    seal(world, signer, 2)
    true = world.path / timestamp_name(1)
    shutil.copy(true, (world.path / timestamp_name(2)))
    assert "the timestamp of the seal of 2 items does not hold: Mismatch" in said(
        world, signer, authority
    )
    (world.path / timestamp_name(2)).unlink()
    spoilt = bytearray(true.read_bytes())
    spoilt[-1] ^= 1
    true.write_bytes(spoilt)
    assert "the timestamp of the seal of 1 items does not hold" in said(world, signer, authority)
    (world.path / history_name(1)).unlink()
    assert "is there, but that seal is gone" in said(world, signer, authority)


def test_an_administrator_with_the_key_cannot_keep_the_timestamps(
    world: World, signer: Signer, authority: tsa.Authority
) -> None:
    """Lake and seals are written anew with the true key; the old timestamps are left there."""
    seal(world, signer, 1, 2)
    anchored(world, signer, authority)
    kept = (world.path / timestamp_name(2)).read_bytes()
    shutil.rmtree(world.path)
    other = World(world.path)
    other.clock.now = world.clock.now
    seal(other, signer, 7, 8)
    (other.path / timestamp_name(2)).parent.mkdir()
    (other.path / timestamp_name(2)).write_bytes(kept)
    assert "does not hold: Mismatch between messages" in said(other, signer, authority)


def test_an_administrator_with_the_key_cannot_do_without_timestamps(
    world: World, signer: Signer, authority: tsa.Authority
) -> None:
    """He removes them, or has a rewritten past stamped today: its age is then his word alone."""
    today = world.clock.now
    shutil.rmtree(world.path)
    other = World(world.path)
    other.clock.now = today - timedelta(days=200)
    seal(other, signer, 7, 8)
    other.clock.now = today
    told = said(other, signer, authority)
    assert "no timestamp covers the sealed items that landed since" in told
    anchored(other, signer, authority)
    notes = "\n".join(checked(other, signer, authority).notes)
    assert "nothing outside shows that they were there before" in notes


def test_an_item_dated_back_behind_a_stamped_seal_is_named(
    world: World, signer: Signer, authority: tsa.Authority
) -> None:
    seal(world, signer, 1)
    anchored(world, signer, authority)
    world.clock.now -= timedelta(hours=1)
    seal(world, signer, 2)
    assert "do not hold them: they were dated back" in said(world, signer, authority)


def test_an_item_of_the_future_is_named(
    world: World, signer: Signer, authority: tsa.Authority
) -> None:
    world.clock.now += timedelta(days=3)
    seal(world, signer, 1)
    anchored(world, signer, authority)
    told = said(world, signer, authority)
    assert "the seal that holds it was stamped at" in told
    assert "its time is false" in told


def test_a_seal_stamped_after_a_later_one_is_named() -> None:
    """An older seal is made up when newer ones are stamped: its stamp comes too late."""
    true, late = datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 1, 12, 0, 3, tzinfo=UTC)
    second = timedelta(seconds=1)
    found = [Stamped(1, late - second, late + second), Stamped(2, true - second, true + second)]
    finding = disorder(found)
    assert finding is not None
    assert finding.fatal
    assert "it was made later and dated back" in finding.sentence
    assert disorder(found[::-1]) is None
    near = Stamped(2, late - 3 * second, late - second)
    assert disorder([found[0], near]) is None, "within what both authorities say of their accuracy"


def test_without_roots_what_lies_there_is_a_note(
    world: World, signer: Signer, authority: tsa.Authority
) -> None:
    seal(world, signer, 1)
    assert verify(world.path, signer.vkey).notes == ()
    anchored(world, signer, authority)
    assert "were not checked" in verify(world.path, signer.vkey).notes[0]
