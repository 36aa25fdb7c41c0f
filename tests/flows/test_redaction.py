"""From headwater.toml to the terminal: what must be hidden shows nowhere, and can be proved."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from collectors.base import Clock, utc_now
from evidence.errors import ConfigError, LakeError, SourceRefused
from evidence.model import Batch, Cursor, EvidenceItem
from flows.config import load, now
from flows.pull import attempt
from storage.lake import Lake
from storage.views import ask, connect
from tests.flows.conftest import Home

TOKEN = "ghp_" + "a1B2" * 9
SOURCE = 'name = "leaky"\nuses = "tests.flows.test_redaction:Leaky"'
RULE = '\n[[redact]]\nname = "email"\nreason = "GDPR"\nfields = ["$..email"]\n'


@dataclass(frozen=True, slots=True)
class Leaky:
    """A source whose item and whose error both tell a token."""

    source: str
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        at = self.clock()
        item = EvidenceItem(
            source=self.source, kind="test.leak", subject="1", observed_from=at, observed_to=at,
            collected_at=at, payload={"text": f"use {TOKEN}", "who": {"email": "bob@example.org"}},
        )  # fmt: skip
        yield Batch((item,), Cursor("1"))
        raise SourceRefused(f"{TOKEN} is refused", what=TOKEN) from ValueError(TOKEN)


def test_a_token_in_item_and_error_shows_nowhere_and_can_be_proved(home: Home) -> None:
    file = home(SOURCE, extra=RULE)
    config = load(file)
    lake = Lake.open(config.lake, clock=now, redactor=config.redactor())
    done = attempt(lake, config.sources[0], now)
    assert dict(done.pull.hidden)["email"] == 1
    assert isinstance(done.error, SourceRefused)
    assert TOKEN not in f"{done} {done.error} {done.error.what} {done.error.__cause__}"
    with connect(lake) as connection:
        rows = ask(connection, "SELECT item_id, payload FROM evidence ORDER BY kind").rows
        ((item_id,),) = ask(connection, "SELECT item_id FROM evidence WHERE subject = '1'").rows
    assert TOKEN not in str(rows)
    assert "bob@" not in str(rows)
    told = _reveal(file, item_id, TOKEN + "\n")
    assert told.returncode == 0, told.stderr
    salt = told.stdout.partition("salt    ")[2].split()[0]
    config.redaction_key.unlink()
    assert _reveal(file, item_id, TOKEN, "--salt", salt).returncode == 0
    assert _reveal(file, item_id, TOKEN + "x", "--salt", salt).returncode == 1
    assert "restore it" in _reveal(file, item_id, TOKEN).stderr


def test_without_its_key_file_nothing_lands_in_clear_and_the_error_says_what_to_do(
    home: Home,
) -> None:
    config = load(home(SOURCE))
    config.redaction_key.unlink()
    lake = Lake.open(config.lake, clock=now, redactor=config.redactor())
    with pytest.raises(LakeError, match="restore it, or if there never was one") as refused:
        attempt(lake, config.sources[0], now)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('name = "x"\nreason = "y"\npatterns = [".*"]', "redact x: pattern"),
        ('name = "x"\nreason = "y"\nfields = "$.a"', "redact x: fields: '$.a' is not a list"),
        ('name = "x"\nreason = "y"\nfield = ["$.a"]', "did you mean 'fields'"),
        ('reason = "y"\nfields = ["$.a"]', "redact 1: name is missing"),
    ],
)
def test_a_mistaken_rule_is_told_with_its_name(home: Home, table: str, says: str) -> None:
    file = home(extra=f"\n[[redact]]\n{table}\n")
    with pytest.raises(ConfigError, match=says.replace("$.", r"\$\.")):
        load(file)


def _reveal(file: Path, *given: str) -> subprocess.CompletedProcess[str]:
    item_id, value, *more = given
    command = [sys.executable, "-m", "flows.cli", "reveal", item_id, "-c", str(file), *more]
    return subprocess.run(command, input=value, capture_output=True, text=True, check=False)
