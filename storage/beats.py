"""When each of Headwater's own flows last did its work: a memory in the lake's place, no proof."""

from __future__ import annotations

import json
from datetime import datetime

from evidence.errors import InvalidItem
from evidence.times import parse, stamp
from storage.place import Place

FOLDER = "beats"


def beat(place: Place, flow: str, at: datetime) -> None:
    """Remember that a run of this flow that began at `at` came to its end. Raises LakeError."""
    place.at(FOLDER).replace(f"{flow}.json", json.dumps({"at": stamp(at)}).encode() + b"\n")


def last_beat(place: Place, flow: str) -> datetime | None:
    """When the last run that came to its end began; None if none did. Raises LakeError.

    A damaged memory is none: whoever waits for the flow is then told that it did not run.
    """
    content = place.at(FOLDER).read(f"{flow}.json")
    try:
        return None if content is None else parse(str(json.loads(content)["at"]))
    except (ValueError, TypeError, KeyError, RecursionError, InvalidItem):
        return None
