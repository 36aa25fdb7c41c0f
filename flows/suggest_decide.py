"""What a named person decides of a proposal: accept it as a tag or a rule, confirm, reject, or take
that back. Each is an act in the lake, sealed at once; `storage/suggestions.py` holds the rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from evidence.errors import ConfigError, HeadwaterError, LakeError
from evidence.model import EvidenceItem
from evidence.people import same_person
from evidence.suggestion import Act, Becomes, Proposal
from flows.changes import Say, standings, tell_changes
from flows.config import Config, load, now
from flows.decision import Decision
from flows.follow import follow
from flows.lookup import find_item
from flows.terminal import printable
from mappings.catalogue import Catalogue
from mappings.rules import RULES
from mappings.suggest.asks import asks
from mappings.suggest.draft import Wish, declared_kinds, draft, write_rule
from mappings.suggest.texts import item_text
from storage.actions import land_own
from storage.lake import Bookmark, Lake
from storage.pages import Connection, all_rows, item_rows
from storage.suggestions import (
    ACCEPTED,
    OPEN,
    find_suggestions,
    suggestion_item,
    suggestions_of,
    told_suggestion,
)
from storage.views import connect

_MOVES = {Act.ACCEPT, Act.CONFIRM, Act.WITHDRAW}
"""The acts by which a control may come to stand otherwise."""
_Facts = dict[str, Any]
_Make = Callable[[Connection], _Facts]


def accept(file: Path, decision: Decision, wish: Wish | None, say: Say) -> int:
    """Accept a proposal: as a tag of its item or, with a wish, as a rule that is drafted for people
    to read, commit and review. Raises ConfigError, MappingError, LakeError."""
    config, by = load(file), decision.named()
    catalogue = config.mapping().catalogue
    written: list[Path] = []

    def make(connection: Connection) -> _Facts:
        row = _found(connection, decision.what, "proposal")
        if row["state"] != OPEN:
            raise ConfigError(f"it is decided already: {told_suggestion(row)}")
        item = _still_holds(connection, row, catalogue)
        facts = _proposed(connection, row) | {
            "answers": row["proposal"], "by": by, "reason": decision.why.strip(),
            "becomes": (Becomes.TAG if wish is None else Becomes.RULE).value,
        }  # fmt: skip
        if wish is None:
            return facts
        file, rule = _drafted(config, item, facts, wish)
        written.append(file)
        return facts | rule

    done = _carry_out(config, Act.ACCEPT, make, say, written)
    for file in written:
        say(printable(f"{file} is in force from the next collection on"))
        say("read it, run `headwater rules test`, commit it, let a second person review it")
    return done


def reject(file: Path, decision: Decision, say: Say) -> int:
    """Reject a proposal: that control is not proposed for that item again.

    Raises ConfigError, LakeError.
    """
    by = decision.named()

    def make(connection: Connection) -> _Facts:
        row = _found(connection, decision.what, "proposal")
        if row["state"] != OPEN:
            raise ConfigError(f"it is decided already: {told_suggestion(row)}")
        return _answer(connection, row, row["proposal"], by, decision.why)

    return _carry_out(load(file), Act.REJECT, make, say)


def confirm(file: Path, decision: Decision, say: Say) -> int:
    """As a second person stand by an acceptance. Raises ConfigError, LakeError."""
    by = decision.named()

    def make(connection: Connection) -> _Facts:
        row = _found(connection, decision.what, "decision")
        if row["state"] != ACCEPTED:
            raise ConfigError(f"nothing waits for a second person: {told_suggestion(row)}")
        if same_person(row["decided_by"], by):
            raise ConfigError(f"--by {by!r}: {by} accepted it; a second person must confirm it")
        return _answer(connection, row, row["decision"], by, decision.why)

    return _carry_out(load(file), Act.CONFIRM, make, say)


def withdraw(file: Path, decision: Decision, say: Say) -> int:
    """Take a decision back, whoever made it: the proposal is open again.

    Raises ConfigError, LakeError.
    """
    by = decision.named()

    def make(connection: Connection) -> _Facts:
        row = _found(connection, decision.what, "decision")
        if row["state"] == OPEN:
            raise ConfigError(f"nothing was decided: {told_suggestion(row)}")
        if row["becomes"] == Becomes.RULE:
            say(printable(f"the rule {row['rule']} stays until somebody takes its file away"))
        return _answer(connection, row, row["decision"], by, decision.why)

    return _carry_out(load(file), Act.WITHDRAW, make, say)


def _found(connection: Connection, what: str, sort: str) -> dict[str, Any]:
    """The one proposal that is meant, by its own id or that of the decision in force."""
    rows = find_suggestions(connection, what)
    if not rows:
        raise LakeError(f"no {sort} has an id that begins with {what!r}: headwater suggest list")
    if len(rows) > 1:
        ids = ", ".join(row["proposal"][:16] for row in rows)
        raise LakeError(f"{what!r} fits more than one proposal: {ids} …")
    return rows[0]


def _still_holds(
    connection: Connection, row: Mapping[str, Any], catalogue: Catalogue
) -> dict[str, Any]:
    """The item, if today's code finds both passages where the proposal says they stand."""
    item = find_item(connection, row["item_id"])
    newest = "SELECT item_id FROM latest WHERE item_id = $id AND change <> 'gone'"
    if not all_rows(connection, newest, {"id": row["item_id"]}):
        raise ConfigError(
            f"item {row['item_id']} was replaced by a newer one or is gone: run `headwater suggest`"
        )
    if item_text(item).place_of(row["said"] or "") is None:
        raise ConfigError(f"the words it cites do not stand in item {row['item_id']}")
    known = {(ask.control, ask.evidence): ask.passage.text for ask in asks(catalogue)}
    if known.get((row["control"], row["evidence"])) != row["asked"]:
        raise ConfigError(
            f"{row['control']} does not ask for {row['evidence']} in these words any more: run "
            "`headwater suggest`"
        )
    return item


