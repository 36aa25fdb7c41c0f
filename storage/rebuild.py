"""What follows from the evidence can be made again: the old table is set aside, never deleted."""

from __future__ import annotations

from evidence.times import stamp
from storage import delta
from storage.lake import Lake
from storage.schema import TABLES

ASIDE = "aside"


def set_tags_aside(lake: Lake) -> str | None:
    """Move the table of tags to `aside/` and make an empty one; where the old one lies, None if
    there was none. The followers then fill it from the first version on.

    May die at any moment: run again, it goes on. Raises LakeError.
    """
    moment = stamp(lake.clock()).replace(":", "").replace(".", "")
    kept = f"{ASIDE}/tags-{moment}"
    with lake.place.locked(".lock"):
        moved = next(lake.place.names("tags"), None) is not None
        if moved:
            lake.place.move("tags", kept)
        delta.create(lake.place.at("tags"), TABLES["tags"])
    return lake.place.shown(kept) if moved else None
