"""Attacks on a sealed lake, each with the kind of finding by which `verify` must name it.

Each works on a copy (`storage.trial`). It returns the words that the finding must hold, such as
the id of the item it altered, or raises NotApplicable.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from evidence.model import EvidenceItem
from storage.checkpoints import CHECKPOINT, history_name, history_sizes, read_checkpoint
from storage.files import read_rows
from storage.forging import (
    Change,
    Field,
    NotApplicable,
    Row,
    append_rows,
    cover_tracks,
    edited,
    false_rewrite,
    lie_in_checkpoint,
    only,
    redone,
    remove,
    replace_file,
    rewrite,
    whole,
)
from storage.keys import load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.log_packs import packs
from storage.merkle import leaf_hash
from storage.place_local import LocalPlace
from storage.rows import evidence_rows, leaf_data

Plant = Callable[[Field], str]


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done, and the kinds of finding of which one must name it.

    `note` says that a finding that is no failure is enough: what it shows may be innocent.
    """

    name: str
    kinds: frozenset[str]
    plant: Plant
    note: bool = False


ATTACKS: list[Attack] = []


def _attack(name: str, *kinds: str, note: bool = False) -> Callable[[Plant], Plant]:
    def keep(plant: Plant) -> Plant:
        ATTACKS.append(Attack(name, frozenset(kinds), plant, note))
        return plant

    return keep


def _edit(field: Field, item_id: str, change: Change) -> str:
    rewrite(field.file_of(item_id), only(item_id, change))
    return item_id


@_attack("edit a payload", "edited")
def _payload(field: Field) -> str:
    return _edit(field, field.middle, lambda row: [row | {"payload": '{"forged":true}'}])


@_attack("edit a title", "edited")
def _title(field: Field) -> str:
    return _edit(field, field.middle, lambda row: [row | {"title": "Nothing to see"}])


@_attack("edit an outcome", "edited")
def _outcome(field: Field) -> str:
    return _edit(field, field.ids[0], lambda row: [row | {"outcome": _other(row["outcome"])}])


def _other(outcome: str) -> str:
    return "recorded" if outcome == "passed" else "passed"


@_attack("edit a time", "edited")
def _time(field: Field) -> str:
    day = timedelta(days=1)
    return _edit(
        field, field.ids[-1], lambda row: [row | {"observed_to": row["observed_to"] + day}]
    )


@_attack("edit a title, file digest redone in the log", "edited")
def _title_covered(field: Field) -> str:
    item_id, file = field.middle, field.file_of(field.middle)
    change = edited(item_id, title="Nothing to see")
    cover_tracks(field, "evidence", file, lambda: rewrite(file, change))
    return item_id


@_attack("edit a payload, every digest and id redone", "missing", "rewrite")
def _payload_covered(field: Field) -> str:
    item_id, file = field.middle, field.file_of(field.middle)

    def change(row: Row) -> Sequence[Row]:
        forged = redone(whole(row, file) | {"payload": '{"forged":true}'})
        return [{name: forged[name] for name in row}]

    cover_tracks(field, "evidence", file, lambda: rewrite(file, only(item_id, change)))
    return item_id


@_attack("edit a title, its leaf redone in the ledger", "edited")
def _title_and_leaf(field: Field) -> str:
    return _redo_leaf(field)


@_attack("edit a title, its leaf redone, the tree taken away", "rewrite")
def _title_and_tree(field: Field) -> str:
    _redo_leaf(field)
    remove(field.path / "log" / "tile")
    return "history was rewritten"


def _redo_leaf(field: Field) -> str:
    item_id, file = field.middle, field.file_of(field.middle)
    change = edited(item_id, title="Nothing to see")
    cover_tracks(field, "evidence", file, lambda: rewrite(file, change))
    partition = {"month": file.parent.name.partition("=")[2]}
    rows = read_rows(file, partition).to_pylist()
    (row,) = (row for row in rows if row["item_id"] == item_id)
    leaf = leaf_hash(leaf_data(row)).hex()
    _edit_leaf(field, item_id, leaf)
    return item_id


def _edit_leaf(field: Field, item_id: str, leaf: str) -> None:
    for file in field.files("leaves"):
        change = partial(rewrite, file, edited(item_id, leaf_hash=leaf))
        cover_tracks(field, "leaves", file, change)


