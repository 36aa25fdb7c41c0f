"""What is never due, however old: each rule keeps what no other rule would have kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from evidence.model import Change, EvidenceItem, Nature
from evidence.runs import PULL_KIND, PullOutcome
from storage import disposal, living
from storage.disposal import Done
from storage.keys import make_key
from storage.retention import RetentionClass
from storage.views import connect
from tests.storage.makers import START, World, days, item
from tests.storage.test_disposal import go, hold, planned, seal, subjects

EVERY = RetentionClass("all", ("*", PULL_KIND), timedelta(days=1), "nothing is needed")
WHOLE, PARTIAL, BUSY = PullOutcome.COMPLETE, PullOutcome.PARTIAL, PullOutcome.BUSY
STATE, REGISTER, OLDER, BELIEVED, PULL, LAST, WEEK, STREAK, USUAL, EVENT, SYSTEM, NEEDED = range(12)
RULES = {
    STATE: "a state, or a record of a register, as it stands",
    REGISTER: "a state, or a record of a register, as it stands",
    OLDER: "the latest of a subject whose older versions are there",
    BELIEVED: "the latest of a subject that is confirmed, likewise",
    PULL: "the pull of an item that is there",
    LAST: "the last pull of a source that ended so and saw these states",
    WEEK: "a pull of the last seven days",
    STREAK: "a pull since the last whole one of its source",
    USUAL: "the whole pulls by which a source's usual time is known",
    EVENT: "the last event of a system that makes older evidence stale",
    SYSTEM: "the last item that names an AI system, in a register and beside it",
    NEEDED: "what the judgement of today rests on",
}


def plain(number: int, source: str = "none", **given: object) -> EvidenceItem:
    """An event of no system, at the start."""
    return item(number, **({"at": START, "system": "", "source": source} | given))


class Old:
    """A lake in which each rule alone keeps one item; `kept` says which."""

    def __init__(self, path: Path) -> None:
        self.world = World(path / "lake")
        make_key(path / "key", origin="test.example/lake")
        self.kept: dict[int, str] = {}
        self._subjects()
        self._pulls()
        seal(self.world)

    def _land(self, *items: EvidenceItem, outcome: PullOutcome | None = None,
              source: str = "none") -> str:  # fmt: skip
        self.world.clock.now += timedelta(hours=1)
        self.world.land(*items, source=source, outcome=outcome)
        return f"pull-{self.world.pulls}"

    def _subjects(self) -> None:
        state = plain(1, nature=Nature.STATE)
        register = plain(2, kind="git.register")
        event, ahead = plain(3), plain(3, at=START + days(9000), subject="AI-3b")
        ghost, needed = plain(4, system="ghost"), plain(5)
        older = plain(6), plain(6, at=START + days(1))
        later = START + days(100)  # than any whole pull of its source
        seen = [plain(7, "c", at=START + days(n)) for n in range(2)]
        seen.append(plain(7, "c", at=START + days(2), collected_at=later))
        self._land(state, register, event, ahead, ghost, needed, *older, plain(99))
        self._land(*seen[:2], source="c", outcome=WHOLE)
        self._land(seen[2], source="c")
        self.world.tag("event:model_change", "changes", "subject LIKE 'AI-3%'")
        self.kept |= {
            STATE: state.item_id, REGISTER: register.item_id, OLDER: older[1].item_id,
            BELIEVED: seen[1].item_id, EVENT: event.item_id, SYSTEM: ghost.item_id,
            NEEDED: needed.item_id,
        }  # fmt: skip

    def _pulls(self) -> None:
        names = {PULL: self._land(plain(8, "s", nature=Nature.STATE), source="s", outcome=WHOLE)}
        names[LAST] = self._land(source="s", outcome=PARTIAL)
        names[USUAL] = self._land(source="s", outcome=WHOLE)
        self._land(source="s", outcome=WHOLE)
        names[STREAK] = self._land(source="s", outcome=BUSY)
        self._land(source="s", outcome=BUSY)
        self.world.clock.now += days(800)
        names[WEEK] = self._land(source="w", outcome=WHOLE)
        self._land(source="w", outcome=WHOLE)
        self._land(source="w", outcome=WHOLE)
        self.world.clock.now += days(3)
        with connect(self.world.lake) as connection:
            rows = connection.execute("SELECT pull_id, item_id FROM pulls").fetchall()
        self.kept |= {rule: dict(rows)[name] for rule, name in names.items()}

    def due(self) -> frozenset[str]:
        return planned(self.world, EVERY, needed=[self.kept[NEEDED]]).ids


@pytest.fixture(scope="module", name="old")
def _old(tmp_path_factory: pytest.TempPathFactory) -> Old:
    return Old(tmp_path_factory.mktemp("old"))


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "USUAL_OF", 2)


def test_every_rule_is_tried() -> None:
    assert set(RULES.values()) == living.RULES.keys()


def test_what_a_rule_names_stays_and_the_rest_goes(old: Old) -> None:
    assert plain(99).item_id in old.due()
    assert {rule for rule, item_id in old.kept.items() if item_id in old.due()} == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule}-{RULES[rule][:24]}")
def test_without_its_rule_it_would_go(old: Old, monkeypatch: pytest.MonkeyPatch, rule: int) -> None:
    name = RULES[rule]
    nothing = f"SELECT * FROM ({living.RULES[name]}) WHERE false"
    monkeypatch.setattr(living, "RULES", {**living.RULES, name: nothing})
    assert old.kept[rule] in old.due()


def _revised(path: Path) -> tuple[World, EvidenceItem, EvidenceItem]:
    """A version dated later than the change after it, and one more: the first two are due."""
    world = World(path / "lake")
    make_key(path / "key", origin="test.example/lake")
    first = item(1, at=START + days(9))
    change = item(1, at=START + days(5), change=Change.CHANGED, payload={"v": 2})
    for one in (first, change, item(1, at=START + days(6), payload={"v": 3})):
        world.clock.now += days(1)
        world.land(one)
    world.clock.now += days(800)
    seal(world)
    return world, first, change


def test_a_change_stays_as_long_as_a_version_before_it(tmp_path: Path) -> None:
    """Without the change the version on hold, dated later, would stand for the subject again."""
    world, first, change = _revised(tmp_path)
    assert planned(world, EVERY).ids == {first.item_id, change.item_id}
    hold(world, item_ids=(first.item_id,))
    assert not planned(world, EVERY).ids
    with connect(world.lake) as connection:
        assert living.bound(connection, [change.item_id]) == {change.item_id}
        assert living.bound(connection, [first.item_id, change.item_id]) == frozenset()


def test_a_hold_set_after_the_record_keeps_the_change_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, first, _ = _revised(tmp_path)
    with monkeypatch.context() as stopped:
        stopped.setattr(disposal, "_take_out", _stop)
        with pytest.raises(InterruptedError):
            go(world, EVERY)
    hold(world, item_ids=(first.item_id,))
    assert go(world, EVERY) == Done()
    assert subjects(world) == ["AI-1"] * 3
    monkeypatch.setattr(disposal, "bound", lambda *_: frozenset())
    assert go(world, EVERY).items == 1, "without the rule the change goes"


def _stop(*_: object) -> None:
    raise InterruptedError
