"""Three people with the demo company's board in a real browser: who builds, who leads, who audits.

They sign in at a real provider by the [[access]] of a configuration file, over the real lake.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from dashboards.server import serving
from flows.access import checked
from flows.board_ready import shelf_of
from flows.config import Config, load, now
from flows.read_log import ReadLog
from flows.show import board_app
from storage.lake import Lake
from storage.pages import item_rows
from storage.proof import InclusionProof, check_inclusion
from storage.views import ask, connect
from tests.dashboards.browser import browser, complaints, look, pdf
from tests.dashboards.identity import CLIENT, SECRET, Identity

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo"), pytest.mark.timeout(400)]

WHO_MAY = """
[login]
issuer = "{issuer}"
client_id = "{client}"
client_secret = "file:secrets/client"
url = "http://127.0.0.1:1"

[[access]]
name = "builders"
role = "reader"
subject = "mira"

[[access]]
name = "leads"
role = "governance"
group = "ai-governance"

[[access]]
name = "acme-assurance"
role = "auditor"
subject = "ines"
until = {until}
systems = ["churn-predictor"]
"""
UNTIL = "2126-01-01T00:00:00Z"
SELF_APPROVED = "means version 3: nobody approved it"


@dataclass
class Office:
    """The served board, whom the provider signs in next, and a browser."""

    config: Config
    identity: Identity
    log: ReadLog
    url: str
    driver: Chrome

    def enter(self, who: str, *groups: str) -> None:
        """Sign this person in, on an empty browser."""
        self.driver.get(f"{self.url}/healthz")
        self.driver.delete_all_cookies()
        self.identity.who = {"sub": who, "groups": list(groups)}
        look(self.driver, self.url)
        assert self.driver.current_url.rstrip("/") == self.url, "signed in and sent back"

    def follow(self, words: str) -> None:
        """Click the link of these words."""
        self.driver.find_element(By.PARTIAL_LINK_TEXT, words).click()

    @property
    def text(self) -> str:
        """What the page says."""
        return str(self.driver.find_element(By.TAG_NAME, "body").text)

    @property
    def title(self) -> str:
        """Its heading."""
        return str(self.driver.find_element(By.TAG_NAME, "h1").text)

    def links(self) -> set[str]:
        """What the page's bar leads to."""
        bar = self.driver.find_element(By.CSS_SELECTOR, "header nav")
        return {one.text for one in bar.find_elements(By.TAG_NAME, "a")}

    def fetched(self, address: str) -> requests.Response:
        """A file that the person saves, by their session."""
        jar = {one["name"]: one["value"] for one in self.driver.get_cookies()}
        return requests.get(address, cookies=jar, timeout=60, allow_redirects=False)


