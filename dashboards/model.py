"""What the board shows, as frozen values: flows/ assembles it, the pages only draw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dashboards.detail import EndRow, Past
from evidence.freshness import ControlStanding, Verdict
from evidence.runs import Total


@dataclass(frozen=True, slots=True)
class SystemRow:
    """An AI system of the inventory; id '' is the organisation itself.

    `facts` are the other words that the inventory has for it, by name; `item_id` is its record.
    """

    system: str
    name: str
    owner: str = ""
    risk_class: str = ""
    stage: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """What the organisation asks otherwise than the catalogue, and why; `system` is the AI system
    of which alone it does ('': of more)."""

    told: str
    system: str = ""


@dataclass(frozen=True, slots=True)
class ControlRow:
    """One control or clause with its standing and the sentence that explains it."""

    control: str
    framework: str
    number: str
    title: str
    group: str
    summary: str
    standing: ControlStanding
    attestation_needed: str = ""
    owner: str = ""
    overrides: tuple[OverrideRow, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt at a source; `why` says what was missing of it, one sentence each."""

    started_at: datetime
    took: timedelta
    outcome: str
    new: int
    received: int
    promised: int | None = None
    backfill: bool = False
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source's health: when it last tried, how that ended, when it last finished whole.

    The collector's clock: `next_run` by its `schedule`, `missed_run` one that did not start,
    `streak` attempts in a row that were not whole, `completes` of `tries` whole in seven days,
    `usual` the time that a whole one takes, `moved` when its bookmark last did. The source's own
    clock: `newest` is the latest time that a fact of it is about, `brought` when the last new item
    landed. `totals` are the control totals of the last attempt, `lacking` what it was not allowed
    to see; `attempts` the last ones, newest first. `dropped`: no configuration names it any more.
    """

    source: str
    collector: str
    outcome: str
    last_attempt: datetime | None
    last_complete: datetime | None
    items: int
    error: str = ""
    gaps: tuple[str, ...] = ()
    schedule: str = ""
    next_run: datetime | None = None
    missed_run: datetime | None = None
    streak: int = 0
    failing_since: datetime | None = None
    tries: int = 0
    completes: int = 0
    usual: timedelta | None = None
    moved: datetime | None = None
    newest: datetime | None = None
    brought: datetime | None = None
    identity: str = ""
    query: str = ""
    totals: tuple[Total, ...] = ()
    lacking: tuple[str, ...] = ()
    attempts: tuple[AttemptRow, ...] = ()
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that needs a person now: one sentence, and where it leads.

    `cause` names it while its sentence changes (empty: by its sentence without its numbers).
    """

    # "law" | "failed" | "health" | "source" | "stale" | "mapping" | "missing" | "judgement" | "due"
    # | "waived" | "overridden"
    severity: str
    sentence: str
    action: str
    control: str = ""
    system: str = ""
    source: str = ""
    item_id: str = ""
    cause: str = ""
    controls: tuple[str, ...] = ()
    step: int = 0
    """Grows where it becomes more pressing and stays what it is: it is told again then."""


_DRAFT = "draft "


def cause_of_draft(draft: str) -> str:
    """The name of the cause that a draft waits: who is shown a part only is told of none."""
    return f"{_DRAFT}{draft}"


def about_draft(one: Attention) -> bool:
    """Whether it speaks of a draft."""
    return one.cause.startswith(_DRAFT)


