"""What auditors read, kept at once in a file of this machine and landed in the lake in batches;
with it what could not land at once of sessions that were ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from dashboards.reading import Read
from evidence.canonical import plain
from evidence.errors import HeadwaterError, LakeError
from evidence.model import EvidenceItem
from evidence.own import OWN_SOURCE, READ_KIND
from evidence.times import parse, stamp
from flows.config import Config, now
from flows.follow import seal, tag_own
from flows.sessions import land_ended
from storage.actions import land_own
from storage.lake import Lake

FORM = "headwater.read/1"
EVERY_SECONDS = 60.0
MOST = 200
"""Reads that wait to land; with so many they land at once."""
_LOG = logging.getLogger("headwater.reads")
_Line = dict[str, Any]


@dataclass(slots=True)
class ReadLog:
    """Keeps every read in a file before it is answered, and lands what waits.

    kill -9 loses nothing that was answered: whoever starts next with the same folder lands it. The
    file is held by a lock while its process lives. Landing the same lines twice lands them once.
    """

    config: Config
    clock: Callable[[], datetime] = now
    _file: IO[bytes] | None = None
    _waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _landing: threading.Lock = field(default_factory=threading.Lock)
    _due: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return folder(self.config)

    def note(self, read: Read) -> None:
        """Keep one read. Raises OSError."""
        line = json.dumps(_line(read), separators=(",", ":"))
        with self._lock:
            if self._file is None:
                self._file = _opened(self.folder)
            self._file.write(line.encode("ascii") + b"\n")
            self._file.flush()
            self._waiting += 1
            if self._waiting >= MOST:
                self._due.set()

    def land(self) -> int:
        """Land what waits, of this process and of any that died; how many reads.

        Raises HeadwaterError or OSError of the last file that did not land: it goes on waiting, and
        keeps no other from landing.
        """
        with self._landing:
            with self._lock:
                done, self._file, self._waiting = self._file, None, 0
            if done is not None:
                done.close()
            landed, wrong = 0, None
            for file in sorted(self.folder.glob("*.jsonl")):
                try:
                    landed += self._land(file)
                except (HeadwaterError, OSError) as error:
                    wrong = error
            if landed:
                self._seal()
            if wrong is not None:
                raise wrong
            return landed

    def _seal(self) -> None:
        """Tag and seal at once, as after a pull; where that fails, the next collection does it."""
        try:
            lake = Lake.open(self.config.lake, clock=self.clock)
            tag_own(lake, self.config)
            seal(lake, self.config)
        except (HeadwaterError, OSError) as error:
            _LOG.warning("what auditors read has landed and is not sealed yet: %s", error)

    def _land(self, file: Path) -> int:
        with contextlib.suppress(FileNotFoundError), file.open("rb") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0  # its process lives, and lands it itself
            content = held.read()
            try:
                items = tuple(_items(file.stem, content))
            except (KeyError, TypeError, ValueError) as error:
                raise LakeError(
                    f"{file} is not a file of reads ({error!r}): move it away"
                ) from error
            if items:
                lake = Lake.open(self.config.lake, clock=self.clock)
                land_own(lake, lambda _: (items, None))
            file.unlink()
            return content.count(b"\n")
        return 0

    def _keep_landing(self) -> None:
        while not self._over.is_set():
            self._due.wait(EVERY_SECONDS)
            self._due.clear()
            self._try_to_land()

    def _try_to_land(self) -> None:
        for land, where in ((self.land, self.folder), (self._land_ended, self.folder.parent)):
            try:
                land()
            except Exception as error:  # noqa: BLE001  a thread that ended would land nothing more
                _LOG.error("what auditors read, or what was ended, waits in %s: %s", where, error)

    def _land_ended(self) -> int:
        return land_ended(self.config)

    @contextlib.contextmanager
    def running(self) -> Iterator[Callable[[Read], None]]:
        """Land from a thread while the block runs, and once more at its end; yields `note`."""
        thread = threading.Thread(target=self._keep_landing, name="reads", daemon=True)
        self._due.set()  # what a process that died has left
        thread.start()
        try:
            yield self.note
        finally:
            self._over.set()
            self._due.set()
            thread.join()
            self._try_to_land()


def folder(config: Config) -> Path:
    """Where reads wait to land, beside the heartbeat."""
    return config.watch.folder / "reads"


def waiting(config: Config) -> int:
    """How many reads wait on this machine."""
    files = folder(config).glob("*.jsonl")
    return sum(file.read_bytes().count(b"\n") for file in files)


def _opened(place: Path) -> IO[bytes]:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    while True:
        number = os.open(place / f"{uuid.uuid4().hex}.jsonl", flags, 0o600)
        made = os.fdopen(number, "wb")
        fcntl.flock(made, fcntl.LOCK_EX)
        # Before the lock was ours another process may have taken the file for one of the dead.
        if os.fstat(number).st_nlink:
            return made
        made.close()


def _line(read: Read) -> _Line:
    reader = read.reader
    return {
        "grant": reader.grant, "person": reader.person, "role": str(reader.role),
        "shows": reader.excerpt.sentence,
        "read": {
            "at": stamp(read.at), "method": read.method, "address": read.address,
            "status": read.status, "rows": read.rows, "question": read.question,
            "values": {name: str(value) for name, value in read.values.items()},
        },
    }  # fmt: skip


def _items(batch: str, content: bytes) -> Iterator[EvidenceItem]:
    """One item for each reader; the same content gives the same items, whoever lands it."""
    by: dict[tuple[str, str, str, str], list[_Line]] = defaultdict(list)
    torn = 0
    for text in content.split(b"\n"):
        try:
            line = json.loads(text) if text else None
        except ValueError:
            torn += 1  # power went while it was written: it was not answered
            continue
        if line:
            by[line["grant"], line["person"], line["role"], line["shows"]].append(line["read"])
    if torn:
        _LOG.warning("%s: %s lines are torn: their reads were not answered", batch, torn)
    for (grant, person, role, shows), reads in by.items():
        yield _item(batch, grant, person, role, shows, reads)


def _item(
    batch: str, grant: str, person: str, role: str, shows: str, reads: list[_Line]
) -> EvidenceItem:
    times = sorted(parse(read["at"]) for read in reads)
    asked = sum(bool(read["question"]) for read in reads)
    payload = {
        "form": FORM, "batch": batch, "grant": grant, "person": person, "role": role,
        "shows": shows, "reads": reads,
    }  # fmt: skip
    return EvidenceItem(
        source=OWN_SOURCE, kind=READ_KIND, subject=grant, observed_from=times[0],
        observed_to=times[-1], collected_at=times[-1], payload=plain(payload),
        title=f"{person or grant} ({role}) read {len(reads)} times, asked {asked} questions",
        actor=person or grant,
    )  # fmt: skip
