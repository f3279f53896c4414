"""An organization's health: what a person sees of it, and when."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.data import MARKUP, TEAM, Account, issue, publish
from tests.browser.person import sign_in, state_of
from tests.browser.test_page import violations
from tests.service import Service
from tests.waiting import wait_until

ORGANIZATION = "clinic"
PATH = f"/organizations/{ORGANIZATION}"
HEALTH = "view=health&zone=utc"
EVERY_MS = 5_000


@pytest.fixture(scope="module")
def clinic(service: Service) -> Account:
    """An organization of its own; `read` may administrate it as well."""
    admin = service.register(ORGANIZATION, "publish", "admin")
    service.ask("POST", f"{PATH}/teams", {"name": TEAM}, admin)
    both = service.ask(
        "POST", f"{PATH}/tokens", {"scopes": ["read", "admin"], "description": MARKUP}, admin
    )
    token = str(both["token"])
    service.wait_for_all_workers(lambda: service.answer("GET", "/whoami", token=token)[0] == 200)
    team = issue(service, f"{PATH}/teams/{TEAM}", admin, "read")
    return Account(ORGANIZATION, admin, token, issue(service, PATH, admin, "publish"), team)


def now(service: Service, name: str = "beds", value: object = 1) -> dict[str, Any]:
    return {"name": name, "timestamp": int(time.time()), "value": value, "tags": {}}


def section(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def rows(page: Page, caption: str) -> Locator:
    """Return the rows of a table without its header."""
    return page.get_by_role("table", name=caption, exact=True).locator("tbody tr")


def legend(page: Page, plot: str) -> Locator:
    """Return the key below a plot: the label and value of each line."""
    return page.get_by_role("group", name=plot).locator("xpath=..").get_by_role("listitem")


def watch_until(page: Page, true: Callable[[], object]) -> None:
    """Watch until a condition holds, but with a clock that makes the page ask at once."""

    def asked_again() -> object:
        page.clock.run_for(EVERY_MS)
        return true()

    wait_until(asked_again)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_refused_points_appear_with_their_reasons(
    page: Page, service: Service, clinic: Account
) -> None:
    page.clock.install()
    sign_in(page, clinic.read, HEALTH)
    expect(page.get_by_role("heading", name=f"Health of {ORGANIZATION}")).to_be_visible()
    expect(section(page, "Refused points")).to_contain_text("No point was refused")
    expect(section(page, "Refused points")).to_contain_text("No refused points are kept")
    bad = [now(service, value="much"), now(service, MARKUP), now(service, MARKUP)]
    body = {"metrics": [now(service), *bad]}
    answer = service.ask("POST", f"{PATH}/metrics?partial=true", body, clinic.publish)
    assert answer["refused"] == 3
    totals = rows(page, "Refused points of the last hour")
    watch_until(page, totals.count)
    expect(totals).to_have_text(["jsoninvalid_name2", "jsoninvalid_value1"])
    last = rows(page, "Last refused points")
    expect(last).to_have_count(3)
    expect(last.last).to_contain_text("/metrics/1/value")
    expect(last.last).to_contain_text("must be a number")
    expect(last.first).to_contain_text("is '<img src=x onerror=")
    assert page.title().startswith(f"Health of {ORGANIZATION}")
    expect(legend(page, "Refused points per minute")).to_contain_text(
        ["invalid_name", "invalid_value"]
    )


def test_long_lists_of_refused_points_are_shown_in_parts(
    page: Page, service: Service, clinic: Account
) -> None:
    body = {"metrics": [now(service, "9")] * 120}
    service.answer("POST", f"{PATH}/metrics?partial=true", body, clinic.publish)
    sign_in(page, clinic.read, HEALTH)
    last = rows(page, "Last refused points")
    expect(last).to_have_count(50)
    more = page.get_by_role("button", name="Show 50 more")
    for _ in range(2):
        more.click()
    expect(more).to_be_hidden()
    count = last.count()
    assert count >= 120
    expect(section(page, "Refused points")).to_contain_text(f"{count} of {count}, the newest first")


def test_points_per_second_are_shown_by_minute(
    page: Page, service: Service, clinic: Account
) -> None:
    """The service's answer is as it is a minute later, so that nobody has to wait for it."""
    publish(service, clinic, [now(service)] * 600)
    limits = ("--points-per-second", "50", "--burst", "2000")
    service.cave("org", "limits", ORGANIZATION, *limits)

    def accepted() -> int:
        health = service.ask("GET", f"{PATH}/health", token=clinic.read)
        return max(int(minute["accepted"]) for minute in health["minutes"])

    wait_until(lambda: accepted() >= 600)

    def a_minute_later(route: Any) -> None:
        found = route.fetch().json()
        while found["minutes"][-2]["accepted"] < 600:
            found["minutes"] = [found["minutes"][-1], *found["minutes"][:-1]]
        found["minutes"][-2]["accepted"] = 600
        route.fulfill(json=found)

    page.route("**/health", a_minute_later)
    sign_in(page, clinic.read, HEALTH)
    points = section(page, "Points per second")
    expect(points).to_contain_text("10 points/s in the last full minute")
    expect(points).to_contain_text("The quota is 50 points/s, with bursts of 2 k points.")
    expect(points).to_contain_text("There is no limit of series.")
    expect(legend(page, "Points per second in the last hour").first).to_have_text("accepted 10")


