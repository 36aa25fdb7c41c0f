"""What `headwater try` shows of a source before anything lands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from tests.collectors.worlds.rest_api import KEY, World

SOURCE = """
[[source]]
name = "acme"
uses = "collectors.rest_api:RestApi"
url = "{url}"
auth = {{ kind = "header", name = "Authorization", prefix = "token ", key = "env:ACME_KEY" }}
[[source.endpoint]]
name = "tickets"
path = "/api/tickets?state=all"
id = "{id}"
kind = "acme.ticket"
title = "{{id}} {{title}}"
paging = {{ style = "link", size_param = "limit" }}
since = {{ field = "updated_at", param = "since" }}
payload = {{ status = "status.name", labels = "labels[*].name" }}
[[source.endpoint]]
name = "reviews"
path = "/api/tickets/{{parent.id}}/reviews"
parent = "tickets"
id = "id"
observed_to = "at"
keep = ["*"]
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def home(folder: Path, world: World, id_: str = "id") -> str:
    run = CliRunner().invoke
    assert run(app, ["init", str(folder), "--name", "Acme"]).exit_code == 0
    file = folder / "headwater.toml"
    file.write_text(file.read_text() + SOURCE.format(url=world.server.url, id=id_))
    return str(file)


def test_records_are_shown_beside_their_items(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    file, run = home(tmp_path / "home", world), CliRunner().invoke
    told = run(app, ["try", "acme", "-c", file])
    assert told.exit_code == 0, told.output
    rows = [" ".join(line.split()) for line in told.output.splitlines()]
    shown = {
        "labels[0].name change", "author.login ada", "subject 1", "title 1 Change 1",
        "payload.status closed", "payload.labels[0] change", "verdict approved",
    }  # fmt: skip
    assert shown <= set(rows)
    assert rows[0] == "tickets: GET /api/tickets?state=all, 7 records on the first page"
    assert "secret remark" in told.output, "the record is shown as it came"
    checked = run(app, ["check", "-c", file])
    assert "reads tickets (7 on the first page), reviews (1 on the first page)" in checked.output
    nobody = run(app, ["try", "nobody", "-c", file])
    assert "known: acme" in str(nobody.exception)


def test_what_cannot_be_mapped_says_why(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    file, run = home(tmp_path / "home", world, "key"), CliRunner().invoke
    told = run(app, ["try", "acme", "-c", file])
    assert (told.exit_code, "makes no item: id: nothing at 'key'" in told.output) == (1, True)
    checked = run(app, ["check", "-c", file])
    assert "broken  source acme: tickets: id: nothing at 'key'" in checked.output
