"""What an answer tells besides its records: in its body, or in its headers."""

from __future__ import annotations

import re
from typing import Any

from collectors._answers import Reply
from collectors._rest.paths import found, spoken_of

_HEADER, _COOKIE = "header:", "cookie:"


def told(reply: Reply, where: str) -> Any:
    """What stands at a path of the answer, in its `header:NAME` or in a cookie that it sets
    (`cookie:NAME`); None where nothing does."""
    if where.startswith(_COOKIE):
        name = re.escape(where.removeprefix(_COOKIE))
        set_by = re.search(rf"(?:^|,\s*){name}=([^;,]+)", reply.headers.get("Set-Cookie", ""))
        return set_by[1] if set_by else None
    if where.startswith(_HEADER):
        return reply.headers.get(where.removeprefix(_HEADER).strip())
    return found(reply.data, where) if where else None


def says(reply: Reply, where: str) -> bool:
    """Does an answer speak of a place at all, be it to say that nothing is there?"""
    if header_of(where):
        return header_of(where) in reply.headers
    return spoken_of(reply.data, where)


def header_of(where: str) -> str:
    """The name of the header that a setting means; '' if it means none."""
    return where.removeprefix(_HEADER).strip() if where.startswith(_HEADER) else ""
