"""What needs a person now: one sentence a cause, worst first, however many controls it hits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dashboards.model import Attention, LakeFacts, SourceRow
from evidence.attestation import REGISTERS as STATEMENTS
from evidence.freshness import Standing, State, Verdict
from evidence.suggestion import Becomes
from evidence.waiver import REGISTERS as WAIVERS
from flows.judgement import Judged
from storage.pages import Connection, overridden_items
from storage.suggestions import ACCEPTED, suggestions_in
from storage.vanished import taken_out, vanished

ACTIONS = {
    "failed": "Look at the item, mend the cause, and collect again.",
    "stale": "Redo it and let it be collected, or record why it may wait.",
    "due": "Plan it before the date.",
}
SILENT = "Until it answers, what it should show counts as unknown: check address, key, network."
ACCOUNTED = "Nothing; `headwater verify` tells what went, when, by whom and why."
SEE_TO_IT = "Mend what makes it wrong at its source, so that nobody has to override it again."
UNREAD = (
    'Mend what they name at their source, or add a rule: headwater query "select title from latest '
    "where outcome = 'error' and item_id not in (select item_id from tags)\""
)
EVIDENCE = "evidence"
CONFIRM = "Let a second person look: headwater suggest confirm ID, or withdraw it."
WENT = (
    "Ask who took it away there and what was mended; if nothing was, have it done again. "
    "`headwater explain` shows the item."
)
TOLD_FOR = timedelta(days=90)
"""For so long a failure that went away is told of: as long as most evidence counts."""
DROPPED = "Configure it again, or have another source bring what it brought."
CLOSE = "A record is closed and not deleted: put it back with how it ended, unless it was an error."
PERSONAL = {*STATEMENTS, *WAIVERS}
"""Registers of which a record that is gone makes nothing look better."""
_NAMED = 5
SHOWN = 20
PARTIAL = "Mend what is named, or its rights; until a pull is whole, nothing in it counts as fresh."
_WRITTEN = {"git.register", "git.document"}


def attention(judged: Judged, sources: Sequence[SourceRow], lake: LakeFacts) -> Iterator[Attention]:
    """Failures, then sources that do not answer, then stale, missing, unsigned and due."""
    yield from _grouped(judged, "failed", lambda v: v.failed)
    yield from _sources(sources)
    yield from _dropped(judged, sources)
    yield from _grouped(judged, "stale", lambda v: not v.failed and v.state is State.STALE)
    yield from _empty(judged)
    yield from _unsigned(judged)
    yield from _grouped(judged, "due", lambda v: not v.failed and v.state is State.DUE)
    if lake.errors:
        yield Attention(
            "mapping", f"{lake.errors} items report an error and speak to no control: no control "
            "shows them.", UNREAD,
        )  # fmt: skip
    if lake.untagged:
        yield Attention(
            "mapping", f"{lake.untagged} items speak to no control yet.",
            "Add a rule, or declare why they are context only (docs/rules.md).",
        )  # fmt: skip
    if lake.disposed:
        yield Attention("mapping", told_disposed(lake.disposed), ACCOUNTED)


def told_disposed(number: int) -> str:
    """What stands beside every count once items were disposed of."""
    return f"{number} items were disposed of by signed records: no count includes them."


def _grouped(
    judged: Judged, severity: str, wanted: Callable[[Verdict], bool]
) -> Iterator[Attention]:
    """One sentence for one cause: the same item or the same kind for the same system."""
    groups: dict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
    for standing in judged.standings.values():
        if standing.standing is Standing.NOT_APPLICABLE and severity != "failed":
            continue
        if standing.standing is Standing.WAIVED and severity == "stale":
            continue
        for verdict in standing.verdicts:
            if wanted(verdict):
                cause = verdict.item_id if verdict.failed else verdict.evidence
                groups[cause, verdict.system, verdict.why if not verdict.failed else ""].append(
                    verdict
                )
    for verdicts in groups.values():
        first = verdicts[0]
        about = judged.systems.get(first.system, {}).get("name") or first.system or "Organisation"
        spans = f"{len(verdicts)} control{'s' if len(verdicts) > 1 else ''}"
        yield Attention(
            severity, f"{about}: {_kind(first.evidence)}: {first.why} ({spans}).",
            ACTIONS[severity], control=first.control, system=first.system,
            source=first.source, item_id=first.item_id, cause=cause_of(first),
            controls=tuple(v.control for v in verdicts),
        )  # fmt: skip


def cause_of(verdict: Verdict) -> str:
    """The name of what is behind a verdict, whichever control asks and however it stands."""
    return f"{EVIDENCE} {verdict.evidence} {verdict.system}".strip()


def cause_of_source(source: str) -> str:
    """The name of the cause that a source does not answer as it should."""
    return f"source {source}"


def _sources(sources: Sequence[SourceRow]) -> Iterator[Attention]:
    for source in sources:
        if source.outcome == "complete":
            continue
        last = (
            source.last_complete.strftime("%Y-%m-%d %H:%M UTC") if source.last_complete else "never"
        )
        why = source.error or "; ".join(source.gaps)
        ended = f"is {source.outcome}: {why}" if source.attempts else "was never pulled"
        yield Attention(
            "source", f"Source {source.source} {ended} (last complete: {last}).",
            PARTIAL if source.outcome == "partial" else SILENT, source=source.source,
            cause=cause_of_source(source.source),
        )  # fmt: skip


def _dropped(judged: Judged, sources: Sequence[SourceRow]) -> Iterator[Attention]:
    """A source that nobody asks any more looks well by its last pull, whatever it holds today."""
    resting = {verdict.source for verdict in judged.verdicts if verdict.item_id}
    for source in sources:
        if source.dropped and source.source in resting:
            yield Attention(
                "source", f"Source {source.source} is configured no more: what it brought still "
                "counts until it is out of date, and nothing that it would say today is seen.",
                DROPPED, source=source.source, cause=f"dropped {source.source}",
            )  # fmt: skip


def _empty(judged: Judged) -> Iterator[Attention]:
    """Missing evidence by kind and system, so that one register fills many controls."""
    kinds: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for standing in judged.standings.values():
        if standing.standing is not Standing.MISSING:
            continue
        for verdict in standing.verdicts:
            if verdict.state is State.UNKNOWN:
                kinds[verdict.evidence, verdict.system].append(verdict)
    for (evidence, system), verdicts in sorted(kinds.items(), key=lambda pair: -len(pair[1])):
        about = f" for {system}" if system else ""
        yield Attention(
            "missing", f"No {_kind(evidence)}{about}: {verdicts[0].why} "
            f"({len(verdicts)} control{'s' if len(verdicts) > 1 else ''}).",
            f"{_where_from(judged, verdicts[0])}, or state in an override why it is not needed.",
            control=verdicts[0].control, system=system, cause=cause_of(verdicts[0]),
            controls=tuple(v.control for v in verdicts),
        )  # fmt: skip


def _where_from(judged: Judged, verdict: Verdict) -> str:
    """Evidence that people write asks for a file of theirs, all other for a source."""
    kinds = set(judged.catalogue.kinds[verdict.evidence].source_types)
    if not kinds & _WRITTEN:
        return "Connect a source that has it"
    other = "Connect a source that has it, or write" if kinds - _WRITTEN else "Write"
    return f"{other} it in git (docs/registers.md; `headwater init --registers` drafts)"


def _unsigned(judged: Judged) -> Iterator[Attention]:
    for control in judged.catalogue.controls:
        standing = judged.standings[control.id]
        if standing.standing is Standing.NEEDS_JUDGEMENT:
            yield Attention(
                "judgement", f"{control.number} {control.title}: {standing.why}.",
                control.attestation_needed or "Sign, or say what is missing.", control=control.id,
                cause=f"judgement {control.id}",
            )  # fmt: skip


def overridden(connection: Connection) -> Iterator[Attention]:
    """Every item that two people took out of the judgement: what looks better by their word."""
    rows = overridden_items(connection)
    for row in rows[:SHOWN]:
        why = row["why"]
        yield Attention(
            "overridden", f"{row['title'] or row['subject']} ({row['outcome']}) is overridden by "
            f"{why['one']} and {why['two']} because {why['reason']}.", SEE_TO_IT,
            system=row["system"], source=row["source"], item_id=row["item_id"],
            cause=f"overridden {row['item_id']}",
        )  # fmt: skip
    if len(rows) > SHOWN:
        yield Attention(
            "overridden", f"{len(rows) - SHOWN} more items are overridden by two people.",
            "See them all with `headwater correct list`.",
        )  # fmt: skip


def went_away(connection: Connection, at: datetime) -> Iterator[Attention]:
    """Every failure that its source holds no more, or tells otherwise: nothing newer took its
    place, so it looks better and nothing is shown to be."""
    rows = vanished(connection, at - TOLD_FOR)
    for row in rows[:SHOWN]:
        yield Attention(
            "failed" if row["nature"] == "event" else "judgement",
            f"{row['title'] or row['subject']} ({row['outcome']}) {_now(row)}: it counts no more, "
            "and no later result took its place.", WENT, system=row["system"],
            source=row["source"], item_id=row["item_id"], cause=f"went away {row['item_id']}",
        )  # fmt: skip
    if len(rows) > SHOWN:
        yield Attention(
            "failed", f"{len(rows) - SHOWN} more failures are gone at their sources, or told "
            "otherwise there.", WENT,
        )  # fmt: skip


def records_taken_out(connection: Connection, at: datetime) -> Iterator[Attention]:
    """Records that registers hold no more, a sentence for each register and whoever took them out:
    what they asked for is asked of nobody now."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in taken_out(connection, at - TOLD_FOR):
        if row["register"] not in PERSONAL:
            groups[row["register"], row["actor"]].append(row)
    for (register, actor), rows in groups.items():
        many = f"{len(rows)} records were" if len(rows) > 1 else "A record was"
        since = min(row["landed_at"] for row in rows)
        yield Attention(
            "judgement", f"{many} taken out of the register {register}"
            f"{f' by {actor}' if actor else ''} since {since:%Y-%m-%d}: {_listed(rows)}.", CLOSE,
            system=rows[0]["system"] if len(rows) == 1 else "", item_id=rows[0]["item_id"],
            cause=f"taken out of {register} {actor}",
        )  # fmt: skip


