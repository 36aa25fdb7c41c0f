"""The same questions for every collector in collectors/: found by itself, none left out."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import collectors
from evidence.errors import SourceBroken, SourceBusy, SourceRefused
from evidence.model import Cursor, EvidenceItem, Nature
from evidence.runs import PullFacts
from evidence.secret import Secret

HELPERS = {"base", "http"}


def _found() -> dict[str, type[Any]]:
    classes = {}
    for module in pkgutil.iter_modules(collectors.__path__):
        if module.name in HELPERS or module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"collectors.{module.name}")
        own = [
            cls
            for _, cls in inspect.getmembers(loaded, inspect.isclass)
            if cls.__module__ == loaded.__name__ and hasattr(cls, "collect")
        ]
        assert len(own) == 1, f"collectors/{module.name}.py should hold one collector, has {own}"
        classes[module.name] = own[0]
    return classes


FOUND = _found()
pytestmark = pytest.mark.xdist_group("contract")


@pytest.fixture(scope="module", params=sorted(FOUND))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def world(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    module = importlib.import_module(f"tests.collectors.worlds.{name}")
    made = module.World(Path(tmp_path_factory.mktemp(name)))
    yield made
    made.close()


def _drain(collector: Any, cursor: Cursor | None = None) -> tuple[list[EvidenceItem], Cursor]:
    batches = list(collector.collect(cursor))
    assert batches, "a pull with nothing new still yields one batch: its facts"
    return [item for batch in batches for item in batch.items], batches[-1].cursor


def _events(items: list[EvidenceItem]) -> set[str]:
    return {item.item_id for item in items if item.nature is Nature.EVENT}


def test_settings_are_frozen_and_declared(name: str, world: Any) -> None:
    cls = FOUND[name]
    assert dataclasses.is_dataclass(cls)
    assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert cls.__doc__
    made = world.collector()
    assert made.kinds
    assert set(made.states) <= set(made.kinds)
    assert world.collector().source


def test_items_are_whole(name: str, world: Any) -> None:
    collector = world.collector()
    items, _ = _drain(collector)
    assert len(items) >= 3
    now = datetime.now(UTC) + timedelta(minutes=1)
    for item in items:
        assert item.kind in collector.kinds
        assert item.source == collector.source
        assert item.observed_to <= now
        assert item.title, item.kind
        assert (item.nature is Nature.STATE) <= (item.kind in collector.states)
    assert len({item.item_id for item in items}) == len(items)


def test_same_facts_have_the_same_ids(world: Any) -> None:
    once, _ = _drain(world.collector())
    again, _ = _drain(world.collector())
    assert _events(once) == _events(again)
    contents = [sorted((i.kind, i.subject, i.content_sha256) for i in x) for x in (once, again)]
    assert contents[0] == contents[1]


def test_nothing_new_brings_nothing_new(world: Any) -> None:
    items, cursor = _drain(world.collector())
    more, _ = _drain(world.collector(), cursor)
    assert _events(more) <= _events(items)
    assert [item for item in more if item.nature is Nature.STATE] == []


def test_every_batch_may_be_the_last_before_a_crash(world: Any) -> None:
    whole, _ = _drain(world.collector())
    first = next(iter(world.collector().collect(None)))
    rest, _ = _drain(world.collector(), first.cursor)
    subjects = {(i.kind, i.subject, i.content_sha256) for i in (*first.items, *rest)}
    assert {(i.kind, i.subject, i.content_sha256) for i in whole} == subjects


def test_a_pull_tells_what_it_asked_and_got(world: Any) -> None:
    facts = PullFacts()
    for batch in world.collector().collect(None):
        facts = facts + batch.facts
    assert facts.pages >= 1
    assert facts.received >= 3
    assert facts.query
    assert facts.shortfall() == 0
    assert facts.gaps == ()


def test_whole_snapshots_are_said_to_be_whole(name: str, world: Any) -> None:
    facts = PullFacts()
    for batch in world.collector().collect(None):
        facts = facts + batch.facts
    assert set(facts.states) == set(world.collector().states)


def test_down_is_busy(world: Any) -> None:
    with pytest.raises(SourceBusy):
        _drain(world.down())
    with pytest.raises(SourceBusy):
        world.down().probe()


def test_refused_is_refused(world: Any) -> None:
    with pytest.raises(SourceRefused):
        _drain(world.refused())
    with pytest.raises(SourceRefused):
        world.refused().probe()


def test_a_foreign_cursor_is_broken(world: Any) -> None:
    with pytest.raises(SourceBroken):
        _drain(world.collector(), Cursor("this is no bookmark"))


def test_probe_says_as_whom(world: Any) -> None:
    assert world.collector().probe()


def test_secrets_do_not_show(world: Any) -> None:
    collector = world.collector()
    for field in dataclasses.fields(collector):
        value = getattr(collector, field.name)
        if isinstance(value, Secret):
            assert value.reveal() not in repr(collector)


def test_growth_is_found_from_the_cursor(world: Any) -> None:
    before, cursor = _drain(world.collector())
    world.grow()
    news, _ = _drain(world.collector(), cursor)
    known = {(i.kind, i.subject, i.content_sha256) for i in before}
    assert [i for i in news if (i.kind, i.subject, i.content_sha256) not in known]
    everything, _ = _drain(world.collector())
    assert _events(everything) <= _events(before) | _events(news)
