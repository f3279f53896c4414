"""Signing in and out, and what becomes of the token."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.data import LATENCY, TEAM, Account
from tests.browser.person import FIXED, choose_metric, series, sign_in, state_of
from tests.service import Service


def kept(page: Page) -> str:
    """Return everything that the browser keeps for the page, without the tab's session."""
    found: str = page.evaluate(
        "JSON.stringify({...localStorage}) + document.cookie + location.href"
    )
    return found


def test_a_wrong_token_is_refused_in_the_words_of_the_api(page: Page, account: Account) -> None:
    page.goto("/")
    page.get_by_label("Token").fill("cave_nothing")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("the token is unknown")
    expect(page.get_by_label("Token")).to_be_focused()
    page.get_by_label("Token").fill("no tok€n")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("that no token has")
    page.get_by_label("Token").fill(account.read)
    page.keyboard.press("Enter")
    expect(page.get_by_text(account.organization, exact=True)).to_be_visible()


def test_the_token_is_only_in_the_session_of_the_tab(page: Page, account: Account) -> None:
    sign_in(page, account.read)
    choose_metric(page, "latency", LATENCY)
    expect(series(page)).to_have_count(1)
    assert account.read not in kept(page)
    page.reload()
    expect(series(page)).to_have_count(1)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()
    expect(page.get_by_text("Explore")).to_have_count(0)


def test_a_token_without_the_scope_gets_the_words_of_the_api(page: Page, account: Account) -> None:
    sign_in(page, account.publish)
    expect(
        page.get_by_role("alert").filter(has_text="the token lacks the scope read")
    ).to_be_visible()


def test_a_revoked_token_leads_back_to_the_form(
    page: Page, account: Account, service: Service
) -> None:
    tokens = f"/organizations/{account.organization}/tokens"
    issued = service.ask("POST", tokens, {"scopes": ["read"]}, account.admin)
    service.wait_for_all_workers(
        lambda: service.answer("GET", "/whoami", token=issued["token"])[0] == 200
    )
    sign_in(page, issued["token"])
    service.answer("DELETE", f"{tokens}/{issued['id']}", token=account.admin)
    service.wait_for_all_workers(
        lambda: service.answer("GET", "/whoami", token=issued["token"])[0] == 403
    )
    page.get_by_label("Metric", exact=True).fill(LATENCY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("the token was revoked")
    expect(page.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize("whose", ["team", "organization"])
def test_a_teams_metrics_are_read_by_its_token_and_by_the_organizations(
    page: Page, account: Account, whose: str
) -> None:
    sign_in(page, account.team if whose == "team" else account.read)
    if whose == "organization":
        page.get_by_label("Team").fill(TEAM)
        page.keyboard.press("Enter")
        assert state_of(page)["team"] == [TEAM]
    else:
        expect(page.get_by_label("Team")).to_be_hidden()
    choose_metric(page, "only", "team.only")
    expect(series(page)).to_have_count(1)


def test_the_page_says_when_the_service_is_gone(page: Page, account: Account) -> None:
    sign_in(page, account.read, FIXED)
    page.route("**/organizations/**", lambda route: route.abort())
    page.get_by_label("Metric", exact=True).fill(LATENCY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="cannot be reached")).to_be_visible()
