"""What one look changes in the memory: causes come, change, go, and are over once that lasts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from flows._alerts.memory import Memory, Open
from flows._alerts.words import Cause, Seen


def observe(memory: Memory, seen: Seen, now: datetime) -> Memory:
    """The memory after a look at `now`. A cause that nobody can see stays as it was."""
    found = {cause.key: cause for cause in seen.causes}
    kept = {key: _still(one, found.get(key), seen, now) for key, one in memory.causes.items()}
    new = {key: Open(cause, now) for key, cause in found.items() if key not in kept}
    ended = {name: hush for name, hush in memory.hushes.items() if now < hush.until}
    return replace(memory, causes=kept | new, hushes=ended)


def _still(one: Open, cause: Cause | None, seen: Seen, now: datetime) -> Open:
    key = one.cause.key
    if cause is not None:
        back, same = one.gone is not None, cause.severity == one.cause.severity
        return replace(
            one, cause=cause, turned=one.turned if same else now, gone=None, now="",
            flaps=one.flaps + back, blind=False,
        )  # fmt: skip
    if key in seen.blind:
        return replace(one, blind=True)
    if one.gone is not None:
        return replace(one, blind=False)
    return replace(one, gone=now, now=seen.now.get(key, "it is not listed any more"), blind=False)
