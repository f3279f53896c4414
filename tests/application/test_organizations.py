"""Organizations in memory, kept by the eventsourcing library, fulfil the ports' contracts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NoReturn

import pytest
from eventsourcing.persistence import (
    OperationalError,
    PersistenceError,
    ProgrammingError,
    StoredEvent,
)

from adapters.eventsourcing.organizations import Organizations
from adapters.eventsourcing.topics import EVENT_TYPES
from application.errors import LogUnavailable
from domain.limits import OrganizationLimits
from tests.application.doubles import organizations_in_memory
from tests.contracts.organizations import (
    OrganizationPorts,
    OrganizationsContract,
    full_history,
    registered,
)


class TestOrganizationsInMemory(OrganizationsContract):
    # The library's recorder in memory asks only whether a version is taken.
    refuses_gaps = False

    def open_organizations(self) -> AbstractContextManager[OrganizationPorts]:
        return organizations_in_memory()


def test_events_are_kept_under_stable_topics_as_json(organizations: Organizations) -> None:
    organizations.save_events(full_history())
    stored = organizations.recorder.select_events("organization:gilt")
    assert [event.topic for event in stored] == [
        "organization.registered.v1",
        "organization.team-created.v1",
        "organization.token-issued.v1",
        "organization.token-issued.v1",
        "organization.token-revoked.v1",
        "organization.limits-set.v1",
        "organization.limits-set.v1",
        "organization.erased.v1",
    ]
    assert {f"{name}.v1" for name in EVENT_TYPES} == {event.topic for event in stored}
    assert stored[1].state == (
        b'{"originator_id":"organization:gilt","originator_version":2,'
        b'"timestamp":"2014-04-29T16:23:45.678901Z","name":"web"}'
    )


def test_limits_from_before_there_was_one_of_series_are_read(organizations: Organizations) -> None:
    organizations.save_events(full_history()[:1])
    state = (
        b'{"originator_id":"organization:gilt","originator_version":2,'
        b'"timestamp":"2014-04-29T16:23:45.678901Z","points_per_second":12.5,"burst":1000}'
    )
    stored = StoredEvent("organization:gilt", 2, "organization.limits-set.v1", state)
    organizations.recorder.insert_events([stored])
    found = organizations.find("gilt")
    assert found is not None
    assert found.limits == OrganizationLimits(points_per_second=12.5, burst=1000)


@pytest.mark.parametrize(
    ("topic", "state"),
    [
        ("organization.unheard-of.v1", b"{}"),
        ("organization.registered.v1", b"{}"),
        ("organization.registered.v1", b"no json"),
        ("organization.registered.v1", b""),
    ],
)
def test_an_event_that_cannot_be_read_is_named(
    organizations: Organizations, topic: str, state: bytes
) -> None:
    organizations.recorder.insert_events([StoredEvent("organization:gilt", 1, topic, state)])
    message = f"version 1 of 'organization:gilt' .topic '{topic}'"
    with pytest.raises(LogUnavailable, match=message):
        organizations.find("gilt")
    with pytest.raises(LogUnavailable, match=message):
        organizations.read(0, 1)


@pytest.mark.parametrize("error", [OperationalError, ProgrammingError, PersistenceError])
def test_every_failure_of_the_library_is_raised_as_log_unavailable(
    organizations: Organizations, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error("the disk is gone")

    recorder = organizations.recorder
    names: Sequence[str] = (
        "select_events", "insert_events", "select_notifications", "max_notification_id",
    )  # fmt: skip
    for name in names:
        monkeypatch.setattr(recorder, name, fail)
    for call in (
        lambda: organizations.find("gilt"),
        lambda: organizations.save_events([registered("gilt")]),
        lambda: organizations.read(0, 1),
        lambda: organizations.wait(0),
    ):
        with pytest.raises(LogUnavailable, match="the disk is gone") as refusal:
            call()
        assert isinstance(refusal.value.__cause__, error)
