"""What a person does on the page, and sees."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.browser.data import START

FIXED = "from=2026-11-19T00%3A00%3A00.000Z&to=2026-11-19T02%3A00%3A00.000Z&zone=utc"
"""The state for the range of the data."""

FROM, TO = START * 1000, (START + 7200) * 1000


def sign_in(page: Page, token: str, state: str = FIXED) -> None:
    """Open the page in a state and sign in."""
    page.goto(f"/?{state}")
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def choose_metric(page: Page, text: str, name: str) -> None:
    """Search for a metric and choose the one with this name."""
    field = page.get_by_label("Metric", exact=True)
    field.fill("")
    field.press_sequentially(text)
    page.locator("[role=option]").filter(has_text=name).first.click()


def state_of(page: Page) -> dict[str, list[str]]:
    """Return the parameters of the page's URL."""
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)


def series(page: Page) -> Locator:
    """Return the entries of the legend."""
    return page.get_by_role("list", name="Series").get_by_role("button")


def status(page: Page, text: str) -> Locator:
    """Return the live region that says a text."""
    return page.get_by_role("status").filter(has_text=text)


def table(page: Page) -> list[list[str]]:
    """Open the table, and return all rows: the header, then the latest first."""
    summary = page.get_by_text("Table", exact=True)
    if not page.get_by_role("table").is_visible():
        summary.click()
    expect(page.get_by_role("table")).to_be_visible()
    more = page.get_by_role("button", name="more rows")
    while more.is_visible():
        more.click()
    rows: list[list[str]] = page.get_by_role("table").evaluate(
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return rows


def drag(page: Page, start: float, end: float) -> None:
    """Drag across the plot, from a fraction of its width to another."""
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, height)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (start + end) / 2, height)
    page.mouse.move(box["x"] + box["width"] * end, height)
    page.mouse.up()
