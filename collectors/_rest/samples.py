"""The first record of each list beside what it becomes: how a mapping is written step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from collectors._rest.lists import around
from collectors._rest.pages import first_step
from collectors._rest.paths import Scope
from collectors._rest.pull import Pull
from collectors._rest.records import absent, records_of
from collectors._rest.settings import Endpoint
from evidence.errors import InvalidItem, SourceBroken, SourceRefused
from evidence.model import EvidenceItem


@dataclass(frozen=True, slots=True)
class Sample:
    """A list's first record as it came (None: there is none), its item, or why it makes none."""

    endpoint: str
    asked: str
    count: int
    record: Any = None
    item: EvidenceItem | None = None
    wrong: str = ""

    def told(self) -> str:
        """In a few words. Raises SourceBroken if the record makes no item."""
        if self.wrong:
            raise SourceBroken(f"{self.endpoint}: {self.wrong}", what=self.endpoint)
        if self.record is None:
            return f"{self.endpoint} (empty)"
        return f"{self.endpoint} ({self.count} on the first page)"


def samples(pull: Pull) -> Iterator[Sample]:
    """One for each endpoint that can be reached: of a child, for the first record of its parent."""
    for end in pull.children[""]:
        yield from _of(pull, end, None, next(iter(end.each), ""))


def _of(pull: Pull, end: Endpoint, parent: Scope | None, each: str) -> Iterator[Sample]:
    this = pull.list_of(end, parent, each)
    asking = pull.pieces(this)[-1].asking
    try:
        records = records_of(end, asking.page(first_step(end)).data)
    except (SourceRefused, SourceBroken) as error:
        if not absent(end, error, 0):
            raise
        records = []
    if not records:
        yield Sample(end.name, asking.what, 0)
        return
    scope = around(this, records[0])
    try:
        item = this.maker.item(scope)
        if end.since:
            this.maker.mark_of(scope)
    except InvalidItem as error:
        yield Sample(end.name, asking.what, len(records), scope.record, None, str(error))
        return
    yield Sample(end.name, asking.what, len(records), scope.record, item)
    for child in pull.children.get(end.name, ()):
        yield from _of(pull, child, scope, "")
