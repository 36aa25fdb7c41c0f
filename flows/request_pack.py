"""What answers an auditor's requests as a pack, whole or narrowed, with what was narrowed away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from evidence.errors import ConfigError
from flows.config import Config, load, now
from flows.moment import Asked, moment
from flows.pack import Say, write
from flows.pack_about import Wanted
from flows.pack_missing import Missing
from flows.request_answers import Found, answers
from storage.checkpoints import read_checkpoint
from storage.lake import Lake

_CUT = "{0} of its {1} rows and {2} of its {3} items are not of what the pack was narrowed to"
_Row = dict[str, Any]


def pack(
    file: Path, only: Sequence[str], narrow: Wanted, output: Path, asked: Asked | None, say: Say
) -> int:
    """Write a pack of what answers the requests (those named; by `all` those not withdrawn), and
    of that what `narrow` leaves. Raises ConfigError, LakeError.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    seal = asked or Asked(size=read_checkpoint(lake).size)
    wanted = _wanted(_found(lake, config, only, seal), narrow)
    return write(file, wanted, output, seal, say)


def _found(lake: Lake, config: Config, only: Sequence[str], seal: Asked) -> list[Found]:
    found = [
        one for one in answers(lake, config, moment(lake, config, seal))
        if (one.request.state != "withdrawn" if "all" in only else one.request.id in only)
    ]  # fmt: skip
    known = {one.request.id for one in found}
    if strange := [name for name in only if name not in {*known, "all"}]:
        raise ConfigError(f"there is no request {strange[0]!r} in the register as of that moment")
    if not found:
        raise ConfigError("no register called requests was collected: docs/audits.md shows one")
    return found


def _wanted(found: Sequence[Found], narrow: Wanted) -> Wanted:
    whole = replace(
        narrow,
        items=[item for one in found for item in one.items],
        about=f"the answers to {len(found)} requests",
        extra=(
            ("requests", [one.told() for one in found]),
            ("answers", [line for one in found for line in _lines(one)]),
        ),
        lacks=[Missing("request", f.request.id, f.lacks) for f in found if f.lacks],
    )  # fmt: skip
    return replace(whole, cut=partial(_cut, found, whole)) if narrow.narrows else whole


def _lines(found: Found) -> Iterator[_Row]:
    for number, row in enumerate(found.rows, 1):
        yield {"request": found.request.id, "number": number, **row}


def _cut(found: Sequence[Found], whole: Wanted, kept: frozenset[str]) -> Wanted:
    """Without the rows that name none of the items that are kept: what names no item cannot be
    narrowed, and may tell of anything."""
    answered, told, lacks, gone = list[_Row](), list[_Row](), list(whole.lacks), dict[str, _Row]()
    for one in found:
        rows = [row for row in _lines(one) if str(row.get("item_id", "")) in kept]
        items = kept.intersection(one.items)
        answered += rows
        told.append(one.told() | {"rows": len(rows), "items": len(items)})
        counts = (len(one.rows), len(set(one.items)))
        cut = (counts[0] - len(rows), counts[1] - len(items))
        if any(cut):
            gone[one.request.id] = {"rows": cut[0], "items": cut[1]}
            why = _CUT.format(cut[0], counts[0], cut[1], counts[1])
            lacks.append(Missing("withheld", one.request.id, why))
    narrowed = {"of": whole.about, "requests": gone}
    extra = (("requests", told), ("answers", answered))
    return replace(whole, extra=extra, lacks=lacks, narrowed=narrowed)
