"""Kill -9 while an alert is sent: it is sent again, with the same id, and its end is told."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from flows._alerts.deliver import remembered
from tests import nursery
from tests.flows.conftest import Home
from tests.flows.receiver import Receiver, Say, listening
from tests.flows.test_alert_deliver import HOOK, _later, lake_of, sent


def test_killed_while_it_sends(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(Receiver(usual=Say(delay=30.0, body=b""))) as receiver:
        monkeypatch.setenv("HOOK", f"{receiver.url}/in/hook")
        monkeypatch.setenv("HOOK_SECRET", "a secret of 24 signs and more")
        config, nowhere = home(extra=HOOK), Path(os.devnull)
        process = nursery.begin("alert", "send", "-c", config, out=nowhere, err=nowhere)
        while not receiver.got and process.is_alive():
            time.sleep(0.005)
        process.kill()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        receiver.usual = Say(body=b"")
        assert remembered(lake_of(config)).line("hook").claim
        _later(config)
        assert sent(config)[0] == 0
        one, two = (got.headers["webhook-id"] for got in receiver.got)
        assert one == two
