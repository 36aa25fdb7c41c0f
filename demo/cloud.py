"""Brookside Lending's CloudTrail bucket: a month of signed logs on disk, served as real S3."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import random
import shutil
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from demo.cloud_store import CloudStore, serve
from demo.cloud_story import ACCOUNT, BUCKET, JONAS, REGION, TRAIL, Deed, deeds, record

__all__ = ["CloudStore", "DemoCloud", "build", "later", "serve", "tamper"]

HOUR = timedelta(hours=1)
_DELAY = timedelta(seconds=40)
_LATE = Deed(
    JONAS, "sagemaker", "DescribeModelPackage",
    {"modelPackageName": "arn:aws:sagemaker:eu-central-1:111122223333:model-package/churn/3"},
    read_only=True,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DemoCloud:
    """Where the demo's cloud lies and how a collector finds it. `public_keys` is a file's path."""

    folder: Path
    bucket: str = BUCKET
    account: str = ACCOUNT
    region: str = REGION
    trail: str = TRAIL

    @property
    def public_keys(self) -> Path:
        """The keys in the shape in which CloudTrail's ListPublicKeys answers."""
        return self.folder / "public_keys.json"


def build(folder: Path, now: datetime, *, days: int = 30, bucket: str = BUCKET) -> DemoCloud:
    """The cloud in `folder`, made if it is not there yet: log files and an hourly digest chain.

    The trail begins `days` before `now`. What is already there stays as it is; `later` adds to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / "cloud.json"
    if told.exists():
        return DemoCloud(folder, json.loads(told.read_text())["bucket"])
    shutil.rmtree(folder / "bucket", ignore_errors=True)  # what a build cut short left behind
    key = _make_key(folder)
    begun = (now.astimezone(UTC) - timedelta(days=days)).replace(
        minute=24, second=11, microsecond=0
    )
    writer = _Writer(folder, bucket, key, begun=begun, until=begun, digested=begun)
    writer.advance(now)
    writer.save()
    return DemoCloud(folder, bucket)


def later(cloud: DemoCloud, now: datetime) -> int:
    """Deliver what happened until `now`, at least one log file; how many objects were added."""
    writer = _Writer.load(cloud.folder)
    before = len(writer.objects)
    writer.advance(now)
    if len(writer.objects) == before or not writer.open_logs:
        writer.deliver((_LATE,), now)
    writer.save()
    return len(writer.objects) - before


def tamper(folder: Path) -> str:
    """Take one event out of a log file delivered about two days before the end; says which key."""
    objects = json.loads((folder / "cloud.json").read_text())["objects"]
    logs = [key for key in sorted(objects) if "/CloudTrail/" in key]
    last = datetime.fromisoformat(objects[logs[-1]]["modified"])
    old = [k for k in logs if datetime.fromisoformat(objects[k]["modified"]) <= last - 48 * HOUR]
    key = str((old or logs)[-1])
    path = folder / "bucket" / key
    records = json.loads(gzip.decompress(path.read_bytes()))["Records"]
    path.write_bytes(_packed({"Records": records[1:]}))
    return key


def _make_key(folder: Path) -> rsa.RSAPrivateKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "signing_key.pem").write_bytes(private)
    (folder / "signing_key.pem").chmod(0o600)
    told = {"Value": base64.b64encode(_der(key)).decode(), "Fingerprint": _fingerprint(key)}
    (folder / "public_keys.json").write_text(json.dumps({"PublicKeyList": [told]}, indent=1))
    return key


def _der(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    )


def _fingerprint(key: rsa.RSAPrivateKey) -> str:
    return hashlib.md5(_der(key), usedforsecurity=False).hexdigest()


def _packed(told: Any) -> bytes:
    return gzip.compress(json.dumps(told, separators=(",", ":")).encode(), mtime=0)


def _z(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class _Writer:
    """CloudTrail's part: delivers log files, and closes every hour with a signed digest."""

    folder: Path
    bucket: str
    key: rsa.RSAPrivateKey
    begun: datetime
    until: datetime
    digested: datetime
    previous: dict[str, str] = field(default_factory=dict)
    open_logs: list[dict[str, str]] = field(default_factory=list)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> _Writer:
        told = json.loads((folder / "cloud.json").read_text())
        key = serialization.load_pem_private_key((folder / "signing_key.pem").read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 written by _make_key
        told |= {name: datetime.fromisoformat(told[name]) for name in _TIMES}
        return cls(folder=folder, key=key, **told)

    def save(self) -> None:
        """The manifest comes last and at once: a build that was cut short is built again."""
        told = {name: getattr(self, name).isoformat() for name in _TIMES}
        told |= {name: getattr(self, name) for name in _KEPT}
        half = self.folder / "cloud.json.new"
        half.write_text(json.dumps(told))
        os.replace(half, self.folder / "cloud.json")

    def advance(self, now: datetime) -> None:
        """Everything that is delivered up to `now`, log files and digests in their order."""
        now = now.astimezone(UTC).replace(microsecond=0)
        for at, done in self._schedule(now):
            while self.digested + HOUR <= at:
                self._digest()
            self.deliver(done, at)
        while self.digested + HOUR <= now:
            self._digest()
        self.until = max(self.until, now)

    def _schedule(self, now: datetime) -> Iterator[tuple[datetime, tuple[Deed, ...]]]:
        hour = self.until.replace(minute=0, second=0)
        while hour <= now:
            at = hour + timedelta(minutes=random.Random(hour.isoformat()).randrange(26, 59))
            done = deeds(self.begun, hour)
            if done and self.until < at <= now:
                yield at, done
            hour += HOUR

    def deliver(self, done: tuple[Deed, ...], at: datetime) -> None:
        """One log file, delivered at `at`, of what was done in the minutes before."""
        at = max(at.astimezone(UTC).replace(microsecond=0), self.digested)
        dice = random.Random(f"file {at.isoformat()} {len(self.objects)}")
        name = "".join(dice.choices(string.ascii_letters + string.digits, k=16))
        records = [
            record(deed, at - timedelta(seconds=90 + 17 * number), number)
            for number, deed in enumerate(done)
        ]
        dice.shuffle(records)
        stem = f"{ACCOUNT}_CloudTrail_{REGION}_{at:%Y%m%dT%H%MZ}_{name}.json.gz"
        key = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{at:%Y/%m/%d}/{stem}"
        raw = self._put(key, {"Records": records}, at, {})
        times = sorted(r["eventTime"] for r in records)
        self.open_logs.append(
            {
                "s3Bucket": self.bucket, "s3Object": key, "hashValue": _inner_sha256(raw),
                "hashAlgorithm": "SHA-256", "newestEventTime": times[-1],
                "oldestEventTime": times[0],
            }
        )  # fmt: skip

    def _digest(self) -> None:
        start, end = self.digested, self.digested + HOUR
        stem = f"{ACCOUNT}_CloudTrail-Digest_{REGION}_{TRAIL}_{REGION}_{end:%Y%m%dT%H%M%SZ}.json.gz"
        key = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/{end:%Y/%m/%d}/{stem}"
        told = self._told(key, start, end)
        inner = hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()
        before = self.previous.get("previousDigestSignature", "null")
        signed = "\n".join((_z(end), f"{self.bucket}/{key}", inner, before)).encode()
        signature = self.key.sign(signed, padding.PKCS1v15(), SHA256()).hex()
        metadata = {"signature": signature, "signature-algorithm": "SHA256withRSA"}
        self._put(key, told, end + _DELAY, metadata)
        self.previous = {
            "previousDigestS3Bucket": self.bucket, "previousDigestS3Object": key,
            "previousDigestHashValue": inner, "previousDigestHashAlgorithm": "SHA-256",
            "previousDigestSignature": signature,
        }  # fmt: skip
        self.open_logs, self.digested = [], end

    def _told(self, key: str, start: datetime, end: datetime) -> dict[str, Any]:
        logs, none = self.open_logs, dict.fromkeys(_PREVIOUS)
        return {
            "awsAccountId": ACCOUNT, "digestStartTime": _z(start), "digestEndTime": _z(end),
            "digestS3Bucket": self.bucket, "digestS3Object": key,
            "digestPublicKeyFingerprint": _fingerprint(self.key),
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": max((log["newestEventTime"] for log in logs), default=None),
            "oldestEventTime": min((log["oldestEventTime"] for log in logs), default=None),
            **(self.previous or none), "logFiles": logs,
        }  # fmt: skip

    def _put(self, key: str, told: Any, at: datetime, metadata: dict[str, str]) -> bytes:
        raw = _packed(told)
        path = self.folder / "bucket" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        self.objects[key] = {"modified": at.isoformat(), "metadata": metadata}
        return raw


_TIMES = ("begun", "until", "digested")
_KEPT = ("bucket", "previous", "open_logs", "objects")
_PREVIOUS = (
    "previousDigestS3Bucket", "previousDigestS3Object", "previousDigestHashValue",
    "previousDigestHashAlgorithm", "previousDigestSignature",
)  # fmt: skip


def _inner_sha256(raw: bytes) -> str:
    return hashlib.sha256(gzip.decompress(raw)).hexdigest()
