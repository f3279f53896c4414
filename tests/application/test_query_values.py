"""Parsing the text of queries: tags, times, periods, aggregators."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.durations import UNITS, parse_duration
from application.reading.query_values import (
    AGGREGATORS,
    parse_aggregator,
    parse_period,
    parse_tags,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("host:svc5", {"host": "svc5"}),
        ("host:svc5,env:production", {"host": "svc5", "env": "production"}),
        ("address:10.0.0.1:80", {"address": "10.0.0.1:80"}),
        (r"place:Berlin\, Germany,host:a", {"place": "Berlin, Germany", "host": "a"}),
        (r"path:C:\temp", {"path": r"C:\temp"}),
        (r"drive:C:\\,host:w1", {"drive": "C:\\", "host": "w1"}),
        (r"drive:C:\,host:w1", {"drive": "C:,host:w1"}),
        ("drive:C:\\", {"drive": "C:\\"}),
    ],
)
def test_tags_are_pairs_between_commas(text: str, tags: dict[str, str]) -> None:
    assert parse_tags(text) == tags


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "must be name:value pairs"),
        ("host", "'host' has no colon"),
        ("host:a,", "'' has no colon"),
        ("host:", "the value of tag 'host' must have 1 to 1024 characters"),
        ("2nd:a", "the tag's name must match"),
        ("host:a,host:b", "has the tag 'host' twice"),
        (",".join(f"t{i}:v" for i in range(41)), "has 41 tags"),
    ],
)
def test_invalid_tags_are_refused_with_the_fault(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_tags(text)


tag_names = st.from_regex(r"[a-zA-Z][_a-zA-Z0-9.-]{0,20}", fullmatch=True)
values = st.text(
    st.sampled_from(",\\\\:") | st.characters(exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=100,
)


tag_sets = st.dictionaries(tag_names, values, min_size=1, max_size=10)


def escaped(value: str) -> str:
    r"""Escape a value: `\\` for a backslash, `\,` for a comma."""
    return value.replace("\\", r"\\").replace(",", r"\,")


@given(tag_sets)
def test_every_tag_set_can_be_asked_for(tags: dict[str, str]) -> None:
    assert parse_tags(",".join(f"{name}:{escaped(value)}" for name, value in tags.items())) == tags


@given(values)
def test_a_backslash_must_be_escaped_only_before_a_comma_or_a_backslash(value: str) -> None:
    lone = re.sub(r"\\+(?=\\|$)", "", value.replace(",", "")) or "x"
    assert parse_tags(f"a:{lone},b:c") == {"a": lone, "b": "c"}


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0", 0),
        ("1398788625", 1398788625000),
        ("1398788625.5", 1398788625500),
        ("1398788625.1231", 1398788625124),
        ("1970-01-01T00:00:00Z", 0),
        ("2014-04-29T16:23:45Z", 1398788625000),
        ("2014-04-29T18:23:45.001+02:00", 1398788625001),
        ("2014-04-29T16:23:45.000001Z", 1398788625001),
        ("20140429T162345Z", 1398788625000),
        ("-1", 0),
        ("1969-12-31T23:59:59Z", 0),
        ("9999-12-31T23:59:59Z", 95617584000001),
        ("9999-12-31T23:59:59-23:59", 95617584000001),
        ("2014-04-29 16:23:45z", 1398788625000),
        ("2014-04-29t16:23:45.5Z", 1398788625500),
        ("2014-W18-2T16:23:45,5Z", 1398788625500),
        ("2014-04-29T16:23Z", 1398788580000),
        ("2014-04-29T16.25Z", 1398788100000),
        ("2014-04-29T18+02", 1398787200000),
        ("2014-04-28T24:00:00Z", 1398729600000),
        ("2014-04-28T23:59:60Z", 1398729600000),
    ],
)
def test_a_time_is_iso_8601_or_seconds(text: str, milliseconds: int) -> None:
    """It is limited to the range of points, and rounded up to a millisecond."""
    assert parse_time(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2014-04-29T16:23:45",
        "2014-04-29",
        "1e9",
        "nan",
        "1.",
        "+1",
        "\u0663",
        "\uff12\uff10\uff11\uff14-04-29T16:23:45Z",
        "2014-02-30T00:00:00Z",
        "2014-04-29T24:00:01Z",
        "2014-04-29T16:60:00Z",
        "2014-04-29T16:23:61Z",
        "2014-04-29T16:23:45+24:00",
        "2014-04-29T16:23:45 +02:00",
        "2014-04-29T16:23:45Z\n",
    ],
)
def test_an_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be ISO 8601 with a zone"):
        parse_time(text)


decimals = st.text("0123456789", min_size=1, max_size=40)
seconds = st.integers(0, 4_000_000_000)


@given(seconds, decimals, st.sampled_from("Tt "), st.sampled_from(["Z", "z", "+00:00", "-0000"]))
def test_a_bound_separates_the_same_points_as_the_exact_time(
    whole: int, fraction: str, between: str, zone: str
) -> None:
    """With any number of decimals, and in both notations."""
    exact = Fraction(f"{whole}.{fraction}") * 1000
    date, clock = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%d %H:%M:%S").split()
    for text in (f"{whole}.{fraction}", f"{date}{between}{clock}.{fraction}{zone}"):
        bound = parse_time(text)
        assert bound - 1 < exact <= bound


@given(seconds, st.integers(-1439, 1439))
def test_the_offset_of_a_zone_is_subtracted(whole: int, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    assert parse_time(datetime.fromtimestamp(whole, zone).isoformat()) == whole * 1000


def test_milliseconds_since_the_epoch_are_refused() -> None:
    with pytest.raises(ValueError, match="must be in seconds"):
        parse_time("1398788625000")


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1", 60_000),
        ("60", 3_600_000),
        ("30s", 30_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("2w", 1_209_600_000),
    ],
)
def test_a_period_is_minutes_or_has_a_unit(text: str, milliseconds: int) -> None:
    assert parse_period(text) == milliseconds


@pytest.mark.parametrize("unit", UNITS)
def test_periods_have_the_units_of_durations(unit: str) -> None:
    assert parse_period(f"3{unit}") == parse_duration(f"3{unit}") / timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-5m", "1.5h", "5 m", "m", "36501d", "\u0661", "1_0", "1y"]
)
def test_an_invalid_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be minutes as a whole number"):
        parse_period(text)


def test_only_the_known_aggregators_are_accepted() -> None:
    assert [parse_aggregator(name) for name in AGGREGATORS] == list(AGGREGATORS)
    with pytest.raises(ValueError, match=r"must be one of count, min.* is 'avg'"):
        parse_aggregator("avg")
