"""Verify the lake against what was signed, and say what was checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flows.config import load
from storage.keys import load_key
from storage.verify import verify


def run(file: Path, say: Callable[[str], None]) -> int:
    """0 when everything is as it was signed. Raises VerificationFailed naming each difference."""
    config = load(file)
    key = load_key(config.key, origin=config.origin)
    found = verify(config.lake, key.vkey, witness=config.witness)
    say(f"sealed  {found.size} items under {found.origin}, root {found.root.hex()}")
    say("ok      every payload, id and leaf recomputed; the seal and the witness copy agree")
    for note in found.notes:
        say(f"note    {note}")
    return 0
