"""Keep the lake lean: seal, maintain every table, and keep a record of what was done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from evidence.errors import HeadwaterError
from evidence.model import Outcome
from flows.config import Config, load, now
from flows.follow import follow, leave_record
from flows.terminal import Screen, Table
from storage.actions import act
from storage.keys import load_key
from storage.lake import Lake
from storage.maintain import Tidied, maintain


def run(file: Path) -> int:
    """Maintain once and print what became of each table; 1 if something was left as it is."""
    done = keep_lean(load(file))
    table = Table()
    rows = report_rows(done)
    for column in rows[0]:
        table.add_column(column, justify="left" if column == "table" else "right")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    console = Screen()
    console.print(table)
    console.print("rewritten: rows; deleted: older files; packed, log: entries moved and left")
    refused = refusals(done)
    for sentence in refused:
        console.print(f"[bold red]kept[/] {escape(sentence)}", soft_wrap=True)
    console.print(escape(headline(done)))
    return 1 if refused else 0


def keep_lean(config: Config) -> tuple[Tidied, ...]:
    """Tag and seal what landed, maintain, and land the record, sealed as well.

    Raises HeadwaterError; that it failed is recorded too, as far as the lake can be written.
    """
    lake = Lake.open(config.lake, clock=now, redactor=config.redactor())
    try:
        follow(lake, config)
        key = load_key(config.key, origin=config.origin).verifier
        done = maintain(lake, key, keep=config.keep_snapshots)
    except HeadwaterError as error:
        facts = {"error": type(error).__name__}
        leave_record(lake, config, "maintain", outcome=Outcome.ERROR, facts=facts)
        raise
    refused = refusals(done)
    act(
        lake, "maintain", title=f"maintain: {headline(done)}",
        outcome=Outcome.FAILED if refused else Outcome.PASSED,
        facts={"tables": report_rows(done), "kept": refused},
    )  # fmt: skip
    follow(lake, config)
    return done


def report_rows(done: Sequence[Tidied]) -> list[dict[str, object]]:
    """One row a table: its files before and now, rows rewritten, older files deleted, log entries
    packed and those left in the log."""
    return [
        {
            "table": one.table,
            "files": one.files_before,
            "now": one.files_after,
            "rewritten": one.compacted.rows,
            "deleted": one.swept.deleted,
            "freed kB": one.swept.size // 1000,
            "packed": one.packed,
            "log": one.log_entries,
        }
        for one in done
    ]


def refusals(done: Sequence[Tidied]) -> list[str]:
    """What was left as it is, and why."""
    return [sentence for one in done for sentence in one.refused]


def headline(done: Sequence[Tidied]) -> str:
    """What was done, in one sentence."""
    before, after = sum(one.files_before for one in done), sum(one.files_after for one in done)
    deleted, packed = sum(one.swept.deleted for one in done), sum(one.packed for one in done)
    told = f"{before} files became {after}; {deleted} older files deleted, {packed} log entries "
    return told + ("packed" if not refusals(done) else "packed; some files were left as they are")
