"""What a named person decides of a draft: accept it, reject it, or take that back. Each is an act
in the lake, sealed at once; none of them makes evidence of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evidence.draft import Act, Given
from evidence.errors import ConfigError, LakeError
from evidence.model import EvidenceItem
from flows.config import Config, load
from flows.decision import Decision
from flows.draft import Say, open_lake, the_draft
from flows.draft_matter import Desk
from flows.draft_page import page
from flows.follow import follow
from flows.terminal import printable
from storage.actions import land_own
from storage.drafts import ABSTAINED, OPEN, draft_item, find_drafts, told_draft
from storage.lake import Bookmark, Lake
from storage.pages import Connection, item_rows
from storage.views import connect

_Facts = dict[str, Any]
_Make = Callable[[Connection], tuple[str, _Facts]]
"""The id of the draft, and the facts of the act about it."""


def accept(file: Path, decision: Decision, output: Path | None, say: Say) -> int:
    """Accept a draft as its person's own word, and hand it over as a file; 0.

    Refused where what it rests on has changed, or stands worse than when it was drafted. Raises
    ConfigError, LakeError.
    """
    config, by = load(file), decision.named()
    if output is not None and (output.exists() or not output.parent.is_dir()):
        raise ConfigError(f"{output} is there already, or its folder is not: name a new file")
    lake = open_lake(config)
    desk = Desk(lake, config, 1)

    def make(connection: Connection) -> tuple[str, _Facts]:
        row = _undecided(connection, decision.what)
        facts = _drafted(connection, row)
        _still_holds(desk, row, facts)
        return row["draft"], _answer(facts, row["draft"], by, decision.why)

    row = _carry_out(lake, config, Act.ACCEPT, make, say)
    return page(row, output) if output is not None else 0


def reject(file: Path, decision: Decision, say: Say) -> int:
    """Reject a draft; 0. Raises ConfigError, LakeError."""
    config, by = load(file), decision.named()

    def make(connection: Connection) -> tuple[str, _Facts]:
        row = _undecided(connection, decision.what)
        facts = _answer(_drafted(connection, row), row["draft"], by, decision.why)
        return row["draft"], facts

    _carry_out(open_lake(config), config, Act.REJECT, make, say)
    return 0


def withdraw(file: Path, decision: Decision, say: Say) -> int:
    """Take a decision back, whoever made it: the draft is open again; 0.

    Raises ConfigError, LakeError.
    """
    config, by = load(file), decision.named()

    def make(connection: Connection) -> tuple[str, _Facts]:
        row = the_draft(find_drafts(connection, decision.what), decision.what)
        if not row["decision"]:
            raise ConfigError(f"nothing was decided: {told_draft(row)}")
        facts = _answer(_drafted(connection, row), row["decision"], by, decision.why)
        return row["draft"], facts

    _carry_out(open_lake(config), config, Act.WITHDRAW, make, say)
    return 0


def _undecided(connection: Connection, what: str) -> Mapping[str, Any]:
    row = the_draft(find_drafts(connection, what), what)
    if row["state"] == ABSTAINED:
        raise ConfigError(f"there is nothing to decide: {told_draft(row)}")
    if row["state"] != OPEN:
        raise ConfigError(f"it is decided already: {told_draft(row)}")
    return row


def _drafted(connection: Connection, row: Mapping[str, Any]) -> _Facts:
    """What the draft said, whole: the decision repeats it, and stands by itself."""
    (act,) = item_rows(connection, [row["draft"]])
    facts: _Facts = json.loads(act["payload"])
    if lacks := [name for name in _NEEDED if name not in facts]:
        raise LakeError(
            f"the draft {row['draft']} cannot be read: it has no {', '.join(lacks)}: run "
            "`headwater verify`"
        )
    return {name: value for name, value in facts.items() if name not in _OWN}


_OWN = {"form", "what", "account", "code_version"}
_NEEDED = ("task", "about", "text", "text_sha256", "cited", "given", "controls")


def _still_holds(desk: Desk, row: Mapping[str, Any], facts: _Facts) -> None:
    """Raises ConfigError if an item that it rests on stands otherwise than when it was drafted."""
    if row["outdated"]:
        raise ConfigError("what it rests on has changed since: draft it anew")
    then = {one["item_id"]: one for one in facts["given"]}
    with desk.connect() as connection:
        for one in desk.given(connection, facts["cited"], facts["controls"]):
            _stands_as(one, then.get(one.item_id))


def _stands_as(one: Given, then: Mapping[str, Any] | None) -> None:
    if then is None:
        raise LakeError("the draft rests on an item that it was not given: run `headwater verify`")
    worse = one.words - set(then["flaws"])
    if worse or (then["in_date"] and not one.in_date):
        why = "; ".join(flaw.why for flaw in one.flaws)
        raise ConfigError(
            f"item {one.item_id[:16]} stands otherwise than when this was drafted ({why}): draft "
            "it anew"
        )


def _answer(facts: _Facts, answers: str, by: str, why: str) -> _Facts:
    return facts | {"answers": answers, "by": by, "reason": why.strip()}


def _carry_out(lake: Lake, config: Config, act: Act, make: _Make, say: Say) -> Mapping[str, Any]:
    """Decide and land in one go: of two people at once the second sees what the first said."""
    decided: list[str] = []

    def landed(_: Bookmark) -> tuple[tuple[EvidenceItem, ...], None]:
        with connect(lake) as connection:
            draft, facts = make(connection)
        decided[:] = [draft]
        title = f"{act} by {facts['by']}: {facts['about']}"
        return (draft_item(lake, act, facts, title=title),), None

    land_own(lake, landed)
    follow(lake, config)
    with connect(lake) as connection:
        row = the_draft(find_drafts(connection, decided[0]), decided[0])
    say(printable(told_draft(row)))
    say("that is sealed; no control stands otherwise: a draft is no evidence")
    return row
