"""Walking a list that MLflow orders by a time: by keyset, because its page tokens shift."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from collectors._mlflow.store import Answer, rows, token
from evidence.errors import SourceBroken

Record = Mapping[str, Any]


def walk(
    ask: Callable[[int, str], Answer],
    key: str,
    time_of: Callable[[Record], int],
    id_of: Callable[[Record], str],
    at: int,
) -> Iterator[tuple[list[Record], int | None]]:
    """Each page's records that no page before had, and the last time (ms) in it.

    `ask` takes the least time and a page token (empty for none) and answers in ascending order of
    time and id; a token is followed only while a whole page lies in one millisecond. Raises
    SourceBroken when the order does not hold.
    """
    after, edge = "", set[str]()
    while True:
        answer = ask(at, after)
        page = rows(answer, key)
        times = [time_of(record) for record in page]
        yield [record for record in page if id_of(record) not in edge], times[-1] if times else None
        more = token(answer)
        if not more:
            return
        if not times or times != sorted(times) or times[0] < at or more == after:
            raise SourceBroken(f"{key} ordered by time are out of order", what=key)
        if times[-1] > at:
            at, after, edge = times[-1], "", set()
        else:
            after = more
        edge |= {id_of(record) for record, time in zip(page, times, strict=True) if time == at}
