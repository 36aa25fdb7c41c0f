"""In a real browser the page fits, is walked by keyboard, prints whole, and calls nobody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

from dashboards.model import Board
from dashboards.server import app, serving
from dashboards.static_site import write, write_site
from tests.dashboards.boards import demo_board, empty_board, hostile_board, reads_of
from tests.dashboards.browser import barriers, browser, complaints, look, pdf, requested, show

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

BOARDS: dict[str, Callable[[], Board]] = {
    "demo": demo_board, "hostile": hostile_board, "empty": empty_board,
}  # fmt: skip

# WCAG contrast of every piece of text against the nearest ground painted behind it.
CONTRAST = """
const lum = c => { const [r, g, b] = c.map(v => { v /= 255;
  return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 });
  return .2126 * r + .7152 * g + .0722 * b };
const rgb = s => { const m = s.match(/[\\d.]+/g).map(Number);
  return { c: m.slice(0, 3), a: m.length > 3 ? m[3] : 1 } };
const ground = e => { for (; e; e = e.parentElement) {
  const g = rgb(getComputedStyle(e).backgroundColor); if (g.a === 1) return g.c } };
const seen = {}, walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const keep = (ink, back, name) => { const [a, b] = [lum(ink), lum(back)];
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  const key = `${name} ${ink} on ${back}`; seen[key] = Math.round(ratio * 100) / 100 };
for (let n; n = walk.nextNode();) { const e = n.parentElement;
  if (!n.data.trim() || e.closest('svg, .sr, .skip') || !e.checkVisibility()) continue;
  keep(rgb(getComputedStyle(e).color).c, ground(e), e.tagName + '.' + e.className) }
const probe = document.body.appendChild(document.createElement('i'));
for (const t of document.querySelectorAll('svg text:not(.tick)')) {
  let bar = getComputedStyle(t.parentElement.querySelector('rect')).fill;
  const under = getComputedStyle(t.parentElement).getPropertyValue('--under');
  if (under) { probe.style.color = under; bar = getComputedStyle(probe).color }
  if (bar.startsWith('rgb')) keep(rgb(getComputedStyle(t).fill).c, rgb(bar).c, 'bar') }
return seen;
"""

# Elements inside closed details that the reader could not see.
HIDDEN_IN_DETAILS = """
return [...document.querySelectorAll('details > :not(summary)')]
  .filter(e => !(e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().height))
  .length;
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """For each board the files of its site: one of each kind of page."""
    folder: Path = tmp_path_factory.mktemp("sites")
    found = {}
    for name, build in BOARDS.items():
        write_site(reads_of(build()), folder / name)
        kinds = {path.parent: path for path in sorted((folder / name).rglob("*/*.html"))}
        found[name] = [*sorted((folder / name).glob("*.html")), *kinds.values()]
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("boards")
    for name, build in BOARDS.items():
        write(build(), folder / f"{name}.html")
    return {name: (folder / f"{name}.html").as_uri() for name in BOARDS}


def focused(driver: Chrome) -> Any:
    return driver.switch_to.active_element


def press(driver: Chrome, *keys: str) -> None:
    for key in keys:
        ActionChains(driver).send_keys(key).perform()


def fragment(driver: Chrome) -> str:
    return unquote(driver.execute_script("return location.hash.slice(1)"))


@pytest.mark.parametrize("name", BOARDS)
def test_the_page_is_never_wider_than_the_screen(
    driver: Chrome, files: dict[str, str], name: str
) -> None:
    look(driver, files[name])
    driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in (320, 360, 768, 1024, 1280, 1920):
        show(driver, width=width)
        needed, given, screen = driver.execute_script(
            "const page = document.documentElement;"
            "return [page.scrollWidth, page.clientWidth, innerWidth]"
        )
        assert screen == width
        assert needed <= given <= width, width


@pytest.mark.parametrize("name", BOARDS)
def test_the_file_complains_of_nothing_and_calls_nobody(
    driver: Chrome, files: dict[str, str], name: str
) -> None:
    look(driver, files[name])
    assert complaints(driver) == []
    assert {address for address in requested(driver) if address != "data:,"} == {files[name]}
    style = "return getComputedStyle(document.querySelector('h2')).fontFamily"
    assert "Charter" in driver.execute_script(style), "the policy lets our own style through"


def test_no_page_keeps_anybody_out(driver: Chrome, sites: dict[str, list[Path]]) -> None:
    """Judged by axe-core; every finding counts."""
    assert len(sites["demo"]) == 15
    for page in sites["demo"]:
        look(driver, page.as_uri())
        assert barriers(driver) == [], page
        assert complaints(driver) == [], page


@pytest.mark.parametrize("name", BOARDS)
def test_no_page_is_wider_than_its_screen(
    driver: Chrome, sites: dict[str, list[Path]], name: str
) -> None:
    """The narrowest there is, and the narrowest on which tables are tables."""
    for page in sites[name]:
        look(driver, page.as_uri(), width=320)
        for screen in (320, 1030, 1280):
            show(driver, width=screen)
            width = driver.execute_script("return document.documentElement.scrollWidth")
            assert width <= screen, (page, screen)


def test_the_pages_stand_out_from_their_ground(
    driver: Chrome, sites: dict[str, list[Path]]
) -> None:
    for page in sites["demo"]:
        look(driver, page.as_uri())
        for scheme in ("light", "dark"):
            show(driver, scheme=scheme)
            ratios: dict[str, float] = driver.execute_script(CONTRAST)
            low = {what: ratio for what, ratio in ratios.items() if ratio < 4.5}
            assert low == {}, (page, scheme)


