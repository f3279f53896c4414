"""Finding a metric, drawing it, and taking its numbers along, as a person would."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.data import (
    DISK,
    FORMULA,
    GAP,
    HOSTS,
    LATENCY,
    MARKUP,
    MINUTES,
    REQUESTS,
    SHARDS,
    START,
    WIDE,
    Account,
    latency,
    publish,
    readable,
)
from tests.browser.person import (
    FIXED,
    choose_metric,
    drag,
    series,
    sign_in,
    state_of,
    status,
    table,
)
from tests.service import Service

BY_HOST = f"{FIXED}&metric={LATENCY}&aggregator=p99&by=host&period=10m"


def csv_rows(page: Page) -> list[list[str]]:
    """Download the CSV and return its rows."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    text = Path(download.value.path()).read_bytes().decode()
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def api(service: Service, account: Account, query: str) -> list[dict[str, object]]:
    """Return what the API answers to a query of a metric."""
    path = f"/organizations/{account.organization}/metrics?{query}"
    found: list[dict[str, object]] = service.ask("GET", path, token=account.read)["metrics"]
    return found


def test_a_metric_is_found_as_one_types(page: Page, account: Account) -> None:
    sign_in(page, account.read)
    field = page.get_by_label("Metric", exact=True)
    expect(field).to_be_focused()
    options = page.get_by_role("listbox", name="Suggestions: Metric").get_by_role("option")
    field.press_sequentially("lat")
    expect(options).to_have_text([re.compile(f"{LATENCY}.*gauge, s.*The time to answer a request")])
    field.fill("space")  # a word of the help
    expect(options).to_have_count(1)
    expect(options).to_contain_text(DISK)
    field.fill("http")
    expect(options).to_have_count(2)
    field.fill("nothing")
    expect(status(page, "No metric is found")).to_be_visible()
    page.keyboard.press("Escape")
    expect(status(page, "No metric is found")).to_be_hidden()
    field.fill("http lat")
    expect(options).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(series(page)).to_have_count(1)
    expect(page.get_by_text("gauge, unit s: The time to answer a request")).to_be_visible()
    assert state_of(page)["metric"] == [LATENCY]


def test_a_metric_that_does_not_exist_is_an_error_of_the_api(page: Page, account: Account) -> None:
    sign_in(page, account.read)
    field = page.get_by_label("Metric", exact=True)
    field.fill(LATENCY)
    page.keyboard.press("Enter")
    expect(series(page)).to_have_count(1)
    field.fill("7nothing")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="7nothing")).to_be_visible()
    expect(series(page)).to_have_count(0)


