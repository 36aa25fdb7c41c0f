"""`headwater rules`: what a change of rules would do is seen before it is made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dashboards.summary import queued, reaches
from evidence.correction import Act, Correction, Wrong
from evidence.errors import ConfigError, LakeError, MappingError
from evidence.model import Outcome
from flows import explain as explained
from flows import moment as moments
from flows import rules, status
from flows.board import build
from flows.config import load
from flows.explain import explain
from flows.follow import follow
from flows.moment import parse_as_of, present, tagged
from flows.status import show_standings
from storage import claims
from storage.actions import land_own
from storage.corrections import correction_item
from storage.keys import load_key
from storage.ledger import integrate
from storage.maintain import maintain
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


def test_tags_made_for_one_answer_are_texts_like_the_kept_ones(house: House) -> None:
    made = load(house.config.file).mapping().rules.sql()
    with connect(house.lake) as kept, connect(house.lake, tags_sql=made) as anew:
        types = [
            [row[:2] for row in connection.execute("DESCRIBE tags").fetchall()]
            for connection in (kept, anew)
        ]
        enumerated = anew.execute("SELECT count(*) FROM lake_made WHERE control > ''").fetchall()
    assert types[0] == types[1]
    assert enumerated[0][0] > 0


TAGS = "SELECT COLUMNS(* EXCLUDE tagged_at) FROM tags ORDER BY ALL"


@pytest.mark.parametrize("maintained", [False, True], ids=["landed", "maintained"])
def test_what_the_tags_have_yet_to_follow_is_tagged_for_one_answer(
    house: House, maintained: bool
) -> None:
    """Only that: the rest is read as it was kept, also where maintenance moved the rows."""
    for _ in range(8):
        house.land()
        integrate(house.lake, load_key(house.config.key))
    landed = {file.name for file in house.lake.files("evidence")}
    if maintained:
        house.clock.now += timedelta(days=40)
        maintain(house.lake, load_key(house.config.key).verifier)
        for name in landed - {file.name for file in house.lake.files("evidence")}:
            house.lake.place.at("evidence").remove(name)  # as a later maintenance does
    assert all(map(house.lake.place.at("evidence").has, landed)) != maintained
    now = present(house.lake, house.config, house.clock())
    shown = tagged(house.lake, now)
    assert shown.untagged
    with (
        shown.connect(house.lake) as some,
        replace(shown, untagged=None).connect(house.lake) as anew,
    ):
        assert some.execute(TAGS).fetchall() == anew.execute(TAGS).fetchall()
        count = "SELECT count(DISTINCT item_id) FROM lake_made"
        ((made,),), ((every,),) = some.execute(count).fetchall(), anew.execute(count).fetchall()
    assert 0 < made < every
    follow(house.lake, house.config)
    with shown.connect(house.lake) as late, now.connect(house.lake) as kept:
        known = kept.execute(TAGS).fetchall()
        assert late.execute(TAGS).fetchall() == known, "tagged meanwhile: nothing comes twice"
    assert tagged(house.lake, present(house.lake, house.config)).tags_sql == ""


def test_what_too_much_is_untagged_for_is_not_answered_by_guess(
    house: House, own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in (status, explained):
        monkeypatch.setattr(verb, "load", lambda _: house.config)
        monkeypatch.setattr(verb, "now", house.clock)
    monkeypatch.setattr(moments, "MOST_UNTAGGED", 5)
    file, untold = house.config.file, "items have yet to be tagged .* run `headwater retag` first"
    assert rules.queue(file) == 3
    house.config = replace(house.config, own_rules=(own,))
    for ask in (
        lambda: rules.queue(file),
        lambda: explain(file, "A.6.2.4", print),
        lambda: status.show(file, None, fail_on="", as_json=False),
    ):
        with pytest.raises(LakeError, match=untold):
            ask()
    with connect(house.lake) as connection:
        ((item_id,),) = connection.execute("SELECT min(item_id) FROM evidence").fetchall()
    assert explain(file, item_id, print) == 0, "an item is read by the rules themselves"
    assert status.show(file, parse_as_of("@1"), fail_on="", as_json=False) == 0
    assert rules.retag(file) == 0
    assert rules.queue(file) == 0
    assert explain(file, "A.6.2.4", print) == 0


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
    items = house.lake.table("evidence").rows
    assert rules.retag(house.config.file) == 0
    digest = house.config.mapping().rules.digest[:16]
    assert f"rules {digest}: {items} items to tag, then to seal" in told(capsys)
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


def test_the_query_for_elsewhere_is_printed_as_it_is(
    house: House, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house.config = replace(house.config, own_rules=(own,))
    for dialect in ("duckdb", "spark", "trino"):
        assert rules.sql(house.config.file, dialect) == 0
        assert capsys.readouterr().out.rstrip("\n") == house.config.mapping().rules.sql(dialect)
    with pytest.raises(MappingError, match="in the dialect 'oracle'; known: duckdb, spark, trino"):
        rules.sql(house.config.file, "oracle")


@pytest.mark.parametrize("part", [1, 1_000_000], ids=["in parts", "at once"])
def test_the_board_counts_what_waits_for_a_rule_and_what_rules_take_twice(
    house: House, own: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr(claims, "_PART_CLAIMS", part)
    board = build(house.lake, house.config)
    assert [(row.kind, row.items, row.evidence) for row in board.queue] == [("jira.issue", 2, "")]
    assert queued(board) == (board.lake.untagged, 0)
    assert board.queue[0].item_id in board.items
    twice = RULE.format(name="own-2").replace("change_request", "code_review")
    twice = twice.replace("expected", '["iso42001:6.3", "iso42001:A.6.2.2"]')
    (own / "twice.yaml").write_text(twice)
    house.config = replace(house.config, own_rules=(own,))
    follow(house.lake, house.config)
    board = build(house.lake, house.config)
    assert [(row.items, row.evidence, row.rules) for row in board.queue] == [
        (2, "change_request, code_review", "own-1, own-2")
    ]
    assert queued(board) == (0, 2), "an item is one, for however many controls it is in doubt"


def test_the_board_tells_of_each_framework_what_is_carried_and_what_stays_open(
    house: House,
) -> None:
    board = build(house.lake, house.config)
    known = house.config.mapping().frameworks
    assert [row.framework for row in board.frameworks] == list(known)
    for row in board.frameworks:
        assert sum(reaches(row).values()) == len(known[row.framework].requirements)
        assert (row.rows, row.reviewed) == (len(known[row.framework].rows), 0)
        assert reaches(row)["whole"] == 0, "nobody here reviewed a row"
        assert all(bool(one.open) == (one.reach != "whole") for one in row.requirements)


BAD = (Outcome.FAILED, Outcome.ERROR)
CONTEXT = """\
rules: []
context:
  - name: own-talk
    kind: jira.issue
    when:
      payload.label: change
    rationale: Talk among colleagues.
    examples:
      match:
        - payload: {label: change}
      ignore:
        - payload: {label: other}
