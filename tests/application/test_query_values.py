"""What queries say in text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
def test_what_are_no_tags_is_told(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_tags(text)


@given(
    st.dictionaries(
        st.from_regex(r"[a-zA-Z][_a-zA-Z0-9.-]{0,20}", fullmatch=True),
        st.text(
            st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\\"), min_size=1
        ).map(lambda text: text[:127]),
        min_size=1,
        max_size=10,
    )
)
def test_tags_with_escaped_commas_are_read_back(tags: dict[str, str]) -> None:
    text = ",".join(f"{name}:{value}".replace(",", r"\,") for name, value in tags.items())
    assert parse_tags(text) == tags


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
    ],
)
def test_a_time_is_iso_8601_or_seconds(text: str, milliseconds: int) -> None:
    """Cut to where there can be points, and to the later millisecond."""
    assert parse_time(text) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2014-04-29T16:23:45", "2014-04-29", "1e9", "nan"]
)
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="must be ISO 8601 with a zone"):
        parse_time(text)


def test_milliseconds_are_no_seconds() -> None:
    with pytest.raises(ValueError, match="must be in seconds"):
        parse_time("1398788625000")


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("1", 60_000), ("60", 3_600_000), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000)],
)
def test_a_period_is_minutes_or_has_a_unit(text: str, milliseconds: int) -> None:
    assert parse_period(text) == milliseconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-5m", "1.5h", "5 m", "m", "36501d"])
def test_what_is_no_period_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="must be minutes as a whole number"):
        parse_period(text)


def test_an_aggregator_is_one_of_those_there_are() -> None:
    assert [parse_aggregator(name) for name in AGGREGATORS] == list(AGGREGATORS)
    with pytest.raises(ValueError, match=r"must be one of count, min.* is 'avg'"):
        parse_aggregator("avg")