def _drop(field: Field, item_id: str, where: str) -> str:
    file = field.file_of(item_id)
    change = only(item_id, lambda _: [])
    cover_tracks(field, "evidence", file, lambda: rewrite(file, change))
    return where


@_attack("drop the first item", "missing")
def _head(field: Field) -> str:
    return _drop(field, field.ids[0], "at the head")


@_attack("drop an item in the middle", "missing")
def _middle(field: Field) -> str:
    return _drop(field, field.middle, "in the middle")


@_attack("drop the last item", "missing")
def _tail(field: Field) -> str:
    return _drop(field, field.ids[-1], "at the tail")


@_attack("delete a data file", "file", "partition")
def _file(field: Field) -> str:
    file = field.file_of(field.middle)
    remove(file)
    return file.parent.name


@_attack("delete a month", "partition")
def _month(field: Field) -> str:
    folder = field.file_of(field.middle).parent
    remove(folder)
    return folder.name


@_attack("delete the log of the evidence", "gone")
def _log(field: Field) -> str:
    remove(field.path / "evidence" / "_delta_log")
    return "evidence"


@_attack("delete everything", "gone")
def _everything(field: Field) -> str:
    remove(field.path)
    return "evidence"


@_attack("delete everything and begin a new lake", "leaves", "missing", "rollback")
def _new_lake(field: Field) -> str:
    remove(field.path)
    Lake.create(field.path, clock=field.clock)
    return ""


@_attack("put an item into a sealed file", "extra")
def _behind(field: Field) -> str:
    item_id, file = field.middle, field.file_of(field.middle)
    planted = []

    def change(row: Row) -> Sequence[Row]:
        forged = redone(whole(row, file) | {"subject": "planted"})
        planted.append(forged["item_id"])
        return [row, {name: forged[name] for name in row}]

    cover_tracks(field, "evidence", file, lambda: rewrite(file, only(item_id, change)))
    return str(planted[0])


@_attack("land an item twice", "twice")
def _twice(field: Field) -> str:
    append_rows(field, [_row(field, field.middle)])
    return field.middle


def _row(field: Field, item_id: str) -> Row:
    file = field.file_of(item_id)
    partition = {"month": file.parent.name.partition("=")[2]}
    found: list[Row] = read_rows(file, partition).to_pylist()
    return next(row for row in found if row["item_id"] == item_id)


@_attack("swap two files", "file")
def _swap(field: Field) -> str:
    files = field.files("evidence")
    if len(files) < 2:
        raise NotApplicable("the evidence lies in one file")
    one, other = files[0].read_bytes(), files[-1].read_bytes()
    replace_file(files[0], other)
    replace_file(files[-1], one)
    return files[0].name


def _item(field: Field, number: int) -> EvidenceItem:
    at = field.clock()
    return EvidenceItem(
        source="selftest", kind="selftest.item", subject=f"selftest-{number}", observed_from=at,
        observed_to=at, collected_at=at, payload={"number": number}, title="For the trial",
    )  # fmt: skip


def _land(field: Field, *numbers: int) -> None:
    items = [_item(field, number) for number in numbers]
    bookmark = field.lake.bookmark("selftest")
    field.lake.land("selftest", items, bookmark=bookmark, cursor=None, pull_id="selftest")


def _seal(field: Field, *, witness: bool = True) -> None:
    integrate(field.lake, field.signer, witness=field.witness if witness else None)


def _aside(field: Field) -> Path:
    kept = field.folder / "older"
    shutil.copytree(field.path, kept)
    return kept


def _back(field: Field, kept: Path) -> None:
    remove(field.path)
    kept.rename(field.path)


@_attack("replay an older copy of the whole lake", "rollback")
def _replay(field: Field) -> str:
    kept = _aside(field)
    _land(field, 1, 2)
    _seal(field)
    _back(field, kept)
    return "set back"


@_attack("cut the log, the ledger and the checkpoint together", "rollback")
def _cut(field: Field) -> str:
    before = {table: len(field.entries(table)) for table in field.lake.tables}
    sealed = history_sizes(LocalPlace(field.path))[-1]
    _land(field, 1)
    _seal(field)
    for table, kept in before.items():
        for entry in field.entries(table)[kept:]:
            remove(entry)
        for short in (field.path / table / "_delta_log").glob("*checkpoint*"):
            remove(short)
    remove(field.path / history_name(history_sizes(LocalPlace(field.path))[-1]))
    replace_file(field.path / CHECKPOINT, (field.path / history_name(sealed)).read_bytes())
    return "set back"


