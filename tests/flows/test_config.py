"""Every mistake in headwater.toml is told in one run, and a secret is never repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import ConfigError
from evidence.secret import Secret
from flows.config import load
from flows.pull import settings

GOOD = """
[organisation]
name = "Brook & Sons"

[collect]
patience = 1
wait = "PT10S"

[[source]]
name = "tickets"
uses = "collectors.jira:Jira"
schedule = "*/10 * * * *"
url = "http://127.0.0.1:1"
email = "bot@example.org"
token = "env:JIRA_TOKEN"
projects = ["CHG", "INC"]
systems = { "CHG" = "credit" }
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "headwater.toml"
    file.write_text(text, encoding="utf-8")
    return file


def mistakes(folder: Path, text: str, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text), environment)
    return "\n".join(caught.value.mistakes)


def test_a_good_file_builds_its_collectors(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD), {"JIRA_TOKEN": "hunter2"})
    (source,) = config.sources
    collector: Any = source.collector(lambda: datetime.now(UTC))
    assert collector.source == "tickets"
    assert collector.projects == ("CHG", "INC")
    assert collector.token == Secret("hunter2")
    assert "hunter2" not in repr(collector) + repr(config) + str(settings(collector))
    assert config.lake.uri == str(tmp_path / "lake")
    assert config.origin == "headwater/brook-sons"
    assert (config.patience, config.wait) == (1, timedelta(seconds=10))


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    told = mistakes(
        tmp_path,
        GOOD.replace("projects", "project").replace("*/10 * * * *", "hourly")
        + '\n[lake]\npth = "x"\n[[source]]\nname = "Bad Name"\nuses = "collectors.jira:Jira"\n'
        + '[[source]]\nname = "x"\nuses = "collectors.nowhere:No"\n',
    )
    for part in (
        "did you mean 'projects'", "'hourly' is not a cron line", "did you mean 'path'",
        "name must be of a to z", "collectors.nowhere", "JIRA_TOKEN",
    ):  # fmt: skip
        assert part in told
    assert str(tmp_path / "headwater.toml") in told


def test_a_secret_in_the_file_is_refused_and_not_shown(tmp_path: Path) -> None:
    told = mistakes(tmp_path, GOOD.replace("env:JIRA_TOKEN", "hunter2-in-clear"))
    assert "hunter2" not in told
    assert "env:NAME" in told


def test_a_secret_that_is_not_there_is_asked_for_by_who_pulls(tmp_path: Path) -> None:
    for text, why in (
        (GOOD, "source tickets: token: set the environment variable JIRA_TOKEN"),
        (GOOD.replace("env:JIRA_TOKEN", "file:t"), "source tickets: token: t cannot be read"),
    ):
        (source,) = load(write(tmp_path, text), {}).sources
        assert source.collector(lambda: datetime.now(UTC)).kinds
        with pytest.raises(ConfigError, match=why):
            source.asking(lambda: datetime.now(UTC))
    channel = '[[alert]]\nname = "a"\nkind = "slack"\nurl = "env:SLACK"\n'
    assert "set the environment variable SLACK" in mistakes(tmp_path, GOOD + channel)


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("hunter2\n")
    config = load(write(tmp_path, GOOD.replace("env:JIRA_TOKEN", "file:t")), {})
    assert config.sources[0].settings["token"] == Secret("hunter2")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[organisation\n", "headwater.toml"),
        ("", "needs a name"),
        ('organisation = "x"', "must be a table"),
        (GOOD.replace('["CHG", "INC"]', "7"), "projects"),
        (GOOD.replace('"http://127.0.0.1:1"', "1"), "url"),
        (GOOD.replace('"PT10S"', '"soon"'), "ISO 8601"),
        (GOOD.replace("patience = 1", 'patience = "much"'), "patience"),
        (GOOD + GOOD[GOOD.index("[[source]]") :], "two sources"),
        (GOOD + '[[override]]\ncontrol = "A.2.2"\nevidence = "policy"\n', "reason missing"),
        (GOOD.replace("collectors.jira:Jira", "evidence.model:Cursor"), "no collector"),
        (GOOD.replace("collectors.jira:Jira", "collectors.jira:JIRA"), "did you mean 'Jira'"),
        (GOOD + 'timezone = "IST"\n', "timezone 'IST' is none: write one such as Europe/Berlin"),
    ],
)
def test_each_mistake_has_its_sentence(tmp_path: Path, text: str, says: str) -> None:
    assert says in mistakes(tmp_path, text, JIRA_TOKEN="t")


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="headwater init"):
        load(tmp_path / "headwater.toml", {})


