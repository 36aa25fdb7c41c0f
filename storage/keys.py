"""The ledger's signing key: one line of text in a file that only its owner may read."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence.errors import LakeError
from storage.note import ED25519, Checkpoint, LogChain, VerifierKey, body, check_origin
from storage.place_local import LocalPlace, write_private

_PREFIX = "PRIVATE+KEY"


@dataclass(frozen=True, slots=True)
class Signer:
    """A private Ed25519 key bound to the origin it signs for."""

    origin: str
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.origin, self._key.public_key().public_bytes_raw())

    @property
    def vkey(self) -> str:
        """The public half as C2SP text, to hand to everybody who verifies."""
        return str(self.verifier)

    def sign(
        self, size: int, root: bytes, chain: LogChain, followers: tuple[LogChain, ...] = ()
    ) -> Checkpoint:
        """The checkpoint of a tree of `size` leaves with this root, made from these logs."""
        text = body(self.origin, size, root, chain, followers)
        note = f"{text}\n{self.sign_text(text)}"
        return Checkpoint(self.origin, size, root, chain, note, followers)

    def sign_text(self, text: str) -> str:
        """The signature line of a note with this text, which says itself what it is."""
        raw = self.verifier.key_id + self._key.sign(text.encode())
        return f"— {self.origin} {base64.b64encode(raw).decode()}\n"

    def attest(self, what: str, text: str) -> str:
        """A signed note of its own kind: `text` (whole lines) under the name `origin/what`.

        The name is part of what is signed and of the key's id, so that such a note is never taken
        for a checkpoint, nor a checkpoint for it.
        """
        key = VerifierKey(f"{self.origin}/{what}", self.verifier.public)
        body = f"{key.origin}\n{text}"
        raw = key.key_id + self._key.sign(body.encode())
        return f"{body}\n— {key.origin} {base64.b64encode(raw).decode()}\n"

    def envelope(self, payload_type: str, payload: bytes) -> dict[str, Any]:
        """A DSSE envelope (version 1.0) with this payload, as JSON-like values.

        What is signed begins with `DSSEv1`, which no note of an origin of ours does.
        """
        from securesystemslib.dsse import Envelope
        from securesystemslib.signer import CryptoSigner, SSlibKey

        name = f"{self.origin}+{self.verifier.key_id.hex()}"
        envelope = Envelope(payload, payload_type, {})
        public = SSlibKey.from_crypto(self._key.public_key(), keyid=name)
        envelope.sign(CryptoSigner(self._key, public))
        told: dict[str, Any] = envelope.to_dict()
        return told


def make_key(path: Path, *, origin: str) -> str:
    """Write a new key to a new file with mode 0600, its vkey beside it (`.pub`); returns the vkey.

    The public half comes first: who dies in between makes another pair the next time.
    Raises LakeError if there is a file already: a key is never overwritten.
    """
    signer = Signer(check_origin(origin), Ed25519PrivateKey.generate())
    secret = base64.b64encode(ED25519 + signer._key.private_bytes_raw()).decode()
    line = f"{_PREFIX}+{origin}+{signer.verifier.key_id.hex()}+{secret}\n"
    try:
        if path.exists():
            raise FileExistsError
        LocalPlace(path.parent).replace(f"{path.name}.pub", f"{signer.vkey}\n".encode())
        write_private(path, line)
    except FileExistsError as error:
        raise LakeError(f"there is a key at {path} already; it is not replaced") from error
    except OSError as error:
        raise LakeError(f"the key {path} cannot be written: {error}") from error
    return signer.vkey


def load_key(path: Path, *, origin: str | None = None) -> Signer:
    """The key in a file. Raises LakeError if others may read it, or it signs for another origin."""
    try:
        if path.stat().st_mode & 0o077:
            raise LakeError(f"others may read the key {path}; run `chmod 600 {path}` (or renew it)")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise LakeError(
            f"there is no key at {path}; restore it, or for a new lake run `headwater init`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise LakeError(f"the key {path} cannot be read: {error}") from error
    signer = _parse(text, path)
    if origin is not None and signer.origin != origin:
        raise LakeError(
            f"the key {path} signs for {signer.origin!r}, not for {origin!r}: say "
            f'origin = "{signer.origin}" in [ledger] (it is made of the organisation\'s name, and '
            "stays when that changes), or name the key of that origin"
        )
    return signer


def _parse(text: str, path: Path) -> Signer:
    try:
        private, word, origin, key_id, encoded = text.strip().split("+", 4)
        raw = base64.b64decode(encoded, validate=True)
        if f"{private}+{word}" != _PREFIX or raw[:1] != ED25519:
            raise ValueError
        signer = Signer(check_origin(origin), Ed25519PrivateKey.from_private_bytes(raw[1:]))
        if signer.verifier.key_id.hex() != key_id:
            raise ValueError
    except ValueError:
        # The cause is left out on purpose: its text could hold the key.
        raise LakeError(f"{path} is no signing key of Headwater; restore it") from None
    return signer
