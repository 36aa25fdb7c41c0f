"""What a person's word changed: where the controls stood before and where they stand after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flows.config import Config
from flows.judgement import judge_lake
from flows.moment import present
from flows.terminal import printable
from storage.lake import Lake

Say = Callable[[str], None]


def standings(lake: Lake, config: Config) -> dict[str, str]:
    """Control → where it stands now and why."""
    judged = judge_lake(lake, present(lake, config))
    return {key: f"{s.standing} ({s.why})" for key, s in judged.standings.items()}


def tell_changes(before: Mapping[str, str], after: Mapping[str, str], say: Say) -> None:
    """A line for each control that stands otherwise, or that none does."""
    changed = [key for key in after if after[key] != before.get(key)]
    for key in changed:
        say(printable(f"{key}: {before.get(key)} → {after[key]}"))
    if not changed:
        say("no control stands otherwise than before")
