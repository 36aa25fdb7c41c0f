"""What a pack cannot show, and why: each lack is an entry of its own, none is passed over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from evidence.canonical import plain
from evidence.freshness import ControlStanding, Standing, State, Verdict
from evidence.times import stamp
from flows.coverage import coverage, uncovered
from storage import pack
from storage.disposed import went_of
from storage.engine import Connection
from storage.pages import all_rows

TITLES: Mapping[str, str] = {
    "request": "Requests that nothing, or not everything, was found for",
    "control": "Controls that do not stand on evidence in date",
    "evidence": "Evidence that is asked for and not there in date, or fails",
    "gap": "Times in which evidence was not in date",
    "pull": "Pulls that were not whole",
    "population": "What should be there and is not",
    "untagged": "Items that no rule takes: they may belong here",
    "disposed": "What was disposed of",
    "withheld": "What the scope leaves out",
}
_MARKS = re.compile(r"[\\`*\[\]<>#|!]|(?<!\w)_|_(?!\w)")
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
    yield from _gaps(history, scope)
    yield from _pulls(connection, scope)
    if scope.systems is None and scope.items is None:
        for lack in uncovered(coverage(connection)):
            yield Missing("population", lack.system or "expected population", lack.sentence)
    if scope.items is None:
        yield from _untagged(connection, scope)
    yield from (Missing("disposed", "items", told) for told in went_of(connection, scope.size))
    for what, number in left_out.items():
        if number:
            yield Missing("withheld", what.replace("_", " "), f"{number} of them")


def _named(control: str, evidence: str, system: str) -> str:
    return f"{control} {evidence} · {system or 'organisation'}"


def _gaps(history: Sequence[Mapping[str, Any]], scope: pack.Scope) -> Iterator[Missing]:
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
                yield Missing("gap", about, why, since, row["judged_at"])
                since = ""
        if since:
            until = stamp(scope.end or scope.at)
            yield Missing("gap", _named(control, evidence, system), why, since, until)


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


def _untagged(connection: Connection, scope: pack.Scope) -> Iterator[Missing]:
    rows = all_rows(
        connection,
        """SELECT source, kind, count(*) AS n, min(observed_from) AS since,
            max(observed_to) AS until
        FROM evidence WHERE NOT starts_with(kind, 'headwater.') AND change <> 'gone'
            AND item_id NOT IN (SELECT item_id FROM tags)
            AND ($systems::VARCHAR[] IS NULL OR system = ''
                OR system IN (SELECT unnest($systems::VARCHAR[])))
            AND ($begin::TIMESTAMPTZ IS NULL OR observed_to >= $begin::TIMESTAMPTZ)
            AND ($end::TIMESTAMPTZ IS NULL OR observed_from < $end::TIMESTAMPTZ)
        GROUP BY ALL ORDER BY source, kind""",
        {name: scope.values()[name] for name in ("systems", "begin", "end")},
    )
    for row in map(plain, rows):
        why = f"{row['n']} items speak to no control by the rules in force"
        yield Missing(
            "untagged", f"{row['kind']} of {row['source']}", why, row["since"], row["until"]
        )


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
