"""The lake as a board asks it: what was counted for the last one is not counted again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from evidence.errors import HeadwaterError
from flows.board_lives import lives_since
from flows.board_pages import PAGES, shown_pages
from flows.broken import broken
from flows.config import Config
from flows.keys import public_key_of
from flows.moment import Moment
from storage.board_copy import forget_copy
from storage.engine import ample
from storage.keys import load_key
from storage.lake import Lake
from storage.note import VerifierKey
from storage.pages import Connection, control_items
from storage.tallied import Shown, differ, keep_tallies, take_up, versions_of, worth_it
from storage.tally import Table


@contextlib.contextmanager
def counting(lake: Lake, config: Config, moment: Moment, *, past: bool) -> Iterator[Connection]:
    """The views of the moment; of the present, with what was counted before and came since, which
    is kept for the next if the block ends well. Raises LakeError."""
    versions = versions_of(lake)
    with moment.connect(lake, ample()) as connection:
        if past or moment.untagged or versions_of(lake) != versions:
            yield connection
            return
        shown = _shown(lake, moment, versions)
        taken = _taken(connection, lake, config, moment, shown)
        yield connection
        if taken is None and shown.whole and worth_it(connection):
            _keep(connection, lake, config, shown)
        elif taken is not None and taken.whole and connection.tallies.keys() - taken.kept:
            _keep(connection, lake, config, taken)


def _shown(lake: Lake, moment: Moment, versions: tuple[int, int]) -> Shown:
    mapping = moment.mapping.rules.digest
    tagged = lake.followed("tags", f"tags:{mapping}")
    whole = tagged is not None and tagged >= versions[0]
    return Shown(versions, moment.at, mapping, whole, moment.at)


def _also(connection: Connection, new: Connection, before: Mapping[str, Table]) -> dict[str, Table]:
    pages = {PAGES: before[PAGES]} if PAGES in before else {}
    return pages | lives_since(connection, new, before)


def _taken(
    connection: Connection, lake: Lake, config: Config, moment: Moment, shown: Shown
) -> Shown | None:
    try:
        key = VerifierKey.parse(public_key_of(config))
    except (HeadwaterError, ValueError):
        return None
    return take_up(connection, lake, shown, key, moment.mapping.catalogue.aside, _also)


def _keep(connection: Connection, lake: Lake, config: Config, shown: Shown) -> None:
    """Where it cannot be written, or there is no key, all is counted again the next time."""
    with contextlib.suppress(HeadwaterError, OSError):
        signer = load_key(config.key, origin=config.origin)
        keep_tallies(connection, lake, shown, signer)


def counted_otherwise(lake: Lake, config: Config, moment: Moment) -> bool:
    """Whether what was kept for the next board says otherwise of the present than the whole lake;
    then it is thrown away, and the last board with it. Raises LakeError."""
    versions = versions_of(lake)
    with moment.connect(lake, ample()) as kept, moment.connect(lake, ample()) as whole:
        shown = _shown(lake, moment, versions)
        if versions_of(lake) != versions or _taken(kept, lake, config, moment, shown) is None:
            return False
        if not (differ(kept, whole) or _told(kept, moment) != _told(whole, moment)):
            return False
    forget_copy(lake)
    return True


def _told(connection: Connection, moment: Moment) -> tuple[object, ...]:
    """What is broken, and what is read of the newest items."""
    ids = [one for items in control_items(connection).values() for one in items]
    return tuple(broken(connection, moment.at)), shown_pages(connection, list(dict.fromkeys(ids)))