@dataclass(frozen=True, slots=True)
class DateRow:
    """What somebody is to do by a day: an audit, a corrective action, a request."""

    on: datetime
    what: str
    title: str
    who: str
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class ClockRow:
    """By when law says to tell somebody of an incident, and how that stands.

    `due` None: the law gives no number, or nobody says since when it is known. `why` is one
    sentence; `open` whether somebody is still to be told.
    """

    due: datetime | None
    incident: str
    law: str
    to: str
    state: str
    why: str
    open: bool
    system: str = ""
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record of audits, findings, corrective actions, certification or decisions (`what`).

    `stands` is open, late or done."""

    what: str
    id: str
    title: str
    who: str
    due: datetime | None
    done: datetime | None
    stands: str
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class TagRow:
    """Why an item speaks to a control."""

    control: str
    evidence: str
    rule: str
    strength: str
    rationale: str


@dataclass(frozen=True, slots=True)
class ContextRow:
    """A declaration of rule files that items speak to no control, with what it holds for."""

    declaration: str
    rationale: str
    items: int
    kinds: str
    item_id: str
    title: str


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One landed item with everything an auditor asks of it. `payload` is pretty JSON text.

    `corrections` are sentences; `corrected` is empty, or one word for what comes of them. `context`
    says of an item that speaks to no control by which declarations it need not.
    """

    item_id: str
    source: str
    kind: str
    nature: str
    system: str
    subject: str
    title: str
    change: str
    outcome: str
    actor: str
    locator: str
    observed_from: datetime
    observed_to: datetime
    collected_at: datetime
    landed_at: datetime
    content_sha256: str
    pull_id: str
    payload: str
    tags: tuple[TagRow, ...] = ()
    leaf_index: int | None = None
    corrections: tuple[str, ...] = ()
    corrected: str = ""
    context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document in git that is no draft. `flaws` say why it proves nothing; `approval` how far
    that by named people is, where it is asked for, and `waits` that it is not enough; `drift` what
    of a `rendered` one is no longer so. Each is empty where there is nothing to say."""

    path: str
    title: str
    doc_type: str
    source: str
    system: str
    owner: str
    approver: str
    version: str
    reviewed: datetime
    item_id: str
    flaws: str = ""
    approval: str = ""
    waits: bool = False
    rendered: bool = False
    drift: str = ""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """Items that wait for a person's word on a rule, with one of them.

    Of one kind and source that no rule takes; or, with `evidence` and `rules`, of one kind that
    rules take for several kinds of evidence of one control.
    """

    kind: str
    items: int
    item_id: str
    title: str
    source: str = ""
    newest: datetime | None = None
    evidence: str = ""
    rules: str = ""


@dataclass(frozen=True, slots=True)
class RequirementRow:
    """What is carried of one requirement of another framework: `reach` is whole, part or open.

    `by` are the controls that carry it, `failing` those that speak to it and failed.
    """

    requirement: str
    group: str
    reach: str
    by: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    open: str = ""


@dataclass(frozen=True, slots=True)
class FrameworkRow:
    """Another framework; of its `rows`, `reviewed` were looked at by a named person here."""

    framework: str
    title: str
    edition: str
    requirements: tuple[RequirementRow, ...]
    rows: int
    reviewed: int


@dataclass(frozen=True, slots=True)
class LakeFacts:
    """How much landed and what it was sealed with; `ledger_size` is None before the first seal.

    `shown` is what to give to `--as-of` to see this again, `result` the digest of what was judged;
    `disposed` items went by signed records and are in no count. Of the `untagged` items, `errors`
    stand as an error; `context` items have no tag either, and are declared to need none.
    """

    items: int
    version: int
    ledger_size: int | None
    ledger_root: str
    ledger_origin: str
    untagged: int
    mapping_digest: str
    shown: str = ""
    result: str = ""
    disposed: int = 0
    errors: int = 0
    context: int = 0


@dataclass(frozen=True, slots=True)
class Board:
    """Everything on the page, as of one moment."""

    organisation: str
    as_of: datetime
    built_at: datetime
    controls: tuple[ControlRow, ...]
    systems: tuple[SystemRow, ...]
    sources: tuple[SourceRow, ...]
    attention: tuple[Attention, ...]
    lake: LakeFacts
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Item ids per control, newest first, as far as they are shown."""
    items: Mapping[str, ItemPage] = field(default_factory=dict)
    """The items that the board links to, by id."""
    evidence_total: Mapping[str, int] = field(default_factory=dict)
    """How many items speak to a control, shown or not; where absent, the page names no total."""
    queue: tuple[QueueRow, ...] = ()
    context: tuple[ContextRow, ...] = ()
    documents: tuple[DocumentRow, ...] = ()
    """Policies and procedures that are collected, the drafts apart."""
    frameworks: tuple[FrameworkRow, ...] = ()
    excerpt: str = ""
    """What is shown to this reader, where it is not everything."""
    late: str = ""
    """Why it is not what would be judged this moment, where that is known."""
    calendar: tuple[DateRow, ...] = ()
    """What people set themselves dates for and have not done yet, the earliest first."""
    records: tuple[RecordRow, ...] = ()
    """What the registers of audits and decisions hold."""
    past: Past | None = None
    """Where controls stood before, where that was asked together with it."""
    clocks: tuple[ClockRow, ...] = ()
    """By when law says to tell of incidents, the most pressing first."""
    ends: tuple[EndRow, ...] = ()
    """What else ends or begins on a day to come, the earliest first."""

    def verdicts(self, control: str, system: str) -> tuple[Verdict, ...]:
        """The judged expectations of one cell of the heat map."""
        row = next(row for row in self.controls if row.control == control)
        return tuple(v for v in row.standing.verdicts if v.system == system)
