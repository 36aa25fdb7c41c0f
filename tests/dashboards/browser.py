"""A real Chromium for tests: no window, no cache, no word to the outside."""

from __future__ import annotations

import base64
import contextlib
import functools
import importlib.resources
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip


def _found(*names: str) -> str:
    """Where one of these programs is; without it the test is skipped, in CI it fails."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"needs {' or '.join(names)}: apt-get install chromium chromium-driver")
    return path


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Chrome]:
    """Chromium with an empty profile; its console and its requests are kept as logs."""
    options = ChromeOptions()
    options.binary_location = _found("chromium", "chromium-browser", "google-chrome")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=ChromeService(_found("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def look(
    driver: Chrome, url: str, *, width: int = 1280, scheme: str = "light", media: str = "screen"
) -> None:
    """Open a page at a width in CSS pixels, in a colour scheme, on screen or as print would be."""
    _emulate(driver, width, scheme, media)
    driver.get("about:blank")
    for name in ("browser", "performance"):
        _log(driver, name)
    driver.get(url)


def show(driver: Chrome, *, width: int = 1280, scheme: str = "light") -> None:
    """The page that is open, on a screen of another width or scheme."""
    _emulate(driver, width, scheme, "screen")
    shown = "return [innerWidth, matchMedia(arguments[0]).matches]"
    query = f"(prefers-color-scheme: {scheme})"
    WebDriverWait(driver, 30).until(
        lambda d: d.execute_script(shown, query) == [width, True],
        f"no {scheme} screen of {width} pixels: does a wider page push it apart?",
    )


def _emulate(driver: Chrome, width: int, scheme: str, media: str) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def _log(driver: Chrome, name: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = driver.get_log(name)  # type: ignore[no-untyped-call]
    return entries


def complaints(driver: Chrome) -> list[str]:
    """What the console says since the page was opened: refused styles, scripts, missing files."""
    return [entry["message"] for entry in _log(driver, "browser")]


def requested(driver: Chrome) -> set[str]:
    """Every address the page asked for since it was opened."""
    events = [json.loads(entry["message"])["message"] for entry in _log(driver, "performance")]
    sent = [e["params"]["request"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return {request["url"] for request in sent}


@functools.cache
def _axe() -> str:
    return (importlib.resources.files("axe_core_python") / "axe.min.js").read_text("utf-8")


def barriers(driver: Chrome) -> list[str]:
    """What axe-core finds on the page that keeps people out: rule, its weight, and where.

    Contrast aside: of large pages it takes half a minute, and test_browser.py measures it itself.
    """
    driver.execute_script(_axe())
    found: dict[str, Any] = driver.execute_async_script(
        "const done = arguments[0];"
        "const asked = {resultTypes: ['violations'], rules: {'color-contrast': {enabled: false}}};"
        "axe.run(document, asked)"
        ".then(done, error => done({violations: [], failed: String(error)}))"
    )
    assert "failed" not in found, found["failed"]
    assert found["testEngine"]["name"] == "axe-core"
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def pdf(driver: Chrome) -> bytes:
    """The page printed on A4."""
    paper = {"paperWidth": 8.27, "paperHeight": 11.69}
    answer: dict[str, Any] = driver.execute_cdp_cmd("Page.printToPDF", paper)
    return base64.b64decode(answer["data"])
