"""What is made once for each board, however many ask for it at the same moment."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Slot:
    """One answer, and of which board it is."""

    of: Hashable = None
    value: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class Once:
    """Answers by key, the `most` that were asked for last; each is made anew for another board."""

    most: int
    _slots: OrderedDict[Hashable, _Slot] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, board: Hashable, key: Hashable, make: Callable[[], T]) -> T:
        """The answer by this key for this board, which is not None. Raises what making it raised,
        and then keeps nothing."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self.most:
                self._slots.popitem(last=False)
        with slot.lock:
            if slot.of != board:
                slot.value = make()
                slot.of = board
            value: T = slot.value
            return value
