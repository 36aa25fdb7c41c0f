"""One byte string for one JSON value (RFC 8785): a digest means the same in every language."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import orjson
import rfc8785

from evidence.errors import InvalidItem
from evidence.times import stamp

# What orjson may print otherwise than RFC 8785 demands: integral floats, exponents, 15 or more
# digits; and key order once a key holds characters from U+E000 up (UTF-8 and UTF-16 order differ).
_NUMBER = re.compile(rb"[:,\[]-?[0-9]+(?:\.0[,\]}]|(?:\.[0-9]+)?e|[0-9]{15})").search
_HIGH = re.compile(rb"[\xee-\xf4]").search
_EXACT = 2**53 - 1
_CONTAINERS = (dict, list)
_SURE = frozenset({str, int, bool, type(None)})
_LEAST, _MOST = 1e-3, 1e15  # between them neither orjson nor RFC 8785 writes an exponent
_STRICT = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def canonical(value: object) -> bytes:
    """RFC 8785 bytes of a JSON value (str keys; str, int, finite float, bool, None, list, dict).

    Raises InvalidItem for anything that JSON cannot hold exactly; `plain` makes values fit.
    """
    try:
        fast = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)
        bare = isinstance(value, float) or (isinstance(value, int) and abs(value) > _EXACT)
        if not bare and not _NUMBER(fast) and (fast.isascii() or not _HIGH(fast)):
            return fast if b"null" not in fast else _refuse_nan(value, fast)
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidItem(f"not exact JSON: {error}; pass the value through plain()") from error


def canonical_texts(value: Mapping[str, str]) -> bytes:
    """`canonical` of texts under ASCII names, of which nothing could be written in two ways.

    Raises InvalidItem.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError) as error:
        raise InvalidItem(f"not exact JSON: {error}; pass the value through plain()") from error


def canonical_plain(value: object) -> bytes:
    """`canonical(plain(value))`, most often without making the plain value first.

    Raises InvalidItem where `plain` does; UUIDs and enumerations may stand for their values.
    """
    if not isinstance(value, _CONTAINERS):  # a bare number has nothing before it to be found by
        return canonical(plain(value))
    try:
        fast = orjson.dumps(value, option=_STRICT)
        sure, whole = _numbers(value)
        if whole:
            fast = orjson.dumps(_whole(value), option=_STRICT)
        if (sure or not _NUMBER(fast)) and (fast.isascii() or not _HIGH(fast)):
            return fast if sure or b"null" not in fast else _refuse_nan(value, fast)
    except (TypeError, ValueError, RecursionError):
        pass  # something that only `plain` can put into words, or refuse with a reason
    return canonical(plain(value))


def _numbers(value: Any) -> tuple[bool, bool]:
    """Whether every number is surely written in one way only, and whether floats that are whole
    must first become so: 3.0 is 3 in RFC 8785. Told by types, in a fraction of the time that it
    takes to look through the bytes."""
    nodes, whole = [value], False
    for node in nodes:
        for one in node.values() if type(node) is dict else node:
            kind = type(one)
            if kind in _SURE:
                continue
            if kind is dict or kind is list:
                nodes.append(one)
            elif kind is float and one.is_integer() and abs(one) <= _EXACT:
                whole = True
            elif kind is not float or not _LEAST <= abs(one) < _MOST:
                return False, True
    return True, whole


def _whole(value: Any) -> Any:
    """The value with whole numbers as such where floats hold them exactly; all else is the same."""
    kind = type(value)
    if kind is dict:
        return {k: v if type(v) in _SURE else _whole(v) for k, v in value.items()}
    if kind is list:
        return [v if type(v) in _SURE else _whole(v) for v in value]
    if kind is float and abs(value) <= _EXACT and value.is_integer():
        return int(value)
    return value


def _refuse_nan(value: object, fast: bytes) -> bytes:
    """orjson writes NaN as null, silently: a lost number is not evidence."""
    stack: list[Any] = [[value]]
    while stack:
        node = stack.pop()
        # What is in a container is looked at by its exact type first: texts are most of it.
        for one in node.values() if isinstance(node, dict) else node:
            kind = type(one)
            if kind is str or kind is int or one is None:
                continue
            if isinstance(one, float):
                if not math.isfinite(one):
                    raise ValueError(f"{one} is no JSON number")
            elif isinstance(one, dict | list | tuple):  # no other mapping is JSON to orjson
                stack.append(one)
    return fast


def digest(value: object) -> str:
    """Lower-case hex SHA-256 of the canonical bytes."""
    return hashlib.sha256(canonical(value)).hexdigest()


def plain(value: Any) -> Any:
    """The nearest exact JSON value, losing nothing that a reader could miss.

    Times become ISO 8601 UTC, NaN and infinities and integers beyond 2^53 become text, bytes
    become hex, lone surrogates become U+FFFD, tuples and sets become lists, keys become text.
    Raises InvalidItem for a time without zone or an unknown type.
    """
    if value is None or isinstance(value, bool) or (type(value) is str and value.isascii()):
        return value
    if isinstance(value, str):
        return str(value).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, int):
        return int(value) if abs(value) <= _EXACT else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    return _plain_container(value)


def _plain_container(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {plain(k if isinstance(k, str) else str(k)): plain(v) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(v) for v in value), key=canonical)
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    raise InvalidItem(f"{type(value).__name__} has no JSON form; convert it in the collector")
