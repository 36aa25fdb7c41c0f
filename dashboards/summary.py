"""The board counted and sorted, worst first: what both the page and the JSON summary say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from dashboards.model import Attention, Board, ControlRow, FrameworkRow, SourceRow, SystemRow
from dashboards.text import listed, many
from evidence.freshness import ORGANISATION, Standing, Verdict, worst
from evidence.runs import PullOutcome

WORST_FIRST = (
    Standing.FAILED, Standing.STALE, Standing.MISSING, Standing.WAIVED, Standing.NEEDS_JUDGEMENT,
    Standing.ATTESTED, Standing.PROVED, Standing.NOT_APPLICABLE,
)  # fmt: skip

MEANING: Mapping[Standing, str] = {
    Standing.FAILED: "the latest evidence reports a failure",
    Standing.STALE: "evidence landed, but is too old or was overtaken by an event",
    Standing.MISSING: "at least one kind of evidence asked for is not there, or not believed",
    Standing.WAIVED: "evidence is lacking, and a person answers for that until a day",
    Standing.NEEDS_JUDGEMENT: "evidence is in date; a person has yet to sign for it",
    Standing.ATTESTED: "a person signed for it; no machine evidence is asked for",
    Standing.PROVED: "all evidence asked for is in date, and signed where a signature is needed",
    Standing.NOT_APPLICABLE: "left out by the Statement of Applicability, with its reason",
}

REACHES = ("whole", "part", "open")

# A failure and a source that no longer answers come first: the one is known, the other blinds us.
SEVERITIES: Mapping[str, str] = {
    "law": "Legal deadline",
    "failed": "Failed",
    "health": "Headwater itself",
    "source": "Source not answering",
    "stale": "Stale",
    "mapping": "Mapping",
    "missing": "Missing",
    "judgement": "Needs judgement",
    "due": "Due soon",
    "waived": "Waived by people",
    "overridden": "Overridden by people",
}


@dataclass(frozen=True, slots=True)
class Group:
    """Controls under one heading of their standard."""

    name: str
    rows: tuple[ControlRow, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """The clauses, or the Annex A controls, of one framework, with how many stand where."""

    name: str
    noun: str
    groups: tuple[Group, ...]
    counts: Mapping[Standing, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The denominator of every count of this part."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Urgency:
    """The attention list's entries of one severity."""

    severity: str
    heading: str
    entries: tuple[Attention, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One control for one system: how its worst expectation stands, `in_date` of `expected`.

    `word` is '' where nothing is expected; `why` then says so.
    """

    word: str
    why: str
    in_date: int = 0
    expected: int = 0


def is_annex(row: ControlRow) -> bool:
    """Whether the row is a control of an annex rather than a clause."""
    return row.number.startswith("A.")


def parts(board: Board) -> tuple[Part, ...]:
    """Clauses and Annex A apart, frameworks apart, each in the order given."""
    keys = dict.fromkeys((row.framework, is_annex(row)) for row in board.controls)
    several = len({framework for framework, _ in keys}) > 1
    return tuple(_part(board, *key, several) for key in keys)


def _part(board: Board, framework: str, annex: bool, several: bool) -> Part:
    rows = [r for r in board.controls if (r.framework, is_annex(r)) == (framework, annex)]
    name, noun = ("Annex A", "Annex A control") if annex else ("Clauses", "clause")
    name, noun = (f"{framework} {name}", f"{framework} {noun}") if several else (name, noun)
    groups = tuple(Group(n, tuple(found)) for n, found in groupby(rows, key=lambda r: r.group))
    return Part(name, noun, groups, count(rows))


def count(rows: Iterable[ControlRow]) -> dict[Standing, int]:
    """How many stand where, zeros included, worst first."""
    found = Counter(row.standing.standing for row in rows)
    return {standing: found[standing] for standing in WORST_FIRST}


def headline(board: Board) -> str:
    """What is wrong, in one sentence with its denominator."""
    total = len(board.controls)
    if not total:
        return "No clause or control is loaded, so nothing can be said."
    counts = count(board.controls)
    failed, stale, missing = (counts[s] for s in WORST_FIRST[:3])
    wrong = [
        f"{failed} failed" if failed else "",
        f"{stale} {'is' if stale == 1 else 'are'} stale" if stale else "",
        f"{missing} {'lacks' if missing == 1 else 'lack'} evidence" if missing else "",
    ]
    said = listed([words for words in wrong if words])
    if not said:
        return f"Of {total} clauses and controls none failed, is stale or lacks evidence."
    return f"Of {total} clauses and controls, {said}."


def asked_for(board: Board) -> str:
    """How much of the evidence asked for is in date, with its denominator: the first steps show."""
    standings = [row.standing for row in board.controls]
    in_date, expected = sum(s.in_date for s in standings), sum(s.expected for s in standings)
    be = "is" if in_date == 1 else "are"
    return f"{in_date} of {expected} expectations of evidence {be} in date"


def support(board: Board) -> str:
    """The second sentence: what stands, what waits for a person, and which sources are silent."""
    counts, total = count(board.controls), len(board.controls)
    good = counts[Standing.PROVED] + counts[Standing.ATTESTED]
    out = [f"{good} of {total} {'is' if good == 1 else 'are'} proved or attested"] if total else []
    out += [asked_for(board)] if total else []
    if waived := counts[Standing.WAIVED]:
        out.append(f"{waived} of {total} {'is' if waived == 1 else 'are'} waived for a time")
    if waiting := counts[Standing.NEEDS_JUDGEMENT]:
        out.append(f"{waiting} of {total} {'waits' if waiting == 1 else 'wait'} for a signature")
    if overridden := sum(bool(row.standing.overridden) for row in board.controls):
        out.append(f"{overridden} of {total} {'has' if overridden == 1 else 'have'} a failure "
                   "overridden by two people")  # fmt: skip
    if left_out := counts[Standing.NOT_APPLICABLE]:
        out.append(f"{left_out} of {total} {'is' if left_out == 1 else 'are'} not applicable")
    silent, sources = sum(not healthy(s) for s in board.sources), len(board.sources)
    if sources:
        out.append(
            f"{silent} of {many(sources, 'source')} did not bring everything at the last pull"
        )
    elif not board.excerpt:  # an excerpt shows no source, whether or not there is one
        out.append("no source is configured")
    said = "; ".join(out) or "nothing is shown"
    return f"{said[0].upper()}{said[1:]}."


def healthy(source: SourceRow) -> bool:
    """Whether the last attempt brought the whole of what was asked."""
    return source.outcome == PullOutcome.COMPLETE and not source.gaps


def collector_clock(source: SourceRow) -> str:
    """Whether the collector works, in one sentence; whether its source is silent is another."""
    if source.last_attempt is None:
        return "It was never pulled."
    if source.missed_run is not None:
        return "It is not run any more: a run was due and did not start."
    if healthy(source):
        return "The last pull was whole."
    if source.last_complete is None:
        return f"No pull was ever whole; {many(source.streak, 'attempt')} so far."
    return f"{many(source.streak or 1, 'attempt')} since the last whole pull did not end whole."


def urgencies(board: Board) -> tuple[Urgency, ...]:
    """The attention list by severity; a severity this page does not know comes first, unhidden."""
    ranks = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    ordered = sorted(board.attention, key=lambda a: (ranks.get(a.severity, -1), a.severity))
    return tuple(
        Urgency(severity, SEVERITIES.get(severity, severity), tuple(entries))
        for severity, entries in groupby(ordered, key=lambda a: a.severity)
    )


def columns(board: Board) -> tuple[SystemRow, ...]:
    """The heat map's columns: the organisation, the inventory, and whoever else was judged."""
    known = {row.system: row for row in board.systems}
    organisation = known.pop(ORGANISATION, SystemRow(ORGANISATION, "Organisation"))
    judged = dict.fromkeys(v.system for row in board.controls for v in row.standing.verdicts)
    strangers = [s for s in judged if s != ORGANISATION and s not in known]
    return (organisation, *known.values(), *(SystemRow(s, s) for s in strangers))


def cell(row: ControlRow, system: str) -> Cell:
    """What the heat map shows for one control and one system."""
    verdicts = [v for v in row.standing.verdicts if v.system == system]
    bad = worst(verdicts)
    if bad is None:
        return Cell("", "nothing is asked here")
    counted = sum(v.in_date and not v.failed for v in verdicts)
    if row.standing.standing is Standing.NOT_APPLICABLE:
        return Cell("n/a", row.standing.why, counted, len(verdicts))
    return Cell(word(bad), f"{bad.evidence}: {bad.why}", counted, len(verdicts))


def word(verdict: Verdict) -> str:
    """A verdict in one word; a failure outranks how fresh it is."""
    return "failed" if verdict.failed else verdict.state.value


def reaches(framework: FrameworkRow) -> dict[str, int]:
    """How many requirements are carried whole, in part and not at all, zeros included."""
    found = Counter(row.reach for row in framework.requirements)
    return {reach: found[reach] for reach in REACHES}


def queued(board: Board) -> tuple[int, int]:
    """How many items no rule takes, and how many rules take for two things at once."""
    left = sum(row.items for row in board.queue if not row.evidence)
    return left, sum(row.items for row in board.queue if row.evidence)


def next_expiry(board: Board) -> datetime | None:
    """When the first piece of evidence that is in date now will no longer be."""
    verdicts = (v for row in board.controls for v in row.standing.verdicts)
    return min(
        (v.fresh_until for v in verdicts if v.in_date and v.fresh_until is not None), default=None
    )
