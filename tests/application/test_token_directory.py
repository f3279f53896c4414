"""The token directory follows the log, through outages and changes of its history."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from adapters.eventsourcing.organizations import Organizations
from application.errors import DirectoryStale, LogFull, LogUnavailable
from application.organizations import token_directory
from application.organizations.create_team import CreateTeam
from application.organizations.issue_token import IssueToken
from application.organizations.register_organization import RegisterOrganization
from application.organizations.revoke_token import RevokeToken
from application.organizations.token_directory import DirectoryFollower, TokenDirectory
from domain.errors import UnknownOrganization
from domain.token import token_digest
from tests.application.doubles import (
    FakeMonotonic,
    Service,
    SwitchableLog,
    eventually,
    following,
    organizations_in_memory,
)

DOWN = LogUnavailable("the log is down")


@pytest.fixture
def elsewhere() -> Iterator[Organizations]:
    """The log after a failover, with another history."""
    with organizations_in_memory() as organizations:
        yield organizations


@pytest.fixture
def monotonic() -> FakeMonotonic:
    return FakeMonotonic()


@pytest.fixture
def directory(monotonic: FakeMonotonic) -> TokenDirectory:
    return TokenDirectory(monotonic)


@pytest.fixture
def log(organizations: Organizations) -> SwitchableLog:
    return SwitchableLog(organizations)


@pytest.fixture
def follower(log: SwitchableLog, directory: TokenDirectory) -> DirectoryFollower:
    return DirectoryFollower(log, directory)


def register(organizations: Organizations, service: Service, name: str) -> None:
    Service(organizations, organizations, service.clock).manage.register_organization(
        RegisterOrganization(name=name)
    )


def known(directory: TokenDirectory, *names: str) -> set[str]:
    """Return those of the names that the directory knows."""
    found = set()
    for name in names:
        try:
            found.add(directory.look_up(name, "")[0].name)
        except UnknownOrganization:
            continue
    return found


def revoked(directory: TokenDirectory, token: str) -> bool:
    _, presented = directory.look_up("gilt", token_digest(token))
    assert presented is not None
    return presented.revoked_at is not None


class TestCatchUp:
    def test_of_an_empty_log_is_done_immediately(
        self, follower: DirectoryFollower, directory: TokenDirectory
    ) -> None:
        assert not directory.status.caught_up
        follower.catch_up()
        assert directory.status.caught_up
        assert directory.status.position == 0
        with pytest.raises(UnknownOrganization):
            directory.look_up("gilt", "")

    def test_folds_all_events_page_by_page_and_then_only_new_ones(
        self,
        follower: DirectoryFollower,
        directory: TokenDirectory,
        log: SwitchableLog,
        service: Service,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(token_directory, "PAGE", 3)
        for name in ("a", "b", "c", "d"):
            service.manage.register_organization(RegisterOrganization(name=name))
        follower.catch_up()
        assert log.reads == [0, 3, 6, 8]
        assert directory.status.position == 8
        service.manage.create_team(CreateTeam(organization="d", name="web"))
        follower.catch_up()
        assert log.reads == [0, 3, 6, 8, 8, 9]
        assert known(directory, "a", "b", "c", "d") == {"a", "b", "c", "d"}
        assert set(directory.look_up("d", "")[0].teams) == {"web"}

    def test_finds_each_token_only_in_its_own_organization(
        self, follower: DirectoryFollower, directory: TokenDirectory, service: Service
    ) -> None:
        for name in ("gilt", "other"):
            service.manage.register_organization(RegisterOrganization(name=name))
        follower.catch_up()
        digest = token_digest("cave_value-1")
        organization, token = directory.look_up("gilt", digest)
        assert organization.name == "gilt"
        assert token is not None
        assert token.id == "t1"
        assert directory.look_up("other", digest)[1] is None
        assert directory.look_up("gilt", "unheard of")[1] is None

    def test_agrees_with_the_repository_on_every_organization(
        self,
        follower: DirectoryFollower,
        directory: TokenDirectory,
        service: Service,
        organizations: Organizations,
    ) -> None:
        manage = service.manage
        for name in ("gilt", "other"):
            manage.register_organization(RegisterOrganization(name=name))
            manage.create_team(CreateTeam(organization=name, name="web"))
            manage.issue_token(IssueToken(organization=name, team="web"))
        manage.revoke_token(RevokeToken(organization="gilt", token_id="t1"))
        follower.catch_up()
        for name in ("gilt", "other"):
            assert directory.look_up(name, "")[0] == organizations.find(name)


class TestSilence:
    def test_counts_from_the_last_answer_of_the_log(
        self, follower: DirectoryFollower, directory: TokenDirectory, monotonic: FakeMonotonic
    ) -> None:
        follower.catch_up()
        monotonic.seconds += 3
        assert directory.status.silence == 3
        follower.catch_up()
        assert directory.status.silence == 0

    def test_grows_while_the_log_fails_and_the_known_state_is_used_until_it_is_stale(
        self,
        follower: DirectoryFollower,
        directory: TokenDirectory,
        log: SwitchableLog,
        monotonic: FakeMonotonic,
        service: Service,
    ) -> None:
        service.manage.register_organization(RegisterOrganization(name="gilt"))
        follower.catch_up()
        log.failure = DOWN
        monotonic.seconds += 4
        with pytest.raises(LogUnavailable):
            follower.catch_up()
        assert directory.status.silence == 4
        assert known(directory, "gilt") == {"gilt"}
        monotonic.seconds += 2
        with pytest.raises(DirectoryStale):
            directory.look_up("gilt", "")

    def test_a_log_without_news_is_not_silent(
        self, follower: DirectoryFollower, directory: TokenDirectory, monotonic: FakeMonotonic
    ) -> None:
        with following(follower):
            assert eventually(lambda: directory.status.caught_up)
            for _ in range(3):
                monotonic.seconds += 100
                assert eventually(lambda: directory.status.silence == 0)


class TestFollowing:
    def test_a_recorded_event_is_soon_known(
        self, follower: DirectoryFollower, directory: TokenDirectory, service: Service
    ) -> None:
        with following(follower):
            assert eventually(lambda: directory.status.caught_up)
            service.manage.register_organization(RegisterOrganization(name="gilt"))
            assert eventually(lambda: known(directory, "gilt") == {"gilt"}, 1)

    def test_a_revocation_is_seen_within_a_second(
        self, follower: DirectoryFollower, directory: TokenDirectory, service: Service
    ) -> None:
        service.manage.register_organization(RegisterOrganization(name="gilt"))
        with following(follower):
            assert eventually(lambda: directory.status.caught_up)
            assert not revoked(directory, "cave_value-1")
            service.manage.revoke_token(RevokeToken(organization="gilt", token_id="t1"))
            assert eventually(lambda: revoked(directory, "cave_value-1"), 1)

    @pytest.mark.parametrize("failure", [None, DOWN])
    def test_it_stops_within_a_quarter_of_a_second_even_while_the_log_is_down(
        self, follower: DirectoryFollower, log: SwitchableLog, failure: Exception | None
    ) -> None:
        log.failure = failure
        with following(follower) as thread:
            assert eventually(lambda: log.failed.is_set() or bool(log.reads))
            began = time.monotonic()
            follower.stop()
            thread.join(5)
            assert time.monotonic() - began < 0.25 + 0.25

    def test_it_does_not_start_after_it_was_stopped(
        self, follower: DirectoryFollower, log: SwitchableLog
    ) -> None:
        follower.stop()
        follower.run()
        assert log.reads == []

    @pytest.mark.parametrize("failure", [DOWN, LogFull("no room")])
    def test_it_resumes_after_any_failure_of_the_log(
        self,
        follower: DirectoryFollower,
        directory: TokenDirectory,
        log: SwitchableLog,
        service: Service,
        failure: Exception,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(token_directory, "RETRY_DELAY", 0.005)
        with capture_logs() as logged, following(follower):
            service.manage.register_organization(RegisterOrganization(name="gilt"))
            assert eventually(lambda: directory.status.position == 2)
            for position in (4, 6):
                log.failure = failure
                assert eventually(log.failed.is_set)
                service.manage.register_organization(RegisterOrganization(name=f"o{position}"))
                log.failure = None
                log.failed.clear()
                assert eventually(lambda at=position: directory.status.position == at)  # type: ignore[misc]
        assert known(directory, "gilt", "o4", "o6") == {"gilt", "o4", "o6"}
        assert {entry["event"] for entry in logged} == {
            "token directory lost touch with the log"
        }, "what it knew was still so"

    def test_an_outage_is_logged_once_with_its_reason(
        self,
        follower: DirectoryFollower,
        log: SwitchableLog,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(token_directory, "RETRY_DELAY", 0.001)
        failures = itertools.count()
        monkeypatch.setattr(log, "_check", lambda: fail(next(failures)))

        def fail(number: int) -> None:
            if number == 5:
                follower.stop()
            raise DOWN

        with capture_logs() as logged:
            follower.run()
        assert next(failures) == 6
        assert [(entry["log_level"], entry["reason"]) for entry in logged] == [
            ("warning", "the log is down")
        ]


class TestContinuity:
    """A failover may lose writes, whose positions are then reused by other events."""

    def after_an_outage(self, follower: DirectoryFollower, log: SwitchableLog) -> list[str]:
        """Lose the log, find it again, and stop; return the messages logged besides the outage."""
        with capture_logs() as logged:
            reads = len(log.reads)
            log.failure = DOWN
            with following(follower):
                assert eventually(log.failed.is_set)
                log.failure = None
                assert eventually(lambda: len(log.reads) > reads + 1)
        return [entry["event"] for entry in logged if entry["log_level"] == "error"]

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(token_directory, "RETRY_DELAY", 0.005)

    def test_a_log_that_is_still_the_same_is_not_read_again(
        self,
        follower: DirectoryFollower,
        directory: TokenDirectory,
        log: SwitchableLog,
        service: Service,
    ) -> None:
        service.manage.register_organization(RegisterOrganization(name="gilt"))
        follower.catch_up()
        assert self.after_an_outage(follower, log) == []
        assert log.reads.count(0) == 1
        assert known(directory, "gilt") == {"gilt"}
        assert directory.status.lost is None

    @pytest.mark.parametrize("histories", [["b"], ["b", "c", "d"], ["b", "gilt"], []])
    def test_a_changed_history_is_read_from_its_first_event(
        self,
        follower: DirectoryFollower,
        directory: TokenDirectory,
        log: SwitchableLog,
        service: Service,
        elsewhere: Organizations,
        histories: list[str],
    ) -> None:
        for name in ("gilt", "a"):
            service.manage.register_organization(RegisterOrganization(name=name))
        follower.catch_up()
        for name in histories:
            register(elsewhere, service, name)
        log.log = elsewhere
        assert self.after_an_outage(follower, log) == [
            "the organizations' log has lost events; rebuilding"
        ]
        assert known(directory, "gilt", "a", "b", "c", "d") == set(histories)
        assert directory.status.position == 2 * len(histories)
        assert directory.status.lost == 4, "the last event that was read and is not there"

    def test_the_old_history_is_used_until_the_new_one_is_read_completely(
        self,
        follower: DirectoryFollower,
        directory: TokenDirectory,
        log: SwitchableLog,
        service: Service,
        elsewhere: Organizations,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An outage during the rebuild shows no partial state, and the rebuild is resumed."""
        monkeypatch.setattr(token_directory, "PAGE", 2)
        service.manage.register_organization(RegisterOrganization(name="gilt"))
        follower.catch_up()
        for name in ("b", "c"):
            register(elsewhere, service, name)
        log.log = elsewhere

        read = log.read
        seen: list[set[str]] = []

        def interrupted(after: int, limit: int) -> object:
            seen.append(known(directory, "gilt", "b", "c"))
            if after == 2 and len(seen) < 5:
                raise DOWN
            return read(after, limit)

        log.failure = DOWN
        with following(follower):
            assert eventually(log.failed.is_set)
            monkeypatch.setattr(log, "read", interrupted)
            log.failure = None
            assert eventually(lambda: directory.status.position == 4)
        assert all(names in ({"gilt"}, {"b", "c"}) for names in seen)
        assert {"gilt"} in seen
        assert known(directory, "gilt", "b", "c") == {"b", "c"}

    def test_a_token_of_the_lost_history_is_forgotten(
        self,
        follower: DirectoryFollower,
        directory: TokenDirectory,
        log: SwitchableLog,
        service: Service,
        elsewhere: Organizations,
    ) -> None:
        service.manage.register_organization(RegisterOrganization(name="gilt"))
        service.manage.issue_token(IssueToken(organization="gilt"))
        follower.catch_up()
        for recorded in log.log.read(0, 2):
            elsewhere.save_events([recorded.event])
        log.log = elsewhere
        self.after_an_outage(follower, log)
        assert directory.look_up("gilt", token_digest("cave_value-1"))[1] is not None
        assert directory.look_up("gilt", token_digest("cave_value-2"))[1] is None
