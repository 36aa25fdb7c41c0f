"""The CloudTrail bookmark: per account and region, what was read, what waits for its digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from collectors._trail.names import back, day_of
from evidence.errors import HeadwaterError, SourceBroken
from evidence.model import Cursor
from evidence.times import parse, stamp

RELIST_DAYS = 2
WAIT_DAYS = 7
AWAIT_DAYS = 90


@dataclass(slots=True)
class Seen:
    """A log file: its entity tag ("": named, not read yet), its delivery, whether it was judged."""

    etag: str
    due: datetime
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """The last digest read of one chain; empty hashes where it could not be read."""

    key: str
    since: datetime
    end: datetime
    sha256: str = ""
    signature_sha256: str = ""


@dataclass(slots=True)
class Progress:
    """What was read of one account and region.

    `newest` is the newest day folder reached, `oldest` the first log file's delivery, `latest`
    the last one's; `unread` are log files that were denied and are asked for again; `recheck` the
    digests that could not be judged for want of a readable object. What was named and not there may
    come yet: `awaited` are such log files, each with the digest that names it, and `lost` such
    digests, each with the one that was read before it. `doubt` says why the region's logs could not
    be validated at the end of the last pull ("" if they could).
    """

    newest: str = ""
    oldest: datetime | None = None
    latest: datetime | None = None
    seen: dict[str, Seen] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    chains: dict[str, Link] = field(default_factory=dict)
    recheck: set[str] = field(default_factory=set)
    awaited: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    doubt: str = ""

    def window(self, start: str) -> str:
        """The first day folder to list again."""
        return max(start, back(self.newest, RELIST_DAYS))

    def reach(self, suffix: str, at: datetime) -> None:
        """Note a log file delivered at `at`."""
        self.newest = max(self.newest, day_of(suffix))
        self.oldest = min(self.oldest or at, at)
        self.latest = max(self.latest or at, at)

    def prune(self) -> None:
        """Forget settled files of days that are not listed again, and all that waited too long."""
        settled, waiting = back(self.newest, RELIST_DAYS), back(self.newest, WAIT_DAYS)
        self.seen = {
            suffix: entry
            for suffix, entry in self.seen.items()
            if suffix in self.unread or day_of(suffix) >= (settled if entry.settled else waiting)
        }
        oldest = back(self.newest, AWAIT_DAYS)
        self.awaited = {s: named for s, named in self.awaited.items() if day_of(s) >= oldest}
        self.lost = {s: before for s, before in self.lost.items() if day_of(s) >= oldest}

    def end(self) -> datetime | None:
        """The end of the newest hourly digest read."""
        hourly = (link.end for name, link in self.chains.items() if not name.endswith("+backfill"))
        return max(hourly, default=None)

    def digest_day(self, start: str) -> str:
        """The first day folder whose digests may be new."""
        ends = [link.end for link in self.chains.values()]
        return max(start, back(max(ends).strftime("%Y/%m/%d"), RELIST_DAYS)) if ends else start


def read(cursor: Cursor | None) -> dict[str, Progress]:
    """Progress per scope name. Raises SourceBroken for a cursor that `write` did not write."""
    if cursor is None:
        return {}
    try:
        return {str(k): _progress(v) for k, v in json.loads(cursor.value)["scopes"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, HeadwaterError) as error:
        raise SourceBroken(f"the cursor is not one of the CloudTrail collector: {error}") from error


def write(scopes: dict[str, Progress]) -> Cursor:
    """The bookmark that `read` understands; the same progress gives the same text."""
    told = {name: _told(progress) for name, progress in sorted(scopes.items())}
    return Cursor(json.dumps({"scopes": told}, separators=(",", ":"), ensure_ascii=False))


def _told(progress: Progress) -> dict[str, Any]:
    return {
        "newest": progress.newest,
        "oldest": _text(progress.oldest),
        "latest": _text(progress.latest),
        "seen": {s: [e.etag, stamp(e.due), e.settled] for s, e in sorted(progress.seen.items())},
        "unread": sorted(progress.unread),
        "chains": {
            name: [link.key, stamp(link.since), stamp(link.end), link.sha256, link.signature_sha256]
            for name, link in sorted(progress.chains.items())
        },
        "recheck": sorted(progress.recheck),
        "awaited": dict(sorted(progress.awaited.items())),
        "lost": dict(sorted(progress.lost.items())),
        "doubt": progress.doubt,
    }


def _progress(told: dict[str, Any]) -> Progress:
    return Progress(
        newest=str(told["newest"]),
        oldest=_maybe(parse, told["oldest"]),
        latest=_maybe(parse, told["latest"]),
        seen={s: Seen(str(e), parse(d), bool(x)) for s, (e, d, x) in told["seen"].items()},
        unread={str(suffix) for suffix in told["unread"]},
        chains={
            name: Link(str(key), parse(since), parse(end), str(sha), str(signature))
            for name, (key, since, end, sha, signature) in told["chains"].items()
        },
        recheck={str(suffix) for suffix in told["recheck"]},
        # Bookmarks of before these were kept have neither.
        awaited={str(s): str(named) for s, named in told.get("awaited", {}).items()},
        lost={str(s): str(before) for s, before in told.get("lost", {}).items()},
        doubt=str(told["doubt"]),
    )


def _text(moment: datetime | None) -> str:
    return stamp(moment) if moment else ""


def _maybe(make: Callable[[str], datetime], text: str) -> datetime | None:
    return make(text) if text else None
