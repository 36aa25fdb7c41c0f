"""Saved questions in the terminal: each is answered, and nothing found says what that means."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.errors import ConfigError
from flows import query
from flows.config import load, now
from flows.follow import follow
from flows.given import given
from flows.judgement import judge_lake
from flows.moment import present
from flows.pull import attempt
from flows.record import record
from mappings.questions import load_questions
from storage.lake import Lake
from storage.question import ask
from storage.views import connect
from tests.flows.conftest import Home, numbers

GIVEN = {"control": "iso42001:A.6.2.4", "subject": "number/1"}
OWN = """questions:
  - name: mine
    title: What I ask
    empty: Nothing was found, which says nothing.
    with:
      kind: {type: text, what: "a kind"}
    sql: SELECT count(*) AS items FROM evidence WHERE kind = $kind HAVING count(*) > 0
"""


@pytest.mark.parametrize("landed", [True, False])
def test_each_is_answered_on_a_lake_with_items_and_on_an_empty_one(
    home: Home, landed: bool
) -> None:
    file = home(numbers("one", upto=5))
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    if landed:
        attempt(lake, config.sources[0], now)
        follow(lake, config)
        record(lake, judge_lake(lake, present(lake, config)))
    questions = load_questions().values()
    beside = given(lake, present(lake, config), *(question.sql for question in questions))
    with connect(lake, dimensions=beside) as connection:
        for question in questions:
            wants = {p.name: GIVEN[p.name] for p in question.parameters if p.default is None}
            answer = ask(connection, question.sql, question.values(wants))
            assert not answer.truncated
            if question.name == "what-landed" and landed:
                assert ("one", "test.number", 5) in [row[:3] for row in answer.rows]


def test_own_questions_are_listed_and_asked(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    file = home(numbers("one", upto=5))
    (file.parent / "questions").mkdir()
    (file.parent / "questions" / "own.yaml").write_text(OWN)
    file.write_text(file.read_text() + '\n[mapping]\nquestions = "questions"\n')
    config = load(file)
    attempt(Lake.open(config.lake, clock=now), config.sources[0], now)
    assert query.list_saved(file) == 0
    assert "What I ask" in capsys.readouterr().out
    for kind, out, err in [("test.number", "items\n5\n", ""), ("none", "items\n", "says nothing")]:
        asked = query.asked_for(file, "", "mine", [f"kind={kind}"])
        assert query.run(file, asked, None, "csv") == 0
        told = capsys.readouterr()
        assert told.out.replace("\r", "") == out
        assert err in told.err
    for sql, saved, values, why in [
        ("", "", [], "write one SELECT, or --saved NAME"),
        ("SELECT 1", "mine", [], "write one SELECT, or --saved NAME"),
        ("SELECT 1", "", ["a=1"], "--with fills in a saved question"),
        ("", "none", [], "--saved 'none': there is none; known: what-landed"),
        ("", "mine", ["kind"], "--with 'kind': write NAME=VALUE"),
    ]:
        with pytest.raises(ConfigError, match=why):
            query.asked_for(file, sql, saved, values)


def test_what_is_filled_in_stays_a_value(home: Home, tmp_path: Path) -> None:
    file = home(numbers("one", upto=5))
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    attempt(lake, config.sources[0], now)
    question = load_questions()["history-of-subject"]
    hostile = "x' OR 1 = 1; COPY evidence TO 'out.csv' --"
    with connect(lake) as connection:
        assert ask(connection, question.sql, question.values({"subject": hostile})).rows == ()
