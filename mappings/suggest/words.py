"""Common words, weighed by how rare they are in the catalogue: the yardstick for every model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from evidence.canonical import digest
from mappings.suggest.asks import Ask

_WORD = re.compile(r"[^\W\d_]{2,}")
_ENDINGS = ("ations", "ation", "ings", "ing", "ions", "ion", "ies", "ed", "es", "s", "y", "e")
_STEM = 4


class Words:
    """An embedder that needs no model: TF-IDF over the words of the catalogue."""

    name = "words"

    def __init__(self, asks: Sequence[Ask]) -> None:
        texts = [set(_words(ask.told)) for ask in asks]
        counts = Counter(word for text in texts for word in text)
        self._weights = {word: math.log(len(texts) / n) + 1 for word, n in sorted(counts.items())}
        self.digest = digest({"words": self._weights})

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One number for each word of the catalogue; other words count only in the length."""
        return [self._vector(Counter(_words(text))) for text in texts]

    def _vector(self, counts: Counter[str]) -> list[float]:
        known = [math.sqrt(counts[word]) * weight for word, weight in self._weights.items()]
        rarest = max(self._weights.values())
        strange = sum(n for word, n in counts.items() if word not in self._weights)
        # The last number makes a text longer by what the catalogue has no word for.
        return [*known, math.sqrt(strange) * rarest]


def _words(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(text.lower())]


def _stem(word: str) -> str:
    """English words without their commonest endings, so that `risks` finds `risk`."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM:
            return word.removesuffix(ending)
    return word
