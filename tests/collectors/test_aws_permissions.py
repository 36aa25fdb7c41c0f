"""docs/permissions.md allows each AWS collector what it calls, and nothing else."""

from __future__ import annotations

import importlib
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"
SECTION = re.compile(r"^### (\w+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
WORLDS = Path(__file__).parent / "worlds"
# The bucket of whoever pastes the policy.
BUCKET = re.compile(r"^arn:aws:s3:::[A-Z-]+")


def _policies() -> dict[str, list[dict[str, Any]]]:
    """The statements of each section that is named like a world."""
    found = {}
    for name, text in SECTION.findall(PAGE.read_text(encoding="utf-8")):
        blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
        if (WORLDS / f"{name}.py").exists() and blocks:
            found[name] = [one for block in blocks for one in json.loads(block)["Statement"]]
    return found


POLICIES = _policies()


def _places(statements: list[dict[str, Any]]) -> list[str]:
    """What of S3 may be asked for, as globs over ARNs; a list is one of the prefixes told."""
    places: list[str] = []
    for one in statements:
        if one["Action"][0].startswith("s3:"):
            prefixes = one.get("Condition", {}).get("StringLike", {}).get("s3:prefix", [])
            places += [f"{one['Resource']}/{prefix}" for prefix in prefixes] or [one["Resource"]]
    return [BUCKET.sub("arn:aws:s3:::*", place) for place in places]


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
    allowed, places = POLICIES[name], _places(POLICIES[name])
    assert all(one["Effect"] == "Allow" for one in allowed)
    world = importlib.import_module(f"tests.collectors.worlds.{name}").World(tmp_path)
    try:
        world.aws.calls.clear()
        world.aws.objects.clear()
        list(world.collector().collect(None))
        world.collector().probe()
        assert world.aws.actions() == {action for one in allowed for action in one["Action"]}
        asked = world.aws.objects
        assert [a for a in asked if not any(fnmatchcase(a, place) for place in places)] == []
    finally:
        world.close()
