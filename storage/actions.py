"""Headwater's own acts as evidence: what was done to the lake or with it, by whom, how it ended."""

from __future__ import annotations

import getpass
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from evidence.canonical import plain
from evidence.errors import LakeConflict, LakeError
from evidence.model import Cursor, EvidenceItem, Outcome
from evidence.own import ACTION_KIND, OWN_SOURCE
from storage.code import code_version
from storage.lake import Bookmark, Lake, Landed

_TRIES = 50

Make = Callable[[Bookmark], tuple[tuple[EvidenceItem, ...], Cursor | None]]


def act(
    lake: Lake,
    what: str,
    *,
    who: str = "",
    facts: Mapping[str, Any] | None = None,
    outcome: Outcome = Outcome.RECORDED,
    title: str = "",
) -> EvidenceItem:
    """Land one act as an event of kind `headwater.action`; returns the item.

    `what` is the verb in one word (`verify`, `maintain`) and the item's subject; `who` is whoever
    caused it, by default the user of the operating system; `facts` are JSON-like values. Raises
    LakeError when the lake cannot be written: whoever may go on without a record uses `try_to_act`.
    """
    item = action_item(lake, what, who=who, facts=facts, outcome=outcome, title=title)
    land_own(lake, lambda _: ((item,), None))
    return item


def try_to_act(lake: Lake, what: str, **given: Any) -> str:
    """`act` where reading is allowed without writing; empty, or the sentence why it did not land.

    The caller shows the sentence: an act that left no record must not look as if it had.
    """
    try:
        act(lake, what, **given)
    except LakeError as error:
        return f"that {what} was run is not recorded in the lake: {error}"
    return ""


def action_item(
    lake: Lake,
    what: str,
    *,
    who: str = "",
    facts: Mapping[str, Any] | None = None,
    outcome: Outcome = Outcome.RECORDED,
    title: str = "",
) -> EvidenceItem:
    """The act as an item, to land together with others in one commit (see `land_own`)."""
    at, actor = lake.clock(), who or acting_user()
    # Two equal acts at one moment are two acts: without a mark of its own the second were known.
    payload = {"act": uuid.uuid4().hex, "what": what, "who": actor, "code_version": code_version()}
    return EvidenceItem(
        source=OWN_SOURCE, kind=ACTION_KIND, subject=what, observed_from=at, observed_to=at,
        collected_at=at, payload=plain(payload | {"facts": dict(facts or {})}), outcome=outcome,
        title=title or f"{what}: {outcome.value}", actor=actor,
    )  # fmt: skip


def land_own(lake: Lake, make: Make, line: str = "") -> Landed:
    """Land what `make` gives for the bookmark as it stands, again whenever others landed first.

    `make` returns the items and the cursor (None: it stays), which is that of `line`. Raises
    LakeConflict after many tries, LakeError.
    """
    for _ in range(_TRIES):
        bookmark = lake.bookmark(OWN_SOURCE, line)
        items, cursor = make(bookmark)
        try:
            return lake.land(OWN_SOURCE, items, bookmark=bookmark, cursor=cursor, pull_id="")
        except LakeConflict:
            continue
    raise LakeConflict(f"{OWN_SOURCE}: others keep landing first; run it again later")


def acting_user() -> str:
    """The user of the operating system, or the bare number where it has no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
