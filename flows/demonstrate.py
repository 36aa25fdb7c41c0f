"""The demo: build a small company, run the main job on it, say what happened, show the board."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape

from dashboards.static_site import write
from flows.board import build as build_board
from flows.config import Config, load, now
from flows.documents import write as write_documents
from flows.setup import prepare
from flows.status import show_standings
from flows.terminal import Screen, Table, printable
from flows.verify import run as verify
from storage.lake import Lake
from storage.views import ask, connect


def demonstrate(folder: Path, port: int, serve: bool) -> int:
    """Build, collect, let a day pass, collect again, judge, verify, show. 0 if all of it worked.

    That one source does not answer is part of the demo and no failure of it.
    """
    folder = folder.resolve()
    os.environ.setdefault("PREFECT_HOME", str(folder / ".prefect"))
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    # On a slow disk its own database is locked for a moment; it says so at length, and tries again.
    os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
    console = Screen(highlight=False)
    from demo.company import NAME, later, serving
    from demo.company import build as build_company

    console.rule(f"[bold]{NAME}[/], in {escape(str(folder))}")
    with _step(console, "building") as say:
        company = build_company(folder, now(), say)
    with serving(company) as store:
        config = load(company.config)
        list(prepare(config))
        _collect(console, config, "First collection")
        if later(company, store, now()):
            console.print("Meanwhile an alias moved, a tag was edited, tickets and logs went on.")
            _collect(console, config, "Second collection")
        _judge(console, config)
        verify(config.file, lambda line: console.print(escape(line)))
        board = build_board(Lake.open(config.lake, clock=now), config)
        write(board, folder / "board.html")
        write_documents(config.file, folder / "documents", [], lambda _line: None, again=True)
        show_standings(board)
        _where_next(console, config, folder)
        if serve:
            from flows.show import serve_board

            serve_board(config, port, token=None, open_loopback=True)
    return 0


@contextmanager
def _step(console: Screen, word: str) -> Iterator[Any]:
    with console.status(f"{word} …") as status:

        def say(what: str) -> None:
            status.update(f"{word}: {what} …")
            console.print(f"  {word}: {what}", style="dim")

        yield say


def _collect(console: Screen, config: Config, title: str) -> None:
    from flows.collect import collect

    console.print(f"[bold]{title}[/], as a Prefect flow without a server")
    began = now()
    with console.status("collecting …"):
        state = collect(str(config.file), return_state=True)
    table = Table("source", "outcome", "received", "new items", "why not whole")
    for row in _asked(config, PULLS, began):
        table.add_row(*(escape(printable(str(value))) for value in row))
    console.print(table)
    console.print(escape(state.message or ""))


def _asked(config: Config, sql: str, began: datetime) -> Sequence[Sequence[object]]:
    with connect(Lake.open(config.lake, clock=now)) as connection:
        return ask(connection, sql, [began]).rows


PULLS = """
    SELECT p.source, arg_max(p.outcome, p.finished_at), max(p.received), count(e.item_id),
        arg_max(coalesce(nullif(p.error, ''), nullif(p.gaps, '[]'), ''), p.finished_at)
    FROM pulls p LEFT JOIN evidence e ON e.pull_id = p.pull_id AND e.kind <> 'headwater.pull'
    WHERE p.started_at >= $1 GROUP BY p.source ORDER BY p.source
"""


def _judge(console: Screen, config: Config) -> None:
    from flows.freshness import freshness

    with console.status("judging …"):
        state = freshness(str(config.file), return_state=True)
    console.print(f"[bold]Judged[/]: {escape(state.message or '')}")


def _where_next(console: Screen, config: Config, folder: Path) -> None:
    shown = escape(str(config.file))
    program = escape(sys.argv[0] if Path(sys.argv[0]).stem == "headwater" else "headwater")
    console.print(f"Board as one file: {escape(str(folder / 'board.html'))}")
    console.print(f"Its policies and procedures, as drafts: {escape(str(folder / 'documents'))}")
    console.print("Ask on:")
    for words in (
        "status", "explain A.6.2.4", "verify",
        "query \"select source, outcome, finished_at, error from pulls order by finished_at\"",
    ):  # fmt: skip
        console.print(f"  {program} {words} -c {shown}", soft_wrap=True)
