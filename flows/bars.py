"""The pulls under way as bars on a terminal, one row a source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from flows import progress
from flows.config import now
from flows.progress import Lines, Watch
from flows.terminal import Screen, printable


@contextmanager
def watching(console: Screen) -> Iterator[Watch]:
    """Shows each pull on the console: rows that move on a terminal, lines with a time elsewhere."""
    if not console.is_terminal:
        yield Lines(lambda line: _line(console, line))
        return
    columns = (
        SpinnerColumn(finished_text=" "), TextColumn("{task.fields[name]}"), BarColumn(20),
        TimeElapsedColumn(), TextColumn("{task.description}"),
    )  # fmt: skip
    with Progress(*columns, console=console, refresh_per_second=4) as shown:
        yield Bars(shown)


class Bars:
    """One row a source in a progress display of rich's."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._rows: dict[str, TaskID] = {}

    def __call__(self, pull: progress.Progress) -> None:
        """Only the threads of one source call for that source, one after the other."""
        if pull.source not in self._rows:
            self._rows[pull.source] = self._shown.add_task("", total=None, name=escape(pull.source))
        row = self._rows[pull.source]
        total, done = pull.promised, pull.received
        if pull.ended:  # a full bar says that all came: nothing else may show one
            total, done = 1, int(pull.whole)
        self._shown.update(row, description=escape(pull.sentence), total=total, completed=done)
        if pull.ended:
            self._shown.stop_task(row)


def _line(console: Screen, line: str) -> None:
    console.print(
        f"{now():%H:%M:%S} {printable(line)}", markup=False, highlight=False, soft_wrap=True
    )
