"""Idempotency keys: 1 to 255 visible ASCII characters, kept for 24 hours."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import IdempotencyConflict, InvalidArgument
from domain.idempotency import WINDOW, check_idempotency_key


def test_a_key_may_contain_every_visible_ascii_character() -> None:
    visible = "".join(chr(code) for code in range(0x21, 0x7F))
    assert check_idempotency_key(visible) == visible


@pytest.mark.parametrize("length", [1, 255])
def test_a_key_has_1_to_255_characters(length: int) -> None:
    assert check_idempotency_key("k" * length) == "k" * length


@pytest.mark.parametrize(
    "key", ["", "k" * 256, "a b", " k", "k\n", "k\t", "\x7f", "\x00", "é", "名"]
)
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidArgument, match="1 to 255 visible ASCII characters"):
        check_idempotency_key(key)


def test_keys_are_remembered_for_24_hours() -> None:
    assert timedelta(hours=24) == WINDOW


def test_a_conflict_names_the_key() -> None:
    assert "'k1' was used with another body" in str(IdempotencyConflict.of("k1"))
