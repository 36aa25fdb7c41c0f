"""Attacks on the tables' logs: what readers are told, and what is called a compaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from storage.forging import (
    Field,
    NotApplicable,
    Row,
    edited,
    false_rewrite,
    lie_in_checkpoint,
    only,
    replace_file,
    rewrite,
)
from storage.log_packs import packs
from storage.place_local import LocalPlace


def _edit_entry(field: Field, table: str, change: Callable[[list[Row]], None]) -> None:
    """Alter the newest entry of a log that adds files."""
    for entry in reversed(field.entries(table)):
        actions = [json.loads(line) for line in entry.read_text(encoding="utf-8").splitlines()]
        if any("add" in action for action in actions):
            change(actions)
            replace_file(entry, "".join(json.dumps(action) + "\n" for action in actions).encode())
            return
    raise NotApplicable(f"no entry of the log of {table} lies as a file")


def cursor(field: Field) -> str:
    def change(actions: list[Row]) -> None:
        for action in actions:
            if "commitInfo" in action:
                action["commitInfo"].setdefault("headwater", {})["cursor"] = "long ago"

    _edit_entry(field, "evidence", change)
    return "is not the one that was sealed"


def statistic(field: Field) -> str:
    def change(actions: list[Row]) -> None:
        for action in actions:
            if "add" in action:
                stats = json.loads(action["add"]["stats"])
                stats["minValues"]["landed_at"] = "2999-01-01T00:00:00.000000Z"
                action["add"]["stats"] = json.dumps(stats)

    _edit_entry(field, "evidence", change)
    return "is not the one that was sealed"


def short_cut_statistic(field: Field) -> str:
    def lie(add: Any) -> Row:
        stats = json.loads(add["stats"])
        stats["minValues"]["landed_at"] = "2999-01-01T00:00:00.000000Z"
        return dict(add) | {"stats": json.dumps(stats)}

    lie_in_checkpoint(field, "evidence", lie)
    return "are told otherwise"


def short_cut(field: Field) -> str:
    hidden = field.file_of(field.middle).name
    lie_in_checkpoint(field, "evidence", lambda add: None if hidden in add["path"] else dict(add))
    return "are not shown 1 files"


def removal(field: Field) -> str:
    file = field.file_of(field.middle)
    _add_entry(field, {"remove": {"path": file.relative_to(field.path / "evidence").as_posix(),
                                  "dataChange": False, "deletionTimestamp": 1}})  # fmt: skip
    return "sealed items are missing"


def outside(field: Field) -> str:
    stats = json.dumps({"numRecords": 1, "minValues": {}, "maxValues": {}, "nullCount": {}})
    _add_entry(field, {"add": {"path": "../../elsewhere.parquet", "size": 1, "dataChange": True,
                               "partitionValues": {"month": "2026-01"}, "modificationTime": 1,
                               "stats": stats}})  # fmt: skip
    return "names no file of the lake"


def _add_entry(field: Field, action: Row) -> None:
    entries = field.entries("evidence")
    entry = entries[-1].with_name(f"{int(entries[-1].stem) + 1:020}.json")
    entry.write_text(json.dumps(action) + "\n", encoding="utf-8")


def false_tidying(field: Field) -> str:
    item_id = field.middle
    false_rewrite(field, "evidence", edited(item_id, title="Nothing to see"))
    return item_id


def lossy_tidying(field: Field) -> str:
    item_id = field.middle
    false_rewrite(field, "evidence", only(item_id, lambda _: []))
    return item_id


def packed(field: Field) -> str:
    packed = packs(LocalPlace(field.path / "evidence"))
    if not packed:
        raise NotApplicable("no entry of the log has been packed yet")

    def forge(row: Row) -> list[Row]:
        return [row | {"entry": row["entry"].replace(b'"cursor":"', b'"cursor":"x')}]

    rewrite(field.path / "evidence" / packed[0].name, forge)
    return "evidence"
