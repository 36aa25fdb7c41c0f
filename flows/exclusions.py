"""Controls that the Statement of Applicability leaves out since a short while, by whom and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from dashboards.model import Attention
from flows.judgement import Judged, excluded
from storage.pages import Connection, item_rows

TOLD_FOR = timedelta(days=30)
AGREE = "See that who answers for the control agrees; nothing is asked of it from now on."


def left_out(connection: Connection, judged: Judged) -> Iterator[Attention]:
    """A sentence for each control that asks for nothing any more, as long as that is new.

    What failed there is told on its own, and stays.
    """
    soa = {number: row for number, row in judged.soa.items() if excluded(row)}
    landed = _landed(connection, soa)
    for control in judged.catalogue.controls:
        row = soa.get(control.number)
        if row is None or control.kind == "clause":
            continue
        at = landed.get(row["item_id"])
        if at is not None and at > judged.at - TOLD_FOR:
            yield Attention(
                "judgement", f"{control.number} {control.title} is left out of the Statement of "
                f"Applicability{_by(row)}, since {at:%Y-%m-%d}: {excluded(row)}.", AGREE,
                control=control.id, item_id=row["item_id"], cause=f"left out {control.id}",
            )  # fmt: skip


def _landed(connection: Connection, soa: Mapping[str, Mapping[str, Any]]) -> Mapping[str, datetime]:
    rows = item_rows(connection, [row["item_id"] for row in soa.values()]) if soa else ()
    return {row["item_id"]: row["landed_at"] for row in rows}


def _by(row: Mapping[str, Any]) -> str:
    return f" by {row['author']}" if row.get("author") else ""
