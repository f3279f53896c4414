"""The refused points of organizations, kept for a while beside the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from application.organizations.access import Grant
from application.publishing.refusals import Refusals, RefusedPoint

MAX_REFUSED = 1000
"""Refusals that are kept per organization: the last ones."""


class KeptRefusal(Struct, frozen=True):
    """A refusal, with when it was (milliseconds since the epoch), and who sent the point how."""

    time: int
    team: str | None
    token_id: str
    protocol: str
    point: RefusedPoint


class RefusedPoints(Protocol):
    """The last refused points of each organization. Not a part of the log. Thread-safe."""

    async def record(self, grant: Grant, protocol: str, refused: Refusals) -> None:
        """Keep the refusals of a body, as far as there is room for them.

        Never raises LogError: what can be stored is stored already, and the answer to the client
        names the rest.
        """

    def last(self, organization: str) -> Sequence[KeptRefusal]:
        """Return the last `MAX_REFUSED` refusals of an organization and its teams, oldest first.

        Blocks. Raises LogUnavailable.
        """

    def forget(self, organization: str) -> None:
        """Forget an organization's refusals. Blocks. Raises LogUnavailable."""
