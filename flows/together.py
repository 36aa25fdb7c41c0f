"""Sources of one configuration, pulled side by side in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def together(names: Sequence[str], work: Callable[[str], T]) -> Mapping[str, T | BaseException]:
    """What `work` gives for each name, or the error it raised, in the order of the names.

    Each runs in a thread of its own, which does not outlive the process: whoever stops it waits for
    no source.
    """
    ended: dict[str, T | BaseException] = {}

    def one(name: str) -> None:
        try:
            ended[name] = work(name)
        except BaseException as error:  # noqa: BLE001  told beside the others, whatever it is
            ended[name] = error

    threads = [threading.Thread(target=one, args=(n,), name=n, daemon=True) for n in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {name: ended[name] for name in names}