def test_tags_filter_by_values_that_are_offered(
    page: Page, account: Account, service: Service
) -> None:
    sign_in(page, account.read, f"{FIXED}&metric={LATENCY}&aggregator=max&period=1h")
    page.get_by_label("Filter by tag", exact=True).click()
    names = page.get_by_role("listbox", name="Suggestions: Filter by tag").get_by_role("option")
    expect(names).to_have_text(["env", "host"])
    names.filter(has_text="host").click()
    value = page.get_by_label("Value of the tag", exact=True)
    expect(value).to_be_focused()
    values = page.get_by_role("listbox", name="Suggestions: Value of the tag").get_by_role("option")
    page.keyboard.press("ArrowDown")
    expect(values).to_have_text(list(HOSTS))  # 10 comes after 2
    value.press_sequentially("10")
    expect(values).to_have_text(["web-10"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_text("host = web-10")).to_be_visible()
    assert state_of(page)["tag"] == ["host:web-10"]
    expect(series(page)).to_contain_text("host:web-10")
    query = f"metric={LATENCY}&aggregator=max&period=1h&end={START + 7200}&tags=host:web-10"
    expected = [str(row["value"]) for row in reversed(api(service, account, query))]
    assert [row[1] for row in table(page)[1:]] == expected
    page.get_by_role("button", name="Remove the filter host = web-10").click()
    expect(page.get_by_text("host = web-10")).to_have_count(0)
    assert "tag" not in state_of(page)


def test_one_series_per_host_has_the_exact_percentiles(
    page: Page, account: Account, service: Service
) -> None:
    sign_in(page, account.read, f"{FIXED}&period=10m")
    choose_metric(page, "latency", LATENCY)
    page.get_by_label("Aggregator").select_option("p99")
    page.get_by_label("One series per").select_option("host")
    expect(series(page)).to_have_text([re.compile(f"host={host}") for host in HOSTS])
    rows = table(page)
    assert rows[0] == ["Time (UTC)", *(f"host={host}" for host in HOSTS)]
    for number, host in enumerate(HOSTS, 1):
        query = f"metric={LATENCY}&aggregator=p99&period=10m&end={START + 7200}&tags=host:{host}"
        shown = {row[0]: float(row[number]) for row in rows[1:] if row[number]}
        assert shown == {
            str(each["time"]).replace("T", " ").removesuffix(".000Z"): each["value"]
            for each in api(service, account, query)
        }


def test_a_query_that_replaces_another_is_not_aborted_with_it(page: Page, account: Account) -> None:
    held: list[Route] = []
    sign_in(page, account.read, f"{FIXED}&metric={LATENCY}&period=10m")
    expect(series(page)).to_have_count(1)
    page.route("**/label/host/values?*", lambda route: held.append(route))
    with page.expect_request("**/label/host/values?*"):
        page.get_by_label("One series per").select_option("host")
    page.get_by_label("Aggregator").select_option("p99")
    held[0].continue_()
    expect(series(page)).to_have_count(len(HOSTS))
    expect(page.locator("[role=alert]:not(:empty)")).to_have_count(0)


def test_a_gap_is_a_gap(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"{FIXED}&metric={LATENCY}&tag=host:web-2&period=1m&aggregator=max")
    expect(series(page)).to_have_count(1)
    rows = table(page)[1:]
    empty = [minute for minute, row in enumerate(reversed(rows)) if row[1] == ""]
    assert empty == list(GAP)
    # The columns of the canvas inside the gap have nothing in the series' colour.
    coloured: list[bool] = page.evaluate(
        """() => {
          const canvas = document.querySelector('canvas');
          const over = document.querySelector('.u-over').getBoundingClientRect();
          const box = canvas.getBoundingClientRect();
          const ratio = canvas.width / box.width;
          const [left, top] = [(over.left - box.left) * ratio, (over.top - box.top) * ratio];
          const [width, height] = [Math.floor(over.width * ratio), Math.floor(over.height * ratio)];
          const { data } = canvas.getContext('2d').getImageData(left, top, width, height);
          return Array.from({ length: width }, (_, x) => {
            for (let y = 0; y < height; y += 1) {
              const at = (y * width + x) * 4;
              if (data[at + 3] > 60 && data[at + 2] - data[at] > 80) return true;
            }
            return false;
          });
        }"""
    )
    width = len(coloured) / MINUTES
    inside = coloured[int((GAP.start) * width) + 4 : int((GAP.stop) * width) - 4]
    assert not any(inside)
    assert all(coloured[int(5 * width) : int((GAP.start - 5) * width)])
    assert all(coloured[int((GAP.stop + 5) * width) : int((MINUTES - 5) * width)])


def test_points_themselves_are_drawn_without_an_aggregator(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"{FIXED}&metric={LATENCY}&aggregator=none&tag=host:web-1")
    expect(status(page, f"{MINUTES} times")).to_be_visible()
    found = [float(row[1]) for row in reversed(table(page)[1:])]
    assert found == pytest.approx([latency(0, minute) for minute in range(MINUTES)], abs=0)


def test_promql_is_completed_and_asked(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"{FIXED}&period=10m")
    page.get_by_role("button", name="PromQL").click()
    field = page.get_by_label("PromQL", exact=True)
    options = page.get_by_role("listbox", name="Completions").get_by_role("option")
    field.press_sequentially("quant")
    expect(options.first).to_have_text("quantileaggregation")
    page.keyboard.press("Tab")
    expect(field).to_have_value("quantile()")
    field.press_sequentially("0.5, laten")
    expect(options).to_have_count(1)
    page.keyboard.press("Tab")
    expect(field).to_have_value(f'quantile(0.5, {{"{LATENCY}"}})')
    field.press_sequentially(", ho")
    expect(options).to_have_text(["host"])
    page.keyboard.press("Tab")
    field.press_sequentially('=~"web-1')
    expect(options).to_have_text(["web-1", "web-10"])
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    field.press_sequentially('.*"')
    page.keyboard.press("End")
    field.press_sequentially(" by (env)")
    page.keyboard.press("Enter")
    expect(series(page)).to_have_text([re.compile(r'\{env="prod"\}')])
    assert state_of(page)["promql"] == [f'quantile(0.5, {{"{LATENCY}", host=~"web-1.*"}}) by (env)']


def test_an_error_of_promql_is_shown_as_the_api_reports_it(
    page: Page, account: Account, service: Service
) -> None:
    sign_in(page, account.read, f"{FIXED}&mode=promql")
    page.get_by_label("PromQL", exact=True).fill("sum(")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Ask", exact=True).click()
    _, answer = service.answer(
        "GET", "/api/v1/query_range?query=sum(&start=0&end=9&step=1", token=account.read
    )
    expect(page.get_by_role("alert").filter(has_text=answer["error"])).to_be_visible()


def test_what_the_api_remarks_on_an_expression_is_shown(
    page: Page, account: Account, service: Service
) -> None:
    expression = f"rate({{%22{LATENCY}%22}}[5m])"
    path = f"/api/v1/query_range?query={expression}&start={START}&end={START + 60}&step=60"
    remarks = service.ask("GET", path, token=account.read)["infos"]
    sign_in(page, account.read, f"{FIXED}&mode=promql&promql={expression}")
    expect(page.locator(".notes li")).to_have_text(remarks)


def test_a_query_can_be_edited_as_promql(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"{FIXED}&metric={REQUESTS}")
    expect(page.get_by_text("A counter only grows")).to_be_visible()
    page.get_by_role("button", name="Edit as PromQL").click()
    expect(page.get_by_label("PromQL", exact=True)).to_have_value(f"sum (rate({REQUESTS}[5m]))")
    expect(series(page)).to_contain_text("1")  # 60 requests per minute


def test_several_queries_share_a_plot(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"{FIXED}&metric={LATENCY}&period=10m")
    expect(series(page)).to_have_count(1)
    page.get_by_role("button", name="Keep in the plot").click()
    page.get_by_label("Aggregator").select_option("p99")
    expect(series(page)).to_have_text([re.compile(f"mean {LATENCY}"), re.compile(f"p99 {LATENCY}")])
    page.go_back()
    page.go_back()
    expect(series(page)).to_have_count(1)
    page.go_forward()
    page.go_forward()
    expect(series(page)).to_have_count(2)
    page.get_by_role("button", name=f"Remove mean {LATENCY} from the plot").click()
    expect(series(page)).to_have_text([re.compile(f"p99 {LATENCY}")])


def test_a_legends_entry_hides_its_series(page: Page, account: Account) -> None:
    sign_in(page, account.read, BY_HOST)
    first = series(page).first
    first.click()
    expect(first).to_have_attribute("aria-pressed", "false")
    first.click()
    first.click(modifiers=["Shift"])
    expect(page.locator(".legend [aria-pressed=true]")).to_have_count(1)
    first.click(modifiers=["Shift"])
    expect(page.locator(".legend [aria-pressed=true]")).to_have_count(len(HOSTS))


def test_a_range_is_chosen_by_preset_fields_and_buttons(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"metric={LATENCY}&zone=utc")
    expect(status(page, "No points in this range")).to_be_visible()
    page.get_by_label("Range", exact=True).select_option("6h")
    assert state_of(page)["last"] == ["6h"]
    page.get_by_label("From (UTC)").fill("2026-11-19T01:00:00")
    page.get_by_label("To (UTC)").fill("2026-11-19T00:30:00")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="must be after the start")).to_be_visible()
    page.get_by_label("To (UTC)").fill("2026-11-19T01:30:00")
    page.get_by_role("button", name="Apply").click()
    expect(status(page, "from 2026-11-19 01:00:00 to 2026-11-19 01:30:00 UTC")).to_be_visible()
    assert state_of(page)["from"] == ["2026-11-19T01:00:00.000Z"]
    for name, text in {
        "Earlier": "from 2026-11-19 00:45:00 to 2026-11-19 01:15:00",
        "Later": "from 2026-11-19 01:00:00 to 2026-11-19 01:30:00",
        "Zoom out": "from 2026-11-19 00:45:00 to 2026-11-19 01:45:00",
        "Zoom in": "from 2026-11-19 01:00:00 to 2026-11-19 01:30:00",
    }.items():
        page.get_by_role("button", name=name, exact=True).click()
        expect(status(page, text)).to_be_visible()
    page.get_by_label("Range", exact=True).select_option("yesterday")
    assert "from" not in state_of(page)
    assert state_of(page)["last"] == ["yesterday"]


