"""Work shared among processes: in order, bounded, and never without what a dead one had."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evidence.errors import LakeError
from storage.processes import cores, in_order

_PARENT = """
import os, sys, time
from storage.processes import in_order
from tests.storage.test_processes import slowly

if __name__ == "__main__":
    for number in in_order(slowly, range(100_000), 2):
        print(number, flush=True)
"""


def slowly(number: int) -> int:
    """Gives its own process id, after a while."""
    time.sleep(0.05)
    return os.getpid()


def _work(number: int) -> int:
    if number == 7:
        raise LakeError("at 7")
    if number == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def test_order_is_kept_and_little_is_taken_ahead() -> None:
    taken: list[int] = []

    def jobs() -> object:
        for number in range(7):
            taken.append(number)
            yield number

    made = in_order(_work, jobs(), 2)  # type: ignore[arg-type]
    assert next(made) == 0
    assert len(taken) <= 6
    assert list(made) == [1, 4, 9, 16, 25, 36]


def test_an_error_of_another_process_is_raised_here() -> None:
    with pytest.raises(LakeError, match="at 7"):
        list(in_order(_work, range(5, 9), 2))


def test_a_process_that_dies_is_an_error_and_no_gap() -> None:
    with pytest.raises(LakeError, match="one of 2 processes died at its work"):
        list(in_order(_work, [1, 2, 9, 3, 4], 2))


def test_who_stops_early_leaves_no_process_behind() -> None:
    made = in_order(slowly, range(100), 2)
    worker = next(made)
    made.close()  # type: ignore[attr-defined]
    _gone([worker])


def test_no_process_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    with _parent(tmp_path) as parent:
        workers = _workers(parent)
        parent.kill()
    _gone(workers)


def test_who_interrupts_is_told_by_the_parent_alone(tmp_path: Path) -> None:
    with _parent(tmp_path) as parent:
        workers = _workers(parent)
        os.killpg(parent.pid, signal.SIGINT)
        _, told = parent.communicate(timeout=60)
    _gone(workers)
    assert told.count("KeyboardInterrupt") == 1
    assert parent.returncode


def _parent(folder: Path) -> subprocess.Popen[str]:
    script = folder / "parent.py"
    script.write_text(_PARENT, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def _workers(parent: subprocess.Popen[str]) -> list[int]:
    """Both processes, once both are at work."""
    assert parent.stdout is not None
    found = set[int]()
    while len(found) < 2:
        found.add(int(parent.stdout.readline()))
    return sorted(found)


def _gone(workers: list[int]) -> None:
    until = time.monotonic() + 60
    while any(_alive(worker) for worker in workers):
        assert time.monotonic() < until, "a worker waits for a parent that is gone"
        time.sleep(0.05)


def _alive(process: int) -> bool:
    """A process that nobody has waited for yet is not alive."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_at_least_one_processor_may_be_used() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
