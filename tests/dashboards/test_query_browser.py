"""An auditor in a real browser signs in, asks, reads the answer on a telephone, and signs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from dashboards.access import Grant, Role
from dashboards.answers import Answered
from dashboards.login import COOKIE, Login
from dashboards.provider import Provider
from dashboards.questions import Asked, Questions, Saved, View, Wanted
from dashboards.reading import Read
from dashboards.server import app, serving
from dashboards.sessions import Sessions
from evidence.excerpt import Excerpt
from evidence.secret import Secret
from storage.dictionary import dictionary
from tests.dashboards.boards import HOSTILE, demo_board, reads_of
from tests.dashboards.browser import barriers, browser, complaints, look, requested
from tests.dashboards.identity import CLIENT, SECRET, Identity
from tests.dashboards.test_browser import CONTRAST

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SINCE = Wanted("since", "moment", "landed at or after it", "2000-01-01T00:00:00Z")
SAVED = Saved("what-landed", "What landed", "SELECT 1 WHERE $since", "Nothing landed.", (SINCE,))
NOTED: list[Read] = []


def answer(asked: Asked, excerpt: Excerpt, _gone: Callable[[], bool]) -> Answered:
    """Many rows, wide and hostile, as the lake may hold them."""
    rows = tuple((n, HOSTILE, "a title of a few words " * 4, "ab" * 32) for n in range(30))
    return Answered(
        asked.sql or SAVED.sql, ("n", HOSTILE, "title", "item_id"), rows, True, "now", 3, 7,
        "ab" * 32, "cd" * 32, "", asked.name, values=dict(asked.values), excerpt=excerpt,
    )  # fmt: skip


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    identity = Identity()
    ends, folder = datetime.now(UTC) + timedelta(days=1), tmp_path_factory.mktemp("sessions")
    views = [View(doc.name, doc.shows, doc.columns, doc.example) for doc in dictionary()]
    with serving(identity.app()) as identity.url:
        provider = Provider(identity.url, CLIENT, "http://127.0.0.1:1", Secret(SECRET))
        gate = app(
            reads_of(demo_board()), token=None, allow_loopback=False,
            grants=lambda: [Grant("acme", Role.AUDITOR, subject="u-1", until=ends)],
            questions=Questions(lambda: [SAVED], lambda: views, answer), note=NOTED.append,
            login=Login(provider, _now, tuple, Sessions(folder, _now)),
        )  # fmt: skip
        with serving(gate) as url:
            object.__setattr__(provider, "url", url)  # the port is known only now
            yield url


def test_an_auditor_signs_in_asks_and_signs_out(driver: Chrome, url: str) -> None:
    look(driver, f"{url}/query")
    assert driver.current_url == f"{url}/query", "signed in at the provider and sent back"
    assert "recorded in the lake" in driver.page_source
    driver.find_element(By.ID, "sql").send_keys("SELECT '<b>' AS x")
    driver.find_element(By.CSS_SELECTOR, "button[value=html]").click()
    WebDriverWait(driver, 60).until(lambda d: d.find_elements(By.ID, "answer"))
    assert len(driver.find_elements(By.CSS_SELECTOR, ".answer tbody tr")) == 30
    assert driver.find_element(By.ID, "sql").get_attribute("value") == "SELECT '<b>' AS x"
    assert not driver.find_elements(By.CSS_SELECTOR, "script, b")
    assert NOTED[-1].question == "SELECT '<b>' AS x"
    assert COOKIE not in driver.execute_script("return document.cookie")
    driver.get(f"{url}/you")
    driver.find_element(By.CSS_SELECTOR, "form button").click()
    WebDriverWait(driver, 60).until(lambda d: "Signed out" in d.page_source)
    assert complaints(driver) == []
    assert {address.split("/")[2].split(":")[0] for address in requested(driver)
            if address.startswith("http")} <= {"127.0.0.1"}  # fmt: skip


def test_neither_questions_nor_who_one_is_keep_anybody_out(driver: Chrome, url: str) -> None:
    """Judged by axe-core, signed in; every finding counts."""
    for page in ("/query", "/query/what-landed?since=2026-01-01T00:00:00Z", "/you"):
        look(driver, url + page)
        assert driver.current_url == url + page
        driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert barriers(driver) == [], page
        assert complaints(driver) == [], page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_question_and_answer_fit_and_can_be_read(
    driver: Chrome, url: str, width: int, scheme: str
) -> None:
    for page in ("/query", "/query/what-landed?since=2026-01-01T00:00:00Z"):
        look(driver, url + page, width=width, scheme=scheme)
        driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, page
        weak = {k: v for k, v in driver.execute_script(CONTRAST).items() if v < 4.5}
        assert weak == {}, page
        unnamed = driver.execute_script(
            "return [...document.querySelectorAll('input:not([type=hidden]), textarea')]"
            ".filter(e => !e.labels.length).length"
        )
        assert unnamed == 0
        ids = driver.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids))
    assert complaints(driver) == []