def test_a_range_is_dragged_and_back_undoes_it(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"{FIXED}&metric={LATENCY}&period=1m")
    expect(series(page)).to_have_count(1)
    drag(page, 0.25, 0.5)
    expect(status(page, "from 2026-11-19 00:")).to_contain_text(
        re.compile(r"from 2026-11-19 00:(29|30):\d\d to 2026-11-19 (00:59|01:00):\d\d")
    )
    page.go_back()
    expect(status(page, "from 2026-11-19 00:00:00 to 2026-11-19 02:00:00")).to_be_visible()
    assert state_of(page)["to"] == ["2026-11-19T02:00:00.000Z"]


def test_a_range_is_dragged_with_a_finger(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"{FIXED}&metric={LATENCY}&period=1m")
    expect(series(page)).to_have_count(1)
    page.locator(".plot").scroll_into_view_if_needed()
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    debugger = page.context.new_cdp_session(page)
    debugger.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    for kind, part in (("touchStart", 0.25), ("touchMove", 0.3), ("touchMove", 0.5)):
        point = {"x": box["x"] + box["width"] * part, "y": box["y"] + 50}
        debugger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    debugger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(status(page, "from 2026-11-19 00:")).to_contain_text(
        re.compile(r"from 2026-11-19 00:(29|30):\d\d to 2026-11-19 (00:59|01:00):\d\d")
    )