@pytest.fixture(scope="module")
def office(company: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = Path(shutil.copytree(company, tmp_path_factory.mktemp("office") / "brookside"))
    identity, file = Identity(), folder / "headwater.toml"
    secret = folder / "secrets" / "client"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    with serving(identity.app()) as identity.url:
        told = WHO_MAY.format(issuer=identity.url, client=CLIENT, until=UNTIL)
        file.write_text(file.read_text() + told)
        config = checked(load(file))
        log, shelf = ReadLog(config), shelf_of(config)
        with (
            serving(board_app(config, token=None, note=log.note, shelf=shelf)) as url,
            browser(tmp_path_factory.mktemp("profile")) as driver,
        ):
            object.__setattr__(config.login, "url", url)  # the port is known only now
            yield Office(config, identity, log, url, driver)
        log.land()  # which closes its file


def test_who_builds_sees_why_a_source_is_silent_and_where_a_life_is_broken(office: Office) -> None:
    office.enter("mira")
    assert "clauses and controls" in office.title
    assert "Ask" not in office.links(), "questions are not for a reader"
    office.follow("tickets-emea")
    assert office.title == "tickets-emea"
    assert "no whole answer from 127.0.0.1:9" in office.text
    office.follow("Systems")
    office.follow("Churn prediction")
    broken = office.driver.find_element(By.ID, "table-broken").text
    assert "approval" in broken
    office.driver.find_element(By.CSS_SELECTOR, "#table-broken tbody a[href^='/items/']").click()
    assert office.driver.current_url.startswith(f"{office.url}/items/")
    assert "Proof that it is sealed" in office.text
    assert complaints(office.driver) == []
    office.driver.get(f"{office.url}/query")
    assert "Not open to you" in office.text


def test_who_leads_finds_what_needs_a_person_and_takes_it_to_the_review(office: Office) -> None:
    office.enter("lena", "ai-governance")
    assert SELF_APPROVED in office.driver.find_element(By.ID, "attention").text
    office.follow("Controls")
    stale = office.driver.find_element(By.CSS_SELECTOR, "nav.facet a[href*='state=stale']")
    number = int(stale.find_element(By.CLASS_NAME, "n").text)
    stale.click()
    rows = office.driver.find_elements(By.CSS_SELECTOR, "#table-controls tbody tr")
    assert len(rows) == number > 0
    saved = office.driver.find_element(By.PARTIAL_LINK_TEXT, "CSV").get_attribute("href")
    assert saved is not None
    lines = office.fetched(saved).text.splitlines()
    assert len(lines) == number + 1
    rows[0].find_element(By.TAG_NAME, "a").click()
    assert "stale" in office.text
    office.follow("Due")
    assert "Churn" in office.text
    office.follow("Review")
    assert len(pdf(office.driver)) > 20_000, "it is printed to be signed"
    office.follow("Ask")
    office.driver.get(f"{office.url}/query/out-of-date")
    assert office.driver.find_elements(By.CSS_SELECTOR, ".answer tbody tr")
    assert complaints(office.driver) == []


def test_who_audits_asks_proves_and_leaves_a_trace_until_the_access_ends(office: Office) -> None:
    office.enter("ines")
    assert "Your access shows" in office.text
    assert not {"Sources", "Queue", "Frameworks"} & office.links()
    assert office.fetched(f"{office.url}/sources").status_code == 403
    office.follow("Ask")
    office.driver.find_element(By.ID, "sql").send_keys(
        "SELECT item_id, system FROM evidence WHERE kind = 'mlflow.model_alias'"
    )
    office.driver.find_element(By.CSS_SELECTOR, "button[value=html]").click()
    rows = WebDriverWait(office.driver, 60).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, ".answer tbody tr")
    )
    assert {row.find_elements(By.TAG_NAME, "td")[1].text for row in rows} == {"churn-predictor"}
    assert "population sha256" in office.text
    rows[0].find_element(By.TAG_NAME, "a").click()
    _proved(office)
    assert complaints(office.driver) == []
    office.log.land()
    asked = "SELECT count(*) FROM evidence WHERE kind = 'headwater.read' AND actor LIKE '%ines%'"
    with connect(Lake.open(office.config.lake, clock=now)) as connection:
        assert ask(connection, asked).rows[0][0] >= 1
    file = office.config.file  # the last journey: nobody comes in by it any more
    file.write_text(file.read_text().replace(UNTIL, "2026-01-01T00:00:00Z"))
    office.driver.get(office.url)
    assert "The access acme-assurance ended at 2026-01-01" in office.text
    assert "Churn" not in office.text


def _proved(office: Office) -> None:
    """What stands on the item's page is checked as verify_pack does, without the lake."""
    item_id = office.driver.current_url.rpartition("/")[2]
    block = office.driver.find_element(By.CSS_SELECTOR, "pre[aria-label='Inclusion proof']")
    text = str(block.get_attribute("textContent"))
    with connect(Lake.open(office.config.lake, clock=now)) as connection:
        (row,) = item_rows(connection, [item_id])
    vkey = office.config.key.with_name(office.config.key.name + ".pub").read_text().strip()
    check_inclusion(InclusionProof.parse(text), vkey, payload=row["payload"].encode())
