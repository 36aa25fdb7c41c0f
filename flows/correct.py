"""Say that a landed item is wrong, stand by it as a second person, or take it back.

Each is an act in the lake, sealed at once; `storage/corrections.py` says what counts from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape

from evidence.correction import BAD, Act, Correction, Wrong
from evidence.errors import ConfigError, LakeError
from evidence.model import EvidenceItem
from evidence.own import CORRECTION_KIND, OWN_SOURCE
from evidence.people import person, same_person
from flows.changes import Say, standings, tell_changes
from flows.config import Config, load, now
from flows.follow import follow
from flows.lookup import SIGNS, find_item
from flows.terminal import Screen, Table, printable
from storage.actions import land_own
from storage.corrections import correction_item, told_correction
from storage.lake import Bookmark, Lake
from storage.pages import Connection, all_rows, corrections_of
from storage.views import connect

_Made = tuple[Act, dict[str, Any], str]
_Make = Callable[[Connection], _Made]
_CONFIRM = "headwater correct confirm {} --by NAME"


def correct(
    file: Path, what: str, wrong: str, holds: str | None, by: str, why: str, say: Say
) -> int:
    """Land the correction of an item (id, or at least 6 signs of it) and say what it changed.

    Raises ConfigError, LakeError.
    """
    _long_enough(what)
    if wrong not in set(Wrong):
        raise ConfigError(f"--wrong {wrong!r}: choose one of {', '.join(Wrong)}")
    if holds is None and wrong != Wrong.MISTAKE:
        raise ConfigError(f"--holds is missing: say which {wrong} holds instead")

    def make(connection: Connection) -> _Made:
        item = find_item(connection, what)
        made = _correction(connection, item, Wrong(wrong), holds or "", by, why)
        return Act.CORRECT, made.facts(), f"correction: {item['title']} {made.sentence}"

    return _carry_out(file, make, say)


def answer(file: Path, act: Act, what: str, by: str, why: str, say: Say) -> int:
    """Confirm or withdraw a correction, named by its id, its item's, or its withdrawal's.

    Raises ConfigError, LakeError.
    """
    _long_enough(what)
    name = _name(by)
    if act is Act.WITHDRAW and not why.strip():
        raise ConfigError("--why is empty: say why, it stands in the record")

    def make(connection: Connection) -> _Made:
        row = _correction_named(connection, what)
        answers = _to_confirm(row, what, name) if act is Act.CONFIRM else _to_withdraw(row)
        facts = {"item_id": row["item_id"], "answers": answers, "by": name, "reason": why}
        return act, facts, f"{act}: correction {row['correction'][:16]}"

    return _carry_out(file, make, say)


def show(file: Path) -> int:
    """Print every correction, the newest first, with what stands of it."""
    sql = """SELECT c.*, title FROM corrections c LEFT JOIN evidence USING (item_id)
        ORDER BY corrected_at DESC, correction"""
    with connect(_open(load(file))) as connection:
        rows = all_rows(connection, sql)
    console = Screen(highlight=False)
    if not rows:
        console.print("Nothing was corrected.")
        return 0
    table = Table("item", "title", "what stands")
    for row in rows:
        title = row["title"] or "(disposed of)"
        table.add_row(
            row["item_id"][:16], escape(printable(title)), escape(printable(told_correction(row)))
        )
    console.print(table)
    return 0


def _long_enough(what: str) -> None:
    if len(what) < SIGNS:
        raise ConfigError(f"{what!r}: an id needs at least {SIGNS} signs")


def _name(by: str) -> str:
    try:
        return person(by)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _correction(
    connection: Connection, item: Mapping[str, Any], wrong: Wrong, holds: str, by: str, why: str
) -> Correction:
    _only_evidence(item)
    if wrong is Wrong.DUPLICATE and holds:
        _long_enough(holds)
        holds = find_item(connection, holds)["item_id"]
    try:
        made = Correction(item["item_id"], wrong, holds, by, why)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if holds == item.get("item_id" if wrong is Wrong.DUPLICATE else wrong.value):
        raise ConfigError(f"--holds {holds!r}: that is what the item says already")
    for known in corrections_of(connection, [item["item_id"]]):
        same = (known["wrong"], known["holds"]) == (wrong, holds)
        if same and known["state"] in {"in force", "overriding"}:
            raise ConfigError(f"that is said already, {told_correction(known)}")
    return made


def _only_evidence(item: Mapping[str, Any]) -> None:
    if item["kind"] == CORRECTION_KIND:
        raise ConfigError(
            f"item {item['item_id']} is a correction itself: `headwater correct withdraw` takes it "
            "back"
        )
    if item["kind"].startswith(f"{OWN_SOURCE}."):
        raise ConfigError(
            f"item {item['item_id']} is Headwater's own record ({item['kind']}): it tells what "
            "happened, and is not corrected"
        )


def _correction_named(connection: Connection, what: str) -> dict[str, Any]:
    """The one correction; by its item's id only if no other of that item is open."""
    sql = """SELECT * FROM corrections WHERE starts_with(correction, $what)
            OR starts_with(coalesce(withdrawal, ''), $what)
            OR (starts_with(item_id, $what) AND state <> 'withdrawn')
        ORDER BY corrected_at, correction"""
    rows = all_rows(connection, sql, {"what": what})
    if not rows:
        raise LakeError(
            f"no correction has an id that begins with {what!r}, nor has such an item one that "
            "stands; see `headwater correct list`"
        )
    if len(rows) > 1:
        ids = ", ".join(row["correction"][:16] for row in rows)
        raise LakeError(f"{what!r} fits more than one correction: {ids} …")
    return rows[0]


