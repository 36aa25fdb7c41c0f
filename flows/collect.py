"""The flow that pulls: each source a task of its own, and what landed is tagged and sealed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.tasks import exponential_backoff

from collectors.base import Window
from evidence.errors import HeadwaterError, LakeBusy, LakeConflict, SourceBusy, SourceOverdue
from flows.backfill import window_of
from flows.config import FILE, load, now
from flows.due import done_since, last_pulls, late_since
from flows.follow import follow
from flows.overtime import ending_within
from flows.progress import Lines, Progress
from flows.pull import Attempt, attempt
from flows.report import described, is_whole, pull_rows
from flows.terminal import printable
from flows.tidings import tell_pulls
from flows.turns import Turns
from storage.lake import Lake

_ATTEMPTS: WeakKeyDictionary[BaseException, Attempt] = WeakKeyDictionary()
"""What became of a pull whose error was raised: Prefect gives back the error and nothing else."""


def _patience_helps(task: Any, task_run: Any, state: State[Any]) -> bool:  # noqa: ARG001
    """Only what may heal by waiting is tried again: a busy source or store, another landing."""
    try:
        state.result()
    except SourceOverdue:
        return False
    except (SourceBusy, LakeBusy, LakeConflict):
        return True
    except Exception:  # noqa: BLE001  whatever else it is, waiting does not mend it
        return False
    return False


@task(
    task_run_name="pull {name}",
    retry_jitter_factor=0.5,
    retry_condition_fn=_patience_helps,
    persist_result=False,
)
def pull(config: str, name: str, window: Window | None = None) -> Attempt:
    """One source, or a window of its past.

    A source that did not answer raises its own error, after its record landed.
    """
    settings = load(Path(config))
    source = next(source for source in settings.sources if source.name == name)
    lake = Lake.open(settings.lake, clock=now, redactor=settings.redactor())
    logger = get_run_logger()
    watch = Lines(lambda line: logger.info("%s", printable(line)))
    with Turns.of(settings).turn(source.hosts, Progress(name, now, watch).queues):
        done = attempt(lake, source, now, window, watch)
    for gap in done.pull.facts.gaps:
        logger.warning("%s: not examined: %s: %s", name, *map(printable, (gap.what, gap.why)))
    if done.error is not None:
        _ATTEMPTS[done.error] = done
        raise done.error
    return done


@flow(name="collect", validate_parameters=True)
def collect(
    config: str = FILE, sources: Sequence[str] = (), since: str = "", until: str = ""
) -> State[Any]:
    """Pull the named sources (all, if none is named), then tag and seal what landed.

    With `since` and `until` (dates, or times with a zone) it is a backfill of that past window.

    One dead source does not stop the others, and the flow's state says which one died.
    """
    settings = load(Path(config))
    window = window_of(since, until, now())
    wanted = [source for source in settings.sources if not sources or source.name in sources]
    names = [source.name for source in wanted]
    unknown = sorted(set(sources) - {source.name for source in settings.sources})
    if unknown:
        return Failed(message=f"no source is named {', '.join(unknown)} in {settings.file}")
    lake = Lake.open(settings.lake, clock=now, redactor=settings.redactor())
    due = late_since(now()) if window is None else None
    if due and (overtaken := done_since(due, last_pulls(lake, names))):
        return overtaken
    patient = pull.with_options(
        retries=settings.patience,
        retry_delay_seconds=exponential_backoff(settings.wait.total_seconds()),
    )
    left = set(names)
    with ending_within(settings.run_limit, lambda: _hanging(left)):
        futures = [
            patient.with_options(tags=map(turn_tag, source.hosts)).submit(
                str(settings.file), source.name, window
            )
            for source in wanted
        ]
        for name, future in zip(names, futures, strict=True):
            future.add_done_callback(partial(_ends, left, name))
        ended = dict(_ended(names, futures))
        tell_pulls(ended)
        followed = follow(lake, settings)
    rows = pull_rows(ended)
    create_table_artifact(rows, key="headwater-collected", description=described(followed.sentence))
    return _verdict(ended, rows)


def _ends(left: set[str], name: str, _: object) -> None:
    left.discard(name)


def _hanging(left: set[str]) -> str:
    """What a run that takes too long is waiting for; what landed before has landed."""
    if not left:
        return "tagging, sealing"
    return (
        f"{', '.join(sorted(left))}. What had landed is kept, and the next run goes on from there"
    )


def turn_tag(host: str) -> str:
    """The tag of pulls that ask this host: the server may limit how many run at once."""
    return f"headwater:{host.lower()}"


def _ended(
    names: Sequence[str], futures: Sequence[Any]
) -> Iterator[tuple[str, Attempt | BaseException]]:
    """Each source with its end; of several, Prefect shows how many have ended."""
    bar = create_progress_artifact(0.0, key="headwater-collecting") if len(names) > 1 else None
    for number, (name, future) in enumerate(zip(names, futures, strict=True), 1):
        yield name, _result(future)
        if isinstance(bar, UUID):
            update_progress_artifact(bar, 100 * number / len(names))


def _result(future: Any) -> Attempt | BaseException:
    future.wait()
    outcome: Attempt | BaseException = future.state.result(raise_on_failure=False)
    return outcome if isinstance(outcome, Attempt) else _ATTEMPTS.get(outcome, outcome)


def _verdict(ended: dict[str, Attempt | BaseException], rows: list[dict[str, Any]]) -> State[Any]:
    """Completed when every pull was; otherwise failed, with each source's own sentence.

    The rows are its result either way.
    """
    bad = {name: _why(end) for name, end in ended.items() if not is_whole(end)}
    if not bad:
        return Completed(message=f"{len(ended)} of {len(ended)} sources complete", data=rows)
    told = "; ".join(f"{name}: {why}" for name, why in bad.items())
    return Failed(message=f"{len(bad)} of {len(ended)} sources not complete: {told}", data=rows)


def _why(end: Attempt | BaseException) -> str:
    if isinstance(end, Attempt):
        return f"{end.error or end.pull.outcome}"
    return str(end) if isinstance(end, HeadwaterError) else f"{type(end).__name__}: {end}"
