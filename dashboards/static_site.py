"""The board as one file, or as a folder of pages: put in place whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dashboards import summary, tables
from dashboards.asked import Asked
from dashboards.files import slug
from dashboards.links import OVERVIEW, Address, Folder, data_file
from dashboards.model import Board
from dashboards.pages import ONE, WHOLE
from dashboards.pages.page import Page
from dashboards.reads import Reads
from dashboards.render import render, render_page
from evidence.freshness import ORGANISATION

MARK = "headwater-site.txt"
"""Names a folder as ours, to be replaced by the next one."""
UNPROVED = "A folder of pages holds no proofs: `headwater proof {} -o FILE` writes this item's."
_MARKED = "Pages of Headwater. `headwater dashboard --output` replaces this folder as a whole.\n"


def write(board: Board, path: Path) -> None:
    """Write the board to `path`, replacing what was there in one step.

    A reader sees the old page or the new one, never half of one. Raises OSError.
    """
    page = render(board).encode()
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_site(reads: Reads, folder: Path, as_of: str = "") -> int:
    """Write all pages with their tables as a folder that opens anywhere; how many pages.

    A site that stood there is replaced once the new one is whole. Raises FileExistsError for a
    folder that holds anything else, and OSError.
    """
    if folder.exists() and not _ours(folder):
        raise FileExistsError(f"{folder} holds other files: name a new folder, or one of an older "
                              "site")  # fmt: skip
    board = reads.board(as_of)
    once = _once(reads, board, as_of)
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    try:
        number = _fill(once, part, board, as_of)
        (part / MARK).write_text(_MARKED, encoding="utf-8")
        _swap(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return number


def _once(reads: Reads, board: Board, as_of: str) -> Reads:
    """What many pages ask, asked once; a proof of each item would be made one by one."""
    items, versions = reads.items(board.items, as_of), reads.versions(board.items, as_of)
    lives = reads.lives(as_of)
    return replace(
        reads, board=lambda _as_of: board, items=lambda _ids, _as_of: items,
        versions=lambda _ids, _as_of: versions, lives=lambda _as_of: lives,
        proof=lambda item_id, _as_of: ("", UNPROVED.format(item_id)),
    )  # fmt: skip


def _ours(folder: Path) -> bool:
    return folder.is_dir() and ((folder / MARK).is_file() or not any(folder.iterdir()))


def _swap(part: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.old")
    if folder.exists():
        folder.rename(old)
    try:
        part.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _fill(reads: Reads, folder: Path, board: Board, as_of: str) -> int:
    files = {address: _file(address) for address in addresses(board)}
    for address, name in files.items():
        kind = (ONE if address.key else WHOLE)[address.kind]
        page = kind.make(reads, address.key, Asked(as_of))
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        _put(file, render_page(page, Folder(files, address)))
        for told, text in _data(name, page):
            _put(folder / told, text)
    return len(files)


def addresses(board: Board) -> Iterator[Address]:
    """Every page of a site: those of all things, and each thing that the board holds."""
    yield from (Address(kind) for kind in WHOLE)
    yield from (Address("controls", row.control) for row in board.controls)
    systems = (row.system for row in summary.columns(board) if row.system != ORGANISATION)
    yield from (Address("systems", system) for system in systems)
    yield from (Address("sources", row.source) for row in board.sources)
    yield from (Address("frameworks", row.framework) for row in board.frameworks)
    yield from (Address("items", item_id) for item_id in board.items)


def _file(address: Address) -> str:
    if address.kind == OVERVIEW:
        return "index.html"
    return f"{address.kind}/{slug(address.key)}.html" if address.key else f"{address.kind}.html"


def _data(name: str, page: Page) -> Iterator[tuple[str, str]]:
    for number, table in enumerate(page.tables):
        called = table.name if number else ""
        told = {"page": name, "as_of": page.head.shown, "filters": {}}
        yield data_file(name, called, "csv"), tables.as_csv(table)
        yield data_file(name, called, "json"), tables.as_json(table, told)


def _put(file: Path, text: str) -> None:
    # As it is: a CSV ends its lines by itself; a broken character of a source is spelled out.
    file.write_bytes(text.encode("utf-8", "backslashreplace"))
