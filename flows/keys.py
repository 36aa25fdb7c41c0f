"""The public half of the ledger's key: all that verifying needs."""

from __future__ import annotations

from pathlib import Path

from evidence.errors import ConfigError, LakeError
from flows.config import Config


def public_key_of(config: Config, given: str = "") -> str:
    """The vkey: `given`, else the one beside the signing key. Raises ConfigError, LakeError."""
    vkey = public_key(given or str(config.key.with_name(config.key.name + ".pub")))
    if not vkey.startswith(f"{config.origin}+"):
        raise LakeError(f"the public key is not of {config.origin!r}: {vkey}")
    return vkey


def public_key(given: str) -> str:
    """The vkey itself, or the one in the file. Raises ConfigError if it is neither."""
    if given.count("+") >= 2 and not Path(given).is_file():
        return given.strip()
    try:
        return Path(given).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the public key {given} cannot be read: {error}; give --key, the text or its file"
        ) from error
