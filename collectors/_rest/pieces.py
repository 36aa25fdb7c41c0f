"""The questions that a list is read by: since its mark, and where it must be in pieces of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from collectors._answers import Reply
from collectors._rest.lists import List, Question
from collectors._rest.pages import Ask
from collectors._rest.request import Asking
from collectors._rest.settings import Since
from collectors._rest.times import to_mark, write_end, write_mark
from evidence.errors import InvalidItem, SourceBroken


@dataclass(frozen=True, slots=True)
class Piece:
    """One question, and the mark up to which a whole answer to it is all there is (None: that is
    told by the records alone)."""

    asking: Asking
    end: int | None = None


def pieces_of(asked: Question, this: List, mark: int | None) -> list[Piece]:
    """The questions that lead from a list's mark (None: it has none) to now, oldest first."""
    since = this.endpoint.since
    blank = Asking(asked.http, this.endpoint, this.scope, secret=asked.secret)
    if since is None:
        return [Piece(blank)]
    begin = _begin(asked, since, mark)
    if not (since.until or since.slice or _holds(this)):
        return [Piece(replace(blank, since=_written(asked, since, begin)))]
    end = _end(asked, this)
    return [
        Piece(
            replace(
                blank, since=_written(asked, since, start),
                until=write_end(stop, since.send, asked.zone),
            ),
            stop if stop < end else None,
        )
        for start, stop in _cuts(since, begin, end)
    ]  # fmt: skip


def ask_of(asked: Question, this: List, asking: Asking) -> Ask:
    """The question for one step; a keyset over `since` asks anew from the last time seen."""
    since, paging = this.endpoint.since, this.endpoint.paging
    if since is None or paging.style != "keyset" or since.param != paging.param:
        return asking.page

    def ask(step: Mapping[str, Any]) -> Reply:
        if "last" not in step:
            return asking.page(step)
        try:
            mark = this.maker.mark(step["last"])
        except InvalidItem as wrong:
            raise SourceBroken(f"{this.name}: the last record: {wrong}") from wrong
        return replace(asking, since=write_mark(mark, since.send, asked.zone)).page({})

    return ask


def _begin(asked: Question, since: Since, mark: int | None) -> int | None:
    if asked.window and not since.counts:
        mark = max(mark or 0, to_mark(asked.window.since))
    back = since.back if since.counts else int(since.lookback.total_seconds() * 1e6)
    return None if mark is None else max(mark - back, 0)


def _end(asked: Question, this: List) -> int:
    """Now; or the window's end, if the records are in the window by the very time asked for."""
    if asked.window and not this.endpoint.observed_to:
        return to_mark(min(asked.started, asked.window.until))
    return to_mark(asked.started)


def _cuts(since: Since, begin: int | None, end: int) -> Iterator[tuple[int | None, int]]:
    if not since.slice:
        yield begin, end
        return
    start = to_mark(since.begin()) if begin is None else begin
    length = int(since.slice.total_seconds() * 1e6)
    while start + length < end:
        yield start, start + length
        start += length
    yield start, end


def _written(asked: Question, since: Since, mark: int | None) -> str:
    return since.first if mark is None else write_mark(mark, since.send, asked.zone)


def _holds(this: List) -> bool:
    end = this.endpoint
    return "{until}" in f"{end.path} {end.params!r} {end.body!r}"
