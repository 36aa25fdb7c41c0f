"""The board of a pack: as of its moment, and nothing on it that the pack's scope leaves out."""

from __future__ import annotations

from dataclasses import replace

from dashboards.model import Attention, Board
from dashboards.render import render
from flows.board import assemble
from flows.config import Config
from flows.judgement import Judged
from storage.engine import Connection
from storage.lake import Lake
from storage.pack import Scope
from storage.pages import all_rows


def page(connection: Connection, lake: Lake, config: Config, judged: Judged, scope: Scope) -> str:
    """The board as one HTML file. `connection` has the pack's rows selected. Raises LakeError."""
    board = replace(assemble(lake, config, judged, past=True), built_at=judged.at)
    return render(_within(board, scope, _held(connection, board)))


def _held(connection: Connection, board: Board) -> set[str]:
    wanted = {*board.items, *(one for ids in board.evidence.values() for one in ids)}
    rows = all_rows(
        connection,
        """SELECT item_id FROM wanted WHERE role = 'item'
            AND item_id IN (SELECT unnest($ids::VARCHAR[]))""",
        {"ids": sorted(wanted)},
    )
    return {row["item_id"] for row in rows}


def _within(board: Board, scope: Scope, held: set[str]) -> Board:
    """What falls into the scope; of a whole lake all of it."""
    if (scope.controls, scope.systems, scope.items) == (None, None, None) and not scope.kinds:
        return board
    controls = [row for row in board.controls if scope.controls is None or _of(scope, row.control)]
    about = {row.control for row in controls}
    evidence = {c: tuple(i for i in ids if i in held) for c, ids in board.evidence.items()}
    return replace(
        board,
        controls=tuple(
            replace(row, standing=replace(row.standing, verdicts=tuple(
                v for v in row.standing.verdicts if _shown(scope, v.system)
            )))
            for row in controls
        ),
        systems=tuple(row for row in board.systems if _shown(scope, row.system)),
        attention=tuple(one for one in board.attention if _needs(one, scope, about, held)),
        evidence={control: ids for control, ids in evidence.items() if control in about},
        items={one: item for one, item in board.items.items() if one in held},
        queue=(),
    )  # fmt: skip


def _of(scope: Scope, control: str) -> bool:
    return control in (scope.controls or ())


def _shown(scope: Scope, system: str) -> bool:
    return scope.systems is None or system in scope.systems


def _needs(one: Attention, scope: Scope, about: set[str], held: set[str]) -> bool:
    """What is said of one of its controls and systems; of an item only where the pack holds it."""
    return one.control in about and _shown(scope, one.system) and one.item_id in {"", *held}
