"""The requests of auditors as what needs a person, and as days of the calendar."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dashboards.model import Attention, DateRow
from evidence.requests import REGISTERS, SOON, WAITING, Request, read_request
from storage.pages import Connection, records


def asked_of(connection: Connection, at: datetime) -> Iterator[Attention]:
    """What of the requests needs a person: late, soon due, or not to be read. Raises LakeError."""
    for row in records(connection, *REGISTERS):
        one = read_request(row)
        for problem in one.problems:
            yield _need("judgement", one, f"Request {one.id}: {problem}.", "Mend the register.")
        if one.state not in WAITING or one.due is None:
            continue
        told = f"Request {one.id} of {one.asked_by} ({one.text[:120]})"
        by = f"{one.due:%Y-%m-%d} by {one.owner or 'nobody'}"
        if one.overdue(at):
            yield _need("stale", one, f"{told} was due on {by}.", "Answer it.")
        elif one.due <= at + SOON:
            yield _need("due", one, f"{told} is due on {by}.", "Answer it before.")


def _need(severity: str, one: Request, sentence: str, action: str) -> Attention:
    return Attention(
        severity, sentence, action, item_id=one.item_id, cause=f"request {one.id}"
    )  # fmt: skip


def dates(connection: Connection) -> Iterator[DateRow]:
    """The days by which requests wait for an answer. Raises LakeError."""
    for row in records(connection, *REGISTERS):
        one = read_request(row)
        if one.state in WAITING and one.due:
            yield DateRow(one.due, "request", f"{one.id}: {one.text[:120]}", one.owner, one.item_id)
