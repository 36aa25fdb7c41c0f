"""A session that somebody else ends: at once, from the board or the terminal, and on record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from dashboards.access import digest_of
from dashboards.server import serving
from dashboards.sessions import Sessions
from evidence.errors import ConfigError, LakeBusy
from flows import sessions as ends
from flows.access import Granted, show
from flows.config import Config, load
from flows.read_log import ReadLog
from flows.serve import free_port
from flows.sessions import end_session, land_ended, sessions
from flows.setup import initialise
from flows.show import board_app
from tests.dashboards.identity import CLIENT, SECRET, Identity
from tests.dashboards.test_login import Browser
from tests.flows.conftest import Home, rows

ADMIN = "the token of the admin, quite long"
_FACTS = ", ".join(f"payload->>'$.facts.{name}'" for name in ("subject", "why", "via"))
HELD = (
    f"SELECT actor, {_FACTS} FROM evidence "
    "WHERE kind = 'headwater.action' AND subject = 'session' ORDER BY 3"
)
BEARER = {"Authorization": f"Bearer {ADMIN}"}


@dataclass
class House:
    config: Config
    url: str
    identity: Identity
    kept: Sessions

    def sign_in(self, subject: str, group: str = "staff") -> Browser:
        self.identity.who = {"sub": subject, "groups": [group], "preferred_username": "pat"}
        browser = Browser()
        assert browser.ask(browser.to_callback(self.url))[0] == 303
        assert browser.ask(f"{self.url}/you")[0] == 200
        return browser

    def key(self, subject: str) -> str:
        return next(one.key for one in self.kept.open() if one.subject == subject)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    identity, port = Identity(), free_port()
    file = tmp_path_factory.mktemp("ended") / "headwater.toml"
    list(initialise(file.parent, "Test House"))
    with serving(identity.app()) as identity.url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OIDC_CLIENT_SECRET", SECRET)
        file.write_text(
            file.read_text()
            + f"""
[login]
issuer = "{identity.url}"
client_id = "{CLIENT}"
client_secret = "env:OIDC_CLIENT_SECRET"
url = "http://127.0.0.1:{port}"

[[access]]
name = "team"
role = "reader"
group = "staff"

[[access]]
name = "heads"
role = "admin"
group = "heads"