"""


@pytest.fixture
def talk(house: House) -> House:
    """The house with the tickets that wait for a rule declared to be context only."""
    folder = house.config.folder / "talk"
    folder.mkdir()
    (folder / "own.yaml").write_text(CONTEXT)
    house.config = replace(house.config, own_rules=(folder,))
    return house


def test_what_is_context_only_is_counted_apart_and_shown(
    talk: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rules.queue(talk.config.file) == 0, "though the tags have yet to follow"
    shown = told(capsys)
    assert "0 items speak to no control" in shown
    assert "2 items are context only, by 1 declaration" in shown
    assert "colleagues." in shown
    assert rules.differ(talk.config.file, "shipped", "today") == 1
    assert "context:own-talk context jira.issue 2 0" in told(capsys).replace("│ ", "")
    follow(talk.lake, talk.config)
    board = build(talk.lake, talk.config)
    assert (board.lake.untagged, board.lake.context, board.queue) == (0, 2, ())
    (row,) = board.context
    assert (row.declaration, row.items, row.kinds) == ("own-talk", 2, "jira.issue")
    assert board.items[row.item_id].context == ("own-talk: Talk among colleagues.",)
    assert not any("speak to no control yet" in note.sentence for note in board.attention)
    show_standings(board)
    assert "items wait for a rule; 2 items are context only, by 1 declaration" in told(capsys)
    lines: list[str] = []
    monkeypatch.setattr("flows.explain.load", lambda _: talk.config)
    explain(talk.config.file, row.item_id, lines.append)
    assert "speaks to no control" in lines
    assert any("context only by own-talk: Talk among" in line for line in lines)


def test_what_failed_or_was_corrected_is_not_context(talk: House) -> None:
    lake, at = talk.lake, talk.clock.now
    bad = [talk.item("other", "jira.issue", f"B-{word}", at, "", word) for word in BAD]
    lake.land("other", bad, bookmark=lake.bookmark("other"), cursor=None, pull_id="p")
    follow(talk.lake, talk.config)
    board = build(talk.lake, talk.config)
    assert (board.lake.untagged, board.lake.context) == (len(BAD), 2)
    said = Correction(board.context[0].item_id, Wrong.MISTAKE, "", "Ann", "another matter").facts()
    item = correction_item(talk.lake, Act.CORRECT, said, title="corrected")
    land_own(talk.lake, lambda _: ((item,), None))
    board = build(talk.lake, talk.config)
    assert (board.lake.untagged, board.lake.context) == (len(BAD) + 1, 1)
