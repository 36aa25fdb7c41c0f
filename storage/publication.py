"""What witnesses were shown, remembered beside the log: a silent or set-back witness shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from evidence.errors import InvalidItem, LakeError
from evidence.times import parse, stamp
from storage.note import Checkpoint, VerifierKey
from storage.place import Place
from storage.witness import Held, Witness, opened


@dataclass(frozen=True, slots=True)
class Published:
    """How it went with one witness: `size`, `digest` (SHA-256, hex) and time (`at`) of the last
    note that it took (-1: none), its `mark`; `error` and `since` while it does not answer."""

    size: int = -1
    digest: str = ""
    at: str = ""
    mark: str = ""
    error: str = ""
    since: str = ""

    def sentence(self, name: str) -> str:
        """For people; empty when all is well."""
        if not self.error:
            return ""
        last = f"the last it took covers {self.size} items" if self.size >= 0 else "it took none"
        return f"{name} has not taken a seal since {self.since}: {self.error} ({last})"


MEMORY = "witnesses.json"
"""Where the memory of all witnesses lies. It is a memory only: nothing is proved by it."""


def remembered(log: Place) -> Mapping[str, Published]:
    """How it went with each witness, by address. Raises LakeError if the memory is damaged."""
    content = log.read(MEMORY)
    if content is None:
        return {}
    try:
        raw = json.loads(content)
        return {where: _published(facts) for where, facts in raw.items()}
    except (ValueError, TypeError, AttributeError, RecursionError, InvalidItem) as error:
        raise LakeError(
            f"{log.shown(MEMORY)} is damaged: {error}; delete it, the next seal writes a new one"
        ) from error


def _published(facts: Mapping[str, Any]) -> Published:
    told = Published(**facts)
    texts = (told.digest, told.at, told.mark, told.error, told.since)
    if type(told.size) is not int or not all(isinstance(text, str) for text in texts):
        raise TypeError("what it says of a witness has not the types that it was written with")
    for moment in filter(None, (told.at, told.since)):
        parse(moment)
    return told


def silent(log: Place, witnesses: Sequence[Witness]) -> Iterator[str]:
    """One sentence for each of these witnesses that did not take its last seal."""
    known = remembered(log)
    for witness in witnesses:
        if told := known.get(witness.where, Published()).sentence(witness.name):
            yield told


@dataclass(frozen=True, slots=True)
class Outside:
    """What the witnesses hold: the newest checkpoint of each that answers, and by address why the
    others did not."""

    held: tuple[Held, ...]
    unread: Mapping[str, str]


def last_seals(witnesses: Sequence[Witness], key: VerifierKey) -> Outside:
    """The newest checkpoint of each witness: a new seal must continue them all.

    One that does not answer, or whose own history was rewritten, is no reason not to seal; but it
    is not shown the seal either, which might take the place of one that contradicts it.
    Raises VerificationFailed if one holds what this key did not sign.
    """
    found, unread = list[Held](), dict[str, str]()
    for witness in witnesses:
        try:
            notes = witness.kept("", whole=False)
        except LakeError as error:
            unread[witness.where] = str(error)
            continue
        found += opened(notes, key)
    return Outside(tuple(found), unread)


def publish(
    log: Place, newest: Callable[[], Checkpoint], witnesses: Sequence[Witness],
    unread: Mapping[str, str], now: datetime,
) -> None:  # fmt: skip
    """Show the newest checkpoint to every witness whose turn it is; remember who did not take it.

    `unread` are those that could not be compared with it. One at a time, and `newest` is asked
    under the lock: an older seal never replaces a newer one.
    Raises LakeError only for trouble with our own memory, never for a witness.
    """
    if not witnesses:
        return
    with log.locked(".witness.lock"):
        head, before = newest(), remembered(log)
        after = {
            w.where: _shown(w, before.get(w.where, Published()), head, unread.get(w.where), now)
            for w in witnesses
        }
        if after != before:
            text = json.dumps({where: asdict(facts) for where, facts in after.items()}, indent=1)
            log.replace(MEMORY, text.encode() + b"\n")


def _shown(
    witness: Witness, last: Published, head: Checkpoint, unread: str | None, now: datetime
) -> Published:
    digest = hashlib.sha256(head.text.encode()).hexdigest()
    if not last.error and (last.digest == digest or not _due(witness, last, now)):
        return last
    try:
        if unread:
            raise LakeError(unread)
        mark = witness.publish(head, last.mark)
    except LakeError as error:
        return replace(last, error=str(error), since=last.since or stamp(now))
    return Published(size=head.size, digest=digest, at=stamp(now), mark=mark)


def _due(witness: Witness, last: Published, now: datetime) -> bool:
    """A clock that was set back must not hold a witness back for good."""
    return not last.at or not parse(last.at) <= now < parse(last.at) + witness.every
