"""What a model has to offer, and what it claims before anybody checked it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from evidence.suggestion import AskedModel
from mappings.suggest.texts import ItemText


@dataclass(frozen=True, slots=True)
class Claim:
    """A model's word that an item speaks to a control: none of it is known to be true.

    `said` are the words of the item that it relies on.
    """

    control: str
    evidence: str
    score: float
    said: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said of one item: its claims, and why the rest could not even be read."""

    claims: tuple[Claim, ...]
    unread: tuple[str, ...] = ()


class Model(Protocol):
    """Anything that proposes controls for an item."""

    @property
    def asked(self) -> AskedModel:
        """Which model it is, and the digest of what it is given with each item."""
        ...

    def claims(self, item: ItemText) -> Answer:
        """What it says of one item, in any order. Raises HeadwaterError if it cannot be asked."""
        ...


class Embedder(Protocol):
    """Anything that turns texts into vectors of one length, alike texts into near ones."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of its weights, or of what is known of them."""
        ...

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector for each text. Raises HeadwaterError."""
        ...
