"""Histories, instants and hypothesis strategies shared by the domain's tests."""

from __future__ import annotations

import string
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from domain.events import OrganizationEvent, OrganizationRegistered
from domain.organization import (
    Organization,
    create_team,
    issue_token,
    organization_id,
    project,
    register,
    revoke_token,
)
from domain.token import token_digest

NOW = datetime(2014, 4, 29, 16, 23, 45, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

quick = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""For tests that have to be run at every save."""


def _names(first: str, rest: str) -> st.SearchStrategy[str]:
    rests = st.text(string.ascii_letters + string.digits + rest, max_size=60)
    return st.builds(str.__add__, st.sampled_from(string.ascii_letters + first), rests)


valid_names = _names("_:", "_:./-")
tag_names = _names("_", "_./-")
tag_values = st.text("aZ09_.-:,/ \\'\"é名😀\u2028\xa0", min_size=1, max_size=100)


class History:
    """An organization's history under construction; each step is decided a minute later."""

    def __init__(self, name: str = "gilt") -> None:
        self.now = NOW
        self.events: list[OrganizationEvent] = list(register(None, name, now=NOW))

    @property
    def state(self) -> Organization:
        return given(self.events)

    def team(self, name: str) -> History:
        return self._add(create_team(self.state, name, self._tick()))

    def token(
        self,
        token_id: str,
        *,
        team: str | None = None,
        scopes: Sequence[str] = ("publish",),
        expires_in: timedelta | None = None,
    ) -> History:
        now = self._tick()
        return self._add(
            issue_token(
                self.state,
                token_id=token_id,
                digest=token_digest(token_id),
                team=team,
                scopes=scopes,
                expires_at=None if expires_in is None else now + expires_in,
                now=now,
            )
        )

    def revoked(self, token_id: str) -> History:
        return self._add(revoke_token(self.state, token_id, keep_last=False, now=self._tick()))

    def _tick(self) -> datetime:
        self.now += MINUTE
        return self.now

    def _add(self, events: Sequence[OrganizationEvent]) -> History:
        self.events.extend(events)
        return self


def given(events: Sequence[OrganizationEvent]) -> Organization:
    """Return the organization folded from `events`."""
    organization = project(None, events)
    assert organization is not None
    return organization


def registered(name: str = "gilt", at: datetime = NOW) -> OrganizationRegistered:
    return OrganizationRegistered(
        originator_id=organization_id(name), originator_version=1, timestamp=at, name=name
    )
