"""The board of a pack: as of its moment, and nothing on it that the pack's scope leaves out."""

from __future__ import annotations

from dataclasses import replace

from dashboards.render import render
from evidence.excerpt import Excerpt
from flows.board import assemble
from flows.board_part import cut_board
from flows.config import Config
from flows.judgement import Judged
from flows.moment import Asked
from storage.lake import Lake
from storage.pack import Scope


def excerpt_of(scope: Scope) -> Excerpt:
    """The scope as what a limited reader is shown."""
    return Excerpt(scope.systems, scope.controls, scope.begin, scope.end)


def page(lake: Lake, config: Config, judged: Judged, scope: Scope) -> str:
    """The board as one HTML file; empty for a scope that no board can be cut to (of kinds, or of
    given items). Raises LakeError."""
    if scope.kinds or scope.items is not None:
        return ""
    board = replace(assemble(lake, config, judged, past=True), built_at=judged.at)
    if (excerpt := excerpt_of(scope)).limited:
        board = cut_board(config, board, excerpt, Asked(judged.at, judged.moment.size))
    return render(board)
