"""The inputs of a management review (9.3) from what landed: to fill in and commit, or to print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dashboards.asked import Asked as Addressed
from dashboards.links import OneFile
from dashboards.pages.review import INPUTS, LOOKED_BACK, OF_BOOKS, last_review, review, since
from dashboards.render import render_page
from evidence.audits import Books, Entry, lacks
from evidence.errors import ConfigError
from evidence.freshness import Standing, State, Verdict
from evidence.model import ControlId
from flows.audits import books, stands
from flows.board_reads import held_reads
from flows.config import load, now
from flows.draft_file import hand_over
from flows.judgement import Judged, judge_lake
from flows.moment import Asked, answered
from flows.pack_missing import one_line
from mappings.controls import Control
from storage.engine import ample
from storage.lake import Lake
from storage.pages import Connection, all_rows

HEAD = """\
---
draft: true
# Take `draft` out once every FILL IN is replaced and the approver has read it: until then it counts
# for nothing. Put decisions into registers/decisions.yaml: docs/audits.md shows one.
title: Management review of {day}
doc_type: management_review
owner: FILL IN a name
approver: FILL IN a name, not the owner's
version: "1.0"
reviewed: FILL IN YYYY-MM-DD
---
# Management review of {day}

{organisation}, {shown}.
{since}

FILL IN who took part.
"""
TAIL = """\
## Decisions

FILL IN what was decided on improvements and on what has to change, who does it, and by when: one
record of the register `decisions` each.

FILL IN what else was looked at that no evidence tells.
"""
FORMS = ("md", "html")


def write(file: Path, output: Path | None, asked: Asked | None, form: str) -> int:
    """Print the document, or write it to a new file; 0. Raises ConfigError, LakeError."""
    checked_form(form)
    config = load(file)
    if form == "html":
        with held_reads(config, asked) as pages:
            page = review(pages, "", Addressed())
        return hand_over(render_page(page, OneFile(())), output, "to print and to sign")
    lake = Lake.open(config.lake, clock=now)
    judged = judge_lake(lake, answered(lake, config, asked))
    with judged.moment.connect(lake, ample()) as connection:
        text = document(connection, judged, config.organisation)
    told = "a draft; fill it in, commit it where documents are collected"
    return hand_over(text, output, told)


def checked_form(form: str) -> None:
    """Raises ConfigError for a form that no document of ours has."""
    if form not in FORMS:
        raise ConfigError(f"--format {form!r}: md (to fill in and commit), or html (to print)")


def document(connection: Connection, judged: Judged, organisation: str) -> str:
    """All of it as Markdown: each input with its sources, or that nothing is known of it.

    Raises LakeError.
    """
    held, last = books(connection, judged.at), last_review(judged.verdicts)
    head = HEAD.format(
        day=f"{judged.at:%Y-%m-%d}", organisation=one_line(organisation),
        shown=judged.moment.sentence(judged.digest), since=since(last),
    )  # fmt: skip
    fresh = _landed(connection, last)
    parts = [head, *_standing(judged)]
    for name, (title, numbers) in INPUTS.items():
        parts += [f"## {title}\n", *_input(judged, held, name, numbers, fresh), ""]
    parts += ["## What needs a person\n", *_needs(held), "", TAIL]
    return "\n".join(parts)


def _landed(connection: Connection, since: datetime | None) -> Mapping[str, Mapping[str, Any]]:
    """Control → how many items that speak to it landed since, and how many of them fail."""
    rows = all_rows(
        connection,
        """SELECT control, count(DISTINCT item_id) AS items, count(DISTINCT item_id)
            FILTER (outcome IN ('failed', 'error')) AS failing
        FROM tags JOIN evidence USING (item_id)
        WHERE $since::TIMESTAMPTZ IS NULL OR landed_at >= $since::TIMESTAMPTZ GROUP BY control""",
        {"since": since},
    )
    return {row["control"]: row for row in rows}


def _standing(judged: Judged) -> Iterator[str]:
    counts = Counter(one.standing for one in judged.standings.values())
    yield "## Where the management system stands\n"
    told = ", ".join(f"{counts[word]} {word.value}" for word in Standing if counts[word])
    yield f"Of {len(judged.standings)} clauses and controls: {told}.\n"


def _input(
    judged: Judged, held: Books, name: str, numbers: Sequence[str],
    fresh: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:  # fmt: skip
    known = [line for what in OF_BOOKS.get(name, ()) for line in _entries(held, what)]
    for control in judged.catalogue.controls:
        if control.number in numbers:
            known += _control(judged, control, fresh.get(control.id, {}))
    yield from known or ["Nothing is known: no evidence tells of it. FILL IN what is known."]


def _entries(held: Books, what: str) -> Iterator[str]:
    entries = held.of(what)
    words = what.replace("_", " ")
    if not entries:
        yield f"- {words}: nothing is known; no register of them is collected"
        return
    known = [stands(one, held.at) for one in entries]
    done, late = known.count("done"), known.count("late")
    yield f"- {words}: {len(entries)} ({done} done, {late} late)"
    begin = held.at - LOOKED_BACK
    for one, word in zip(entries, known, strict=True):
        if word != "done" or (one.done and one.done >= begin):
            yield f"  - {entry_line(one, held.at)}"


def entry_line(one: Entry, at: datetime) -> str:
    """A record of the books in one line of Markdown."""
    word = stands(one, at)
    due = f"due {one.due:%Y-%m-%d}" if one.due else "without a date"
    told = f"done {one.done:%Y-%m-%d}" if word == "done" and one.done else word
    helped = f"; {one_line(one.effective)}" if word == "done" and one.effective else ""
    who = one_line(one.who or "nobody")
    return f"{one_line(one.id)} {one_line(one.title)} ({who}, {due}): {told}{helped}"


def _control(judged: Judged, control: Control, fresh: Mapping[str, Any]) -> Iterator[str]:
    stands = judged.standings[ControlId(control.id)]
    landed = ""
    if fresh:
        landed = f"; {fresh['items']} items landed since, {fresh['failing']} of them failing"
    yield f"- {control.number} {control.title}: {stands.standing.value}{landed}"
    yield from (f"  - {verdict_line(verdict)}" for verdict in stands.verdicts)


def verdict_line(verdict: Verdict) -> str:
    """A verdict in one line of Markdown, with the item that it rests on."""
    about = f"{verdict.evidence.replace('_', ' ')} · {one_line(verdict.system or 'organisation')}"
    if verdict.state is State.UNKNOWN and not verdict.failed:
        return f"{about}: nothing is known; {one_line(verdict.why)}"
    rests = f" [{verdict.item_id[:12]} of {one_line(verdict.source)}]" if verdict.item_id else ""
    word = "failed" if verdict.failed else verdict.state.value
    return f"{about}: {word}; {one_line(verdict.why)}{rests}"


def _needs(held: Books) -> Iterator[str]:
    lines = [f"- {one_line(lack.sentence)} {lack.action}" for lack in lacks(held)]
    yield from lines or ["Of audits, findings, actions and certification: nothing that is known."]