def test_tokens_show_their_last_use_and_disappear_when_revoked(
    page: Page, service: Service, clinic: Account
) -> None:
    path = f"{PATH}/teams/{TEAM}/tokens"
    body = {"scopes": ["publish"], "description": "night shift", "expires_in": "90d"}
    issued = service.ask("POST", path, body, clinic.admin)
    page.clock.install()
    sign_in(page, clinic.read, HEALTH)
    tokens = rows(page, "Active tokens")
    mine = tokens.filter(has_text=issued["id"])
    expect(mine).to_contain_text(f"night shift{TEAM}publishnever")
    service.wait_for_all_workers(
        lambda: service.answer("GET", "/whoami", token=issued["token"])[0] == 200
    )
    watch_until(page, lambda: "never" not in (mine.text_content() or ""))
    expect(tokens.filter(has_text=MARKUP)).to_have_count(1)
    expect(legend(page, "Active tokens").nth(1)).to_contain_text("used in the last two minutes")
    service.ask("DELETE", f"{path}/{issued['id']}", token=clinic.admin)
    watch_until(page, lambda: mine.count() == 0)


def test_the_lag_grows_while_the_projector_is_stopped(
    page: Page, service: Service, clinic: Account
) -> None:
    page.clock.install()
    sign_in(page, clinic.read, HEALTH)
    points = rows(page, "State of the projections").filter(has_text="points")
    watch_until(page, lambda: points.text_content() == "pointslive0 s0")
    [pid] = service.pids("projector")
    with stopped(pid):
        publish(service, clinic, [now(service)])
        watch_until(page, lambda: points.locator("td").last.text_content() == "1")
        expect(points.locator("td").nth(1)).not_to_have_text("0 s")
        expect(legend(page, "Lag of the projections").filter(has_text="points")).not_to_have_text(
            "points 0 s"
        )
    watch_until(page, lambda: points.text_content() == "pointslive0 s0")


def test_the_log_is_shown_by_tier(page: Page, service: Service, clinic: Account) -> None:
    publish(service, clinic, [now(service)])
    sign_in(page, clinic.read, HEALTH)
    tiers = rows(page, "Log by tier")
    expect(tiers.locator("th")).to_have_text(["server", "archive"])
    expect(tiers.first.locator("td").nth(1)).to_contain_text("KiB")


def test_without_the_scope_admin_the_rest_is_shown_and_what_is_needed(
    page: Page, service: Service, clinic: Account
) -> None:
    reader = issue(service, PATH, clinic.admin, "read")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(service.url)))
    page.clock.install()
    sign_in(page, reader, HEALTH)
    expect(rows(page, "State of the projections")).not_to_have_count(0)
    words = "the token lacks the scope admin. This needs a token of the organization with the scope"
    for name in ("Refused points", "Tokens"):
        expect(section(page, name).get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("table", name="Active tokens")).to_be_hidden()
    with page.expect_request(f"**{PATH}/health"):
        page.clock.run_for(EVERY_MS)
    assert asked.count(f"{PATH}/tokens?teams=true") == 1, "it is not asked for again"


