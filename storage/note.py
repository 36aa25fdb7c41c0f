"""Checkpoints as C2SP signed notes: what the log held, in text that any other tool can check."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evidence.errors import LakeError, VerificationFailed

ED25519 = b"\x01"
_CHAIN = re.compile(r"(?P<table>[a-z_]+) (?P<version>-1|0|[1-9][0-9]*) (?P<digest>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class LogChain:
    """A table's own log up to `version`, folded: `digest` covers every log entry's bytes.

    Each log entry names the digests of its files, so the chain seals how the rows are stored (and
    what readers are told of them), as the tree seals what they say.
    """

    version: int = -1
    digest: bytes = bytes(32)
    table: str = "evidence"

    def then(self, version: int, entry: bytes) -> LogChain:
        """The chain after the log entry of `version`, whose bytes have the SHA-256 `entry`."""
        if version != self.version + 1:
            raise ValueError(f"log entry {version} does not follow {self.version}")
        folded = hashlib.sha256(self.digest + entry).digest()
        return replace(self, version=version, digest=folded)

    def __str__(self) -> str:
        return f"{self.table} {self.version} {self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed tree head with the chain of the log it was made from.

    `text` is the whole note, signature lines included; `followers` are the chains of the tables
    that follow the evidence (none in notes of Headwater before 0.1.0's release).
    """

    origin: str
    size: int
    root: bytes
    chain: LogChain
    text: str
    followers: tuple[LogChain, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the origin it signs for; its text is the C2SP vkey."""

    origin: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes that tell keys apart in a note."""
        name = self.origin.encode()
        return hashlib.sha256(name + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        key = base64.b64encode(ED25519 + self.public).decode()
        return f"{self.origin}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """From `origin+keyid+base64`. Raises LakeError."""
        try:
            origin, key_id, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
            if raw[:1] != ED25519 or len(raw) != 33:
                raise ValueError("it is no Ed25519 key")
            key = cls(check_origin(origin), raw[1:])
            if key.key_id.hex() != key_id:
                raise ValueError("its key id does not fit")
        except ValueError as error:
            raise LakeError(f"{text.strip()!r} is no verifier key (vkey): {error}") from error
        return key


def check_origin(origin: str) -> str:
    """An origin is one word without `+`. Raises LakeError."""
    if not origin or any(c.isspace() or c == "+" for c in origin):
        raise LakeError(f"the ledger's origin {origin!r} must be one word without spaces or +")
    return origin


def body(
    origin: str, size: int, root: bytes, chain: LogChain, followers: Iterable[LogChain] = ()
) -> str:
    """The text that is signed; from its fourth line on it is ours: extension lines, which
    c2sp.org/tlog-checkpoint allows."""
    ours = "\n".join(str(line) for line in (chain, *followers))
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n{ours}\n"


def open_note(text: str, key: VerifierKey, *, what: str) -> Checkpoint:
    """The checkpoint in a note, its signature checked. Raises VerificationFailed naming `what`."""
    signed, _, signatures = text.rpartition("\n\n")
    if not signatures:
        raise VerificationFailed((f"{what} is no signed note",))
    signed += "\n"
    check_signature(signed, signatures, key, what)
    head = parse_note(text, what=what)
    if head.origin != key.origin:
        raise VerificationFailed((f"{what} is of {head.origin!r}, not of {key.origin!r}",))
    return head


def parse_note(text: str, *, what: str) -> Checkpoint:
    """The checkpoint in a note as it stands, no signature checked. Raises VerificationFailed."""
    signed, _, _ = text.rpartition("\n\n")
    try:
        origin, size, root, *ours = signed.split("\n")
        if not (size.isdecimal() and str(int(size)) == size):
            raise ValueError(f"size {size!r}")
        digest = base64.b64decode(root, validate=True)
        chains = list(_chains(ours))
        if len(digest) != 32 or not chains or chains[0].table != "evidence":
            raise ValueError("its root or its log chain is not whole")
    except ValueError as error:
        raise VerificationFailed((f"{what} is no checkpoint: {error}",)) from error
    return Checkpoint(origin, int(size), digest, chains[0], text, tuple(chains[1:]))


def _chains(lines: Sequence[str]) -> Iterator[LogChain]:
    """The chains among the extension lines; a line of another form is for other readers."""
    for line in lines:
        if match := _CHAIN.fullmatch(line):
            yield LogChain(int(match["version"]), bytes.fromhex(match["digest"]), match["table"])


@lru_cache(maxsize=8)
def _public(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


def check_signature(signed: str, signatures: str, key: VerifierKey, what: str) -> None:
    """A signature line is the key's and holds. Raises VerificationFailed naming `what`."""
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "—" or name != key.origin:
            continue
        try:
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            continue
        if raw[:4] != key.key_id:
            continue
        try:
            _public(key.public).verify(raw[4:], signed.encode())
        except InvalidSignature as error:
            raise VerificationFailed((f"{what} has a signature that does not hold",)) from error
        return
    raise VerificationFailed((f"{what} is not signed by {key.origin} with key {key.key_id.hex()}",))
