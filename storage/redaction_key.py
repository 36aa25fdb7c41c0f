"""The key that salts hidden values: one line of text in a file that only its owner may read."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from evidence.errors import LakeError
from storage.place_local import write_private

_PREFIX = "headwater-redaction-key"
_SEALED = "headwater.sealed/1:"


@dataclass(frozen=True, slots=True)
class RedactionKey:
    """32 secret bytes. Who has them can find short hidden values by trying; nobody else can."""

    _secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """Tells keys apart and gives nothing away: 16 hex digits."""
        return self._derived(b"id").hex()[:16]

    def salt(self, why: str, value: bytes) -> bytes:
        """The salt of a value hidden for `why`: always the same one, so ids stay the same."""
        return self._derived(b"salt\0" + why.encode() + b"\0" + value)

    def seal(self, text: str) -> str:
        """Text that only this key opens (AES-256-GCM)."""
        nonce = secrets.token_bytes(12)
        closed = AESGCM(self._derived(b"seal")).encrypt(nonce, text.encode(), None)
        return _SEALED + base64.b64encode(nonce + closed).decode()

    def unseal(self, text: str) -> str:
        """What `seal` was given. Raises LakeError if it was another key, or the text is altered."""
        try:
            raw = base64.b64decode(text.removeprefix(_SEALED), validate=True)
            return AESGCM(self._derived(b"seal")).decrypt(raw[:12], raw[12:], None).decode()
        except (InvalidTag, ValueError):
            raise LakeError(
                f"a sealed cursor does not open with the redaction key {self.key_id}; "
                "restore the key that it was sealed with"
            ) from None

    def _derived(self, label: bytes) -> bytes:
        return hmac.new(self._secret, b"headwater.redaction/1\0" + label, sha256).digest()


def is_sealed(text: str) -> bool:
    """Whether the text was made by `seal`."""
    return text.startswith(_SEALED)


def make_redaction_key(path: Path) -> str:
    """Write a new key to a new file with mode 0600; returns its id.

    Raises LakeError if there is a file already: a key is never overwritten.
    """
    secret = secrets.token_bytes(32)
    key = RedactionKey(secret)
    line = f"{_PREFIX}+{key.key_id}+{base64.b64encode(secret).decode()}\n"
    try:
        write_private(path, line)
    except FileExistsError as error:
        raise LakeError(f"there is a key at {path} already; it is not replaced") from error
    except OSError as error:
        raise LakeError(f"the key {path} cannot be written: {error}") from error
    return key.key_id


def load_redaction_key(path: Path) -> RedactionKey | None:
    """The key in a file, None if there is none. Raises LakeError if others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise LakeError(f"others may read the key {path}; run `chmod 600 {path}`")
        text = path.read_text(encoding="utf-8")
        prefix, key_id, encoded = text.strip().split("+", 2)
        key = RedactionKey(base64.b64decode(encoded, validate=True))
        if prefix != _PREFIX or key.key_id != key_id:
            raise ValueError
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LakeError(f"the key {path} cannot be read: {error}") from error
    except ValueError:
        # The cause is left out on purpose: its text could hold the key.
        raise LakeError(f"{path} is no redaction key of Headwater; restore it") from None
    return key
