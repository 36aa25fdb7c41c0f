"""People work on while we read, and pulls are cut anywhere: no merge and no version may be lost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.model import Cursor, EvidenceItem
from tests.collectors.github_server import START, Fault, written
from tests.collectors.worlds.github import World

WORK = ["merge", "merge", "burst", "close", "edit"]
READ = ["pull", "cut", "edit while read"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(WORK), st.sampled_from([0, 0, 1, 600]), st.sampled_from([*READ, "work on"]),
        st.integers(0, 3),
    ),
    min_size=3, max_size=7,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches so small that a pull can be cut between them."""
    monkeypatch.setattr("collectors._review.read._BATCH", 3)


class Model:
    """A world, what of it has landed, and the bookmark that landed with it."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.world.github.now = START + timedelta(days=10)
        self.landed: dict[str, EvidenceItem] = {}
        self.cursor: Cursor | None = None

    def merge(self) -> None:
        repo, now = self.world.credit, self.world.github.now
        number = self.world.github.open(repo, "mira", now)
        self.world.github.merge(repo, number, "mira", now)

    def burst(self) -> None:
        for _ in range(4):
            self.merge()

    def edit(self, pick: int) -> None:
        pulls = list(self.world.credit.pulls.values())
        pull = pulls[pick % len(pulls)]
        pull["title"] += "."
        pull["updated_at"] = max(pull["updated_at"], written(self.world.github.now))

    def edit_while_read(self, pick: int) -> None:
        def then(said: Any) -> Any:
            self.edit(pick)
            return said

        self.world.github.faults = [Fault(r"pulls\?", then, skip=pick % 3)]
        self.pull(99)
        self.world.github.faults = []

    def pull(self, batches: int) -> None:
        """Lands that many batches, then the process is killed."""
        collector = self.world.collector(repositories=("acme/credit",), page_size=3, lookback=1)
        for _, batch in zip(range(batches), collector.collect(self.cursor), strict=False):
            for item in batch.items:
                if item.kind == "review.pull":
                    self.landed[item.subject] = item
            self.cursor = batch.cursor
            assert batch.facts.gaps == ()

    def titles(self) -> dict[str, str]:
        merged = (p for p in self.world.credit.pulls.values() if p["merged_at"])
        return {f"1000/{p['number']}": p["title"] for p in merged}

    def close(self) -> None:
        now = self.world.github.now
        number = self.world.github.open(self.world.credit, "mira", now)
        self.world.github.close_unmerged(self.world.credit, number, now)

    def do(self, work: str, seconds: int, read: str, pick: int) -> None:
        self.world.github.now += timedelta(seconds=seconds)
        {"merge": self.merge, "burst": self.burst, "close": self.close}.get(
            work, lambda: self.edit(pick)
        )()
        if read == "edit while read":
            self.edit_while_read(pick)
        elif read != "work on":
            self.pull(99 if read == "pull" else 1 + pick)


@given(STEPS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_is_lost_whatever_happens_between_and_during_pulls(
    folder: Path, steps: list[tuple[str, int, str, int]]
) -> None:
    model = Model(folder)
    try:
        for step in steps:
            model.do(*step)
        model.pull(99)
        wanted = model.titles()
        assert set(model.landed) == set(wanted)
        for subject, item in model.landed.items():
            assert item.title.endswith(f": {wanted[subject]}")
    finally:
        model.world.close()
