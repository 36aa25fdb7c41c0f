"""What a pack cannot show, and why: each lack is an entry of its own, none is passed over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from evidence.ageing import gap_words, kept_words
from evidence.canonical import plain
from evidence.deadline import Kept
from evidence.freshness import ControlStanding, Standing, State, Verdict
from evidence.gaps import MONTHS
from evidence.times import stamp
from flows.coverage import coverage, uncovered
from mappings.overrides import Override
from storage import pack
from storage.disposed import went_of
from storage.engine import Connection
from storage.pages import all_rows

TITLES: Mapping[str, str] = {
    "request": "Requests that nothing, or not everything, was found for",
    "audit": "What the audit's own records lack",
    "control": "Controls that do not stand on evidence in date",
    "evidence": "Evidence that is asked for and not there in date, or fails",
    "otherwise": "What is asked otherwise than the catalogue asks, and why",
    "gap": "Times in which evidence was not in date, by what was known then",
    "period": "Deadlines that were not kept",
    "judged": "Times in which it was judged not to be in date, as kept then",
    "pull": "Pulls that were not whole",
    "population": "What should be there and is not",
    "untagged": "Items that no rule takes: they may belong here",
    "context": "Items that are declared to speak to no control, and by which words",
    "disposed": "What was disposed of",
    "withheld": "What the scope leaves out",
}
_MARKS = re.compile(r"[\\`*\[\]<>#|!]|(?<![^\W_])_|_(?![^\W_])")
"""Signs that Markdown obeys; not a `_` within a word."""
_STANDS = frozenset({Standing.PROVED, Standing.ATTESTED, Standing.NOT_APPLICABLE})
_LACKING = frozenset({State.STALE.value, State.UNKNOWN.value})


@dataclass(frozen=True, slots=True)
class Missing:
    """One lack: `what` is a key of TITLES; `about` names it, `why` is one sentence, `since` and
    `until` the time that it covers, as far as it is known."""

    what: str
    about: str
    why: str
    since: str = ""
    until: str = ""

    def told(self) -> dict[str, Any]:
        """JSON-like."""
        return asdict(self)


def missing(
    connection: Connection,
    scope: pack.Scope,
    standings: Sequence[ControlStanding],
    verdicts: Sequence[Verdict],
    overrides: Sequence[Override],
    history: Sequence[Mapping[str, Any]],
    left_out: Mapping[str, int],
) -> Iterator[Missing]:
    """Every lack of a pack, in the order of TITLES. Raises LakeError."""
    for stands in standings:
        if stands.standing not in _STANDS:
            yield Missing("control", stands.control, f"{stands.standing.value}: {stands.why}")
    for verdict in verdicts:
        if verdict.failed or not verdict.in_date:
            about = _named(verdict.control, verdict.evidence, verdict.system)
            yield Missing("evidence", about, verdict.why)
    yield from _otherwise(standings, overrides, scope)
    for verdict in verdicts:
        yield from _gaps(verdict, scope)
    for verdict in verdicts:
        yield from _late(verdict, scope)
    yield from _judged(history, scope)
    yield from _pulls(connection, scope)
    if scope.systems is None and scope.items is None:
        for lack in uncovered(coverage(connection)):
            yield Missing("population", lack.system or "expected population", lack.sentence)
    if scope.items is None:
        yield from _untagged(connection, scope)
        yield from _context(connection, scope)
    yield from (Missing("disposed", "items", told) for told in went_of(connection, scope.size))
    for what, number in left_out.items():
        if number:
            yield Missing("withheld", what.replace("_", " "), f"{number} of them")


def _named(control: str, evidence: str, system: str) -> str:
    return f"{control} {evidence} · {system or 'organisation'}"


def _otherwise(
    standings: Sequence[ControlStanding], overrides: Sequence[Override], scope: pack.Scope
) -> Iterator[Missing]:
    """What no verdict lacks because it is not asked, or asked for less: by whose word it is so."""
    shown = {one.control for one in standings}
    for stands in standings:
        if stands.standing is Standing.NOT_APPLICABLE:
            yield Missing("otherwise", stands.control, f"not applicable: {stands.why}")
    for change in overrides:
        whom = change.system
        if change.control in shown and (not whom or whom in (scope.systems or (whom,))):
            about = f"{change.control} {change.evidence}{f' · {whom}' if whom else ''}"
            yield Missing("otherwise", about, change.told)


def _gaps(verdict: Verdict, scope: pack.Scope) -> Iterator[Missing]:
    """The gaps by the age limit that reach into the scope's time, and what it begins before."""
    unbroken = verdict.continuity
    if unbroken is None:
        return
    about = _named(verdict.control, verdict.evidence, verdict.system)
    if scope.begin and scope.begin < unbroken.since:
        why = f"nothing was known, or it is more than {MONTHS} months ago: whether it was in date "
        why += "is not told"
        yield Missing("gap", about, why, stamp(scope.begin), stamp(unbroken.since))
    for gap in unbroken.gaps:
        if _reaches(scope, gap.began, gap.ended or scope.at):
            why = f"{gap_words(gap, scope.at)}; {kept_words(unbroken)}"
            yield Missing("gap", about, why, stamp(gap.began), stamp(gap.ended or scope.at))


