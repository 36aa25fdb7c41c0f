"""A supplier's model in another version, as Bedrock's own answers show it, outdates what was said
of the supplier before anybody writes it into a register."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.freshness import State
from evidence.model import EvidenceItem
from evidence.runs import Pull, PullFacts, PullOutcome
from flows.config import load, now
from flows.consistency import land_findings
from flows.follow import follow
from flows.judgement import judge_lake
from flows.moment import present
from storage.lake import Lake
from tests.collectors.worlds.bedrock import World
from tests.collectors.worlds.bedrock_invocations import World as CalledWorld
from tests.collectors.worlds.bedrock_invocations import call, noon
from tests.flows.conftest import Home, rows, said

REGISTER = ("iso42001:A.10.3", "supplier_register")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def suppliers(at: datetime, *seen: str) -> list[EvidenceItem]:
    """The register as a whole, and its one record."""
    models = [{"name": "anthropic.claude-3-haiku", "last_seen": list(seen)}]
    record = {"level": "record", "id": "anthropic", "name": "Anthropic", "models": models}
    told = {"": {"level": "register", "records": 1}, "/anthropic": record}
    return [
        EvidenceItem(
            source="registers", kind="git.register", subject=f"register/suppliers{name}",
            observed_from=at, observed_to=at, collected_at=at, title="Suppliers",
            payload={"register": "suppliers"} | fields,
        )
        for name, fields in told.items()
    ]  # fmt: skip


class House:
    """A lake in which what collectors bring lands, and what is judged of it."""

    def __init__(self, file: Path) -> None:
        self.file, self.config = file, load(file)
        self.lake = Lake.open(self.config.lake, clock=now)

    def lands(self, source: str, *items: EvidenceItem) -> None:
        at = now()
        facts = PullFacts(1, len(items), len(items))
        pull = Pull(f"{source}-{self.lake.version}", source, "tests:None", at, at,
                    PullOutcome.COMPLETE, facts, len(items))  # fmt: skip
        self.lake.land(source, items, bookmark=self.lake.bookmark(source), cursor=None,
                       pull_id=pull.pull_id, pull=pull)  # fmt: skip
        follow(self.lake, self.config)

    def found(self) -> list[dict[str, Any]]:
        """As the flow `freshness` does before it judges."""
        if land_findings(self.lake, present(self.lake, self.config)):
            follow(self.lake, self.config)
        told = json.loads(said("consistency", "--json", "-c", self.file).stdout)["findings"]
        return [one for one in told if one["check"] == "supplier-model-changed"]

    def state(self) -> State:
        judged = judge_lake(self.lake, present(self.lake, self.config))
        (one,) = (v for v in judged.verdicts if (v.control, v.evidence) == REGISTER)
        return one.state


def bedrock(world: World) -> list[EvidenceItem]:
    return [item for batch in world.collector().collect(None) for item in batch.items]


def test_a_version_that_can_be_called_outdates_the_register_of_suppliers(
    home: Home, world: World
) -> None:
    house = House(home())
    house.lands("registers", *suppliers(now() - timedelta(hours=1), "v1:0"))
    house.lands("cloud-bedrock", *bedrock(world))
    assert house.found() == []
    assert house.state() is State.FRESH
    world.guardrails.models["anthropic.claude-3-haiku-v2:0"] = ("Anthropic", "AVAILABLE")
    world.guardrails.models["anthropic.claude-3-haiku-v3:0"] = ("Anthropic", "NOT_AVAILABLE")
    house.lands("cloud-bedrock", *bedrock(world))
    (one,) = house.found()
    assert "supplies anthropic.claude-3-haiku: evidence of " in one["why"]
    assert one["why"].endswith(" offers v2:0, and the version looked at last is v1:0")
    assert house.state() is State.STALE
    (stale,) = rows(house.file, "SELECT kind FROM evidence JOIN tags USING (item_id) "
                                "WHERE control = 'event:supplier_change'")  # fmt: skip
    assert stale == ("headwater.consistency",)
    house.lands("registers", *suppliers(now(), "v1:0", "v2:0"))
    assert house.found() == []
    # Recovered, but on a quick machine: less than a second is no gap.
    assert house.state() in {State.FRESH, State.RECOVERED}, "looked at, written down, read again"


def test_a_version_that_is_called_outdates_it_too(home: Home, tmp_path: Path) -> None:
    house = House(home())
    house.lands("registers", *suppliers(now() - timedelta(hours=1), "20230101-v1:0"))
    called = CalledWorld(tmp_path)
    try:
        called.log(noon(3), call(50, noon(3)))
        items = [item for batch in called.collector().collect(None) for item in batch.items]
    finally:
        called.close()
    house.lands("cloud-calls", *items)
    (one,) = house.found()
    assert " shows 20240307-v1:0, and the version looked at last is 20230101-v1:0" in one["why"]
    assert house.state() is State.STALE
