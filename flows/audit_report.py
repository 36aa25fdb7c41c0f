"""The plan and report of one audit (9.2) from what is known: to fill in and commit, or to print."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dashboards.links import OneFile
from dashboards.pages.page import Head, Page
from dashboards.render import render_page
from dashboards.tables import Cell, Code, Table, Word
from evidence.audits import covered
from flows.audit_scope import AuditScope, criteria, drawn, scope_of
from flows.audits import stands
from flows.config import load, now
from flows.draft_file import hand_over
from flows.judgement import Judged, judge_lake
from flows.moment import Asked, answered
from flows.pack_missing import one_line
from flows.review import checked_form, entry_line, verdict_line
from mappings.controls import Control
from mappings.guide import load_guide
from storage.engine import ample
from storage.lake import Lake

HEAD = """\
---
draft: true
# Take `draft` out once every FILL IN is replaced and the approver has read it: until then it counts
# for nothing. Put findings into registers/findings.yaml, and name its item in the audit's record.
title: {named}
doc_type: internal_audit
owner: FILL IN a name
approver: FILL IN a name, not the owner's
version: "1.0"
reviewed: FILL IN YYYY-MM-DD
---
# Audit {id}: {title}

{organisation}, {shown}.

## Plan

- Auditor: {who}
- Planned: {planned}, performed: {performed}
- Criteria: ISO/IEC 42001, {names}; FILL IN what else is audited against, such as own policies
- FILL IN who is asked, where, and how
"""
TAIL = """\
## Conclusion

