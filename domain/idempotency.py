"""Idempotency keys: their syntax and how long they are remembered."""

from __future__ import annotations

from datetime import timedelta

from domain.errors import InvalidArgument

WINDOW = timedelta(hours=24)
REPEAT_WINDOW = timedelta(minutes=10)
"""How long a body is remembered whose protocol has no key. Agents retry for minutes."""

MAX_KEY_LENGTH = 255


def check_idempotency_key(key: str) -> str:
    """Return the key if it is 1 to 255 visible ASCII characters. Raises InvalidArgument."""
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not all("!" <= c <= "~" for c in key):
        raise InvalidArgument(
            f"an idempotency key has 1 to {MAX_KEY_LENGTH} visible ASCII characters", "key"
        )
    return key
