"""A lake in an S3-compatible bucket; its data files are read through copies on this machine."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from evidence.errors import LakeError, LakeRefused
from storage.bucket import Access, explained
from storage.place import Facts, inside

_AT_ONCE = 8
_PART = 8 << 20
_DIGEST = re.compile(r"[.-]([0-9a-f]{64})\.")


@dataclass(frozen=True)
class ObjectPlace:
    """A prefix of a bucket whose store honours `If-None-Match` (Amazon's own and most others)."""

    bucket: str
    prefix: str
    access: Access = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.uri

    @cached_property
    def _store(self) -> S3Store:
        try:
            return self.access.store(self.bucket, self.prefix)
        except (BaseError, ValueError) as error:
            raise LakeRefused(f"{self.uri}: the settings do not fit: {error}") from error

    @property
    def uri(self) -> str:
        """The `s3://` address."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def options(self) -> dict[str, str]:
        """The table format's own settings for the same access."""
        return self.access.options

    @property
    def certain(self) -> bool:
        """An answer may be lost, and a call that timed out may still be carried out."""
        return False

    def told(self, what: str, error: Exception) -> LakeError:
        """LakeRefused where a person must act, else LakeBusy."""
        return explained(what, error)

    def at(self, folder: str) -> ObjectPlace:
        """The prefix inside this one."""
        return ObjectPlace(self.bucket, f"{self.prefix}/{folder}".strip("/"), self.access)

    def shown(self, name: str) -> str:
        """The object's address."""
        return f"{self.uri}/{name}"

    def read(self, name: str) -> bytes | None:
        """The object's bytes as the store holds them now, None if there is none."""
        try:
            return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise self._told("read", name, error) from error
            return None
        except (BaseError, OSError) as error:
            raise self._told("read", name, error) from error

    def put_new(self, name: str, content: bytes) -> bool:
        """A conditional put; refused where another object lies, unless it is the same."""
        try:
            obstore.put(self._store, name, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return self.read(name) == content
        except (BaseError, OSError) as error:
            raise self._told("write", name, error) from error
        return True

    def replace(self, name: str, content: bytes) -> None:
        """A plain put: in a bucket with versions the older one stays behind it."""
        try:
            obstore.put(self._store, name, content, use_multipart=False)
        except (BaseError, OSError) as error:
            raise self._told("write", name, error) from error

    def replace_all(self, files: Mapping[str, bytes]) -> None:
        """Some puts at a time."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self.replace, files, files.values()))

    def store(self, name: str, content: bytes | Path) -> None:
        """Put in parts where it is large; a copy stays in the cache, so that it is not fetched."""
        try:
            obstore.put(self._store, name, content, chunk_size=_PART)
        except (BaseError, OSError) as error:
            raise self._told("write", name, error) from error
        self.access.cache.keep(self._key(name), content)

    def settle(self, names: Iterable[str], *, stored: bool = False) -> list[str]:  # noqa: ARG002
        """A put that was answered is durable."""
        return []

    def remove(self, name: str) -> None:
        """Remove the object; one that is locked by the bucket is refused."""
        try:
            obstore.delete(self._store, name)
        except FileNotFoundError:
            pass
        except (BaseError, OSError) as error:
            raise self._told("remove", name, error) from error
        self.access.cache.drop(self._key(name))

    def names(self, prefix: str = "", after: str = "") -> Iterator[str]:
        """The objects under the prefix in the order of the store's listing, which is ascending."""
        try:
            for chunk in obstore.list(self._store, prefix or None, offset=after or None):
                names = (entry["path"] for entry in chunk)
                yield from (n for n in names if not n.rpartition("/")[2].startswith("."))
        except (BaseError, OSError) as error:
            raise self._told("list", prefix, error) from error

    def local(self, name: str) -> Path:
        """The cached copy, fetched if there is none."""
        path = self.access.cache.path(self._key(name))
        return path if self.access.cache.touch(path) else self._fetched(name, path)

    def derived(self, name: str) -> Path:
        """A folder beside the copies, for this address alone."""
        return self.access.cache.derived(self._key(name))

    def has(self, name: str) -> bool:
        """Whether a copy or the object is there."""
        path = self.access.cache.path(self._key(name))
        return self.access.cache.touch(path) or self.facts(name) is not None

    def facts(self, name: str) -> Facts | None:
        """As the store tells them."""
        try:
            head = obstore.head(self._store, name)
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise self._told("find", name, error) from error
        return Facts(head["size"], head["last_modified"], head.get("version") or "")

    def scratch(self, name: str) -> Path:
        """A new file in the cache."""
        return self.access.cache.scratch(name)

    def move(self, folder: str, to: str) -> None:
        """Everything is copied, then the old objects go: whatever dies between, nothing is lost."""
        names = list(self.names(folder))
        try:
            for name in names:
                obstore.copy(self._store, name, f"{to}{name.removeprefix(folder)}")
        except (BaseError, OSError) as error:
            raise self._told("move", folder, error) from error
        for name in names:
            self.remove(name)

    def locals(self, names: Iterable[str]) -> list[Path]:
        """The cached copies; those that are not there are fetched a few at a time."""
        wanted = list(names)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self.local, wanted))

    @contextmanager
    def fresh(self, name: str) -> Iterator[Path]:
        """The store's own bytes, fetched for this once; digests are for the caller to judge."""
        with tempfile.TemporaryDirectory(prefix="headwater-") as folder:
            path = Path(folder) / "fresh.parquet"
            self._download(name, path)
            yield path

    def strange(self, folder: str = "", most: int | None = None) -> Iterator[str]:  # noqa: ARG002
        """A bucket has objects only."""
        return iter(())

    def locked(self, name: str) -> nullcontext[None]:  # noqa: ARG002
        """A bucket has no locks."""
        return nullcontext()

    def _key(self, name: str) -> str:
        return f"{self.access.endpoint or 'aws'}/{self.bucket}/{self.prefix}/{inside(name)}"

    def _fetched(self, name: str, path: Path) -> Path:
        with self.access.cache.filling(path) as partial:
            digest = self._download(name, partial)
            expected = _DIGEST.search(name)
            if expected and expected[1] != digest:
                raise LakeError(
                    f"{self.shown(name)} does not have the bytes that landed: SHA-256 {digest}; "
                    "run `headwater verify`"
                )
        return path

    def _download(self, name: str, path: Path) -> str:
        """Write the object's bytes to a new file; their SHA-256."""
        digest = hashlib.sha256()
        try:
            with path.open("wb") as file:
                for chunk in obstore.get(self._store, inside(name)).stream(1 << 20):
                    digest.update(chunk)
                    file.write(chunk)
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise self._told("read", name, error) from error
            raise LakeError(f"{self.shown(name)} is gone; run `headwater verify`") from error
        except (BaseError, OSError) as error:
            raise self._told("read", name, error) from error
        return digest.hexdigest()

    def _told(self, verb: str, name: str, error: Exception) -> LakeError:
        return explained(f"cannot {verb} {self.shown(name)}", error)
