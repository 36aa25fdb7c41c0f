"""Of time: from when law applies, by when to tell whom, how long to keep, when bodies audit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Column

from evidence.times import stamp
from flows.config import Config, load, now
from flows.floors import below, sentence
from flows.terminal import Screen, Table, for_machines
from mappings.frameworks import Framework, LegalDate
from mappings.guide import load_guide
from mappings.law import Deadline, Floor, load_law
from storage.retention import RetentionClass

WHOSE = "Whether a law binds you, and what it asks of you, is for your people to say."


def show(file: Path, *, as_json: bool) -> int:
    """Print editions, dates, deadlines and floors as of today; 3 if a class keeps too little.

    A class is excused by its `basis`.
    """
    config = load(file)
    frameworks = tuple(config.mapping().frameworks.values())
    bare = [kept for kept, _ in below(config.retention) if not kept.basis]
    if as_json:
        print(for_machines(_machine(config, frameworks)))
    else:
        _print(config, frameworks)
    return 3 if bare else 0


def told(deadline: Deadline, framework: Framework) -> str:
    """A deadline as one line: within what, by whom, to whom, from when, where it stands."""
    return (
        f"{deadline.within}: {deadline.duty}, {deadline.by} to {deadline.to}, from "
        f"{deadline.counted_from} ({framework.short} {deadline.article})"
    )


def _print(config: Config, frameworks: tuple[Framework, ...]) -> None:
    console = Screen(highlight=False)
    today = now().date()
    console.print(_editions(frameworks))
    console.print(_dates(frameworks, today))
    console.print(_deadlines(frameworks))
    console.print(_floors(config))
    for forgets in load_law().forgets:
        console.print(escape(f"{forgets.what}: gone after {forgets.keeps.days} days at the source"))
    console.print(_stages())
    for rule in load_guide().certification.rules:
        console.print(escape(rule.what), soft_wrap=True)
    console.print(f"As of {today}. {WHOSE}", soft_wrap=True)


def _editions(frameworks: tuple[Framework, ...]) -> Table:
    table = Table("what", Column("edition", overflow="fold"))
    standard = load_guide().certification.standard
    table.add_row(escape(standard.name), escape(standard.edition))
    for framework in frameworks:
        table.add_row(escape(framework.title), escape(framework.edition))
    return table


def _dates(frameworks: tuple[Framework, ...], today: date) -> Table:
    table = Table("applies from", "", "law", Column("what", overflow="fold"), "articles")
    for framework, one in _in_order(frameworks):
        was = f" (was {one.moved_from})" if one.moved_from else ""
        table.add_row(
            one.on.isoformat(), _distance(one.on, today), escape(framework.short),
            escape(one.what + was), escape(one.articles),
        )  # fmt: skip
    return table


def _in_order(frameworks: tuple[Framework, ...]) -> Iterator[tuple[Framework, LegalDate]]:
    pairs = [(framework, one) for framework in frameworks for one in framework.dates]
    yield from sorted(pairs, key=lambda pair: (pair[1].on, pair[0].id))


def _distance(on: date, today: date) -> str:
    return f"in {(on - today).days} days" if on > today else "applies"


def _deadlines(frameworks: tuple[Framework, ...]) -> Table:
    table = Table("tell", Column("of", overflow="fold"), "who to whom", "law", "shown by")
    short = {framework.id: framework.short for framework in frameworks}
    for one in load_law().deadlines:
        controls = ", ".join(control.partition(":")[2] for control in one.controls)
        table.add_row(
            one.within, escape(f"{one.duty}; from {one.counted_from}"),
            escape(f"{one.by} to {one.to}"), escape(f"{short[one.framework]} {one.article}"),
            controls,
        )  # fmt: skip
    return table


def _floors(config: Config) -> Table:
    table = Table("keep", Column("what", overflow="fold"), "kinds", "your classes below it")
    shorter = _shorter(config)
    for floor in load_law().floors:
        classes = ", ".join(_excused(kept) for kept in shorter.get(floor, []))
        table.add_row(
            f"{floor.least.days} days", escape(sentence(floor)), escape(", ".join(floor.kinds)),
            escape(classes), style="yellow" if classes else "",
        )  # fmt: skip
    return table


def _stages() -> Table:
    table = Table("audit by a body", Column("what", overflow="fold"), "ends in")
    for stage in load_guide().certification.stages:
        table.add_row(stage.name, escape(stage.what), escape(stage.ends_in))
    return table


def _shorter(config: Config) -> dict[Floor, list[RetentionClass]]:
    found: dict[Floor, list[RetentionClass]] = {}
    for kept, floor in below(config.retention):
        found.setdefault(floor, []).append(kept)
    return found


def _excused(kept: RetentionClass) -> str:
    why = f"basis: {kept.basis}" if kept.basis else "no basis given"
    return f"{kept.name} ({kept.keep.days} days, {why})"


def _machine(config: Config, frameworks: tuple[Framework, ...]) -> dict[str, Any]:
    law, shorter = load_law(), _shorter(config)
    certification = load_guide().certification
    standard = certification.standard
    return {
        "at": stamp(now()),
        "editions": [{"title": standard.name, "edition": standard.edition}]
        + [{"title": f.title, "edition": f.edition} for f in frameworks],
        "dates": [
            {"framework": framework.id, "on": one.on.isoformat(), "what": one.what,
             "articles": one.articles, "source": one.source,
             "moved_from": one.moved_from.isoformat() if one.moved_from else ""}
            for framework, one in _in_order(frameworks)
        ],
        "deadlines": [
            {"framework": one.framework, "article": one.article, "duty": one.duty, "by": one.by,
             "to": one.to, "hours": one.limit / timedelta(hours=1) if one.limit else None,
             "counted_from": one.counted_from, "controls": list(one.controls),
             "source": one.source}
            for one in law.deadlines
        ],
        "floors": [
            {"what": floor.what, "article": floor.article, "days": floor.least.days,
             "force": floor.force, "kinds": list(floor.kinds), "source": floor.source,
             "below": [{"class": kept.name, "days": kept.keep.days, "basis": kept.basis}
                       for kept in shorter.get(floor, [])]}
            for floor in law.floors
        ],
        "forgets": [
            {"what": one.what, "days": one.keeps.days, "source": one.source} for one in law.forgets
        ],
        "stages": [
            {"stage": one.name, "what": one.what, "ends_in": one.ends_in}
            for one in certification.stages
        ],
        "audit_rules": [
            {"what": rule.what, "sources": list(rule.sources)} for rule in certification.rules
        ],
    }  # fmt: skip
