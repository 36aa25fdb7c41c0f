"""Write a proof that others check without the lake: of one item, or of one seal by another."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from evidence.errors import ConfigError, LakeError
from flows.config import load, now
from storage.checkpoints import checkpoint_of
from storage.lake import Lake
from storage.pages import find_items
from storage.proof import consistency_proof, inclusion_proof
from storage.views import connect


def write(
    file: Path, item: str, since: int, until: int, output: Path, say: Callable[[str], None]
) -> int:
    """Prove an item (its id, or at least 6 signs of it), or that the log goes on since a size."""
    if bool(item) == bool(since):
        raise ConfigError("give an item's id, or --since with the number of items of an older seal")
    lake = Lake.open(load(file).lake, clock=now)
    text = _item(lake, item, until) if item else _continues(lake, since, until)
    try:
        with output.open("x", encoding="utf-8", newline="") as out:
            out.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{output} is there already: a proof is not written over") from error
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    say(f"written {output}; check it with: python verify_pack.py …")
    return 0


def _item(lake: Lake, item: str, until: int) -> str:
    if len(item) < 6:
        raise ConfigError(f"{item!r}: an item id needs at least 6 signs")
    with connect(lake) as connection:
        rows = find_items(connection, item)
    if len(rows) != 1:
        raise LakeError(f"{item!r} begins the id of {len(rows) or 'no'} items; write more of it")
    return str(inclusion_proof(lake, rows[0]["item_id"], size=until or None))


def _continues(lake: Lake, since: int, until: int) -> str:
    """The form in which C2SP witnesses are asked (c2sp.org/tlog-witness, add-checkpoint)."""
    head = checkpoint_of(lake, until or None)
    path = consistency_proof(lake, since, until or None)
    hashes = [base64.b64encode(node).decode() for node in path]
    return "\n".join([f"old {since}", *hashes, "", head.text])
