"""Whose turn it is: so many sources are asked at once on this machine, and so many at one host."""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedRandom
from pathlib import Path

from evidence.errors import LakeError
from flows.config import Config

FOLDER = ".turns"
_SOONEST, _LATEST = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of one lake's sources, among all processes of this machine that collect for it.

    Each is a lock on a file in `folder`, which the system lets go of when the process dies. Not
    more than `at_once` sources have one, nor, of those that ask one host, more than `hosts` says
    (1, if it names no number).
    """

    folder: Path
    at_once: int
    hosts: Mapping[str, int]
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, config: Config) -> Turns:
        """The turns that the configuration sets."""
        return cls(config.lake.derived(FOLDER), config.at_once, config.hosts)

    @contextmanager
    def turn(
        self, hosts: Sequence[str], waits: Callable[[str], None] = lambda _: None
    ) -> Iterator[None]:
        """Hold a turn at each of the hosts and one of all; `waits` is told whose comes first.

        Whoever waits for a host keeps nobody else from asking another. Raises LakeError if the
        folder cannot be written.
        """
        with ExitStack() as held:
            # In one order, and the turn of all last: nobody waits for somebody who waits for him.
            for host in sorted(hosts):
                self._hold(held, host, self.hosts.get(host.lower(), 1), partial(waits, host))
            self._hold(held, "", self.at_once, partial(waits, ""))
            yield

    def _hold(self, held: ExitStack, name: str, most: int, waits: Callable[[], None]) -> None:
        pause = _SOONEST
        while (file := self._free(name, most)) is None:
            if pause == _SOONEST:
                waits()
            self.sleep(pause)
            pause = min(pause * 2, _LATEST)
        held.enter_context(file)

    def _free(self, name: str, most: int) -> BufferedRandom | None:
        """A lock of this name that nobody holds; a file that is closed holds none."""
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        for number in range(most):
            path = self.folder / (f"host-{digest}-{number}" if name else f"source-{number}")
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                file = path.open("a+b")
            except OSError as error:
                raise LakeError(f"cannot lock {path}: {error.strerror or error}") from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            return file
        return None
