"""Fields of a header that come more than once."""

from __future__ import annotations

import pytest

from adapters.http.header_fields import content_length, header_fields


def test_each_field_is_found_by_its_name() -> None:
    assert header_fields([(b"a", b"1"), (b"b", b"2")]) == {b"a": b"1", b"b": b"2"}


def test_the_lines_of_one_field_are_one_list() -> None:
    lines = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"a", b"")]
    assert header_fields(iter(lines)) == {b"a": b"1, 3, ", b"b": b"2"}


@pytest.mark.parametrize(
    ("value", "length"),
    [
        (b"0", 0),
        (b"42", 42),
        (b"0042", 42),
        (b"", 0),
        (b"-1", 0),
        (b"+1", 0),
        (b"1_0", 0),
        (b"1, 1", 0),
        ("\uff11".encode(), 0),
        ("\u0661".encode(), 0),
        (b"\xb2", 0),
    ],
)
def test_a_length_is_digits_of_ascii(value: bytes, length: int) -> None:
    assert content_length({b"content-length": value}) == length


def test_a_length_of_thousands_of_digits_is_over_any_limit() -> None:
    assert content_length({b"content-length": b"9" * 10_000}) > 1 << 60
    assert content_length({}) == 0
