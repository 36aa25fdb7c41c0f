"""Edits, losses and late arrivals older than the lookback: what a sweep of all runs finds."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors._mlflow.memory import Archive
from collectors.mlflow_runs import MlflowRuns
from evidence.errors import SourceBroken
from evidence.model import Batch, Change, Cursor, EvidenceItem, Outcome
from tests.collectors.mlflow_stores import SYSTEMS, Store

OLD = timedelta(days=60)


class Watched:
    """A store, pulled and swept as the flow does it, at a clock that can be moved on."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.cursor: Cursor | None = None
        self.archive: Cursor | None = None
        self.later = timedelta(0)
        self.landed: set[str] = set()

    def reader(self, **more: Any) -> MlflowRuns:
        clock = lambda: datetime.now(UTC) + self.later  # noqa: E731
        return MlflowRuns("models", self.store.uri, systems=SYSTEMS, clock=clock, **more)

    def pull(self, **more: Any) -> list[EvidenceItem]:
        batches = list(self.reader(**more).collect(self.cursor))
        self.cursor = batches[-1].cursor
        items = [item for batch in batches for item in batch.items]
        self.landed |= {item.item_id for item in items}
        return items

    def sweep(self, **more: Any) -> list[Batch]:
        assert self.cursor is not None
        batches = list(self.reader(**more).sweep(self.archive, self.cursor))
        self.archive = batches[-1].cursor if batches else self.archive
        return batches

    def settle(self) -> None:
        """Pull and sweep, then let the next sweep fall due."""
        self.pull()
        found = {item.item_id for batch in self.sweep() for item in batch.items}
        assert found <= self.landed, "landing knows them all"
        self.later += timedelta(days=3)

    def found(self) -> list[EvidenceItem]:
        assert self.pull() == []
        return [item for batch in self.sweep() for item in batch.items]


