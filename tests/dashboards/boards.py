"""Boards as flows/ would assemble them, judged by the real rules: the true size, empty, hostile."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from dashboards.detail import (
    AskRow,
    BrokenRow,
    Changes,
    ControlFacts,
    CrossRow,
    EndRow,
    FoundRow,
    LandedRow,
    Life,
    MovedRow,
    NodeRow,
    Past,
    Point,
    VersionRow,
    WaiverRow,
)
from dashboards.model import (
    AttemptRow,
    Attention,
    Board,
    ContextRow,
    ControlRow,
    DocumentRow,
    FrameworkRow,
    ItemPage,
    LakeFacts,
    OverrideRow,
    QueueRow,
    RecordRow,
    RequirementRow,
    SourceRow,
    SystemRow,
    TagRow,
)
from dashboards.reads import Reads
from evidence.freshness import Attestation, Expectation, Scope, Sighting, Verdict, judge, stand
from evidence.model import ControlId, EvidenceItem, Nature, Outcome
from evidence.runs import Total

NOW = datetime(2026, 11, 23, 19, 43, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>\u202egnp.exe\x1b[31m red\nnew line "
    "'\" onload=x " + "W" * 400 + "\ud800" + "e" + "\u0301" * 50
)
SYSTEMS = (
    SystemRow("", "Organisation"),
    SystemRow("credit-scoring", "Credit scoring", "Ines Vidal", "high", "in use"),
    SystemRow("churn-predictor", "Churn predictor", "Tom Okafor", "limited", "in use"),
    SystemRow("ticket-triage", "Ticket triage", "Mei Tan", "minimal", "pilot"),
)
NAMES = ("credit-scoring", "churn-predictor", "ticket-triage")

# evidence kind: source, native kind, per system?, age limit in days, days since it was seen
COLLECTED: dict[str, tuple[str, str, bool, int, int]] = {
    "ai_inventory": ("registers", "git.register", False, 90, 12),
    "policy": ("registers", "git.document", False, 365, 420),
    "policy_review": ("registers", "git.document", False, 365, 340),
    "risk_register": ("registers", "git.register", False, 90, 30),
    "risk_method": ("registers", "git.document", False, 365, 100),
    "soa": ("registers", "git.document", False, 365, 61),
    "objectives": ("registers", "git.register", False, 90, 86),
    "roles_register": ("registers", "git.register", False, 180, 44),
    "procedure": ("registers", "git.document", False, 365, 200),
    "mlflow_run": ("mlflow", "mlflow.run", True, 365, 9),
    "mlflow_registry": ("mlflow", "mlflow.model_version", True, 1, 0),
    "mlflow_dataset": ("mlflow", "mlflow.dataset", True, 365, 9),
    "mlflow_evaluation": ("mlflow", "mlflow.evaluation", True, 90, 20),
    "mlflow_promotion": ("mlflow", "mlflow.model_alias", True, 365, 5),
    "fairness_report": ("mlflow", "mlflow.evaluation", True, 90, 97),
    "dq_validation": ("quality", "gx.validation_result", True, 7, 2),
    "dq_suite": ("quality", "gx.expectation_suite", True, 365, 0),
    "code_review": ("github", "github.pull_request", True, 90, 6),
    "branch_protection": ("github", "github.ruleset", False, 1, 0),
    "change_request": ("jira", "jira.issue", True, 90, 11),
    "approval_ticket": ("jira", "ticket.approval", True, 365, 14),
    "incident_ticket": ("jira", "jira.issue", False, 30, 4),
    "risk_ticket": ("jira", "jira.issue", False, 90, 18),
    "capa_ticket": ("jira", "jira.issue", False, 30, 8),
    "management_review": ("registers", "git.document", False, 365, 122),
    "impact_assessment": ("registers", "git.document", True, 365, 70),
    "impact_process": ("registers", "git.document", False, 365, 90),
    "treatment_plan": ("registers", "git.register", False, 90, 40),
    "data_register": ("registers", "git.register", False, 180, 25),
    "doc_control": ("github", "git.history", False, 1, 0),
    "deployment_event": ("cloudtrail", "aws.cloudtrail", True, 90, 5),
    "trail_config": ("cloudtrail", "aws.cloudtrail", False, 1, 4),
    "cloudtrail_events": ("cloudtrail", "aws.cloudtrail", False, 30, 4),
}
DEAD = NOW - timedelta(days=4, hours=7)
FAILING = {
    ("A.6.2.5", "deployment_event", "churn-predictor"): (
        "churn version 7 went live on 2026-11-18 and no change request approves it"
    ),
    ("A.6.1.3", "code_review", "credit-scoring"): "pull request 184 was approved by its own author",
    ("A.7.6", "dq_validation", "ticket-triage"): "2 of 14 checks failed on batch 2026-11-21",
}
OVERTAKEN = {("mlflow_evaluation", "credit-scoring"): NOW - timedelta(days=3)}
SIGNED = {"5.3", "6.1.1", "6.1.2", "6.1.3", "9.3.1", "A.2.4", "A.5.2"}
ASKED = 3
EXCLUDED = {"A.10.4": "no customer receives an AI system; Statement of Applicability of 2026-09-23"}


def demo_board() -> Board:
    """70 clauses and controls, 3 systems, six sources of which one is dead."""
    controls: list[ControlRow] = []
    items: dict[str, ItemPage] = {}
    evidence: dict[str, tuple[str, ...]] = {}
    for number, title, group, sign, kinds in _catalogue():
        pages = [p for kind in kinds for p in _pages(number, kind)]
        items |= {page.item_id: page for page in pages}
        evidence[f"iso42001:{number}"] = tuple(page.item_id for page in pages[:6])
        controls.append(_control(number, title, group, sign, kinds))
    return Board(
        organisation="Brookside Lending", as_of=NOW, built_at=NOW + timedelta(minutes=2),
        controls=tuple(controls), systems=SYSTEMS, sources=_sources(),
        attention=_attention(controls), lake=_lake(), evidence=evidence, items=items,
        evidence_total={"iso42001:A.6.2.5": 41}, queue=_queue(items), context=CONTEXT,
        frameworks=_frameworks(), documents=DOCUMENTS,
    )  # fmt: skip


def empty_board() -> Board:
    """The first minute: nothing configured, nothing landed."""
    lake = LakeFacts(0, 0, None, "", "", 0, "")
    return Board("Brookside Lending", NOW, NOW, (), (), (), (), lake)


def hostile_board() -> Board:
    """Every text that can come from outside is an attack."""
    board = demo_board()
    item = dataclasses.replace(
        next(iter(board.items.values())),
        title=HOSTILE, subject=HOSTILE, actor=HOSTILE, source=HOSTILE, kind=HOSTILE, system=HOSTILE,
        locator="javascript:alert(1)",
        payload=orjson.dumps({"k": HOSTILE.replace("\ud800", "")}).decode(),
        tags=(TagRow(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),), context=(HOSTILE,),
    )  # fmt: skip
    row = board.controls[0]
    verdict = dataclasses.replace(row.standing.verdicts[0], why=HOSTILE, source=HOSTILE)
    bad = dataclasses.replace(
        row, title=HOSTILE, group=HOSTILE, summary=HOSTILE, owner=HOSTILE,
        overrides=(OverrideRow(HOSTILE),), attestation_needed=HOSTILE,
        standing=dataclasses.replace(row.standing, why=HOSTILE, verdicts=(verdict,)),
    )  # fmt: skip
    source = SourceRow(
        HOSTILE, HOSTILE, HOSTILE, NOW, None, 3, HOSTILE, (HOSTILE,), schedule=HOSTILE,
        identity=HOSTILE, query=HOSTILE, totals=(Total(HOSTILE, 2, 1),), lacking=(HOSTILE,),
        attempts=(AttemptRow(NOW, timedelta(0), HOSTILE, 1, 1, why=(HOSTILE,)),),
    )  # fmt: skip
    alarm = Attention(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    return dataclasses.replace(
        board, organisation=HOSTILE, controls=(bad, *board.controls[1:]),
        sources=(source, *board.sources), attention=(alarm, *board.attention),
        systems=(*SYSTEMS, SystemRow(HOSTILE, HOSTILE)), items={item.item_id: item},
        evidence={row.control: (item.item_id,)},
        queue=(QueueRow(HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE, NOW, HOSTILE, HOSTILE),),
        context=(ContextRow(HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE),),
        frameworks=(FrameworkRow(HOSTILE, HOSTILE, HOSTILE, (
            RequirementRow(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), (HOSTILE,), HOSTILE),
        ), 1, 0),),
        documents=(
            DocumentRow(*[HOSTILE] * 8, NOW, HOSTILE, HOSTILE, HOSTILE, True, True, HOSTILE),
        ),
        records=(RecordRow("decisions", HOSTILE, HOSTILE, HOSTILE, NOW, None, "open", HOSTILE),),
    )  # fmt: skip


CONTEXT = (
    ContextRow("register-row", "A row of a register that speaks as a whole.", 90, "git.register",
               "2d" * 32, "risk_register R-01"),
)  # fmt: skip


_PAPER = DocumentRow(
    "documents/aims/ai-policy.md", "AI policy", "ai_policy", "registers", "", "Ann Okafor",
    "Mara Ito", "1.2", NOW, "3e" * 32, rendered=True,
)  # fmt: skip
DOCUMENTS = (
    _PAPER,
    dataclasses.replace(_PAPER, title="Scope", path="documents/aims/scope.md", rendered=False),
    dataclasses.replace(
        _PAPER, title="Use of AI", path="documents/aims/use-policy.md", waits=True,
        approval="approved by 1 of 2 (Mara Ito); it waits for Ben Lindqvist",
    ),
    dataclasses.replace(
        _PAPER, title="Logging", path="documents/aims/logging.md",
        drift="sources cloudtrail schedule was “20 * * * *”, is nothing (+2 more)",
    ),
    dataclasses.replace(_PAPER, title="Roles", path="documents/aims/roles.md",
                        flaws="still to fill in: the text"),
    dataclasses.replace(_PAPER, title="Terms", path="documents/aims/terms.md", rendered=False,
                        approval="approved by 2 of 2 (Mara Ito, Ben Lindqvist)"),
)  # fmt: skip


def reads_of(board: Board) -> Reads:
    """Pages of this board, whatever moment is asked for."""
    said = HOSTILE if board.organisation == HOSTILE else "said"
    return Reads(
        board=lambda _as_of: board,
        items=lambda _ids, _as_of: board.items,
        versions=lambda ids, _as_of: {i: _versions(board, i) for i in ids if i in board.items},
        proof=lambda item_id, _as_of: (f"proof\n{said}", "") if item_id[0] > "7" else ("", said),
        control=lambda _control, _as_of: _control_facts(said),
        found=lambda control, first, most, _as_of: _found(board, control)[first : first + most],
        lives=lambda _as_of: {row.system: _life(board, said) for row in board.systems},
        past=lambda _as_of: _past(board),
        changes=lambda since, _as_of: _changes(board, since, said),
        ends=lambda _as_of: (EndRow(NOW.date() + timedelta(days=9), "law", said),
                             EndRow(NOW.date(), said, said, "iso42001:5.3", said)),
    )  # fmt: skip


def cut_reads_of(board: Board) -> Reads:
    """Pages of a board that was cut: nobody answers what speaks of the whole."""
    return dataclasses.replace(
        reads_of(board), lives=lambda _as_of: None, past=lambda _as_of: None,
        ends=lambda _as_of: None,
        control=lambda _control, _as_of: dataclasses.replace(_control_facts("said"), waivers=None),
    )  # fmt: skip


def _versions(board: Board, item_id: str) -> tuple[VersionRow, ...]:
    item = board.items[item_id]
    now = VersionRow(item_id, item.change, item.outcome, item.title, item.observed_to, NOW)
    older = dataclasses.replace(now, item_id="ab" * 32, landed_at=NOW - timedelta(days=40))
    return now, older


def _control_facts(said: str) -> ControlFacts:
    return ControlFacts(
        guidance=said, documents=(said,), laws=(said,), kept=(said,),
        asks=(AskRow(said, "each AI system", said, said, (said,), (said,), said),),
        waivers=(WaiverRow(said, said, NOW, NOW + timedelta(days=30), said, said, "0e" * 32),),
        crosswalk=(
            CrossRow("eu-ai-act-2024-1689", said, said, "subset-of", "high", (said,)),
            CrossRow(said, said, said, "equal-to", "low", (), said, NOW.date(), said),
        ),
    )  # fmt: skip


def _found(board: Board, control: str) -> list[FoundRow]:
    shown = [board.items[i] for i in board.evidence.get(control, ()) if i in board.items]
    times = board.evidence_total.get(control, 0) // len(shown) + 1 if shown else 0
    rows = [
        FoundRow(item.item_id, item.source, item.kind, item.system, item.subject, item.title,
                 item.outcome, item.observed_to, item.landed_at, ("mlflow_run",))
        for item in shown * times
    ]  # fmt: skip
    return rows[: board.evidence_total.get(control, len(shown))]


def _life(board: Board, said: str) -> Life:
    item = next(iter(board.items), "")
    stages = {"risk": 1, "treatment": 0, "model version": 9, "approval": 3, "monitoring": 0}
    return Life(
        stages, (NodeRow("risk", said, NOW, said, "failed", item),
                 NodeRow("model version", said, None, "", "", "")),
        (BrokenRow("risk-without-treatment", "risk", said, "treatment", said, item),),
    )  # fmt: skip


def _past(board: Board) -> Past:
    words = [row.standing.standing.value for row in board.controls]
    of, month = len(words), timedelta(days=30)
    points = tuple(
        Point(NOW - month * n, {word: words[n:].count(word) for word in {*words}}, of)
        for n in reversed(range(6 if words else 0))
    )
    stood = {row.control: "missing" for row in board.controls[1:]}
    return Past(points, month, NOW - timedelta(days=7), stood)


def _changes(board: Board, since: str, said: str) -> Changes:
    moved = (
        MovedRow("iso42001:5.3", "iso42001:5.3", "proved", "failed", said, True),
        MovedRow(said, "", "stale", "fresh", said, False),
    )
    landed = (LandedRow(said, said, 12, 3, 0, 1),)
    until = board.lake.shown or "2026-11-23T19:43:00.000000Z"
    return Changes(since or said, until, moved, moved, landed, (said,), (said,), (said,), (said,))


def _queue(items: dict[str, ItemPage]) -> tuple[QueueRow, ...]:
    shown = next(iter(items.values()))
    return (
        QueueRow("acme.minutes", 84, "0f" * 32, "Minutes of 14 November", "minutes", NOW),
        QueueRow(shown.kind, 12, shown.item_id, shown.title, shown.source, NOW),
        QueueRow("jira.issue", 3, "1e" * 32, "AI-204", "", None, "capa_ticket, risk_ticket",
                 "jira-capa, jira-risk"),
    )  # fmt: skip


def _frameworks() -> tuple[FrameworkRow, ...]:
    requirements = (
        RequirementRow("Art. 9(1)", "Risk management", "whole", ("iso42001:6.1.2",)),
        RequirementRow("Art. 9(2)", "Risk management", "part", ("iso42001:6.1.3",), (),
                       "has a part in common with it: 6.1.3; what else it asks is not shown"),
        RequirementRow("Art. 12(1)", "Records", "open", (), ("iso42001:A.6.2.5",),
                       "failed: A.6.2.5; what else it asks is not shown"),
    )  # fmt: skip
    return (FrameworkRow("eu-ai-act-2024-1689", "Regulation (EU) 2024/1689", "12 July 2024",
                         requirements, 57, 4),)  # fmt: skip


def _catalogue() -> Iterator[tuple[str, str, str, bool, list[str]]]:
    group = ""
    lines = (Path(__file__).parent / "catalogue.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("# "):
            group = line[2:]
            continue
        number, title, sign, kinds = line.split(" | ")
        yield number, title, group, sign == "sign", kinds.split()[:ASKED]


def _control(number: str, title: str, group: str, sign: bool, kinds: list[str]) -> ControlRow:
    control = ControlId(f"iso42001:{number}")
    signed = Attestation(control, "Ines Vidal", NOW - timedelta(days=30), NOW + timedelta(days=335))
    standing = stand(
        control, [v for kind in kinds for v in _verdicts(number, kind)], NOW,
        attestation=signed if number in SIGNED else None, attestation_needed=sign,
        excluded=EXCLUDED.get(number, ""),
    )  # fmt: skip
    return ControlRow(
        control=control, framework="iso42001", number=number, title=title, group=group,
        summary=f"Keep what shows that “{title.lower()}” is done, and by whom it was decided.",
        standing=standing, owner="Ines Vidal" if sign else "",
        attestation_needed="the owner states that the record is complete and true." if sign else "",
        overrides=(OverrideRow("mlflow_evaluation: 90 instead of 180 days, because monthly"),)
        if number == "A.6.2.4" else (),
    )  # fmt: skip


def _verdicts(number: str, kind: str) -> list[Verdict]:
    source, native, per_system, days, _ = COLLECTED.get(kind, ("", "git.document", False, 365, 0))
    expectation = Expectation(
        ControlId(f"iso42001:{number}"), kind, Scope.SYSTEM if per_system else Scope.ORGANISATION,
        max_age=timedelta(days=days), warn_before=timedelta(days=days) / 10,
        stale_on=("new_model_version",), source_types=(native,),
    )  # fmt: skip
    systems = NAMES if per_system else ("",)
    return [
        judge(expectation, s, _sighting(number, kind, s) if source else None, NOW) for s in systems
    ]


def _sighting(number: str, kind: str, system: str) -> Sighting:
    source, _, _, _, age = COLLECTED[kind]
    item = _item(kind, system)
    why = FAILING.get((number, kind, system), "")
    event = OVERTAKEN.get((kind, system))
    return Sighting(
        newest=item.observed_to, nature=Nature.STATE if age == 0 else Nature.EVENT,
        item_id=item.item_id, source=source, count=3, events={"new_model_version": event}
        if event else {}, heartbeat=DEAD if source == "cloudtrail" else NOW - timedelta(hours=1),
        failing=(item.item_id,) if why else (), failing_why=why,
    )  # fmt: skip


def _item(kind: str, system: str) -> EvidenceItem:
    source, native, _, _, age = COLLECTED[kind]
    at = NOW - timedelta(days=age, hours=3, microseconds=123_456)
    failed = (kind, system) in {(k, s) for _, k, s in FAILING}
    return EvidenceItem(
        source=source, kind=native, subject=f"{kind}/{system or 'organisation'}",
        observed_from=at, observed_to=at, collected_at=NOW - timedelta(hours=2),
        payload={"kind": kind, "system": system, "version": 7, "metrics": {"auc": 0.913}},
        system=system, title=f"{kind.replace('_', ' ')} of {system or 'the organisation'}",
        outcome=Outcome.FAILED if failed else Outcome.PASSED, actor="build@brookside.example",
        locator=f"https://{source}.brookside.example/{kind}/{system}"
        if source != "cloudtrail" else f"s3://brookside-trail/{kind}.json.gz",
    )  # fmt: skip


def _pages(number: str, kind: str) -> list[ItemPage]:
    if kind not in COLLECTED:
        return []
    systems = NAMES if COLLECTED[kind][2] else ("",)
    return [page_of(_item(kind, system), number, kind) for system in systems]


def page_of(
    item: EvidenceItem, number: str = "A.6.2.5", kind: str = "deployment_event"
) -> ItemPage:
    """A landed item's page."""
    shared: dict[str, Any] = {
        f.name: getattr(item, f.name)
        for f in dataclasses.fields(ItemPage)
        if f.name in {x.name for x in dataclasses.fields(EvidenceItem)} - {"payload"}
    }
    rule = TagRow(f"iso42001:{number}", kind, f"{kind}.seen", "direct", f"it is a {kind}")
    return ItemPage(
        **shared, landed_at=NOW - timedelta(hours=1), pull_id="pull-01JD8", tags=(rule,),
        payload=orjson.dumps(item.payload, option=orjson.OPT_INDENT_2).decode(), leaf_index=1204,
    )  # fmt: skip


