"""Where a tool keeps its JSON documents: a folder, a bucket of S3, a table of a database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from collectors._aws import s3
from collectors._checks.json_files import LARGEST, Listing, Unreadable, listing, load, parsed
from collectors._disk import shown
from evidence.runs import Gap


class Place(Protocol):
    """Documents by name. All methods raise SourceBusy, SourceRefused, SourceBroken."""

    def listing(self) -> Listing:
        """Every document there is, and what could not be listed."""

    def load(self, name: str) -> tuple[Any, str]:
        """The JSON value of one and the SHA-256 of its bytes. Raises Unreadable too."""

    def locator(self, name: str) -> str:
        """Where a person finds it."""

    def identity(self) -> str:
        """As whom it is read."""

    def close(self) -> None:
        """Lets go of what was opened."""


@dataclass(frozen=True, slots=True)
class FolderPlace:
    """The `*.json` below a folder."""

    root: Path

    def __str__(self) -> str:
        return f"{self.root}/**/*.json"

    def listing(self) -> Listing:
        return listing(self.root)

    def load(self, name: str) -> tuple[Any, str]:
        return load(self.root, name)

    def locator(self, name: str) -> str:
        return shown(name)

    def identity(self) -> str:
        return f"uid {os.getuid()}"

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """The `*.json` below a prefix, hidden names aside; `who` tells where its key came from."""

    bucket: s3.Bucket
    prefix: str
    who: str

    def __str__(self) -> str:
        return f"s3://{self.bucket.name}/{self.prefix}**/*.json"

    def listing(self) -> Listing:
        prints, gaps = {}, []
        for page in self.bucket.pages(self.prefix, ""):
            for one in page:
                name = one.key.removeprefix(self.prefix)
                if not name.endswith(".json") or "/." in f"/{name}":
                    continue
                if one.size > LARGEST:
                    gaps.append(Gap(shown(name), f"is larger than {LARGEST // 2**20} MiB"))
                else:
                    prints[name] = f"{one.etag}.{one.size}.{one.modified.isoformat()}"
        return Listing(prints, tuple(gaps) or nothing(self, prints))

    def load(self, name: str) -> tuple[Any, str]:
        try:
            return parsed(self.bucket.get(self.prefix + name).raw)
        except s3.Unreadable as error:
            raise Unreadable(error.why) from error

    def locator(self, name: str) -> str:
        return shown(f"s3://{self.bucket.name}/{self.prefix}{name}")

    def identity(self) -> str:
        return self.who

    def close(self) -> None:
        """boto3 closes by itself."""


def nothing(place: object, prints: object) -> tuple[Gap, ...]:
    """A prefix or table that holds nothing may be a wrong one: nobody would notice."""
    return () if prints else (Gap(str(place), "holds no document"),)
