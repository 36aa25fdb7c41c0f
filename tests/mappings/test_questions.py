"""Saved questions: whole, or refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.errors import ConfigError, MappingError
from mappings.questions import load_questions

WHOLE = """questions:
  - name: mine
    title: What I ask
    empty: Nothing was found.
    with:
      since: {type: moment, default: "2026-01-01T00:00:00Z", what: from when}
      most: {type: number, what: how many}
    sql: SELECT item_id FROM evidence WHERE landed_at >= $since LIMIT $most
"""


def test_own_questions_come_beside_the_shipped(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(WHOLE)
    found = load_questions([tmp_path])
    assert set(load_questions()) == set(found) - {"mine"}
    values = found["mine"].values({"most": "3"})
    assert [type(value).__name__ for value in values.values()] == ["datetime", "int"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "mine needs --with most=… .how many."),
        ({"most": "3", "until": "x"}, "mine has no such value; known: since, most"),
        ({"most": "3.5"}, "--with most='3.5': write a whole number"),
        ({"most": "3", "since": "2026-01-01"}, "--with since='2026-01-01': write a moment with"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, given: dict[str, str], why: str) -> None:
    (tmp_path / "own.yaml").write_text(WHOLE)
    with pytest.raises(ConfigError, match=why):
        load_questions([tmp_path])["mine"].values(given)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("mine", "Mine", ":2:.*lower-case words with dashes"),
        ("mine", "what-landed", ":2:.*there is a question 'what-landed' already"),
        ("    empty: Nothing was found.\n", "", ":2:.*lacks 'empty'"),
        ("type: number", "type: float", ":7:.*unknown type 'float'"),
        ('"2026-01-01T00:00:00Z"', "yesterday", ":6:.*'yesterday' is no moment"),
        ("$most", "9", r":8:.*never asks for \$most"),
        ("$most", "$more", r":8:.*asks for \$more"),
        ("questions:", "question:", ":1:.*unknown key 'question'"),
    ],
)
def test_a_mistake_names_file_and_line(tmp_path: Path, old: str, new: str, why: str) -> None:
    (tmp_path / "own.yaml").write_text(WHOLE.replace(old, new, 1))
    with pytest.raises(MappingError, match=why) as caught:
        load_questions([tmp_path])
    assert caught.value.file.endswith("own.yaml")
