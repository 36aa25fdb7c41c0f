"""Who has a cause in hand: it is escalated to nobody until then, and stays on the board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evidence.errors import ConfigError
from flows._alerts.deliver import remembered
from flows._alerts.memory import Memory, Open, Taken
from flows._alerts.show import KEY
from flows._alerts.words import mark
from flows.alerting import Say, channelled, keep_change, opened, until_of
from flows.config import Config, now


def ack(file: Path, key: str, *, by: str, why: str, until: str, say: Say) -> int:
    """A named person has it until a moment. Raises ConfigError, LakeError."""
    config = channelled(file)
    one, till = _open_cause(config, key), until_of(until, now())
    for name, words in (("--by", by), ("--why", why)):
        if not words.strip():
            raise ConfigError(f"{name} is empty: it stands in the record")
    taken = Taken(by.strip(), why.strip(), till, one.cause.severity, one.cause.step)
    facts = {"key": one.cause.key, "severity": taken.severity, "by": taken.by, "why": taken.why,
             "until": till}  # fmt: skip
    _change(config, "ack", one, taken, facts)
    say(f"{taken.sentence}; the board says so, and it is told again then, or if it gets worse")
    return 0


def unack(file: Path, key: str, by: str, say: Say) -> int:
    """Nobody has it any more. Raises ConfigError, LakeError."""
    config = channelled(file)
    one = _open_cause(config, key)
    if one.taken is None:
        raise ConfigError(f"nobody has {key!r} in hand: `headwater alert list` tells who has what")
    _change(config, "unack", one, None, {"key": one.cause.key, "by": by})
    say("it is told as before with the next look")
    return 0


def _change(
    config: Config, what: str, one: Open, taken: Taken | None, facts: Mapping[str, object]
) -> None:
    key = one.cause.key

    def change(memory: Memory) -> Memory:
        if key not in memory.causes:
            raise ConfigError(f"{key!r} is over by now: there is nothing to have in hand")
        causes = {**memory.causes, key: replace(memory.causes[key], taken=taken)}
        return replace(memory, causes=causes)

    keep_change(config, what, {"name": mark(key)[:KEY], **facts}, change)


def _open_cause(config: Config, key: str) -> Open:
    """The open cause of this key, or of the only mark that begins like that."""
    causes = remembered(opened(config)).causes
    if key in causes:
        return causes[key]
    found = [one for name, one in causes.items() if key and mark(name).startswith(key)]
    if len(found) != 1:
        why = "several are" if found else "none is"
        raise ConfigError(
            f"{why} open with the key {key!r}: `headwater alert list` shows the keys there are"
        )
    return found[0]