def _proposed(connection: Connection, row: Mapping[str, Any]) -> _Facts:
    """What the proposal said, whole: the decision repeats it, and stands by itself."""
    (act,) = item_rows(connection, [row["proposal"]])
    try:
        return Proposal.read(json.loads(act["payload"])).facts()
    except (KeyError, TypeError, ValueError) as error:
        raise LakeError(
            f"the proposal {row['proposal']} cannot be read ({error!r}): run `headwater verify`"
        ) from error


def _answer(
    connection: Connection, row: Mapping[str, Any], answers: str, by: str, why: str
) -> _Facts:
    return _proposed(connection, row) | {"answers": answers, "by": by, "reason": why.strip()}


def _drafted(
    config: Config, item: Mapping[str, Any], facts: _Facts, wish: Wish
) -> tuple[Path, _Facts]:
    """Write the rule's file; it, and what the record says of it."""
    if not config.own_rules:
        raise ConfigError(
            f'{config.file}: [mapping] rules = "…" must name the folder for rules of your own'
        )
    folders = (RULES, *config.own_rules)
    proposal = Proposal.read(facts)
    catalogue = config.mapping().catalogue
    name, text = draft(item, proposal, wish, catalogue, declared_kinds(folders))
    file = write_rule(folders, name, text, item)
    return file, {"rule": name, "rule_sha256": sha256(text.encode()).hexdigest()}


def _carry_out(
    config: Config, act: Act, make: _Make, say: Say, written: Sequence[Path] = ()
) -> int:
    """Decide and land in one go: of two people at once the second sees what the first said.

    `written` are files that the decision makes; without its record none of them stays.
    """
    lake = Lake.open(config.lake, clock=now, redactor=config.redactor())
    before = standings(lake, config) if act in _MOVES else None
    about: list[str] = []
    made: list[_Facts] = []

    def landed(_: Bookmark) -> tuple[tuple[EvidenceItem, ...], None]:
        if not written:  # else the rule that it became lies there already
            with connect(lake) as connection:
                made[:] = [make(connection)]
        facts = made[0]
        about[:] = [facts["item_id"], facts["control"]]
        title = f"{act} by {facts['by']}: {facts['control']} as {facts['evidence']}"
        return (suggestion_item(lake, act, facts, title=title),), None

    try:
        land_own(lake, landed)
    except HeadwaterError:
        for file in written:
            file.unlink(missing_ok=True)
        raise
    follow(lake, config)
    with connect(lake) as connection:
        rows = suggestions_of(connection, about[:1])
    for row in rows:
        if row["control"] == about[1]:
            say(printable(told_suggestion(row)))
            if row["state"] == ACCEPTED and row["becomes"] == Becomes.TAG:
                say("it counts; until a second person confirms it, the board says so:")
                say(f"headwater suggest confirm {row['decision'][:16]} --by NAME --why TEXT")
    say("that is sealed")
    if before is not None:
        tell_changes(before, standings(lake, config), say)
    return 0