def test_a_teams_token_gets_the_words_of_the_api(page: Page, clinic: Account) -> None:
    sign_in(page, clinic.team, HEALTH)
    expect(page.get_by_role("alert").filter(has_text=f"is for team '{TEAM}' only")).to_be_visible()
    expect(page.get_by_role("heading", name="Projections")).to_be_hidden()


def test_it_asks_only_while_it_can_be_seen(page: Page, service: Service, clinic: Account) -> None:
    def hide(hidden: bool) -> None:
        page.evaluate(
            """hidden => {
              Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
              document.dispatchEvent(new Event('visibilitychange'));
            }""",
            hidden,
        )

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    sign_in(page, clinic.read, HEALTH)
    expect(rows(page, "Active tokens")).not_to_have_count(0)
    expect(page.get_by_text("Asking …")).to_be_hidden()
    hide(True)
    before = len(asked)
    page.clock.run_for(60_000)
    assert len(asked) == before
    with page.expect_request("**/health"):
        hide(False)
    page.get_by_role("link", name="Explore").click()
    expect(page.get_by_label("Metric", exact=True)).to_be_visible()
    before = sum(url.endswith("/health") for url in asked)
    page.clock.run_for(60_000)
    assert sum(url.endswith("/health") for url in asked) == before


def test_an_error_is_shown_until_the_service_answers_again(page: Page, clinic: Account) -> None:
    page.clock.install()
    page.route("**/health", lambda route: route.abort())
    sign_in(page, clinic.read, HEALTH)
    alert = page.get_by_role("alert").filter(has_text="cannot be reached")
    expect(alert).to_be_visible()
    page.unroute("**/health")
    page.clock.run_for(6_000)
    expect(rows(page, "State of the projections")).not_to_have_count(0)
    expect(alert).to_have_count(0)


def test_what_is_not_known_is_said(page: Page, clinic: Account) -> None:
    def unknown(route: Any) -> None:
        found = route.fetch().json()
        found |= {"projections": None, "log": None, "quota": None}
        route.fulfill(json={**found, "series": {"active": 1200, "limit": 5000}})

    page.route("**/health", unknown)
    sign_in(page, clinic.read, HEALTH)
    for name in ("Projections", "Log"):
        expect(section(page, name)).to_contain_text("state is not known now.")
    expect(section(page, "Points per second")).to_contain_text("There is no quota.")
    expect(section(page, "Points per second")).to_contain_text(
        "1.2 k series are active, of at most 5 k."
    )


def test_a_stopped_projection_says_why(page: Page, clinic: Account) -> None:
    def stop(route: Any) -> None:
        found = route.fetch().json()
        found["projections"][0] |= {"state": "stopped", "reason": f"it is another {MARKUP}"}
        route.fulfill(json=found)

    page.route("**/health", stop)
    sign_in(page, clinic.read, HEALTH)
    expect(section(page, "Projections").get_by_role("status")).to_contain_text(
        f"is stopped: it is another {MARKUP}."
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, clinic: Account, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    sign_in(page, clinic.read, HEALTH)
    expect(rows(page, "Active tokens")).not_to_have_count(0)
    expect(page.get_by_text("Asking …")).to_be_hidden()
    assert violations(page) == []


def test_it_fits_a_phone_and_its_values_are_read_by_keys(page: Page, clinic: Account) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, clinic.read, "zone=utc")
    page.get_by_role("link", name="Health").press("Enter")
    assert state_of(page)["view"] == ["health"]
    expect(rows(page, "Active tokens")).not_to_have_count(0)
    too_wide: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert too_wide <= 0
    plot = "Points per second in the last hour"
    page.get_by_role("group", name=plot).focus()
    page.keyboard.press("Home")
    read = legend(page, plot).last
    expect(read).to_contain_text(":00")
    utc = read.text_content()
    page.keyboard.press("ArrowRight")
    expect(read).not_to_have_text(str(utc))
    page.keyboard.press("Escape")
    expect(read).to_have_text("")
    page.get_by_label("Time zone").select_option("local")
    expect(page.get_by_text("As of").filter(has_text="Europe/Berlin")).to_be_visible()
