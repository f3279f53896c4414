"""Tokens: who may do what, for whom, until when."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from domain.errors import InvalidArgument

TOKEN_PREFIX = "cave_"  # noqa: S105  a public prefix, for secret scanners to recognize
MAX_ACTIVE_TOKENS = 3
"""Active tokens that an owner may have per scope set: enough to overlap during a rotation."""

MAX_DESCRIPTION_LENGTH = 255


class Scope(StrEnum):
    PUBLISH = "publish"
    READ = "read"
    ADMIN = "admin"


class Token(Struct, frozen=True, kw_only=True):
    """A token of an organization (`team` None) or of one of its teams."""

    id: str
    team: str | None
    description: str
    scopes: tuple[Scope, ...]
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_active(self, now: datetime) -> bool:
        """Return whether it is neither revoked nor expired; it expires exactly at `expires_at`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def token_digest(value: str) -> str:
    """Return the SHA-256 of a token's value in hexadecimal. The value itself is not stored."""
    return hashlib.sha256(value.encode()).hexdigest()


def scope_set(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """Return the scopes sorted, each once. Raises InvalidArgument for none, or an unknown one."""
    try:
        chosen = tuple(sorted({Scope(scope) for scope in scopes}))
    except ValueError as error:
        known = ", ".join(Scope)
        raise InvalidArgument(f"{error}; scopes are {known}", "scopes") from None
    if not chosen:
        raise InvalidArgument("a token needs at least one scope", "scopes")
    return chosen
