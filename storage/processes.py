"""Work shared among processes: what they make comes in order, and never much of it waits."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from evidence.errors import LakeError

Job = TypeVar("Job")
Made = TypeVar("Made")
_WAITING = 2


def cores() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no such call
        return os.cpu_count() or 1


def in_order(work: Callable[[Job], Made], jobs: Iterable[Job], processes: int) -> Iterator[Made]:
    """`map(work, jobs)` by so many processes; at most two results a process wait to be taken.

    `work` and all that goes to and fro must be picklable. What `work` raises is raised here.
    Raises LakeError if a process dies: nothing that it had may be left out unseen.
    """
    left, waiting = iter(jobs), deque[Future[Made]]()
    # A fork of a process with threads may stand still for ever, so each is begun anew.
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), initializer=_follow_parent
    )
    try:
        for job in islice(left, _WAITING * processes):
            waiting.append(pool.submit(work, job))
        while waiting:
            made = waiting.popleft().result()
            for job in islice(left, 1):
                waiting.append(pool.submit(work, job))
            yield made
    except BrokenProcessPool as error:
        raise LakeError(
            f"one of {processes} processes died at its work ({error}); it may have lacked memory: "
            "try again with fewer (`headwater verify --processes 1`)"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """Who interrupts means the parent, which ends its processes; one that was killed cannot."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Who waits for work of a parent that is gone would wait for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
