"""What the contract suite needs to know about one real source in order to try its collector."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from collectors.base import Collector


class World(Protocol):
    """A real, running source with some facts in it. Its module is named like the collector's.

    `tests/collectors/worlds/cloudtrail.py` holds `class World` for `collectors/cloudtrail.py`.
    """

    def __init__(self, folder: Path) -> None:
        """Start the source in an empty folder and put at least three facts into it."""

    def collector(self) -> Collector:
        """A collector that may read all of it."""

    def grow(self) -> None:
        """One more fact at the source (or a changed state)."""

    def down(self) -> Collector:
        """A collector whose source does not answer."""

    def refused(self) -> Collector:
        """A collector with a wrong key, no permission, or a place that does not exist."""

    def close(self) -> None:
        """Stop whatever was started."""
