"""Other frameworks: how much of each is carried, by the weakest link, and what stays open."""

from __future__ import annotations

from dashboards import summary
from dashboards.asked import Asked
from dashboards.model import FrameworkRow, RequirementRow
from dashboards.pages.page import Head, Page, facet, found
from dashboards.reads import Reads
from dashboards.tables import Cell, Ref, Table, Word

FILTERS = ("state",)
LEAD = (
    "What the same evidence carries elsewhere, by the weakest link: a row counts in full once a "
    "named person here reviewed it, and a part is never added to another part. Whether a "
    "requirement is met, people decide."
)


def frameworks(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/frameworks`."""
    board = reads.board(asked.as_of)
    columns = ("framework", "edition", *summary.REACHES, "requirements", "rows reviewed", "rows")
    table = Table("frameworks", "Frameworks", columns, tuple(map(_row, board.frameworks)),
                  "The mapping in force holds no other framework.",
                  len(board.frameworks))  # fmt: skip
    return Page(Head.of(board), "Other frameworks", LEAD, tables=(table,))


def _row(known: FrameworkRow) -> tuple[Cell, ...]:
    return (
        Ref("frameworks", known.framework, known.title), known.edition,
        *summary.reaches(known).values(), len(known.requirements), known.reviewed, known.rows,
    )  # fmt: skip


def framework(reads: Reads, key: str, asked: Asked) -> Page:
    """The page of one framework. Raises LookupError."""
    board = reads.board(asked.as_of)
    known = found(board.frameworks, key, lambda one: one.framework)
    state = facet(asked, "state", (one.reach for one in known.requirements), summary.REACHES)
    shown = [one for one in known.requirements if state.value in {"", one.reach}]
    columns = ("requirement", "group", "carried", "by", "failing", "what stays open")
    table = Table("requirements", "Requirements", columns,
                  tuple(map(_requirement, shown)),
                  "No requirement has this.", len(known.requirements))  # fmt: skip
    return Page(Head.of(board), known.title, LEAD, "framework.html", (table,), (state,),
                {"known": known})  # fmt: skip


def _requirement(one: RequirementRow) -> tuple[Cell, ...]:
    return (
        one.requirement, one.group, Word(one.reach), _linked(one.by) or "nothing in date",
        _linked(one.failing) or None, one.open or None,
    )  # fmt: skip


def _linked(ids: tuple[str, ...]) -> tuple[Cell, ...]:
    return tuple(Ref("controls", one, one.partition(":")[2] or one) for one in ids)
