"""Run a flow once from the terminal, through Prefect or directly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import uniform
from time import sleep
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from collectors.base import Window
from evidence.errors import ConfigError, LakeBusy, LakeConflict
from evidence.runs import PullOutcome
from flows.backfill import window_of
from flows.config import Config, load, now
from flows.pull import Attempt, attempt
from flows.report import pull_rows
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
    Console().print(escape(state.message or ""))
    return 0 if state.is_completed() else 1


def collect_direct(
    config: Config, sources: Sequence[str] = (), window: Window | None = None
) -> int:
    """The same pulls one after the other in this process, without Prefect."""
    from flows.follow import follow

    redactor = config.redactor()
    lake = patient(config, lambda: Lake.open(config.lake, clock=now, redactor=redactor))
    wanted = [source for source in config.sources if not sources or source.name in sources]
    with Console(stderr=True).status("collecting …") as status:
        ended: dict[str, Attempt] = {}
        for source in wanted:
            status.update(f"collecting {source.name} …")
            ended[source.name] = patient(config, partial(attempt, lake, source, now, window))
        status.update("tagging and sealing …")
        sentence = patient(config, lambda: follow(lake, config)).sentence
    show_pulls(ended)
    Console().print(escape(sentence))
    return max((end.pull.outcome is not PullOutcome.COMPLETE for end in ended.values()), default=0)


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


def show_pulls(ended: Mapping[str, Attempt | BaseException]) -> None:
    """The table of what a collection brought, on the terminal."""
    table = Table("source", "outcome", "new", "known", "pages", "received")
    table.add_column("note", overflow="fold")  # a cut file name could not be looked up
    for row in pull_rows(ended):
        table.add_row(*(escape(str(row.get(str(column.header), ""))) for column in table.columns))
    Console().print(table)


def judge_now(file: Path) -> int:
    """Run the freshness flow once; 0 when it completed, whatever it found."""
    from flows.freshness import freshness

    state = freshness(str(load(file).file), return_state=True)
    Console().print(escape(state.message or ""))
    return 0 if state.is_completed() else 1
