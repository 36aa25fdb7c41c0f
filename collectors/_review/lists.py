"""The lists of a repository that become evidence: what was merged, deployed and released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial

from collectors._review.deployment import Stage
from collectors._review.host import Host
from collectors._review.pull import Making
from collectors._review.read import Listed
from collectors._review.release import Release
from collectors._review.walk import Seen, changed
from collectors.base import Window
from collectors.http import clean
from evidence.model import EvidenceItem

DEPLOYMENTS, RELEASES = "/deployments", "/releases"
_PATIENCE = timedelta(days=35)
"""How long a deployment that has not ended is read again: GitHub lets one wait for 30 days."""
_AT_ONCE = timedelta(hours=1)
"""A host that tells what comes of a deployment has begun to by then."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which time is read. `start` is the earliest that counts (None: any), `lookback` how long
    before the newest change that was read is read again, unless a `window` of the past is asked."""

    start: datetime | None
    lookback: timedelta
    window: Window | None

    def floor(self, mark: datetime | None) -> datetime | None:
        """The earliest change that is read, where the watermark is `mark`: a change is never
        earlier than the merge in it."""
        if self.window is not None:
            return self.window.since
        return self.start if mark is None else mark - self.lookback

    def holds(self, at: datetime) -> bool:
        """Whether what happened then is asked for."""
        if self.start and at < self.start:
            return False
        return self.window is None or self.window.since <= at < self.window.until


def merges(host: Host, made: Making, span: Span, floor: datetime | None) -> Listed:
    """What changed since `floor`, of which the merges within the span are evidence."""
    of = made.repository
    every = changed(lambda: host.newest_first(of), host.seen, floor)
    wanted = [one for one in every if one.merged and span.holds(one.merged)]

    def read(number: int) -> tuple[EvidenceItem, bool]:
        one = host.merged(of, number)
        if made.documents:
            one = replace(one, files=host.files(of, one))
        return one.item(made), False

    return Listed(of.id, lambda nr: f"{of.name}#{nr}", every, wanted, read)


def deployed(host: Host, made: Making, span: Span, mark: datetime | None) -> Sequence[Seen]:
    """The deployments that are looked at; one that ended in a window may have been asked for long
    before it."""
    floor = span.floor(mark)
    if floor and span.window:
        floor -= _PATIENCE
    return changed(lambda: host.deployments(made.repository), host.deployment_seen, floor)


def deployments(
    host: Host, made: Making, span: Span, every: Sequence[Seen], now: datetime
) -> Listed:
    """Of the deployments that are looked at, those to where people are served are evidence."""
    of = made.repository
    merged = lru_cache(256)(partial(host.merged, of))

    def read(number: int) -> tuple[EvidenceItem | None, bool]:
        one = host.deployment(of, number, merged)
        item, age = one.item(made), now - one.created
        early = one.stage is Stage.UNTOLD and age < _AT_ONCE
        asked = span.window is None or span.window.holds(item)
        return item if asked and not early else None, not one.stage.ended and age < _PATIENCE

    wanted = [one for one in every if one.merged and _begins(span, one.merged)]
    return Listed(
        of.id + DEPLOYMENTS,
        lambda nr: f"{of.name} deployment {nr}",
        every,
        wanted,
        read,
        dense=True,
    )


def releases(host: Host, made: Making, span: Span, found: Sequence[Release]) -> Listed:
    """What was published within the span, by its place in `found`: GitLab's have no number."""
    of = made.repository
    origin = partial(host.origin, of, merged=lru_cache(256)(partial(host.merged, of)))

    def read(n: int) -> tuple[EvidenceItem, bool]:
        whole = replace(found[n], commit=host.tagged(of, found[n]))
        return whole.item(made, origin), False

    every = sorted((Seen(n, one.at, one.at) for n, one in enumerate(found)), key=_changed)
    return Listed(
        of.id + RELEASES, lambda n: f"{of.name} release {clean(found[n].tag, 80)}", every,
        [one for one in every if span.holds(one.updated)],
        read, dense=True,
    )  # fmt: skip


def _changed(one: Seen) -> datetime:
    return one.updated


def _begins(span: Span, at: datetime) -> bool:
    return (not span.start or at >= span.start) and (not span.window or at < span.window.until)
