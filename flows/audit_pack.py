"""What one audit looks at as a pack: its controls' evidence, criteria, findings and samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evidence.audits import Entry
from evidence.canonical import plain
from flows.audit_scope import AuditScope, criteria, drawn, scope_of
from flows.config import load, now
from flows.judgement import Judged, judge_lake
from flows.moment import Asked, moment
from flows.pack import Say, write
from flows.pack_about import Wanted
from flows.pack_missing import Missing
from storage.checkpoints import read_checkpoint
from storage.engine import ample
from storage.lake import Lake


def pack(file: Path, name: str, output: Path, asked: Asked | None, say: Say) -> int:
    """Write the pack of the audit with this id. Raises ConfigError, LakeError."""
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    seal = asked or Asked(size=read_checkpoint(lake).size)
    judged = judge_lake(lake, moment(lake, config, seal))
    with judged.moment.connect(lake, ample()) as connection:
        scope = scope_of(connection, judged, name)
    return write(file, _wanted(scope, judged), output, seal, say)


def _wanted(scope: AuditScope, judged: Judged) -> Wanted:
    return Wanted(
        controls=[str(control.id) for control in scope.controls], about=scope.sentence,
        extra=(
            ("audit", [_told(scope.audit)]), ("criteria", criteria(scope, judged)),
            ("findings", [_told(one) for one in (*scope.findings, *scope.actions)]),
            ("earlier_findings", [_told(one) for one in scope.earlier]),
            ("samples", drawn(scope)),
        ),
        lacks=[Missing("audit", scope.audit.id, lack.sentence) for lack in scope.lacks],
    )  # fmt: skip


def _told(entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = plain({name: getattr(entry, name) for name in Entry.__slots__})
    return {
        name: "; ".join(value) if isinstance(value, list) else value for name, value in told.items()
    }