@pytest.fixture
def world(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_an_edit_of_an_old_run_is_found_and_makes_nothing_young(world: Watched) -> None:
    run_id = world.store.run(ago=OLD)
    world.store.run()
    (original,) = [i for i in world.pull() if i.subject == run_id]
    world.settle()
    world.store.client.set_tag(run_id, "verdict", "fair")
    (edited,) = world.found()
    assert (edited.subject, edited.change, edited.outcome) == (
        run_id, Change.CHANGED, Outcome.RECORDED,
    )  # fmt: skip
    assert edited.observed_to == original.observed_to
    assert edited.payload["supersedes"] == original.content_sha256[:16]


def test_a_sweep_counts_what_it_compared_and_waits_for_the_next(world: Watched) -> None:
    for days in (60, 30, 1):
        world.store.run(ago=timedelta(days=days))
    world.settle()
    *_, last = world.sweep()
    (total,) = last.facts.totals
    assert (total.promised, total.received) == (3, 3)
    assert world.sweep() == []


def test_an_old_run_deleted_or_removed_for_ever_is_gone_once(world: Watched) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    deleted, removed = world.store.run(ago=OLD), world.store.run(ago=OLD)
    world.store.run()
    world.settle()
    for run_id in (deleted, removed):
        world.store.client.delete_run(run_id)
    engine: Any = SqlAlchemyStore
    engine(world.store.uri, str(world.store.folder))._hard_delete_run(removed)
    gone = world.found()
    assert {(i.subject, i.change) for i in gone} == {
        (deleted, Change.GONE), (removed, Change.GONE),
    }  # fmt: skip
    assert {i.system for i in gone} == {"credit-scoring"}
    world.later += timedelta(days=3)
    assert world.found() == []
    world.store.client.restore_run(deleted)
    world.later += timedelta(days=3)
    assert [(i.subject, i.change) for i in world.found()] == [(deleted, Change.RESTORED)]


def test_a_run_that_arrives_with_an_end_long_past_is_found(world: Watched) -> None:
    world.store.run()
    world.settle()
    late = world.store.run(ago=OLD)
    assert [(i.subject, i.change) for i in world.found()] == [(late, Change.NEW)]


def test_what_a_pull_saw_of_a_young_run_is_known_to_the_sweep_when_it_is_old(
    world: Watched,
) -> None:
    run_id = world.store.run(ago=timedelta(days=6))
    world.settle()
    world.store.client.set_tag(run_id, "verdict", "fair")
    (edited,) = world.pull()
    world.settle()
    world.store.run(ago=-timedelta(days=5))
    world.later += timedelta(days=3)
    world.pull()
    world.store.client.set_tag(run_id, "verdict", "unfair")
    (again,) = world.found()
    assert again.payload["supersedes"] == edited.content_sha256[:16]


def test_a_sweep_that_is_cut_is_done_again_from_where_it_began(world: Watched) -> None:
    for days in (60, 30, 1):
        world.store.run(ago=timedelta(days=days))
    world.settle()
    batches = world.sweep(page_size=1)
    assert len(batches) > 3
    assert len({batch.cursor for batch in batches[:-1]}) == 1
    assert not Archive.read(batches[0].cursor).due(datetime.now(UTC), timedelta(days=3))


def test_a_shorter_lookback_sweeps_more_often_so_that_no_edit_falls_between(
    world: Watched,
) -> None:
    world.store.run(ago=OLD)
    world.pull()
    assert world.sweep()
    world.later += timedelta(days=1)
    assert world.sweep() == []
    assert world.sweep(lookback=timedelta(days=1))


@pytest.mark.parametrize(
    "cursor", ["no bookmark", "{}", '{"form": "mlflow.runs.archive/1", "swept": 1, "seen": "AA=="}']
)
def test_a_bookmark_that_is_none_is_broken(world: Watched, cursor: str) -> None:
    world.pull()
    world.archive = Cursor(cursor)
    with pytest.raises(SourceBroken):
        world.sweep()


def test_altered_results_fail_until_they_are_answered_for(world: Watched) -> None:
    run_id = world.store.run(ago=OLD)
    world.store.run()
    world.settle()
    client = world.store.client
    client.log_metric(run_id, "auc", 0.99, step=7)
    (altered,) = world.found()
    assert (altered.change, altered.outcome) == (Change.CHANGED, Outcome.FAILED)
    assert altered.observed_to < datetime.now(UTC) - timedelta(days=59)
    tag = str(altered.payload["results_altered"])
    assert tag in altered.title
    for name, outcome in (("unrelated", Outcome.FAILED), (tag, Outcome.RECORDED)):
        client.set_tag(run_id, name, "li.wen: recomputed on the corrected labels")
        world.later += timedelta(days=3)
        (told,) = world.found()
        assert (told.payload["results_altered"], told.outcome) == (tag, outcome)


def test_an_answer_holds_for_one_alteration_only(world: Watched) -> None:
    run_id = world.store.run()
    world.pull()
    client = world.store.client
    client.log_metric(run_id, "auc", 0.9, step=1)
    (told,) = world.pull()
    client.set_tag(run_id, str(told.payload["results_altered"]), "li.wen: typo")
    assert [item.outcome for item in world.pull()] == [Outcome.RECORDED]
    client.log_metric(run_id, "auc", 0.95, step=2)
    assert [item.outcome for item in world.pull()] == [Outcome.FAILED]


def test_a_run_that_was_resumed_has_results_of_its_own(world: Watched) -> None:
    run_id = world.store.run(ago=timedelta(hours=2))
    world.pull()
    client = world.store.client
    client.update_run(run_id, "RUNNING")
    client.log_metric(run_id, "auc", 0.7)
    client.set_terminated(run_id, "FINISHED")
    (resumed,) = world.pull()
    assert (resumed.change, resumed.outcome) == (Change.CHANGED, Outcome.RECORDED)
    client.log_metric(run_id, "auc", 0.8, step=2)
    (altered,) = world.pull()
    assert altered.outcome is Outcome.FAILED


FILES = {"artifacts": ("model/*", "*.html")}


def _with_files(world: Watched) -> tuple[str, Path]:
    run_id = world.store.run(ago=OLD)
    for path, text in (("model/deep/weights.bin", "w"), ("model/MLmodel", "m"), ("notes.txt", "n")):
        world.store.client.log_text(run_id, text, path)
    world.store.run()
    return run_id, world.store.folder / "artifacts" / run_id / "artifacts"


def _swept(world: Watched) -> list[EvidenceItem]:
    world.later += timedelta(days=3)
    assert world.pull(**FILES) == []
    return [item for batch in world.sweep(**FILES) for item in batch.items]


def test_files_are_told_by_digest_and_overwritten_ones_fail(world: Watched) -> None:
    run_id, folder = _with_files(world)
    (first,) = [i for i in world.pull(**FILES) if i.subject == run_id]
    told = {str(one["path"]): one["sha256"] for one in first.payload["artifacts"]}
    assert told == {
        "model/MLmodel": hashlib.sha256(b"m").hexdigest(),
        "model/deep/weights.bin": hashlib.sha256(b"w").hexdigest(),
    }
    assert {i.item_id for b in world.sweep(**FILES) for i in b.items} <= world.landed
    (folder / "notes.txt").write_text("nobody asked for these")
    assert _swept(world) == []
    (folder / "model/deep/weights.bin").write_text("W")
    (altered,) = _swept(world)
    assert (altered.subject, altered.change, altered.outcome) == (
        run_id, Change.CHANGED, Outcome.FAILED,
    )  # fmt: skip
    assert _swept(world) == [], "told once"
    tag = str(altered.payload["results_altered"])
    world.store.client.set_tag(run_id, tag, "li.wen: retrained on the corrected file")
    assert [i.outcome for i in _swept(world)] == [Outcome.RECORDED]
    (folder / "model/MLmodel").unlink()
    assert [i.outcome for i in _swept(world)] == [Outcome.FAILED]


def test_files_that_cannot_be_read_are_a_gap_and_the_run_lands_all_the_same(
    world: Watched,
) -> None:
    run_id, folder = _with_files(world)
    outside = world.store.folder / "outside"
    outside.mkdir()
    (folder / "model").rename(outside / "model")
    (folder / "model").symlink_to(outside / "model")
    landed = next(i for i in world.pull(**FILES) if i.subject == run_id)
    assert list(landed.payload["artifacts"]) == [], "a link is not followed"
    with sqlite3.connect(world.store.path) as store:
        store.execute("UPDATE runs SET artifact_uri = 's3://bucket/far'")
    world.cursor = None
    batches = list(world.reader(**FILES).collect(None))
    assert {i.subject for b in batches for i in b.items} >= {run_id}
    gaps = [gap for batch in batches for gap in batch.facts.gaps]
    assert all("s3://bucket/far" in gap.why for gap in gaps)
    assert len(gaps) == 2
