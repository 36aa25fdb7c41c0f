"""Answer an auditor's SQL in the terminal, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape

from dashboards.answers import Named
from dashboards.text import tame
from evidence.canonical import canonical, digest, plain
from evidence.errors import ConfigError
from evidence.sampling import population_digest
from flows.config import load, now
from flows.given import given
from flows.moment import Asked, moment, told_untagged
from flows.terminal import Screen, Table, for_machines, printable
from mappings.questions import load_questions
from storage.apart import ask_apart
from storage.lake import Lake
from storage.views import Answer

FORMS = ("table", "csv", "json")


@dataclass(frozen=True, slots=True)
class ToAsk:
    """One SELECT with its values; `name` and `empty` where it is a saved question."""

    sql: str
    values: Mapping[str, object] = field(default_factory=dict)
    name: str = ""
    empty: str = ""


def asked_for(file: Path, sql: str, saved: str, given: Sequence[str]) -> ToAsk:
    """What the command line asks for: a SELECT, or a saved question. Raises ConfigError."""
    if bool(sql) == bool(saved):
        raise ConfigError("write one SELECT, or --saved NAME (--list shows them)")
    if not saved:
        if given:
            raise ConfigError("--with fills in a saved question; write values into your own")
        return ToAsk(sql)
    questions = load_questions(load(file).own_questions)
    if saved not in questions:
        raise ConfigError(f"--saved {saved!r}: there is none; known: {', '.join(questions)}")
    question = questions[saved]
    pairs = dict(_pair(text) for text in given)
    return ToAsk(question.sql, question.values(pairs), saved, question.empty)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--with {text!r}: write NAME=VALUE")
    return name.strip(), value


def list_saved(file: Path) -> int:
    """Print the saved questions, with what each wants; 0. Raises MappingError."""
    table = Table("question", "what it shows", "--with")
    for question in load_questions(load(file).own_questions).values():
        wants = (
            f"{p.name}={p.default if p.default is not None else '…'} ({p.what})"
            for p in question.parameters
        )
        table.add_row(escape(question.name), escape(question.title), escape("\n".join(wants)))
    Screen().print(table)
    return 0


def run(file: Path, question: ToAsk, asked: Asked | None, form: str) -> int:
    """Print the answer; 0, or 4 when rows were cut off at the limit (told on stderr).

    What items the rows name comes on stderr with their digest; with `asked` also what was asked of
    and the digest of the rows.
    """
    if form not in FORMS:
        raise ConfigError(f"--format {form!r}: choose one of {', '.join(FORMS)}")
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    shown = told_untagged(lake, moment(lake, config, asked))
    views = shown.views() if asked else {"mapping_digest": shown.mapping.rules.digest}
    beside = given(lake, shown, question.sql)
    answer = ask_apart(config.lake, question.sql, question.values, **views, dimensions=beside)
    {"table": _table, "csv": _csv, "json": _json}[form](answer)
    if question.empty and not answer.rows:
        print(f"headwater: {question.empty}", file=sys.stderr)
    for note in shown.notes:
        print(f"headwater: {note}", file=sys.stderr)
    if named := named_items(answer):
        print(f"headwater: {named.sentence}", file=sys.stderr)
    if asked:
        print(f"headwater: {shown.sentence(rows_digest(answer))}", file=sys.stderr)
    if answer.truncated:
        print(
            f"headwater: cut off after {len(answer.rows)} rows: narrow the question",
            file=sys.stderr,
        )
        return 4
    return 0


def rows_digest(answer: Answer) -> str:
    """SHA-256 over the columns and the rows, whatever their order; none where rows were cut off."""
    if answer.truncated:
        return "has no digest: it was cut off"
    rows = sorted(canonical([json_value(value) for value in row]).decode() for row in answer.rows)
    return digest({"columns": list(answer.columns), "rows": rows})


def named_items(answer: Answer) -> Named | None:
    """The items that the rows name in their column `item_id`, as `headwater sample` digests what it
    draws from.

    None where there is no such column, or several; where a row names none; and where rows were cut
    off: what is known of some would pass for all.
    """
    if answer.truncated or answer.columns.count("item_id") != 1:
        return None
    values = answer.arrow.column("item_id").to_pylist()
    ids = [one for one in values if isinstance(one, str)]
    if len(ids) < len(values):
        return None
    return Named(len(set(ids)), population_digest(ids))


def _table(answer: Answer) -> None:
    table = Table()
    for name in answer.columns:
        table.add_column(escape(name), overflow="fold")
    for row in answer.rows:
        table.add_row(*(escape(printable(_text(value))) for value in row))
    Screen().print(table)


def _csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow([tame(name) for name in answer.columns])
    writer.writerows([tame(_text(value)) for value in row] for row in answer.rows)


def _json(answer: Answer) -> None:
    rows = [
        dict(zip(answer.columns, (json_value(v) for v in row), strict=True)) for row in answer.rows
    ]
    print(for_machines(rows))


def json_value(value: object) -> object:
    """A value of an answer as JSON has it."""
    if parts := getattr(value, "_fields", ()):  # a span of time: months, days and nanoseconds
        return " ".join(f"{getattr(value, name)} {name}" for name in parts)
    try:
        return plain(value)
    except Exception:  # noqa: BLE001  a type of the engine's own, such as an interval
        return str(value)


def _text(value: object) -> str:
    shown = json_value(value)
    return "" if shown is None else shown if isinstance(shown, str) else json.dumps(shown)
