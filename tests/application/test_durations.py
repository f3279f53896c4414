"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from application.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("12h", timedelta(hours=12)),
        ("90d", timedelta(days=90)),
        ("2w", timedelta(days=14)),
        ("0s", timedelta(0)),
        ("007d", timedelta(days=7)),
    ],
)
def test_a_duration_is_a_whole_number_with_a_unit(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "d",
        "90",
        "90 d",
        "90D",
        "-1d",
        "+1d",
        "1.5h",
        "1d12h",
        "90d\n",
        " 90d",
        "٣d",
        "1y",
        "1_0d",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a duration, a whole number and a unit"):
        parse_duration(text)


def test_a_duration_that_overflows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^is too long a duration"):
        parse_duration("999999999999w")
