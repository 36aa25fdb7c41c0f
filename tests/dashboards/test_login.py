"""Signing in against a real provider over HTTP, and every way in that must stay shut."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from dashboards.access import Grant, Role
from dashboards.gate import Gate
from dashboards.login import COOKIE, Login, inside
from dashboards.provider import Provider
from dashboards.server import app, serving
from dashboards.sessions import Sessions
from evidence.errors import ConfigError
from evidence.secret import Secret
from tests.dashboards.boards import demo_board, reads_of
from tests.dashboards.identity import CLIENT, SECRET, Identity

BOARD = demo_board()
PAST = datetime(2020, 1, 1, tzinfo=UTC)
GRANTS = [
    Grant("lead", Role.GOVERNANCE, subject="u-1"),
    Grant("team", Role.READER, group="staff"),
    Grant("gone", Role.ADMIN, group="former", until=PAST),
    Grant("less", Role.READER, subject="u-2", until=PAST),
]


@dataclass
class Clock:
    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Browser:
    """Keeps cookies and follows nothing by itself."""

    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def ask(
        self, url: str, body: bytes | None = None, accept: str = "text/html", **more: str
    ) -> tuple[int, str]:
        """Status and page."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        sent = {"Accept": accept, **more}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("GET" if body is None else "POST", path, body, sent)
            answer = connection.getresponse()
            self.headers = {name.lower(): value for name, value in answer.getheaders()}
            self._keep(answer.headers.get_all("set-cookie") or [])
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def _keep(self, lines: list[str]) -> None:
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                if morsel["expires"].startswith("Thu, 01 Jan 1970"):
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value

    def to_callback(self, board: str, following: str = "/") -> str:
        """Sign in as far as the provider's answer: the address that it sends back to."""
        assert self.ask(f"{board}/login?next={quote(following)}")[0] == 302
        status, _ = Browser().ask(there := self.headers["location"])
        assert status == 302, there
        return _location(there)


def _location(url: str) -> str:
    browser = Browser()
    browser.ask(url)
    return browser.headers["location"]


@dataclass
class Place:
    """The board, its provider and its clock."""

    url: str
    identity: Identity
    clock: Clock
    login: Login

    def sign_in(self, following: str = "/") -> Browser:
        browser = Browser()
        assert browser.ask(browser.to_callback(self.url, following))[0] == 303
        return browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    identity, clock = Identity(), Clock()
    with serving(identity.app()) as identity.url:
        gate = _gate(identity, clock, tmp_path_factory.mktemp("sessions"))
        with serving(gate) as url:
            assert gate.door.login is not None
            # The port is known only now; a provider is told it beforehand.
            object.__setattr__(gate.door.login.provider, "url", url)
            yield Place(url, identity, clock, gate.door.login)


def _gate(identity: Identity, clock: Clock, folder: Path) -> Gate:
    provider = Provider(identity.url, CLIENT, "http://127.0.0.1:1", Secret(SECRET))
    return app(
        reads_of(BOARD), token=None, allow_loopback=False,
        grants=lambda: GRANTS, note=lambda _: None,
        login=Login(provider, clock, lambda: GRANTS, Sessions(folder, clock)),
    )  # fmt: skip


@pytest.fixture
def place(served: Place) -> Iterator[Place]:
    yield served
    fresh = Identity(url=served.identity.url)
    for name in ("who", "claims", "told", "form", "sloppy", "signer"):
        setattr(served.identity, name, getattr(fresh, name))
    served.clock.ahead = timedelta()


