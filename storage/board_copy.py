"""The last board, kept beside the lake for the process that starts next: signed by its key.

It can be made again at any time and may be deleted. It is read only over the very log that it was
made from, and not once rows were taken from there: it may hold what had to go.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress

from evidence.errors import LakeError, VerificationFailed
from storage.keys import Signer
from storage.lake import Lake
from storage.note import VerifierKey, check_signature
from storage.place_local import LocalPlace

WHAT = "board"
NAME = "signed"


def keep_copy(lake: Lake, signer: Signer, version: int, content: bytes) -> None:
    """Keep what was made of this version of the evidence, instead of what was kept before.

    What was made of rows that are gone is not kept. Raises LakeError.
    """
    entry = lake.table("evidence").entry_digest(version)
    if of_this_log(lake, version, entry):
        note = signer.attest(WHAT, f"{version} {entry} {hashlib.sha256(content).hexdigest()}\n")
        LocalPlace(lake.place.derived(WHAT)).replace(NAME, note.encode() + content)


def kept_copy(lake: Lake, key: VerifierKey) -> bytes | None:
    """What was kept; None if there is none to believe. Raises LakeError if it is no plain file, or
    the log is not whole."""
    own = VerifierKey(f"{key.origin}/{WHAT}", key.public)
    whole = LocalPlace(lake.place.derived(WHAT)).read(NAME) or b""
    with suppress(ValueError, VerificationFailed):
        name, about, empty, signature, content = whole.split(b"\n", 4)
        signed = b"\n".join((name, about, empty)).decode()
        check_signature(signed, signature.decode(), own, WHAT)
        version, entry, digest = about.decode().split(" ")
        if name.decode() == own.origin and hashlib.sha256(content).hexdigest() == digest:
            return content if of_this_log(lake, int(version), entry) else None
    return None


def forget_copy(lake: Lake) -> None:
    """Throw it away. Raises LakeError if it is still there."""
    folder = lake.place.derived(WHAT)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise LakeError(f"{folder} may hold what had to go and cannot be deleted: delete it")


def of_this_log(lake: Lake, version: int, entry: str) -> bool:
    """Whether the log has this very entry, and no rows were taken out since."""
    table = lake.table("evidence")
    if version > table.version or table.entry_digest(version) != entry:
        return False
    return not any(commit.drops_data for commit in table.commits(version))
