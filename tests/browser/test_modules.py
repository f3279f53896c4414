"""The page's modules that only compute, run in the browser."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from adapters.http.pages.files import page_files


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Iterator[Page]:
    """A page whose files come without a service."""
    files = page_files()

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/":
            route.fulfill(body=files.index, content_type="text/html")
        else:
            found = files.served[path.removeprefix(f"/static/{files.digest}/")]
            route.fulfill(body=found.content, content_type=found.media_type)

    context = browser.new_context(timezone_id="Europe/Berlin")
    page = context.new_page()
    page.route("**/*", answer)
    page.goto("http://cave.test/")
    yield page
    context.close()


def call(page: Page, module: str, function: str, *arguments: Any) -> Any:
    """Import a module and return what one of its functions returns."""
    return page.evaluate(
        """async ([module, name, given]) => {
          const main = document.querySelector('script[type=module]').src;
          const imported = await import(new URL(module, main));
          return imported[name](...given);
        }""",
        [module, function, list(arguments)],
    )


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("By", 0, "0 B"),
        ("bytes", 1023, "1023 B"),
        ("By", 1536, "1.5 KiB"),
        ("By", -(2**40), "-1 TiB"),
        ("s", 0, "0 s"),
        ("s", 0.25, "250 ms"),
        ("seconds", 3e-6, "3 µs"),
        ("s", 59, "59 s"),
        ("s", 90, "1.5 min"),
        ("s", 86400, "1 d"),
        ("ms", 1500, "1.5 s"),
        ("ns", 20, "20 ns"),
        ("%", 12.345, "12.35 %"),
        ("1", 0.5, "0.5"),
        ("{request}", 1234567, "1.235 M"),
        ("V", 0.002, "2 mV"),
        ("V", 12, "12 V"),
        ("V", 0, "0 V"),
        ("", 0.0004, "0.0004"),
        ("", 1e-9, "1e-9"),
        ("", 999.96, "1 k"),
        ("", 1e18, "1000 P"),
    ],
)
def test_values_are_readable_in_their_unit(
    modules: Page, unit: str, value: float, text: str
) -> None:
    found = modules.evaluate(
        """async ([unit, value]) => {
          const main = document.querySelector('script[type=module]').src;
          return (await import(new URL('units.js', main))).readable(unit).format(value);
        }""",
        [unit, value],
    )
    assert found == text


@pytest.mark.parametrize(
    ("name", "described", "unit"),
    [
        ("http.latency", "s", "s"),
        ("node_memory_bytes", "", "bytes"),
        ("request_duration_seconds_sum", "", "seconds"),
        ("network_bytes_total", "By", "By"),
        ("network_bytes_total", "", "bytes"),
        ("bytes.of.cake", "", ""),
        ("requests_total", "", ""),
    ],
)
def test_the_unit_is_the_described_one_or_the_names(
    modules: Page, name: str, described: str, unit: str
) -> None:
    assert call(modules, "units.js", "unitOf", name, described) == unit


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("90s", 90_000),
        ("1h30m", 5_400_000),
        ("1.5h", 5_400_000),
        ("7d", 604_800_000),
        ("1w", 604_800_000),
    ],
)
def test_durations_are_read(modules: Page, text: str, milliseconds: int) -> None:
    assert call(modules, "times.js", "parseDuration", text) == milliseconds


@pytest.mark.parametrize("text", ["", "x", "5", "-1h", "1h x", "1 h", "h"])
def test_other_texts_are_no_durations(modules: Page, text: str) -> None:
    assert call(modules, "times.js", "parseDuration", text) is None


def test_days_begin_at_midnight_in_their_zone_also_when_clocks_change(modules: Page) -> None:
    noon = 1_792_926_000_000  # 2026-10-25T11:00Z; clocks went back in the night before
    assert call(modules, "times.js", "startOfDay", noon, "utc") == 1_792_886_400_000
    local = call(modules, "times.js", "startOfDay", noon, "local")
    assert local == 1_792_879_200_000  # 2026-10-24T22:00Z
    yesterday = call(
        modules, "explore/periods.js", "rangeOf", {"last": "yesterday", "zone": "local"}, noon
    )
    assert yesterday == [local - 86_400_000, local]


TEXTS = [
    "plain",
    'quote " and, comma',
    "two\nlines",
    " padded ",
    "ünï",
    "",
]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


def test_csv_is_that_of_rfc_4180_and_has_no_formulas(modules: Page) -> None:
    labels = [*TEXTS, *FORMULAS]
    columns = {
        "times": [0, 1500],
        "series": [{"label": label, "values": [-1.5e-7, None]} for label in labels],
    }
    text: str = call(modules, "explore/csv.js", "csvOf", columns)
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert rows[0] == ["time", *TEXTS, *("'" + each for each in FORMULAS)]
    assert rows[1] == ["1970-01-01T00:00:00.000Z", *["-1.5e-7"] * len(labels)]
    assert rows[2] == ["1970-01-01T00:00:01.500Z", *[""] * len(labels)]
    assert text.count("\r\n") == 3


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("ra|", {"kind": "word", "text": "ra"}),
        ("a_total/ra|", {"kind": "word", "text": "ra"}),
        ("sum(|", {"kind": "word", "text": ""}),
        ("sum by (ho|", {"kind": "label", "text": "ho"}),
        ("a / on(ho|", {"kind": "label", "text": "ho"}),
        ("up{ho|", {"kind": "label", "text": "ho", "metric": "up"}),
        ('up{job="x", ho|', {"kind": "label", "text": "ho", "metric": "up"}),
        ('{"http.hits", ho|', {"kind": "label", "text": "ho", "metric": "http.hits"}),
        ('up{host="we|', {"kind": "value", "text": "we", "label": "host", "metric": "up"}),
        ('up{host=~"we|', {"kind": "value", "text": "we", "label": "host"}),
        ('{"http.hits", "host.name"="we|', {"kind": "value", "label": "host.name"}),
        ('{"ht|', {"kind": "metric", "text": "ht"}),
        ("up{host=|", {"kind": "none"}),
        ("rate(up[5|", {"kind": "duration", "text": "5"}),
        ('label_replace(up, "ho|', {"kind": "none"}),
        ('up{host="}"} + ra|', {"kind": "word", "text": "ra"}),
        ('up{host="\\""} + ra|', {"kind": "word", "text": "ra"}),
    ],
)
def test_completion_knows_what_fits(modules: Page, written: str, expected: dict[str, str]) -> None:
    place = written.index("|")
    expression = written.replace("|", "")
    found = call(modules, "explore/promql-words.js", "contextAt", expression, place)
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("metric", "tags", "selector"),
    [
        ("up", [], "up"),
        ("up", [{"name": "host", "value": 'a"\\'}], 'up{host="a\\"\\\\"}'),
        ("http.hits", [], '{"http.hits"}'),
        ("http.hits", [{"name": "host.name", "value": "a"}], '{"http.hits", "host.name"="a"}'),
    ],
)
def test_selectors_are_quoted_where_needed(
    modules: Page, metric: str, tags: list[dict[str, str]], selector: str
) -> None:
    assert call(modules, "explore/selectors.js", "selector", metric, tags) == selector


def test_a_state_is_the_same_after_the_address(modules: Page) -> None:
    states: list[dict[str, Any]] = [
        {},
        {"metric": "a.b", "tags": ["host:a,b", "env:x:y"], "aggregator": "", "by": "host"},
        {"mode": "promql", "promql": 'sum({"a.b", c=~"ü.*"})', "zone": "utc", "live": "1"},
        {"from": "2026-11-19T00:00:00.000Z", "to": "2026-11-20T00:00:00.000Z", "period": "5m"},
        {"beside": ["metric=a&aggregator=", "promql=b%26c"], "team": "web", "view": "health"},
    ]
    empty = call(modules, "state.js", "parseState", "")
    for state in states:
        text = call(modules, "state.js", "formatState", {**empty, **state})
        assert call(modules, "state.js", "parseState", f"?{text}") == {**empty, **state}
    assert call(modules, "state.js", "formatState", empty) == ""
    ignored = urlencode({"token": "cave_x", "__proto__": "x", "metric": "up"})
    assert call(modules, "state.js", "parseState", ignored) == {**empty, "metric": "up"}


def test_periods_without_points_are_gaps_and_times_of_others_are_not(modules: Page) -> None:
    script = """async () => {
      const main = document.querySelector('script[type=module]').src;
      const { columnsOf } = await import(new URL('explore/columns.js', main));
      const shared = { period: 10, grid: [0, 60], notes: [], unit: '' };
      const found = columnsOf([
        { ...shared, isRaw: false, series: [{ label: 'a', points: new Map([[10, 1], [40, 2]]) }] },
        { ...shared, isRaw: true, series: [{ label: 'b', points: [[15, 3], [15, 4], [20, 5]] }] },
      ], ['q', 'r']);
      return JSON.stringify({ times: found.times, series: found.series.map((each) =>
        [each.label, each.values.map((value) => (value === undefined ? 'none' : value))]) });
    }"""
    found = json.loads(modules.evaluate(script))
    assert found["times"] == [10, 15, 20, 30, 40]
    assert found["series"] == [
        ["q a", [1, "none", None, None, 2]],
        ["r b", ["none", 3, 5, "none", "none"]],
        ["r b (2 at one time)", ["none", 4, "none", "none", "none"]],
    ]
