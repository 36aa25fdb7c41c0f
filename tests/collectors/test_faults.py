"""A source behind a spoilt network: every pull ends whole, or says by name what it could not read.

HEADWATER_FAULTS=all spoils every answer of a pull in turn, for every source and fault; by default
one of them, of each fault another one, and what another try may heal for one source each.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from collectors.base import utc_now
from collectors.http import Http
from evidence.runs import PULL_KIND, PullOutcome
from flows.config import Source
from flows.pull import Attempt, attempt
from storage.files import read_rows
from storage.lake import Lake
from tests.collectors.fault_proxy import (
    Again,
    Proxy,
    Spoil,
    bomb,
    half,
    half_as_whole,
    in_place,
    status,
    too_long,
    too_short,
    without_length,
    zipped,
)
from tests.collectors.rest_server import Asked, RestServer

pytestmark = pytest.mark.xdist_group("faults")
WORLDS = ("rest_api", "jira", "github")
EVERY = os.environ.get("HEADWATER_FAULTS") == "all"
SLOW = {"stalls", "trickles"}
HEALING: Mapping[str, Spoil] = {
    "reset": half("reset"), "cut": half("close"), "half-as-whole": half_as_whole,
    "no-length": without_length, "length-too-short": too_short, "length-too-long": too_long,
    "stalls": half("stall"), "trickles": half("trickle"), "gzip-cut": zipped(0.5, spoilt=False),
    "gzip-spoilt": zipped(1, spoilt=True), "empty": in_place(b""),
    "429": status(429, ("Retry-After", "1")), "429-untold": status(429), "500": status(500),
    "503": status(503, ("Retry-After", "0")), "403-limit": status(403, ("Retry-After", "1")),
}  # fmt: skip
"""What another try may heal."""
LASTING: Mapping[str, Any] = {
    "bomb": lambda: bomb, "null": lambda: in_place(b"null"), "rows": lambda: in_place(b"[[1]]"),
    "nothing-in-it": lambda: in_place(b"{}"), "NaN": lambda: in_place(b'{"id": NaN}'),
    "login-page": lambda: in_place(b"<html><title>Sign in</title>", "text/html"),
    "same-page": lambda: Again(anew=False), "no-end": lambda: Again(anew=True),
}  # fmt: skip
"""What no patience heals."""


@dataclass(frozen=True, slots=True)
class Behind:
    """A world of `name` behind the proxy, the lake for all its pulls, and what a whole pull of it
    brings; it takes `answers` to bring it."""

    name: str
    world: Any
    proxy: Proxy
    lake: Lake
    whole: frozenset[tuple[str, ...]]
    answers: int

    def pull(self, source: str) -> Attempt:
        """One attempt, under a name of its own."""
        return attempt(self.lake, _source(self.world, self.proxy, source), utc_now)

    def landed(self, source: str) -> list[tuple[str, ...]]:
        """What the lake holds of that source, sorted."""
        return _landed(self.lake, source)


Start = Callable[[str], Behind]


def _source(world: Any, proxy: Proxy, name: str) -> Source:
    made = world.collector(url=proxy.url, attempts=3)
    kept = {f.name: getattr(made, f.name) for f in dataclasses.fields(made)}
    settings = {k: v for k, v in kept.items() if k not in {"source", "clock", "window"}}
    return Source(name, f"{type(made).__module__}:{type(made).__qualname__}", "", settings)


def _landed(lake: Lake, source: str) -> list[tuple[str, ...]]:
    folder = lake.place.at("evidence")
    rows = [row for file in lake.files("evidence") for row in _rows(folder.local(file.name))]
    return sorted(row[1:] for row in rows if row[0] == source and row[1] != PULL_KIND)


@cache
def _rows(file: Path) -> list[tuple[str, ...]]:
    columns = ["source", "kind", "subject", "change", "outcome", "content_sha256"]
    return [tuple(row.values()) for row in read_rows(file, {}, columns).to_pylist()]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake.create(tmp_path_factory.mktemp("faults") / "lake", clock=utc_now)


@pytest.fixture(scope="module")
def started(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with ExitStack() as stack:

        @cache
        def start(name: str) -> Behind:
            module = importlib.import_module(f"tests.collectors.worlds.{name}")
            world = module.World(tmp_path_factory.mktemp(name))
            stack.callback(world.close)
            proxy = Proxy(world.collector().url)
            stack.callback(proxy.close)
            done = attempt(lake, _source(world, proxy, name), utc_now)
            whole = _landed(lake, name)
            assert done.pull.outcome is PullOutcome.COMPLETE
            assert len(whole) > 5
            return Behind(name, world, proxy, lake, frozenset(whole), proxy.passed)

        yield start


@pytest.fixture
def behind(started: Start, request: pytest.FixtureRequest) -> Behind:
    return started(request.param)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """How long an answer may take; nobody waits between tries."""
    usual, given = Http.__init__, dict[str, float]()

    def made(self: Http, *args: Any, **more: Any) -> None:
        usual(self, *args, **(more | given | {"sleep": lambda _: None}))

    monkeypatch.setattr(Http, "__init__", made)
    return given


def cases(faults: Iterable[str], *, each: int = 1) -> list[Any]:
    """Sources and faults: of `each` faults one for every source."""
    return [
        pytest.param(world, fault, id=f"{world}-{fault}")
        for n, world in enumerate(WORLDS) for i, fault in enumerate(faults)
        if EVERY or i % each == n % each
    ]  # fmt: skip


def places(behind: Behind, number: int) -> list[int]:
    """Which answers of a pull are spoilt, each in a pull of its own."""
    return list(range(behind.answers)) if EVERY else [number * 7 % behind.answers]


def judged(behind: Behind, source: str, limits: dict[str, float]) -> None:
    """The spoilt pull either is whole, or says that it is not; the next one makes up for it."""
    done = behind.pull(source)
    told = f"{source}: {done.pull.outcome} {done.error}"
    came = behind.landed(source)
    if done.pull.outcome is PullOutcome.COMPLETE:
        assert set(came) == behind.whole, told
    else:
        assert done.pull.error or done.pull.facts.gaps or done.pull.facts.shortfall(), told
    assert set(came) <= behind.whole, told
    behind.proxy.clear()
    limits.clear()
    assert behind.pull(source).pull.outcome is PullOutcome.COMPLETE, told
    healed = behind.landed(source)
    assert set(healed) == behind.whole, told
    assert len(healed) == len(behind.whole), told


@pytest.mark.parametrize(("behind", "fault"), cases(HEALING, each=3), indirect=["behind"])
def test_one_spoilt_answer_is_asked_for_again(
    behind: Behind, fault: str, limits: dict[str, float]
) -> None:
    for place in places(behind, list(HEALING).index(fault)):
        source = f"{behind.name}-{fault}-once-{place}"
        limits |= {"read_timeout": 1, "deadline": 2} if fault in SLOW else {}
        behind.proxy.clear(HEALING[fault], place, place + 1)
        done = behind.pull(source)
        assert done.pull.outcome is PullOutcome.COMPLETE, done.error
        assert set(behind.landed(source)) == behind.whole


@pytest.mark.parametrize(("behind", "fault"), cases(HEALING, each=3), indirect=["behind"])
def test_a_source_that_stays_spoilt_is_busy(
    behind: Behind, fault: str, limits: dict[str, float]
) -> None:
    for place in places(behind, list(HEALING).index(fault)):
        limits |= {"read_timeout": 0.2, "deadline": 0.3} if fault in SLOW else {}
        behind.proxy.clear(HEALING[fault], place)
        judged(behind, f"{behind.name}-{fault}-storm-{place}", limits)


@pytest.mark.parametrize(("behind", "fault"), cases(LASTING, each=2), indirect=["behind"])
def test_what_no_patience_heals_is_named(
    behind: Behind, fault: str, limits: dict[str, float]
) -> None:
    for place in places(behind, list(LASTING).index(fault)):
        behind.proxy.clear(LASTING[fault](), place)
        judged(behind, f"{behind.name}-{fault}-{place}", limits)


@pytest.mark.parametrize("behind", WORLDS, indirect=True)
def test_no_redirect_leads_the_key_away(behind: Behind, limits: dict[str, float]) -> None:
    heard: list[Asked] = []
    thief = RestServer(heard.append)
    try:
        for place in places(behind, 3):
            behind.proxy.clear(status(302, ("Location", f"{thief.url}/me")), place)
            judged(behind, f"{behind.name}-away-{place}", limits)
    finally:
        thief.close()
    assert heard == []
