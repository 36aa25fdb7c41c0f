"""The static file is put in place whole, and a failed writing leaves the old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.render import render
from dashboards.static_site import write
from tests.dashboards.boards import demo_board, empty_board, hostile_board


def test_it_replaces_the_old_page(tmp_path: Path) -> None:
    target = tmp_path / "board.html"
    write(demo_board(), target)
    write(empty_board(), target)
    assert target.read_text(encoding="utf-8") == render(empty_board())
    assert [path.name for path in tmp_path.iterdir()] == ["board.html"]


def test_hostile_text_can_be_written(tmp_path: Path) -> None:
    write(hostile_board(), tmp_path / "board.html")
    assert (tmp_path / "board.html").stat().st_size > 0


def test_a_target_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "board.html"
    target.mkdir()
    with pytest.raises(OSError, match=r"board\.html"):
        write(empty_board(), target)
    assert [path.name for path in tmp_path.iterdir()] == ["board.html"]
