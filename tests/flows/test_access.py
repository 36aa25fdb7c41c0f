"""Who may look is data, refused by default, and ends when it says so."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from dashboards.access import Role, by_token, digest_of
from evidence.errors import ConfigError
from evidence.excerpt import Excerpt
from flows.access import Granted, checked, new_token, show
from flows.config import load
from flows.show import show_board
from flows.terminal import Table
from tests.flows.conftest import Home

TOKEN = "a token that nobody guesses, 1"
AUDITOR = f"""
[[access]]
name = "acme"
role = "auditor"
token_sha256 = "{digest_of(TOKEN)}"
from = 2026-11-01T00:00:00Z
until = 2126-12-24T00:00:00+01:00
systems = ["credit-scoring", ""]
controls = ["A.6.2.4", "iso42001:A.7.4"]
period = {{ from = 2026-01-01T00:00:00Z }}
"""
READER = '\n[[access]]\nname = "wall"\nrole = "reader"\ntoken = "env:WALL"\n'


def written(home: Home, *tables: str) -> Path:
    return home(extra="".join(tables))


def test_the_tables_are_read(home: Home) -> None:
    grants = load(written(home, AUDITOR, READER), {"WALL": TOKEN + "2"}).access
    assert [(g.name, g.role) for g in grants] == [("acme", Role.AUDITOR), ("wall", Role.READER)]
    assert grants[0].excerpt == Excerpt(
        ("credit-scoring", ""), ("iso42001:A.6.2.4", "iso42001:A.7.4"),
        datetime(2026, 1, 1, tzinfo=UTC), None,
    )  # fmt: skip
    assert by_token(grants, TOKEN) is grants[0]
    assert by_token(grants, TOKEN + "2") is grants[1]
    assert by_token(grants, "") is by_token(grants, TOKEN[:-1]) is None
    assert TOKEN not in repr(grants)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("auditor", "boss"), "role must be one of reader, governance, auditor, admin"),
        (("token_sha256", "tokn"), "unknown key 'tokn'; did you mean 'token'"),
        (("token_sha256 =", 'group = "x"\ntoken_sha256 ='), "exactly one of token"),
        (("until = 2126-12-24T00:00:00+01:00", ""), "an auditor's access needs an until"),
        (("2126-12-24T00:00:00+01:00", "2126-12-24T00:00:00"), "until has no zone"),
        (("2126-12-24T00:00:00+01:00", "2025-12-24T00:00:00Z"), "until must be later than from"),
        (("2126-12-24T00:00:00+01:00", '"soon"'), "access acme: until"),
        (('"acme"', '"Acme Inc"'), "name must be of a to z"),
        (("{ from", "{ since"), "unknown key 'since'; write from"),
        (("from = 2026-11", "since = 2026-11"), "unknown key 'since'; write from"),
        ((digest_of(TOKEN), TOKEN), "64 hexadecimal digits"),
        (("systems = [", "systems = [1, "), "access acme: systems"),
    ],
    ids=lambda value: value[1][:20] if isinstance(value, tuple) else None,
)
def test_each_mistake_is_told(home: Home, change: tuple[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as raised:
        load(written(home, AUDITOR.replace(*change)), {})
    assert TOKEN not in str(raised.value)


def test_short_and_shared_tokens_are_refused(home: Home) -> None:
    with pytest.raises(ConfigError, match="shorter than 24 characters") as raised:
        load(home(folder="short", extra=READER), {"WALL": "hunter2"})
    assert "hunter2" not in str(raised.value)
    with pytest.raises(ConfigError, match="access acme has the same token"):
        load(written(home, AUDITOR, READER), {"WALL": TOKEN})
    with pytest.raises(ConfigError, match="no secrets in this file"):
        load(home(folder="clear", extra=READER.replace("env:WALL", TOKEN)), {})


def test_a_control_that_is_none_is_told_before_anybody_is_shown_less(home: Home) -> None:
    file = written(home, AUDITOR.replace("A.6.2.4", "A.6.2.44"))
    with pytest.raises(ConfigError, match=r"'iso42001:A\.6\.2\.44' is no control"):
        checked(load(file))
    with pytest.raises(ConfigError, match="is no control"):
        show_board(file, 0, None, None, open_loopback=False)


def test_what_is_taken_out_of_the_file_ends_at_once(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    file = written(home, AUDITOR)
    granted, whole = Granted(file), file.read_text()
    assert [grant.name for grant in granted()] == ["acme"]
    file.write_text(whole.replace(AUDITOR, ""))
    assert granted() == ()
    file.write_text(whole)
    assert len(granted()) == 1
    file.write_text(whole + "not toml")
    assert granted() == granted() == ()
    assert "nobody is granted anything" in caplog.text
    os.unlink(file)
    assert granted() == ()


def test_the_board_opens_to_nobody_by_default(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADWATER_BOARD_TOKEN", raising=False)
    with pytest.raises(ConfigError, match=r"write who may read as \[\[access\]\]"):
        show_board(home(folder="bare"), 0, None, None, open_loopback=False)
    with pytest.raises(ConfigError, match="would let in everybody"):
        show_board(written(home, AUDITOR), 0, None, None, open_loopback=True)
    with pytest.raises(ConfigError, match=r"--host 192\.0\.2\.1: beyond this machine"):
        show_board(home(folder="far"), 0, None, None, open_loopback=True, host="192.0.2.1")


def test_it_is_listed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(written(home, AUDITOR)) == 0
    out = capsys.readouterr().out
    assert "acme" in out
    assert TOKEN not in out
    over = AUDITOR.replace("2126-12-24", "2026-11-02").replace("from = 2026-11-01T00:00:00Z\n", "")
    assert show(home(folder="over", extra=over)) == 3


def test_a_new_token_fits_its_digest(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    new_token(said.append)
    token, line = said[0].split()[1], said[1]
    assert line == f'token_sha256 = "{digest_of(token)}"'
    assert len(token) >= 43


LOGIN = """
[login]
issuer = "https://id.example"
client_id = "headwater"
client_secret = "env:CLIENT"
url = "https://board.example"
"""


def test_a_login_is_read_and_its_secret_hidden(home: Home) -> None:
    by_group = '\n[[access]]\nname = "team"\nrole = "reader"\ngroup = "staff"\n'
    config = load(home(extra=LOGIN + by_group), {"CLIENT": "s3cret of the client"})
    assert config.login is not None
    assert config.login.callback == "https://board.example/login/callback"
    assert "s3cret" not in repr(config)
    with pytest.raises(ConfigError, match=r"say in \[login\] which identity"):
        load(home(folder="none", extra=by_group))
    with pytest.raises(ConfigError, match="must begin with https"):
        load(home(folder="open", extra=LOGIN.replace("https://id", "http://id")), {"CLIENT": "x"})


def test_no_access_is_a_sentence_and_no_empty_table(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(home(folder="none")) == 0
    assert "No [[access]] is written: nobody but the owner" in capsys.readouterr().out


def test_a_table_on_a_narrow_terminal_cuts_no_name_off() -> None:
    table = Table("template", "title", "due")
    table.add_row("a-template-of-a-long-name", "What it is called " * 4, "2026-12-01")
    console = Console(file=io.StringIO(), width=40)
    console.print(table)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in told
    assert "2026-12-01" in told
