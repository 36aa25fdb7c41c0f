"""CloudTrail's own proof: hourly digests, signed, naming their log files and their forerunner.

The rules are those of AWS's published validation of log files: RSA PKCS#1 v1.5 with SHA-256 over
end time, place, the digest's SHA-256 and the forerunner's signature; SHA-256 of unpacked log files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from collectors._aws.s3 import Body, gunzip
from collectors._trail.state import Link
from evidence.errors import HeadwaterError
from evidence.model import Outcome
from evidence.times import parse, stamp

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

ALGORITHM = "SHA256withRSA"
_WITHHELD = "unreadable log"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: its house name, the object it concerns, one sentence why."""

    name: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Hashed:
    """A log file as it lies there now: SHA-256 of the unpacked bytes ("" if it cannot be had)."""

    sha256: str = ""
    problem: str = ""
    absent: bool = False
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Digest:
    """An unpacked digest: its place, its hour, what it says of its forerunner and its log files."""

    key: str
    start: datetime
    end: datetime
    end_text: str
    told_place: tuple[str, str]
    fingerprint: str
    algorithm: str
    previous: tuple[str, str] | None
    previous_sha256: str
    previous_signature: str
    logs: tuple[tuple[str, str, str], ...]
    sha256: str
    signature: str
    damage: str

    @property
    def signed_text(self) -> bytes:
        """What the signature is over, given where the digest says it lies."""
        place = "/".join(self.told_place)
        lines = (self.end_text, place, self.sha256, self.previous_signature or "null")
        return "\n".join(lines).encode()

    def link(self, before: Link | None) -> Link:
        """The bookmark that the next digest must name."""
        since = before.since if before else self.start
        signature = hashlib.sha256(self.signature.encode()).hexdigest()
        return Link(self.key, since, self.end, self.sha256, signature)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one digest.

    `chain` is start, entered, continued, restarted, broken, rechecked or late.
    """

    digest: Digest
    chain: str
    problems: tuple[Problem, ...]

    @property
    def outcome(self) -> Outcome:
        """Failed if anything is proved wrong, an error if something could only not be read."""
        if any(problem.name != _WITHHELD for problem in self.problems):
            return Outcome.FAILED
        return Outcome.ERROR if self.problems else Outcome.PASSED


def unpack(body: Body) -> Digest:
    """The digest in an S3 object. Raises ValueError saying what is wrong with the object."""
    data, damage = gunzip(body.raw)
    if not data:
        raise ValueError(damage)
    try:
        told = json.loads(data)
        place = told.get("previousDigestS3Object")
        return Digest(
            key=body.stored.key, start=parse(told["digestStartTime"]),
            end=parse(told["digestEndTime"]), end_text=str(told["digestEndTime"]),
            told_place=(str(told["digestS3Bucket"]), str(told["digestS3Object"])),
            fingerprint=str(told["digestPublicKeyFingerprint"]),
            algorithm=str(told["digestSignatureAlgorithm"]),
            previous=(str(told["previousDigestS3Bucket"]), str(place)) if place else None,
            previous_sha256=str(told.get("previousDigestHashValue") or ""),
            previous_signature=str(told.get("previousDigestSignature") or ""),
            logs=tuple(_log(entry) for entry in told["logFiles"]),
            sha256=hashlib.sha256(data).hexdigest(),
            signature=body.metadata.get("signature", ""), damage=damage,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is not a digest ({type(error).__name__}: {error})") from error
    except HeadwaterError as error:
        raise ValueError(f"it is not a digest ({error})") from error


def _log(entry: dict[str, Any]) -> tuple[str, str, str]:
    if entry["hashAlgorithm"] != "SHA-256":
        raise ValueError(f"hash algorithm {entry['hashAlgorithm']!r} is not SHA-256")
    return str(entry["s3Bucket"]), str(entry["s3Object"]), str(entry["hashValue"])


def own_problems(digest: Digest, bucket: str, keys: Sequence[RSAPublicKey]) -> list[Problem]:
    """What the digest alone shows: its place, its gzip, its signature by one of `keys`."""
    found = []
    if digest.damage:
        found.append(Problem("trailing bytes", digest.key, digest.damage))
    if digest.told_place != (bucket, digest.key):
        told = "/".join(digest.told_place)
        found.append(Problem("digest moved", digest.key, f"it was written for s3://{told}"))
    if digest.algorithm != ALGORITHM:
        why = f"signature algorithm {digest.algorithm!r} is not {ALGORITHM}"
        found.append(Problem("bad signature", digest.key, why))
    elif not keys:
        why = f"it names public key {digest.fingerprint}, which CloudTrail does not list"
        found.append(Problem("wrong key", digest.key, why))
    elif not any(_signed(digest, key) for key in keys):
        why = "its signature metadata is missing" if not digest.signature else "no key made it"
        found.append(Problem("bad signature", digest.key, f"the signature is not valid: {why}"))
    return found


def _signed(digest: Digest, key: RSAPublicKey) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(bytes.fromhex(digest.signature), digest.signed_text, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def log_problems(digest: Digest, look: Callable[[str, str], Hashed]) -> list[Problem]:
    """What became of the named log files; `look(bucket, key)` says how each lies there now."""
    found = []
    for bucket, key, expected in digest.logs:
        seen = look(bucket, key)
        if seen.withheld:
            found.append(Problem(_WITHHELD, key, seen.problem))
        elif seen.absent:
            found.append(Problem("missing log", key, "the digest names it, it is not there"))
        elif seen.sha256 != expected:
            why = seen.problem or "its content is not what was signed"
            found.append(Problem("edited log", key, why))
        elif seen.problem:
            found.append(Problem("trailing bytes", key, seen.problem))
    return found


def chain_problems(
    digest: Digest, before: Link | None, *, exists: Callable[[str, str], bool], backfill: bool
) -> tuple[str, list[Problem]]:
    """How the digest follows the one read before it, and what is wrong there."""
    if before is None:
        return ("entered" if digest.previous else "start"), []
    gap = _gap(digest, before) if not backfill else []
    if digest.previous is None:
        return "restarted", gap
    if digest.previous[1] != before.key:
        return "broken", [_broken(digest, before, digest.previous, exists), *gap]
    wrong = list(_link_problems(digest, before))
    return ("broken" if wrong or gap else "continued"), [*wrong, *gap]


def _gap(digest: Digest, before: Link) -> list[Problem]:
    if digest.start <= before.end:
        return []
    why = f"no digest covers {stamp(before.end)} to {stamp(digest.start)}"
    return [Problem("gap in chain", f"{stamp(before.end)}/{stamp(digest.start)}", why)]


def _broken(
    digest: Digest,
    before: Link,
    previous: tuple[str, str],
    exists: Callable[[str, str], bool],
) -> Problem:
    if exists(*previous):
        why = f"it follows this digest, but the one read before it is {before.key}"
        return Problem("gap in chain", "/".join(previous), why)
    why = f"{digest.key} follows it, and it is not there: its hour is not proved"
    return Problem("missing digest", previous[1], why)


def _link_problems(digest: Digest, before: Link) -> Iterable[Problem]:
    if not before.sha256:
        return
    signature = hashlib.sha256(digest.previous_signature.encode()).hexdigest()
    if digest.previous_sha256 != before.sha256:
        yield Problem("edited digest", before.key, f"{digest.key} knew it with another content")
    elif signature != before.signature_sha256:
        yield Problem("bad signature", before.key, f"{digest.key} knew it with another signature")
