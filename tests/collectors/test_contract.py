"""The same questions for every collector in collectors/: found by itself, none left out."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import collectors
from collectors.contract import CollectorContract

HELPERS = {"base", "contract", "http"}


def _found() -> dict[str, type[Any]]:
    classes = {}
    for module in pkgutil.iter_modules(collectors.__path__):
        if module.name in HELPERS or module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"collectors.{module.name}")
        own = [
            cls
            for _, cls in inspect.getmembers(loaded, inspect.isclass)
            if cls.__module__ == loaded.__name__ and hasattr(cls, "collect")
        ]
        assert len(own) == 1, f"collectors/{module.name}.py should hold one collector, has {own}"
        classes[module.name] = own[0]
    return classes


FOUND = _found()
pytestmark = pytest.mark.xdist_group("contract")


@pytest.fixture(scope="module", params=sorted(FOUND))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def world(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    module = importlib.import_module(f"tests.collectors.worlds.{name}")
    made = module.World(Path(tmp_path_factory.mktemp(name)))
    yield made
    made.close()


class TestContract(CollectorContract):
    """Everything that is asked of collectors, asked of ours."""


def test_the_world_is_of_the_collector_that_was_found(name: str, world: Any) -> None:
    assert type(world.collector()) is FOUND[name]
