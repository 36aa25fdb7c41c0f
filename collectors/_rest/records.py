"""The records of one answer, whatever shape the list has; nothing is taken for an empty one."""

from __future__ import annotations

from typing import Any

from collectors._rest.paths import found
from collectors._rest.settings import Endpoint
from collectors.http import clean
from evidence.errors import SourceBroken, SourceError


def records_of(endpoint: Endpoint, data: Any) -> list[Any]:
    """The records of one answer. Raises SourceBroken if they are not where they should be."""
    where = endpoint.records
    value = found(data, where)
    if value is None:
        if data is None or _tolerated(endpoint, data, where):
            return []
        raise SourceBroken(f"{endpoint.name}: the answer has nothing at {where!r}: {_shape(data)}")
    if endpoint.shape == "one":
        return [value]
    if endpoint.shape == "map" and isinstance(value, dict):
        return [{"@key": key, "@value": one} for key, one in value.items()]
    if endpoint.shape == "list" and isinstance(value, list):
        return value
    if endpoint.shape == "table" and isinstance(value, list):
        return _rows(endpoint, value, found(data, endpoint.columns))
    raise SourceBroken(
        f"{endpoint.name}: at {where or 'the top'!r} of the answer stands {_shape(value)}, "
        f"not a {endpoint.shape}"
    )


def absent(endpoint: Endpoint, error: SourceError, pages: int) -> bool:
    """Does this refusal, after so many pages, say that there is nothing (more)?

    A list that is not there has no pages: one that goes away while it is read was not read whole.
    """
    status = str(error.status or "")
    return status in endpoint.none_if if pages == 0 else status == endpoint.paging.end


def _rows(endpoint: Endpoint, rows: list[Any], names: Any) -> list[Any]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SourceBroken(f"{endpoint.name}: no names of columns at {endpoint.columns!r}")
    for row in rows:
        if not isinstance(row, list) or len(row) != len(names):
            raise SourceBroken(f"{endpoint.name}: a row does not have {len(names)} columns")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _tolerated(endpoint: Endpoint, data: Any, where: str) -> bool:
    if "missing" in endpoint.none_if:
        return True
    outer, _, name = where.rpartition(".")
    holder = found(data, outer)
    return "null" in endpoint.none_if and isinstance(holder, dict) and name in holder


def _shape(data: Any) -> str:
    if isinstance(data, dict):
        return f"an object with {', '.join(clean(str(k), 30) for k in list(data)[:8]) or 'nothing'}"
    return f"a {type(data).__name__}"
