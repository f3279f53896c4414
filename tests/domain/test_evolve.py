"""State as a fold of events."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DomainError
from domain.events import OrganizationEvent, TeamCreated, TokenIssued, TokenRevoked
from domain.organization import (
    Organization,
    Team,
    create_team,
    evolve,
    issue_token,
    organization_id,
    project,
    register,
    revoke_token,
)
from domain.token import Scope, Token
from tests.domain.samples import MINUTE, NOW, History, quick, registered

words = st.sampled_from(["web", "ops", "qa"])
ids = st.sampled_from(["t1", "t2", "t3", "t4", "t5"])
scopes = st.sampled_from([("publish",), ("read",), ("publish", "read")])
commands = st.one_of(
    st.tuples(st.just("team"), words),
    st.tuples(st.just("issue"), ids, st.none() | words, scopes, st.none() | st.integers(1, 5)),
    st.tuples(st.just("revoke"), ids, st.booleans()),
)


def decided(state: Organization, command: tuple[object, ...], step: int) -> list[OrganizationEvent]:
    now = NOW + step * MINUTE
    try:
        match command:
            case ("team", str(name)):
                return list(create_team(state, name, now))
            case ("issue", str(token_id), team, tuple(chosen), minutes):
                if token_id in state.tokens:
                    return []
                assert team is None or isinstance(team, str)
                expires_at = now + minutes * MINUTE if isinstance(minutes, int) else None
                return list(
                    issue_token(
                        state,
                        token_id=token_id,
                        digest=f"digest of {token_id}",
                        team=team,
                        scopes=chosen,
                        expires_at=expires_at,
                        now=now,
                    )
                )
            case ("revoke", str(token_id), bool(keep_last)):
                return list(revoke_token(state, token_id, keep_last=keep_last, now=now))
    except DomainError:
        return []
    raise AssertionError(command)


def history_of(steps: list[tuple[object, ...]]) -> list[OrganizationEvent]:
    events: list[OrganizationEvent] = list(register(None, "gilt", now=NOW))
    for step, command in enumerate(steps, 1):
        state = project(None, events)
        assert state is not None
        events += decided(state, command, step)
    return events


@quick
@given(st.lists(commands, max_size=12))
def test_the_version_of_any_legal_history_is_the_number_of_its_events(
    steps: list[tuple[object, ...]],
) -> None:
    events = history_of(steps)
    state = project(None, events)
    assert state is not None
    assert state.version == len(events)
    assert [event.originator_version for event in events] == list(range(1, len(events) + 1))
    assert {event.originator_id for event in events} == {organization_id("gilt")}
    assert len(state.teams) == sum(isinstance(event, TeamCreated) for event in events)
    assert len(state.tokens) == sum(isinstance(event, TokenIssued) for event in events)
    revoked = [token for token in state.tokens.values() if token.revoked_at is not None]
    assert len(revoked) == sum(isinstance(event, TokenRevoked) for event in events)


@quick
@given(st.lists(commands, max_size=12), st.data())
def test_folding_is_deterministic_and_can_be_split_anywhere(
    steps: list[tuple[object, ...]], data: st.DataObject
) -> None:
    events = history_of(steps)
    whole = project(None, events)
    assert project(None, copy.deepcopy(events)) == whole
    cut = data.draw(st.integers(0, len(events)))
    first = project(None, events[:cut])
    kept = copy.deepcopy(first)
    assert project(first, events[cut:]) == whole
    assert first == kept, "a state is a value: folding on leaves it as it was"


def test_the_state_has_everything_the_events_recorded() -> None:
    history = History().team("web").token("t1", team="web", expires_in=timedelta(days=1))
    history.revoked("t1")
    assert history.state == Organization(
        id="organization:gilt",
        version=4,
        name="gilt",
        email=None,
        notification_url=None,
        created_at=NOW,
        teams={"web": Team("web", NOW + MINUTE)},
        tokens={
            "t1": Token(
                id="t1",
                team="web",
                description="",
                scopes=(Scope.PUBLISH,),
                digest=history.state.tokens["t1"].digest,
                created_at=NOW + 2 * MINUTE,
                expires_at=NOW + 2 * MINUTE + timedelta(days=1),
                revoked_at=NOW + 3 * MINUTE,
            )
        },
    )


def test_tokens_are_listed_oldest_first_and_revoking_keeps_their_order() -> None:
    history = History().token("t2").token("t1").token("t3").revoked("t2")
    assert list(history.state.tokens) == ["t2", "t1", "t3"]
    assert [t.id for t in history.state.active_tokens(None, history.now)] == ["t1", "t3"]


def test_without_events_there_is_no_organization() -> None:
    assert project(None, []) is None
    state = History().state
    assert project(state, []) is state


@pytest.mark.parametrize("number", [1, 2, 3])
def test_only_a_registration_can_come_first(number: int) -> None:
    event = History().team("web").token("t1").revoked("t1").events[number]
    with pytest.raises(TypeError, match=f"{type(event).__name__} cannot follow None"):
        evolve(None, event)


def test_an_event_of_an_unknown_kind_cannot_follow() -> None:
    unknown = OrganizationEvent(
        originator_id="organization:gilt", originator_version=2, timestamp=NOW
    )
    with pytest.raises(TypeError, match="OrganizationEvent cannot follow"):
        evolve(evolve(None, registered()), unknown)
