"""Answer an auditor's SQL in the terminal, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evidence.canonical import plain
from evidence.errors import ConfigError
from flows.config import load, now
from flows.terminal import printable
from mappings.catalogue import load_catalogue
from storage.apart import ask_apart
from storage.lake import Lake
from storage.pages import table_of
from storage.views import Answer

FORMS = ("table", "csv", "json")


def run(file: Path, sql: str, at: datetime | None, form: str) -> int:
    """Print the answer; 0, or 4 when rows were cut off at the limit (told on stderr)."""
    if form not in FORMS:
        raise ConfigError(f"--format {form!r}: choose one of {', '.join(FORMS)}")
    config = load(file)
    Lake.open(config.lake, clock=now)
    answer = ask_apart(
        config.lake, sql, as_of=at, mapping_digest=config.rules().digest,
        dimensions={"controls": controls()},
    )  # fmt: skip
    {"table": _table, "csv": _csv, "json": _json}[form](answer)
    if answer.truncated:
        print(
            f"headwater: cut off after {len(answer.rows)} rows: narrow the question",
            file=sys.stderr,
        )
        return 4
    return 0


def controls() -> Any:
    """The catalogue as a table beside the lake's views, so that ids have titles."""
    rows = [
        {"control": c.id, "number": c.number, "title": c.title, "group_title": c.group_title}
        for c in load_catalogue().controls
    ]
    return table_of(rows)


def _table(answer: Answer) -> None:
    table = Table()
    for name in answer.columns:
        table.add_column(escape(name), overflow="fold")
    for row in answer.rows:
        table.add_row(*(escape(printable(_text(value))) for value in row))
    Console().print(table)


def _csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow([tame(name) for name in answer.columns])
    writer.writerows([tame(_text(value)) for value in row] for row in answer.rows)


def _json(answer: Answer) -> None:
    rows = [dict(zip(answer.columns, (_value(v) for v in row), strict=True)) for row in answer.rows]
    print(json.dumps(rows, indent=2, ensure_ascii=False))


def _value(value: object) -> object:
    try:
        return plain(value)
    except Exception:  # noqa: BLE001  a type of the engine's own, such as an interval
        return str(value)


def _text(value: object) -> str:
    shown = _value(value)
    return "" if shown is None else shown if isinstance(shown, str) else json.dumps(shown)


def tame(text: str) -> str:
    """A spreadsheet would run what begins like a formula: make it plain text."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
