"""Every broken edge of a life cycle, each found by one small check and said in one sentence."""

from __future__ import annotations

from evidence._broken import delivered, followed, governed
from evidence._broken.look import FOLLOW_UP, SILENT, Check, Look
from evidence.trace import Broken, Stage

__all__ = ["ASKED", "BY_OUTCOME", "CHECKS", "FOLLOW_UP", "SILENT", "Check", "Look", "broken_edges"]

BY_OUTCOME = {Stage.APPROVAL, Stage.CHECK, Stage.DEPLOYMENT, Stage.CHANGE}
"""Where a node is asked whether it failed, whomever it names."""
ASKED = ("event:incident_major", "event:significant_change")
"""Events whose items are asked what followed and what they are about, whomever they name."""
CHECKS = (*governed.CHECKS, *delivered.CHECKS, *followed.CHECKS)


def broken_edges(look: Look) -> list[Broken]:
    """Every broken edge as of `look.now` (zone-aware), by system and stage of the life cycle."""
    found = {one: None for check in CHECKS for one in check(look)}
    order = list(Stage)
    return sorted(found, key=lambda b: (b.system, order.index(b.stage), b.about, b.check))
