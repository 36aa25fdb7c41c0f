"""docs/permissions.md allows each AWS collector what it calls, and nothing else."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"
SECTION = re.compile(r"^### (\w+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
WORLDS = Path(__file__).parent / "worlds"


def _policies() -> dict[str, set[str]]:
    found = {}
    for name, text in SECTION.findall(PAGE.read_text(encoding="utf-8")):
        blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
        if (WORLDS / f"{name}.py").exists() and blocks:
            statements = [one for block in blocks for one in json.loads(block)["Statement"]]
            assert all(one["Effect"] == "Allow" for one in statements)
            found[name] = {action for one in statements for action in one["Action"]}
    return found


POLICIES = _policies()


def test_every_collector_of_an_account_has_its_policy() -> None:
    users = {
        path.stem
        for path in WORLDS.glob("*.py")
        if "tests.collectors.aws_server" in path.read_text(encoding="utf-8")
    }
    assert users
    assert users == set(POLICIES)


@pytest.mark.parametrize("name", sorted(POLICIES))
@pytest.mark.xdist_group("contract")
def test_what_is_allowed_is_what_is_called(name: str, tmp_path: Path) -> None:
    world = importlib.import_module(f"tests.collectors.worlds.{name}").World(tmp_path)
    try:
        world.aws.calls.clear()
        list(world.collector().collect(None))
        world.collector().probe()
        assert world.aws.actions() == POLICIES[name]
    finally:
        world.close()
