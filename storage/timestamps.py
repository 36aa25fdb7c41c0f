"""RFC 3161 timestamps: a time authority's word that a seal existed at its time, not at ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.x509 import Certificate, ExtensionNotFound, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from evidence.errors import (
    LakeBusy,
    LakeError,
    LakeRefused,
    SourceBroken,
    SourceBusy,
    SourceRefused,
)
from evidence.times import utc
from storage.checkpoints import history_name, history_sizes, open_checkpoint
from storage.note import Checkpoint, VerifierKey
from storage.place import Place

Ask = Callable[[bytes], bytes]
"""Sends a DER time-stamp request to the authority and brings back its DER answer."""


_FOLDER = "log/timestamps"
_CUT_OFF = timedelta(seconds=1)
"""The library gives the stated time without its fraction of a second."""


@dataclass(frozen=True, slots=True)
class Stamped:
    """A seal of `size` items and when the authority had it before it: not before `earliest`, not
    after `at` (UTC, the authority's own accuracy counted)."""

    size: int
    earliest: datetime
    at: datetime


def load_roots(path: Path) -> tuple[Certificate, ...]:
    """The certificates that are trusted to begin a chain, from a PEM file. Raises LakeError."""
    try:
        return tuple(load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise LakeError(
            f"{path} holds no certificates of a time authority (PEM): {error}"
        ) from error


def timestamp_name(size: int) -> str:
    """Where the timestamp of the seal of `size` items lies: the authority's answer, DER."""
    return f"{_FOLDER}/{size:020}.tsr"


def timestamp_sizes(lake: Place) -> list[int]:
    """The sizes whose seals have a timestamp, ascending."""
    names = (name.removeprefix(f"{_FOLDER}/") for name in lake.names(_FOLDER))
    stems = (name.removesuffix(".tsr") for name in names if name.endswith(".tsr"))
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def anchor(lake: Place, key: VerifierKey, roots: Sequence[Certificate], ask: Ask) -> Stamped | None:
    """Have the newest kept seal stamped; None if there is none, or it is stamped already.

    Nothing is stored that would not verify. Raises what `ask` raises, SourceBusy, SourceRefused or
    SourceBroken for what the authority answers, LakeError (also: not our seal).
    """
    with lake.locked("log/.anchor.lock"):
        sizes = history_sizes(lake)
        if not sizes or sizes[-1] == 0 or lake.read(timestamp_name(sizes[-1])) is not None:
            return None
        size = sizes[-1]
        head = open_checkpoint(lake, history_name(size), key, what=f"the seal of {size} items")
        if head is None:
            raise LakeError(f"the seal of {size} items went away meanwhile")
        content, stamped = _obtained(head, roots, ask)
        if not lake.put_new(timestamp_name(size), content):
            return None  # another machine had it stamped meanwhile
    return stamped


def _obtained(head: Checkpoint, roots: Sequence[Certificate], ask: Ask) -> tuple[bytes, Stamped]:
    request = (
        TimestampRequestBuilder()
        .data(head.text.encode())
        .hash_algorithm(HashAlgorithm.SHA256)
        .cert_request(cert_request=True)
        .nonce(nonce=True)
        .build()
    )
    content = ask(request.as_bytes())
    try:
        answer = decode_timestamp_response(content)
    except ValueError as error:
        raise SourceBroken(f"the authority's answer is no timestamp: {error}") from error
    _refuse(answer)
    try:
        return content, _checked(answer, head, roots, nonce=request.nonce)
    except VerificationError as error:
        raise SourceBroken(f"the authority's answer does not hold: {error}") from error


def _refuse(answer: TimeStampResponse) -> None:
    told = "; ".join(answer.status_string)[:200]
    if answer.status == PKIStatus.WAITING:
        raise SourceBusy(f"the authority asks to wait: {told}")
    if answer.status != PKIStatus.GRANTED:
        name = PKIStatus(answer.status).name.lower() if answer.status in _STATUSES else "refused"
        raise SourceRefused(f"the authority gave no timestamp ({name}): {told or 'no reason'}")


_STATUSES = set(PKIStatus)


def _checked(
    answer: TimeStampResponse,
    head: Checkpoint,
    roots: Sequence[Certificate],
    *,
    nonce: int | None = None,
) -> Stamped:
    """Raises VerificationError: signature, chain at the stated time, purpose, imprint, nonce."""
    try:
        verifier = VerifierBuilder(roots=list(roots), nonce=nonce).build()
        verifier.verify_message(answer, head.text.encode())
        told, within = utc(answer.tst_info.gen_time), _accuracy(answer)
        return Stamped(head.size, told - within, told + within + _CUT_OFF)
    except (ValueError, ExtensionNotFound) as error:
        raise VerificationError(str(error)) from error


def _accuracy(answer: TimeStampResponse) -> timedelta:
    stated = answer.tst_info.accuracy
    if stated is None:
        return timedelta()
    return timedelta(
        seconds=stated.seconds or 0, milliseconds=stated.millis or 0,
        microseconds=stated.micros or 0,
    )  # fmt: skip


def read_timestamp(
    lake: Place, size: int, key: VerifierKey, roots: Sequence[Certificate]
) -> Stamped:
    """A stored timestamp, checked against the seal it belongs to. Raises LakeError saying why not.

    The certificates need to be valid at the stated time only (RFC 3161 §4): a token outlives them.
    """
    what = f"the timestamp of the seal of {size} items"
    head = open_checkpoint(lake, history_name(size), key, what=f"the seal of {size} items")
    if head is None:
        raise LakeError(f"{what} is there, but that seal is gone")
    try:
        answer = decode_timestamp_response(lake.read(timestamp_name(size)) or b"")
        return _checked(answer, head, roots)
    except (ValueError, VerificationError) as error:
        raise LakeError(f"{what} does not hold: {error}") from error


def stamps(
    lake: Place, key: VerifierKey, roots: Sequence[Certificate], say: Callable[[str], None]
) -> Iterator[Stamped]:
    """All that hold, by size; `say` gets a sentence for each that does not."""
    for size in timestamp_sizes(lake):
        try:
            yield read_timestamp(lake, size, key, roots)
        except (LakeBusy, LakeRefused):
            raise
        except LakeError as error:
            say(str(error))
