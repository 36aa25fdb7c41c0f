"""Reading a folder that others write: what an operating-system error asks of whom."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import SourceBusy, SourceRefused

# A mount that hangs, a file server that restarts, a machine out of handles: all pass by themselves.
_PASSING = {
    errno.EAGAIN, errno.EBUSY, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.EINTR, errno.EIO,
    errno.EMFILE, errno.ENETUNREACH, errno.ENFILE, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT,
}  # fmt: skip


def passing(error: OSError) -> bool:
    """Whether the error may be gone at the next try."""
    return error.errno in _PASSING


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns an OSError into SourceBusy where waiting helps, and into SourceRefused elsewhere."""
    try:
        yield
    except OSError as error:
        why = f"{path}: {error.strerror or error}"
        if passing(error):
            raise SourceBusy(f"{why}; the folder does not answer now", what=str(path)) from error
        raise SourceRefused(
            f"{why}; give the collector an existing path that it may read", what=str(path)
        ) from error


def shown(name: str) -> str:
    """A file name as printable text: bytes that are no UTF-8 appear as `\\xe9`."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