def test_a_person_signs_in_reads_and_signs_out_everywhere(place: Place) -> None:
    browser = Browser()
    place.identity.claims = {"exp": int(datetime.now(UTC).timestamp()) + 10 * 3600}
    assert browser.ask(f"{place.url}/controls?state=stale")[0] == 303
    assert browser.headers["location"] == "/login?next=/controls%3Fstate%3Dstale"
    back = browser.to_callback(place.url, "/controls?state=stale")
    assert browser.ask(back)[0] == 303
    assert browser.headers["location"] == "/controls?state=stale"
    cookie = browser.headers["set-cookie"].lower()
    for flag in ("httponly", "secure", "samesite=lax", "path=/;", "max-age=28800"):
        assert flag in cookie
    assert "domain" not in cookie
    status, page = browser.ask(f"{place.url}/controls?state=stale")
    assert (status, "Brookside" in page) == (200, True)
    asked = place.identity.asked[-1]
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert asked["nonce"]
    assert asked["redirect_uri"] == f"{place.url}/login/callback"

    (known,) = [one for one in place.login.kept.open() if "u-1" in one.person]
    assert known.until - known.since == timedelta(hours=8)
    status, page = browser.ask(f"{place.url}/you")
    csrf = re.findall('name="csrf" value="([^"]+)"', page)[0]
    copied = Browser(dict(browser.cookies))
    assert browser.ask(f"{place.url}/logout", b"csrf=wrong")[0] == 403
    assert browser.ask(f"{place.url}/you")[0] == 200, "a form from elsewhere signs nobody out"
    body = urlencode({"csrf": csrf}).encode()
    assert browser.ask(f"{place.url}/logout", body)[0] == 200
    assert known not in place.login.kept.open()
    for gone in (browser, copied):
        status, page = gone.ask(f"{place.url}/")
        assert (status, "Brookside" in page) == (303, False)


@pytest.mark.parametrize(
    ("claims", "form"),
    [
        ({"nonce": "another"}, "RS256"),
        ({"nonce": None}, "RS256"),
        ({"aud": "another client"}, "RS256"),
        ({"aud": None}, "RS256"),
        ({"aud": ["another client", "a third"], "azp": CLIENT}, "RS256"),
        ({"azp": "another client"}, "RS256"),
        ({"iss": "https://evil.example"}, "RS256"),
        ({"iss": None}, "RS256"),
        ({"exp": 1_600_000_000}, "RS256"),
        ({"exp": None}, "RS256"),
        ({"iat": 4_000_000_000, "nbf": 4_000_000_000}, "RS256"),
        ({"sub": None}, "RS256"),
        ({"sub": ""}, "RS256"),
        ({"sub": ["u-1"]}, "RS256"),
        ({"sub": "u" * 300}, "RS256"),
        ({"at_hash": "wrong"}, "RS256"),
        ({}, "none"),
        ({}, "HS256"),
        ({}, "unknown"),
    ],
    ids=lambda value: str(value)[:28] if value else "as it should be",
)
def test_a_token_that_does_not_fit_signs_nobody_in(
    place: Place, claims: dict[str, object], form: str, caplog: pytest.LogCaptureFixture
) -> None:
    place.identity.claims, place.identity.form = claims, form
    browser = Browser()
    status, page = browser.ask(browser.to_callback(place.url))
    assert (status, "Not signed in" in page) == (403, True)
    assert "nobody was signed in" in caplog.text
    assert browser.ask(f"{place.url}/")[0] == 303


def test_a_clock_may_be_a_little_off(place: Place) -> None:
    now = int(datetime.now(UTC).timestamp())
    place.identity.claims = {"exp": now - 20, "iat": now + 20}
    assert place.sign_in().ask(f"{place.url}/you")[0] == 200


def test_a_new_key_of_the_provider_is_found_and_an_old_one_ends(place: Place) -> None:
    place.sign_in()
    old = place.identity.keys[-1]
    place.identity.rotate()
    assert place.sign_in().ask(f"{place.url}/you")[0] == 200
    place.identity.signer = old
    browser = Browser()
    assert browser.ask(browser.to_callback(place.url))[0] == 403, "it is not named any more"


def test_an_answer_comes_back_once_and_to_its_own_browser_only(place: Place) -> None:
    place.identity.sloppy = True  # what the provider lets through must end here
    browser = Browser()
    back = browser.to_callback(place.url)
    before = dict(browser.cookies)
    assert Browser().ask(back)[0] == 403, "a link to the callback signs nobody in"
    browser = Browser(dict(before))
    back = browser.to_callback(place.url)
    kept = Browser(dict(browser.cookies))
    assert browser.ask(back)[0] == 303
    assert kept.ask(back)[0] == 403, "the same state a second time, with the cookie of the first"
    other = Browser()
    state = parse_qs(urlsplit(other.to_callback(place.url)).query)["state"][0]
    code = "never-given"
    assert other.ask(f"{place.url}/login/callback?code={code}&state={state}")[0] == 403
    assert Browser().ask(f"{place.url}/login/callback?code=x&state=y")[0] == 403
    assert Browser().ask(f"{place.url}/login/callback?error=access_denied")[0] == 403
    assert Browser().ask(f"{place.url}/login/callback")[0] == 403


