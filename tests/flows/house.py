"""A home with a clock, whose mapping can be changed and which lands, tags and seals at will."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from evidence.model import Change, EvidenceItem, Nature, Outcome
from evidence.runs import Pull, PullFacts, PullOutcome
from flows.config import Config, load
from flows.follow import follow
from flows.judgement import Judged, judge_lake
from flows.moment import Asked, moment
from mappings.overrides import Override
from storage.lake import Lake
from storage.place import place_of
from tests.storage.makers import START, Clock

RULE = """\
rules:
  - name: {name}
    kind: jira.issue
    when:
      payload.label: {{exists: true}}
    evidence: change_request
    controls: expected
    rationale: Our own label says so.
    examples:
      match:
        - payload: {{label: change}}
      ignore:
        - payload: {{text: none}}
"""


@dataclass
class House:
    """A home with a clock, whose mapping can be changed and whose past is remembered."""

    config: Config
    clock: Clock
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    number: int = 0

    @property
    def lake(self) -> Lake:
        return Lake.open(self.config.lake, clock=self.clock)

    def land(self, *, late: float = 0.0, source: str = "checks") -> None:
        """A few results and a state by a whole pull; `late` hours before now by the clock."""
        self.number += 1
        self.clock.now -= timedelta(hours=late)
        at = self.clock.now - timedelta(minutes=2)
        outcome = self.rng.choice([Outcome.PASSED, Outcome.FAILED])
        system = self.rng.choice(["credit-scoring", "churn"])
        items = [
            self.item(source, "gx.validation_result", f"v{self.number % 3}", at, system, outcome),
            self.item(source, "jira.issue", f"AI-{self.number}", at, system, Outcome.RECORDED),
            self.state(source, at, system),
        ]
        pull = Pull(
            f"pull-{self.number}", source, "tests:None", at, self.clock.now, PullOutcome.COMPLETE,
            PullFacts(1, 3, 3, states=("gx.expectation_suite",)), 3,
        )  # fmt: skip
        lake = self.lake
        lake.land(source, items, bookmark=lake.bookmark(source), cursor=None,
                  pull_id=pull.pull_id, pull=pull)  # fmt: skip
        self.clock.now += timedelta(hours=late)

    def state(self, source: str, at: object, system: str) -> EvidenceItem:
        change = self.rng.choice([Change.CHANGED, Change.GONE, Change.RESTORED])
        return self.item(
            source, "gx.expectation_suite", "applications", at, system, Outcome.RECORDED,
            nature=Nature.STATE, change=change,
        )  # fmt: skip

    def item(self, source: str, kind: str, subject: str, at: object, system: str,
             outcome: Outcome, **more: object) -> EvidenceItem:  # fmt: skip
        payload = {"n": self.number, "label": "change", "expectation_count": self.number}
        return EvidenceItem(
            source=source, kind=kind, subject=subject, observed_from=at, observed_to=at,
            collected_at=at, payload=payload, system=system, outcome=outcome,
            title=f"{kind} {self.number}", **more,
        )  # fmt: skip

    def follow(self, seconds: int = 0) -> None:
        follow(self.lake, self.config)
        self.clock.now += timedelta(seconds=seconds)

    def new_rules(self) -> None:
        folder = self.config.folder / f"rules-{self.number}"
        folder.mkdir(exist_ok=True)
        (folder / "own.yaml").write_text(RULE.format(name=f"own-{self.number}"))
        self.config = replace(self.config, own_rules=(folder,))

    def new_overrides(self) -> None:
        age = timedelta(days=self.rng.randint(1, 30))
        change = Override("*", "dq_validation", f"reason {self.number}", max_age=age)
        self.config = replace(self.config, overrides=(change,))

    def pass_time(self) -> None:
        self.clock.now += timedelta(hours=self.rng.randint(1, 60))

    def judge(self, asked: Asked | None) -> Judged:
        return judge_lake(self.lake, moment(self.lake, self.config, asked))


def make_house(file: Path) -> House:
    """The house of a headwater.toml, with an empty lake of its own whose clock stands still."""
    config, clock = load(file), Clock(START)
    made = House(replace(config, lake=place_of(config.folder / "dated")), clock)
    Lake.create(made.config.lake, clock=clock)
    return made


def copied(house: House, folder: Path) -> House:
    """The house again below `folder`, for a test that changes it."""
    there = Path(shutil.copytree(house.config.folder, folder / "home"))
    config = replace(load(there / "headwater.toml"), lake=place_of(there / "dated"))
    return House(config, Clock(house.clock.now), number=house.number)
