"""Idempotency keys, and the digests that show whether two bodies are equal."""

from __future__ import annotations

from hashlib import sha256

from application.publishing.ports import Idempotency
from domain.idempotency import check_idempotency_key


def idempotency_of(key: str, team: str | None, body: bytes) -> Idempotency:
    """Return a client's key with a digest of the body and of the team it is published for.

    Keys belong to one organization, so the organization is not part of the digest. Raises
    InvalidArgument for a key that is not 1 to 255 visible ASCII characters.
    """
    digest = sha256(f"{team or ''}\n".encode())
    digest.update(body)
    return Idempotency(check_idempotency_key(key), digest.digest())