def _sources() -> tuple[SourceRow, ...]:
    well = [
        _watched(SourceRow(name, f"collectors.{module}", "complete", NOW, NOW - timedelta(hours=1),
                           count))
        for name, module, count in (
            ("github", "github:GitHub", 310), ("jira", "jira:Jira", 205),
            ("quality", "quality_checks:QualityChecks", 611),
            ("registers", "git_registers:GitRegisters", 23),
        )
    ]  # fmt: skip
    refused = "AccessDenied: the role headwater-reader may not list s3://brookside-trail"
    gap = "run 8f21: its artifact store did not answer, evaluation table not read"
    trail = SourceRow("cloudtrail", "collectors.cloudtrail:CloudTrail", "refused", NOW, DEAD, 402,
                      refused)  # fmt: skip
    runs = SourceRow("mlflow", "collectors.mlflow_runs:MlflowRuns", "complete", NOW, NOW, 388, "",
                     (gap,))  # fmt: skip
    return (
        _watched(trail, streak=9, completes=3, lacking=(refused,)),
        _watched(runs, totals=(Total("experiment credit", 380, 371), Total("experiment", 17, 17))),
        *well,
    )  # fmt: skip


def _watched(source: SourceRow, **given: Any) -> SourceRow:
    """The source with a day of attempts that ended as its last one did, a backfill among them."""
    why = tuple(filter(None, (source.error, *source.gaps)))
    attempts = tuple(
        AttemptRow(NOW - timedelta(hours=n, minutes=1), timedelta(seconds=48 + 9 * n),
                   source.outcome, 7 * n, 388, None if n % 2 else 397, n == 4, why)
        for n in range(6)
    )  # fmt: skip
    shared: dict[str, Any] = {
        "schedule": "0 * * * *", "next_run": NOW + timedelta(minutes=17), "tries": 12,
        "completes": 12, "usual": timedelta(minutes=3), "moved": NOW - timedelta(hours=2),
        "newest": NOW - timedelta(days=12), "brought": NOW - timedelta(days=11),
        "identity": "evidence-reader@brookside.example", "query": "updated >= '2026-11-23 18:28'",
        "attempts": attempts, "failing_since": source.last_complete,
    }  # fmt: skip
    return dataclasses.replace(source, **(shared | given))


