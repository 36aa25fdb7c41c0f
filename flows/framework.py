"""What the evidence for ISO/IEC 42001 carries elsewhere, and what stays open there."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Column

from dashboards.text import tame
from evidence.errors import ConfigError
from evidence.times import stamp
from flows.config import load, now
from flows.judgement import Judged, judge_lake
from flows.moment import Asked, answered
from flows.terminal import Screen, Table, for_machines, printable
from mappings.crosswalk import Carried, Reach, carry
from mappings.frameworks import Framework, Gap, Row
from storage.lake import Lake

FORMS = ("table", "csv", "json")
NEVER_ADDED = (
    "A part is never added to another part. What is whole is so by rows that people here reviewed; "
    "whether the requirement is met is for people to decide."
)
STYLES = {Reach.WHOLE: "green", Reach.PART: "yellow", Reach.OPEN: ""}


def show(file: Path, name: str, asked: Asked | None, form: str) -> int:
    """Print what is carried of one framework's requirements, what stays open, and its dates; 0."""
    if form not in FORMS:
        raise ConfigError(f"--format {form!r} is none of {', '.join(FORMS)}")
    judged = _judged(file, asked)
    framework = _named(judged, name)
    carried = list(carry(framework, judged.standings, judged.at.date()))
    if form == "csv":
        _csv(carried)
    elif form == "json":
        print(for_machines(_machine(judged, framework, carried)))
    else:
        _print(judged, framework, carried)
    return 0


def list_all(file: Path, asked: Asked | None) -> int:
    """Print all frameworks with how much of each is carried and how many rows were reviewed; 0."""
    judged = _judged(file, asked)
    table = Table(
        Column("framework", no_wrap=True),
        "requirements",
        "whole",
        "part",
        "open",
        "rows",
        "reviewed",
    )
    for framework in judged.moment.mapping.frameworks.values():
        counts = Counter(c.reach for c in carry(framework, judged.standings, judged.at.date()))
        reviewed = sum(row.review is not None for row in framework.rows)
        table.add_row(
            escape(framework.id), str(len(framework.requirements)),
            *(str(counts[reach]) for reach in Reach), str(len(framework.rows)), str(reviewed),
        )  # fmt: skip
    console = Screen()
    console.print(table)
    console.print(NEVER_ADDED, highlight=False)
    return 0


def differ(file: Path, old: str, new: str, asked: Asked | None) -> int:
    """Print what changes from one framework, or edition, to another; 1 if anything does.

    With `asked`, `old` is taken as it was in force then: also for the same name.
    """
    today = load(file).mapping().frameworks
    before = _judged(file, asked).moment.mapping.frameworks if asked else today
    lines = list(changes(_among(before, old), _among(today, new)))
    for line in lines or ("nothing differs",):
        print(printable(line))
    return 1 if lines else 0


def changes(old: Framework, new: Framework) -> Iterator[str]:
    """A line for each requirement and row that came, went or is another now."""
    for name in old.requirements.keys() - new.requirements.keys():
        yield f"- requirement {name}"
    for name in new.requirements.keys() - old.requirements.keys():
        yield f"+ requirement {name}"
    before, after = _rows(old), _rows(new)
    for about, row in before.items():
        if about not in after:
            yield f"- {_told(row)}"
        elif _told(row) != _told(after[about]):
            yield f"~ {_told(row)} → {_told(after[about])}"
    for about, row in after.items():
        if about not in before:
            yield f"+ {_told(row)}"


def spoken_to(judged: Judged, control: str) -> Iterator[str]:
    """What else a control's evidence speaks to, by framework: for `explain`."""
    for framework in judged.moment.mapping.frameworks.values():
        rows = [row for row in framework.rows if row.control == control]
        if rows:
            told = ", ".join(f"{row.requirement} ({_weight(row)})" for row in rows)
            yield f"{framework.short}: {told}"


def gaps_of(judged: Judged, control: str) -> Iterator[str]:
    """In which frameworks a control has no counterpart, or a weak one, and why: for `explain`."""
    for framework in judged.moment.mapping.frameworks.values():
        for gap in framework.gaps:
            if gap.control == control:
                yield f"{_counterpart(gap)} in {framework.short}: {gap.note}"


def _counterpart(gap: Gap) -> str:
    return "no counterpart" if gap.coverage == "none" else "only a weak counterpart"


