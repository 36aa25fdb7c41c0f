"""A collect run that hangs for ever ends, and names what hung."""

from __future__ import annotations

import pytest

from flows.config import load
from flows.turns import Turns
from tests.flows.conftest import Home, numbers
from tests.flows.test_prefect import api, headwater

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect"), pytest.mark.timeout(400)]


def test_a_run_that_hangs_ends_and_says_what_hung(
    prefect_environment: dict[str, str], home: Home
) -> None:
    config = home(numbers("stuck"), extra='[collect]\nat_once = 1\nrun_limit = "PT4S"\n')
    settings = load(config)
    with Turns.of(settings).turn(()):  # somebody who never gives the only turn back
        ended = headwater(prefect_environment, "collect", "-c", str(config))
    assert ended.returncode == 1
    assert "did not end within its run_limit of 0:00:04: stuck." in ended.stderr
    asked = {"flow_runs": {"state": {"name": {"any_": ["TimedOut"]}}}}
    (run,) = api(prefect_environment, "/flow_runs/filter", asked)
    assert run["state_type"] == "FAILED"
    assert "stuck" in run["state"]["message"]