def test_another_issuer_does_not_answer_for_ours(place: Place) -> None:
    browser = Browser()
    back = browser.to_callback(place.url)
    assert browser.ask(f"{back}&iss={quote('https://evil.example')}")[0] == 403


def test_a_session_from_before_signing_in_is_worth_nothing_after(place: Place) -> None:
    browser = Browser()
    browser.ask(browser.to_callback(place.url) and f"{place.url}/login")
    planted = dict(browser.cookies)
    victim = Browser(dict(planted))
    assert victim.ask(victim.to_callback(place.url))[0] == 303
    assert victim.cookies[COOKIE] != planted[COOKIE]
    assert Browser(planted).ask(f"{place.url}/")[0] == 303


@pytest.mark.parametrize("cut", [5, -5])
def test_a_cookie_is_not_edited(place: Place, cut: int) -> None:
    browser = place.sign_in()
    value = browser.cookies[COOKIE]
    at = cut % len(value)
    other = "A" if value[at] != "A" else "B"
    assert Browser({COOKIE: value[:at] + other + value[at + 1 :]}).ask(f"{place.url}/")[0] == 303


def test_a_session_ends_when_what_the_provider_said_runs_out(place: Place) -> None:
    place.identity.who = {"sub": "u-9", "groups": ["staff"]}
    browser = place.sign_in()  # its ID token holds for 300 seconds
    place.clock.ahead = timedelta(seconds=300)
    assert browser.ask(f"{place.url}/")[0] == 200, "a minute of skew"
    place.clock.ahead = timedelta(seconds=365)
    status, page = browser.ask(f"{place.url}/logout", b"csrf=x")
    assert (status, "Your session has ended" in page) == (401, True)
    assert browser.ask(f"{place.url}/")[0] == 303
    place.clock.ahead = timedelta()
    place.identity.who = {"sub": "u-9", "groups": []}
    assert place.sign_in().ask(f"{place.url}/")[0] == 403, "the role was taken away there"


def test_a_session_whose_file_is_gone_or_unreadable_does_not_hold(place: Place) -> None:
    folder = place.login.kept.folder
    for spoil in (
        Path.unlink,
        lambda file: file.write_text("{"),
        lambda file: file.write_text("[]"),
    ):
        browser = place.sign_in()
        made = max(folder.glob("*.json"), key=lambda file: file.stat().st_ctime_ns)
        assert made.stat().st_mode & 0o077 == 0
        spoil(made)
        assert browser.ask(f"{place.url}/")[0] == 303


def test_nobody_is_signed_in_by_a_server_that_cannot_keep_it(place: Place) -> None:
    kept, place.login.kept = place.login.kept, Sessions(Path("/proc/nothing"), place.clock)
    try:
        browser = Browser()
        status, page = browser.ask(browser.to_callback(place.url))
        assert (status, "cannot keep who is signed in" in page) == (503, True)
        assert browser.ask(f"{place.url}/")[0] == 303
    finally:
        place.login.kept = kept


def test_a_session_ends_by_itself(place: Place) -> None:
    place.identity.claims = {"exp": int(datetime.now(UTC).timestamp()) + 10 * 3600}
    browser = place.sign_in()
    place.clock.ahead = timedelta(hours=8, seconds=5)
    assert browser.ask(f"{place.url}/")[0] == 303
    place.clock.ahead = timedelta()
    assert browser.ask(f"{place.url}/")[0] == 303, "and stays ended"


