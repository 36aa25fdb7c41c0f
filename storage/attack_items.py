"""Attacks on items: edited, planted, put twice or elsewhere, with the digests redone or not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from evidence.canonical import canonical
from evidence.correction import FORM
from evidence.own import CORRECTION_KIND, OWN_SOURCE
from storage.files import read_rows
from storage.forging import (
    Change,
    Field,
    NotApplicable,
    Row,
    append_rows,
    cover_tracks,
    edited,
    only,
    redone,
    remove,
    replace_file,
    rewrite,
    whole,
)
from storage.merkle import leaf_hash
from storage.rows import leaf_data


def _edit(field: Field, item_id: str, change: Change) -> str:
    rewrite(field.file_of(item_id), only(item_id, change))
    return item_id


def payload(field: Field) -> str:
    return _edit(field, field.middle, lambda row: [row | {"payload": '{"forged":true}'}])


def title(field: Field) -> str:
    return _edit(field, field.middle, lambda row: [row | {"title": "Nothing to see"}])


def outcome(field: Field) -> str:
    return _edit(field, field.ids[0], lambda row: [row | {"outcome": _other(row["outcome"])}])


def _other(outcome: str) -> str:
    return "recorded" if outcome == "passed" else "passed"


def time(field: Field) -> str:
    day = timedelta(days=1)
    return _edit(
        field, field.ids[-1], lambda row: [row | {"observed_to": row["observed_to"] + day}]
    )


def title_covered(field: Field) -> str:
    item_id, file = field.middle, field.file_of(field.middle)
    change = edited(item_id, title="Nothing to see")
    cover_tracks(field, "evidence", file, lambda: rewrite(file, change))
    return item_id


def payload_covered(field: Field) -> str:
    item_id, file = field.middle, field.file_of(field.middle)

    def change(row: Row) -> Sequence[Row]:
        forged = redone(whole(row, file) | {"payload": '{"forged":true}'})
        return [{name: forged[name] for name in row}]

    cover_tracks(field, "evidence", file, lambda: rewrite(file, only(item_id, change)))
    return item_id


def title_and_leaf(field: Field) -> str:
    return _redo_leaf(field)


def title_and_tree(field: Field) -> str:
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
    edit_leaf(field, item_id, leaf)
    return item_id


def edit_leaf(field: Field, item_id: str, leaf: str) -> None:
    for file in field.files("leaves"):
        change = partial(rewrite, file, edited(item_id, leaf_hash=leaf))
        cover_tracks(field, "leaves", file, change)


def behind(field: Field) -> str:
    return _plant(field, {"subject": "planted"})


def correction(field: Field) -> str:
    """The confirmation that would make a failure harmless."""
    said = {"form": FORM, "what": "confirm", "item_id": field.ids[0], "by": "nobody"}
    own = {"source": OWN_SOURCE, "kind": CORRECTION_KIND, "payload": canonical(said).decode()}
    return _plant(field, own)


def _plant(field: Field, values: Row) -> str:
    item_id, file = field.middle, field.file_of(field.middle)
    planted = []

    def change(row: Row) -> Sequence[Row]:
        forged = redone(whole(row, file) | values)
        planted.append(forged["item_id"])
        return [row, {name: forged[name] for name in row}]

    cover_tracks(field, "evidence", file, lambda: rewrite(file, only(item_id, change)))
    return str(planted[0])


def twice(field: Field) -> str:
    append_rows(field, [_row(field, field.middle)])
    return field.middle


def _row(field: Field, item_id: str) -> Row:
    file = field.file_of(item_id)
    partition = {"month": file.parent.name.partition("=")[2]}
    found: list[Row] = read_rows(file, partition).to_pylist()
    return next(row for row in found if row["item_id"] == item_id)


def swap(field: Field) -> str:
    files = field.files("evidence")
    if len(files) < 2:
        raise NotApplicable("the evidence lies in one file")
    one, other = files[0].read_bytes(), files[-1].read_bytes()
    replace_file(files[0], other)
    replace_file(files[-1], one)
    return files[0].name


def month_moved(field: Field) -> str:
    item_id, file = field.middle, field.file_of(field.middle)
    moved = file.parents[1] / "month=1999-01" / file.name
    moved.parent.mkdir()
    file.rename(moved)
    month = file.parent.name.partition("=")[2]
    for entry in field.entries("evidence"):
        lines = entry.read_text(encoding="utf-8").splitlines(keepends=True)
        told = [line.replace(month, "1999-01") if file.name in line else line for line in lines]
        replace_file(entry, "".join(told).encode())
    return item_id