def test_the_plot_is_read_and_narrowed_by_keys(page: Page, account: Account) -> None:
    sign_in(
        page, account.read, f"{FIXED}&metric={LATENCY}&period=10m&tag=host:web-1&aggregator=min"
    )
    plot = page.get_by_role("group", name=f"Plot of min {LATENCY}")
    plot.focus()
    page.keyboard.press("Home")
    expect(page.get_by_text("2026-11-19 00:00:00 UTC")).to_be_visible()
    page.keyboard.press("ArrowRight")
    spoken = page.locator(".visually-hidden[aria-live=polite]")
    expect(spoken).to_contain_text("00:10:00: min http.latency")
    expect(spoken).to_contain_text("100 ms")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    expect(status(page, "from 2026-11-19 00:10:00 to 2026-11-19 00:40:00 UTC")).to_be_visible()


def test_live_follows_the_latest_points_and_pauses_while_hidden(
    page: Page, account: Account, service: Service
) -> None:
    def arrive(value: float) -> None:
        now = int(page.evaluate("Date.now()")) // 1000
        point = {"name": "live", "timestamp": now, "value": value, "tags": {}}
        readable(service, account, publish(service, account, [point]), "live")

    def hide(hidden: bool) -> None:
        page.evaluate(
            """hidden => {
              Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
              document.dispatchEvent(new Event('visibilitychange'));
            }""",
            hidden,
        )

    page.clock.install()
    arrive(1)
    sign_in(page, account.read, "metric=live&last=5m&aggregator=max&period=1d")
    expect(series(page)).to_contain_text("1")
    page.get_by_role("button", name="Live", exact=True).click()
    expect(status(page, "following the latest points")).to_be_visible()
    assert state_of(page)["live"] == ["1"]
    arrive(2)
    series(page).focus()
    page.clock.run_for(61_000)
    expect(series(page).locator(".value")).to_have_text("2")
    expect(series(page)).to_be_focused()  # what is used stays while values change
    hide(True)
    expect(status(page, "paused while the page is hidden")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    arrive(3)
    page.clock.run_for(300_000)
    assert asked == []
    hide(False)
    expect(series(page).locator(".value")).to_have_text("3")
    page.get_by_role("button", name="Live", exact=True).click()
    expect(status(page, "following the latest points")).to_have_count(0)


def test_a_shared_address_shows_the_same(page: Page, account: Account) -> None:
    sign_in(page, account.read, BY_HOST)
    expect(series(page)).to_have_count(len(HOSTS))
    shared, rows = page.url, table(page)
    page.evaluate("sessionStorage.clear()")
    page.goto(shared)
    page.get_by_label("Token").fill(account.read)
    page.keyboard.press("Enter")
    expect(series(page)).to_have_count(len(HOSTS))
    assert table(page) == rows


def test_the_csv_has_the_numbers_of_the_table(page: Page, account: Account) -> None:
    sign_in(page, account.read, BY_HOST)
    expect(series(page)).to_have_count(len(HOSTS))
    shown, saved = table(page), csv_rows(page)
    assert saved[0] == ["time", *shown[0][1:]]
    assert [
        [row[0].replace("T", " ").removesuffix(".000Z"), *row[1:]] for row in reversed(saved[1:])
    ] == shown[1:]


def test_texts_of_data_are_never_markup_and_never_formulas(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"{FIXED}&period=1h")
    page.get_by_label("Metric", exact=True).press_sequentially("http_req")
    expect(page.locator("[role=option]").filter(has_text=MARKUP)).to_be_visible()
    choose_metric(page, "free", DISK)
    page.get_by_label("One series per").select_option("mount")
    expect(series(page)).to_have_count(3)
    expect(series(page).filter(has_text=f"mount={MARKUP}")).to_have_count(1)
    assert f"mount={FORMULA}" in table(page)[0]
    page.get_by_role("button", name="PromQL", exact=True).click()
    formula = f'label_replace({{"{DISK}"}}, "__name__", "=1+1", "", "")'
    page.get_by_label("PromQL", exact=True).fill(formula)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(series(page).first).to_contain_text("=1+1")
    assert all(cell.startswith("'=1+1{") for cell in csv_rows(page)[0][1:])
    page.goto(f"/?{FIXED}&metric=<img src=x onerror=\"document.title='run'\">")
    expect(page.get_by_role("alert").filter(has_text="<img")).to_be_visible()
    assert page.locator("img").count() == 0
    assert page.title() != "run"


def test_an_empty_range_says_where_the_points_are(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"metric={LATENCY}&last=1h&zone=utc")
    expect(status(page, "No points in this range")).to_be_visible()
    expect(page.get_by_text("The latest point is of 2026-11-19 01:59:00 UTC")).to_be_visible()
    page.get_by_role("button", name="Go there").click()
    expect(series(page)).to_have_count(1)
    page.goto(f"/?{FIXED}&metric={LATENCY}&tag=host:other")
    expect(page.get_by_text("No point was ever stored with these tags")).to_be_visible()


def test_what_is_left_out_is_said(page: Page, account: Account) -> None:
    sign_in(page, account.read, f"{FIXED}&metric={WIDE}&by=shard&period=1h")
    expect(page.get_by_text(f"20 of {SHARDS} values of shard are shown")).to_be_visible()
    expect(page.get_by_text("Points without the tag shard are in no series")).to_be_visible()
    expect(series(page)).to_have_count(20)
    page.goto(f"/?{FIXED}&mode=promql&promql={WIDE}&period=1m")
    left_out = SHARDS + 1 - 100
    expect(page.get_by_text(f"{left_out} of {SHARDS + 1} series are left out")).to_be_visible()
    expect(series(page)).to_have_count(100)
    assert len(csv_rows(page)[0]) == SHARDS + 2
    page.goto(f"/?{FIXED}&metric={LATENCY}&aggregator=none")
    # Three hosts have 320 points, less than the limit of the API: nothing is left out.
    expect(series(page).first).to_be_visible()
    expect(page.locator(".notes li")).to_have_count(0)
    page.goto(f"/?{FIXED}&metric={LATENCY}&period=1s")
    expect(page.get_by_text("A longer period connects them")).to_be_visible()


def test_a_busy_service_is_asked_again_and_a_stale_answer_is_marked(
    page: Page, account: Account
) -> None:
    answers = 0

    def busy(route: Route) -> None:
        nonlocal answers
        answers += 1
        if answers == 1:
            route.fulfill(
                status=503,
                headers={"Retry-After": "2", "Content-Type": "application/problem+json"},
                body='{"title": "x", "status": 503, "detail": "too many queries are running"}',
            )
        else:
            answer = route.fetch()
            headers = {**answer.headers, "Cave-Stale": "2026-11-19T03:00:00.000Z"}
            route.fulfill(response=answer, headers=headers)

    sign_in(page, account.read)
    page.route("**/metrics?*", busy)
    choose_metric(page, "latency", LATENCY)
    expect(status(page, "too many queries are running Asking again in 2 s")).to_be_visible()
    expect(series(page)).to_have_count(1)
    expect(
        status(page, "points published after 2026-11-19 03:00:00 UTC are missing")
    ).to_be_visible()


def test_times_are_local_or_utc(page: Page, account: Account) -> None:
    sign_in(page, account.read, BY_HOST)
    expect(status(page, "from 2026-11-19 00:00:00 to 2026-11-19 02:00:00 UTC")).to_be_visible()
    page.get_by_label("Time zone").select_option("local")
    expect(
        status(page, "from 2026-11-19 01:00:00 to 2026-11-19 03:00:00 Europe/Berlin")
    ).to_be_visible()
    expect(page.get_by_label("From (Europe/Berlin)")).to_have_value("2026-11-19T01:00")
    assert table(page)[0][0] == "Time (Europe/Berlin)"
    assert "zone" not in state_of(page)
