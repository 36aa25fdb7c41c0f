"""The demo's MLflow tells its story, is built once, and says what it was really trained on."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

from mlflow import MlflowClient, get_tracking_uri

from collectors.mlflow_registry import MlflowRegistry
from collectors.mlflow_runs import MlflowRuns
from demo.models import DemoModels, build, later
from demo.models_data import task_of
from evidence.model import Change, Cursor, EvidenceItem, Outcome

NOW = datetime.now(UTC)
pytestmark = pytest.mark.xdist_group("demo-models")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DemoModels:
    return build(tmp_path_factory.mktemp("models") / "store", NOW)


@pytest.fixture(scope="module")
def client(made: DemoModels) -> MlflowClient:
    return MlflowClient(made.tracking_uri)


def pull(
    collector: MlflowRuns | MlflowRegistry, cursor: Cursor | None = None
) -> tuple[list[EvidenceItem], Cursor]:
    batches = list(collector.collect(cursor))
    return [item for batch in batches for item in batch.items], batches[-1].cursor


@pytest.mark.usefixtures("made")
def test_building_it_leaves_no_address_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address once set would outweigh the environment for whatever runs in this process next."""
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    assert get_tracking_uri() == "sqlite:///elsewhere.db"


def test_it_is_built_once(made: DemoModels) -> None:
    before = Path(made.folder, "mlflow.db").stat().st_mtime_ns
    assert build(Path(made.folder), NOW + timedelta(days=9)) == made
    assert Path(made.folder, "mlflow.db").stat().st_mtime_ns == before


def test_every_version_is_a_saved_model_that_scores_what_its_run_says(
    made: DemoModels, client: MlflowClient
) -> None:
    import mlflow.sklearn

    versions = client.search_model_versions()
    assert {(v.name, str(v.version)) for v in versions} == {
        ("credit-risk", "1"), ("credit-risk", "2"), ("churn", "1"), ("churn", "2"), ("churn", "3"),
        ("triage", "1"),
    }  # fmt: skip
    for version in versions:
        (folder,) = Path(made.folder, "artifacts", version.name, "models").glob(
            f"{str(version.source).removeprefix('models:/')}/artifacts"
        )
        model = mlflow.sklearn.load_model(str(folder))
        logged = client.get_run(str(version.run_id)).data.metrics
        assert task_of(made.systems[version.name]).scores(model) == pytest.approx(logged)
        assert "scikit-learn's" in str(version.description)


def test_time_runs_the_way_the_story_says(client: MlflowClient) -> None:
    for version in client.search_model_versions():
        run = client.get_run(str(version.run_id)).info
        assert run.start_time < run.end_time == version.creation_timestamp
        assert version.last_updated_timestamp == version.creation_timestamp
    triage = client.get_model_version("triage", "1")
    assert NOW - datetime.fromtimestamp(triage.creation_timestamp / 1000, UTC) > timedelta(days=119)


def test_evaluations_are_measured_by_group(made: DemoModels) -> None:
    items, _ = pull(MlflowRuns("mlflow", made.tracking_uri, systems=made.systems))
    found: dict[str, EvidenceItem] = {}
    for item in items:
        if item.kind == "mlflow.run" and item.payload["run_type"] == "evaluation":
            found[item.system] = item
    ages = {system: (NOW - item.observed_to).days for system, item in found.items()}
    assert ages == {"credit-scoring": 4, "churn-predictor": 6, "ticket-triage": 104}
    metrics = found["credit-scoring"].payload["metrics"]
    rates = [metrics[f"selection_rate/age/{group}"] for group in ("under_50", "50_and_over")]
    assert metrics["selection_rate_gap/age"] == pytest.approx(abs(rates[0] - rates[1]))
    assert 0 < min(rates) < max(rates) < 1


def test_act_two_moves_the_champion_and_leaves_traces(made: DemoModels) -> None:
    runs = MlflowRuns("mlflow", made.tracking_uri, systems=made.systems)
    registry = MlflowRegistry("mlflow", made.tracking_uri, systems=made.systems)
    (_, run_cursor), (first, cursor) = pull(runs), pull(registry)
    outcomes = {i.subject: i.outcome for i in first if i.kind == "mlflow.approval"}
    assert outcomes == {
        "credit-risk@champion": Outcome.PASSED,
        "churn@champion": Outcome.FAILED,
        "triage@champion": Outcome.PASSED,
    }
    for _ in range(2):
        later(made)
        second, _ = pull(registry, cursor)
        aliases = {i.subject: i for i in second if i.kind == "mlflow.model_alias"}
        assert set(aliases) == {"credit-risk@champion", "credit-risk@reporting"}
        approvals = {i.subject: i.outcome for i in second if i.kind == "mlflow.approval"}
        assert approvals == {"credit-risk@champion": Outcome.PASSED}
        assert {alias.payload["version"] for alias in aliases.values()} == {"2"}
        edited = [item for item in pull(runs, run_cursor)[0] if item.kind == "mlflow.run"]
        assert [(i.subject, i.change) for i in edited] == [(made.edited_run, Change.CHANGED)]
