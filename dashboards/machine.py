"""The board for programs: the counts, standings and sentences of the page, as JSON values."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from dashboards import summary
from dashboards.model import Board, ControlRow, FrameworkRow, SourceRow
from evidence.freshness import Verdict
from evidence.times import stamp

FORM = "headwater.board/1"


def as_json(board: Board) -> dict[str, Any]:
    """JSON-like values; times are `YYYY-MM-DDTHH:MM:SS.ffffffZ` or null,
    spans are seconds. Items are left to
    `/items/{id}`."""
    return {
        "form": FORM,
        "organisation": board.organisation,
        "as_of": stamp(board.as_of),
        "built_at": stamp(board.built_at),
        "next_expiry": _stamp(summary.next_expiry(board)),
        "headline": summary.headline(board),
        "excerpt": board.excerpt,
        "late": board.late,
        "parts": [
            {"name": part.name, "total": part.total, "counts": dict(part.counts)}
            for part in summary.parts(board)
        ],
        "attention": [asdict(a) for u in summary.urgencies(board) for a in u.entries],
        "systems": [asdict(system) for system in board.systems],
        "controls": [_control(row) for row in board.controls],
        "sources": [_source(source) for source in board.sources],
        "documents": [_plain(asdict(row)) for row in board.documents],
        "queue": [_plain(asdict(row)) for row in board.queue],
        "context": [asdict(row) for row in board.context],
        "frameworks": [_framework(framework) for framework in board.frameworks],
        "lake": asdict(board.lake),
    }


def _control(row: ControlRow) -> dict[str, Any]:
    return {
        "control": row.control,
        "framework": row.framework,
        "number": row.number,
        "title": row.title,
        "standing": row.standing.standing.value,
        "why": row.standing.why,
        "in_date": row.standing.in_date,
        "expected": row.standing.expected,
        "due": row.standing.due,
        "attestation_needed": row.attestation_needed,
        "overrides": [one.told for one in row.overrides],
        "overridden": row.standing.overridden,
        "verdicts": [_verdict(verdict) for verdict in row.standing.verdicts],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "evidence": verdict.evidence,
        "system": verdict.system,
        "state": verdict.state.value,
        "failed": verdict.failed,
        "why": verdict.why,
        "newest": _stamp(verdict.newest),
        "fresh_until": _stamp(verdict.fresh_until),
        "item_id": verdict.item_id,
        "source": verdict.source,
        "count": verdict.count,
        "overridden": list(verdict.overridden),
        "periods": [
            {"due": stamp(one.period.due), "kept": one.kept.value, "known": _stamp(one.known)}
            for one in verdict.history
        ],
        "continuity": told_continuity(verdict),
    }


def told_continuity(verdict: Verdict) -> dict[str, Any] | None:
    """The gaps by the age limit, and in how many months there was none; None without a history."""
    told = verdict.continuity
    return None if told is None else _plain(asdict(told))


def _framework(framework: FrameworkRow) -> dict[str, Any]:
    told: dict[str, Any] = _plain(asdict(framework))
    return told | {"counts": summary.reaches(framework), "total": len(framework.requirements)}


def _source(source: SourceRow) -> dict[str, Any]:
    told: dict[str, Any] = _plain(asdict(source))
    return told


def _plain(value: Any) -> Any:
    """Times as text, spans in seconds."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    return stamp(value) if isinstance(value, datetime) else value


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)
