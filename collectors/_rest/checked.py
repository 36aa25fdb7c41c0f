"""Tables of the configuration that tell all their mistakes at once, and how those are worded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from evidence.errors import ConfigError


class Checked(ABC):
    """A table that tells all its mistakes when it is made."""

    def __post_init__(self) -> None:
        if mistakes := tuple(self._mistakes()):
            raise ConfigError(*mistakes)

    @abstractmethod
    def _mistakes(self) -> Iterator[str]:
        """What is wrong with it, a sentence each."""


def one_of(key: str, value: str, known: tuple[str, ...]) -> Iterator[str]:
    """A mistake unless the value is one of those that are known."""
    if value not in known:
        yield f"{key} is {value!r}; known: {', '.join(known)}"


def readable(key: str, value: Any, read: Callable[[Any], Any]) -> Iterator[str]:
    """What `read` has against the value (as ValueError), if anything."""
    try:
        read(value)
    except ValueError as error:
        yield f"{key}: {error}"


def below(key: str, where: str) -> Iterator[str]:
    """A mistake unless it is a path below the source's address."""
    if not where.startswith("/") or where.startswith("//") or "#" in where:
        yield f"{key} is {where!r}; it begins with / and lies below url"
