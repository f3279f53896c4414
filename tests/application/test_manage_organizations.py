"""Use cases on organizations, teams and tokens, through their handlers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from adapters.eventsourcing.organizations import Organizations
from application.organizations.create_team import CreateTeam
from application.organizations.issue_token import IssueToken
from application.organizations.register_organization import RegisterOrganization
from application.organizations.revoke_own_token import RevokeOwnToken
from application.organizations.revoke_token import RevokeToken
from domain.errors import (
    DomainError,
    InvalidArgument,
    LastToken,
    OrganizationExists,
    TeamExists,
    TooManyTokens,
    UnknownOrganization,
    UnknownTeam,
    UnknownToken,
)
from domain.events import OrganizationEvent
from domain.token import Scope, token_digest
from tests.application.doubles import NOW, ConflictingRepository, FakeClock, Service
from tests.contracts.organizations import at_one_gate

HOUR = timedelta(hours=1)


@pytest.fixture
def gilt(service: Service) -> Service:
    """A service with the organization gilt, its token t1, and its team web, which has no token."""
    service.manage.register_organization(RegisterOrganization(name="gilt"))
    service.manage.create_team(CreateTeam(organization="gilt", name="web"))
    return service


class TestRegisterOrganization:
    def test_it_is_registered_and_its_token_default_issued(
        self, service: Service, organizations: Organizations
    ) -> None:
        organization, issued = service.manage.register_organization(
            RegisterOrganization(
                name="gilt", email="ops@gilt.com", notification_url="https://gilt.com/hook"
            )
        )
        assert issued.value == "cave_value-1"
        assert issued.token.id == "t1"
        assert issued.token.description == "default"
        assert issued.token.digest == token_digest("cave_value-1")
        assert (issued.token.team, issued.token.scopes) == (None, (Scope.PUBLISH,))
        assert issued.token.expires_at is None
        assert organization.email == "ops@gilt.com"
        assert organization.notification_url == "https://gilt.com/hook"
        assert organization.created_at == issued.token.created_at == NOW
        assert organizations.find("gilt") == organization

    def test_both_are_saved_atomically(
        self, service: Service, organizations: Organizations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps: list[int] = []
        save = organizations.save_events

        def counted(events: Sequence[OrganizationEvent]) -> None:
            steps.append(len(events))
            save(events)

        monkeypatch.setattr(organizations, "save_events", counted)
        service.manage.register_organization(RegisterOrganization(name="gilt"))
        assert steps == [2]

    def test_the_value_of_a_token_is_not_stored(
        self, service: Service, organizations: Organizations
    ) -> None:
        _, issued = service.manage.register_organization(RegisterOrganization(name="gilt"))
        stored = organizations.recorder.select_events("organization:gilt")
        assert not any(issued.value.encode() in event.state for event in stored)

    def test_the_first_token_has_the_scopes_asked_for(self, service: Service) -> None:
        _, issued = service.manage.register_organization(
            RegisterOrganization(name="gilt", scopes=("read", "publish"))
        )
        assert issued.token.scopes == (Scope.PUBLISH, Scope.READ)

    def test_a_name_that_is_taken_is_refused_and_changes_nothing(
        self, gilt: Service, organizations: Organizations
    ) -> None:
        before = organizations.find("gilt")
        with pytest.raises(OrganizationExists):
            gilt.manage.register_organization(RegisterOrganization(name="gilt", email="a@b.c"))
        assert organizations.find("gilt") == before

    @pytest.mark.parametrize(
        "command",
        [
            RegisterOrganization(name="not a name"),
            RegisterOrganization(name="gilt", email="nonsense"),
            RegisterOrganization(name="gilt", notification_url="nonsense"),
            RegisterOrganization(name="gilt", scopes=("write",)),
            RegisterOrganization(name="gilt", scopes=()),
        ],
    )
    def test_an_invalid_argument_changes_nothing(
        self, service: Service, organizations: Organizations, command: RegisterOrganization
    ) -> None:
        with pytest.raises(InvalidArgument):
            service.manage.register_organization(command)
        assert list(organizations.read(0, 10)) == []

    def test_of_concurrent_registrations_of_one_name_exactly_one_succeeds(
        self, service: Service, organizations: Organizations
    ) -> None:
        command = RegisterOrganization(name="gilt")
        raised = at_one_gate([lambda: void(service.manage.register_organization(command))] * 12)
        assert raised.count(None) == 1
        assert {type(error) for error in raised if error is not None} == {OrganizationExists}
        assert len(organizations.read(0, 100)) == 2


class TestCreateTeam:
    def test_the_organization_then_has_the_team(self, gilt: Service) -> None:
        gilt.clock.advance(HOUR)
        team = gilt.manage.create_team(CreateTeam(organization="gilt", name="ops"))
        assert (team.name, team.created_at) == ("ops", NOW + HOUR)
        assert set(gilt.manage.look_ups.organization("gilt").teams) == {"web", "ops"}

    @pytest.mark.parametrize(
        ("organization", "name", "refusal"),
        [
            ("gilt", "web", TeamExists),
            ("gilt", "not a name", InvalidArgument),
            ("other", "web", UnknownOrganization),
            ("not a name", "web", UnknownOrganization),
        ],
    )
    def test_it_is_refused(
        self, gilt: Service, organization: str, name: str, refusal: type[DomainError]
    ) -> None:
        with pytest.raises(refusal):
            gilt.manage.create_team(CreateTeam(organization=organization, name=name))

    def test_concurrent_creations_of_different_teams_all_succeed(self, gilt: Service) -> None:
        names = [f"team{i}" for i in range(8)]
        raised = at_one_gate(
            [
                lambda name=name: void(  # type: ignore[misc]
                    gilt.manage.create_team(CreateTeam(organization="gilt", name=name))
                )
                for name in names
            ]
        )
        assert raised == [None] * 8
        assert set(gilt.manage.look_ups.organization("gilt").teams) == {"web", *names}

    def test_of_concurrent_creations_of_one_team_exactly_one_succeeds(self, gilt: Service) -> None:
        command = CreateTeam(organization="gilt", name="ops")
        raised = at_one_gate([lambda: void(gilt.manage.create_team(command))] * 8)
        assert raised.count(None) == 1
        assert {type(error) for error in raised if error is not None} == {TeamExists}


class TestIssueToken:
    def test_the_token_is_returned_with_its_value(self, gilt: Service) -> None:
        issued = gilt.manage.issue_token(
            IssueToken(
                organization="gilt",
                team="web",
                description="for the build",
                scopes=("read", "publish"),
                expires_in=timedelta(days=90),
            )
        )
        token = issued.token
        assert issued.value == "cave_value-2"
        assert token.digest == token_digest(issued.value)
        assert (token.id, token.team, token.description) == ("t2", "web", "for the build")
        assert token.scopes == (Scope.PUBLISH, Scope.READ)
        assert token.expires_at == NOW + timedelta(days=90)
        assert gilt.manage.look_ups.token("gilt", "web", "t2") == token

    @pytest.mark.parametrize(
        ("command", "refusal"),
        [
            (IssueToken(organization="other"), UnknownOrganization),
            (IssueToken(organization="gilt", team="ops"), UnknownTeam),
            (IssueToken(organization="gilt", scopes=("write",)), InvalidArgument),
            (IssueToken(organization="gilt", description="a\nb"), InvalidArgument),
            (IssueToken(organization="gilt", expires_in=timedelta(0)), InvalidArgument),
            (IssueToken(organization="gilt", expires_in=-HOUR), InvalidArgument),
            (IssueToken(organization="gilt", expires_in=timedelta.max), InvalidArgument),
            (IssueToken(organization="gilt", expires_in=timedelta.min), InvalidArgument),
        ],
    )
    def test_it_is_refused_and_nothing_issued(
        self, gilt: Service, command: IssueToken, refusal: type[DomainError]
    ) -> None:
        with pytest.raises(refusal):
            gilt.manage.issue_token(command)
        assert len(gilt.manage.look_ups.organization("gilt").tokens) == 1

    def test_of_many_issued_concurrently_exactly_three_succeed(self, gilt: Service) -> None:
        command = IssueToken(organization="gilt", team="web")
        raised = at_one_gate([lambda: void(gilt.manage.issue_token(command))] * 8)
        assert raised.count(None) == 3
        assert {type(error) for error in raised if error is not None} == {TooManyTokens}
        assert len(gilt.manage.look_ups.tokens("gilt", "web")) == 3

    def test_an_expired_token_makes_room(self, gilt: Service) -> None:
        expiring = IssueToken(organization="gilt", team="web", expires_in=HOUR)
        for _ in range(3):
            gilt.manage.issue_token(expiring)
        with pytest.raises(TooManyTokens):
            gilt.manage.issue_token(expiring)
        gilt.clock.advance(HOUR)
        gilt.manage.issue_token(expiring)


class TestRevokeToken:
    def test_the_token_is_revoked_once_and_stays_so(
        self, gilt: Service, organizations: Organizations
    ) -> None:
        gilt.clock.advance(HOUR)
        gilt.manage.revoke_token(RevokeToken(organization="gilt", token_id="t1"))
        gilt.clock.advance(HOUR)
        before = organizations.find("gilt")
        gilt.manage.revoke_own_token(RevokeOwnToken(organization="gilt", team=None, token_id="t1"))
        assert organizations.find("gilt") == before
        token = gilt.manage.look_ups.token("gilt", None, "t1")
        assert token.revoked_at == NOW + HOUR

    @pytest.mark.parametrize(
        ("organization", "token_id", "refusal"),
        [("other", "t1", UnknownOrganization), ("gilt", "t9", UnknownToken)],
    )
    def test_what_does_not_exist_cannot_be_revoked(
        self, gilt: Service, organization: str, token_id: str, refusal: type[DomainError]
    ) -> None:
        with pytest.raises(refusal):
            gilt.manage.revoke_token(RevokeToken(organization=organization, token_id=token_id))

    def test_an_owner_cannot_revoke_its_last_active_token(
        self, gilt: Service, clock: FakeClock
    ) -> None:
        gilt.manage.issue_token(IssueToken(organization="gilt", expires_in=HOUR))
        clock.advance(HOUR)
        command = RevokeOwnToken(organization="gilt", team=None, token_id="t1")
        with pytest.raises(LastToken):
            gilt.manage.revoke_own_token(command)
        gilt.manage.issue_token(IssueToken(organization="gilt"))
        gilt.manage.revoke_own_token(command)

    def test_of_the_last_two_revoked_concurrently_one_is_kept(self, gilt: Service) -> None:
        gilt.manage.issue_token(IssueToken(organization="gilt"))
        raised = at_one_gate(
            [
                lambda token_id=token_id: gilt.manage.revoke_own_token(  # type: ignore[misc]
                    RevokeOwnToken(organization="gilt", team=None, token_id=token_id)
                )
                for token_id in ("t1", "t2")
            ]
        )
        assert sorted(str(type(error)) for error in raised) == sorted(
            [str(type(None)), str(LastToken)]
        )
        active = gilt.manage.look_ups.organization("gilt").active_tokens(None, NOW)
        assert len(active) == 1


class TestLookUps:
    def test_organizations_are_listed_by_name(self, service: Service) -> None:
        assert service.manage.look_ups.organizations() == []
        for name in ("b", "a", "C"):
            service.manage.register_organization(RegisterOrganization(name=name))
        service.manage.create_team(CreateTeam(organization="a", name="web"))
        found = service.manage.look_ups.organizations()
        assert [organization.name for organization in found] == ["C", "a", "b"]
        assert found[1] == service.manage.look_ups.organization("a")

    def test_more_organizations_than_fit_a_page_of_the_log_are_all_listed(
        self, service: Service
    ) -> None:
        for i in range(510):
            service.manage.register_organization(RegisterOrganization(name=f"org{i}"))
        assert len(service.manage.look_ups.organizations()) == 510

    def test_an_owners_tokens_are_listed_oldest_first(self, gilt: Service) -> None:
        for team in ("web", None, "web"):
            gilt.manage.issue_token(IssueToken(organization="gilt", team=team))
        gilt.manage.revoke_token(RevokeToken(organization="gilt", token_id="t2"))
        look_ups = gilt.manage.look_ups
        assert [token.id for token in look_ups.tokens("gilt", None)] == ["t1", "t3"]
        assert [token.id for token in look_ups.tokens("gilt", "web")] == ["t2", "t4"]

    def test_a_token_is_found_only_for_its_owner(self, gilt: Service) -> None:
        gilt.manage.issue_token(IssueToken(organization="gilt", team="web"))
        look_ups = gilt.manage.look_ups
        assert look_ups.token("gilt", None, "t1").id == "t1"
        assert look_ups.token("gilt", "web", "t2").id == "t2"
        for team, token_id in [(None, "t2"), ("web", "t1"), (None, "t9"), ("web", "t9")]:
            with pytest.raises(UnknownToken):
                look_ups.token("gilt", team, token_id)

    def test_an_unknown_organization_team_or_token_has_its_own_error(self, gilt: Service) -> None:
        look_ups = gilt.manage.look_ups
        with pytest.raises(UnknownOrganization, match="there is no organization 'other'"):
            look_ups.organization("other")
        with pytest.raises(UnknownOrganization):
            look_ups.tokens("other", None)
        with pytest.raises(UnknownOrganization):
            look_ups.token("other", None, "t1")
        with pytest.raises(UnknownTeam):
            look_ups.tokens("gilt", "ops")
        with pytest.raises(UnknownTeam):
            look_ups.token("gilt", "ops", "t1")


def void(_: object) -> None:
    """Discard a result."""


class TestCreateTeamWithToken:
    def test_the_team_and_its_token_are_saved_atomically(
        self, gilt: Service, organizations: Organizations, clock: FakeClock
    ) -> None:
        repository = ConflictingRepository(organizations, 0)
        manage = Service(repository, organizations, clock).manage
        organization, issued = manage.create_team_with_token(
            CreateTeam(organization="gilt", name="ops")
        )
        assert repository.saves == 1
        assert organizations.find("gilt") == organization
        assert organization.teams["ops"].created_at == issued.token.created_at == NOW
        assert (issued.token.team, issued.token.description) == ("ops", "default")
        assert issued.token.scopes == (Scope.PUBLISH,)
        assert issued.token.digest == token_digest(issued.value)
        assert organization.active_tokens("ops", NOW) == [issued.token]

    @pytest.mark.parametrize(
        ("organization", "name", "refusal"),
        [
            ("other", "ops", UnknownOrganization),
            ("gilt", "web", TeamExists),
            ("gilt", "a b", InvalidArgument),
        ],
    )
    def test_a_refused_command_changes_nothing(
        self,
        gilt: Service,
        organizations: Organizations,
        organization: str,
        name: str,
        refusal: type[DomainError],
    ) -> None:
        before = organizations.find("gilt")
        with pytest.raises(refusal):
            gilt.manage.create_team_with_token(CreateTeam(organization=organization, name=name))
        assert organizations.find("gilt") == before


class TestRevokeOwnToken:
    @pytest.mark.parametrize(
        ("team", "token_id", "refusal"),
        [
            (None, "t2", UnknownToken),
            ("web", "t1", UnknownToken),
            ("ops", "t2", UnknownTeam),
            (None, "t9", UnknownToken),
        ],
    )
    def test_a_token_of_another_owner_is_unknown(
        self,
        gilt: Service,
        organizations: Organizations,
        team: str | None,
        token_id: str,
        refusal: type[DomainError],
    ) -> None:
        gilt.manage.issue_token(IssueToken(organization="gilt", team="web"))
        before = organizations.find("gilt")
        with pytest.raises(refusal):
            gilt.manage.revoke_own_token(
                RevokeOwnToken(organization="gilt", team=team, token_id=token_id)
            )
        assert organizations.find("gilt") == before

    @pytest.mark.parametrize("team", [None, "web"])
    def test_an_owner_revokes_its_own(self, gilt: Service, team: str | None) -> None:
        first = gilt.manage.issue_token(IssueToken(organization="gilt", team=team)).token
        gilt.manage.issue_token(IssueToken(organization="gilt", team=team))
        command = RevokeOwnToken(organization="gilt", team=team, token_id=first.id)
        revoked = gilt.manage.revoke_own_token(command)
        assert revoked.revoked_at == NOW
        assert gilt.manage.look_ups.token("gilt", team, first.id) == revoked


class TestLookUpTeams:
    def test_they_are_listed_by_name(self, gilt: Service) -> None:
        gilt.manage.create_team(CreateTeam(organization="gilt", name="ops"))
        look_ups = gilt.manage.look_ups
        assert [team.name for team in look_ups.teams("gilt")] == ["ops", "web"]
        assert look_ups.team("gilt", "ops") == look_ups.teams("gilt")[0]
        with pytest.raises(UnknownTeam):
            look_ups.team("gilt", "none")
        with pytest.raises(UnknownOrganization):
            look_ups.teams("other")
