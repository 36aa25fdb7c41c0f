"""The page on REST sources names every key there is, and its example is one that loads."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from collectors._rest import settings as settings
from flows.config import load

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/rest_api.md").read_text()
TABLES = (
    settings.AuthBy, settings.Identity, settings.Paging, settings.Since, settings.Endpoint,
)  # fmt: skip


def test_every_key_is_explained() -> None:
    told = set(re.findall(r"`([a-z_0-9]+)`", PAGE)) | set(re.findall(r"`([a-z_]+) = ", PAGE))
    for table in TABLES:
        assert {field.name for field in dataclasses.fields(table)} <= told | {"path", "method"}
    for known in (settings.AUTH, settings.STYLES, settings.CONFIRM, settings.ORDERS):
        assert set(known) <= told


def test_the_example_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    file = tmp_path / "headwater.toml"
    file.write_text('[organisation]\nname = "x"\n' + example)
    (source,) = load(file, {"FORGE_TOKEN": "t"}).sources
    assert source.settings["endpoint"][0].paging.style == "link"
    assert len(example.splitlines()) <= 18


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pagng = {}", "did you mean 'paging'"),
        ('paging = { style = "pages" }', "endpoint issues: paging: style is 'pages'; known: none"),
        ('since = { field = "a[b" }', "since: field: 'a[b' is no path"),
        ('keep = "*"', "keep: Input should be a list"),
        ('nature = "state"\nsince = { field = "a" }', "a state is read whole"),
        ("outcome = { map = {} }", "outcome: a table needs from"),
        ('parent = "nobody"', "parent 'nobody' is no endpoint; known: issues"),
    ],
)
def test_a_mistake_names_its_key(tmp_path: Path, line: str, told: str) -> None:
    file = tmp_path / "headwater.toml"
    file.write_text(
        '[organisation]\nname = "x"\n[[source]]\nname = "s"\nuses = "collectors.rest_api:RestApi"\n'
        'url = "https://x.example"\n[[source.endpoint]]\nname = "issues"\npath = "/x"\nid = "id"\n'
        f'observed_to = "at"\npayload = {{ id = "id" }}\n{line}\n'
    )
    with pytest.raises(Exception, match=re.escape(told)) as wrong:
        load(file, {}).sources[0].collector(lambda: None)  # type: ignore[arg-type, return-value]
    assert type(wrong.value).__name__ == "ConfigError"
