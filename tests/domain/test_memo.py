"""The memo stays within its size."""

from __future__ import annotations

import tracemalloc

import pytest

from domain.memo import OVERHEAD, Memo
from domain.metric_point import TagSet


def test_a_value_is_made_once() -> None:
    made: list[str] = []

    def make(key: str) -> int:
        made.append(key)
        return len(key)

    memo = Memo(make, lambda key, _: len(key))
    assert [memo["abc"], memo["abc"], memo["d"]] == [3, 3, 1]
    assert made == ["abc", "d"]


def test_everything_is_forgotten_once_the_keys_exceed_the_maximum_size() -> None:
    memo = Memo(str.upper, lambda key, _: len(key), max_size=10 * (OVERHEAD + 100))
    for number in range(1000):
        key = f"{number:0100}"
        assert memo[key] == key.upper()
        assert sum(map(len, memo)) + OVERHEAD * len(memo) <= 10 * (OVERHEAD + 100)


def test_an_exception_is_not_remembered() -> None:
    def number(text: str) -> int:
        return int(text)

    memo = Memo(number, lambda text, _: len(text))
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            memo["x"]
    assert not memo


def test_a_set_of_tags_is_counted_with_its_objects() -> None:
    """Sets of many short tags are mostly objects; else a memo would hold ten times its limit."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [
            TagSet(tuple((f"tag{place}", f"{number}-{place}") for place in range(40)))
            for number in range(500)
        ]
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    counted = sum(tags.size() + OVERHEAD for tags in kept)
    assert 0.7 * taken < counted < 2 * taken
