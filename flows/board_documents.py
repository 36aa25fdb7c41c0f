"""The documents of the board: what stands, whose approval each waits for, what is no longer so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.model import Attention, DocumentRow
from flows.approvals import Waiting, approvals, refused_approvals, waiting
from flows.config import Config
from flows.document_drift import outdated, rendered_documents, told_documents
from storage.documents import documents
from storage.pages import Connection


@dataclass(frozen=True, slots=True)
class Papers:
    """The rows of the page, and what of documents and approvals needs a person."""

    rows: tuple[DocumentRow, ...]
    attention: tuple[Attention, ...]


def papers(connection: Connection, config: Config, *, past: bool) -> Papers:
    """As of the moment that the connection shows; of a past one, what is no longer so is what had
    landed by then: headwater.toml tells of today only. Raises LakeError."""
    asked = approvals(connection)
    found = told_documents(connection) if past else rendered_documents(connection, config)
    approved = {one.text.item_id: one for one in asked}
    drifts = {one.item_id: one.what for one in found}
    rows = tuple(_row(row, approved.get(row["item_id"]), drifts)
                 for row in documents(connection))  # fmt: skip
    return Papers(rows, (*waiting(asked), *refused_approvals(connection), *outdated(found)))


def _row(
    row: Mapping[str, Any], asked: Waiting | None, drifts: Mapping[str, str]
) -> DocumentRow:  # fmt: skip
    fields = row["fields"]
    flaws = [str(problem) for problem in fields.get("problems", ())]
    return DocumentRow(
        path=row["path"], title=str(fields.get("title") or row["title"]),
        doc_type=str(fields.get("doc_type") or ""), source=row["source"], system=row["system"],
        owner=str(fields.get("owner") or ""), version=str(fields.get("version") or ""),
        reviewed=row["observed_to"], item_id=row["item_id"], flaws="; ".join(flaws),
        approver=str(fields.get("approver") or fields.get("approved_by") or ""),
        waits=asked is not None and not asked.holds,
        approval=asked.sentence if asked else "", rendered=bool(fields.get("rendered")),
        drift=drifts.get(row["item_id"], ""),
    )  # fmt: skip
