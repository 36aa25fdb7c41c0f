"""Make a follower again from the evidence, and seal that it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evidence.errors import ConfigError
from flows.config import load, now
from flows.follow import follow, seal
from storage.actions import act
from storage.lake import Lake
from storage.rebuild import set_tags_aside


def rebuild(file: Path, what: str, say: Callable[[str], None]) -> int:
    """Set the tags aside, tag all evidence by today's rules, and seal the result. 0 when done."""
    if what != "tags":
        raise ConfigError(
            f"{what!r} cannot be made again, only `tags`: verdicts are what was said at the time; "
            "restore them from a backup"
        )
    config = load(file)
    lake = Lake.open(config.lake, clock=now, redactor=config.redactor())
    kept = set_tags_aside(lake)
    if kept is not None:
        say(f"aside   the old tags lie in {kept}")
    act(lake, "rebuild", facts={"what": what, "aside": kept})
    seal(lake, config, anew=["tags"])
    say(f"tags    {follow(lake, config).sentence}")
    say("note    only today's rules were applied: tags of earlier rules are in what lies aside")
    return 0
