"""Names of files made from names that others gave: safe on every system, one for each."""

from __future__ import annotations

import hashlib
import re

_SAFE = re.compile(r"[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9_-]+)*")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
_LONGEST = 80


def slug(key: str) -> str:
    """The key as a file name without its ending; where it cannot stand as it is, what can of it
    and the beginning of its SHA-256, so that no two keys share a file, whatever letters count."""
    if _SAFE.fullmatch(key) and not _DEVICES.fullmatch(key) and len(key) <= _LONGEST:
        return key
    kept = re.sub(r"[^A-Za-z0-9_.-]+", "-", key).strip("-.")[:_LONGEST].strip("-.")
    told = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{kept}-{told}" if kept else told
