"""Audits, findings, corrective action and certification: what stands, what is due, what lacks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.markup import escape

from dashboards.model import Attention, DateRow, RecordRow
from evidence.audits import CALLED, Books, Entry, lacks, majors, next_looks, read_entry, unaudited
from evidence.canonical import plain
from evidence.freshness import Standing
from flows.config import load, now
from flows.judgement import Judged, judge_lake
from flows.moment import Asked, answered
from flows.statements import number_of
from flows.terminal import Screen, Table, for_machines, printable
from storage.engine import ample
from storage.lake import Lake
from storage.pages import Connection, known_items, records

COMING = timedelta(days=92)


def books(connection: Connection, at: datetime) -> Books:
    """What the registers in git say, as of the moment that the connection shows.

    Raises LakeError.
    """
    entries = [read_entry(row) for row in records(connection, *CALLED)]
    known = known_items(connection, {one for entry in entries for one in entry.evidence})
    soa = records(connection, "statement_of_applicability", "soa")
    owners = {number_of(row["id"]): str(row.get("owner") or "") for row in soa}
    return Books(entries, known.__contains__, at, owners)


def audited(connection: Connection, at: datetime) -> Iterator[Attention]:
    """What of audits and certification needs a person. Raises LakeError."""
    for lack in lacks(books(connection, at)):
        yield Attention(lack.severity, lack.sentence, lack.action, item_id=lack.item_id,
                        cause=lack.cause)  # fmt: skip


def calendar(held: Books) -> tuple[DateRow, ...]:
    """What is planned or due and not done, with the days by which a certificate is looked at."""
    open_ = [e for e in held.entries if e.done is None and e.due is not None]
    dated = [DateRow(e.due, e.what.replace("_", " "), e.title, e.who, e.item_id)
             for e in open_ if e.due]  # fmt: skip
    dated += [DateRow(until, "certification", f"{stage}, at the latest", "")
              for until, stage in next_looks(held)]  # fmt: skip
    dated += [DateRow(until, "certification", f"{one.title}: closed, or stage 2 is repeated",
                      one.who, one.item_id)
              for until, one in majors(held) if one.done is None]  # fmt: skip
    return tuple(sorted(dated, key=lambda row: (row.on, row.what, row.title)))


def record_rows(held: Books) -> tuple[RecordRow, ...]:
    """The entries for the board; what is said to be done on a day to come is not done."""
    return tuple(
        RecordRow(e.what, e.id, e.title, e.who, e.due, e.done, stands(e, held.at), e.item_id)
        for e in held.entries
    )


def stands(entry: Entry, at: datetime) -> str:
    """One word for people: late, open or done."""
    if entry.done is not None and entry.done <= at:
        return "done"
    return "late" if entry.overdue(at) else "open"


def show(file: Path, asked: Asked | None, *, as_json: bool) -> int:
    """Print audits, findings, actions and what is due; 3 if something is late or lacks.

    Raises ConfigError, LakeError.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    judged = judge_lake(lake, answered(lake, config, asked))
    with judged.moment.connect(lake, ample()) as connection:
        held = books(connection, judged.at)
    found = [lack for lack in lacks(held) if lack.severity != "due"]
    if as_json:
        print(for_machines(_machine(judged, held)))
    else:
        _print(judged, held)
    return 3 if found else 0


def _asked_of(judged: Judged) -> list[str]:
    """The controls that apply, by number."""
    return [
        control.number for control in judged.catalogue.controls
        if judged.standings[control.id].standing is not Standing.NOT_APPLICABLE
    ]  # fmt: skip


def _machine(judged: Judged, held: Books) -> dict[str, Any]:
    return {
        "as_of": judged.moment.token,
        "entries": [_told(entry) for entry in held.entries],
        "calendar": [{"on": plain(row.on), "what": row.what, "title": row.title, "who": row.who}
                     for row in calendar(held)],
        "not_audited_in_three_years": unaudited(held, _asked_of(judged)),
        "needs": [{"severity": lack.severity, "sentence": lack.sentence, "action": lack.action}
                  for lack in lacks(held)],
    }  # fmt: skip


def _told(entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = plain({name: getattr(entry, name) for name in Entry.__slots__})
    return told


def _print(judged: Judged, held: Books) -> None:
    console = Screen(highlight=False)
    console.print(f"as of {judged.moment.token}", soft_wrap=True)
    if not held.entries:
        console.print("No register of audits, findings or corrective actions is collected: "
                      "docs/registers.md shows them.")  # fmt: skip
        return
    table = Table("", "id", "what", "who", "due", "done")
    for entry in held.entries:
        days = (f"{day:%Y-%m-%d}" if day else "" for day in (entry.due, entry.done))
        cells = (entry.what.replace("_", " "), entry.id, entry.title, entry.who, *days)
        style = "yellow" if entry.overdue(judged.at) else ""
        table.add_row(*(escape(printable(cell)) for cell in cells), style=style)
    console.print(table)
    for row in calendar(held):
        if row.on <= judged.at + COMING:
            line = f"{row.on:%Y-%m-%d}  {row.what}: {row.title}  {row.who}"
            console.print(escape(printable(line)), soft_wrap=True)
    for lack in lacks(held):
        line = f"{lack.severity}: {lack.sentence} {lack.action}"
        console.print(escape(printable(line)), soft_wrap=True)
    missing = unaudited(held, _asked_of(judged))
    if missing:
        console.print(f"no internal audit of three years names {len(missing)} clauses and controls "
                      f"that apply: {', '.join(missing[:12])}{' …' if len(missing) > 12 else ''}",
                      soft_wrap=True)  # fmt: skip
