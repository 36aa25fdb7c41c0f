"""Copies of a bucket's data files on this machine: bounded, and safe to delete at any time."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from evidence.errors import LakeError

_REST_SECONDS = 3600
"""A copy used within this time is never taken away: a reader may just be about to open it."""
_SWEEP_SECONDS = 600
"""How often the copies are counted: looking at all of them costs more than fetching one."""


def default_folder() -> Path:
    """Where copies go when nothing else is said: the user's own cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headwater"


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of copies; those not used for longest go first once they are `most` bytes in all.

    Only its owner may read it. Data files never change under their name, so a copy never ages.
    """

    folder: Path = field(default_factory=default_folder)
    most: int = 20 << 30

    def path(self, key: str) -> Path:
        """Where the copy of the object `key` lies, if it is there.

        Its folder keeps the object's own (`month=…`), which readers take partition values from.
        """
        parents, _, name = key.rpartition("/")
        lake, _, month = parents.rpartition("/") if "=" in parents else (parents, "", "")
        return self.folder / hashlib.sha256(lake.encode()).hexdigest()[:32] / month / name

    def touch(self, path: Path) -> bool:
        """Whether the copy is there; if so, it counts as used now."""
        try:
            os.utime(path)
        except OSError:
            return False
        return True

    @contextmanager
    def filling(self, path: Path) -> Iterator[Path]:
        """A file to write; after the block it is the copy at `path`, or gone if the block raised.

        Raises LakeError if the folder cannot be written.
        """
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield partial
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            why = error.strerror or error
            raise LakeError(f"the cache {self.folder} cannot be written: {why}") from error
        self._shrink()

    def keep(self, key: str, content: bytes | Path) -> None:
        """Keep what was just written as a copy, if there is room; a finished file is taken away."""
        with suppress(LakeError), self.filling(self.path(key)) as partial:
            if isinstance(content, Path):
                shutil.move(content, partial)
            else:
                partial.write_bytes(content)
        if isinstance(content, Path):
            content.unlink(missing_ok=True)

    def scratch(self, name: str) -> Path:
        """A path for a new file that is to become the object `name`. Raises LakeError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(f"the cache {self.folder} cannot be written: {error}") from error
        return self.folder / f".{uuid.uuid4().hex}.{name.rpartition('/')[2]}"

    def derived(self, key: str) -> Path:
        """A folder for what is computed from a lake; it is not counted and may be deleted."""
        return self.folder / f"derived-{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def drop(self, key: str) -> None:
        """Forget one copy."""
        with suppress(OSError):
            self.path(key).unlink(missing_ok=True)

    def _shrink(self) -> None:
        swept = self.folder / ".swept"
        with suppress(OSError):
            if time.time() - swept.stat().st_mtime < _SWEEP_SECONDS:
                return
        with suppress(OSError):
            swept.touch()
        copies = sorted(self._copies())
        total, rested = sum(size for _, size, _ in copies), time.time() - _REST_SECONDS
        for used, size, path in copies:
            if total <= self.most or used > rested:
                return
            with suppress(OSError):
                path.unlink(missing_ok=True)
                total -= size

    def _copies(self) -> Iterator[tuple[float, int, Path]]:
        for path in self.folder.rglob("*"):
            with suppress(OSError):
                status = path.stat()
                if path.suffix == ".parquet":
                    yield status.st_mtime, status.st_size, path
