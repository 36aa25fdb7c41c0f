"""Which files of a folder are read, and no other thing that lies there under such a name."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from evidence.errors import MappingError

MAX_FILES = 500
_SUFFIX, _LIKE = ".yaml", (".yaml", ".yml")


def contents(path: Path, most: int) -> bytes:
    """The bytes of an ordinary file, of a longer one `most` and one more.

    Raises OSError, also for a pipe, a folder or a device: those could keep a reader for ever.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
        with open(handle, "rb", closefd=False) as stream:
            return stream.read(most + 1)
    finally:
        os.close(handle)


def yaml_files(folder: Path, what: str) -> list[Path]:
    """Every `*.yaml` of a folder, by name.

    Raises MappingError for a folder without one (`what` was looked for), with too many, or with a
    file that was meant and would be passed over.
    """
    try:
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in _LIKE)
    except OSError as error:
        raise MappingError(f"cannot be read: {error.strerror}", file=str(folder)) from error
    for path in found:
        if not path.name.isprintable():
            raise MappingError(
                f"{path.name!r}: its name is not UTF-8, or not printable; rename it",
                file=str(folder),
            )
        if path.suffix != _SUFFIX:
            raise MappingError(f"would be passed over; name it {path.stem}.yaml", file=str(path))
    if not found:
        raise MappingError(f"no {what} found: no file there ends in .yaml", file=str(folder))
    if len(found) > MAX_FILES:
        raise MappingError(f"holds more than {MAX_FILES} files; join some", file=str(folder))
    return found
