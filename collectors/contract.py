"""What is asked of every collector, ours or a third party's, as tests that pytest runs.

A test module subclasses `CollectorContract` and gives it a fixture `world`; docs/collectors.md
shows one. Nothing here imports pytest: it is no part of what runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from evidence.errors import SourceBroken, SourceBusy, SourceError, SourceRefused
from evidence.model import Cursor, EvidenceItem, Nature
from evidence.runs import PullFacts
from evidence.secret import Secret


class CollectorContract:
    """The questions. `world` is a source that really answers, on this machine:

    `collector()` reads it, `grow()` adds to it, `down()` and `refused()` are collectors of one that
    is out of order and of one that says no. It holds at least three items.
    """

    def test_settings_are_frozen_and_declared(self, world: Any) -> None:
        cls = type(world.collector())
        assert dataclasses.is_dataclass(cls)
        assert vars(cls)["__dataclass_params__"].frozen
        assert cls.__doc__
        made = world.collector()
        assert made.kinds
        assert set(made.states) <= set(made.kinds)
        assert world.collector().source

    def test_items_are_whole(self, world: Any) -> None:
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

    def test_same_facts_have_the_same_ids(self, world: Any) -> None:
        once, _ = _drain(world.collector())
        again, _ = _drain(world.collector())
        assert _events(once) == _events(again)
        contents = [sorted((i.kind, i.subject, i.content_sha256) for i in x) for x in (once, again)]
        assert contents[0] == contents[1]

    def test_nothing_new_brings_nothing_new(self, world: Any) -> None:
        items, cursor = _drain(world.collector())
        more, _ = _drain(world.collector(), cursor)
        assert _events(more) <= _events(items)
        assert [item for item in more if item.nature is Nature.STATE] == []

    def test_every_batch_may_be_the_last_before_a_crash(self, world: Any) -> None:
        whole, _ = _drain(world.collector())
        first = next(iter(world.collector().collect(None)))
        rest, _ = _drain(world.collector(), first.cursor)
        subjects = {(i.kind, i.subject, i.content_sha256) for i in (*first.items, *rest)}
        assert {(i.kind, i.subject, i.content_sha256) for i in whole} == subjects

    def test_a_pull_tells_what_it_asked_and_got(self, world: Any) -> None:
        facts = PullFacts()
        for batch in world.collector().collect(None):
            facts = facts + batch.facts
        assert facts.pages >= 1
        assert facts.received >= 3
        assert facts.query
        assert facts.shortfall() == 0
        assert facts.gaps == ()

    def test_whole_snapshots_are_said_to_be_whole(self, world: Any) -> None:
        facts = PullFacts()
        for batch in world.collector().collect(None):
            facts = facts + batch.facts
        assert set(facts.states) == set(world.collector().states)

    def test_down_is_busy(self, world: Any) -> None:
        with _raised(SourceBusy):
            _drain(world.down())
        with _raised(SourceBusy):
            world.down().probe()

    def test_refused_is_refused(self, world: Any) -> None:
        with _raised(SourceRefused):
            _drain(world.refused())
        with _raised(SourceRefused):
            world.refused().probe()

    def test_a_foreign_cursor_is_broken(self, world: Any) -> None:
        with _raised(SourceBroken):
            _drain(world.collector(), Cursor("this is no bookmark"))

    def test_probe_says_as_whom(self, world: Any) -> None:
        assert world.collector().probe()

    def test_secrets_do_not_show(self, world: Any) -> None:
        collector = world.collector()
        for field in dataclasses.fields(collector):
            value = getattr(collector, field.name)
            if isinstance(value, Secret):
                assert value.reveal() not in repr(collector)

    def test_growth_is_found_from_the_cursor(self, world: Any) -> None:
        before, cursor = _drain(world.collector())
        world.grow()
        news, _ = _drain(world.collector(), cursor)
        known = {(i.kind, i.subject, i.content_sha256) for i in before}
        assert [i for i in news if (i.kind, i.subject, i.content_sha256) not in known]
        everything, _ = _drain(world.collector())
        assert _events(everything) <= _events(before) | _events(news)


@contextmanager
def _raised(error: type[SourceError]) -> Iterator[None]:
    try:
        yield
    except error:
        return
    raise AssertionError(f"{error.__name__} was to be raised")


def _drain(collector: Any, cursor: Cursor | None = None) -> tuple[list[EvidenceItem], Cursor]:
    batches = list(collector.collect(cursor))
    assert batches, "a pull with nothing new still yields one batch: its facts"
    return [item for batch in batches for item in batch.items], batches[-1].cursor


def _events(items: list[EvidenceItem]) -> set[str]:
    return {item.item_id for item in items if item.nature is Nature.EVENT}
