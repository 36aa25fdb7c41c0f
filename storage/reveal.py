"""Proof of what a hidden value was: made with the key, checked by anybody without it."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from evidence.errors import LakeError
from storage.redaction import TEXTS
from storage.redaction_key import RedactionKey

_IN_TEXT = re.compile(r"\[redacted sha256:([0-9a-f]{64}) ([^\]]*)\]")
_WHOLE = re.compile(r"sha256:([0-9a-f]{64})").fullmatch


@dataclass(frozen=True, slots=True)
class Proof:
    """That a value is the one hidden under `digest`: SHA-256(salt ‖ value), salt in hex."""

    digest: str
    salt: str
    why: str


def prove(key: RedactionKey, row: Mapping[str, Any], value: str) -> Proof:
    """The proof that this row of evidence hides `value`. Raises LakeError if it does not."""
    raw = value.encode()
    for mark, why in _marks(row):
        salt = key.salt(why, raw)
        if hmac.compare_digest(mark, sha256(salt + raw).hexdigest()):
            return Proof(f"sha256:{mark}", salt.hex(), why)
    raise LakeError(f"item {row['item_id']} does not hide this value under this key")


def check_revealed(row: Mapping[str, Any], salt: str, value: str) -> bool:
    """Whether a row of evidence hides `value`: needs the salt (hex) of a proof, and no key."""
    digest = sha256(bytes.fromhex(salt) + value.encode()).hexdigest()
    return any(hmac.compare_digest(mark, digest) for mark, _ in _marks(row))


def _marks(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The digests that stand for hidden values in a row, each with why."""
    for name in TEXTS:
        yield from _IN_TEXT.findall(str(row[name]))
    stack = [json.loads(row["payload"])]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield from _IN_TEXT.findall(node)
        elif isinstance(node, dict):
            whole = _WHOLE(str(node.get("redacted")))
            if whole and set(node) == {"redacted", "why"}:
                yield whole[1], str(node["why"])
            stack.extend([*node, *node.values()])
        elif isinstance(node, list):
            stack.extend(node)
