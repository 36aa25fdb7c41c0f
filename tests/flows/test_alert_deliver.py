"""Alerts from a real lake to a real receiver: told once, recorded, shown when not taken."""

from __future__ import annotations

import json
import random
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import TypeVar

import pytest
from typer.testing import CliRunner

from dashboards.model import LakeFacts, SourceRow
from evidence.errors import ConfigError, LakeError
from flows import alerting, check, status
from flows._alerts.causes import seen
from flows._alerts.deliver import remembered
from flows._alerts.kinds import KINDS
from flows._alerts.unsent import unsent
from flows.alert import alert
from flows.attention import attention, cause_of, cause_of_source
from flows.config import load, now
from flows.pull import attempt
from flows.verbs.tell import alerts
from storage.lake import Lake
from storage.views import ask, connect
from tests.flows.conftest import Home, numbers
from tests.flows.house import make_house
from tests.flows.receiver import Receiver, Say, listening
from tests.storage.smtp import serve

T = TypeVar("T")
SLACK = '\n[[alert]]\nname = "chat"\nkind = "slack"\nurl = "env:CHAT"\n'
HOOK = """
[[alert]]
name = "hook"
kind = "webhook"
url = "env:HOOK"
secret = "env:HOOK_SECRET"
"""


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with listening(Receiver()) as receiver:
        monkeypatch.setenv("CHAT", f"{receiver.url}/services/chat")
        monkeypatch.setenv("HOOK", f"{receiver.url}/in/hook")
        monkeypatch.setenv("HOOK_SECRET", "a secret of 24 signs and more")
        yield receiver


class AlwaysFirst(random.Random):
    """Chance that is none: what passed, for the first system."""

    def choice(self, options: Sequence[T]) -> T:  # type: ignore[override]
        return options[0]


def lake_of(config: Path) -> Lake:
    settings = load(config)
    return Lake.open(settings.lake, clock=now, redactor=settings.redactor())


def acts(config: Path) -> list[dict[str, object]]:
    sql = "select outcome, payload from evidence where subject = 'alert' order by landed_at"
    with connect(lake_of(config)) as connection:
        rows = ask(connection, sql).rows
    return [{"outcome": row[0]} | json.loads(str(row[1]))["facts"] for row in rows]


def sent(config: Path) -> tuple[int, list[str]]:
    said: list[str] = []
    return alerting.send(config, said.append), said


def test_an_empty_house_is_told_once_in_one_message(home: Home, chat: Receiver) -> None:
    config = home(extra=SLACK)
    assert sent(config)[0] == 0
    assert len(chat.got) == 1
    looked, told = acts(config)
    opened = looked["opened"]
    assert isinstance(opened, list)
    assert len(opened) > 20
    assert isinstance(told["messages"], list)
    (message,) = told["messages"]
    assert (message["line"], message["taken"], message["answer"]) == ("chat", True, "HTTP 200")
    assert message["by_number"] > 10
    assert "services/chat" not in json.dumps(message)
    version = lake_of(config).version
    assert sent(config) == (0, ["nothing was due"])
    assert lake_of(config).version == version  # what does not change does not land
    assert len(chat.got) == 1


def test_without_channels_nothing_lands_and_the_verbs_say_so(home: Home) -> None:
    config = home()
    before = lake_of(config).version
    assert alert.fn(str(config)).message.startswith("no [[alert]] is configured")
    assert acts(config) == []
    assert lake_of(config).version - before <= 1  # the mapping
    with pytest.raises(ConfigError, match="nobody is to be told"):
        sent(config)


