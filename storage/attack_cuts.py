"""Attacks that take away: items at the head, in the middle, at the tail, files, everything."""

from __future__ import annotations

from pathlib import Path

from evidence.own import CORRECTION_KIND
from storage.forging import Field, NotApplicable, cover_tracks, only, remove, rewrite
from storage.lake import Lake
from storage.views import connect


def _drop(field: Field, item_id: str, where: str) -> str:
    file = field.file_of(item_id)
    change = only(item_id, lambda _: [])
    cover_tracks(field, "evidence", file, lambda: rewrite(file, change))
    return where


def head(field: Field) -> str:
    return _drop(field, field.ids[0], "at the head")


def middle(field: Field) -> str:
    return _drop(field, field.middle, "in the middle")


def tail(field: Field) -> str:
    return _drop(field, field.ids[-1], "at the tail")


def correction(field: Field) -> str:
    with connect(field.lake) as connection:
        sql = "SELECT item_id FROM leaves JOIN evidence USING (item_id) WHERE kind = $1"
        found = connection.execute(sql, [CORRECTION_KIND]).fetchone()
    if found is None:
        raise NotApplicable("nothing was corrected")
    _drop(field, found[0], "")
    return str(found[0])


def file(field: Field) -> str:
    file = field.file_of(field.middle)
    remove(file)
    return file.parent.name


def link(field: Field) -> str:
    file = field.file_of(field.middle)
    elsewhere = file.with_name(".elsewhere")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    return file.name


def month(field: Field) -> str:
    folder = field.file_of(field.middle).parent
    remove(folder)
    return folder.name


def log(field: Field) -> str:
    remove(field.path / "evidence" / "_delta_log")
    return "evidence"


def everything(field: Field) -> str:
    remove(field.path)
    return "evidence"


def new_lake(field: Field) -> str:
    remove(field.path)
    Lake.create(field.path, clock=field.clock)
    return ""


def log_head(field: Field) -> str:
    for entry in _folded(field)[:2]:
        remove(entry)
    return "evidence"


def log_middle(field: Field) -> str:
    entries = _folded(field)
    remove(entries[len(entries) // 2])
    return "evidence"


def _folded(field: Field) -> list[Path]:
    """The entries of the log; readers have a checkpoint and do not miss those before it."""
    field.lake.table("evidence").fold()
    entries = field.entries("evidence")
    if len(entries) < 4:
        raise NotApplicable("the log of the evidence has fewer than four entries")
    return entries


def leaves(field: Field) -> str:
    file = field.files("leaves")[0]
    remove(file)
    return file.name
