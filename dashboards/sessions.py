"""Who is signed in: a session holds while its file lies in the folder of sessions."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence.errors import InvalidItem
from evidence.times import parse, stamp


@dataclass(frozen=True, slots=True)
class End:
    """That somebody else ended a session: who, why, when, and where they said so."""

    by: str
    why: str
    at: datetime
    via: str


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in, by which access; `until` is when it ends at the latest."""

    key: str
    subject: str
    person: str
    access: str
    since: datetime
    until: datetime
    end: End | None = None


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of a server, a file each, so that another process of this machine sees and ends
    them: whose file is gone, or says that it was ended, is signed in no more."""

    folder: Path
    clock: Callable[[], datetime]

    def begin(self, session: Session) -> None:
        """Keep a new session. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(session)

    def holds(self, key: str) -> bool:
        """Whether nobody has ended the session of this key."""
        session = _read(self._file(key))
        return session is not None and session.end is None and self.clock() < session.until

    def open(self) -> list[Session]:
        """Those that hold, by person."""
        now = self.clock()
        found = [one for one in self._all() if one.end is None and now < one.until]
        return sorted(found, key=lambda one: (one.person, one.since))

    def clear(self) -> None:
        """Forget all, for a server that begins: no cookie of before holds there."""
        self._forget(one for one in self._all())

    def sign_out(self, subject: str) -> None:
        """End the sessions of somebody who wants that themselves."""
        self._forget(one for one in self._all() if one.subject == subject)

    def end(self, subject: str, by: str, why: str, via: str) -> list[Session]:
        """End the sessions of somebody else, and keep that until it has landed: both in one write.

        Raises OSError where it cannot be kept: the sessions have ended all the same.
        """
        end, wrong, ended = End(by, why, self.clock(), via), None, []
        for one in self.open():
            if one.subject == subject:
                ended.append(done := replace(one, end=end))
                try:
                    self._write(done)
                except OSError as error:
                    wrong = error
                    self.landed(one)
        if wrong is not None:
            raise wrong
        return ended

    def ended(self) -> list[tuple[Session, End]]:
        """Those that somebody ended, which has not landed."""
        return [(one, one.end) for one in self._all() if one.end is not None]

    def landed(self, session: Session) -> None:
        """Nothing of this session is kept any more."""
        self._file(session.key).unlink(missing_ok=True)

    def _forget(self, sessions: Iterator[Session]) -> None:
        for one in sessions:
            if one.end is None:
                self.landed(one)

    def _all(self) -> Iterator[Session]:
        return filter(None, map(_read, sorted(self.folder.glob("*.json"))))

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def _write(self, session: Session) -> None:
        part = self._file(session.key).with_suffix(".part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(part, flags, 0o600), "w", encoding="ascii") as file:
            json.dump(asdict(session), file, default=stamp)
        part.replace(self._file(session.key))


def new_key() -> str:
    """What a session is called; whoever knows it is not signed in by that."""
    return secrets.token_hex(16)


def _read(file: Path) -> Session | None:
    """None for a file that is gone or says nothing: who cannot be made out is not signed in."""
    try:
        told: dict[str, Any] = json.loads(file.read_bytes())
        times = {name: parse(told[name]) for name in ("since", "until")}
        end = told["end"] and End(**(told["end"] | {"at": parse(told["end"]["at"])}))
        return Session(**(told | times | {"end": end}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidItem):
        return None
