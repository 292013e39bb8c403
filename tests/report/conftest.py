"""Fixtures of the report's tests: a finished report, and a browser to open a page in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.report.small import SmallReport

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
PATIENCE = 180_000  # ms; a busy machine is no fault


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> tuple[SmallReport, dict[str, Path]]:
    """A report made in all formats, in a folder whose name has a space; not to be changed."""
    report = SmallReport(tmp_path_factory.mktemp("a report"), preview=True).write()
    return report, report.make()


@pytest.fixture(scope="module")
def browser():
    """The machine's Chromium; what needs it is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright to drive a browser with")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium")
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def opened(browser, page_file):
    """`opened(fragment, width, …)`: the file that the fixture `page_file` of a test's module names, in a context of
    its own. It must load nothing else nor complain.
    """
    contexts, complaints, requests = [], [], set()

    def open_page(fragment="", width=1200, **context):
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **context))
        contexts[-1].set_default_timeout(PATIENCE)
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.add(request.url.partition("#")[0]))
        page.goto(page_file.as_uri() + fragment)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert {url for url in requests if not url.startswith("data:")} == {page_file.as_uri()}


@pytest.fixture
def barriers():
    """`barriers(page, …)`: what keeps people with disabilities out of a page, by axe."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe to look for barriers with")

    def found(page, **options) -> list:
        rules = axe.Axe().run(page, **options).response["violations"]
        return [(rule["id"], [node["html"] for node in rule["nodes"]][:5]) for rule in rules]

    return found
