"""Access control, as of the last event that the token directory has read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.eventsourcing.organizations import Organizations
from application.errors import DirectoryStale
from application.organizations.access import Grant
from application.organizations.create_team import CreateTeam
from application.organizations.issue_token import IssueToken
from application.organizations.register_organization import RegisterOrganization
from application.organizations.revoke_token import RevokeToken
from application.organizations.token_directory import MAX_SILENCE, DirectoryFollower, TokenDirectory
from domain.errors import Forbidden, UnknownOrganization, UnknownTeam
from domain.token import Scope
from tests.application.doubles import FakeClock, FakeMonotonic, Service, service_use_cases

HOUR = timedelta(hours=1)
GILT, WEB, OTHER, SHORT = (f"cave_value-{i}" for i in range(1, 5))


class Gate:
    """Access control over a directory that catches up on demand."""

    def __init__(self, organizations: Organizations, clock: FakeClock) -> None:
        self.monotonic = FakeMonotonic()
        self.directory = TokenDirectory(self.monotonic)
        self.follower = DirectoryFollower(organizations, self.directory)
        self.access = service_use_cases(
            clock, organizations=organizations, directory=self.directory
        ).access

    def grant(
        self,
        token: str,
        organization: str = "gilt",
        team: str | None = None,
        scope: Scope = Scope.PUBLISH,
    ) -> Grant:
        return self.access.grant(organization, team, token, scope)


@pytest.fixture
def gate(service: Service, organizations: Organizations, clock: FakeClock) -> Gate:
    """Organizations gilt, with team web, and other; each has a token, gilt also one for an hour."""
    manage = service.manage
    manage.register_organization(RegisterOrganization(name="gilt"))
    manage.create_team(CreateTeam(organization="gilt", name="web"))
    manage.issue_token(IssueToken(organization="gilt", team="web"))
    manage.register_organization(RegisterOrganization(name="other"))
    manage.issue_token(IssueToken(organization="gilt", expires_in=HOUR))
    gate = Gate(organizations, clock)
    gate.follower.catch_up()
    return gate


def test_a_grant_names_its_owner_and_token(gate: Gate) -> None:
    assert gate.grant(GILT) == Grant("gilt", None, "t1")
    assert gate.grant(GILT, team="web") == Grant("gilt", "web", "t1")
    assert gate.grant(WEB, team="web") == Grant("gilt", "web", "t2")
    assert gate.grant(OTHER, "other") == Grant("other", None, "t3")


@pytest.mark.parametrize(
    ("token", "organization", "team", "refusal"),
    [
        (GILT, "nobody", None, UnknownOrganization),
        (GILT, "nobody", "web", UnknownOrganization),
        (GILT, "a\nb", None, UnknownOrganization),
        ("", "nobody", None, UnknownOrganization),
        (GILT, "gilt", "ops", UnknownTeam),
        ("", "gilt", "ops", UnknownTeam),
        (OTHER, "gilt", "ops", UnknownTeam),
        (OTHER, "gilt", None, Forbidden),
        (OTHER, "gilt", "web", Forbidden),
        (GILT, "other", None, Forbidden),
        (WEB, "gilt", None, Forbidden),
        ("", "gilt", None, Forbidden),
        (GILT + " ", "gilt", None, Forbidden),
        (GILT.upper(), "gilt", None, Forbidden),
        ("t1", "gilt", None, Forbidden),
    ],
)
def test_it_is_refused_for_the_first_thing_that_is_wrong(
    gate: Gate, token: str, organization: str, team: str | None, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        gate.grant(token, organization, team)


@pytest.mark.parametrize("scope", [Scope.READ, Scope.ADMIN])
def test_a_scope_that_the_token_lacks_is_refused(gate: Gate, scope: Scope) -> None:
    with pytest.raises(Forbidden, match="lacks the scope"):
        gate.grant(GILT, scope=scope)


def test_a_digest_is_not_a_token(gate: Gate, organizations: Organizations) -> None:
    gilt = organizations.find("gilt")
    assert gilt is not None
    with pytest.raises(Forbidden):
        gate.grant(gilt.tokens["t1"].digest)


def test_an_expiry_needs_no_event(gate: Gate, clock: FakeClock) -> None:
    clock.advance(HOUR - timedelta(microseconds=1))
    assert gate.grant(SHORT).token_id == "t4"
    clock.advance(timedelta(microseconds=1))
    with pytest.raises(Forbidden, match="the token expired"):
        gate.grant(SHORT)
    assert gate.grant(GILT).token_id == "t1"


def test_a_revocation_takes_effect_once_the_directory_has_read_it(
    gate: Gate, service: Service
) -> None:
    service.manage.revoke_token(RevokeToken(organization="gilt", token_id="t1"))
    assert gate.grant(GILT).token_id == "t1"
    gate.follower.catch_up()
    with pytest.raises(Forbidden, match="the token was revoked"):
        gate.grant(GILT)


def test_a_directory_that_never_heard_from_the_log_is_not_trusted(
    organizations: Organizations, clock: FakeClock
) -> None:
    gate = Gate(organizations, clock)
    with pytest.raises(DirectoryStale):
        gate.grant(GILT)
    status = gate.directory.status
    assert (status.caught_up, status.position, status.silence) == (False, 0, float("inf"))


def test_a_directory_is_trusted_for_five_seconds_of_silence_and_no_longer(gate: Gate) -> None:
    assert MAX_SILENCE == 5
    gate.monotonic.seconds += 5
    assert gate.grant(GILT).token_id == "t1"
    gate.monotonic.seconds += 0.001
    for organization in ("gilt", "nobody"):
        with pytest.raises(DirectoryStale):
            gate.grant(GILT, organization)
    gate.follower.catch_up()
    assert gate.grant(GILT).token_id == "t1"
