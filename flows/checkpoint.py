"""The last seal as it is signed, to be copied wherever this house cannot change it."""

from __future__ import annotations

import sys
from pathlib import Path

from evidence.errors import LakeError
from flows.config import load
from flows.keys import public_key_of
from storage.checkpoints import own_seal
from storage.note import VerifierKey


def show(file: Path) -> int:
    """Write the note to standard output, byte for byte. Raises LakeError: none, or not ours."""
    config = load(file)
    head = own_seal(config.lake, VerifierKey.parse(public_key_of(config)))
    if head is None:
        raise LakeError("nothing is sealed yet; run `headwater collect`, which seals what landed")
    sys.stdout.buffer.write(head.text.encode())
    sys.stdout.flush()
    return 0
