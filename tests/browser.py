"""A headless Chromium with the review page of the sample in it; nothing may be asked of the network or go wrong."""

import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tasks.review_page import write_review_page
from tests.review_sample import make_page

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """One browser for all tests of this file."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium on this machine")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the sample, on disk."""
    written = tmp_path_factory.mktemp("review") / "review page.html"
    written.write_text(write_review_page(make_page(240, 135)), encoding="utf-8")
    return written


@pytest.fixture
def context(browser: Browser) -> Generator[BrowserContext]:
    """A window without a past."""
    opened = browser.new_context(viewport={"width": 1600, "height": 1000})
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, path: Path) -> Generator[Page]:
    """The page, opened; at the end nothing was asked of the network and nothing went wrong."""
    requests: list[str] = []
    complaints: list[str] = []
    opened = context.new_page()
    context.on("request", lambda request: requests.append(request.url))
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(path.as_uri())
    yield opened
    assert {url for url in requests if not url.startswith("blob:")} == {path.as_uri()}
    assert complaints == []


def press(page: Page, *keys: str) -> None:
    """Press keys one after the other."""
    for key in keys:
        page.keyboard.press(key)
