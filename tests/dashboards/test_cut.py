"""A board that is cut says nothing of what is left out, on any page that a limited access opens."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dashboards.access import Reader, Role
from dashboards.asked import Asked
from dashboards.cut import cut
from dashboards.links import Address, Served
from dashboards.machine import as_json
from dashboards.model import Attention, Board, cause_of_draft
from dashboards.pages import ONE, WHOLE
from dashboards.pages.page import Page
from dashboards.render import render_page
from evidence.excerpt import Excerpt
from tests.dashboards.boards import cut_reads_of, demo_board

BOARD = demo_board()
ONE_SYSTEM = Excerpt(systems=("credit-scoring",))
ONE_CONTROL = Excerpt(controls=("iso42001:A.6.2.4",))


def made(excerpt: Excerpt) -> Board:
    return cut(BOARD, excerpt, evidence={}, items={}, totals={}, number=7)


def drawn(board: Board) -> str:
    """Every page of the cut board as text, and what programs get."""
    reads = cut_reads_of(board)
    pages: list[tuple[Address, Page]] = []
    for kind in ("overview", "controls", "systems", "due"):
        pages.append((Address(kind), WHOLE[kind].make(reads, "", Asked())))
    for row in board.controls:
        address = Address("controls", row.control)
        pages.append((address, ONE["controls"].make(reads, row.control, Asked())))
    text = "".join(render_page(page, Served(address, "", {})) for address, page in pages)
    return text + json.dumps(as_json(board))


def test_of_one_system_no_other_is_named() -> None:
    text = drawn(made(ONE_SYSTEM))
    for hidden in ("churn-predictor", "Churn predictor", "ticket-triage", "Tom Okafor", "Mei Tan"):
        assert hidden not in text
    assert "Your access shows" in text
    assert "no source is configured" not in text
    for untrue in ("Nothing of it is waived", "carries nothing", "Nothing landed of it"):
        assert untrue not in text


@pytest.mark.parametrize(
    "excerpt",
    [ONE_SYSTEM, ONE_CONTROL, Excerpt(since=BOARD.as_of)], ids=["system", "control", "period"],
)  # fmt: skip
def test_of_no_part_a_draft_is_told(excerpt: Excerpt) -> None:
    one = Attention(
        "judgement", "The draft waits", "", control="iso42001:A.6.2.4", system="credit-scoring",
        cause=cause_of_draft("0f3c"),
    )  # fmt: skip
    board = replace(BOARD, attention=(one, replace(one, cause="other")))
    left = cut(board, excerpt, evidence={}, items={}, totals={}, number=7).attention
    assert [note.cause for note in left] == ["other"]


def test_of_one_system_the_word_stays_that_of_all_and_the_counts_are_its_own() -> None:
    board = made(ONE_SYSTEM)
    for row, whole in zip(board.controls, BOARD.controls, strict=True):
        assert row.standing.standing is whole.standing.standing
        assert {v.system for v in row.standing.verdicts} <= {"credit-scoring"}
        assert row.standing.expected == len(row.standing.verdicts)
    assert (board.sources, board.queue, board.frameworks) == ((), (), ())
    assert board.lake.items == 7
    assert as_json(board)["excerpt"] == ONE_SYSTEM.sentence


def test_of_one_control_no_other_is_shown() -> None:
    board = made(ONE_CONTROL)
    assert [row.control for row in board.controls] == ["iso42001:A.6.2.4"]
    assert {a.control for a in board.attention} <= {"iso42001:A.6.2.4"}
    text = drawn(board)
    assert "A.10.3" not in text
    assert "A.5.2" not in text


@pytest.mark.parametrize(
    "path",
    ["/sources", "/sources.csv", "/sources/jira", "/queue", "/frameworks/x", "/review", "/changes",
     "/documents", "/documents.csv",
     "/board.html", "/metrics", "/board", "//", "/.csv", "/controlsx", "items/x", ""],
)  # fmt: skip
def test_pages_that_speak_of_the_whole_refuse(path: str) -> None:
    assert Reader("x", "", Role.AUDITOR, ONE_SYSTEM).refused(path)
    assert not Reader("x", "", Role.AUDITOR).refused(path)


@pytest.mark.parametrize(
    "path", ["/", "/board.json", "/controls", "/controls.csv", "/controls/x", "/due", "/query",
             "/query/what-landed.csv", "/items/x", "/systems.json"]
)  # fmt: skip
def test_pages_that_can_be_cut_answer(path: str) -> None:
    assert not Reader("x", "", Role.AUDITOR, ONE_SYSTEM).refused(path)
