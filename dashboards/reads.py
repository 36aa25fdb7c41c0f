"""What the pages are made from: each asked for once a page, as of the moment that it shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from dashboards.detail import Changes, ControlFacts, EndRow, FoundRow, Life, Past, VersionRow
from dashboards.model import Board, ItemPage

AsOf = str
"""As `--as-of` takes it; '' is now."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Who answers the pages. Each may raise HeadwaterError; ConfigError for a wrong moment.

    `versions`: item id → all that landed of its subject, newest first. `proof`: the text of an
    item's inclusion proof, or why there is none: one of the two is ''. `found`: what speaks to a
    control, newest first, from the n-th on, at most so many. `lives`: system → its life. `changes`:
    since a moment ('' is a week) up to another. `ends`: signatures, waivers and laws. None is for a
    reader who is shown a part only, where the answer would speak of the whole.
    """

    board: Callable[[AsOf], Board]
    items: Callable[[Collection[str], AsOf], Mapping[str, ItemPage]]
    versions: Callable[[Collection[str], AsOf], Mapping[str, Sequence[VersionRow]]]
    proof: Callable[[str, AsOf], tuple[str, str]]
    control: Callable[[str, AsOf], ControlFacts]
    found: Callable[[str, int, int, AsOf], Sequence[FoundRow]]
    lives: Callable[[AsOf], Mapping[str, Life] | None]
    past: Callable[[AsOf], Past | None]
    changes: Callable[[str, AsOf], Changes]
    ends: Callable[[AsOf], Sequence[EndRow] | None]
