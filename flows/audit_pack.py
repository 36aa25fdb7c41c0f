"""What one audit looks at as a pack: its controls' evidence, criteria, findings and samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from evidence.audits import Entry
from evidence.canonical import plain
from evidence.excerpt import Excerpt
from flows.audit_scope import AuditScope, criteria, cut, drawn, scope_of
from flows.config import load, now
from flows.judgement import Judged, judge_lake
from flows.moment import Asked, moment
from flows.pack import Say, write
from flows.pack_about import Wanted, control_named, numbers
from flows.pack_missing import Missing
from storage.checkpoints import read_checkpoint
from storage.engine import ample
from storage.lake import Lake


def pack(file: Path, name: str, narrow: Wanted, output: Path, asked: Asked | None, say: Say) -> int:
    """Write the pack of the audit with this id, and of it what `narrow` leaves.

    Raises ConfigError, LakeError.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    seal = asked or Asked(size=read_checkpoint(lake).size)
    judged = judge_lake(lake, moment(lake, config, seal))
    with judged.moment.connect(lake, ample()) as connection:
        scope = scope_of(connection, judged, name)
    return write(file, _wanted(scope, judged, narrow), output, seal, say)


def _wanted(whole: AuditScope, judged: Judged, narrow: Wanted) -> Wanted:
    chosen = {control_named(judged, name).id for name in narrow.controls}
    scope = cut(whole, chosen, narrow.systems)
    shown = Excerpt(tuple(narrow.systems) or None)
    away = [str(one.id) for one in whole.controls if one not in scope.controls]
    records = _gone(whole, scope)
    named = f", only {numbers([str(c.id) for c in scope.controls])}" if away else ""
    lacks = (
        [Missing("withheld", whole.audit.id, f"{numbers(away)} of its controls")] if away else []
    )
    lacks += [Missing("withheld", whole.audit.id, f"{n} of its {what}") for what, n in records]
    return replace(
        narrow,
        controls=[str(control.id) for control in scope.controls], about=scope.sentence + named,
        extra=(
            ("audit", [_told(scope.audit)]), ("criteria", criteria(scope, judged, shown)),
            ("findings", [_told(one) for one in (*scope.findings, *scope.actions)]),
            ("earlier_findings", [_told(one) for one in scope.earlier]),
            ("samples", drawn(scope)),
        ),
        lacks=[*(Missing("audit", scope.audit.id, lack.sentence) for lack in scope.lacks), *lacks],
        narrowed={"of": scope.sentence, "controls": away, "records": dict(records)}
        if narrow.narrows else None,
    )  # fmt: skip


def _gone(whole: AuditScope, scope: AuditScope) -> list[tuple[str, int]]:
    """What of the audit's records is not of what is left, by kind."""
    kinds = ("findings", "actions", "earlier", "samples")
    called = {"earlier": "open findings of other audits"}
    counts = ((one, len(getattr(whole, one)) - len(getattr(scope, one))) for one in kinds)
    return [(called.get(one, one), number) for one, number in counts if number]


def _told(entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = plain({name: getattr(entry, name) for name in Entry.__slots__})
    return {
        name: "; ".join(value) if isinstance(value, list) else value for name, value in told.items()
    }
