"""Make again what follows: the tags from the evidence, the tiles from the ledger's leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evidence.errors import ConfigError
from flows.config import load, now
from flows.follow import follow, seal
from storage.actions import act
from storage.lake import Lake
from storage.ledger import remake_tiles
from storage.rebuild import set_tags_aside


def rebuild(file: Path, what: str, say: Callable[[str], None]) -> int:
    """Make the tags or the tiles again; 0 when done."""
    if what not in {"tags", "tiles"}:
        raise ConfigError(
            f"{what!r} cannot be made again, only `tags` and `tiles`: verdicts are what was said "
            "at the time; restore them from a backup"
        )
    return _tiles(file, say) if what == "tiles" else _tags(file, say)


def _tiles(file: Path, say: Callable[[str], None]) -> int:
    """The tree is made of the list of leaves, and leads to the last seal: nothing to seal anew."""
    config = load(file)
    lake = Lake.open(config.lake, clock=now, redactor=config.redactor())
    size = remake_tiles(lake)
    say(f"tiles   made again from {size} leaves; `headwater verify` compares them")
    act(lake, "rebuild", facts={"what": "tiles", "leaves": size})
    return 0


def _tags(file: Path, say: Callable[[str], None]) -> int:
    """Set the tags aside, tag all evidence by today's rules, and seal the result."""
    config = load(file)
    lake = Lake.open(config.lake, clock=now, redactor=config.redactor())
    kept = set_tags_aside(lake)
    if kept is not None:
        say(f"aside   the old tags lie in {kept}")
    act(lake, "rebuild", facts={"what": "tags", "aside": kept})
    seal(lake, config, anew=["tags"])
    say(f"tags    {follow(lake, config).sentence}")
    say("note    only today's rules were applied: tags of earlier rules are in what lies aside")
    return 0
