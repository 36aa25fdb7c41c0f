"""Ask a source in a thread of its own, so that one that hangs can be left behind."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from collectors.base import Listener, Step, listener
from evidence.errors import SourceOverdue

T = TypeVar("T")
_END = object()


@dataclass(slots=True)
class Patience:
    """How long one pull may wait for its source, in all; what is done in between is not counted."""

    limit: timedelta
    timer: Callable[[], float] = time.monotonic
    spent: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, ask: Callable[[], Iterable[T]], told: Listener) -> Iterator[T]:
        """What `ask` gives, each value made when it is asked for, in a thread of its own.

        `told` hears each step of it, in that thread. Raises what making them raises, and
        SourceOverdue when the time is over: the thread is left behind then, nobody takes what it
        makes, and its next step ends it.
        """
        maker = _Maker(ask, self._hearing(told))
        maker.start()
        try:
            while (value := self._next(maker)) is not _END:
                yield value  # type: ignore[misc]  # only the end is no T
        finally:
            maker.asked.put(False)

    def _next(self, maker: _Maker[T]) -> T | object:
        began = self.timer()
        maker.asked.put(True)
        try:
            made, error = maker.made.get(timeout=max(0.0, self.limit.total_seconds() - self.spent))
        except Empty:
            self._over.set()
            raise self._overdue() from None
        finally:
            self.spent += self.timer() - began
        if error is not None:
            raise error
        return made

    def _hearing(self, told: Listener) -> Listener:
        def hears(step: Step) -> None:
            if self._over.is_set():
                raise self._overdue()
            told(step)

        return hears

    def _overdue(self) -> SourceOverdue:
        return SourceOverdue(
            f"did not end within its time limit of {self.limit}: what it had brought landed, and "
            "the next run goes on from there. See whether it hangs; if it is only slow, give it a "
            "longer time_limit"
        )


class _Maker(threading.Thread, Generic[T]):
    """A daemon: a source that hangs for ever may not keep the process from ending."""

    def __init__(self, ask: Callable[[], Iterable[T]], told: Listener) -> None:
        super().__init__(name="headwater-source", daemon=True)
        self.asked: SimpleQueue[bool] = SimpleQueue()
        self.made: SimpleQueue[tuple[T | object, BaseException | None]] = SimpleQueue()
        self._ask, self._told = ask, told
        self._context = contextvars.copy_context()

    def run(self) -> None:
        self._context.run(self._make)

    def _make(self) -> None:
        listener.set(self._told)
        values: Iterator[T] | None = None
        try:
            while self.asked.get():
                values = iter(self._ask()) if values is None else values
                self.made.put((next(values, _END), None))
        except BaseException as error:  # noqa: BLE001  raised again by the thread that asked
            self.made.put((_END, error))
        finally:
            if isinstance(values, Generator):
                with suppress(Exception):
                    values.close()
