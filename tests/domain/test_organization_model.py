"""Any sequence of commands on an organization agrees with a simple model of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)
from msgspec import Struct

from domain.access import authorize
from domain.errors import (
    DomainError,
    Forbidden,
    LastToken,
    TeamExists,
    TooManyTokens,
    UnknownTeam,
    UnknownToken,
)
from domain.events import OrganizationEvent
from domain.organization import Organization, create_team, issue_token, register, revoke_token
from domain.token import Scope, token_digest
from tests.domain.samples import NOW, given, quick

teams = st.sampled_from(["web", "ops"])
owners = st.none() | teams
scope_sets = st.sampled_from([{"publish"}, {"publish"}, {"publish", "read"}])


class Issued(Struct):
    """A token in the model; times are in minutes since the start."""

    team: str | None
    scopes: frozenset[str]
    expires: int | None
    revoked: bool = False

    def active(self, minute: int) -> bool:
        return not self.revoked and (self.expires is None or minute < self.expires)


class OrganizationMachine(RuleBasedStateMachine):
    token_ids: Bundle[str] = Bundle("token_ids")

    def __init__(self) -> None:
        super().__init__()
        self.minute = 0
        self.events: list[OrganizationEvent] = []
        self.teams: set[str] = set()
        self.tokens: dict[str, Issued] = {}

    @property
    def now(self) -> datetime:
        return NOW + timedelta(minutes=self.minute)

    @property
    def state(self) -> Organization:
        return given(self.events)

    def refusal(
        self, decide: Callable[[], tuple[OrganizationEvent, ...]]
    ) -> type[DomainError] | None:
        """Record the events that are decided, or return the class of the refusal."""
        try:
            self.events += decide()
        except DomainError as refused:
            return type(refused)
        return None

    def active(self, team: str | None) -> list[Issued]:
        return [t for t in self.tokens.values() if t.team == team and t.active(self.minute)]

    @initialize()
    def register(self) -> None:
        self.events.extend(register(None, "gilt", now=self.now))

    @rule(minutes=st.integers(1, 10))
    def let_time_pass(self, minutes: int) -> None:
        self.minute += minutes

    @rule(name=teams)
    def create_team(self, name: str) -> None:
        expected = TeamExists if name in self.teams else None
        assert self.refusal(lambda: create_team(self.state, name, self.now)) is expected
        if expected is None:
            self.teams.add(name)

    @rule(target=token_ids, team=owners, scopes=scope_sets, lifetime=st.none() | st.integers(1, 60))
    def issue(
        self, team: str | None, scopes: set[str], lifetime: int | None
    ) -> str | MultipleResults[str]:
        token_id = f"t{len(self.tokens)}"
        alike = [t for t in self.active(team) if t.scopes == scopes]
        expected: type[DomainError] | None = None
        if team is not None and team not in self.teams:
            expected = UnknownTeam
        elif len(alike) == 3:
            expected = TooManyTokens
        refusal = self.refusal(
            lambda: issue_token(
                self.state,
                token_id=token_id,
                digest=token_digest(token_id),
                team=team,
                scopes=scopes,
                expires_at=None if lifetime is None else self.now + timedelta(minutes=lifetime),
                now=self.now,
            )
        )
        assert refusal is expected
        if refusal is not None:
            return multiple()
        expires = None if lifetime is None else self.minute + lifetime
        self.tokens[token_id] = Issued(team, frozenset(scopes), expires)
        return token_id

    @rule(token_id=token_ids | st.just("never-issued"), keep_last=st.booleans())
    def revoke(self, token_id: str, keep_last: bool) -> None:
        known = self.tokens.get(token_id)
        expected: type[DomainError] | None = None
        if known is None:
            expected = UnknownToken
        elif keep_last and not known.revoked and self.active(known.team) == [known]:
            expected = LastToken
        before = len(self.events)
        refusal = self.refusal(
            lambda: revoke_token(self.state, token_id, keep_last=keep_last, now=self.now)
        )
        assert refusal is expected
        if refusal is not None:
            return
        assert known is not None
        assert len(self.events) - before == (0 if known.revoked else 1)
        known.revoked = True

    @rule(token_id=token_ids, team=owners, scope=st.sampled_from(list(Scope)))
    def use(self, token_id: str, team: str | None, scope: Scope) -> None:
        known = self.tokens[token_id]
        state = self.state
        expected: type[DomainError] | None = None
        if team is not None and team not in self.teams:
            expected = UnknownTeam
        elif (
            not known.active(self.minute)
            or known.team not in (None, team)
            or scope not in known.scopes
        ):
            expected = Forbidden

        def use() -> tuple[OrganizationEvent, ...]:
            token = state.tokens[token_id]
            assert authorize(state, token, team=team, scope=scope, now=self.now) is token
            return ()

        assert self.refusal(use) is expected

    @invariant()
    def the_state_is_the_models(self) -> None:
        if not self.events:
            return
        state = self.state
        assert state.version == len(self.events)
        assert set(state.teams) == self.teams
        assert list(state.tokens) == list(self.tokens)
        for token_id, known in self.tokens.items():
            token = state.tokens[token_id]
            assert token.team == known.team
            assert set(token.scopes) == known.scopes
            assert (token.revoked_at is not None) == known.revoked
            assert token.is_active(self.now) == known.active(self.minute)
        for team in (None, *self.teams):
            counts: dict[tuple[Scope, ...], int] = {}
            for token in state.active_tokens(team, self.now):
                counts[token.scopes] = counts.get(token.scopes, 0) + 1
            assert all(count <= 3 for count in counts.values())


TestOrganizationModel = OrganizationMachine.TestCase
TestOrganizationModel.settings = settings(quick, max_examples=30, stateful_step_count=40)
