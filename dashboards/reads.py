"""What the pages are made from: each asked for once a page, as of the moment that it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dashboards.model import Board, ItemPage

AsOf = str
"""As `--as-of` takes it; '' is now."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Who answers the pages. Each may raise HeadwaterError; ConfigError for a wrong moment."""

    board: Callable[[AsOf], Board]
    item: Callable[[str, AsOf], ItemPage | None]
