"""Header fields by name, repeated ones included."""

from __future__ import annotations

import pytest

from adapters.http.header_fields import content_length, header_fields


def test_fields_are_found_by_name() -> None:
    assert header_fields([(b"a", b"1"), (b"b", b"2")]) == {b"a": b"1", b"b": b"2"}


def test_repeated_lines_of_a_field_are_joined_to_a_list() -> None:
    lines = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"a", b"")]
    assert header_fields(iter(lines)) == {b"a": b"1, 3, ", b"b": b"2"}


def test_whitespace_around_a_value_is_no_part_of_it() -> None:
    assert header_fields([(b"a", b" 1\t "), (b"b", b"2 3")]) == {b"a": b"1", b"b": b"2 3"}
    assert header_fields([(b"a", b"1 "), (b"a", b"\t2 ")]) == {b"a": b"1, 2"}


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
def test_a_length_has_only_ascii_digits(value: bytes, length: int) -> None:
    assert content_length({b"content-length": value}) == length


def test_a_length_of_thousands_of_digits_exceeds_any_limit() -> None:
    assert content_length({b"content-length": b"9" * 10_000}) > 1 << 60
    assert content_length({}) == 0
