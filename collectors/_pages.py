"""Walking the pages of a list that is chained by tokens, or by addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import requests

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


def next_link(reply: Reply) -> str:
    """The address of the next page as the header `Link` names it (RFC 8288); '' at the end."""
    links = requests.utils.parse_header_links(reply.headers.get("Link", ""))
    return next((link["url"] for link in links if "next" in link.get("rel", "").split()), "")


def linked(
    fetch: Callable[[str], Reply], first: str, *, what: str, key: str = "", cap: int = 10_000
) -> Iterator[tuple[Reply, list[Any]]]:
    """Every page with its rows, from the one at `first`, as `Link` chains them.

    The rows are the answer itself, or lie in it under `key`. Raises SourceBroken for a page without
    a list, when an address comes twice (the walk would never end) or after `cap` pages.
    """
    seen, url = {first}, first
    for _ in range(cap):
        reply = fetch(url)
        data = reply.data
        if key:
            data = data.get(key) if isinstance(data, dict) else None
        if not isinstance(data, list):
            found = type(data).__name__
            raise SourceBroken(f"{what}: expected a list of rows, got {found}", what=what)
        url = next_link(reply)
        yield reply, data
        if not url:
            return
        if url in seen:
            raise SourceBroken(f"{what}: the next page repeats, so the end is never reached")
        seen.add(url)
    raise SourceBroken(f"{what}: no end after {cap} pages")