DUE = """
[[override]]
control = "A.6.2.4"
evidence = "mlflow_evaluation"
reason = "models are retrained each quarter"
"""
DAYS = '[freshness]\nzone = "Europe/Berlin"\ncountry = "DE"\ndays_off = [2026-12-31]\n'


def test_a_deadline_takes_zone_and_days_off_from_freshness(tmp_path: Path) -> None:
    text = GOOD + DAYS + DUE + 'deadline = { cron = "0 18 L 3,6,9,12 *", grace = "P5D" }\n'
    deadline = load(write(tmp_path, text), {"JIRA_TOKEN": "t"}).overrides[0].deadline
    assert deadline is not None
    due = deadline.after(datetime(2026, 12, 1, tzinfo=UTC), 1)[0]
    assert deadline.told(due) == "2027-01-04 18:00 Europe/Berlin", "two days off and a weekend"
    own = DUE + 'deadline = { cron = "0 18 31 12 *", country = "FR", zone = "UTC" }\n'
    deadline = load(write(tmp_path, GOOD + DAYS + own), {"JIRA_TOKEN": "t"}).overrides[0].deadline
    assert deadline is not None
    due = deadline.after(datetime(2026, 12, 1, tzinfo=UTC), 1)[0]
    assert deadline.told(due) == "2026-12-31 18:00 UTC"


@pytest.mark.parametrize(
    ("zone", "since"),
    [("Asia/Tokyo", datetime(2026, 3, 31, 15, tzinfo=UTC)),
     ("America/St_Johns", datetime(2026, 4, 1, 2, 30, tzinfo=UTC))],
)  # fmt: skip
def test_the_day_since_which_a_deadline_holds_begins_in_its_own_zone(
    tmp_path: Path, zone: str, since: datetime
) -> None:
    line = (
        f'deadline = {{ cron = "0 6 1 * *", zone = "{zone}", country = "IN", since = 2026-04-01 }}'
    )
    deadline = load(write(tmp_path, GOOD + DUE + line + "\n"), {}).overrides[0].deadline
    assert deadline is not None
    assert deadline.since == since


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('deadline = "monthly"', "must be a table"),
        ("deadline = {}", "cron '' is none"),
        ('deadline = { cron = "0 0 31 2 *" }', "is none"),
        ('deadline = { cron = "0 0 * * *", grace = "P2D" }', "not shorter"),
        ('deadline = { cron = "0 0 1 * *", zone = "Mars" }', "such as Europe/Berlin"),
        ('deadline = { cron = "0 0 1 * *", country = "XX" }', "no holidays"),
        ('deadline = { cron = "0 0 1 * *", clock = "wall" }', "observed, landed"),
        ('deadline = { cron = "0 0 1 * *", since = 2026-01-01T00:00:00 }', "with a zone"),
        ('deadline = { cron = "0 0 1 * *", graze = "P1D" }', "did you mean 'grace'"),
        ('max_age = "P1X"', "ISO 8601"),
        ("max_age = 7", "max_age"),
        ('warn_before = "P1M"', "warn_before"),
    ],
)
def test_each_mistake_of_an_override_has_its_sentence(tmp_path: Path, line: str, says: str) -> None:
    assert says in mistakes(tmp_path, GOOD + DUE + line + "\n", JIRA_TOKEN="t")
