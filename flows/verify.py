"""Verify the lake against what was signed, say what was checked, and keep that it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from evidence.errors import LakeError, VerificationFailed
from evidence.model import Outcome
from flows.config import Config, load, now
from storage.actions import try_to_act
from storage.keys import load_key
from storage.lake import Lake
from storage.verify import verify

KEPT = 20
"""Of the findings, in the record of a failed verification; their number is always kept."""


def run(file: Path, say: Callable[[str], None]) -> int:
    """0 when everything is as it was signed. Raises VerificationFailed naming each difference.

    How it ended lands in the lake, if it can be written: also, and above all, a failure.
    """
    config = load(file)
    key = load_key(config.key, origin=config.origin)
    try:
        found = verify(config.lake, key.vkey, witness=config.witness)
    except VerificationFailed as failed:
        count = len(failed.findings)
        facts = {"findings": count, "first": failed.findings[:KEPT]}
        _keep(config, say, Outcome.FAILED, facts, f"verify: {count} differences")
        raise
    say(f"sealed  {found.size} items under {found.origin}, root {found.root.hex()}")
    say("ok      every payload, id and leaf recomputed; the seal and the witness copy agree")
    for note in found.notes:
        say(f"note    {note}")
    facts = {"size": found.size, "root": found.root.hex(), "rows": found.items}
    facts |= {"notes": found.notes}
    _keep(config, say, Outcome.PASSED, facts, f"verify: {found.size} items as they were sealed")
    return 0


def _keep(
    config: Config, say: Callable[[str], None], outcome: Outcome, facts: dict[str, Any], title: str
) -> None:
    try:
        lake = Lake.open(config.lake, clock=now)
    except LakeError as error:
        say(f"note    this verification is not recorded: {error}")
        return
    if unkept := try_to_act(lake, "verify", outcome=outcome, facts=facts, title=title):
        say(f"note    {unkept}")