@_attack("fork: another history of the same length, signed by the same key", "rewrite", "fork")
def _fork(field: Field) -> str:
    kept = _aside(field)
    _land(field, 1)
    _seal(field)
    _back(field, kept)
    _land(field, 2)
    _seal(field, witness=False)
    return ""


@_attack("fork: a longer history, signed by the same key", "rewrite", "fork")
def _longer_fork(field: Field) -> str:
    kept = _aside(field)
    _land(field, 1)
    _seal(field)
    _back(field, kept)
    _land(field, 2, 3, 4)
    _seal(field, witness=False)
    return ""


@_attack("back-date: an item that claims to have landed long ago", "clock", note=True)
def _back_dated(field: Field) -> str:
    past = field.clock() - timedelta(days=365)
    rows = evidence_rows([_item(field, 1)], landed_at=past, pull_id="selftest").to_pylist()
    append_rows(field, rows)
    return "backwards"


@_attack("set the clock back while landing and sealing", "clock", note=True)
def _clock_back(field: Field) -> str:
    earlier = Field(field.folder, field.signer, lambda: field.clock() - timedelta(days=365))
    _land(earlier, 1)
    _seal(earlier)
    return "backwards"


@_attack("a checkpoint signed by another key", "signature")
def _other_key(field: Field) -> str:
    make_key(field.folder / "other", origin=field.signer.origin)
    other = load_key(field.folder / "other")
    remove(field.path / CHECKPOINT)
    for size in history_sizes(LocalPlace(field.path)):
        remove(field.path / history_name(size))
    integrate(field.lake, other)
    return "not signed by"


@_attack("a checkpoint with its size altered", "signature")
def _altered_note(field: Field) -> str:
    path = field.path / CHECKPOINT
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[1] = str(int(lines[1]) - 1)
    replace_file(path, "\n".join(lines).encode())
    return "does not hold"


@_attack("remove the checkpoint", "seal")
def _no_checkpoint(field: Field) -> str:
    remove(field.path / CHECKPOINT)
    return "missing"


@_attack("a checkpoint from the future", "future", "leaves")
def _future(field: Field) -> str:
    head = read_checkpoint(field.lake)
    forged = field.signer.sign(head.size + 7, b"\x07" * 32, head.chain, head.followers)
    replace_file(field.path / CHECKPOINT, forged.text.encode())
    return str(head.size + 7)


def _edit_entry(field: Field, table: str, change: Callable[[list[Row]], None]) -> None:
    """Alter the newest entry of a log that adds files."""
    for entry in reversed(field.entries(table)):
        actions = [json.loads(line) for line in entry.read_text(encoding="utf-8").splitlines()]
        if any("add" in action for action in actions):
            change(actions)
            replace_file(entry, "".join(json.dumps(action) + "\n" for action in actions).encode())
            return
    raise NotApplicable(f"no entry of the log of {table} lies as a file")


@_attack("a kept checkpoint with another root, signed by the same key", "rewrite", "fork")
def _kept_checkpoint(field: Field) -> str:
    size = history_sizes(LocalPlace(field.path))[0]
    head = read_checkpoint(field.lake)
    forged = field.signer.sign(size, b"\x05" * 32, head.chain, head.followers)
    replace_file(field.path / history_name(size), forged.text.encode())
    return ""


@_attack("edit a source's cursor in the log", "log")
def _cursor(field: Field) -> str:
    def change(actions: list[Row]) -> None:
        for action in actions:
            if "commitInfo" in action:
                action["commitInfo"].setdefault("headwater", {})["cursor"] = "long ago"

    _edit_entry(field, "evidence", change)
    return "is not the one that was sealed"


@_attack("hide a file from readers by a false statistic in the log", "log")
def _statistic(field: Field) -> str:
    def change(actions: list[Row]) -> None:
        for action in actions:
            if "add" in action:
                stats = json.loads(action["add"]["stats"])
                stats["minValues"]["landed_at"] = "2999-01-01T00:00:00.000000Z"
                action["add"]["stats"] = json.dumps(stats)

    _edit_entry(field, "evidence", change)
    return "is not the one that was sealed"


