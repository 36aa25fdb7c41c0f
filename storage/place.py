"""Where a lake lies: a folder of this machine or an S3-compatible bucket, spoken to in one way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from evidence.errors import LakeError

if TYPE_CHECKING:
    from storage.bucket import Access

MOST_BYTES = 1 << 29
"""Bytes of a file that is read whole: log entries, packs, notes and tiles are far smaller."""
_LONGEST, _LONGEST_PART = 1000, 255  # bytes of a name, and of its parts, that can be opened
_UNSAFE = set("=*?[]%\n")  # what glob, hive names or URLs in the libraries would misread


@dataclass(frozen=True, slots=True)
class Facts:
    """A file's bytes, and when it was last written.

    `version` is not empty where the place keeps what is written over or deleted.
    """

    size: int
    at: datetime
    version: str = ""


class Place(Protocol):
    """A folder of whole files, named relative to it with `/` between the parts.

    A reader sees a file whole or not at all, and what a writing call did is durable when it
    returns. Everything raises LakeError with the file's name: LakeBusy if waiting may help,
    LakeRefused if a person must act.
    """

    @property
    def uri(self) -> str:
        """The place as the table format takes it: an absolute path or `s3://bucket/prefix`."""
        ...

    @property
    def options(self) -> dict[str, str]:
        """What the table format needs to reach the place; may hold secrets, so never shown."""
        ...

    @property
    def certain(self) -> bool:
        """Whether a write that failed has not happened; a store may still carry it out later."""
        ...

    def told(self, what: str, error: Exception) -> LakeError:
        """An error of the table format as ours, named by what somebody must do next."""
        ...

    def at(self, folder: str) -> Place:
        """The folder inside this place. Nothing is made or looked up."""
        ...

    def shown(self, name: str) -> str:
        """A file's place in full, for people."""
        ...

    def read(self, name: str) -> bytes | None:
        """A file's content as it is there now, None if there is none."""
        ...

    def put_new(self, name: str, content: bytes) -> bool:
        """Write a file that must not be there yet; False, and nothing done, if another lies there.

        A file of the same content counts as ours: the answer to an earlier try may have been lost.
        """
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Write a file, whether there is one or not; of two writers at once the later one stays."""
        ...

    def replace_all(self, files: Mapping[str, bytes]) -> None:
        """`replace` for many files, several at once. Where it fails, any of them may be written."""
        ...

    def store(self, name: str, content: bytes | Path) -> None:
        """Write a data file under a name that no other writer can have chosen.

        A `Path` is a finished file of this machine's; it is taken away. Where folders' entries are
        forced to disk apart from the files in them, `settle` does it.
        """
        ...

    def settle(self, names: Iterable[str], *, stored: bool = False) -> list[str]:
        """Make sure that these files, however they were written, outlast a loss of power.

        `stored` says that `store` wrote them all. Gives back those that this call had to force to
        disk: what is not there, or was forced already, is left out.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove a file; none there is as good."""
        ...

    def names(self, prefix: str = "", after: str = "") -> Iterator[str]:
        """The files in the folder `prefix` (all: "") and below, ascending, after the name `after`.

        Names are relative to this place. Files whose own name begins with a dot are left out.
        """
        ...

    def local(self, name: str) -> Path:
        """A file of this machine with the bytes of a data file, which never change.

        It is the file itself, or a copy fetched once and compared with the digest in its name.
        """
        ...

    def facts(self, name: str) -> Facts | None:
        """Size and time of a file as it is there now, None if there is none."""
        ...

    def derived(self, name: str) -> Path:
        """A folder of this machine for what can be made again from the lake at any time."""
        ...

    def has(self, name: str) -> bool:
        """Whether `local` can give the bytes of a data file."""
        ...

    def scratch(self, name: str) -> Path:
        """A path of this machine to write a data file at, which `store` then takes away.

        Where it can be it lies at `name` itself: what a crash leaves there is seen as a stray.
        """
        ...

    def move(self, folder: str, to: str) -> None:
        """Give everything in a folder of this place another home in it; may be run again."""
        ...

    def locals(self, names: Iterable[str]) -> list[Path]:
        """`local` for many files, several at once, in their order."""
        ...

    def fresh(self, name: str) -> AbstractContextManager[Path]:
        """For the length of a `with`: the bytes that lie there now, whatever was fetched before."""
        ...

    def strange(self, folder: str = "", most: int | None = None) -> Iterator[str]:
        """A sentence for each link, pipe or device in a folder (all: "") and below, for each
        folder that may not be listed, and for each file of more than `most` bytes.

        None of them is ever followed or opened; a store knows no such things.
        """
        ...

    def locked(self, name: str) -> AbstractContextManager[None]:
        """Keep other processes of this machine out, where the place can; else it does nothing.

        It only saves work: what must not happen twice is refused by a commit or by `put_new`.
        """
        ...


def place_of(
    place: str | Path | Place, *, relative_to: Path | None = None, access: Access | None = None
) -> Place:
    """The place that a path, a `file://` or an `s3://` address names; a place is given back.

    Without `access` a bucket is reached by what the environment says (`AWS_…`). Raises LakeError
    for an address of another kind, and for paths that the libraries would misread.
    """
    from storage.place_local import LocalPlace

    if not isinstance(place, str | Path):
        return place
    text = str(place)
    if "://" not in text:
        return LocalPlace(usable((relative_to or Path()) / Path(text).expanduser()))
    address = urlsplit(text)
    if address.scheme == "file" and address.netloc in ("", "localhost"):
        return LocalPlace(usable(Path(unquote(address.path))))
    if address.scheme == "s3" and address.netloc:
        from storage import bucket, place_s3

        if bad := _bad(address.path) or (address.query or address.fragment):
            raise LakeError(f"the lake's address {text!r} holds {bad!r}; choose another")
        prefix = address.path.strip("/")
        given = access or bucket.Access()
        usable(given.cache.folder)
        return place_s3.ObjectPlace(address.netloc, prefix, given)
    raise LakeError(f"a lake cannot lie at {text!r}: give a folder or s3://bucket/prefix")


def usable(path: Path) -> Path:
    """The path made absolute. Raises LakeError for signs that the libraries would misread."""
    path = path.absolute()
    if bad := _bad(str(path)):
        raise LakeError(f"the lake's path {str(path)!r} holds {bad!r}; choose another")
    return path


def inside(name: str) -> str:
    """The name of a file as given, if it stays in its folder.

    Raises LakeError for `..`, an absolute path, an address, or what no file can be called: names
    come from logs, which others may have written.
    """
    parts = name.split("/")
    long = _length(name) > _LONGEST or max(map(_length, parts)) > _LONGEST_PART
    if {"", ".", ".."} & set(parts) or "\0" in name or long:
        raise LakeError(f"{name[:200]!r} names no file of the lake; run `headwater verify`")
    return name


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def plain_words(error: Exception) -> str:
    """What the libraries' error says, without their colours and trees: one line."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[│├╰─▶↳]", "", str(error)).split())


def _bad(text: str) -> str:
    return "".join(sorted(_UNSAFE & set(text)))
