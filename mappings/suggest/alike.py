"""Proposals by likeness: which need is told in words that are near to those of the item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from evidence.canonical import digest
from evidence.suggestion import AskedModel
from mappings.suggest.asks import Ask
from mappings.suggest.models import Answer, Claim, Embedder
from mappings.suggest.texts import ItemText

FORM = "headwater.alike/1"


class Alike:
    """A model that claims of each need how near it is to the item, by an embedder's vectors.

    The score is the cosine between the whole item and the need; cited is the item's sentence that
    comes nearest to that need.
    """

    def __init__(self, embedder: Embedder, asks: Sequence[Ask]) -> None:
        self._embedder, self._asks = embedder, asks
        told = [ask.told for ask in asks]
        self._needs = _unit(embedder.embed(told))
        self._prompt = digest({"form": FORM, "told": told})

    @property
    def asked(self) -> AskedModel:
        """The embedder, and the digest of the catalogue's passages."""
        return AskedModel(self._embedder.name, self._embedder.digest, self._prompt)

    def claims(self, item: ItemText) -> Answer:
        """One claim for each need. Raises what the embedder raises."""
        pieces = item.pieces()
        if not pieces:
            return Answer(())
        near = (
            _unit(self._embedder.embed([item.whole, *(piece.text for piece in pieces)]))
            @ self._needs.T
        ).clip(0, 1)
        cited = near[1:].argmax(axis=0)
        return Answer(
            tuple(
                Claim(ask.control, ask.evidence, float(near[0, at]), pieces[cited[at]].text)
                for at, ask in enumerate(self._asks)
            )
        )


class Together:
    """Several embedders as one, each with an equal say: their likenesses are averaged.

    Meaning finds what is told in other words, common words keep it from wandering off: together
    they are better than either (docs/suggest.md).
    """

    def __init__(self, *embedders: Embedder) -> None:
        self._embedders = embedders
        self.name = " + ".join(embedder.name for embedder in embedders)
        self.digest = digest([embedder.digest for embedder in embedders])

    def embed(self, texts: Sequence[str]) -> Any:
        """The vectors of all, each of equal length, end to end. Raises what an embedder raises."""
        return np.hstack([_unit(embedder.embed(texts)) for embedder in self._embedders])


def _unit(vectors: Sequence[Sequence[float]]) -> Any:
    """Rows of length one; a row of noughts stays: it is like nothing."""
    rows = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