def _to_confirm(row: Mapping[str, Any], what: str, by: str) -> str:
    """The act that is confirmed. Raises ConfigError."""
    if row["state"] == "withdrawn":
        raise ConfigError(f"it was withdrawn: {told_correction(row)}")
    if row["state"] == "withdrawal asked":
        if not row["withdrawal"].startswith(what):
            raise ConfigError(
                f"{row['withdrawn_by']} asks to withdraw it; to stand by that: "
                + _CONFIRM.format(row["withdrawal"][:16])
            )
        return _second(row["withdrawal"], row["withdrawn_by"], by)
    if row["confirmed_by"]:
        raise ConfigError(f"it is confirmed already: {told_correction(row)}")
    if row["wrong"] == Wrong.OUTCOME and row["holds"] in BAD:
        raise ConfigError("one person is enough to say that an item failed: it counts already")
    return _second(row["correction"], row["corrected_by"], by)


def _second(act: str, first: str, by: str) -> str:
    if same_person(first, by):
        raise ConfigError(f"--by {by!r}: {first} said so first; a second person must confirm it")
    return act


def _to_withdraw(row: Mapping[str, Any]) -> str:
    """The act that is withdrawn. Raises ConfigError."""
    if row["state"] in {"withdrawn", "withdrawal asked"}:
        raise ConfigError(f"that was asked already, {told_correction(row)}")
    return str(row["correction"])


def _carry_out(file: Path, make: _Make, say: Say) -> int:
    """Decide and land in one go: of two people at once the second sees what the first said."""
    config = load(file)
    lake = _open(config)
    before = standings(lake, config)

    def landed(_: Bookmark) -> tuple[tuple[EvidenceItem, ...], None]:
        with connect(lake) as connection:
            act, facts, title = make(connection)
        corrected.append(facts["item_id"])
        return (correction_item(lake, act, facts, title=title),), None

    corrected: list[str] = []
    land_own(lake, landed)
    follow(lake, config)
    _tell(lake, corrected[-1], say)
    tell_changes(before, standings(lake, config), say)
    return 0


def _tell(lake: Lake, item_id: str, say: Say) -> None:
    """What stands now, as the lake has it: not what somebody meant."""
    with connect(lake) as connection:
        rows = corrections_of(connection, [item_id])
        item = find_item(connection, item_id)
    say(printable(f"item {item_id} {item['title']}"))
    for row in rows:
        say(printable(f"  {told_correction(row)}"))
    standing = [row for row in rows if row["state"] != "withdrawn"]
    for line in _counts(item, standing):
        say(printable(f"  {line}"))
    say("  that is sealed")


def _counts(item: Mapping[str, Any], standing: list[dict[str, Any]]) -> list[str]:
    """What the item counts as; and what a second person could confirm."""
    if not standing:
        return ["nothing corrects it any more: it counts as it was collected"]
    lines = ["it proves nothing"]
    if standing[0]["overridden"]:
        lines = ["it proves nothing and, overridden by two people, counts against nothing"]
    elif standing[0]["fails"] or item["outcome"] in BAD:
        lines = ["it proves nothing, and counts as a failure"]
    for row in standing:
        if row["state"] == "withdrawal asked":
            lines.append(f"withdrawn once confirmed: {_CONFIRM.format(row['withdrawal'][:16])}")
        elif row["state"] == "in force" and not row["fails"]:
            lines.append(
                "what it says against a control counts until a second person confirms: "
                + _CONFIRM.format(row["correction"][:16])
            )
    return lines


def _open(config: Config) -> Lake:
    return Lake.open(config.lake, clock=now, redactor=config.redactor())
