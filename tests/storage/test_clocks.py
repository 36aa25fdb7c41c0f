"""Wrong clocks are told: backwards, ahead, and items collected after they landed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from evidence.freshness import CLOCK_SKEW
from storage.clocks import landed_ahead
from storage.keys import load_key, make_key
from storage.ledger import integrate
from storage.verify import verify
from tests.storage.makers import World, days, item


@pytest.fixture
def world(tmp_path: Path) -> World:
    make_key(tmp_path / "key", origin="brookside.example/lake")
    return World(tmp_path / "lake")


def notes(world: World, ahead: timedelta = timedelta(0)) -> str:
    signer = load_key(world.path.parent / "key")
    integrate(world.lake, signer)
    return "\n".join(verify(world.path, signer.vkey, now=world.clock.now + ahead).notes)


def test_true_clocks_are_not_spoken_of(world: World) -> None:
    """Also where two machines differ by a little, and where batches land within a microsecond."""
    for number in range(3):
        world.land(item(number), item(number + 10), cursor=str(number))
        world.clock.now += timedelta(minutes=(10, -4, 0)[number])
    assert notes(world) == ""
    assert landed_ahead(world.lake, world.clock.now) is None


def test_landing_backwards_is_a_note_with_both_versions(world: World) -> None:
    world.land(item(1), cursor="1")
    world.clock.now -= CLOCK_SKEW + timedelta(seconds=1)
    world.land(item(2), cursor="2")
    world.clock.now += days(1)
    told = notes(world)
    assert "the clock went backwards between landings" in told
    assert "version 2 landed at 2026-11-19T08:54:59.000000Z, after version 1 of" in told


def test_items_collected_after_they_landed_are_a_note(world: World) -> None:
    world.land(item(1, collected_at=world.clock.now + days(2)), cursor="1")
    assert "items were collected after they landed" in notes(world)


def test_landings_of_the_future_are_a_note_and_counted(world: World) -> None:
    world.land(item(1), cursor="1")
    world.clock.now += days(400)
    world.land(item(2), item(3), cursor="2")
    world.clock.now -= days(400)
    assert "items landed later than now" in notes(world)
    assert "items landed later than now" not in notes(world, ahead=days(400))
    found = landed_ahead(world.lake, world.clock.now)
    assert found == (2, world.clock.now + days(400))


def test_many_steps_backwards_are_counted_not_listed(world: World) -> None:
    for number in range(6):
        world.land(item(number), cursor=str(number))
        world.clock.now -= days(1)
    assert "; and 2 more" in notes(world)