def _lake() -> LakeFacts:
    return LakeFacts(1_939, 412, 1_921, "5f" * 32, "brookside.example/headwater", 96, "a7" * 32,
                     context=90)  # fmt: skip


def _attention(controls: list[ControlRow]) -> tuple[Attention, ...]:
    deployed, reviewed = (
        _item("deployment_event", "churn-predictor"),
        _item("code_review", NAMES[0]),
    )
    told = [
        Attention("stale", "The AI policy was last approved 14 months ago.",
                  "Review it and commit the new review date.", "iso42001:5.2"),
        Attention("stale", "Credit scoring version 12 has no evaluation of its own yet.",
                  "Evaluate version 12, or roll back to 11.", "iso42001:A.6.2.4", "credit-scoring"),
        Attention("failed", "Churn predictor version 7 was deployed without an approved change.",
                  "Approve the change after the fact, or roll back to version 6.",
                  "iso42001:A.6.2.5", "churn-predictor", "jira", deployed.item_id),
        Attention("failed", "Pull request 184 was approved by its own author.",
                  "Have somebody else review it.", "iso42001:A.6.1.3", "credit-scoring", "github",
                  reviewed.item_id),
        Attention("failed", "2 of 14 data checks failed on the batch of 21 November.",
                  "Repair the batch, or record why it may be used.", "iso42001:A.7.6",
                  "ticket-triage", "quality"),
        Attention("source", "CloudTrail has refused us for 4 days: the cloud is unseen.",
                  "Give the role headwater-reader its list permission back.", source="cloudtrail"),
        Attention("due", "The AI objectives must be reviewed by 27 November.",
                  "Review them in the next governance meeting.", "iso42001:6.2"),
    ]  # fmt: skip
    absent = [
        Attention("missing", f"{c.number} {c.title}: {c.standing.why}.",
                  "Name a source for it, or exclude it with a reason.", c.control)
        for c in controls if c.standing.standing == "missing"
    ]  # fmt: skip
    signing = [
        Attention("judgement", f"{c.number} {c.title} waits for a signature.",
                  f"{c.owner} signs, or says what is missing.", c.control)
        for c in controls if c.standing.standing == "needs judgement"
    ]  # fmt: skip
    return (*told, *absent, *signing)