def _weight(row: Row) -> str:
    if row.review is None:
        return f"{row.relation}, not reviewed"
    return f"{row.review.relation}, {row.review.by} on {row.review.on}"


def _rows(framework: Framework) -> dict[tuple[str, str], Row]:
    return {(row.control, row.requirement): row for row in framework.rows}


def _told(row: Row) -> str:
    told = f"{row.control} {row.relation} {row.requirement}, {row.confidence} confidence"
    return f"{told}, from {' and '.join(row.sources)}; {_weight(row)}"


def _judged(file: Path, asked: Asked | None) -> Judged:
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    return judge_lake(lake, answered(lake, config, asked))


def _named(judged: Judged, name: str) -> Framework:
    return _among(judged.moment.mapping.frameworks, name)


def _among(known: Mapping[str, Framework], name: str) -> Framework:
    """By its id, or the start of it."""
    found = [f for key, f in known.items() if key == name] or [
        f for key, f in known.items() if key.startswith(name)
    ]
    if len(found) != 1:
        told = ", ".join(known) or "none: no mapping of that time held any"
        raise ConfigError(f"{name!r} names {len(found)} frameworks; known: {told}")
    return found[0]


def _print(judged: Judged, framework: Framework, carried: Sequence[Carried]) -> None:
    console = Screen(highlight=False)
    console.print(f"{escape(framework.title)} ({escape(framework.edition)})")
    table = Table("requirement", "carried", "by", Column("what stays open", overflow="fold"))
    for one in carried:
        by = ", ".join(_by(link.row) for link in one.links if link.reach is not Reach.OPEN)
        failed = " with failures" if one.failing else ""
        table.add_row(
            escape(one.requirement), f"{one.reach}{failed}", escape(by),
            escape(printable(one.open)), style="red" if one.failing else STYLES[one.reach],
        )  # fmt: skip
    console.print(table)
    for gap in framework.gaps:
        said = f"{gap.control.partition(':')[2]} has {_counterpart(gap)} there: {gap.note}"
        console.print(escape(said), soft_wrap=True)
    for told in framework.dates:
        console.print(escape(told.sentence), soft_wrap=True)
    counts = Counter(one.reach for one in carried)
    counted = ", ".join(f"{counts[reach]} {reach}" for reach in Reach)
    console.print(f"{len(carried)} requirements: {counted}. {NEVER_ADDED}", soft_wrap=True)
    console.print(escape(judged.moment.sentence(judged.digest)), soft_wrap=True)


def _by(row: Row) -> str:
    return row.control.partition(":")[2]


def _csv(carried: Sequence[Carried]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(["requirement", "group", "carried", "control", "standing", "relation",
                     "confidence", "sources", "reviewed by", "reviewed on", "open"])  # fmt: skip
    for one in carried:
        for cells in _cells(one) or [[""] * 7]:
            row = [one.requirement, one.group, one.reach, *cells, one.open]
            writer.writerow([tame(str(cell)) for cell in row])


def _cells(one: Carried) -> list[list[str]]:
    return [list(map(str, link.values())) for link in _links(one)]


def _links(one: Carried) -> list[dict[str, Any]]:
    return [
        {
            "control": link.row.control, "standing": link.standing.value,
            "relation": (link.row.review or link.row).relation.value,
            "confidence": link.row.confidence, "sources": " ".join(link.row.sources),
            "reviewed_by": link.row.review.by if link.row.review else "",
            "reviewed_on": link.row.review.on.isoformat() if link.row.review else "",
        }
        for link in one.links
    ]  # fmt: skip


def _machine(judged: Judged, framework: Framework, carried: Sequence[Carried]) -> dict[str, object]:
    return {
        "framework": framework.id, "title": framework.title, "edition": framework.edition,
        "as_of": judged.moment.token, "at": stamp(judged.at), "result": judged.digest,
        "mapping": judged.moment.mapping.digest,
        "dates": [
            {"on": told.on.isoformat(), "what": told.what, "articles": told.articles,
             "source": told.source,
             "moved_from": told.moved_from.isoformat() if told.moved_from else ""}
            for told in framework.dates
        ],
        "gaps": [
            {"control": gap.control, "coverage": gap.coverage, "note": gap.note}
            for gap in framework.gaps
        ],
        "requirements": [
            {"requirement": one.requirement, "group": one.group, "carried": one.reach.value,
             "failing": list(one.failing), "open": one.open, "links": _links(one)}
            for one in carried
        ],
    }  # fmt: skip
