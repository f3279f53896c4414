"""Read, decide, save: only version conflicts are retried, all other errors are raised directly."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import tenacity
import tenacity.nap

from adapters.eventsourcing.organizations import Organizations
from application.errors import LogError, LogFull, LogUnavailable, OutcomeUnknown, VersionConflict
from application.organizations.create_team import CreateTeam
from application.organizations.deciding import MAX_SECONDS
from application.organizations.register_organization import RegisterOrganization
from application.organizations.revoke_token import RevokeToken
from domain.errors import TeamExists
from tests.application.doubles import ConflictingRepository, FakeClock, FakeMonotonic, Service

COMMAND = CreateTeam(organization="gilt", name="web")


class FakeTime(FakeMonotonic):
    """Time for the retrying library: a sleep advances it and returns immediately."""

    def __init__(self) -> None:
        super().__init__()
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.seconds += seconds


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    module = SimpleNamespace(monotonic=fake, sleep=fake.sleep)
    monkeypatch.setattr(tenacity, "time", module)
    monkeypatch.setattr(tenacity.nap, "time", module)
    return fake


@pytest.fixture(autouse=True)
def gilt(service: Service) -> None:
    service.manage.register_organization(RegisterOrganization(name="gilt"))


@pytest.mark.parametrize("conflicts", [0, 1, 5, 20])
def test_a_decision_is_made_again_after_each_conflict(
    organizations: Organizations, clock: FakeClock, time: FakeTime, conflicts: int
) -> None:
    repository = ConflictingRepository(organizations, conflicts)
    assert Service(repository, organizations, clock).manage.create_team(COMMAND).name == "web"
    assert repository.finds == repository.saves == conflicts + 1
    assert len(time.naps) == conflicts
    assert all(0 <= nap <= 0.1 for nap in time.naps)


def test_it_is_made_on_the_state_saved_by_the_faster_writer(
    service: Service, organizations: Organizations, clock: FakeClock
) -> None:
    repository = ConflictingRepository(
        organizations, 1, intervene=lambda: void(service.manage.create_team(COMMAND))
    )
    with pytest.raises(TeamExists):
        Service(repository, organizations, clock).manage.create_team(COMMAND)
    assert (repository.finds, repository.saves) == (2, 1)


def test_after_five_seconds_of_conflicts_it_gives_up(
    organizations: Organizations, clock: FakeClock, time: FakeTime
) -> None:
    repository = ConflictingRepository(organizations, None)
    began = time.seconds
    with pytest.raises(VersionConflict, match="another writer was faster"):
        Service(repository, organizations, clock).manage.create_team(COMMAND)
    assert MAX_SECONDS <= time.seconds - began < MAX_SECONDS + 0.2
    assert MAX_SECONDS == 5


@pytest.mark.parametrize("error", [LogUnavailable, LogFull, OutcomeUnknown])
def test_no_other_error_is_retried(
    organizations: Organizations,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    error: type[LogError],
) -> None:
    """Above all not an unknown outcome: the events may already be in the log."""
    tries = []

    def fail(events: object) -> None:
        tries.append(events)
        raise error("no")

    monkeypatch.setattr(organizations, "save_events", fail)
    with pytest.raises(error):
        Service(organizations, organizations, clock).manage.create_team(COMMAND)
    assert len(tries) == 1


def test_a_decision_without_events_saves_nothing(
    service: Service, organizations: Organizations, clock: FakeClock
) -> None:
    service.manage.revoke_token(RevokeToken(organization="gilt", token_id="t1"))
    repository = ConflictingRepository(organizations, None)
    again = Service(repository, organizations, clock).manage.revoke_token(
        RevokeToken(organization="gilt", token_id="t1")
    )
    assert again.revoked_at == clock()
    assert (repository.finds, repository.saves) == (1, 0)


def void(_: object) -> None:
    """Discard a result."""