def test_what_is_not_taken_shows_everywhere_and_comes_later(
    home: Home, chat: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    config = home(extra=SLACK + HOOK)
    chat.answer = lambda got: Say(  # type: ignore[method-assign]
        200 if "hook" in got.path else 403, b"" if "hook" in got.path else b"action_prohibited"
    )
    state = alert.fn(str(config))
    assert (state.is_failed(), state.message) == (
        True, "1 of 2 messages taken; nothing is taken by chat",
    )  # fmt: skip
    (note,) = unsent(load(config))
    assert "Alerts to chat are not taken" in note.sentence
    assert "action_prohibited" in note.sentence
    assert status.show(config, None, fail_on="failed", as_json=False) == 3
    assert "Alerts to chat" in " ".join(capsys.readouterr().out.split())
    said = list[str]()
    assert alerting.list_open(config, said.append) == 3
    assert any(line.startswith("NOT taken chat") for line in said)
    with pytest.raises(LakeError, match="Alerts to chat are not taken"):
        check._alerts(load(config))
    assert acts(config)[-1]["outcome"] == "failed"
    del chat.answer  # type: ignore[method-assign]
    _later(config)
    assert sent(config)[0] == 0
    assert list(unsent(load(config))) == []
    hooked = [got.json for got in chat.got if "hook" in got.path]
    assert "alerts to chat" in {n["cause"] for body in hooked for n in body["notices"]}


def _later(config: Path) -> None:
    """As if an hour had passed since the last attempt."""
    alerting.keep_change(
        load(config), "test", {"name": "later"},
        lambda memory: replace(memory, lines={
            name: replace(line, rest=None, claim="", until=None)
            for name, line in memory.lines.items()
        }),
    )  # fmt: skip


def test_two_that_send_at_once_send_once(home: Home, chat: Receiver) -> None:
    config = home(extra=SLACK)
    alerting.follow(lake_of(config), load(config))
    chat.usual = Say(delay=0.3)
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(sent(config)[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert codes == [0, 0]
    assert len(chat.got) == 1


def test_preview_changes_nothing_and_names_whom_nobody_tells(home: Home, chat: Receiver) -> None:
    config = home(extra=SLACK + 'severities = ["failed"]\n')
    alerting.follow(lake_of(config), load(config))
    version, said = lake_of(config).version, list[str]()
    assert alerting.preview(config, said.append) == 0
    assert lake_of(config).version == version
    assert chat.got == []
    assert said[0] == "nothing is due"
    assert sum(line.startswith("for nobody") for line in said) > 10


def test_a_test_is_sent_for_real_and_recorded(home: Home, chat: Receiver) -> None:
    config, said = home(extra=SLACK), list[str]()
    assert alerting.test(config, "chat", said.append) == 0
    assert "a test of alerts" in chat.got[0].json["text"]
    chat.usual = Say(404, b"no_team")
    assert alerting.test(config, "chat", said.append) == 1
    assert [act["outcome"] for act in acts(config)] == ["passed", "failed"]
    with pytest.raises(ConfigError, match="no alert is named x; known: chat"):
        alerting.test(config, "x", said.append)


def test_a_hush_is_kept_shown_and_ended(home: Home, chat: Receiver) -> None:
    config, said = home(extra=SLACK), list[str]()
    who = ("hush", "move", "--by", "Ada Brandt", "--why", "database moves", "-c", str(config))
    for until in ("2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "soon"):
        assert "--until" in str(CliRunner().invoke(alerts, [*who, "--until", until]).exception)
    tomorrow = (now() + timedelta(days=1)).isoformat()
    done = CliRunner().invoke(alerts, [*who, "--until", tomorrow])
    assert (done.exit_code, "the board says so" in done.output) == (0, True)
    assert sent(config) == (0, ["nothing was due"])
    assert chat.got == []
    (note,) = unsent(load(config))
    assert "Nobody is told of anything until" in note.sentence
    assert alerting.unhush(config, "move", "Ada Brandt", said.append) == 0
    assert sent(config)[0] == 0
    assert len(chat.got) == 1
    with pytest.raises(ConfigError, match="no hush is named 'move'; known: none"):
        alerting.unhush(config, "move", "Ada Brandt", said.append)


def test_who_has_a_cause_in_hand_is_kept_and_shown(home: Home, chat: Receiver) -> None:
    config, said = home(extra=SLACK), list[str]()
    assert sent(config)[0] == 0
    alerting.list_open(config, said.append)
    key = next(line.split()[-1] for line in said if line.strip().startswith("key "))
    words = [key, "--by", "Ada Brandt", "-c", str(config)]
    why = ["--why", "ordered", "--until", (now() + timedelta(days=1)).isoformat()]
    with_none = CliRunner().invoke(alerts, ["ack", "nothing", *words[1:], *why])
    assert "none is open with the key 'nothing'" in str(with_none.exception)
    assert CliRunner().invoke(alerts, ["ack", *words, *why]).exit_code == 0
    assert (acts(config)[-1]["what"], acts(config)[-1]["by"]) == ("ack", "Ada Brandt")
    (note,) = unsent(load(config))
    assert "Ada Brandt has it until" in note.sentence
    assert CliRunner().invoke(alerts, ["unack", *words]).exit_code == 0
    assert list(unsent(load(config))) == []
    again = CliRunner().invoke(alerts, ["unack", *words])
    assert "nobody has" in str(again.exception)


def test_a_source_that_is_down_is_one_cause_and_hides_the_rest(home: Home) -> None:
    house = make_house(home())
    house.rng = AlwaysFirst()
    house.land()
    house.follow()
    landed, judged = house.clock.now, house.judge(None)  # as of today, long after
    row = SourceRow("checks", "tests:None", "refused", landed, landed, 3, error="HTTP 401")
    facts = LakeFacts(0, 0, None, "", "", 0, "")
    found = seen(judged, list(attention(judged, [row], facts)), [row])
    causes = {cause.key: cause for cause in found.causes}
    told = causes[cause_of_source("checks")]
    hidden = {cause_of(v): v for v in judged.verdicts if v.source == "checks" and not v.in_date}
    assert hidden
    assert found.blind == hidden.keys()
    assert not hidden.keys() & causes.keys()
    assert f"hides how {len(hidden)} kinds of evidence" in told.sentence
    assert {v.control for v in hidden.values()} <= set(told.controls)
    sound = seen(judged, list(attention(judged, [], facts)), [])
    assert hidden.keys() <= {cause.key for cause in sound.causes}


def test_every_example_of_the_page_loads(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs/alerts.md").read_text()
    examples = "\n".join(re.findall(r"```toml\n(.*?)```", page, re.S))
    for name in re.findall(r"env:(\w+)", examples):
        monkeypatch.setenv(name, "a secret that is long enough to sign")
    mail = '[mail]\nhost = "smtp.example.org"\nsender = "h@example.org"\n'
    channels = load(home(extra=mail + examples)).channels
    assert {channel.kind for channel in channels} == set(KINDS)


REGISTERS = {
    "ai_inventory": "{id: credit, name: Credit, owner: Lena Holm}",
    "roles": "{id: gov, name: Governance, person: Lena Holm, mail: lena@example.org}",
    "soa": '{id: "5.2", applicable: true, reason: asked of all, owner: Max Roth}',
}


def test_each_owner_is_written_to_where_the_register_of_roles_says(
    home: Home, tmp_path: Path
) -> None:
    repository = tmp_path / "governance"
    (repository / "registers").mkdir(parents=True)
    for name, record in REGISTERS.items():
        file = repository / "registers" / f"{name}.yaml"
        file.write_text(f"register: {name}\nreviewed: 2026-11-02\nrecords:\n- {record}\n")
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(repository), *command], check=True)
    table = 'name = "r"\nuses = "collectors.git_registers:GitRegisters"\ndocuments = ""\n'
    with serve() as box:
        mail = f'[mail]\nhost = "127.0.0.1"\nport = {box.port}\ntls = "none"\nsender = "h@x.org"\n'
        owners = (
            '[[alert]]\nname = "own"\nkind = "mail"\nto = "owners"\nunowned = "rest@x.org"\n'
            '[alerts.people]\n"Max Roth" = "max@example.org"\n'
        )
        config = home(f'{table}repository = "{repository}"', extra=mail + owners)
        attempt(lake_of(config), load(config).sources[0], now)
        assert sent(config)[0] == 0
    letters = {
        str(m["To"]): m.get_content()
        for m in (message_from_bytes(raw, policy=default) for raw in box.messages)
    }
    assert set(letters) == {"lena@example.org", "max@example.org", "rest@x.org"}
    assert "Owner: Lena Holm." in " ".join(letters["lena@example.org"].split())
    assert "Lena Holm" not in letters["max@example.org"]
    assert "Owner:" not in letters["rest@x.org"]


def test_the_memory_survives_other_acts_and_maintenance(home: Home, chat: Receiver) -> None:
    from flows.upkeep import keep_lean

    config = home(numbers("one", upto=4, size=2), extra=SLACK)
    sent(config)
    before = remembered(lake_of(config))
    keep_lean(load(config))
    assert remembered(lake_of(config)) == before
    assert before.causes
