"""Idempotency keys, and the digests that show whether two bodies are equal."""

from __future__ import annotations

from hashlib import sha256

from application.publishing.ports import Idempotency
from domain.idempotency import check_idempotency_key


def body_idempotency(digest: bytes, protocol: str, team: str | None) -> Idempotency:
    """Return a key made of the SHA-256 of a body, for clients that send a body again without one.

    The protocol and the team are part of it: the same bytes may mean other points elsewhere. The
    character that the key begins with keeps it apart from clients' keys.
    """
    of_points = sha256(f"{protocol}\n{team or ''}\n".encode() + digest)
    return Idempotency(f"\x00{of_points.hexdigest()}", of_points.digest(), repeat=True)


def idempotency_of(key: str, team: str | None, body: bytes) -> Idempotency:
    """Return a client's key with a digest of the body and of the team it is published for.

    Keys belong to one organization, so the organization is not part of the digest. Raises
    InvalidArgument for a key that is not 1 to 255 visible ASCII characters.
    """
    digest = sha256(f"{team or ''}\n".encode())
    digest.update(body)
    return Idempotency(check_idempotency_key(key), digest.digest())
