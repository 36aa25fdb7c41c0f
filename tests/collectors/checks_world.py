"""A pull of the collector of check results, and what came of it by suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from collectors.check_results import CheckResults
from evidence.model import Cursor, EvidenceItem
from evidence.runs import PullFacts


def pull(
    folder: Path, cursor: Cursor | None = None, **settings: Any
) -> tuple[list[EvidenceItem], Cursor, PullFacts]:
    (batch,) = CheckResults("checks", folder, **settings).collect(cursor)
    return list(batch.items), batch.cursor, batch.facts


def kind(items: list[EvidenceItem], name: str) -> dict[str, EvidenceItem]:
    return {item.subject: item for item in items if item.kind == f"checks.{name}"}


def outcomes(items: list[EvidenceItem]) -> dict[str, str]:
    return {subject: str(item.outcome) for subject, item in kind(items, "result").items()}


def payload(item: EvidenceItem) -> dict[str, Any]:
    return dict(json.loads(item.content))


def edit(path: Path, change: Any) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
