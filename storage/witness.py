"""Witnesses: places outside the lake that are shown every seal, so that a rewrite is seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from evidence.errors import LakeError
from storage.note import Checkpoint, VerifierKey, open_note
from storage.place_local import LocalPlace


@dataclass(frozen=True, slots=True)
class Kept:
    """A note as a witness keeps it: whose it is, which one (for people), and its text."""

    who: str
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Held:
    """A checkpoint of ours that somebody keeps outside the lake, its signature checked."""

    who: str
    what: str
    head: Checkpoint


class Witness(Protocol):
    """One place outside the lake. `every` is the least time between two notes it is given.

    `mark` is what its last `publish` returned, empty before that: by it the witness sees that its
    own history is not the one we knew.
    """

    @property
    def name(self) -> str:
        """For people; holds no secret."""

    @property
    def where(self) -> str:
        """Its address, by which it is remembered; holds no secret."""

    @property
    def every(self) -> timedelta:
        """It is not given notes more often than this."""

    @property
    def readable(self) -> bool:
        """Whether what it keeps can be read back."""

    def publish(self, head: Checkpoint, mark: str) -> str:
        """Hand over a checkpoint; returns the new mark. Raises LakeError if it did not arrive."""

    def kept(self, mark: str, *, whole: bool) -> Sequence[Kept]:
        """The newest note it keeps, or with `whole` all of them, oldest first.

        Empty if it keeps none. Raises LakeError if it cannot be read, VerificationFailed if its
        history was rewritten.
        """


@dataclass(frozen=True, slots=True)
class FileWitness:
    """A file, better on another machine's disk: it keeps the newest note only."""

    path: Path
    every: timedelta = timedelta()
    name: str = "the witness copy"
    readable: bool = True

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    def publish(self, head: Checkpoint, mark: str) -> str:
        """Replace the file as a whole."""
        LocalPlace(self.path.parent).replace(self.path.name, head.text.encode())
        return mark

    def kept(self, mark: str, *, whole: bool) -> Sequence[Kept]:  # noqa: ARG002  it has only one
        """The note in the file."""
        try:
            if self.path.exists() and not self.path.is_file():
                raise LakeError(f"{self.path} is no file: it was not opened")  # a pipe never ends
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise LakeError(f"{self.path} cannot be read: {error}") from error
        return (Kept(self.name, self.name, text),)


def opened(notes: Sequence[Kept], key: VerifierKey) -> Iterator[Held]:
    """The notes with their signatures checked. Raises VerificationFailed naming the note."""
    for note in notes:
        yield Held(note.who, note.what, open_note(note.text, key, what=note.what))
