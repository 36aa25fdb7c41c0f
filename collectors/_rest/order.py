"""Is a list really sorted as the configuration says? Nothing is built on it before it has shown."""

from __future__ import annotations

from collections.abc import Sequence

from collectors._rest.settings import Since


class Order:
    """Follows the marks of one reading, page by page. `passed` is true once a list that has shown
    to run backwards has come below what was reached before: the rest is known."""

    def __init__(self, since: Since | None, reached: int | None) -> None:
        self.since = since
        self.floor: int | None = None
        if since is not None and reached is not None:
            back = since.back if since.counts else int(since.lookback.total_seconds() * 1e6)
            self.floor = reached - back
        self.last: int | None = None
        self.sorted = since is not None and since.order != "none"
        self.passed = False

    def page(self, marks: Sequence[int]) -> int | None:
        """Take in a page; the mark up to which all has surely come, None where that is unknown.

        An ascending list has surely come up to the first record of a page that continues the one
        before: the first page alone shows nothing.
        """
        if not self.sorted or self.since is None or not marks:
            return None
        if self.since.order == "desc":
            self._down(marks)
            return None
        continued = self.last is not None
        if sorted(marks) != list(marks) or (self.last is not None and marks[0] < self.last):
            self.sorted = False
            return None
        self.last = marks[-1]
        return marks[0] if continued else None

    def _down(self, marks: Sequence[int]) -> None:
        if sorted(marks, reverse=True) != list(marks) or (
            self.last is not None and marks[0] > self.last
        ):
            self.sorted = False
            return
        self.last = marks[-1]
        self.passed = self.floor is not None and marks[0] < self.floor
