"""The data dictionary says of every column of every view what it means, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.dictionary import COLUMNS, ViewDoc, dictionary
from storage.given import GIVEN, given_table
from storage.views import VIEWS, ask, connect
from tests.storage.makers import World, item


def test_it_holds_every_view_and_column_and_no_other() -> None:
    assert [doc.name for doc in dictionary()] == [*VIEWS, *GIVEN]
    for doc in dictionary():
        assert {name for name, _, _ in doc.columns} == set(COLUMNS[doc.name])
        assert all(meaning for _, _, meaning in doc.columns)


@pytest.mark.parametrize("doc", dictionary(), ids=lambda doc: doc.name)
def test_each_example_is_answered(doc: ViewDoc, tmp_path: Path) -> None:
    world = World(tmp_path / "lake")
    world.land(item(1), cursor="1")
    beside = {name: given_table(name, []) for name in GIVEN}
    with connect(world.lake, dimensions=beside) as connection:
        ask(connection, doc.example)