def _late(verdict: Verdict, scope: pack.Scope) -> Iterator[Missing]:
    """The closed periods of its deadline that were late or are missing."""
    about = _named(verdict.control, verdict.evidence, verdict.system)
    for met in verdict.history:
        opens, due = met.period.opens, met.period.due
        if met.kept in {Kept.LATE, Kept.MISSING} and _reaches(scope, opens, due):
            known = f", known {stamp(met.known)}" if met.known else ""
            yield Missing("period", about, f"{met.kept.value}{known}", stamp(opens), stamp(due))


def _reaches(scope: pack.Scope, began: datetime, ended: datetime) -> bool:
    """Whether a stretch reaches into the scope's time."""
    late = scope.end is not None and began >= scope.end
    return not late and (scope.begin is None or ended > scope.begin)


def _judged(history: Sequence[Mapping[str, Any]], scope: pack.Scope) -> Iterator[Missing]:
    """From when a verdict was not in date until the next one that was, as it was judged then."""

    def key(row: Mapping[str, Any]) -> tuple[str, str, str]:
        return row["control"], row["evidence"], row["system"]

    for (control, evidence, system), rows in groupby(sorted(history, key=key), key):
        since, why = "", ""
        for row in sorted(rows, key=lambda row: row["judged_at"]):
            lacks = row["state"] in _LACKING
            if lacks and not since:
                since, why = row["judged_at"], row["why"]
            if since and not lacks:
                about = _named(control, evidence, system)
                yield Missing("judged", about, why, since, row["judged_at"])
                since = ""
        if since:
            until = stamp(scope.end or scope.at)
            yield Missing("judged", _named(control, evidence, system), why, since, until)


def _pulls(connection: Connection, scope: pack.Scope) -> Iterator[Missing]:
    """Attempts of any source in the scope's time: what a source did not give, no scope can tell."""
    rows = all_rows(
        connection,
        """SELECT source, outcome, error, gaps, started_at, finished_at FROM pulls
        WHERE outcome <> 'complete'
            AND ($begin::TIMESTAMPTZ IS NULL OR finished_at >= $begin::TIMESTAMPTZ)
            AND ($end::TIMESTAMPTZ IS NULL OR started_at < $end::TIMESTAMPTZ)
        ORDER BY started_at, source""",
        {"begin": scope.begin, "end": scope.end},
    )
    for row in map(plain, rows):
        gaps = (f"{gap['what']}: {gap['why']}" for gap in json.loads(row["gaps"] or "[]"))
        why = "; ".join(filter(None, (row["outcome"], row["error"], *gaps)))
        yield Missing("pull", row["source"], why, row["started_at"] or "", row["finished_at"] or "")


_TOLD_OF = """($systems::VARCHAR[] IS NULL OR system = ''
                OR system IN (SELECT unnest($systems::VARCHAR[])))
            AND ($begin::TIMESTAMPTZ IS NULL OR observed_to >= $begin::TIMESTAMPTZ)
            AND ($end::TIMESTAMPTZ IS NULL OR observed_from < $end::TIMESTAMPTZ)"""
_UNTAGGED = f"""SELECT source, kind, count(*) AS n, min(observed_from) AS since,
            max(observed_to) AS until
        FROM evidence WHERE NOT starts_with(kind, 'headwater.') AND change <> 'gone'
            AND item_id NOT IN (SELECT item_id FROM tags)
            AND item_id NOT IN (SELECT item_id FROM context) AND {_TOLD_OF}
        GROUP BY ALL ORDER BY source, kind"""  # noqa: S608  ours
_CONTEXT = f"""SELECT declaration, rationale, count(*) AS n, min(observed_from) AS since,
            max(observed_to) AS until
        FROM evidence JOIN context USING (item_id) WHERE {_TOLD_OF}
        GROUP BY ALL ORDER BY ALL"""  # noqa: S608  ours


def _untagged(connection: Connection, scope: pack.Scope) -> Iterator[Missing]:
    for row in _counted(connection, _UNTAGGED, scope):
        why = f"{row['n']} items speak to no control by the rules in force"
        about = f"{row['kind']} of {row['source']}"
        yield Missing("untagged", about, why, row["since"], row["until"])


def _context(connection: Connection, scope: pack.Scope) -> Iterator[Missing]:
    for row in _counted(connection, _CONTEXT, scope):
        why = f"{row['n']} items: {row['rationale']}"
        yield Missing("context", row["declaration"], why, row["since"], row["until"])


def _counted(connection: Connection, sql: str, scope: pack.Scope) -> Iterator[Mapping[str, Any]]:
    values = {name: scope.values()[name] for name in ("systems", "begin", "end")}
    return map(plain, all_rows(connection, sql, values))


def as_text(lacks: Sequence[Missing], about: str, at: datetime) -> str:
    """For people, as Markdown; text from sources shows as it is and links nowhere."""
    lines = [f"# What is missing\n\nOf {one_line(about)}, as of {stamp(at)}.\n"]
    if not lacks:
        lines.append("Nothing that Headwater knows of. What nobody expects, it does not miss.\n")
    for what, title in TITLES.items():
        found = [one for one in lacks if one.what == what]
        if found:
            lines.append(f"## {title} ({len(found)})\n")
            lines += [f"- {one_line(one.about)}: {one_line(one.why)}{_when(one)}" for one in found]
            lines.append("")
    return "\n".join(lines)


def _when(one: Missing) -> str:
    return f" ({one.since} to {one.until})" if one.since else ""


def one_line(text: str) -> str:
    """Text from a source for Markdown: in one line, without a sign that it would obey."""
    kept = "".join(sign if sign.isprintable() else " " for sign in text)
    return _MARKS.sub(r"\\\g<0>", kept)
