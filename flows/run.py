"""Run a flow once from the terminal, through Prefect or directly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import uniform
from time import sleep
from typing import TypeVar

from rich.markup import escape

from collectors.base import Window
from evidence.errors import ConfigError, LakeBusy, LakeConflict
from flows.backfill import window_of
from flows.bars import watching
from flows.config import Config, load, now
from flows.progress import Progress
from flows.pull import Attempt, attempt
from flows.report import is_whole, pull_rows
from flows.terminal import Screen, Table, printable
from flows.together import together
from flows.turns import Turns
from storage.lake import Lake

TRIES = 5
T = TypeVar("T")


def collect_now(
    file: Path, sources: Sequence[str], *, direct: bool, since: str = "", until: str = ""
) -> int:
    """Pull once, or a past window; 0 if every source was complete, else 1. Raises ConfigError."""
    config = load(file)
    window = window_of(since, until, now())
    if window is not None and not sources:
        raise ConfigError("a backfill needs the names of its sources: headwater collect NAME …")
    unknown = sorted(set(sources) - {source.name for source in config.sources})
    if unknown:
        raise ConfigError(f"{config.file}: no source is named {', '.join(unknown)}")
    if direct:
        return collect_direct(config, sources, window)
    from flows.collect import collect

    state = collect(str(config.file), list(sources), since, until, return_state=True)
    if isinstance(rows := state.result(raise_on_failure=False), list):
        show_pulls(rows)
    Screen().print(escape(printable(state.message or "")))
    return 0 if state.is_completed() else 1


def collect_direct(
    config: Config, sources: Sequence[str] = (), window: Window | None = None
) -> int:
    """The same pulls in this process, without Prefect; 0 if every one was complete, else 1.

    One dead source does not stop the others.
    """
    from flows.follow import follow

    redactor = config.redactor()
    lake = patient(config, lambda: Lake.open(config.lake, clock=now, redactor=redactor))
    wanted = {s.name: s for s in config.sources if not sources or s.name in sources}
    turns, console = Turns.of(config), Screen(stderr=True)
    with watching(console) as watch:

        def pull(name: str) -> Attempt:
            source = wanted[name]
            with turns.turn(source.hosts, Progress(name, now, watch).queues):
                return patient(config, partial(attempt, lake, source, now, window, watch))

        ended = together(list(wanted), pull)
    with console.status("tagging and sealing …"):
        sentence = patient(config, lambda: follow(lake, config)).sentence
    show_pulls(pull_rows(ended))
    Screen().print(escape(sentence))
    return 0 if all(map(is_whole, ended.values())) else 1


def patient(config: Config, ask: Callable[[], T], sleep: Callable[[float], None] = sleep) -> T:
    """What `ask` gives, asked again where waiting helps: after another run that landed first at
    once, after a busy store as often and as patiently as [collect] says, each time longer.

    Raises LakeConflict or LakeBusy in the end, and at once whatever else it raises.
    """
    conflicts = busy = 0
    while True:
        try:
            return ask()
        except LakeConflict:
            conflicts += 1
            if conflicts == TRIES:
                raise
        except LakeBusy:
            busy += 1
            if busy > config.patience:
                raise
            # Not all at the same moment again: what keeps a store busy may be our own machines.
            sleep(config.wait.total_seconds() * 2 ** (busy - 1) * uniform(0.5, 1.5))  # noqa: S311


def show_pulls(rows: Sequence[Mapping[str, object]]) -> None:
    """The table of what a collection brought, on the terminal."""
    table = Table("source", "outcome", "new", "known", "pages", "received", "took")
    console = Screen()
    for row in rows:
        cells = (str(row.get(str(column.header), "")) for column in table.columns)
        table.add_row(*(escape(printable(cell)) for cell in cells))
    console.print(table)
    for row in rows:  # below it, whole: a file name that is cut could not be looked up
        if note := printable(str(row.get("note", ""))):
            told = f"[bold]{escape(str(row['source']))}[/] {escape(note)}"
            console.print(told, highlight=False, soft_wrap=True)


def judge_now(file: Path) -> int:
    """Run the freshness flow once; 0 when it completed, whatever it found."""
    from flows.freshness import freshness

    state = freshness(str(load(file).file), return_state=True)
    Screen().print(escape(state.message or ""))
    return 0 if state.is_completed() else 1
