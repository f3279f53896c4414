"""A real Chromium and a real service with data, shared by all tests of this package.

A test's page must load nothing from elsewhere, must break no rule of its Content-Security-Policy,
and must have no uncaught error. After a failure, `.screenshots` has the page as it was.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.chromium import ARGUMENTS, chromium_path, environment
from tests.browser.data import Account, fill
from tests.service import Service, running

SCREENSHOTS = Path(__file__).parents[2] / ".screenshots"
SECONDS = 15.0


# Not for the session: while Playwright's event loop runs, other tests could not start theirs.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip("there is no Chromium: install Debian's package, or run .ci/run")
    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=ARGUMENTS, env=environment(path)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def service(browser: Browser) -> Iterator[Service]:
    with TemporaryDirectory(prefix="cave-") as directory:
        service = Service(Path(directory), ["--workers", "1"])
        with running(service):
            yield service


@pytest.fixture(scope="package")
def account(service: Service) -> Account:
    return fill(service)


@pytest.fixture
def context(browser: Browser, service: Service) -> Iterator[BrowserContext]:
    context = browser.new_context(
        base_url=service.url, timezone_id="Europe/Berlin", locale="en-GB", accept_downloads=True
    )
    context.set_default_timeout(SECONDS * 1000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, service: Service) -> Iterator[Page]:
    faults: list[str] = []
    page = context.new_page()
    watch(page, service, faults)
    yield page
    assert faults == []


def watch(page: Page, service: Service, faults: list[str]) -> None:
    """Note requests to elsewhere, uncaught errors, and messages about the policy."""

    def note_request(url: str) -> None:
        if not url.startswith((service.url, "blob:", "data:")):
            faults.append(f"asked {url}")
        if "cave_" in url:
            faults.append(f"a token in a URL: {url}")

    page.on("request", lambda request: note_request(request.url))
    page.on("pageerror", lambda error: faults.append(f"uncaught: {error}"))
    page.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if re.search("Content.Security.Policy|violates", message.text)
            else None
        ),
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    funcargs: dict[str, Any] = getattr(item, "funcargs", {})
    page = funcargs.get("page")
    if report.when == "call" and report.failed and page is not None and not page.is_closed():
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{re.sub(r'[^a-zA-Z0-9_]+', '-', item.name)}.png"
        page.screenshot(path=path, full_page=True)
        report.sections.append(("Screenshot", str(path)))
    return report
