"""How a run's metrics came to their last values: a summary of each one's history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collectors._mlflow import store
from collectors._mlflow.run import Run
from collectors._mlflow.store import Absent, Door, whole
from evidence.errors import SourceBroken

PAGE = 5000


def metric_histories(door: Door, run: Run, heard: list[str]) -> dict[str, object]:
    """`{"metric_history": {metric: summary}}` of a run, a page in memory at a time.

    A run that is removed meanwhile has none. Raises as the door does.
    """
    try:
        return {"metric_history": {key: _summary(door, run, key, heard) for key in run.metrics}}
    except Absent:
        return {}


def _summary(door: Door, run: Run, key: str, heard: list[str]) -> dict[str, Any]:
    """How many values, the first and last by step, the least and greatest, and how many are none.

    Values that are no finite number (MLflow writes them as text) are only counted.
    """
    count = odd = 0
    first: tuple[int, float] | None = None
    last: tuple[int, float] | None = None
    least: float | None = None
    greatest: float | None = None
    for step, value in _values(door, run, key, heard):
        count += 1
        if value is None:
            odd += 1
            continue
        first = (step, value) if first is None or step < first[0] else first
        last = (step, value) if last is None or step >= last[0] else last
        least = value if least is None else min(least, value)
        greatest = value if greatest is None else max(greatest, value)
    said: dict[str, Any] = {"count": count, "not_finite": odd, "least": least, "greatest": greatest}
    for name, found in (("first", first), ("last", last)):
        said[name] = {"step": found[0], "value": found[1]} if found else None
    return said


def _values(door: Door, run: Run, key: str, heard: list[str]) -> Iterator[tuple[int, float | None]]:
    what, after, used = f"run {run.run_id}: metric {key}", "", set[str]()
    while True:
        body: dict[str, Any] = {"run_id": run.run_id, "metric_key": key, "max_results": PAGE}
        answer = door.ask(
            "metrics/get-history", {**body, **({"page_token": after} if after else {})}
        )
        heard.append(answer.sha256)
        for record in store.rows(answer, "metrics"):
            yield whole(record.get("step"), what) or 0, _finite(record, what)
        after = store.token(answer)
        if not after:
            return
        if after in used:
            raise SourceBroken(f"{what}: a page token repeats", what=key)
        used.add(after)


def _finite(record: Mapping[str, Any], what: str) -> float | None:
    value = record.get("value", 0.0)  # protocol buffers leave a zero out
    if value in {"NaN", "Infinity", "-Infinity"}:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SourceBroken(f"{what}: {value!r} is no number", what=what)
    return float(value) if -1e300 < value < 1e300 else None
