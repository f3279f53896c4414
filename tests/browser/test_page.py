"""The page as a whole: colours, phones, accessibility, what it loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.data import HOSTS, LATENCY, Account
from tests.browser.person import FIXED, choose_metric, series, sign_in
from tests.browser.vendored import VENDORED, kept, wrong

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
BY_HOST = f"{FIXED}&metric={LATENCY}&aggregator=p99&by=host&period=10m"


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong, a line for each element."""
    # The page's policy would refuse a script element; what the debugger evaluates, it does not.
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate("axe.run()")
    return [
        f"{rule['id']}: {node['html']} {node.get('failureSummary')}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def background(page: Page) -> str:
    found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


def test_vendored_files_are_the_published_ones() -> None:
    for vendored in VENDORED:
        assert wrong(vendored, kept(vendored)) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, account: Account, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto("/")
    expect(page.get_by_label("Token")).to_be_visible()
    assert violations(page) == []
    sign_in(page, account.read, f"{BY_HOST}&tag=env:prod&beside=metric%3D{LATENCY}&live=")
    expect(series(page)).to_have_count(len(HOSTS) + 1)
    page.get_by_text("Table", exact=True).click()
    page.get_by_label("Metric", exact=True).fill("http")
    expect(page.locator("[role=option]")).to_have_count(2)
    assert violations(page) == []
    page.get_by_role("button", name="PromQL", exact=True).click()
    page.get_by_label("PromQL", exact=True).press_sequentially("rat")
    expect(page.locator("[role=option]").first).to_be_visible()
    assert violations(page) == []


def test_colours_follow_the_system_unless_chosen(page: Page, account: Account) -> None:
    page.emulate_media(color_scheme="light")
    sign_in(page, account.read, BY_HOST)
    expect(series(page)).to_have_count(len(HOSTS))
    light = background(page)
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    assert dark != light
    page.get_by_label("Colours").select_option("light")
    assert background(page) == light
    page.reload()
    assert background(page) == light
    page.get_by_label("Colours").select_option("system")
    assert background(page) == dark


def test_it_fits_a_phone(page: Page, account: Account) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, account.read)
    choose_metric(page, "latency", LATENCY)
    page.get_by_label("One series per").select_option("host")
    expect(series(page)).to_have_count(len(HOSTS))
    page.get_by_text("Table", exact=True).click()
    too_wide: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert too_wide <= 0
    plot = page.locator(".u-over").bounding_box()
    assert plot is not None
    assert plot["width"] > 240


def test_everything_can_be_done_by_keys(page: Page, account: Account) -> None:
    """From signing in to the download without a pointer."""
    keys = page.keyboard

    def tab_to(reached: Callable[[], bool]) -> None:
        for _ in range(60):
            if reached():
                return
            keys.press("Tab")
        raise AssertionError("never got the focus")

    def focused(name: str) -> Callable[[], bool]:
        script = (
            "() => { const e = document.activeElement;"
            " return (e.labels?.[0] ?? e).textContent || e.getAttribute('aria-label') || '' }"
        )
        return lambda: str(page.evaluate(script)).startswith(name)

    page.goto(f"/?{FIXED}")
    keys.type(account.read)
    keys.press("Enter")
    expect(page.get_by_label("Metric", exact=True)).to_be_focused()
    keys.type("latency")
    expect(page.locator("[role=option]")).to_have_count(1)
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(series(page)).to_have_count(1)
    tab_to(focused("Aggregator"))
    keys.type("p99")
    tab_to(focused("One series per"))
    keys.type("host")
    expect(series(page)).to_have_count(len(HOSTS))
    tab_to(focused("host=web-1"))
    keys.press("Space")
    expect(series(page).first).to_have_attribute("aria-pressed", "false")
    keys.press("Space")
    keys.press("Shift+Enter")
    expect(page.locator(".legend [aria-pressed=true]")).to_have_count(1)
    tab_to(focused("Download CSV"))
    with page.expect_download() as download:
        keys.press("Enter")
    assert download.value.suggested_filename == f"p99-{LATENCY}.csv"
    tab_to(focused("Table"))
    keys.press("Enter")
    expect(page.get_by_role("table")).to_be_visible()
