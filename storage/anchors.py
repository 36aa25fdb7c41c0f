"""The seals that a time authority stamped, each with its answer and the way to a later seal."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from storage.checkpoints import checkpoint_of
from storage.lake import Lake
from storage.note import Checkpoint
from storage.proof import consistency_proof
from storage.timestamps import timestamp_name, timestamp_sizes


def anchors_of(lake: Lake, head: Checkpoint) -> Iterator[dict[str, Any]]:
    """Of each stamped seal up to `head`, by size: its note, the authority's answer (DER in base64),
    and the hashes that show that the log of `head` continues it. Raises LakeError."""
    for size in timestamp_sizes(lake.place):
        if 0 < size <= head.size:
            path = () if size == head.size else consistency_proof(lake, size, head.size)
            answer = lake.place.read(timestamp_name(size)) or b""
            yield {
                "size": size, "note": checkpoint_of(lake, size).text,
                "consistency": [node.hex() for node in path],
                "tsr": base64.b64encode(answer).decode(),
            }  # fmt: skip