[[access]]
name = "keeper"
role = "admin"
token_sha256 = "{digest_of(ADMIN)}"
"""
        )
        config = load(file)
        log = ReadLog(config)
        with serving(board_app(config, token=None, note=log.note), port=port) as url:
            yield House(config, url, identity, sessions(config))


def test_an_admin_ends_all_sessions_of_a_person_and_that_lands(house: House) -> None:
    first, second, other = house.sign_in("u-1"), house.sign_in("u-1"), house.sign_in("u-2")
    admin = house.sign_in("u-3", "heads")
    page = admin.ask(f"{house.url}/access")[1]
    assert page.count("pat (u-1)") >= 2
    there = f"{house.url}/access/{house.key('u-1')}"
    assert f'href="/access/{house.key("u-1")}"' in page
    status, page = admin.ask(there)
    assert (status, "form-action 'self'" in admin.headers["content-security-policy"]) == (200, True)
    csrf = re.findall('name="csrf" value="([^"]+)"', page)[0]
    given = {"csrf": csrf, "session": house.key("u-1"), "why": "left <b>today</b>"}

    def sent(browser: Browser, **changed: str) -> tuple[int, str]:
        return browser.ask(f"{house.url}/access/end", urlencode(given | changed).encode())

    assert sent(other)[0] == 403, "a reader ends nobody"
    assert other.ask(there)[0] == 403
    assert sent(admin, csrf="wrong")[0] == 403
    assert sent(admin, why=" ")[0] == 400
    assert sent(admin, session="nobody")[0] == 404
    assert first.ask(f"{house.url}/you")[0] == 200, "until then nothing ended"
    status, page = sent(admin)
    assert (status, page.count("All sessions of")) == (200, 1)
    for gone in (first, second):
        assert gone.ask(f"{house.url}/")[0] == 303
    assert other.ask(f"{house.url}/you")[0] == 200
    assert sent(admin)[0] == 404, "it is over"
    told = ("pat (u-3)", "u-1", "left <b>today</b>", "board")
    assert rows(house.config.file, HELD) == [told, told], "two sessions, two records"
    assert house.sign_in("u-1").ask(f"{house.url}/you")[0] == 200, "an access still names them"


def test_a_token_ends_sessions_too_and_the_terminal_does(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    browser = house.sign_in("u-5")
    body = urlencode({"session": house.key("u-5"), "why": "by token"}).encode()
    assert Browser().ask(f"{house.url}/access/end", body)[0] == 401
    assert Browser().ask(f"{house.url}/access/end", body, **BEARER)[0] == 200
    assert browser.ask(f"{house.url}/")[0] == 303
    browser = house.sign_in("u-6")
    show(house.config.file)
    assert "u-6" in capsys.readouterr().out
    said: list[str] = []
    with pytest.raises(ConfigError, match=r"nobody is signed in as 'u-66'.*u-6"):
        end_session(house.config.file, "u-66", "Pat Lead", "lost a laptop", said.append)
    with pytest.raises(ConfigError, match="--why is empty"):
        end_session(house.config.file, "u-6", "Pat Lead", " ", said.append)
    assert browser.ask(f"{house.url}/you")[0] == 200
    assert end_session(house.config.file, "u-6", "Pat Lead", "lost a laptop", said.append) == 0
    assert browser.ask(f"{house.url}/")[0] == 303
    assert ("Pat Lead", "u-6", "lost a laptop", "terminal") in rows(house.config.file, HELD)
    assert house.kept.ended() == []


def test_who_was_ended_stays_ended_while_the_lake_takes_nothing_and_lands_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, said = house.sign_in("u-7"), list[str]()

    def full(*_: object) -> None:
        raise LakeBusy("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(ends, "land_own", full)
        assert end_session(house.config.file, "u-7", "Pat Lead", "gone", said.append) == 1
    assert "no space left" in said[-1]
    assert browser.ask(f"{house.url}/")[0] == 303
    Sessions(house.kept.folder, house.kept.clock).clear()  # as a server does that begins anew
    kept = {file: file.read_bytes() for file in house.kept.folder.glob("*.json")}
    assert land_ended(house.config) == 1
    for file, content in kept.items():  # killed before it forgot
        file.write_bytes(content)
    with ReadLog(house.config).running():
        pass
    assert house.kept.ended() == []
    assert [row for row in rows(house.config.file, HELD) if row[1] == "u-7"] == [
        ("Pat Lead", "u-7", "gone", "terminal")
    ]


def test_an_end_that_cannot_be_kept_ends_all_the_same_and_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = house.sign_in("u-8")
    body = urlencode({"session": house.key("u-8"), "why": "now"}).encode()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Sessions, "_write", full)
    page = Browser().ask(f"{house.url}/access/end", body, **BEARER)[1]
    assert "There is no record of it" in page
    assert browser.ask(f"{house.url}/")[0] == 303


def test_a_token_in_a_file_ends_when_that_file_is_another(home: Home, tmp_path: Path) -> None:
    token = tmp_path / "wall.token"
    token.write_text(ADMIN)
    file = home(extra=f'\n[[access]]\nname = "wall"\nrole = "reader"\ntoken = "file:{token}"\n')
    granted = Granted(file)
    assert [one.token_sha256 for one in granted()] == [digest_of(ADMIN)]
    token.write_text("another token, quite as long as that")
    assert [one.token_sha256 for one in granted()] == [digest_of(token.read_text())]
    token.unlink()
    assert granted() == ()
    token.write_text(ADMIN)
    assert len(granted()) == 1