def _listed(rows: Sequence[Mapping[str, Any]]) -> str:
    named = [str(row["title"] or row["subject"]) for row in rows[:_NAMED]]
    more = len(rows) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _now(row: Mapping[str, Any]) -> str:
    by = f" by {row['actor']}" if row["actor"] else ""
    since = f"since {row['landed_at']:%Y-%m-%d}{by}"
    if row["gone"]:
        return f"is gone at its source {row['source']} {since}"
    return f"was rewritten at its source {row['source']} and says {row['says']} {since}"


def unconfirmed(connection: Connection) -> Iterator[Attention]:
    """Every tag that one person accepted from a model and no second one confirmed."""
    rows = [r for r in suggestions_in(connection, ACCEPTED) if r["becomes"] == Becomes.TAG]
    for row in rows[:SHOWN]:
        yield Attention(
            "mapping", f"{row['title'] or row['item_id'][:16]} speaks to "
            f"{row['control'].partition(':')[2]} by the word of {row['decided_by']} alone, as "
            f"{row['model']} proposed.", CONFIRM, control=row["control"], item_id=row["item_id"],
        )  # fmt: skip
    if len(rows) > SHOWN:
        yield Attention(
            "mapping", f"{len(rows) - SHOWN} more tags stand by the word of one person.", CONFIRM
        )


def _kind(evidence: str) -> str:
    return evidence.replace("_", " ")
