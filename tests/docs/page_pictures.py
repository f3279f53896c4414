"""Takes the pictures of the page: `python -m tests.docs.page_pictures`, or `make picture`.

A real browser looks at a real service that has a day of invented metrics of a shop: five hosts, of
which one is slow in the evening. The pictures show the steps of `docs/page.md`.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.chromium import ARGUMENTS, chromium_path, environment
from tests.browser.data import Account, describe, issue, publish, readable
from tests.browser.person import choose_metric, drag, series, sign_in
from tests.service import Service, running

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MAX_BYTES = 100_000
COLOURS = 256
NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
YESTERDAY = NOW.replace(hour=0, minute=0) - timedelta(days=1)
HOSTS = ("web-1.fra", "web-2.fra", "web-3.fra", "web-4.ams", "web-5.ams")
SLOW = "web-3.fra"
STEP = 20
"""Seconds between two measurements of a host."""

BATCH = 5000
LATENCY = "http.server.duration"


def points() -> Iterator[dict[str, Any]]:
    chance = random.Random(7)
    for second in range(0, 33 * 3600, STEP):
        hour = second / 3600 % 24
        busy = 1 + math.sin((hour - 9) / 24 * 2 * math.pi) / 2
        evening = math.exp(-(((second / 3600 - 19.5) / 0.7) ** 2))
        for host in HOSTS:
            usual = 0.08 * busy * chance.lognormvariate(0, 0.25)
            slow = 0.6 * evening * chance.random() if host == SLOW else 0.0
            timestamp = int(YESTERDAY.timestamp()) + second
            tags = {"host": host, "route": chance.choice(("/cart", "/checkout", "/search"))}
            yield point(LATENCY, timestamp, usual + slow, **tags)
            if second % 300 == 0:
                yield point("disk.free", timestamp, 2.0**38 * (1 - second / 3e5), host=host)
                requests = float(second * 40 + chance.randrange(100))
                yield point("http.server.requests", timestamp, requests, host=host)
                yield point("process.memory.used", timestamp, 7e8 * busy, host=host)


def point(name: str, timestamp: int, value: float, **tags: str) -> dict[str, Any]:
    return {"name": name, "timestamp": timestamp, "value": value, "tags": tags}


def fill(service: Service) -> Account:
    admin = service.register("shop", "publish", "admin")
    read, write = (
        issue(service, "/organizations/shop", admin, scope) for scope in ("read", "publish")
    )
    account = Account("shop", admin, read, write, team="")
    items = list(points())
    for start in range(0, len(items), BATCH):
        receipt = publish(service, account, items[start : start + BATCH])
    described = [
        (LATENCY, "s", "Time from the first byte of a request to the last one of its answer"),
        ("http.server.requests", "{request}", "Requests that were answered"),
        ("disk.free", "By", "Free space of the file system with the data"),
        ("process.memory.used", "By", "Resident memory of the server's processes"),
    ]
    readable(service, account, receipt, LATENCY)
    describe(service, account, [metric(*each) for each in described])
    return account


def metric(name: str, unit: str, words: str) -> dict[str, Any]:
    counter = {"isMonotonic": True, "aggregationTemporality": 2, "dataPoints": []}
    data = {"sum": counter} if name.endswith("requests") else {"gauge": {"dataPoints": []}}
    return {"name": name, "unit": unit, "description": words, **data}


def take(page: Page, account: Account) -> None:
    page.clock.set_fixed_time(NOW)
    sign_in(page, account.read, "zone=utc")
    page.get_by_label("Metric", exact=True).press_sequentially("server")
    expect(page.locator("[role=option]")).to_have_count(3)
    page.keyboard.press("ArrowDown")
    shoot(page, "page-search", height=420)
    choose_metric(page, "duration", LATENCY)
    page.get_by_label("Aggregator").select_option("p99")
    page.get_by_label("One series per").select_option("host")
    page.get_by_label("Range", exact=True).select_option("yesterday")
    page.get_by_label("Period").select_option("10m")
    expect(series(page)).to_have_count(len(HOSTS))
    page.mouse.move(0, 0)
    shoot(page, "page-p99-by-host", height=700)
    drag(page, 0.74, 0.90)
    expect(page.get_by_label("Range", exact=True)).to_have_value("fixed")
    page.emulate_media(color_scheme="dark")
    plot = page.locator(".u-over")
    plot.hover(position={"x": 480, "y": 60})
    shoot(page, "page-zoom", height=700)
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="PromQL", exact=True).click()
    page.get_by_label("PromQL", exact=True).press_sequentially("sum by (host) (rate(http")
    expect(page.locator("[role=option]").first).to_be_visible()
    shoot(page, "page-promql", height=420)


def shoot(page: Page, name: str, *, height: int) -> None:
    page.set_viewport_size({"width": 1200, "height": height})
    page.wait_for_timeout(300)  # the plot follows the new size
    path = IMAGES / f"{name}.png"
    picture = Image.open(BytesIO(page.screenshot(full_page=True)))
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {size} bytes")
    if size > MAX_BYTES:
        raise SystemExit(f"{path.name} has {size} bytes, more than {MAX_BYTES}")


def main() -> None:
    path = chromium_path()
    if path is None:
        sys.exit("there is no Chromium: install Debian's package chromium")
    expect.set_options(timeout=60_000)
    with TemporaryDirectory(prefix="cave-") as directory:
        service = Service(Path(directory), ["--workers", "1"])
        with running(service), sync_playwright() as playwright:
            account = fill(service)
            browser = playwright.chromium.launch(
                executable_path=path, args=ARGUMENTS, env=environment(path)
            )
            context = browser.new_context(base_url=service.url, locale="en-GB", timezone_id="UTC")
            take(context.new_page(), account)
            browser.close()


if __name__ == "__main__":
    main()
