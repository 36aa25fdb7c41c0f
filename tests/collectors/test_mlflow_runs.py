"""Edits, deletions, odd clocks and hostile text: the runs collector on a real store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.mlflow_runs import MlflowRuns
from evidence.errors import ConfigError, SourceBroken, SourceRefused
from evidence.model import Change, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts
from evidence.secret import Secret
from tests.collectors.mlflow_stores import SYSTEMS, Store, ms


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def collector(store: Store, **more: object) -> MlflowRuns:
    return MlflowRuns("models", store.uri, systems=SYSTEMS, **more)  # type: ignore[arg-type]


def pull(
    reader: MlflowRuns, cursor: Cursor | None = None
) -> tuple[list[EvidenceItem], Cursor, PullFacts]:
    facts = PullFacts()
    items: list[EvidenceItem] = []
    for batch in reader.collect(cursor):
        facts, cursor = facts + batch.facts, batch.cursor
        items += batch.items
    assert cursor is not None
    return items, cursor, facts


def runs(items: list[EvidenceItem]) -> list[EvidenceItem]:
    return [item for item in items if item.kind == "mlflow.run"]


def payload(item: EvidenceItem) -> dict[str, object]:
    return dict(item.payload)


def test_a_run_says_what_it_was(store: Store) -> None:
    run_id = store.run(
        dataset="loans",
        context="evaluation",
        metrics={"auc": float("nan"), "tpr": 0.25},
        tags={"mlflow.source.git.commit": "f00", "mlflow.log-model.history": "[]"},
    )
    items, _, facts = pull(collector(store))
    run, dataset = items
    said = payload(run)
    assert (run.subject, run.system, run.actor) == (run_id, "credit-scoring", "mira.osei")
    assert run.observed_to - run.observed_from == timedelta(minutes=1)
    assert said["metrics"] == {"auc": "NaN", "tpr": 0.25}
    assert (said["run_type"], said["git_commit"]) == ("evaluation", "f00")
    assert "mlflow.log-model.history" not in run.content.decode()
    assert dataset.subject == f"{run_id}/loans@c0ffee"
    assert payload(dataset)["context"] == "evaluation"
    assert "0 runs had not ended" in facts.query


@pytest.mark.parametrize(
    ("tags", "context", "kind"),
    [
        ({"mlflow.runType": "genai_evaluate"}, "training", "evaluation"),
        ({"headwater.evaluation": "True"}, "training", "evaluation"),
        ({"headwater.evaluation": "false"}, "training", ""),
        ({}, "eval", "evaluation"),
        ({}, "", ""),
    ],
)
def test_what_an_evaluation_is(store: Store, tags: dict[str, str], context: str, kind: str) -> None:
    store.run(tags=tags, dataset="loans", context=context)
    items, _, _ = pull(collector(store))
    assert payload(runs(items)[0])["run_type"] == kind


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("FINISHED", Outcome.RECORDED),
        ("KILLED", Outcome.RECORDED),
        ("FAILED", Outcome.FAILED),
    ],
)
def test_only_a_failed_run_failed(store: Store, status: str, outcome: Outcome) -> None:
    store.run(status=status)
    items, _, _ = pull(collector(store))
    assert [item.outcome for item in items] == [outcome]


def test_the_tag_names_the_system_before_the_experiment(store: Store) -> None:
    store.run("credit", tags={"headwater.system": "churn-model"})
    store.run("credit", tags={"headwater.system": "churn-predictor"})
    store.run("credit", tags={"headwater.system": "no such system"})
    store.run("elsewhere")
    items, _, _ = pull(collector(store))
    assert sorted(item.system for item in items) == [
        "",
        "churn-predictor",
        "churn-predictor",
        "credit-scoring",
    ]


def test_an_edit_after_the_end_is_seen_and_makes_nothing_young(store: Store) -> None:
    run_id = store.run(ago=timedelta(days=2))
    store.run()
    first, cursor, _ = pull(collector(store))
    original = next(item for item in first if item.subject == run_id)
    store.client.set_tag(run_id, "verdict", "fair")
    edited, after, _ = pull(collector(store), cursor)
    assert [(i.subject, i.change) for i in edited] == [(run_id, Change.CHANGED)]
    assert edited[0].observed_to == original.observed_to
    assert payload(edited[0])["supersedes"] == original.content_sha256[:16]
    again, _, _ = pull(collector(store), cursor)
    assert [i.item_id for i in again] == [edited[0].item_id]
    assert pull(collector(store), after)[0] == []


def test_an_edit_there_and_back_and_there_is_three_facts(store: Store) -> None:
    run_id = store.run()
    _, cursor, _ = pull(collector(store))
    ids = []
    for verdict in ("fair", "unfair", "fair", "unfair"):
        store.client.set_tag(run_id, "verdict", verdict)
        items, cursor, _ = pull(collector(store), cursor)
        ids += [item.item_id for item in items]
    assert len(set(ids)) == 4


def test_a_metric_logged_after_the_end_is_an_edit(store: Store) -> None:
    run_id = store.run()
    _, cursor, _ = pull(collector(store))
    store.client.log_metric(run_id, "auc", 0.99, step=7)
    items, _, _ = pull(collector(store), cursor)
    assert [payload(item)["metrics"] for item in items] == [{"auc": 0.99}]


def test_deleted_and_restored(store: Store) -> None:
    run_id = store.run()
    _, cursor, _ = pull(collector(store))
    store.client.delete_run(run_id)
    gone, cursor, _ = pull(collector(store), cursor)
    assert [(i.change, payload(i)["lifecycle_stage"]) for i in gone] == [(Change.GONE, "deleted")]
    store.client.restore_run(run_id)
    back, _, _ = pull(collector(store), cursor)
    assert [i.change for i in back] == [Change.RESTORED]
    fresh, _, _ = pull(collector(store))
    assert [i.change for i in fresh] == [Change.NEW]


def test_a_run_first_seen_deleted_is_gone_from_the_start(store: Store) -> None:
    store.client.delete_run(store.run())
    items, _, _ = pull(collector(store))
    assert [item.change for item in items] == [Change.GONE]


def test_a_deleted_experiment_deletes_its_runs(store: Store) -> None:
    store.run("credit-old")
    _, cursor, _ = pull(collector(store))
    store.client.delete_experiment(store.experiment("credit-old"))
    items, _, _ = pull(collector(store), cursor)
    assert [item.change for item in items] == [Change.GONE]


def test_a_run_removed_for_ever_is_gone_once(store: Store) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    kept, removed = store.run(), store.run()
    _, cursor, _ = pull(collector(store))
    store.client.delete_run(removed)
    engine: Any = SqlAlchemyStore
    engine(store.uri, str(store.folder))._hard_delete_run(removed)
    items, cursor, _ = pull(collector(store), cursor)
    assert [(i.subject, i.change, i.system) for i in items] == [
        (removed, Change.GONE, "credit-scoring")
    ]
    assert pull(collector(store), cursor)[0] == []
    assert kept not in {item.subject for item in items}


def test_a_narrower_setting_is_no_loss(store: Store) -> None:
    store.run("credit")
    store.run("churn")
    _, cursor, _ = pull(collector(store))
    items, _, _ = pull(collector(store, experiments=("churn",)), cursor)
    assert items == []


def test_runs_still_open_are_counted_then_found_however_they_end(store: Store) -> None:
    old = ms(datetime.now(UTC) - timedelta(days=90))
    opened = [store.run(status="RUNNING", end=old), store.run(status="RUNNING", end=old)]
    store.run()
    items, cursor, facts = pull(collector(store))
    assert len(items) == 1
    assert "2 runs had not ended" in facts.query
    store.client.update_run(opened[0], status="FINISHED")  # a client that gives no end time
    store.client.set_terminated(opened[1], "KILLED", old)  # one that gives a time long past
    items, _, _ = pull(collector(store), cursor)
    assert {item.subject for item in items} == set(opened)


def test_a_run_that_ended_without_an_end_time_is_not_lost(store: Store) -> None:
    run_id = store.run(status="RUNNING")
    store.client.update_run(run_id, status="FAILED")
    items, cursor, _ = pull(collector(store))
    assert [(i.subject, payload(i)["end_time"]) for i in items] == [(run_id, None)]
    assert items[0].observed_from == items[0].observed_to
    assert pull(collector(store), cursor)[0] == []


@pytest.mark.parametrize("end", [-1, 0, 4_102_444_800_000, 2**53])
def test_a_client_with_a_mad_clock_loses_nothing_of_others(store: Store, end: int) -> None:
    mad = store.run(status="RUNNING", ago=timedelta(days=1))
    store.client.set_terminated(mad, "FINISHED", end)
    items, cursor, facts = pull(collector(store))
    assert [item.subject for item in items] == [mad]
    assert facts.gaps == ()
    sane = store.run()
    items, _, _ = pull(collector(store), cursor)
    assert [item.subject for item in items] == [sane]


def test_many_runs_of_one_millisecond_over_small_pages(store: Store) -> None:
    at = ms(datetime.now(UTC) - timedelta(days=1))
    made = {store.run(end=at + step) for step in (0, 1, 1, 1, 1, 1, 2, 2, 3)}
    for size in (1, 2, 3, 500):
        items, _, _ = pull(collector(store, page_size=size))
        assert sorted(i.subject for i in items) == sorted(made)
        assert [i.observed_to for i in items] == sorted(i.observed_to for i in items)


def test_a_run_that_ends_while_pages_are_read_is_found(store: Store) -> None:
    """The store is copied for one pull, so the late one comes with the next: none is skipped."""
    for hours in (5, 4, 3):
        store.run(ago=timedelta(hours=hours))
    reading: Iterator[object] = iter(collector(store, page_size=1).collect(None))
    next(reading)
    late = store.run(ago=timedelta(hours=4, minutes=30))
    batches = list(reading)
    cursor = batches[-1].cursor  # type: ignore[attr-defined]
    items, _, _ = pull(collector(store), cursor)
    assert [item.subject for item in items] == [late]


def test_the_source_is_not_written_and_nothing_is_left_behind(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store.run()
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    before = hashlib.sha256(store.path.read_bytes()).hexdigest()
    engines = set(SqlAlchemyStore._engine_map)
    pull(collector(store))
    assert hashlib.sha256(store.path.read_bytes()).hexdigest() == before
    assert list(aside.iterdir()) == []
    assert set(SqlAlchemyStore._engine_map) == engines


def test_a_store_that_is_none_is_refused_and_not_made(tmp_path: Path) -> None:
    text = tmp_path / "notes.db"
    text.write_text("not a database, but long enough to look like a file of some kind" * 20)
    empty = tmp_path / "empty.db"
    empty.touch()
    for path, why in ((tmp_path / "absent.db", "not there"), (text, "no SQLite"), (empty, "table")):
        with pytest.raises(SourceRefused, match=why):
            pull(MlflowRuns("models", f"sqlite:///{path}"))
    assert not (tmp_path / "absent.db").exists()
    assert empty.stat().st_size == 0


def test_an_experiment_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(SourceRefused, match="credit-rsik"):
        pull(collector(store, experiments=("credit-rsik",)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"tracking_uri": "mlruns"},
        {"tracking_uri": "file:///mlruns"},
        {"tracking_uri": "postgresql://db/mlflow"},
        {"tracking_uri": "sqlite:///x.db?mode=rw"},
        {"tracking_uri": "http://mira:hunter2@host"},
        {"page_size": 0},
        {"lookback": timedelta(days=-1)},
        {"sweep_every": timedelta(days=-1)},
        {"user": "mira"},
    ],
)
def test_settings_that_cannot_work_are_refused_at_birth(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as refused:
        MlflowRuns(**{"source": "m", "tracking_uri": "http://host", **wrong})  # type: ignore[arg-type]
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "cursor",
    [
        "{}",
        '{"form": "mlflow.runs/1", "until": "x", "seen": {}, "open": []}',
        '{"form": "mlflow.runs/1", "until": 1, "seen": {"a": [1]}, "open": []}',
        '{"form": "mlflow.runs/9", "until": 1, "seen": {}, "open": []}',
        "[]",
    ],
)
def test_a_bookmark_of_another_form_is_broken(store: Store, cursor: str) -> None:
    with pytest.raises(SourceBroken):
        pull(collector(store), Cursor(cursor))


def test_credentials_in_addresses_and_bulk_do_not_land(store: Store) -> None:
    store.run(
        tags={
            "mlflow.source.git.repoURL": "https://oauth2:ghp_secret@example.org/x.git",
            "mlflow.note.content": "=HYPERLINK(1) <script>\u202e\x1b[31m",
        }
    )
    items, _, _ = pull(collector(store, token=Secret("s3cret")))
    assert b"ghp_secret" not in items[0].content
    tags = payload(items[0])["tags"]
    assert tags["mlflow.note.content"].endswith("\u202e\x1b[31m")  # type: ignore[index]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(min_size=1, max_size=60), st.text(max_size=200), st.floats())
def test_hostile_text_is_kept_whole(store: Store, name: str, value: str, number: float) -> None:
    if "\0" in name + value:
        return
    run_id = store.run(name="x\r\n" + name, tags={"headwater.test": value}, metrics={"m": number})
    items, _, _ = pull(collector(store))
    item = next(i for i in items if i.subject == run_id)
    assert payload(item)["tags"]["headwater.test"] == value  # type: ignore[index]
    assert "\n" not in item.title


def test_the_history_of_a_metric_is_summed_up_on_request(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors._mlflow.history.PAGE", 2)
    run_id = store.run(status="RUNNING", metrics={"loss": 0.5})
    values = {1: 0.25, 2: float("nan"), 3: 0.0, 4: 0.125}
    for step, value in values.items():
        store.client.log_metric(run_id, "loss", value, step=step)
    store.client.set_terminated(run_id)
    (plain,), _, _ = pull(collector(store))
    assert "metric_history" not in plain.payload
    (told,), cursor, facts = pull(collector(store, metric_history=True))
    assert told.payload["metric_history"] == {
        "loss": {
            "count": 5, "not_finite": 1, "least": 0, "greatest": 0.5,
            "first": {"step": 0, "value": 0.5}, "last": {"step": 4, "value": 0.125},
        }
    }  # fmt: skip
    assert facts.pages >= 3
    assert pull(collector(store, metric_history=True), cursor)[0] == [], "it is no edit"
