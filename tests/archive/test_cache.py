"""The cache: each value is made once, and what it keeps is bounded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.archive.cache import Cache


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=60))
def test_it_forgets_what_was_used_least_recently(uses: list[tuple[int, int]]) -> None:
    sizes = dict(reversed(uses))
    cache = Cache[int](20)
    kept: list[int] = []
    for key, _ in uses:
        made: list[int] = []

        def make(key: int = key, made: list[int] = made) -> int:
            made.append(key)
            return key

        assert cache.get(key, make, sizes[key]) == key
        assert bool(made) == (key not in kept)
        kept = [other for other in kept if other != key] + [key]
        while sum(sizes[other] for other in kept) > 20:
            del kept[0]


def test_the_newest_value_is_kept_whatever_its_size() -> None:
    cache = Cache[str](10)
    assert cache.get("a", lambda: "large", 1000) == "large"
    assert cache.get("a", lambda: "made again", 1000) == "large"
    cache.get("b", lambda: "small", 1)
    assert cache.get("a", lambda: "made again", 1000) == "made again"


def test_whoever_asks_meanwhile_waits_for_the_one_that_makes_it() -> None:
    cache = Cache[int](10)
    made = []
    begun, go_on = threading.Event(), threading.Event()

    def make() -> int:
        begun.set()
        go_on.wait()
        made.append(1)
        return 7

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(cache.get, "a", make)
        begun.wait()
        others = [threads.submit(cache.get, "a", make) for _ in range(3)]
        go_on.set()
        assert {first.result(), *(other.result() for other in others)} == {7}
    assert made == [1]


def test_an_error_is_raised_and_not_kept() -> None:
    cache = Cache[int](10)

    def fail() -> int:
        raise OSError("failed")

    for _ in range(2):
        with pytest.raises(OSError, match="failed"):
            cache.get("a", fail)
    assert cache.get("a", lambda: 3) == 3
