"""What of an item a model may read, and where in it a passage stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evidence.errors import MappingError
from evidence.suggestion import Passage

READ = 4_000
"""So many characters of an item are given to a model; passages may be cited from all of it."""
_PLACES = 500
_LONGEST = 300
_WORD = re.compile(r"[^\W\d_]{2,}")
_ENDS = re.compile(r"(?<=[.!?;])\s+|\s*\n\s*")
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class ItemText:
    """One item as a model is shown it: every text of it that has words, with its place."""

    item_id: str
    kind: str
    texts: tuple[Passage, ...]

    @property
    def whole(self) -> str:
        """All of it in one text, cut after `READ` characters."""
        return ". ".join(passage.text for passage in self.texts)[:READ]

    def pieces(self) -> tuple[Passage, ...]:
        """Its sentences, each exactly as it stands there, of what a model was given."""
        found: list[Passage] = []
        left = READ
        for passage in self.texts:
            found += (Passage(passage.place, text) for text in _sentences(passage.text[:left]))
            left -= len(passage.text)
            if left <= 0:
                break
        return tuple(found)

    def place_of(self, words: str) -> Passage | None:
        """The words where they stand in the item; None if they do not, or are too few to cite."""
        if not _worded(words):
            return None
        return next((Passage(p.place, words) for p in self.texts if words in p.text), None)


def item_text(row: Mapping[str, Any]) -> ItemText:
    """The texts of a row of the evidence table, `payload` as JSON text. Raises MappingError."""
    try:
        payload = json.loads(row["payload"])
    except (ValueError, RecursionError) as error:
        raise MappingError(f"item {row['item_id']}: its payload is not JSON: {error}") from error
    found: list[Passage] = []
    for place, text in (("title", row["title"] or ""), *_leaves("payload", payload)):
        # A record often repeats its title in its payload.
        if _worded(text) and all(text != known.text for known in found):
            found.append(Passage(place, text))
            if len(found) == _PLACES:
                break
    return ItemText(row["item_id"], row["kind"], tuple(found))


def _leaves(place: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _leaves(f"{place}.{key}", entry)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _leaves(f"{place}[{number}]", entry)


def _worded(text: str) -> bool:
    """Ids, digests, addresses and times say nothing that a control asks for."""
    return " " in text.strip() and len(_WORD.findall(text)) >= _FEWEST


def _sentences(text: str) -> Iterator[str]:
    for sentence in _ENDS.split(text):
        for start in range(0, len(sentence), _LONGEST):
            if _worded(piece := sentence[start : start + _LONGEST].strip()):
                yield piece
