"""`headwater attest`, from the command line to where the control stands."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from evidence.errors import ConfigError
from flows.cli import app
from flows.setup import initialise
from tests.flows.conftest import Home
from tests.flows.test_docs_registers import FILES, SOURCE, commit

NOW = datetime.now(UTC)
SAYS = ("--statement", "I looked at it.")


def day(number: int) -> str:
    return (NOW + timedelta(days=number)).date().isoformat()


def told(config: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "-c", str(config)], env={"COLUMNS": "300"})
    if isinstance(done.exception, ConfigError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def standing(config: Path, control: str) -> str:
    found = re.search(r"^stands: (.*)$", told(config, "explain", control), re.M)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home without a source in which nobody signs."""
    config = tmp_path_factory.mktemp("unsigned") / "headwater.toml"
    list(initialise(config.parent, "Test House"))
    return config


def test_signed_withdrawn_and_signed_again(home: Home) -> None:
    config = home()
    before = standing(config, "A.2.2")
    said = told(
        config, "attest", "A.2.2", "--by", "Ada Brandt", *SAYS, "--until", day(300), "--at", day(-3)
    )
    assert "no control stands otherwise" in said, "a signature is no evidence of what is missing"
    assert standing(config, "A.2.2") == before
    item = re.search(r"item (\w{16})", said)
    assert item is not None
    assert "Ada Brandt" in told(config, "attest", "list")
    told(config, "attest", "withdraw", item[1], "--by", "Ben", "--why", "Not so")
    assert "withdrawn: Not so" in told(config, "attest", "list")
    with pytest.raises(ConfigError, match=r"replaced by a newer|was withdrawn"):
        told(config, "attest", "withdraw", item[1], "--by", "Ben", "--why", "Not so")
    told(
        config, "attest", "A.2.2", "--by", "Ada Brandt", *SAYS, "--until", day(30), "--at", day(-3)
    )
    assert "withdrawn" not in told(config, "attest", "list"), "signed later than it was withdrawn"
    sql = "SELECT actor, payload->>'$.account' AS account FROM evidence WHERE kind LIKE 'human.%'"
    rows = json.loads(told(config, "query", sql, "--format", "json"))
    assert sorted(row["actor"] for row in rows) == ["Ada Brandt", "Ada Brandt", "Ben"]
    assert all(row["account"] for row in rows)
    told(config, "verify")


def test_a_signature_is_what_a_control_with_evidence_lacked(home: Home, tmp_path: Path) -> None:
    assert SOURCE is not None
    register = "registers/attestations.yaml"
    unsigned = {name: text for name, text in FILES.items() if name != register}
    commit(tmp_path / "governance", unsigned)
    config = home(SOURCE[1])
    told(config, "collect", "--direct")
    assert standing(config, "5.2").startswith("needs judgement")
    with pytest.raises(ConfigError, match="no registered AI system: triage"):
        told(config, "attest", "5.2", "--by", "Ada", *SAYS, "--until", day(9), "--system", "x")
    only = told(config, "attest", "5.2", "--by", "Ada", *SAYS, "--until", day(9))
    assert "iso42001:5.2: needs judgement" in only
    assert "→ proved (all" in only
    item = re.search(r"item (\w{16})", only)
    assert item is not None
    told(config, "attest", "withdraw", item[1], "--by", "Cid", "--why", "He left")
    assert standing(config, "5.2").startswith("needs judgement")
    given = yaml.safe_load(FILES[register])["records"][0]
    commit(tmp_path / "governance", {register: FILES[register]})
    told(config, "collect", "--direct")
    assert f"{given['by']} signed" in standing(config, "5.2")
    sql = "SELECT item_id FROM evidence WHERE kind = 'human.attestation' AND source = 'registers'"
    (row,) = json.loads(told(config, "query", sql, "--format", "json"))
    with pytest.raises(ConfigError, match="withdraw it there"):
        told(config, "attest", "withdraw", row["item_id"], "--by", "Cid", "--why", "He left")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"--by": " \u200b"}, "--by is missing"),
        ({"--statement": ""}, "--statement is missing"),
        ({"--until": "2999-01-01"}, "nobody signs for more than 366 days"),
        ({"--until": day(0)}, "is over already|does not lie after"),
        ({"--until": day(366), "--at": day(0)}, "at most"),
        ({"--until": "soon"}, "--until 'soon' is neither YYYY-MM-DD nor a time with a zone"),
        ({"--at": day(-40)}, "dated back by more than 31 days"),
        ({"--at": day(2)}, "sign when it holds"),
        ({"control": "A.99"}, "'A.99' is none of the catalogue"),
    ],
    ids=[
        "nobody",
        "nothing",
        "for ever",
        "over",
        "a day too long",
        "soon",
        "back",
        "ahead",
        "none",
    ],
)
@pytest.mark.xdist_group("unsigned")
def test_what_is_refused_leaves_nothing(empty: Path, given: dict[str, str], why: str) -> None:
    words = {"control": "A.2.2", "--by": "Ada", "--statement": "Seen.", "--until": day(30)} | given
    control = words.pop("control")
    with pytest.raises(ConfigError, match=why):
        told(empty, "attest", control, *(word for pair in words.items() for word in pair))
    assert "Nobody signed" in told(empty, "attest", "list")
