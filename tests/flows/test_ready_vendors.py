"""Each file of docs/rest_api/ reads, late edits and all, a list served as its vendor says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.errors import SourceBusy, SourceRefused
from tests.collectors.rest_server import RestServer
from tests.collectors.vendor_server import Standing
from tests.flows.ready import KEY, NAMES, pull, ready
from tests.flows.vendors import VENDORS

REAL = {"redmine", "roundup"}
NEW = {"trello"}
"""Whose records are never edited: what is done to a card is a record of its own."""


@pytest.fixture(scope="module")
def server() -> Iterator[RestServer]:
    running = RestServer(lambda _: None)
    yield running
    running.close()


@pytest.fixture
def standing(server: RestServer, name: str) -> Standing:
    made = Standing(VENDORS[name], KEY)
    server.say = made.say
    return made


def test_every_file_is_run() -> None:
    assert set(NAMES) == REAL | set(VENDORS)


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_all_is_read_then_what_is_new(
    name: str, server: RestServer, standing: Standing, tmp_path: Path
) -> None:
    collector = ready(name, server.url, tmp_path)
    main = collector.endpoint[0].kind
    items, cursor, facts = pull(collector)
    before = {item.subject for item in items if item.kind == main}
    assert len(before) == 25
    assert facts.gaps == ()
    assert facts.shortfall() == 0
    assert {item.system for item in items if item.kind == main} <= {"credit-scoring", ""}
    standing.change()
    again, _, facts = pull(collector, cursor)
    assert facts.gaps == ()
    known = {item.item_id for item in items}
    new = {item.subject for item in again if item.kind == main and item.item_id not in known}
    assert len(new) == 2
    assert len(new - before) == (2 if name in NEW else 1)
    assert collector.probe()


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_a_wrong_key_is_refused_and_a_limit_asks_for_patience(
    name: str, server: RestServer, standing: Standing, tmp_path: Path
) -> None:
    with pytest.raises(SourceRefused) as refused:
        pull(ready(name, server.url, tmp_path, key="another-key"))
    assert "another-key" not in str(refused.value)
    standing.limited = True
    with pytest.raises(SourceBusy) as busy:
        pull(ready(name, server.url, tmp_path))
    wait = busy.value.retry_after
    told = VENDORS[name].wait
    assert (wait is None) == (told is None)
    if wait is not None and told is not None:
        assert told - 90 < wait.total_seconds() <= told + 2
