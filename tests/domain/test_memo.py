"""The memo stays within its size."""

from __future__ import annotations

import pytest

from domain.memo import OVERHEAD, Memo


def test_a_value_is_made_once() -> None:
    made: list[str] = []

    def make(key: str) -> int:
        made.append(key)
        return len(key)

    memo = Memo(make, len)
    assert [memo["abc"], memo["abc"], memo["d"]] == [3, 3, 1]
    assert made == ["abc", "d"]


def test_everything_is_forgotten_once_the_keys_exceed_the_maximum_size() -> None:
    memo = Memo(str.upper, len, max_size=10 * (OVERHEAD + 100))
    for number in range(1000):
        key = f"{number:0100}"
        assert memo[key] == key.upper()
        assert sum(map(len, memo)) + OVERHEAD * len(memo) <= 10 * (OVERHEAD + 100)


def test_an_exception_is_not_remembered() -> None:
    memo = Memo(int, len)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            memo["x"]
    assert not memo
