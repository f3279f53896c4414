"""A worker answers a change once its own directory contains it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from adapters.eventsourcing.organizations import Organizations
from application.organizations.own_changes import OwnChanges
from application.organizations.token_directory import DirectoryFollower, TokenDirectory
from domain.errors import UnknownOrganization
from domain.events import OrganizationRegistered
from domain.organization import organization_id

EVENT = OrganizationRegistered(
    originator_id=organization_id("gilt"),
    originator_version=1,
    timestamp=datetime(2014, 4, 29, tzinfo=UTC),
    name="gilt",
)


@pytest.fixture
def organizations() -> Organizations:
    return Organizations({"PERSISTENCE_MODULE": "eventsourcing.popo"})


def test_a_save_returns_once_the_directory_contains_it(organizations: Organizations) -> None:
    directory = TokenDirectory()
    follower = DirectoryFollower(organizations, directory)
    following = threading.Thread(target=follower.run)
    following.start()
    try:
        OwnChanges(organizations, organizations, directory).save_events([EVENT])
        found, token = directory.look_up("gilt", "no digest")
    finally:
        follower.stop()
        following.join()
    assert (found.name, token) == ("gilt", None)


def test_a_lagging_directory_delays_the_answer_only_for_a_limited_time(
    organizations: Organizations,
) -> None:
    directory = TokenDirectory()
    directory.heard()
    repository = OwnChanges(organizations, organizations, directory, patience=0.0)
    repository.save_events([EVENT])
    assert repository.find("gilt") is not None
    with pytest.raises(UnknownOrganization):
        directory.look_up("gilt", "no digest")
