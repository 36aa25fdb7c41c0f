"""What the pages ask of the lake, each as of the moment that its address names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dashboards.detail import Changes, ControlFacts, EndRow, FoundRow, Life, Past, VersionRow
from dashboards.model import Board, ItemPage
from dashboards.reads import AsOf, Reads
from evidence.errors import LakeError
from evidence.excerpt import EVERYTHING, Excerpt
from flows.board import assemble, build
from flows.board_control import Controls, facts
from flows.board_pages import pages
from flows.board_past import changes, past
from flows.board_times import ends
from flows.config import Config, now
from flows.judgement import judge_lake, systems_of
from flows.moment import Asked, Moment, answered, moment, parse_as_of, present
from flows.trace_rows import lives
from storage.engine import ample
from storage.lake import Lake
from storage.pages import Connection, control_page, versions_of
from storage.proof import inclusion_proof


def reads(config: Config, asked: Asked | None = None) -> Reads:
    """Who answers the pages; `asked` is shown where an address names no moment."""
    return _all_of(LakeReads(config, lambda as_of: parse_as_of(as_of) or asked))


@contextlib.contextmanager
def held_reads(
    config: Config, asked: Asked | None = None, board: Board | None = None
) -> Iterator[Reads]:
    """As `reads`, of one moment and one state of the lake for as long as the block runs: for many
    pages at once, by one thread. `board` is that of the present, if it is made already; else what
    the tags have yet to follow is judged, too.

    Raises LakeError, ConfigError.
    """
    lake = Lake.open(config.lake, clock=now)
    shown = present(lake, config, board.as_of) if board else answered(lake, config, asked)
    with shown.connect(lake, ample()) as connection:
        held = Held(shown, connection, Controls.of(connection, config, shown), board)
        yield _all_of(LakeReads(config, lambda _as_of: asked, held=held))


def _all_of(lake: LakeReads) -> Reads:
    return Reads(
        board=lake.board, items=lake.items, versions=lake.versions, proof=lake.proof,
        control=lake.control, found=lake.found, lives=lake.lives, past=lake.past,
        changes=lake.changes, ends=lake.ends,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """A moment of the lake that is kept open, and its board, if there is one."""

    shown: Moment
    connection: Connection
    controls: Controls
    board: Board | None = None


@dataclass(frozen=True, slots=True)
class LakeReads:
    """The answers to the pages, of the items in `excerpt`; `wanted` says which moment an address
    means. Board, lives, past, changes and ends are always of the whole."""

    config: Config
    wanted: Callable[[AsOf], Asked | None]
    excerpt: Excerpt = EVERYTHING
    held: Held | None = None

    def board(self, as_of: AsOf) -> Board:
        if self.held is None:
            return build(self._lake(), self.config, self.wanted(as_of))
        if self.held.board is not None:
            return self.held.board
        lake = self._lake()
        judged = judge_lake(lake, self.held.shown)
        return assemble(lake, self.config, judged, past=self.wanted(as_of) is not None)

    def items(self, ids: Collection[str], as_of: AsOf) -> Mapping[str, ItemPage]:
        with self._connect(as_of) as connection:
            return pages(connection, ids)

    def versions(
        self, ids: Collection[str], as_of: AsOf
    ) -> Mapping[str, Sequence[VersionRow]]:  # fmt: skip
        with self._connect(as_of) as connection:
            rows = versions_of(connection, list(ids))
        return {of: [VersionRow(**row) for row in many] for of, many in rows.items()}

    def proof(self, item_id: str, as_of: AsOf) -> tuple[str, str]:
        try:
            return str(inclusion_proof(self._lake(), item_id, size=self._moment(as_of).size)), ""
        except LakeError as error:
            return "", str(error)

    def control(self, control: str, as_of: AsOf) -> ControlFacts:
        if self.held is not None:
            return facts(self.held.controls, control)
        with self._connect(as_of) as connection:
            return facts(Controls.of(connection, self.config, self._moment(as_of)), control)

    def found(self, control: str, first: int, most: int, as_of: AsOf) -> Sequence[FoundRow]:
        with self._connect(as_of) as connection:
            rows = control_page(connection, control, first, most)
        return [FoundRow(**row | {"taken": tuple(row["taken"])}) for row in rows]

    def lives(self, as_of: AsOf) -> Mapping[str, Life]:
        return lives(self._lake(), self._moment(as_of))

    def past(self, as_of: AsOf) -> Past:
        return past(self._lake(), self._moment(as_of))

    def changes(self, since: AsOf, as_of: AsOf) -> Changes:
        lake = self._lake()
        return changes(lake, self.config, parse_as_of(since), self._moment(as_of))

    def ends(self, as_of: AsOf) -> Sequence[EndRow]:
        with self._connect(as_of) as connection:
            return ends(connection, self._moment(as_of), systems_of(connection))

    def _lake(self) -> Lake:
        return Lake.open(self.config.lake, clock=now)

    def _moment(self, as_of: AsOf) -> Moment:
        if self.held is not None:
            return self.held.shown
        return moment(self._lake(), self.config, self.wanted(as_of))

    def _connect(self, as_of: AsOf) -> contextlib.AbstractContextManager[Connection]:
        if self.held is not None:
            return contextlib.nullcontext(self.held.connection)
        return self._moment(as_of).connect(self._lake(), ample(), self.excerpt)
