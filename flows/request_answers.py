"""An auditor's requests: what each is bound to, what is found for it now, and what is late."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.markup import escape

from evidence.canonical import plain
from evidence.errors import ConfigError, HeadwaterError
from evidence.requests import REGISTERS, WAITING, Request, read_request, renewed
from evidence.sampling import draw, proposed
from evidence.times import day_or_time, stamp
from flows.config import Config, load, now
from flows.draft_file import hand_over
from flows.given import given
from flows.moment import Asked, Moment, moment
from flows.sample import control_named
from flows.terminal import Screen, Table, for_machines, printable
from mappings.questions import Question, load_questions
from storage.draws import DrawnFrom, population
from storage.lake import Lake
from storage.pages import Connection, item_rows, known_items, records
from storage.views import ask, connect

_ROW = ("item_id", "source", "kind", "system", "title", "outcome", "observed_to")


@dataclass(frozen=True, slots=True)
class Found:
    """A request with what answers it: rows of its question or sample, ids of items among them.

    `lacks` says why nothing, or not all, was found; empty where something was.
    """

    request: Request
    rows: Sequence[Mapping[str, Any]] = ()
    items: tuple[str, ...] = ()
    lacks: str = ""

    def told(self) -> dict[str, Any]:
        """For machines and packs, JSON-like."""
        asked = self.request
        return {
            "id": asked.id, "text": asked.text, "asked_by": asked.asked_by, "owner": asked.owner,
            "due": stamp(asked.due) if asked.due else None, "state": asked.state,
            "question": asked.question, "sample": asked.sample,
            "with": json.dumps(dict(asked.values), sort_keys=True, ensure_ascii=False),
            "rows": len(self.rows), "items": len(self.items), "lacks": self.lacks,
            "problems": "; ".join(asked.problems),
        }  # fmt: skip


def show(file: Path, asked: Asked | None, *, as_json: bool) -> int:
    """Print each request with what is found for it; 3 if one is late, empty or cannot be read.

    Raises ConfigError, LakeError.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    shown = moment(lake, config, asked)
    found = list(answers(lake, config, shown))
    if as_json:
        told = [one.told() | {"overdue": one.request.overdue(shown.at)} for one in found]
        print(for_machines({"as_of": shown.token, "requests": told}))
    else:
        _print(found, shown)
    needs = (f for f in found if f.request.overdue(shown.at) or f.request.problems or f.lacks)
    return 3 if any(f.request.state in WAITING or f.request.problems for f in needs) else 0


def answers(lake: Lake, config: Config, shown: Moment) -> Iterator[Found]:
    """Every request of the register, in its order, with what answers it as of the moment."""
    questions = load_questions(config.own_questions)
    with connect(lake, **shown.views()) as connection:
        requests = [read_request(row) for row in records(connection, *REGISTERS)]
    named = {one.question for one in requests} & questions.keys()
    beside = given(lake, shown, *(questions[name].sql for name in named))
    with connect(lake, **shown.views(), dimensions=beside) as connection:
        for request in requests:
            try:
                yield _named(connection, _answer(connection, request, shown, questions))
            except HeadwaterError as error:
                yield Found(request, lacks=str(error))


def _answer(
    connection: Connection, request: Request, shown: Moment, questions: Mapping[str, Question]
) -> Found:
    if request.sample:
        return _drawn(connection, request, shown)
    if not request.question:
        told = "" if request.evidence else "it is bound to no question, sample or evidence"
        return Found(request, lacks=told)
    if request.question not in questions:
        raise ConfigError(f"there is no question {request.question!r}: `query --list` shows them")
    question = questions[request.question]
    moments = {p.name for p in question.parameters if p.type == "moment"}
    given = {n: stamp(day_or_time(v)) if n in moments else v for n, v in request.values.items()}
    answer = ask(connection, question.sql, question.values(given))
    rows = [dict(zip(answer.columns, map(_plain, row), strict=True)) for row in answer.rows]
    lacks = "" if rows else question.empty
    if answer.truncated:
        lacks = f"only the first {len(rows)} rows: narrow the question"
    ids = tuple(str(row["item_id"]) for row in rows if row.get("item_id"))
    return Found(request, rows, ids, lacks)


