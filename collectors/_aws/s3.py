"""One bucket, read only: listed in key order, fetched whole, failures named by what to do next."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from collectors._aws.clients import code_of, explain, settings
from evidence.errors import SourceBroken
from evidence.times import utc

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef

API_VERSION = "s3 2006-03-01"
LARGEST = 512 * 1024 * 1024

_ONE_KEY = ("AccessDenied", "InvalidObjectState", "403", "KMS.")


class Unreadable(Exception):
    """One object cannot be read though the bucket can; `absent` when it is not there at all."""

    def __init__(self, key: str, why: str, *, absent: bool) -> None:
        super().__init__(f"{key}: {why}")
        self.key, self.why, self.absent = key, why, absent


@dataclass(frozen=True, slots=True)
class Stored:
    """One line of a listing: the key, its entity tag, its size in bytes, when it was written."""

    key: str
    etag: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Body:
    """One object whole: its bytes, its user metadata (lower-case names) and its listing line."""

    raw: bytes
    metadata: Mapping[str, str]
    stored: Stored


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket behind an S3 client. All methods raise SourceBusy, SourceRefused, SourceBroken.

    They catch widely because botocore's errors have no common base; `explain` raises all others on.
    """

    client: S3Client
    name: str

    def pages(self, prefix: str, after: str) -> Iterator[list[Stored]]:
        """Pages of objects under `prefix` with keys greater than `after`, in key order."""
        paginator = self.client.get_paginator("list_objects_v2")
        pages = iter(paginator.paginate(Bucket=self.name, Prefix=prefix, StartAfter=after))
        while True:
            try:
                page = next(pages, None)
            except Exception as error:
                raise explain(error, f"listing s3://{self.name}/{prefix}") from error
            if page is None:
                return
            yield [_stored(line) for line in self._lines(page, prefix)]

    def first(self, prefix: str) -> str:
        """The first key under `prefix`, empty if there is none: the cheapest question."""
        try:
            answer = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=1)
        except Exception as error:
            raise explain(error, f"listing s3://{self.name}/{prefix}") from error
        return next((line["Key"] for line in self._lines(answer, prefix)), "")

    def _lines(self, answer: ListObjectsV2OutputTypeDef, prefix: str) -> list[ObjectTypeDef]:
        """A sign-in page that happens to parse must not pass for an empty bucket."""
        if "IsTruncated" not in answer:
            what = f"s3://{self.name}/{prefix}"
            raise SourceBroken(f"{what}: the answer is not a listing of S3", what=what)
        return answer.get("Contents", [])

    def get(self, key: str) -> Body:
        """The object at `key`. Also raises Unreadable when only this one is withheld or absent."""
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key)
            with answer["Body"] as stream:
                raw = stream.read()
        except Exception as error:
            raise _one_key(error, key) or explain(error, f"s3://{self.name}/{key}") from error
        stored = Stored(key, answer["ETag"].strip('"'), len(raw), utc(answer["LastModified"]))
        return Body(raw, {k.lower(): v for k, v in answer.get("Metadata", {}).items()}, stored)


def _stored(line: Any) -> Stored:
    return Stored(
        key=line["Key"], etag=line.get("ETag", "").strip('"'), size=line.get("Size", 0),
        modified=utc(line["LastModified"]),
    )  # fmt: skip


def _one_key(error: Exception, key: str) -> Unreadable | None:
    code, status = code_of(error)
    if code in {"NoSuchKey", "404"}:
        return Unreadable(key, "it is not there (404 NoSuchKey)", absent=True)
    if status == 403 and code.startswith(_ONE_KEY):
        return Unreadable(key, f"reading it is denied (403 {code})", absent=False)
    if status == 400 and code.startswith("KMS."):
        return Unreadable(key, f"its encryption key cannot be used ({code})", absent=False)
    return None


def s3_client(aws: Session, region: str, endpoint_url: str) -> S3Client:
    """Raises SourceRefused for settings that make no client."""
    try:
        return aws.client(
            "s3",
            region_name=region,
            endpoint_url=endpoint_url or None,
            config=settings(by_path=bool(endpoint_url)),
        )
    except Exception as error:
        raise explain(error, "S3 client") from error


def gunzip(raw: bytes) -> tuple[bytes, str]:
    """What is whole in the first gzip member, and what is wrong with the object ("" if nothing)."""
    if not raw:
        return b"", "the object is empty (0 bytes)"
    engine = zlib.decompressobj(wbits=31)
    try:
        data = engine.decompress(raw, LARGEST)
    except zlib.error as error:
        return b"", f"it is not gzip that can be read ({error})"
    if engine.unconsumed_tail:
        return b"", f"it unpacks to more than {LARGEST} bytes"
    if not engine.eof:
        return b"", "its gzip stream is cut short"
    if engine.unused_data:
        return data, f"{len(engine.unused_data)} trailing bytes follow its gzip stream"
    return data, ""
