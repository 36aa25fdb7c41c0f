"""What landed, as the judge is told: from what is kept for it where that is beyond doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from evidence.errors import LakeError
from evidence.freshness import Sighting
from evidence.gaps import joined
from storage.arrivals import Asked, Served
from storage.covers import Aging, Covered
from storage.engine import Connection, Limits
from storage.keeping import LEFT_OUT, Keeping
from storage.kept import Kept, given_up, landed_since, load, mend, tags_came_late
from storage.lake import Lake
from storage.overtaken import heed, late_events
from storage.seen import in_parts
from storage.sightings import Folding, Key
from storage.views import connect, connect_files

WORTH = 200_000
"""Items from which on a state is kept: fewer are judged from the whole lake as quickly."""


def landed(
    connection: Connection, now: datetime, asked: Sequence[Asked], ages: Sequence[Aging] = (),
    keeping: Keeping | None = None,
) -> dict[Key, Sighting]:  # fmt: skip
    """The sightings as the connection shows them, with what served these stretches of time, and
    the stretches in which each was in date by these ages. `keeping` is shown the same subjects.

    Raises LakeError.
    """
    served, covered = Served(connection, now, asked), Covered(connection, now, ages)
    seen = Folding(connection, now)

    def look() -> None:
        served.take()
        left_out = keeping.take(served.items) if keeping else None
        covered.take(but="" if left_out is None else LEFT_OUT)
        covered.add(left_out or {})
        seen.take()

    in_parts(connection, now, look)
    arrived = served.told()
    return {
        key: replace(one, arrivals=arrived.get(key, ()), covers=covered.told.get(key, ()))
        for key, one in seen.told().items()
    }


def landed_by_now(
    lake: Lake, mapping: str, now: datetime, asked: Sequence[Asked], limits: Limits,
    worth: int = WORTH, ages: Sequence[Aging] = (), aside: Sequence[str] = (),
) -> dict[Key, Sighting]:  # fmt: skip
    """`landed` of all that landed by `now`, which is the present: from the kept state and what came
    since, or from the whole lake, of which a state is kept then. `aside` belongs to the mapping.

    Raises LakeError.
    """
    kept = load(lake, mapping, now)
    found = None if kept is None else landed_after(lake, kept, now, asked, limits, ages, aside)
    if found is not None:
        return found
    return _whole(lake, mapping, now, asked, limits, worth, ages, aside)


def landed_after(
    lake: Lake, kept: Kept, now: datetime, asked: Sequence[Asked], limits: Limits,
    ages: Sequence[Aging] = (), aside: Sequence[str] = (),
) -> dict[Key, Sighting] | None:  # fmt: skip
    """`landed` by a kept state; None on any doubt that the whole lake says the same."""
    if not kept.answers(asked, ages):
        return None
    try:
        versions, since = _versions(lake), landed_since(lake, kept)
        if since is None:
            return None
        files = kept.files(*since)
        with connect_files(
            {name: files.get(name, []) for name in lake.tables}, as_of=now,
            mapping_digest=kept.mapping, limits=limits, aside=aside,
        ) as connection:  # fmt: skip
            if tags_came_late(connection, kept):
                return None
            if late := late_events(connection, kept):
                with connect(
                    lake, as_of=now, mapping_digest=kept.mapping, limits=limits, aside=aside
                ) as whole:
                    if _versions(lake) != versions:
                        return None
                    kept = heed(whole, kept, late, files["evidence"], now, asked, ages)
                mend(kept)
            return _with_left_out(landed(connection, now, asked, ages), kept)
    except LakeError:  # a file that another process has tidied away is a doubt, too
        return None


def _with_left_out(seen: dict[Key, Sighting], kept: Kept) -> dict[Key, Sighting] | None:
    """With the items that were left out counted, and what they covered."""
    if kept.counts.keys() - seen.keys():
        return None
    return {
        key: replace(
            one, count=one.count + kept.counts.get(key, 0),
            covers=joined((*one.covers, *kept.covers.get(key, ()))),
        )
        for key, one in seen.items()
    }  # fmt: skip


def _whole(
    lake: Lake, mapping: str, now: datetime, asked: Sequence[Asked], limits: Limits, worth: int,
    ages: Sequence[Aging], aside: Sequence[str],
) -> dict[Key, Sighting]:  # fmt: skip
    versions = _versions(lake)
    with connect(lake, as_of=now, mapping_digest=mapping, limits=limits, aside=aside) as connection:
        keeping = None
        if not given_up(lake, now) and _still(connection, lake, versions, worth):
            keeping = Keeping(connection, lake, versions, mapping, now, asked, ages)
        found = landed(connection, now, asked, ages, keeping)
        if keeping:
            keeping.save()
    return found


def _versions(lake: Lake) -> tuple[int, int]:
    return lake.table("evidence").version, lake.table("tags").version


def _still(connection: Connection, lake: Lake, versions: tuple[int, int], worth: int) -> bool:
    """Whether the connection shows just what these versions hold, and that is worth keeping."""
    rows = connection.execute(
        "SELECT (SELECT count(*) FROM lake_evidence), (SELECT count(*) FROM evidence)"
    ).fetchone()
    everything, shown = rows or (0, -1)
    return bool(everything == shown >= worth) and _versions(lake) == versions