@_attack("hide a file from readers by a false statistic in their short cut", "log")
def _short_cut_statistic(field: Field) -> str:
    def lie(add: Any) -> Row:
        stats = json.loads(add["stats"])
        stats["minValues"]["landed_at"] = "2999-01-01T00:00:00.000000Z"
        return dict(add) | {"stats": json.dumps(stats)}

    lie_in_checkpoint(field, "evidence", lie)
    return "are told otherwise"


@_attack("leave a file out of the readers' short cut", "log")
def _short_cut(field: Field) -> str:
    hidden = field.file_of(field.middle).name
    lie_in_checkpoint(field, "evidence", lambda add: None if hidden in add["path"] else dict(add))
    return "are not shown 1 files"


@_attack("take a file out by a new log entry", "missing")
def _removal(field: Field) -> str:
    file = field.file_of(field.middle)
    action = {"remove": {"path": file.relative_to(field.path / "evidence").as_posix(),
                         "dataChange": False, "deletionTimestamp": 1}}  # fmt: skip
    entries = field.entries("evidence")
    entry = entries[-1].with_name(f"{int(entries[-1].stem) + 1:020}.json")
    entry.write_text(json.dumps(action) + "\n", encoding="utf-8")
    return "sealed items are missing"


@_attack("edit the ledger's list of leaves", "leaves")
def _leaves(field: Field) -> str:
    _edit_leaf(field, field.middle, "ab" * 32)
    return "list was altered"


@_attack("edit a tile of the ledger", "tiles")
def _tile(field: Field) -> str:
    tiles = sorted(p for p in (field.path / "log" / "tile").rglob("*") if p.is_file())
    if not tiles:
        raise NotApplicable("the ledger has no tiles")
    content = bytearray(tiles[0].read_bytes())
    content[0] ^= 0xFF
    replace_file(tiles[0], bytes(content))
    return "tiles of the tree are not what its leaves make"


def _follower(field: Field, table: str, change: Change, *, covered: bool = False) -> str:
    file = field.files(table)[-1]
    if covered:
        cover_tracks(field, table, file, lambda: rewrite(file, change))
    else:
        rewrite(file, change)
    return f"{table} are not as they were written"


@_attack("point a tag to another control", "altered")
def _tag(field: Field) -> str:
    return _follower(field, "tags", lambda row: [row | {"control": "iso42001:A.2.2"}])


@_attack("drop tags, digest redone in the log", "altered")
def _no_tag(field: Field) -> str:
    return _follower(field, "tags", lambda _: [], covered=True)


@_attack("turn a verdict to fresh", "altered")
def _verdict(field: Field) -> str:
    fresh = {"state": "fresh", "failed": False, "why": "Nothing to see"}
    return _follower(field, "verdicts", lambda row: [row | fresh])


@_attack("turn a verdict to fresh, digest redone in the log", "altered")
def _verdict_covered(field: Field) -> str:
    fresh = {"state": "fresh", "failed": False, "why": "Nothing to see"}
    return _follower(field, "verdicts", lambda row: [row | fresh], covered=True)


@_attack("turn a standing to proved", "altered")
def _standing(field: Field) -> str:
    return _follower(field, "standings", lambda row: [row | {"standing": "proved"}])


@_attack("delete a file of verdicts", "altered")
def _verdict_file(field: Field) -> str:
    remove(field.files("verdicts")[-1])
    return "verdicts are not as they were written"


@_attack("turn a verdict to fresh, called a compaction", "log")
def _false_compaction(field: Field) -> str:
    false_rewrite(field, "verdicts", lambda row: [row | {"state": "fresh"}])
    return "verdicts rewrote files and changed their rows"


@_attack("edit a title, called a compaction", "edited")
def _false_tidying(field: Field) -> str:
    item_id = field.middle
    false_rewrite(field, "evidence", edited(item_id, title="Nothing to see"))
    return item_id


@_attack("leave an item out, called a compaction", "missing")
def _lossy_tidying(field: Field) -> str:
    item_id = field.middle
    false_rewrite(field, "evidence", only(item_id, lambda _: []))
    return item_id


@_attack("edit a packed entry of the log", "log")
def _packed(field: Field) -> str:
    packed = packs(LocalPlace(field.path / "evidence"))
    if not packed:
        raise NotApplicable("no entry of the log has been packed yet")

    def forge(row: Row) -> list[Row]:
        return [row | {"entry": row["entry"].replace(b'"cursor":"', b'"cursor":"x')}]

    rewrite(field.path / "evidence" / packed[0].name, forge)
    return "evidence"
