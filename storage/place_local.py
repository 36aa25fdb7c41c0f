"""A lake in a folder of this machine: a file system with working fsync, flock and hard links."""

from __future__ import annotations

import fcntl
import os
import stat
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evidence.errors import LakeError
from storage.place import MOST_BYTES, Facts, inside, plain_words

_THREADS = 8
_UNFOLLOWED = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A link leads out of the lake, and to open a pipe would mean to wait for ever."""


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A folder, made when the first file is written into it."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def uri(self) -> str:
        """The absolute path."""
        return str(self.path)

    @property
    def options(self) -> dict[str, str]:
        """Nothing is needed to reach it."""
        return {}

    @property
    def certain(self) -> bool:
        """A file system's error is an answer."""
        return True

    def told(self, what: str, error: Exception) -> LakeError:
        """The error in one line."""
        return LakeError(f"{what}: {plain_words(error)}")

    def at(self, folder: str) -> LocalPlace:
        """The folder inside this one."""
        return LocalPlace(self.path / folder)

    def shown(self, name: str) -> str:
        """The file's path."""
        return str(self.path / name)

    def read(self, name: str) -> bytes | None:
        """The file's bytes, None if it is not there."""
        try:
            return _content(self._at(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._told("read", name, error) from error

    def put_new(self, name: str, content: bytes) -> bool:
        """A hard link is made or refused in one step, also among several processes."""
        path = self._at(name)
        try:
            with _written(path, content) as fresh:
                try:
                    os.link(fresh, path)
                except FileExistsError:
                    return _content(path) == content
                sync(path.parent)
        except OSError as error:
            raise self._told("write", name, error) from error
        return True

    def replace(self, name: str, content: bytes) -> None:
        """The old or the new file, also after power loss."""
        try:
            path = self._at(name)
            _put(path, content)
            sync(path.parent)
        except OSError as error:
            raise self._told("write", name, error) from error

    def replace_all(self, files: Mapping[str, bytes]) -> None:
        """Each the old or the new file; the disk is waited for by several at once."""
        paths = [self._at(name) for name in files]
        folders = {path.parent for path in paths}
        try:
            for folder in folders:
                _folder(folder)
            _together(_put, paths, files.values())
            _together(sync, folders)
        except OSError as error:
            raise LakeError(f"cannot write to {self.path}: {error}") from error

    def store(self, name: str, content: bytes | Path) -> None:
        """The file is forced to disk, its folder's entry by `settle`."""
        path = self._at(name)
        try:
            _folder(path.parent)
            if isinstance(content, Path):
                sync(content)
                content.replace(path)
            else:
                with path.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                path.unlink()
            raise self._told("write", name, error) from error

    def settle(self, names: Iterable[str], *, stored: bool = False) -> list[str]:
        """Files that the table format wrote, then each folder once."""
        names = list(names)
        due = [] if stored else [name for name in names if (self.path / name).exists()]
        try:
            _together(sync, [self.path / name for name in due])
            _together(sync, {(self.path / name).parent for name in names})
        except OSError as error:
            raise LakeError(f"{self.path} cannot be forced to disk: {error}") from error
        return due

    def remove(self, name: str) -> None:
        """Remove the file if it is there."""
        try:
            self._at(name).unlink(missing_ok=True)
        except OSError as error:
            raise self._told("remove", name, error) from error

    def names(self, prefix: str = "", after: str = "") -> Iterator[str]:
        """The files of this folder by name; a name that begins with a dot is not whole yet."""
        start = len(str(self.path)) + 1
        found = _files(self.path / prefix, f"{self.path}/{after}" if after else "")
        return iter(sorted(path[start:] for path in found))

    def local(self, name: str) -> Path:
        """The file itself, whether or not it is there. Raises LakeError if it is no plain file."""
        path = self._at(name)
        try:
            status = path.lstat()
        except OSError:
            return path
        if not stat.S_ISREG(status.st_mode):
            raise LakeError(_strange(path, status.st_mode))
        return path

    def facts(self, name: str) -> Facts | None:
        """As the file system tells them."""
        try:
            status = self._at(name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._told("read", name, error) from error
        return Facts(status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def derived(self, name: str) -> Path:
        """A folder inside."""
        return self.path / name

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return self.local(name).exists()

    def scratch(self, name: str) -> Path:
        """The name itself, in its folder."""
        try:
            _folder((self.path / name).parent)
        except OSError as error:
            raise self._told("write", name, error) from error
        return self.path / name

    def move(self, folder: str, to: str) -> None:
        """One rename."""
        target = self.path / to
        try:
            _folder(target.parent)
            (self.path / folder).rename(target)
            sync(target.parent)
            sync(self.path)
        except OSError as error:
            raise self._told("move", folder, error) from error

    def locals(self, names: Iterable[str]) -> list[Path]:
        """The files themselves."""
        return [self.local(name) for name in names]

    @contextmanager
    def fresh(self, name: str) -> Iterator[Path]:
        """The file itself. Raises LakeError if it is gone."""
        path = self.local(name)
        if not path.exists():
            raise LakeError(f"{path} is gone")
        yield path

    def strange(self, folder: str = "", most: int | None = None) -> Iterator[str]:
        """By what the folders say of their entries: nothing is opened."""
        yield from _strangers(self.path / folder, most)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold the lock file; the system lets go of it when the process dies."""
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | _UNFOLLOWED, 0o666)
        except OSError as error:
            raise self._told("lock", name, error) from error
        with os.fdopen(handle, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _at(self, name: str) -> Path:
        return self.path / inside(name)

    def _told(self, verb: str, name: str, error: OSError) -> LakeError:
        why = error.strerror or error
        return LakeError(f"cannot {verb} {self.path / name}: {why}")


def write_private(path: Path, text: str) -> None:
    """A new file that only its owner may read: there whole, or not at all.

    Raises FileExistsError if there is one, OSError.
    """
    with _written(path, text.encode(), mode=0o600) as fresh:
        os.link(fresh, path)
        sync(path.parent)


@contextmanager
def _written(path: Path, content: bytes, mode: int = 0o666) -> Iterator[Path]:
    """A file beside `path` with the content, on disk; what is left of it is taken away."""
    _folder(path.parent)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def _content(path: Path) -> bytes:
    """A plain file's bytes. Raises LakeError for anything else, OSError."""
    try:
        handle = os.open(path, os.O_RDONLY | _UNFOLLOWED)
    except OSError:
        with suppress(OSError):
            if not stat.S_ISREG(mode := path.lstat().st_mode):
                raise LakeError(_strange(path, mode)) from None
        raise
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise LakeError(_strange(path, status.st_mode))
        if status.st_size > MOST_BYTES:
            raise LakeError(_too_large(path, status.st_size))
        return file.read()


def _strangers(folder: Path | str, most: int | None) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except PermissionError as error:
        yield f"{folder} cannot be listed, so what lies there is not known: {error.strerror}"
        return
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _strangers(entry.path, most)
        elif most is not None or not entry.is_file(follow_symlinks=False):
            with suppress(OSError):  # it was taken away meanwhile
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    yield _strange(entry.path, status.st_mode)
                elif most is not None and status.st_size > most:
                    yield _too_large(entry.path, status.st_size)


def _too_large(path: Path | str, size: int) -> str:
    return f"{path} has {size} bytes, far more than it can have, and was not read: remove it"


def _strange(path: Path | str, mode: int) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a pipe", stat.S_IFDIR: "a folder"}
    kind = kinds.get(stat.S_IFMT(mode), "a device or socket")
    return f"{path} is {kind}, no plain file of a lake, and was not opened: remove it"


def _files(folder: Path | str, after: str) -> Iterator[str]:
    """The paths beyond `after` of the files in a folder and below; one that is closed has none."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path, after)
        elif (
            entry.path > after
            and not entry.name.startswith(".")
            and entry.is_file(follow_symlinks=False)
        ):
            yield entry.path


def _folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        sync(folder.parent)


def _put(path: Path, content: bytes) -> None:
    with _written(path, content) as fresh:
        fresh.replace(path)


def _together(work: Callable[..., None], paths: Collection[Path], *more: Iterable[bytes]) -> None:
    """Several at once: the system writes its journal for all of them together."""
    if len(paths) < 2:
        for given in zip(paths, *more, strict=True):
            work(*given)
        return
    with ThreadPoolExecutor(min(len(paths), _THREADS)) as pool:
        list(pool.map(work, paths, *more))


def sync(path: Path) -> None:
    """Force a file or a folder's entries to disk: a rename alone does not survive power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
