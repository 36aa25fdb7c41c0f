"""Status names who answers for what it tells."""

from __future__ import annotations

from dataclasses import replace

from dashboards.model import Attention, SystemRow
from flows.status import owners
from tests.dashboards.boards import demo_board

DEMO = demo_board()
FIRST, SECOND = DEMO.controls[:2]
BOARD = replace(
    DEMO,
    systems=(SystemRow("", "Organisation"), SystemRow("chat", "Chat", owner="Ada"),
             SystemRow("scoring", "Scoring")),
    controls=(replace(FIRST, owner="Ben"), replace(SECOND, owner="Cid")),
)  # fmt: skip


def note(**given: object) -> Attention:
    return Attention("stale", "It is old.", "Renew it.", **given)  # type: ignore[arg-type]


def test_the_owner_of_the_system_goes_before_those_of_the_controls() -> None:
    both = (FIRST.control, SECOND.control)
    assert owners(BOARD, note(system="chat", control=FIRST.control)) == ("Ada",)
    assert owners(BOARD, note(system="scoring", control=FIRST.control)) == ("Ben",)
    assert owners(BOARD, note(control=FIRST.control, controls=both)) == ("Ben", "Cid")
    assert owners(BOARD, note()) == ()
