"""`headwater rules`: what a change of rules would do is seen before it is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evidence.errors import ConfigError, MappingError
from flows import rules
from flows.config import load
from flows.follow import follow
from storage.views import connect
from tests.flows.conftest import Home
from tests.flows.house import RULE, House, make_house

BROKEN = RULE.format(name="own-broken").replace("label: change", "other: change", 1)


@pytest.fixture
def house(home: Home, monkeypatch: pytest.MonkeyPatch) -> House:
    """A sealed lake with tickets and checks, and a folder of rules beside its configuration."""
    made = make_house(home())
    made.land()
    made.land()
    follow(made.lake, made.config)
    monkeypatch.setattr(rules, "load", lambda _: made.config)
    monkeypatch.setattr(rules, "now", made.clock)
    return made


@pytest.fixture
def own(house: House) -> Path:
    folder = house.config.folder / "own"
    folder.mkdir()
    (folder / "own.yaml").write_text(RULE.format(name="own-1"))
    return folder


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_what_a_folder_of_rules_would_change_is_counted_and_nothing_is(
    house: House, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = house.lake.version
    assert rules.differ(house.config.file, "shipped", str(own)) == 1
    shown = told(capsys)
    with connect(house.lake, tags_sql=load(house.config.file).mapping().rules.sql()) as connection:
        claims = "SELECT count(*) FROM tags JOIN evidence USING (item_id) WHERE kind = 'jira.issue'"
        assert connection.execute(claims).fetchall() == [(0,)]
    needs = len(house.config.mapping().catalogue.expecting("change_request", "jira.issue"))
    assert f"{2 * needs} tags gained, 0 lost; nothing was changed" in shown
    assert rules.differ(house.config.file, str(own), "shipped") == 1
    assert f"0 tags gained, {2 * needs} lost" in told(capsys)
    assert house.lake.version == before
    assert rules.differ(house.config.file, "today", "shipped") == 0
    assert rules.differ(house.config.file, "@1", "today") == 0


def test_the_queue_names_what_no_rule_takes_by_the_rules_of_today(
    house: House, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rules.queue(house.config.file) == 3
    shown = told(capsys)
    assert "jira.issue" in shown
    assert "2 items speak to no control" in shown
    house.config = replace(house.config, own_rules=(own,))
    assert rules.queue(house.config.file) == 0, "though the tags have yet to follow the new rule"
    assert "0 items speak to no control" in told(capsys)


def test_a_retag_brings_the_new_rules_into_force_and_keeps_the_old_tags(
    house: House, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = house.config.mapping().rules.digest
    house.config = replace(house.config, own_rules=(own,))
    assert rules.retag(house.config.file) == 0
    assert f"rules {house.config.mapping().rules.digest[:16]}" in told(capsys)
    with connect(house.lake) as connection:
        held = connection.execute("SELECT DISTINCT mapping_digest FROM lake_tags").fetchall()
    assert {row[0] for row in held} == {old, house.config.mapping().rules.digest}


def test_rules_that_contradict_their_examples_are_named(
    house: House, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rules.test(house.config.file) == 0
    shown = told(capsys)
    assert "needs of the catalogue have a rule" in shown
    assert "no source for cw_metrics: 7.1" in shown
    broken = house.config.folder / "broken"
    broken.mkdir()
    (broken / "own.yaml").write_text(BROKEN)
    house.config = replace(house.config, own_rules=(broken,))
    with pytest.raises(MappingError, match=r"own.yaml:\d+: own-broken"):
        rules.test(house.config.file)


def test_what_is_no_set_of_rules_is_refused(house: House) -> None:
    with pytest.raises(ConfigError, match="'yesterday' is not 'today', 'shipped', a folder"):
        rules.differ(house.config.file, "yesterday", "today")
