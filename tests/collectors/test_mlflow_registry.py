"""Moved aliases, missing approvals, deletions: the registry collector on a real store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors._mlflow import file
from collectors._mlflow.store import Answer
from collectors.mlflow_registry import MlflowRegistry
from evidence.errors import ConfigError, SourceBusy
from evidence.model import Batch, Change, Cursor, EvidenceItem, Outcome
from tests.collectors.mlflow_stores import SYSTEMS, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def pull(store: Store, cursor: Cursor | None = None, **more: Any) -> Batch:
    reader = MlflowRegistry("registry", store.uri, systems=SYSTEMS, **more)
    (batch,) = reader.collect(cursor)
    return batch


def of(batch: Batch, kind: str) -> list[EvidenceItem]:
    return [item for item in batch.items if item.kind == f"mlflow.{kind}"]


def champion(store: Store, number: str = "1") -> None:
    store.client.set_registered_model_alias("credit-risk", "champion", number)


def test_a_version_runs_from_its_runs_start_to_its_creation(store: Store) -> None:
    run_id = store.run(ago=timedelta(hours=2))
    store.version("credit-risk", run_id, change_ticket="CHG-12")
    champion(store)
    batch = pull(store)
    (version,) = of(batch, "model_version")
    started = store.client.get_run(run_id).info.start_time
    made = store.client.get_model_version("credit-risk", "1").creation_timestamp
    span = version.observed_to - version.observed_from
    assert span == timedelta(milliseconds=made - started)
    assert (version.subject, version.system) == ("credit-risk/1", "credit-scoring")
    assert version.payload["aliases"] == ["champion"]
    assert version.payload["tags"] == {"change_ticket": "CHG-12"}
    assert (batch.facts.promised, batch.facts.received) == (2, 2)


def test_a_version_without_a_readable_run_starts_when_it_was_made(store: Store) -> None:
    store.version("credit-risk")
    store.version("credit-risk", "0" * 32)
    assert {i.observed_to - i.observed_from for i in of(pull(store), "model_version")} == {
        timedelta(0)
    }


@pytest.mark.parametrize(
    ("tags", "user", "outcome", "why"),
    [
        ({"approved_by": "jonas.frey"}, "mira.osei", Outcome.PASSED, "approved by jonas.frey"),
        ({}, "mira.osei", Outcome.FAILED, "nobody approved it"),
        ({"approved_by": "  "}, "mira.osei", Outcome.FAILED, "nobody approved it"),
        ({"approved_by": "Mira.Osei "}, "mira.osei", Outcome.FAILED, "its own creator"),
        ({"approved_by": "jonas.frey"}, "unknown", Outcome.RECORDED, "creator is not known"),
    ],
)
def test_four_eyes_on_a_production_alias(
    store: Store, tags: dict[str, str], user: str, outcome: Outcome, why: str
) -> None:
    run = store.client.create_run(store.experiment("credit")) if user == "unknown" else None
    run_id = run.info.run_id if run else store.run(user=user)
    store.version("credit-risk", run_id, **tags)
    champion(store)
    (approval,) = of(pull(store), "approval")
    assert (approval.outcome, approval.subject) == (outcome, "credit-risk@champion")
    assert why in approval.title
    assert of(pull(store, production_aliases=("live",)), "approval") == []


def test_an_alias_that_moves_is_a_change_of_alias_and_of_both_versions(store: Store) -> None:
    for _ in range(2):
        store.version("credit-risk", store.run(), approved_by="jonas.frey")
    champion(store)
    before = pull(store)
    champion(store, "2")
    after = pull(store, before.cursor)
    assert {(i.kind, i.subject, i.change) for i in after.items} == {
        ("mlflow.model_alias", "credit-risk@champion", Change.CHANGED),
        ("mlflow.approval", "credit-risk@champion", Change.CHANGED),
        ("mlflow.model_version", "credit-risk/1", Change.CHANGED),
        ("mlflow.model_version", "credit-risk/2", Change.CHANGED),
    }
    assert pull(store, after.cursor).items == ()


def test_an_approval_withdrawn_fails_though_no_time_moved(store: Store) -> None:
    store.version("credit-risk", store.run(), approved_by="jonas.frey")
    champion(store)
    before = pull(store)
    store.client.delete_model_version_tag("credit-risk", "1", "approved_by")
    (approval,) = of(pull(store, before.cursor), "approval")
    assert (approval.change, approval.outcome) == (Change.CHANGED, Outcome.FAILED)


def test_an_approval_is_no_deployment(store: Store) -> None:
    """Found by an audit of the rules: an approval given late made everything observed stale."""
    store.version("credit-risk", store.run())
    champion(store)
    before = pull(store)
    store.client.set_model_version_tag("credit-risk", "1", "approved_by", "jonas.frey")
    after = pull(store, before.cursor)
    (approval,) = of(after, "approval")
    assert (approval.outcome, approval.actor) == (Outcome.PASSED, "jonas.frey")
    assert of(after, "model_alias") == []
    store.version("credit-risk", store.run())
    champion(store, "2")
    (moved,) = of(pull(store, after.cursor), "model_alias")
    assert (moved.change, moved.payload["production"]) == (Change.CHANGED, True)


def test_what_is_deleted_is_gone_and_what_returns_is_restored(store: Store) -> None:
    for _ in range(2):
        store.version("credit-risk", store.run(), approved_by="jonas.frey")
    champion(store)
    before = pull(store)
    store.client.delete_model_version("credit-risk", "1")
    after = pull(store, before.cursor)
    assert {(i.subject, i.change) for i in after.items} == {
        ("credit-risk/1", Change.GONE),
        ("credit-risk@champion", Change.GONE),
    }
    champion(store, "2")
    back = pull(store, after.cursor)
    assert of(back, "model_alias")[0].change is Change.RESTORED


def prompt(store: Store, text: str, name: str = "credit-greeting") -> str:
    """A version of a prompt, made if need be; its number."""
    if name not in {found.name for found in store.client.search_prompts()}:
        store.client.create_prompt(name)
    return str(store.client.create_prompt_version(name, text, "as agreed").version)


def test_a_prompt_is_told_by_the_digest_of_its_text(store: Store) -> None:
    store.version("credit-risk")
    prompt(store, "You are a lender called Amal. {{question}}")
    store.client.set_prompt_alias("credit-greeting", "champion", 1)
    before = pull(store)
    assert {item.kind for item in before.items} >= {
        "mlflow.prompt", "mlflow.prompt_version", "mlflow.prompt_alias", "mlflow.approval",
    }  # fmt: skip
    assert {item.subject for item in of(before, "model_version")} == {"credit-risk/1"}
    assert not any(b"Amal" in item.content for item in before.items)
    (version,) = of(before, "prompt_version")
    assert version.system == "credit-scoring"
    told = hashlib.sha256(b"You are a lender called Amal. {{question}}").hexdigest()
    assert told in version.payload["tags"]["mlflow.prompt.text"]
    assert "1 of them prompts" in before.facts.query
    prompt(store, "You are a lender. {{question}}")
    store.client.set_prompt_alias("credit-greeting", "champion", 2)
    after = pull(store, before.cursor)
    (alias,) = of(after, "prompt_alias")
    assert (alias.change, alias.payload["version"]) == (Change.CHANGED, "2")
    assert pull(store, after.cursor).items == ()


def test_a_version_in_use_fails_when_its_run_was_deleted(store: Store) -> None:
    run_id = store.run()
    for _ in range(2):
        store.version("credit-risk", run_id)
    champion(store)
    before = pull(store)
    store.client.delete_run(run_id)
    after = pull(store, before.cursor)
    told = {i.subject: (i.change, i.outcome) for i in of(after, "model_version")}
    assert told == {
        "credit-risk/1": (Change.CHANGED, Outcome.FAILED),
        "credit-risk/2": (Change.CHANGED, Outcome.RECORDED),
    }
    assert "is deleted" in of(after, "model_version")[0].title
    store.client.restore_run(run_id)
    back = of(pull(store, after.cursor), "model_version")
    assert {item.outcome for item in back} == {Outcome.RECORDED}


@pytest.mark.parametrize(
    ("elsewhere", "outcome"), [(False, Outcome.FAILED), (True, Outcome.RECORDED)]
)
def test_a_run_that_is_not_there_is_excused_by_a_setting_only(
    store: Store, elsewhere: bool, outcome: Outcome
) -> None:
    store.version("credit-risk", "0" * 32)
    store.version("credit-risk", "x') OR ('1")
    champion(store)
    states = of(pull(store, runs_elsewhere=elsewhere), "model_version")
    assert {i.payload["run_state"] for i in states} == {"absent"}
    assert [i.outcome for i in states if i.payload["aliases"]] == [outcome]


def test_the_logged_model_behind_a_version_is_told_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    run_id = store.run()
    made = store.client.create_logged_model(
        store.experiment("credit-risk"), name="scorer", source_run_id=run_id, params={"depth": "3"}
    )
    for step, value in enumerate((0.5, 0.75)):
        store.client.log_metric(
            run_id, "auc", value, step=step, model_id=made.model_id,
            dataset_name="loans", dataset_digest="c0ffee",
        )  # fmt: skip
    store.client.create_registered_model("credit-risk")
    for _ in range(2):
        store.client.create_model_version("credit-risk", f"models:/{made.model_id}", run_id=run_id)
    before = pull(store)
    (logged,) = of(before, "logged_model")
    assert (logged.subject, logged.system) == (made.model_id, "credit-scoring")
    assert logged.payload["registered_as"] == ["credit-risk/1", "credit-risk/2"]
    assert list(logged.payload["metrics"]) == [
        {"key": "auc", "value": 0.75, "step": 1, "dataset_name": "loans",
         "dataset_digest": "c0ffee"}
    ]  # fmt: skip
    assert pull(store, before.cursor).items == ()
    store.client.delete_logged_model(made.model_id)
    (gone,) = pull(store, before.cursor).items
    assert (gone.subject, gone.change) == (made.model_id, Change.GONE)


def test_hostile_names_are_read_and_shown_in_one_line(store: Store) -> None:
    names = ["it's", 'a"b', "uni☃", "<script>", "=cmd|' '", "two\nlines"]
    for name in names:
        store.client.create_registered_model(name, description="\x1b[31m\u202e")
        store.client.create_model_version(name, "https://u:hunter2@host/m")
    items = pull(store, page_size=1).items
    assert {i.subject for i in items} == {*names, *(f"{name}/1" for name in names)}
    assert not any("\n" in item.title for item in items)
    assert not any(b"hunter2" in item.content for item in items)


def _shifting(monkeypatch: pytest.MonkeyPatch, store: Store, *, times: int) -> None:
    """Somebody registers a version between two calls, `times` times: a copy cannot shift alone."""
    left = [times]
    plain = file.FileDoor.ask

    def ask(door: file.FileDoor, call: str, body: Mapping[str, Any]) -> Answer:
        if call == "model-versions/search" and left[0]:
            left[0] -= 1
            door.registry.create_model_version("credit-risk", "s3://models/late")
        return plain(door, call, body)

    monkeypatch.setattr(file.FileDoor, "ask", ask)


def test_a_registry_that_shifts_once_is_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.version("credit-risk")
    _shifting(monkeypatch, store, times=2)
    assert len(of(pull(store), "model_version")) == 3


def test_a_registry_that_never_rests_is_busy_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.version("credit-risk")
    _shifting(monkeypatch, store, times=99)
    with pytest.raises(SourceBusy, match="changes while it is read"):
        pull(store)


def test_a_registry_elsewhere_still_finds_its_runs(store: Store, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Store(tmp_path / "other")
    run_id = store.run(ago=timedelta(hours=3))
    other.version("credit-risk", run_id)
    (version,) = of(pull(store, registry_uri=other.uri), "model_version")
    assert version.actor == "mira.osei"
    assert version.observed_to - version.observed_from >= timedelta(hours=3)


@pytest.mark.parametrize(
    "wrong",
    [{"tracking_uri": "mlruns"}, {"registry_uri": "uc"}, {"page_size": 1001}, {"approval_tag": ""}],
)
def test_settings_that_cannot_work_are_refused_at_birth(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        MlflowRegistry(**{"source": "m", "tracking_uri": "http://host", **wrong})
