"""What the pages ask of the lake, each as of the moment that its address names."""

from __future__ import annotations

from dashboards.model import Board, ItemPage
from dashboards.reads import AsOf, Reads
from flows.board import build, page
from flows.config import Config, now
from flows.moment import Asked, parse_as_of
from storage.lake import Lake


def reads(config: Config, asked: Asked | None = None) -> Reads:
    """Who answers the pages; `asked` is shown where an address names no moment."""

    def shown(as_of: AsOf) -> Asked | None:
        return parse_as_of(as_of) or asked

    def board(as_of: AsOf) -> Board:
        return build(_lake(config), config, shown(as_of))

    def item(item_id: str, as_of: AsOf) -> ItemPage | None:
        return page(_lake(config), config, item_id, shown(as_of))

    return Reads(board, item)


def _lake(config: Config) -> Lake:
    return Lake.open(config.lake, clock=now)
