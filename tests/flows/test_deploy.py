"""Deployments, pools and automations on a real Prefect server: taken, run, killed, overtaken."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from prefect.blocks.system import Secret as Block
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.automations import AutomationCore
from prefect.settings import PREFECT_API_URL, temporary_settings

from evidence.errors import ConfigError
from flows.config import load
from flows.config_values import Values
from flows.deploy import as_file, limits, run
from tests.flows.conftest import Home, numbers, rows
from tests.flows.test_prefect import api, patient, running, until

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect"), pytest.mark.timeout(400)]
ROOT = Path(__file__).resolve().parents[2]
POOLS = ("process", "docker", "kubernetes")
HUNG = "tests.flows.sources:Hung"


@pytest.fixture
def client(prefect_environment: dict[str, str]) -> Iterator[SyncPrefectClient]:
    """A client of the server, which this process speaks to as well."""
    with (
        temporary_settings({PREFECT_API_URL: prefect_environment["PREFECT_API_URL"]}),
        get_client(sync_client=True) as found,
    ):
        yield found


def get(environment: dict[str, str], path: str) -> Any:
    return patient(environment["PREFECT_API_URL"] + path)


def pool(environment: dict[str, str], name: str, kind: str = "process") -> Any:
    template = json.loads((ROOT / f"deploy/pools/{kind}.json").read_text())
    body = {"name": name, "type": kind, "base_job_template": template}
    return api(environment, "/work_pools/", body)


@pytest.mark.parametrize("kind", POOLS)
def test_a_pool_is_as_prefect_wants_it(prefect_environment: dict[str, str], kind: str) -> None:
    types = get(prefect_environment, "/collections/views/aggregate-worker-metadata")
    theirs = {name: facts for package in types.values() for name, facts in package.items()}
    known = theirs[kind]["default_base_job_configuration"]["job_configuration"]
    template = json.loads((ROOT / f"deploy/pools/{kind}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(template["variables"])
    assert template["job_configuration"].keys() <= known.keys()
    assert pool(prefect_environment, f"pool-{kind}", kind)["base_job_template"] == template


@pytest.mark.parametrize("name", ["crashed", "late", "notify", "refused"])
def test_an_automation_is_taken(client: SyncPrefectClient, name: str) -> None:
    text = (ROOT / f"deploy/automations/{name}.yaml").read_text()
    told = yaml.safe_load(text.replace("FILL IN", "8d40e43c-7a5f-4a0c-9a4e-0f1a8f1f4f10"))
    for one in told.get("automations", [told]):
        assert client.create_automation(AutomationCore.model_validate(one))


def test_every_schedule_is_deployed_with_its_zone_and_a_limit_for_each_host(
    prefect_environment: dict[str, str], client: SyncPrefectClient, home: Home
) -> None:
    config = home(
        numbers("morning", schedule="0 7 * * *", timezone="Europe/Berlin"), numbers("late"),
        extra='\n[collect]\nhosts = { "tests.flows.sources:numbers" = 3 }\n',
    )  # fmt: skip
    with pytest.raises(ConfigError, match="prefect work-pool create nowhere"):
        run(config, "nowhere", "", print, as_yaml=False)
    pool(prefect_environment, "planned")
    for _ in range(2):  # a second time renews
        assert run(config, "planned", "", print, as_yaml=False) == 0
    wanted = {"work_pools": {"name": {"any_": ["planned"]}}}
    found = {row["name"]: row for row in api(prefect_environment, "/deployments/filter", wanted)}
    assert found.keys() == {"morning", "late", "freshness", "maintain", "verification", "watch"}
    (schedule,) = found["morning"]["schedules"]
    assert schedule["schedule"]["timezone"] == "Europe/Berlin"
    assert found["morning"]["entrypoint"] == "flows.collect.collect"
    for row in found.values():
        assert row["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
        assert row["global_concurrency_limit"]["limit"] == 1
        client.delete_deployment(row["id"])
    ((tag, most),) = limits(load(config)).items()
    assert most == 3
    assert get(prefect_environment, f"/v2/concurrency_limits/tag:{tag}")["limit"] == 3


def test_the_printed_deployments_are_those_that_are_made(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    config = home(numbers("good", timezone="Asia/Tokyo"))
    assert run(config, "pool", "image:1", print, as_yaml=True) == 0
    told = yaml.safe_load(capsys.readouterr().out)
    assert told == as_file(load(config), "pool", "image:1")
    names = [one["name"] for one in told["deployments"]]
    assert names == ["good", "freshness", "maintain", "verification", "watch"]
    assert told["deployments"][0]["schedules"] == [{"cron": "0 * * * *", "timezone": "Asia/Tokyo"}]
    assert told["deployments"][0]["work_pool"]["job_variables"] == {"image": "image:1"}


def test_a_killed_run_is_crashed_the_next_one_recovers_and_late_ones_are_overtaken(
    prefect_environment: dict[str, str], client: SyncPrefectClient, home: Home, tmp_path: Path
) -> None:
    """By workers that find the flows by module; of many late runs one pulls."""
    hangs = tmp_path / "hangs"
    hangs.touch()
    config = home(numbers("slow", uses=HUNG, asked=str(hangs), schedule="0 5 1 1 *"))
    pool(prefect_environment, "killed")
    assert run(config, "killed", "", print, as_yaml=False) == 0
    deployment = client.read_deployment_by_name("collect/slow")
    first = client.create_flow_run_from_deployment(deployment.id)
    worker = (sys.executable, "-m", "prefect", "worker", "start", "--pool", "killed")
    with running(prefect_environment, *worker):
        alive = until(lambda: _running(prefect_environment, str(first.id)))
        os.kill(alive, signal.SIGKILL)
        until(lambda: _state(prefect_environment, str(first.id)) == "CRASHED")
        hangs.unlink()
        runs = _late(prefect_environment, str(deployment.id), 4)
        until(
            lambda: {_state(prefect_environment, one) for one in runs} <= {"COMPLETED", "CANCELLED"}
        )
    sql = "select outcome, received, backfill from pulls"
    assert rows(config, sql) == [("complete", 10, False)]
    until(lambda: "headwater.source.slow" in _told_of(prefect_environment))


def _told_of(environment: dict[str, str]) -> set[str]:
    """What events of sources the server has by now: it takes them some time after it is told."""
    wanted = {"filter": {"event": {"prefix": ["headwater.source"]}}}
    events = api(environment, "/events/filter", wanted)["events"]
    return {one["resource"]["prefect.resource.id"] for one in events}


def test_a_secret_may_lie_in_a_block_of_the_server(
    client: SyncPrefectClient, tmp_path: Path
) -> None:
    Block(value="0123").save("tracker-token", _sync=True)
    Block(value={"token": "s3cret"}).save("tracker-table", _sync=True)
    values = Values(tmp_path / "headwater.toml", {})
    assert values.secret("source a: token", "prefect:tracker-token").reveal() == "0123"
    assert values.mistakes == []
    values.secret("source b: token", "prefect:tracker-table")
    values.secret("source c: token", "prefect:nothing-here")
    assert ["holds no text" in values.lacking[0], "no Secret block" in values.lacking[1]] == [
        True, True
    ]  # fmt: skip
    assert "s3cret" not in str(values.mistakes)


def _state(environment: dict[str, str], run_id: str) -> str:
    return str(get(environment, f"/flow_runs/{run_id}")["state_type"])


def _running(environment: dict[str, str], run_id: str) -> int:
    """The process of the run, once it runs."""
    told = get(environment, f"/flow_runs/{run_id}")
    pid = str(told["infrastructure_pid"] or "").rpartition(":")[2]
    return int(pid) if told["state_type"] == "RUNNING" and pid.isdecimal() else 0


def _late(environment: dict[str, str], deployment: str, number: int) -> list[str]:
    """So many runs as a schedule plans them, all of them hours late."""
    made = []
    for hours in range(number):
        due = datetime.now(UTC) - timedelta(hours=hours + 1)
        body = {
            "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": due.isoformat()}},
        }
        path = f"/deployments/{deployment}/create_flow_run"
        made.append(str(api(environment, path, body)["id"]))
    return made
