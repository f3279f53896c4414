"""The docs are right about settings, metrics, commands and files."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.eventsourcing.topics import EVENT_TYPES, ORGANIZATION_TOPICS
from adapters.event_format.topics import DESCRIBED_TOPIC, TOPIC
from adapters.http.telemetry import exposition
from application.publishing.ports import IdempotencyRecords
from adapters.redis_streams.metrics.keys import MetricKeys
from entrypoints.cli.root import main
from tests.http.log_status import LOG_STATUS
from tests.docs.markdown import PAGES, ROOT, codes, links

OPERATIONS = ROOT / "docs" / "operations.md"
EVENT_FORMAT = ROOT / "docs" / "event-format.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_have_targets(page: Path) -> None:
    for target in links(page):
        assert (page.parent / target).exists(), target


def test_the_table_of_settings_is_complete() -> None:
    serve = main.commands["serve"]
    options = {
        (option.opts[0], option.envvar)
        for option in serve.params
        if isinstance(option, click.Option) and option.envvar
    }
    rows = re.findall(
        r"^\| `(--[a-z-]+)` \| `(CAVE_[A-Z_]+)` \|", OPERATIONS.read_text(), re.MULTILINE
    )
    assert set(rows) == options


@pytest.mark.parametrize("page", ["operations.md", "http.md"])
def test_the_table_of_metrics_is_complete(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    names = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(exposition(None, LOG_STATUS, IdempotencyRecords(7, 10)).decode())
        if family.name.startswith("cave_") and not family.name.endswith("_created")
    }
    assert set(re.findall(r"^\| `(cave_[a-z_]+)", text, re.MULTILINE)) == names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_in_the_docs_exist(page: Path) -> None:
    for code in codes(page):
        words = code.split()
        if words[:1] != ["cave"] or len(words) == 1:
            continue
        command: click.Command = main
        for word in words[1:]:
            if not isinstance(command, click.Group):
                break
            assert word in command.commands, code
            command = command.commands[word]
        options = {flag for param in command.params for flag in param.opts}
        for word in words:
            if word.startswith("--"):
                assert word in options, code


def test_the_controls_that_the_docs_name_are_on_the_page() -> None:
    page = (ROOT / "docs" / "page.md").read_text()
    static = ROOT / "adapters" / "http" / "pages" / "static"
    texts = "".join(path.read_text() for path in static.rglob("*.js"))
    named = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", page)
    assert named
    for name in named:
        assert re.search(rf"['`]{re.escape(name)}['`: ]", texts), name


def test_the_event_format_names_every_topic_and_key() -> None:
    text = EVENT_FORMAT.read_text()
    for name in EVENT_TYPES:
        assert f"`{ORGANIZATION_TOPICS.current(name)}`" in text
    assert f"`{TOPIC}`" in text
    assert f"`{DESCRIBED_TOPIC}`" in text
    keys = MetricKeys("cave")
    assert f"`{keys.settings}`" in text
    assert keys.log(7).replace("7", "<p>") in text
