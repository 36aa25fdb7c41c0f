"""The newest results of a store one by one, so that an overwritten one is told as changed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from collectors._checks.results import altered
from evidence.errors import SourceBroken
from evidence.model import Cursor, EvidenceItem

_MOST = 500


class Kept(NamedTuple):
    """What is remembered of a document: digests of its bytes and of whom it speaks of, its time
    (seconds since 1970), and under which settings it was told as altered (empty: never)."""

    content: str
    subject: str
    at: int
    told: str


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest documents, the newest of each subject, and all that were ever altered.

    An older one that is overwritten comes as a result of its own past time: it was no one's latest.
    """

    kept: Mapping[str, Kept] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor | None) -> Latest:
        """From a cursor that holds `latest`; earlier ones held none. Raises SourceBroken."""
        try:
            packed = json.loads(cursor.value).get("latest", "") if cursor else ""
            plain = zlib.decompress(base64.b64decode(packed, validate=True)) if packed else b"{}"
            return cls({str(name): Kept(*told) for name, told in json.loads(plain).items()})
        except (ValueError, TypeError, AttributeError, zlib.error) as error:
            raise SourceBroken(f"the cursor was not written by this collector: {error}") from error

    def packed(self) -> str:
        """For the cursor."""
        plain = json.dumps(dict(sorted(self.kept.items())), separators=(",", ":"))
        return base64.b64encode(zlib.compress(plain.encode())).decode()

    def seen(
        self, name: str, sha256: str, item: EvidenceItem, settings: str
    ) -> tuple[EvidenceItem | None, dict[str, Kept]]:
        """The item as it is to land (None if it landed so), and what to remember of it.

        `settings` stands for those that change what is made of a document.
        """
        key, content = _short(name, 10), sha256[:8]
        before = self.kept.get(key)
        edited = before is not None and (before.content != content or bool(before.told))
        now = Kept(
            content, _short(item.subject, 6), int(item.observed_to.timestamp()),
            settings if edited else "",
        )  # fmt: skip
        if not edited:
            return item, {key: now}
        return (None if before == now else altered(item)), {key: now}

    def and_(self, more: Mapping[str, Kept]) -> Latest:
        """With these, and without what is not among the newest any more."""
        both = {**self.kept, **more}
        by_time = sorted(both, key=lambda key: (both[key].at, key), reverse=True)
        newest: dict[str, str] = {}
        for key in by_time:
            newest.setdefault(both[key].subject, key)
        stay = {*by_time[:_MOST], *newest.values(), *(k for k in both if both[k].told)}
        return Latest({key: both[key] for key in both if key in stay})


def _short(text: str, digits: int) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:digits]
