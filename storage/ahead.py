"""Work ahead: a thread prepares what comes next while this one deals with what came before."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")
_END = object()
_WAIT = 0.1


def ahead(values: Iterable[T], *, depth: int = 2) -> Generator[T, None, None]:
    """The same values in the same order, made up to `depth` before they are asked for.

    What making them raises is raised here, where it would have been. Whoever stops early stops the
    thread as well.
    """
    maker = _Maker(values, depth)
    maker.start()
    try:
        while (value := maker.made.get()) is not _END:
            yield value  # type: ignore[misc]  # only the end is no T
        if maker.error is not None:
            raise maker.error
    finally:
        maker.stop.set()
        maker.join()


class _Maker(threading.Thread, Generic[T]):
    def __init__(self, values: Iterable[T], depth: int) -> None:
        super().__init__(name="headwater-ahead", daemon=True)
        self.made: Queue[T | object] = Queue(depth)
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._values = values

    def run(self) -> None:
        try:
            for value in self._values:
                self._put(value)
                if self.stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  raised again by the thread that asked
            self.error = error
        self._put(_END)

    def _put(self, value: T | object) -> None:
        while not self.stop.is_set():
            try:
                self.made.put(value, timeout=_WAIT)
            except Full:
                continue
            return
