"""What all tests share: properties are judged by what they find, not by how busy the machine is."""

from __future__ import annotations

import gc
import hashlib
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import company as demo

settings.register_profile(
    "headwater", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("headwater")

READABLE = 120

# Tables are opened thousands of times: starting the library's own threads was a third of each.
os.environ.setdefault("TOKIO_WORKER_THREADS", "1")

# Each worker and each process of a test would compile all of Headwater and its tests again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Thousands of modules are imported that never go: looking through them again for cycles was an
# eighth of the time. Cycles of tests are found as before, only not so often.
gc.set_threshold(50_000, 10, 10)


def pytest_collection_finish() -> None:
    """What is there before the first test is not looked through after each."""
    gc.freeze()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """A short name for a long value: a mebibyte as the name of a test goes through every report."""
    if not isinstance(val, (str, bytes)) or len(val) <= READABLE:
        return None
    raw = val if isinstance(val, bytes) else val.encode(errors="surrogatepass")
    return f"{argname}-of-{len(val)}-{hashlib.sha256(raw).hexdigest()[:8]}"


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company of the demo, for tests of the group `demo`: one process makes it."""
    folder = tmp_path_factory.mktemp("demo") / "brookside"
    demo.build(folder)
    return folder
