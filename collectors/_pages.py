"""Walking the pages of a list that is chained by tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from collectors._answers import Reply
from evidence.errors import SourceBroken


def pages(
    fetch: Callable[[str], Reply], token_of: Callable[[Any], str], *, what: str, cap: int = 10_000
) -> Iterator[Reply]:
    """Every page, from the one for token '' until `token_of` its JSON is ''.

    Raises SourceBroken when a token comes twice (the walk would never end) or after `cap` pages.
    """
    seen, token = {""}, ""
    for _ in range(cap):
        reply = fetch(token)
        token = token_of(reply.data)
        yield reply
        if not token:
            return
        if token in seen:
            raise SourceBroken(f"{what}: the page token repeats, so the end is never reached")
        seen.add(token)
    raise SourceBroken(f"{what}: no end after {cap} pages")
