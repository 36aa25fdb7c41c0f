"""A person sees how far each pull is, what it waits for and until when."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import rich.progress
from rich.console import Console

from collectors.base import Step
from evidence.runs import PullFacts
from flows.bars import Bars, watching
from flows.config import load
from flows.progress import Lines, Progress
from flows.pull import attempt
from storage.lake import Lake
from tests.flows.conftest import Home, numbers

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def watched(lines: list[str], timer: list[float]) -> Progress:
    return Progress("n", lambda: AT, Lines(lines.append, timer=lambda: timer[0]))


def test_lines_tell_waits_and_the_end_at_once_and_counts_now_and_then() -> None:
    lines, timer = list[str](), [0.0]
    progress = watched(lines, timer)
    progress.queues("one.example")
    progress.begins()
    progress.hears(Step("GET /a"))
    progress.hears(Step("GET /b", timedelta(seconds=90)))
    progress.hears(Step("GET /b", timedelta(seconds=0.4)))
    progress.brought(PullFacts(pages=2, received=1200, promised=3000), 0)
    assert lines == [
        "n: waits for its turn at one.example",
        "n: begins",
        "n: waits until 2026-11-26T12:01:30Z: GET /b; 1 pages, 0 received, 0 new",
    ]
    timer[0] = 11.0
    progress.brought(PullFacts(pages=4, received=2400, promised=3000), 1200)
    assert lines[3:] == ["n: 4 pages, 2,400 of 3,000 received, 1,200 new"]


def test_hostile_and_secret_text_of_a_source_is_not_shown_as_it_is() -> None:
    lines = list[str]()
    progress = Progress(
        "n", lambda: AT, Lines(lines.append), lambda text: text.replace("hunter2", "(hidden)")
    )
    progress.hears(Step("GET /\x1b[2J/hunter2", timedelta(seconds=5)))
    assert "\x1b" not in lines[0]
    assert "hunter2" not in lines[0]


def test_a_pull_is_told_from_its_beginning_to_its_end(home: Home) -> None:
    config = load(home(numbers("n", trouble="busy")))
    told = list[str]()
    lake = Lake.open(config.lake, clock=lambda: datetime.now(UTC))
    attempt(lake, config.sources[0], lambda: datetime.now(UTC),
            watch=lambda progress: told.append(progress.sentence))  # fmt: skip
    assert told[0] == "begins"
    assert told[1:4] == [
        "1 pages, 4 of 4 received, 0 new",
        "2 pages, 8 of 8 received, 4 new",
        "3 pages, 10 of 10 received, 8 new",
    ]
    assert told[-1] == "busy: come back later; 3 pages, 10 of 10 received, 10 new"


def shown(home: Home, console: Console, **given: object) -> str:
    config = load(home(numbers("n", **given)))
    lake = Lake.open(config.lake, clock=lambda: datetime.now(UTC))
    with watching(console) as watch:
        attempt(lake, config.sources[0], lambda: datetime.now(UTC), watch=watch)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_on_a_terminal_a_row_moves(home: Home) -> None:
    text = shown(home, Console(force_terminal=True, width=100, file=io.StringIO()))
    assert "\x1b" in text
    assert "complete; 3 pages, 10 of 10 received, 10 new" in text


def test_elsewhere_lines_with_a_time_follow_one_another(home: Home, tmp_path: Path) -> None:
    text = shown(home, Console(width=40, file=io.StringIO()), trouble="refused")
    first, *_, last = text.splitlines()
    assert first[8:] == " n: begins"
    assert last[8:] == " n: refused: wrong key; 3 pages, 10 of 10 received, 10 new"
    assert "\x1b" not in text


def test_only_a_whole_pull_fills_its_bar(home: Home) -> None:
    config = load(home(numbers("whole"), numbers("short", trouble="short"), numbers("no", upto=0)))
    lake = Lake.open(config.lake, clock=lambda: datetime.now(UTC))
    rows = rich.progress.Progress(console=Console(file=io.StringIO()))
    bars = Bars(rows)
    for source in config.sources:
        attempt(lake, source, lambda: datetime.now(UTC), watch=bars)
    assert [row.percentage for row in rows.tasks] == [100, 0, 100]