def test_a_reader_walks_from_the_overview_to_the_raw_record(
    driver: Chrome, sites: dict[str, list[Path]]
) -> None:
    """By keyboard: skip link, control, item; without a server."""
    look(driver, next(p for p in sites["demo"] if p.name == "index.html").as_uri())
    press(driver, Keys.TAB, Keys.ENTER)
    assert fragment(driver) == "content"
    driver.find_element(By.LINK_TEXT, "A.6.2.5 AI system deployment").send_keys(Keys.ENTER)
    assert driver.find_element(By.TAG_NAME, "h1").text == "A.6.2.5 AI system deployment"
    driver.find_element(By.CSS_SELECTOR, "#table-evidence tbody a").send_keys(Keys.ENTER)
    assert '"version": 7' in driver.find_element(By.TAG_NAME, "pre").text


def test_the_served_board_and_an_item_do_so_too(driver: Chrome) -> None:
    board = demo_board()
    gate = app(reads_of(board), token=None, allow_loopback=True)
    with serving(gate) as url:
        look(driver, url)
        driver.find_element(By.LINK_TEXT, "the evidence").click()
        assert driver.current_url.startswith(f"{url}/items/")
        assert driver.find_element(By.TAG_NAME, "h1").text
        assert complaints(driver) == []
        assert all(a.startswith((url, "data:,")) for a in requested(driver))


def test_hostile_text_runs_nothing(driver: Chrome, files: dict[str, str]) -> None:
    look(driver, files["hostile"])
    assert driver.find_elements(By.TAG_NAME, "script") == []
    assert "<script>alert(1)</script>" in driver.find_element(By.TAG_NAME, "body").text


def test_the_keyboard_leads_from_the_top_to_the_trouble(
    driver: Chrome, files: dict[str, str]
) -> None:
    look(driver, files["demo"])
    press(driver, Keys.TAB)
    assert focused(driver).text == "Skip to what needs a person now"
    assert focused(driver).rect["x"] >= 0, "the link shows itself when it has the focus"
    press(driver, Keys.ENTER)
    assert fragment(driver) == "attention"
    press(driver, Keys.TAB)
    assert focused(driver).text == "A.6.2.5 AI system deployment"
    press(driver, Keys.ENTER)
    assert fragment(driver) == "control-iso42001:A.6.2.5"
    inside = driver.find_element(By.ID, "control-iso42001:A.6.2.5")
    assert "no change request approves it" in inside.text, "the way there opens the details"


def test_the_keyboard_opens_a_control(driver: Chrome, files: dict[str, str]) -> None:
    look(driver, files["demo"])
    summary = driver.find_element(By.CSS_SELECTOR, "details.control summary")
    driver.execute_script("arguments[0].focus()", summary)
    press(driver, Keys.ENTER)
    assert driver.execute_script("return arguments[0].parentElement.open", summary)


def test_what_has_the_focus_is_seen(driver: Chrome, files: dict[str, str]) -> None:
    look(driver, files["demo"])
    press(driver, *[Keys.TAB] * 3)
    style = driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_print_shows_what_the_screen_folds(driver: Chrome, files: dict[str, str]) -> None:
    look(driver, files["demo"])
    assert driver.execute_script(HIDDEN_IN_DETAILS) > 100
    look(driver, files["demo"], media="print")
    assert driver.execute_script(HIDDEN_IN_DETAILS) == 0
    paper = pdf(driver)
    assert paper.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) > 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(
    driver: Chrome, files: dict[str, str], scheme: str
) -> None:
    look(driver, files["demo"], scheme=scheme)
    driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    ratios: dict[str, float] = driver.execute_script(CONTRAST)
    assert len(ratios) > 30
    assert {what: ratio for what, ratio in ratios.items() if ratio < 4.5} == {}


def test_dark_is_dark(driver: Chrome, files: dict[str, str]) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    look(driver, files["demo"], scheme="dark")
    dark = driver.execute_script(ground)
    look(driver, files["demo"], scheme="light")
    assert (dark, driver.execute_script(ground)) == ("rgb(23, 22, 20)", "rgb(253, 252, 250)")


def test_the_map_scrolls_inside_itself_on_a_phone(driver: Chrome, files: dict[str, str]) -> None:
    look(driver, files["demo"], width=360)
    region = driver.find_element(By.CSS_SELECTOR, ".scroll")
    assert region.get_attribute("tabindex") == "0"
    assert driver.execute_script("return arguments[0].scrollWidth", region) > 360
    before, after = driver.execute_script(
        "const r = arguments[0], h = r.querySelector('tbody th[scope=row]');"
        "const x = () => Math.round(h.getBoundingClientRect().left); const a = x();"
        "r.scrollTo(150, 0); return [a, x()]",
        region,
    )
    assert abs(before - after) <= 1, "the control's name stays while its cells move"


def test_no_state_is_told_by_colour_alone(driver: Chrome, files: dict[str, str]) -> None:
    look(driver, files["demo"])
    script = """return [...document.querySelectorAll('.state, td.cellbox:not(.not-asked)')]
      .map(e => [!!e.querySelector('svg.glyph use'), e.textContent.trim()])"""
    told = driver.execute_script(script)
    assert len(told) > 200
    assert all(glyph and re.match("[a-z]", words) for glyph, words in told)