@pytest.mark.parametrize(
    ("who", "status", "told"),
    [
        ({"sub": "u-9", "groups": ["staff"]}, 200, "team"),
        ({"sub": "u-9", "groups": "staff"}, 200, "team"),
        ({"sub": "u-9", "groups": ["former", "staff"]}, 200, "team"),
        ({"sub": "u-9", "groups": ["former"]}, 403, "ended at 2020-01-01"),
        ({"sub": "u-2", "groups": ["staff"]}, 403, "ended at 2020-01-01"),
        ({"sub": "u-9", "groups": []}, 403, "no access names you"),
        ({"sub": "u-9", "groups": [{"x": "staff"}]}, 403, "no access names you"),
        ({"sub": "u-9"}, 403, "no access names you"),
        ({"sub": "u-9", "email": "u-1", "preferred_username": "u-1"}, 403, "no access names you"),
    ],
    ids=range(9),
)
def test_who_is_signed_in_sees_what_an_access_says(
    place: Place, who: dict[str, object], status: int, told: str
) -> None:
    place.identity.who = who
    got, page = place.sign_in().ask(f"{place.url}/you")
    assert (got, told in page) == (status, True)


def test_a_person_of_very_many_groups_is_signed_in_all_the_same(place: Place) -> None:
    """A cookie of more than 4096 bytes would be dropped, and the sign-in begin anew for ever."""
    place.identity.who = {"sub": "u-9", "groups": [f"group {n}" for n in range(5000)] + ["staff"]}
    browser = place.sign_in()
    assert len(browser.cookies[COOKIE]) < 1000
    assert browser.ask(f"{place.url}/you")[0] == 200


def test_an_access_that_is_taken_away_ends_an_open_session(place: Place) -> None:
    browser = place.sign_in()
    kept = GRANTS[0]
    GRANTS[0] = Grant("lead", Role.GOVERNANCE, subject="u-1", until=PAST)
    try:
        assert browser.ask(f"{place.url}/")[0] == 403
    finally:
        GRANTS[0] = kept
    assert browser.ask(f"{place.url}/you")[0] == 200


@pytest.mark.parametrize(
    "told",
    [{"issuer": "https://evil.example"}, {"token_endpoint": "http://192.0.2.1/token"},
     {"jwks_uri": "http://192.0.2.1/keys"}, {"authorization_endpoint": "javascript:alert(1)"},
     {"jwks_uri": None}],
    ids=range(5),
)  # fmt: skip
def test_a_provider_that_is_another_than_configured_is_not_asked(
    place: Place, told: dict[str, object]
) -> None:
    place.identity.told = told
    status, page = Browser().ask(f"{place.url}/login")
    assert (status, "Nobody can sign in now" in page) == (503, True)


@pytest.mark.parametrize(
    "address",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "",
     "/x\r\nSet-Cookie: a=b", "/\tx", "\\/evil", "evil", "/ü"],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_signing_in(place: Place, address: str) -> None:
    assert inside(address) == "/"


def test_the_address_after_signing_in_is_checked_over_http(place: Place) -> None:
    for there in ("//evil.example/x", "/x\r\nX-Evil: yes"):
        browser = place.sign_in(there)
        assert browser.headers["location"] == "/"
        assert "x-evil" not in browser.headers


def test_a_program_is_not_sent_to_sign_in(place: Place) -> None:
    assert Browser().ask(f"{place.url}/board.json", accept="application/json")[0] == 401
    wrong = {"Authorization": "Bearer nothing that was given"}
    assert place.sign_in().ask(f"{place.url}/", None, "text/html", **wrong)[0] == 401


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"issuer": "http://id.example.org"}, "issuer 'http://id.example.org' must begin"),
        ({"url": "ftp://board"}, "url 'ftp://board' must begin"),
        ({"url": "https://board.example/sub"}, "must have no path"),
        ({"scopes": ("profile",)}, "scopes must hold"),
        ({"hours": 0.0}, "hours must be more"),
        ({"hours": 999.0}, "24 at most"),
    ],
    ids=range(6),
)
def test_a_provider_is_checked_at_birth(given: dict[str, object], told: str) -> None:
    known = {"issuer": "https://id.example", "client_id": "x", "url": "https://board.example"}
    with pytest.raises(ConfigError, match=re.escape(told)):
        Provider(**(known | given))  # type: ignore[arg-type]


def test_no_secret_shows(place: Place) -> None:
    assert SECRET not in repr(place.login)
    assert place.login.key not in repr(place.login)
