"""The command line: help at once, one clear message for a mistake, no verb that reassures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import Home, numbers
from tests.nursery import headwater

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("prefect", "mlflow", "great_expectations", "deltalake", "duckdb", "pyarrow", "pandas")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, flows.cli\n"
        "from typer.testing import CliRunner\n"
        "done = CliRunner().invoke(flows.cli.app, ['--help'])\n"
        f"print(done.exit_code, sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "0 []", done.stderr


def test_the_lake_is_maintained_and_that_is_kept(home: Home) -> None:
    config = home(numbers("good"))
    headwater("collect", "--direct", "-c", config)
    done = headwater("maintain", "-c", config)
    assert done.returncode == 0, done.stderr
    assert "files became" in done.stdout
    sql = "SELECT outcome, payload->>'$.facts.tables[0].table' AS t FROM evidence "
    sql += "WHERE subject = 'maintain'"
    kept = headwater("query", sql, "-c", config, "--format", "csv")
    assert kept.stdout.split()[1:] == ["passed,evidence"]
    assert headwater("verify", "-c", config).returncode == 0


def test_a_first_day(home: Home) -> None:
    config = home(numbers("good"), numbers("closed", trouble="refused"))
    checked = headwater("check", "-c", config)
    assert checked.returncode == 0, checked.stdout
    collected = headwater("collect", "--direct", "-c", config)
    assert collected.returncode == 1
    assert "wrong key" in collected.stdout
    told = json.loads(headwater("status", "--json", "-c", config).stdout)
    assert told["controls"] == 70
    assert told["standings"]["missing"] == 70, "numbers speak to no control: nothing is green"
    assert told["sources"] == {"good": "complete", "closed": "refused"}
    assert headwater("status", "--fail-on", "missing", "-c", config).returncode == 3
    verified = headwater("verify", "-c", config)
    assert verified.returncode == 0, verified.stderr
    assert "sealed  25 items" in verified.stdout, "22, the mapping, and two acts"
    kept = config.parent / "kept.note"
    kept.write_text(headwater("checkpoint", "-c", config).stdout)
    assert kept.read_bytes() == (config.parent / "lake" / "log" / "checkpoint").read_bytes()
    (config.parent / "keys" / "ledger.key").unlink()
    compared = headwater("verify", "-c", config, "--checkpoint", kept, "--processes", "2")
    assert compared.returncode == 0, compared.stderr
    item = headwater(
        "query", "select item_id from evidence limit 1", "-c", config, "--format", "csv"
    )
    item_id = item.stdout.split()[1]
    explained = headwater("explain", item_id[:12], "-c", config)
    assert item_id in explained.stdout
    assert "speaks to no control" in explained.stdout
    assert "procedure" in headwater("explain", "4.4", "-c", config).stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("status", "-c", "nowhere.toml"), 2, "headwater init"),
        (("collect", "ghost", "--direct", "-c", "@"), 2, "no source is named ghost"),
        (("status", "--as-of", "2026-11-01T00:00:00", "-c", "@"), 2, "with its zone"),
        (("status", "--fail-on", "blue", "-c", "@"), 2, "choose one of"),
        (("query", "drop table evidence", "-c", "@"), 1, "only one SELECT"),
        (("query", "select * from read_csv('/etc/passwd')", "-c", "@"), 1, "read_csv"),
        (("query", "select 1", "--format", "xml", "-c", "@"), 2, "choose one of"),
        (("explain", "ffffffffff", "-c", "@"), 1, "no item's id begins"),
        (("explain", "zz", "-c", "@"), 2, "at least 6"),
        (("dashboard", "-c", "@"), 2, "HEADWATER_BOARD_TOKEN"),
        (("dashboard", "-o", "/dev/null/board.html", "-c", "@"), 2, "/dev/null/board.html cannot"),
        (("init", "/dev/null/home"), 2, "/dev/null/home cannot"),
        (("rebuild", "verdicts", "-c", "@"), 2, "cannot be made again"),
        (("checkpoint", "-c", "@"), 1, "nothing is sealed yet"),
    ],
)
def test_a_mistake_is_one_message(home: Home, words: tuple[str, ...], code: int, says: str) -> None:
    config = home(numbers("good"))
    done = headwater(*(str(config) if word == "@" else word for word in words))
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_schedule_that_cannot_be_planned_is_told_before_serving(home: Home) -> None:
    config = home(numbers("good", schedule="99 * * * *"))
    told = headwater("check", "-c", config)
    assert told.returncode == 1
    assert "source good: schedule '99 * * * *'" in told.stdout
    served = headwater("serve", "-c", config)
    assert served.returncode == 2
    assert "source good: schedule" in served.stderr


def test_refused_settings_of_one_source_stop_no_other(home: Home) -> None:
    bad = (
        'name = "bad"\nuses = "collectors.mlflow_registry:MlflowRegistry"\ntracking_uri = "htp://x"'
    )
    config = home(bad, numbers("good"))
    done = headwater("collect", "--direct", "-c", config)
    assert done.returncode == 1
    assert "sealed" in done.stdout
    told = json.loads(headwater("status", "--json", "-c", config).stdout)
    assert told["sources"] == {"bad": "refused", "good": "complete"}
    config.write_text(f"{config.read_text()}\n[[source]]\n{numbers('late')}\n")
    told = json.loads(headwater("status", "--json", "-c", config).stdout)
    said = [one["sentence"] for one in told["attention"] if one["source"] == "late"]
    assert said == ["Source late was never pulled (last complete: never)."]


def test_a_secret_that_is_not_there_stops_its_own_source_only(home: Home) -> None:
    bad = (
        'name = "bad"\nuses = "collectors.servicenow:ServiceNow"\nuser = "u"\n'
        'url = "http://127.0.0.1:9"\npassword = "env:NOT_SET_HERE"\ntables = ["incident"]'
    )
    config = home(bad, numbers("good"))
    assert headwater("collect", "--direct", "-c", config).returncode == 1
    asked = headwater("status", "--json", "-c", config)
    assert json.loads(asked.stdout)["sources"] == {"bad": "refused", "good": "complete"}
    assert "bad: password: set the environment variable NOT_SET_HERE" in asked.stdout
    checked = headwater("check", "-c", config)
    assert "set the environment variable NOT_SET_HERE" in checked.stdout
    assert checked.returncode == 1
    served = headwater("serve", "-c", config)
    assert (served.returncode, "NOT_SET_HERE" in served.stderr) == (2, True)


def test_an_own_rule_with_a_mistake_is_named(home: Home) -> None:
    config = home(numbers("good"), extra='\n[mapping]\nrules = "rules"\n')
    missing = headwater("check", "-c", config)
    assert missing.returncode == 2
    assert "is no folder" in missing.stderr
    (config.parent / "rules").mkdir()
    (config.parent / "rules" / "own.yaml").write_text("rules:\n  - name: x\n    kind: [\n")
    for verb in (("check",), ("status",), ("collect", "--direct")):
        done = headwater(*verb, "-c", config)
        assert done.returncode == 1, verb
        assert "own.yaml:" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_damaged_lake_is_named(home: Home) -> None:
    config = home(numbers("good"))
    headwater("collect", "--direct", "-c", config)
    for file in (config.parent / "lake" / "evidence").rglob("*.parquet"):
        file.unlink()
    done = headwater("verify", "-c", config)
    assert done.returncode == 1
    assert "gone" in done.stderr or "missing" in done.stderr, done.stderr


def test_init_twice_keeps_what_is_there(tmp_path: Path) -> None:
    assert headwater("init", tmp_path / "a", "--name", 'Ann "A" O\'Neill').returncode == 0
    text = (tmp_path / "a" / "headwater.toml").read_text()
    again = headwater("init", tmp_path / "a")
    assert again.returncode == 0
    assert again.stdout.count("kept") == 4
    assert (tmp_path / "a" / "headwater.toml").read_text() == text


def test_hostile_text_does_not_steer_terminal_or_spreadsheet(home: Home) -> None:
    config = home(numbers("good"))
    csv = headwater("query", "select '=cmd()' as \"@a\"", "-c", config, "--format", "csv")
    assert csv.stdout.splitlines() == ["'@a", "'=cmd()"]
    table = headwater("query", "select chr(27) || '[2J[bold]' as x", "-c", config)
    assert "\x1b[2J" not in table.stdout
    assert "[bold]" in table.stdout
