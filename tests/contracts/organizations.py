"""The contracts of OrganizationRepository and OrganizationLog, for every adapter."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Protocol

import pytest

from application.errors import VersionConflict
from application.organizations.ports import OrganizationLog, OrganizationRepository
from domain.events import (
    LimitsSet,
    OrganizationErased,
    OrganizationEvent,
    OrganizationRegistered,
    TeamCreated,
    TokenIssued,
    TokenRevoked,
)
from domain.organization import organization_id, project

NOW = datetime(2014, 4, 29, 16, 23, 45, 678901, tzinfo=UTC)
LONGEST_WAIT = 0.25
MARGIN = 0.25
"""Seconds by which a busy machine may be late."""


class OrganizationPorts(OrganizationRepository, OrganizationLog, Protocol):
    """One store through its two ports."""


def registered(name: str) -> OrganizationRegistered:
    return OrganizationRegistered(
        originator_id=organization_id(name), originator_version=1, timestamp=NOW, name=name
    )


def team_created(organization: str, version: int, team: str = "web") -> TeamCreated:
    return TeamCreated(
        originator_id=organization_id(organization),
        originator_version=version,
        timestamp=NOW,
        name=team,
    )


def full_history(name: str = "gilt") -> list[OrganizationEvent]:
    """Return events of every kind, with all fields set and with optional ones unset."""
    id_ = organization_id(name)
    return [
        OrganizationRegistered(
            originator_id=id_,
            timestamp=NOW,
            originator_version=1,
            name=name,
            email="ops@gilt.com",
            notification_url="https://gilt.com/hook",
        ),
        TeamCreated(originator_id=id_, timestamp=NOW, originator_version=2, name="web"),
        TokenIssued(
            originator_id=id_,
            timestamp=NOW,
            originator_version=3,
            token_id="t1",
            team="web",
            description="für den Bau 😀 \"'\\",
            scopes=("admin", "publish", "read"),
            digest="d" * 64,
            expires_at=NOW + timedelta(days=90, microseconds=1),
        ),
        TokenIssued(
            originator_id=id_,
            timestamp=NOW,
            originator_version=4,
            token_id="t2",
            team=None,
            description="",
            scopes=("publish",),
            digest="e" * 64,
        ),
        TokenRevoked(originator_id=id_, timestamp=NOW, originator_version=5, token_id="t1"),
        LimitsSet(
            originator_id=id_,
            timestamp=NOW,
            originator_version=6,
            points_per_second=12.5,
            burst=1000,
            series=5000,
        ),
        LimitsSet(originator_id=id_, timestamp=NOW, originator_version=7),
        OrganizationErased(originator_id=id_, timestamp=NOW, originator_version=8),
    ]


def at_one_gate(contenders: Sequence[Callable[[], None]]) -> list[Exception | None]:
    """Start all contenders at the same moment, in a thread each; return what each raised."""
    gate = threading.Barrier(len(contenders))

    def run(contender: Callable[[], None]) -> Exception | None:
        gate.wait()
        try:
            contender()
        except Exception as error:  # noqa: BLE001  returned to be judged
            return error
        return None

    with ThreadPoolExecutor(len(contenders)) as threads:
        return list(threads.map(run, contenders))


class OrganizationsContract(ABC):
    """Subclass it as `Test…` and implement how a store is opened."""

    refuses_gaps: ClassVar[bool] = True
    """Whether a gap in the versions is a conflict, as the port requires."""

    @abstractmethod
    def open_organizations(self) -> AbstractContextManager[OrganizationPorts]:
        """Open a new, empty store, and close it at the end."""

    def test_an_organization_without_events_is_none(self) -> None:
        with self.open_organizations() as organizations:
            organizations.save_events([registered("gilt")])
            assert organizations.find("gil") is None
            assert organizations.find("gilt2") is None
            assert organizations.find("Gilt") is None

    def test_a_new_log_is_empty(self) -> None:
        with self.open_organizations() as organizations:
            assert list(organizations.read(0, 10)) == []

    def test_a_saved_organization_is_found_in_the_state_of_its_last_event(self) -> None:
        with self.open_organizations() as organizations:
            history = full_history()
            organizations.save_events(history[:2])
            assert organizations.find("gilt") == project(None, history[:2])
            organizations.save_events(history[2:])
            assert organizations.find("gilt") == project(None, history)

    def test_every_kind_of_event_is_read_back_unchanged(self) -> None:
        with self.open_organizations() as organizations:
            history = full_history()
            organizations.save_events(history)
            recorded = organizations.read(0, 10)
            assert [(r.position, r.event) for r in recorded] == list(enumerate(history, 1))
            assert [type(r.event) for r in recorded] == [type(event) for event in history]

    def test_organizations_do_not_mix(self) -> None:
        with self.open_organizations() as organizations:
            organizations.save_events([registered("gilt")])
            organizations.save_events([registered("other")])
            organizations.save_events([team_created("gilt", 2)])
            gilt, other = organizations.find("gilt"), organizations.find("other")
            assert gilt is not None
            assert other is not None
            assert (gilt.version, set(gilt.teams)) == (2, {"web"})
            assert (other.version, set(other.teams)) == (1, set())

    @pytest.mark.parametrize("version", [1, 2])
    def test_a_version_that_is_taken_is_a_conflict(self, version: int) -> None:
        with self.open_organizations() as organizations:
            organizations.save_events([registered("gilt"), team_created("gilt", 2)])
            before = organizations.find("gilt")
            with pytest.raises(VersionConflict):
                organizations.save_events([team_created("gilt", version, "ops")])
            assert organizations.find("gilt") == before
            assert len(organizations.read(0, 10)) == 2
            organizations.save_events([team_created("gilt", 3, "ops")])

    def test_a_gap_in_the_versions_is_a_conflict(self) -> None:
        if not self.refuses_gaps:
            pytest.skip("this store does not look for gaps")
        with self.open_organizations() as organizations:
            organizations.save_events([registered("gilt")])
            with pytest.raises(VersionConflict):
                organizations.save_events([team_created("gilt", 3)])
            with pytest.raises(VersionConflict):
                organizations.save_events([team_created("gilt", 2), team_created("gilt", 4)])
            assert len(organizations.read(0, 10)) == 1

    def test_the_same_event_twice_in_one_save_is_a_conflict(self) -> None:
        with self.open_organizations() as organizations:
            with pytest.raises(VersionConflict):
                organizations.save_events([registered("gilt"), registered("gilt")])
            assert organizations.find("gilt") is None

    def test_events_are_saved_all_or_none(self) -> None:
        with self.open_organizations() as organizations:
            organizations.save_events([registered("gilt"), team_created("gilt", 2)])
            for refused in (
                [registered("other"), team_created("gilt", 2, "ops")],
                [team_created("gilt", 3, "ops"), registered("gilt")],
                [team_created("gilt", 2, "ops"), registered("other")],
            ):
                with pytest.raises(VersionConflict):
                    organizations.save_events(refused)
            assert organizations.find("other") is None
            assert [r.position for r in organizations.read(0, 10)] == [1, 2]
            organizations.save_events([registered("other"), team_created("gilt", 3, "ops")])
            assert [r.event.originator_version for r in organizations.read(2, 10)] == [1, 3]

    def test_the_log_is_read_page_by_page_in_the_order_of_recording(self) -> None:
        with self.open_organizations() as organizations:
            names = [f"org{i}" for i in range(7)]
            for name in names:
                organizations.save_events([registered(name)])
            found: list[tuple[int, str]] = []
            sizes = []
            while page := organizations.read(len(found), 3):
                sizes.append(len(page))
                found += [(r.position, r.event.originator_id) for r in page]
            assert sizes == [3, 3, 1]
            assert found == [(i, organization_id(name)) for i, name in enumerate(names, 1)]
            assert [r.position for r in organizations.read(4, 1)] == [5]
            assert list(organizations.read(7, 3)) == []
            assert list(organizations.read(100, 3)) == []

    def test_of_concurrent_writers_of_one_version_exactly_one_wins(self) -> None:
        with self.open_organizations() as organizations:
            organizations.save_events([registered("gilt")])
            raised = at_one_gate(
                [
                    lambda i=i: organizations.save_events(  # type: ignore[misc]
                        [team_created("gilt", 2, f"team{i}"), team_created("gilt", 3, f"other{i}")]
                    )
                    for i in range(8)
                ]
            )
            assert raised.count(None) == 1
            assert {type(error) for error in raised if error is not None} == {VersionConflict}
            winner = raised.index(None)
            gilt = organizations.find("gilt")
            assert gilt is not None
            assert set(gilt.teams) == {f"team{winner}", f"other{winner}"}

    def test_writers_of_different_organizations_do_not_conflict(self) -> None:
        with self.open_organizations() as organizations:
            raised = at_one_gate(
                [
                    lambda i=i: organizations.save_events(  # type: ignore[misc]
                        [registered(f"org{i}"), team_created(f"org{i}", 2)]
                    )
                    for i in range(8)
                ]
            )
            assert raised == [None] * 8
            recorded = organizations.read(0, 100)
            assert [r.position for r in recorded] == list(range(1, 17)), "no gaps"
            ids = [r.event.originator_id for r in recorded]
            assert ids[::2] == ids[1::2], "events of one save are adjacent"

    def test_waiting_ends_after_a_quarter_of_a_second_without_an_event(self) -> None:
        with self.open_organizations() as organizations:
            organizations.save_events([registered("gilt")])
            for after in (1, 100):
                began = time.monotonic()
                organizations.wait(after)
                assert time.monotonic() - began < LONGEST_WAIT + MARGIN

    def test_waiting_on_an_empty_log_ends_too(self) -> None:
        with self.open_organizations() as organizations:
            began = time.monotonic()
            organizations.wait(0)
            assert time.monotonic() - began < LONGEST_WAIT + MARGIN

    def test_waiting_for_an_existing_event_returns_immediately(self) -> None:
        with self.open_organizations() as organizations:
            organizations.save_events([registered("gilt"), team_created("gilt", 2)])
            began = time.monotonic()
            for after in (0, 1) * 5:
                organizations.wait(after)
            assert time.monotonic() - began < LONGEST_WAIT

    def test_waiting_ends_early_when_an_event_comes(self) -> None:
        """Ten events, each saved while a wait is under way, take less time than ten full waits."""
        with self.open_organizations() as organizations:
            organizations.save_events([registered("gilt")])
            rounds = 10
            seen = threading.Semaphore(0)

            def write() -> None:
                for version in range(2, rounds + 2):
                    time.sleep(0.005)
                    organizations.save_events([team_created("gilt", version, f"team{version}")])
                    assert seen.acquire(timeout=10)

            writer = threading.Thread(target=write)
            began = time.monotonic()
            writer.start()
            position = 1
            while position < rounds + 1 and time.monotonic() - began < 10:
                organizations.wait(position)
                for recorded in organizations.read(position, 100):
                    position = recorded.position
                    seen.release()
            elapsed = time.monotonic() - began
            writer.join()
            assert position == rounds + 1
            assert elapsed < rounds * LONGEST_WAIT / 2
