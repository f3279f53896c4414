"""Fields of a header that come more than once."""

from __future__ import annotations

from adapters.http.header_fields import header_fields


def test_each_field_is_found_by_its_name() -> None:
    assert header_fields([(b"a", b"1"), (b"b", b"2")]) == {b"a": b"1", b"b": b"2"}


def test_the_lines_of_one_field_are_one_list() -> None:
    lines = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"a", b"")]
    assert header_fields(iter(lines)) == {b"a": b"1, 3, ", b"b": b"2"}