FILL IN what the audit concludes of what it looked at, and what it could not look at.
"""
FILL = "FILL IN what was looked at, who was asked, and what was found."
LINES = ("Conclusion", "Findings raised", "Asked", "Auditor, on")
LEAD = (
    "What is asked of each audited control, where it stands, what was sampled and what is open. It "
    "is a beginning: the auditor looks, asks, concludes and signs."
)


def write(file: Path, name: str, output: Path | None, asked: Asked | None, form: str) -> int:
    """Print the document, or write it to a new file; 0. Raises ConfigError, LakeError."""
    checked_form(form)
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    judged = judge_lake(lake, answered(lake, config, asked))
    with judged.moment.connect(lake, ample()) as connection:
        scope = scope_of(connection, judged, name)
    if form == "html":
        page = printed(scope, judged, config.organisation)
        return hand_over(render_page(page, OneFile(())), output, "to print and to sign")
    told = "a draft; fill it in, commit it where documents are collected"
    return hand_over(document(scope, judged, config.organisation), output, told)


def document(scope: AuditScope, judged: Judged, organisation: str) -> str:
    """All of it as Markdown."""
    one = scope.audit
    head = HEAD.format(
        named=json.dumps(f"Audit {one.id}"), id=one_line(one.id), title=one_line(one.title),
        organisation=one_line(organisation),
        shown=judged.moment.sentence(judged.digest), who=one_line(one.who or "FILL IN a name"),
        planned=_day(one.due), performed=_day(one.done), names=one_line(", ".join(one.controls)),
    )  # fmt: skip
    found = (*scope.findings, *scope.actions)
    lacks = (f"- {one_line(lack.sentence)} {lack.action}" for lack in scope.lacks)
    parts = [
        head, *_part("What the records lack", lacks),
        *(line for control in scope.controls for line in _control(control, scope, judged)),
        *_part("Samples", (_sample(row) for row in drawn(scope)), "None was drawn."),
        *_part("Findings", (f"- {entry_line(e, judged.at)}" for e in found),
               "None is recorded. FILL IN each as a record of the register `findings`."),
        TAIL,
    ]  # fmt: skip
    return "\n".join(parts)


def _part(title: str, lines: Iterable[str], empty: str = "") -> Iterator[str]:
    """A heading with its lines; without any what is said instead, or nothing."""
    told = list(lines) or ([empty] if empty else [])
    yield from (f"## {title}\n", *told, "") if told else ()


def _control(control: Control, scope: AuditScope, judged: Judged) -> Iterator[str]:
    stood, guide = judged.standings[control.id], load_guide()
    yield f"## {control.number} {control.title}\n"
    yield f"- Asked, in our words: {control.summary}"
    if sought := guide.sought(control):
        yield f"- Auditors look for: {sought}"
    yield f"- Stands: {stood.standing.value}; {one_line(stood.why)}"
    yield from (f"  - {verdict_line(verdict)}" for verdict in stood.verdicts)
    earlier = (one for one in scope.earlier if covered(control.number, one.controls))
    yield from (f"- Open from before: {entry_line(one, judged.at)}" for one in earlier)
    yield f"\n{FILL}\n"


def _sample(row: Mapping[str, Any]) -> str:
    seed, by = repr(row["seed"]), row["by"]
    told = f"{row['control']}: {row['drawn']} of {row['of']} items by seed {seed}, drawn by {by}"
    return f"- {one_line(told)} at {row['at']}, population {row['population_sha256']}"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "FILL IN YYYY-MM-DD"


def _date(moment: datetime | None) -> date | None:
    return moment and moment.date()


def printed(scope: AuditScope, judged: Judged, organisation: str) -> Page:
    """The same to print and to fill in by hand."""
    one, at = scope.audit, judged.at
    plan: list[tuple[str, Cell]] = [
        ("Auditor", one.who), ("Planned", _date(one.due)), ("Performed", _date(one.done)),
        ("Criteria", f"ISO/IEC 42001, {', '.join(one.controls)}"),
        ("Judged", judged.moment.sentence(judged.digest)),
        *(("Lacks", f"{lack.sentence} {lack.action}") for lack in scope.lacks),
    ]  # fmt: skip
    asked: list[tuple[Cell, ...]] = [
        (row["control"], row["title"], row["asks"], Word(row["standing"]), row["why"], row["owner"])
        for row in criteria(scope, judged)
    ]
    found: list[tuple[Cell, ...]] = [
        (control.number, Code(v.evidence), v.system or "Organisation",
         Word("failed" if v.failed else v.state.value), v.why, Code(v.item_id[:12]))
        for control in scope.controls for v in judged.standings[control.id].verdicts
    ]  # fmt: skip
    records: list[tuple[Cell, ...]] = [
        (e.id, e.title, e.what.replace("_", " "), e.grade or None, e.who or None, _date(e.due),
         _date(e.done), stands(e, at))
        for e in (*scope.findings, *scope.actions, *scope.earlier)
    ]  # fmt: skip
    drew: list[tuple[Cell, ...]] = [
        (row["control"], row["drawn"], row["of"], row["seed"], row["by"], row["at"])
        for row in drawn(scope)
    ]
    tables = (
        _table("plan", "Plan", ("what", "told"), plan, ""),
        _table("criteria", "Criteria", ("control", "title", "asks", "stands", "why", "owner"),
               asked, "No clause or control."),
        _table("evidence", "Evidence", ("control", "evidence", "of", "state", "why", "item"), found,
               "None is asked for."),
        _table("samples", "Samples", ("control", "drawn", "of", "seed", "by", "at"), drew,
               "None was drawn."),
        _table("findings", "Findings and actions of this audit, and open ones of others",
               ("record", "title", "register", "grade", "by", "due", "closed", "stands"), records,
               "None is recorded."),
    )  # fmt: skip
    head = Head(organisation, judged.at, shown=judged.moment.token)
    return Page(head, f"Audit {one.id}: {one.title}", LEAD, "report.html", tables,
                values={"signing": "Filled in by the auditor", "lines": LINES})  # fmt: skip


def _table(
    name: str, title: str, columns: tuple[str, ...], rows: Sequence[tuple[Cell, ...]], empty: str
) -> Table:
    return Table(name, title, columns, tuple(rows), empty, len(rows))
