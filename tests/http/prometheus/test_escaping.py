"""Escaped names of labels."""

from __future__ import annotations

import pytest

from adapters.http.prometheus.escaping import unescaped


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        ("host", "host"),
        ("a.b", "a.b"),
        ("U_http", "U_http"),
        ("U__http_2e_method", "http.method"),
        ("U__a__b", "a_b"),
        ("U______name____", "__name__"),
        ("U___e4__20_x", "ä x"),
        ("U___1f600_", "😀"),
        ("U__", ""),
        # Not escaped by the rules, so names of their own.
        ("U__a_b", "U__a_b"),
        ("U__a_2e", "U__a_2e"),
        ("U__a_zz_b", "U__a_zz_b"),
        ("U___ffffff_", "U___ffffff_"),
    ],
)
def test_names(escaped: str, name: str) -> None:
    assert unescaped(escaped) == name
