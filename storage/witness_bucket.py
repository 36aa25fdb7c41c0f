"""A bucket as witness, best an object-locked one: each note is put once and never written over."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from evidence.errors import LakeError, VerificationFailed
from storage.note import Checkpoint
from storage.place import Place
from storage.witness import Kept

_NOTE = re.compile(r"[0-9]{20}-[0-9a-f]{16}")
_READERS = 8


@dataclass(frozen=True, slots=True)
class BucketWitness:
    """A prefix of a bucket: one object a note, named by its size and digest.

    Its mark is the name of the last note that it took. Who may not delete there (a right that
    Headwater does not need), or meets a lock, cannot take a note back.
    """

    place: Place
    every: timedelta = timedelta()
    readable: bool = True

    @property
    def where(self) -> str:
        """The `s3://` address."""
        return self.place.uri

    @property
    def name(self) -> str:
        """For people."""
        return f"the witness {self.where}"

    def publish(self, head: Checkpoint, mark: str) -> str:  # noqa: ARG002  a name says all
        """Put the note where none lies; returns its name."""
        content = head.text.encode()
        name = f"{head.size:020}-{hashlib.sha256(content).hexdigest()[:16]}"
        if not self.place.put_new(name, content):
            raise LakeError(f"{self.place.shown(name)} is not the note that its name tells")
        return name

    def kept(self, mark: str, *, whole: bool) -> Sequence[Kept]:
        """The note of the greatest size, or all of them by size."""
        names = [name for name in self.place.names() if _NOTE.fullmatch(name)]
        if mark and mark not in names:
            raise VerificationFailed(
                (f"{self.name}: the note {mark} that it took is gone; in a bucket with versions it "
                 "lies beneath a deletion marker",)
            )  # fmt: skip
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(self._read, names if whole else names[-1:]))

    def _read(self, name: str) -> Kept:
        content = self.place.read(name)
        if content is None:
            raise LakeError(f"{self.place.shown(name)} went while it was read")
        return Kept(self.name, f"{self.name}, note {name}", content.decode("utf-8", "replace"))
