"""A large lake is judged from what is kept of it, and `verify` judges without it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from evidence.errors import VerificationFailed
from evidence.freshness import Verdict
from flows import judgement, verify
from flows.config import now
from flows.judgement import judge_lake, kept_differs
from flows.moment import present
from storage.kept import FOLDER
from storage.landed import landed
from tests.flows.conftest import Home
from tests.flows.house import House, make_house


def test_judged_from_what_is_kept_as_from_all(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    house = make_house(home())
    asked: list[int] = []
    monkeypatch.setattr(judgement, "landed", lambda *given: asked.append(1) or landed(*given))
    digests = []
    for worth in (0, 10**9):
        monkeypatch.setattr(judgement, "WORTH", worth)
        if not worth:
            for _ in range(3):
                house.land()
                house.clock.now += timedelta(hours=1)
                house.follow()
                judge_lake(house.lake, present(house.lake, house.config, house.clock.now))
        shown = present(house.lake, house.config, house.clock.now)
        digests.append(judge_lake(house.lake, shown).digest)
        assert bool(asked) is bool(worth), "the whole lake is asked only where nothing is kept"
    assert digests[0] == digests[1]


def test_verify_names_a_state_that_another_hand_changed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgement, "WORTH", 0)
    file = home()
    house = make_house(file)
    file.write_text(file.read_text().replace('path = "lake"', 'path = "dated"'))
    house.clock.now = now() - timedelta(hours=2)
    house.land()
    house.follow()
    assert verify.run(file, lambda _: None) == 0
    judged = judge_lake(house.lake, present(house.lake, house.config))
    _lie(house, next(verdict for verdict in judged.verdicts if verdict.count))
    with pytest.raises(VerificationFailed, match="boards of the last day may have been wrong"):
        verify.run(file, lambda _: None)
    assert not kept_differs(house.lake, present(house.lake, house.config)), "it is thrown away"


def _lie(house: House, verdict: Verdict) -> None:
    """Let the state say that more was left out of it than was."""
    folder = house.lake.place.derived(FOLDER)
    state = folder / (folder / "current").read_text() / "state.json"
    told = json.loads(state.read_text())
    told["counts"] = [[verdict.control, verdict.evidence, verdict.system, 3]]
    state.write_text(json.dumps(told))