def _drawn(connection: Connection, request: Request, shown: Moment) -> Found:
    told = dict(request.values)
    begin, end = (day_or_time(told[n]) if told.get(n) else None for n in ("since", "until"))
    scope = DrawnFrom(
        control_named(shown.mapping.catalogue, told.get("control", "")), told.get("system"),
        tuple(sorted(filter(None, told.get("kinds", "").split(",")))), begin, end,
    )  # fmt: skip
    if not (scope.control or scope.kinds):
        raise ConfigError("`sample` says not from what to draw: control, or kinds")
    ids = population(connection, scope)
    if not ids:
        return Found(request, lacks="the population is empty")
    frequency = told.get("frequency", "many-a-day")
    size = int(told["size"]) if told.get("size", "").isdecimal() else proposed(frequency, len(ids))
    drawn = draw(ids, told.get("seed", ""), size)
    rows = {row["item_id"]: row for row in item_rows(connection, drawn)}
    return Found(request, [{n: plain(rows[i][n]) for n in _ROW} for i in drawn], drawn)


def _named(connection: Connection, found: Found) -> Found:
    """With the items that the record names itself, by their whole ids; one that is not is said."""
    wanted = found.request.evidence
    if not wanted:
        return found
    known = known_items(connection, set(wanted))
    missing = [one[:20] for one in wanted if one not in known]
    lacks = f"the lake does not hold {', '.join(missing)}" if missing else found.lacks
    return replace(found, items=(*found.items, *sorted(known.values())), lacks=lacks)


def _plain(value: object) -> Any:
    try:
        return plain(value)
    except HeadwaterError:
        return str(value)  # a type of the engine's own, such as an interval


def renew(file: Path, year: int, output: Path | None, asked: Asked | None) -> int:
    """Write next year's register: dates and periods moved, states open, withdrawn ones left out.

    0; raises ConfigError.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    with moment(lake, config, asked).connect(lake) as connection:
        found = [read_request(row) for row in records(connection, *REGISTERS)]
    kept = [one for one in found if one.state != "withdrawn" and one.due is not None]
    if not kept:
        raise ConfigError("no request with a day by which it is due was collected")
    last = max(one.due.year for one in kept if one.due)
    if year <= last:
        raise ConfigError(f"{year} is no later year: the list has requests due in {last}")
    lines = [
        f"# The requests of {last}, moved to {year}. Read each before you take `draft` out.",
        "draft: true", "register: requests", "records:",
        *(f"  - {json.dumps(renewed(one, year - last, year), ensure_ascii=False)}" for one in kept),
    ]  # fmt: skip
    text = "\n".join(lines) + "\n"
    return hand_over(text, output, f"{len(kept)} requests")


def _print(found: Sequence[Found], shown: Moment) -> None:
    console = Screen(highlight=False)
    console.print(f"as of {shown.token}", soft_wrap=True)
    if not found:
        console.print("No register of requests is collected: docs/audits.md shows one.")
        return
    table = Table("id", "asked", "by", "owner", "due", "state", "found", "lacks")
    for one in found:
        asked = one.request
        late = asked.overdue(shown.at)
        cells = (
            asked.id, asked.text, asked.asked_by, asked.owner,
            (f"{asked.due:%Y-%m-%d}" if asked.due else "") + (" late" if late else ""),
            asked.state, str(len(one.rows) or len(one.items)),
            "; ".join(filter(None, (*asked.problems, one.lacks))),
        )  # fmt: skip
        style = "yellow" if late else ""
        table.add_row(*(escape(printable(cell)) for cell in cells), style=style)
    console.print(table)
