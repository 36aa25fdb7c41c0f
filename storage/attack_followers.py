"""Attacks on what was said of the items: tags, verdicts, standings."""

from __future__ import annotations

from storage.forging import Change, Field, cover_tracks, false_rewrite, remove, rewrite


def _follower(field: Field, table: str, change: Change, *, covered: bool = False) -> str:
    file = field.files(table)[-1]
    if covered:
        cover_tracks(field, table, file, lambda: rewrite(file, change))
    else:
        rewrite(file, change)
    return f"{table} are not as they were written"


def tag(field: Field) -> str:
    return _follower(field, "tags", lambda row: [row | {"control": "iso42001:A.2.2"}])


def no_tag(field: Field) -> str:
    return _follower(field, "tags", lambda _: [], covered=True)


def verdict(field: Field) -> str:
    fresh = {"state": "fresh", "failed": False, "why": "Nothing to see"}
    return _follower(field, "verdicts", lambda row: [row | fresh])


def verdict_covered(field: Field) -> str:
    fresh = {"state": "fresh", "failed": False, "why": "Nothing to see"}
    return _follower(field, "verdicts", lambda row: [row | fresh], covered=True)


def standing(field: Field) -> str:
    return _follower(field, "standings", lambda row: [row | {"standing": "proved"}])


def verdict_file(field: Field) -> str:
    remove(field.files("verdicts")[-1])
    return "verdicts are not as they were written"


def false_compaction(field: Field) -> str:
    false_rewrite(field, "verdicts", lambda row: [row | {"state": "fresh"}])
    return "verdicts rewrote files and changed their rows"
