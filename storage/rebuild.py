"""What follows from the evidence can be made again: the old table is set aside, never deleted."""

from __future__ import annotations

from pathlib import Path

from evidence.errors import LakeError
from evidence.times import stamp
from storage import delta
from storage.files import sync
from storage.lake import Lake, locked
from storage.schema import TABLES

ASIDE = "aside"


def set_tags_aside(lake: Lake) -> Path | None:
    """Move the table of tags to `aside/` and make an empty one; where the old one lies, None if
    there was none. The followers then fill it from the first version on.

    May die at any moment: run again, it goes on. Raises LakeError.
    """
    old = lake.path / "tags"
    moment = stamp(lake.clock()).replace(":", "").replace(".", "")
    kept = lake.path / ASIDE / f"tags-{moment}"
    try:
        with locked(lake.path / ".lock"):
            moved = old.exists()
            if moved:
                kept.parent.mkdir(exist_ok=True)
                old.rename(kept)
                sync(kept.parent)
            delta.create(old, TABLES["tags"])
            sync(lake.path)
    except OSError as error:
        raise LakeError(f"the tags cannot be set aside in {kept.parent}: {error}") from error
    return kept if moved else None
