"""What of an item a draft may cite, and what a model is given of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from evidence.draft import Given, Matter
from evidence.errors import LakeError
from evidence.suggestion import Passage

READ = 3_000
"""So many characters of an item are given to a model and may be cited, or fewer of many items."""
ALL = 60_000
_PLACES = 300
_SIGNS = 12


def passages(row: Mapping[str, Any], most: int = READ) -> tuple[Passage, ...]:
    """Texts and numbers of a row of the evidence table, each with its place, cut after `most`
    characters in all. Raises LakeError naming an item whose payload cannot be read."""
    try:
        payload = json.loads(row["payload"])
    except (ValueError, RecursionError) as error:
        raise LakeError(
            f"item {row['item_id']}: its payload is not JSON ({error}): run `headwater verify`"
        ) from error
    own = ((name, str(row[name] or "")) for name in ("title", "subject", "actor"))
    found: list[Passage] = []
    for place, text in (*own, *_leaves("payload", payload)):
        if most <= 0 or len(found) == _PLACES:
            break
        # A record often repeats its title in its payload.
        if text.strip() and all(text != known.text for known in found):
            found.append(Passage(place, text[:most]))
            most -= len(text)
    return tuple(found)


def _leaves(place: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, bool | int | float):
        yield place, json.dumps(value)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _leaves(f"{place}.{key}", entry)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _leaves(f"{place}[{number}]", entry)


def short_ids(matter: Matter) -> Mapping[str, str]:
    """A short name that a model can copy → the item's id; no two items have the same."""
    signs = _SIGNS
    while len({one.item_id[:signs] for one in matter.given}) < len(matter.given):
        signs += 1
    return {one.item_id[:signs]: one.item_id for one in matter.given}


def record(matter: Matter) -> str:
    """The question and the items as JSON, as a model is given them."""
    names = {item_id: name for name, item_id in short_ids(matter).items()}
    items = [
        {
            "id": names[one.item_id], "kind": one.kind, "system": one.system, "observed": one.day,
            "outcome": one.outcome, "standing": standing(one),
            "texts": [{"place": text.place, "text": text.text} for text in one.texts],
        }
        for one in matter.given
    ]  # fmt: skip
    asked = {"question": matter.question, "document": matter.text, "items": items}
    return json.dumps(asked, ensure_ascii=False)


def standing(one: Given) -> str:
    """In one line: what speaks against the item, else what it counts for."""
    if one.flaws:
        return "; ".join(f"{flaw.word}: {flaw.why}" for flaw in one.flaws)
    return "; ".join(one.counts) or "counts for nothing that is asked"
